//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

const moving = "move the VM to another node"

// attempt moves the VM once, as its change says who conducts it.
//
// In both modes the nodes need not trust each other, the data go from node to
// node, and the end of this process ends the move. They differ in one moment: the
// source has sent all, and the destination has been told to let the VM run. If the
// way is lost just then, libvirt in peer mode takes it for failed and lets the VM
// go on at the source, too; here it is kept standing until it is known where it
// runs. So this process conducts unless the other is asked for.
func (m *move) attempt(ctx context.Context, flags lv.DomainMigrateFlags) error {
	if m.c.Tuning.Mode == virt.ModePeer && m.active {
		return m.overRelay(ctx, flags)
	}
	return m.managed(ctx, flags)
}

// overRelay has libvirt on the source conduct the move.
func (m *move) overRelay(ctx context.Context, flags lv.DomainMigrateFlags) error {
	r, err := openRelay(ctx, m.from, m.to)
	switch {
	case err == nil:
	case ctx.Err() != nil || errors.Is(err, virt.ErrUnreachable):
		return err
	default:
		return &virt.Error{Kind: virt.ErrUnsupported, Object: m.vm.Ref(), Summary: "cannot be moved in mode peer: " + m.from.cfg.Name + " makes no socket for us",
			Hint: "allow AllowStreamLocalForwarding in its sshd, or leave mode out", Err: err}
	}
	// A socket that stays behind does not undo the move.
	defer func() {
		if left := r.close(ctx); left != nil {
			m.out.Warnings = append(m.out.Warnings, left.Error())
		}
	}()
	over, stop := context.WithCancel(context.Background())
	defer stop()
	err = m.from.longDomain(ctx, moving, m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		defer stop()
		return d.MigrateToURI3(r.uri(), m.params(), flags|lv.MIGRATE_PEER2PEER)
	}, func(d *lv.Domain) { abortJob(over, d) })
	if why := r.why(); err != nil && why != nil {
		err = fmt.Errorf("%w (%w)", err, why)
	}
	return err
}

// managed moves the VM with this process between the nodes.
func (m *move) managed(ctx context.Context, flags lv.DomainMigrateFlags) error {
	over, stop := context.WithCancel(context.Background())
	defer stop()
	return onBoth(ctx, moving, m.from, m.to, func(from, to *conn) error {
		defer stop()
		newArbiter(from, to)
		return lookUp(from.c, m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
			there, err := d.Migrate3(to.c, m.params(), flags)
			if there != nil {
				there.Free()
			}
			return err
		})
	}, func(from *lv.Connect) {
		// Without the domain there is nothing left to abort.
		_ = lookUp(from, m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error { abortJob(over, d); return nil })
	})
}

// abortJob asks libvirt to end the domain's job until that is over. Asked while
// the move is being prepared, libvirt finds no job to abort, so it is asked again.
func abortJob(over context.Context, d *lv.Domain) {
	over, cancel := context.WithTimeout(over, abortGrace-time.Second)
	defer cancel()
	for {
		_ = d.AbortJob()
		if sleep(over, 200*time.Millisecond) != nil {
			return
		}
	}
}

// onBoth makes long calls with a connection to each of two nodes. abort gets the
// first one's. The connections are opened in the order of the nodes' names, so
// that moves in both directions do not wait for each other.
func onBoth(ctx context.Context, op string, a, b *Node, fn func(a, b *conn) error, abort func(a *lv.Connect)) error {
	patience := func(*lv.Connect) {} // the other connection is left open while abort works
	if a.cfg.Name < b.cfg.Name {
		return a.longOn(ctx, op, func(ca *conn) error {
			return b.longOn(ctx, op, func(cb *conn) error { return fn(ca, cb) }, patience)
		}, abort)
	}
	return b.longOn(ctx, op, func(cb *conn) error {
		return a.longOn(ctx, op, func(ca *conn) error { return fn(ca, cb) }, abort)
	}, patience)
}

// errUndecided is why a connection was cut: nobody knows whether the VM has arrived.
var errUndecided = errors.New("the destination was lost before it said whether the VM runs there")

// The calls of a move that an arbiter looks at (remote_protocol.x). Newer clients
// send those with parameters.
const (
	procFinish3        = 217
	procConfirm3       = 218
	procFinish3Params  = 306
	procConfirm3Params = 307
)

// arbiter keeps libvirt's client from a mistake. When the destination is lost after
// it was told to let the VM run, and before it answered, the client tells the source
// that the move has failed, and the VM would run on both. The arbiter cuts the
// connection to the source before it hears that: then the source keeps the VM
// standing, and we look where it is.
type arbiter struct {
	source *tunnel

	mu  sync.Mutex
	due bool // the destination owes the answer
}

func newArbiter(from, to *conn) {
	if from.tunnel == nil || to.tunnel == nil {
		return
	}
	a := &arbiter{source: from.tunnel}
	destination, source := a.destination, a.confirm
	to.tunnel.watch.Store(&destination)
	from.tunnel.watch.Store(&source)
}

// destination sees what passes to and from the destination.
func (a *arbiter) destination(program, procedure, typ uint32) {
	if program == ProgramRemote && (procedure == procFinish3 || procedure == procFinish3Params) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.due = typ == typeCall
	}
}

// confirm sees what passes to and from the source.
func (a *arbiter) confirm(program, procedure, typ uint32) {
	if program != ProgramRemote || typ != typeCall || procedure != procConfirm3 && procedure != procConfirm3Params {
		return
	}
	a.mu.Lock()
	due := a.due
	a.mu.Unlock()
	if due {
		a.source.cut(errUndecided)
	}
}
