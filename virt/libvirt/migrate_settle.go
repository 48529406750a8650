//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// place is where a VM is, as one node sees it.
type place struct {
	node   string
	uuid   string
	there  bool
	active bool
	busy   bool // libvirt is at work on it
	state  lv.DomainState
	reason int
	err    error // why the node could not be asked
}

// halted tells whether the VM stands still because of a move.
func (p place) halted() bool {
	return p.there && p.state == lv.DOMAIN_PAUSED &&
		slices.Contains([]int{int(lv.DOMAIN_PAUSED_MIGRATION), int(lv.DOMAIN_PAUSED_STARTING_UP)}, p.reason)
}

// moving tells whether the node is still busy with the move.
func (p place) moving() bool {
	return p.busy || p.halted() && p.reason == int(lv.DOMAIN_PAUSED_STARTING_UP)
}

// stranded tells whether the VM stands still because of a move that nobody
// conducts any more.
func (p place) stranded() bool { return p.halted() && !p.moving() }

func (p place) String() string {
	switch {
	case p.err != nil:
		return fmt.Sprintf("%s cannot be asked (%v)", p.node, p.err)
	case !p.there:
		return "it is not on " + p.node
	case p.moving():
		return "on " + p.node + " it waits for the end of the move"
	case p.halted():
		return "on " + p.node + " it stands still after a move that broke off"
	case p.state == lv.DOMAIN_PAUSED:
		return "it is paused on " + p.node
	case p.active:
		return "it runs on " + p.node
	default:
		return "it is stopped on " + p.node
	}
}

// ask looks for a VM on a node.
func (n *Node) ask(ctx context.Context, vm string) place {
	p := place{node: n.cfg.Name, there: true}
	err := n.readDomain(ctx, "look where the VM is", vm, func(_ *lv.Connect, d *lv.Domain) (err error) {
		if p.uuid, err = d.GetUUIDString(); err != nil {
			return err
		}
		if p.state, p.reason, err = d.GetState(); err != nil {
			return err
		}
		if p.active, err = d.IsActive(); err != nil || !p.active {
			return err
		}
		p.busy = isMoving(d)
		return nil
	})
	switch {
	case errors.Is(err, virt.ErrNotFound):
		p = place{node: n.cfg.Name}
	case err != nil:
		p = place{node: n.cfg.Name, err: err}
	}
	return p
}

// isMoving tells whether libvirt moves a domain, as the source or the destination
// of it: the latter answers that it has no numbers.
func isMoving(d *lv.Domain) bool {
	job, err := d.GetJobStats(0)
	if err != nil {
		var le lv.Error
		return errors.As(err, &le) && le.Code == lv.ERR_OPERATION_INVALID && le.Domain == lv.FROM_QEMU
	}
	return job.Type == lv.DOMAIN_JOB_BOUNDED || job.Type == lv.DOMAIN_JOB_UNBOUNDED
}

// settled waits until no node is at work on the VM, or the time is over.
func (m *move) settled(ctx context.Context) (from, to place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	var b backoff
	for {
		var wg sync.WaitGroup
		wg.Go(func() { from = m.from.ask(ctx, m.vm.Name) })
		wg.Go(func() { to = m.to.ask(ctx, m.vm.Name) })
		wg.Wait()
		clear := from.err == nil && to.err == nil && (from.there || to.there) && !from.moving() && !to.moving()
		if clear || b.wait(ctx) != nil {
			return from, to
		}
	}
}

// took tells whether the VM is at its destination, and nothing of it left at the
// source, or only what stands still there.
func (m *move) took(from, to place) bool {
	if !to.there || to.active != m.active || to.moving() || to.halted() || from.err != nil {
		return false
	}
	return !from.there || leftOver(from, to)
}

// leftOver tells whether what one node has of a VM is what a move to the other
// node has left: a VM that runs there stands still here, or is only defined; one
// that is stopped is defined on both.
func leftOver(left, real place) bool {
	return left.there && real.there && left.uuid == real.uuid && !left.moving() && !real.moving() && !real.halted() &&
		(left.stranded() || !left.active)
}

// resolve brings a move that has ended to one VM in one place. What it has left
// at the source goes when the VM is at its destination; a VM that was left
// standing, and is not at the destination, goes on at the source.
func (m *move) resolve(ctx context.Context) (took bool, from, to place, err error) {
	ctx = context.WithoutCancel(ctx)
	from, to = m.settled(ctx)
	took = m.took(from, to)
	switch {
	case took && from.there:
		if err = m.from.dropLeft(ctx, m.vm.Name, from.uuid); err == nil {
			from = m.from.ask(ctx, m.vm.Name)
		}
	case from.stranded() && !to.there && to.err == nil && m.vm.State != virt.Paused:
		if err = m.from.resumeLeft(ctx, m.vm.Name); err == nil {
			from = m.from.ask(ctx, m.vm.Name)
		}
	}
	return took, from, to, err
}

// dropLeft removes from a node what a move has left of a VM that is elsewhere. Its
// volumes and its NVRAM stay.
func (n *Node) dropLeft(ctx context.Context, vm, uuid string) error {
	defer n.Forget(virt.VMRef(vm))
	err := n.withDomain(ctx, "remove what a move has left of the VM", vm, func(_ *lv.Connect, d *lv.Domain) error {
		if now, err := d.GetUUIDString(); err != nil || now != uuid {
			return err // another one has the name now
		}
		persistent, err := d.IsPersistent()
		if err != nil {
			return err
		}
		if active, err := d.IsActive(); err != nil {
			return err
		} else if active {
			if err := d.Destroy(); err != nil {
				return err
			}
		}
		if !persistent {
			return nil
		}
		return d.UndefineFlags(lv.DOMAIN_UNDEFINE_KEEP_NVRAM)
	})
	if errors.Is(err, virt.ErrNotFound) {
		return nil
	}
	return err
}

// resumeLeft lets a VM go on that a move has left standing. The caller knows that
// it is nowhere else.
func (n *Node) resumeLeft(ctx context.Context, vm string) error {
	defer n.Forget(virt.VMRef(vm))
	return n.withDomain(ctx, "let the VM go on after a move that broke off", vm, func(_ *lv.Connect, d *lv.Domain) error { return d.Resume() })
}

// goOn lets a VM run again that an earlier move has left standing at the source.
// That it is not at the destination was checked.
func (m *move) goOn(ctx context.Context) error {
	if m.vm.State != virt.InMigration || !m.from.ask(ctx, m.vm.Name).stranded() {
		return nil
	}
	if err := m.from.resumeLeft(ctx, m.vm.Name); err != nil {
		return err
	}
	m.out.Warnings = append(m.out.Warnings, "it stood still on "+m.from.cfg.Name+" after a move that broke off, and was let go on")
	now, err := m.from.freshVM(ctx, m.vm.Name)
	if err != nil {
		return err
	}
	m.vm = now
	m.c.Live = true
	return nil
}

// arrived proves that the VM is where it was to go, and nowhere else.
func (m *move) arrived(ctx context.Context) error {
	took, from, to, err := m.resolve(ctx)
	if took && err == nil {
		return nil
	}
	kind := virt.ErrConflict
	if from.err != nil || to.err != nil {
		kind = virt.ErrOutcomeUnknown
	}
	return &virt.Error{Kind: kind, Object: m.vm.Ref(), Summary: "libvirt says that it moved to " + m.to.cfg.Name + ", and it is not so",
		Wanted: fmt.Sprintf("it is on %s and no longer on %s", m.to.cfg.Name, m.from.cfg.Name), Found: fmt.Sprintf("%s; %s", from, to),
		Hint: "look at the VM on both nodes before anything else", Err: err}
}

// brokeOff says where the VM is after a move that failed, and clears away what
// was copied in vain. A move that has taken all the same is none that failed.
func (m *move) brokeOff(ctx context.Context, copies *diskCopies, cause error) error {
	took, from, to, err := m.resolve(ctx)
	if took && err == nil {
		m.out.Warnings = append(m.out.Warnings, fmt.Sprintf("the move broke off when it was as good as done (%v): it is on %s", cause, m.to.cfg.Name))
		return nil
	}
	e := &virt.Error{Object: m.vm.Ref(), Summary: "was not moved to " + m.to.cfg.Name,
		Found: fmt.Sprintf("%s; %s", from, to), Err: errors.Join(cause, err)}
	var known *virt.Error
	if errors.As(cause, &known) {
		e.Kind, e.Hint = known.Kind, known.Hint
	}
	switch {
	case context.Cause(ctx) == virt.ErrTimeout:
		e.Kind, e.Summary, e.Err = virt.ErrTimeout, fmt.Sprintf("the move to %s took longer than %s, and was given up", m.to.cfg.Name, m.c.Tuning.Timeout), err
		e.Hint = "give it more time or bandwidth, or say post_copy: true for a guest that writes a lot"
	case ctx.Err() != nil:
		e.Kind, e.Summary, e.Err = context.Cause(ctx), "the move to "+m.to.cfg.Name+" was interrupted", err
	case errors.Is(cause, virt.ErrOutcomeUnknown), errors.Is(cause, virt.ErrUnreachable), isLost(cause):
		e.Kind, e.Summary = virt.ErrOutcomeUnknown, "the connection was lost during the move to "+m.to.cfg.Name
	}
	switch {
	case from.err == nil && from.there && to.err == nil && !to.there:
		if e.Kind == virt.ErrOutcomeUnknown {
			e.Hint = "it stayed where it was: play again"
		}
		if err := copies.drop(context.WithoutCancel(ctx)); err != nil {
			e.Hint = fmt.Sprintf("delete what was copied in vain: %v", err)
		}
	case from.there && from.active && !from.halted() && to.active && !to.halted():
		e.Hint = "stop one of the two at once: both write to the same disks"
	default:
		e.Hint = "play again when both nodes can be reached: it is finished, or goes on where it was"
	}
	return e
}
