//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

const (
	// settleTime is how long both nodes have to come to an end with a move that
	// broke off: the daemons notice a lost peer by their own keepalive.
	settleTime = 30 * time.Second
	// agentReturn is how long the guest agent has to answer after a move.
	agentReturn = 15 * time.Second
	// progressEvery is the time between two looks at a running job.
	progressEvery = 500 * time.Millisecond
)

// move is one VM on its way from one node to another.
type move struct {
	from, to *Node
	vm       *virt.VM
	c        virt.Migrate
	plan     movePlan

	active     bool // it runs or is paused: memory has to move
	persistent bool
	autostart  bool
	destXML    string // set where networks have other names there
	persistXML string

	out virt.Outcome
}

// migrate moves a VM. The caller has the lock on it, and has called checkMigrate
// a moment ago.
//
// Running VMs go peer to peer over a relay: the nodes need not trust each other.
// Where sshd does not forward for us, this process manages the move over two
// connections of its own. What is on storage of the node's own is copied, and
// deleted at the source once the VM is there.
//
// When the move breaks off, for whatever reason, both nodes are asked where the
// VM is, and the error says so. Kinds: the context's own error, ErrOutcomeUnknown
// when the connection was lost, else libvirt's.
func migrate(ctx context.Context, from, to *Node, vm *virt.VM, c virt.Migrate, opts migrateOptions) (virt.Outcome, error) {
	if from.cfg.Name == to.cfg.Name {
		return virt.Outcome{}, nil
	}
	check := &moveCheck{ctx: ctx, from: from, to: to, view: from, vm: vm, c: c, opts: opts}
	check.state()
	m := &move{from: from, to: to, vm: vm, c: c, plan: check.plan()}
	if err := errors.Join(check.errs...); err != nil {
		return virt.Outcome{}, err
	}
	defer m.forget()
	if err := m.look(ctx); err != nil {
		return virt.Outcome{}, err
	}
	if len(m.plan.copied) > 0 { // what the move cost counts them whole
		if err := from.DiskSizes(ctx, vm); err != nil {
			return virt.Outcome{}, err
		}
	}
	began := time.Now()
	copies, err := m.copyDisks(ctx)
	if err == nil {
		err = m.perform(ctx)
	}
	if err != nil {
		return virt.Outcome{}, m.brokeOff(ctx, copies, err)
	}
	if err := m.arrived(ctx); err != nil {
		return virt.Outcome{}, err
	}
	moved := m.stats(ctx)
	moved.Bytes += copies.bytes
	if moved.Elapsed == 0 {
		moved.Elapsed = time.Since(began)
	}
	m.finish(ctx, copies)
	m.out.Changed = true
	m.out.Fields = []virt.FieldChange{{Path: "host", Before: from.cfg.Name, After: to.cfg.Name}}
	m.out.Result = moved
	m.out.Summary = summary(moved, m.active)
	return m.out, nil
}

// forget drops what both nodes knew of the VM and its volumes.
func (m *move) forget() {
	for _, n := range []*Node{m.from, m.to} {
		refs := []virt.Ref{m.vm.Ref()}
		for _, k := range m.plan.copied {
			refs = append(refs, virt.VolumeRef(k.Storage, k.Volume))
		}
		n.Forget(refs...)
	}
}

// summary says in one line what a move cost.
func summary(moved *virt.Moved, live bool) string {
	what, took := virt.FormatSize(roundSize(moved.Bytes)), fmt.Sprintf("%.1f s", moved.Elapsed.Seconds())
	if moved.Bytes == 0 {
		what = "its definition"
	}
	if moved.Elapsed < 100*time.Millisecond {
		took = fmt.Sprintf("%d ms", moved.Elapsed.Milliseconds())
	}
	if live {
		took += fmt.Sprintf(", down %d ms", moved.Downtime.Milliseconds())
	}
	return what + " in " + took
}

// roundSize drops what nobody wants to read in a summary.
func roundSize(n int64) int64 {
	for _, unit := range []int64{virt.GiB, virt.MiB, virt.KiB} {
		if n >= 16*unit {
			return (n + unit/2) / unit * unit
		}
	}
	return n
}

// look finds out about the VM what only libvirt on the source knows.
func (m *move) look(ctx context.Context) error {
	var live, stored string
	err := m.from.readDomain(ctx, "look at the VM before it moves", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) (err error) {
		if m.active, err = d.IsActive(); err != nil {
			return err
		}
		if m.persistent, err = d.IsPersistent(); err != nil {
			return err
		}
		if m.persistent {
			if m.autostart, err = d.GetAutostart(); err != nil {
				return err
			}
		}
		if len(m.c.Networks) == 0 {
			return nil
		}
		if m.active {
			if live, err = d.GetXMLDesc(lv.DOMAIN_XML_SECURE | lv.DOMAIN_XML_MIGRATABLE); err != nil {
				return err
			}
		}
		stored, err = d.GetXMLDesc(lv.DOMAIN_XML_SECURE | lv.DOMAIN_XML_INACTIVE | lv.DOMAIN_XML_MIGRATABLE)
		return err
	})
	if err != nil || len(m.c.Networks) == 0 {
		return err
	}
	if m.active {
		if m.destXML, err = renameNetworks(live, m.c.Networks); err != nil {
			return fmt.Errorf("%s: %w", m.vm.Ref(), err)
		}
	}
	if m.persistent {
		m.persistXML, err = renameNetworks(stored, m.c.Networks)
	}
	return err
}

// renameNetworks connects a domain's interfaces to other networks.
func renameNetworks(text string, networks map[string]string) (string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return "", fmt.Errorf("domain XML from libvirt: %w", err)
	}
	for _, nic := range doc.FindElements("/domain/devices/interface") {
		source := nic.SelectElement("source")
		if source == nil {
			continue
		}
		name, ok := networks[source.SelectAttrValue("network", "")]
		if !ok {
			continue
		}
		// What else a running domain says of its source belongs to the port here.
		for _, key := range []string{"portid", "bridge"} {
			source.RemoveAttr(key)
		}
		source.CreateAttr("network", name)
	}
	return doc.WriteToString()
}

// perform has libvirt move the VM, and reports how far it is.
func (m *move) perform(ctx context.Context) error {
	watch, over := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { m.progress(watch) })
	defer wg.Wait()
	defer over()
	err := m.attempt(ctx, m.flags())
	if isCode(err, lv.ERR_MIGRATE_UNSAFE) && m.plan.listed {
		// libvirt knows NFS and the like for shared. That these pools are, the
		// inventory says.
		err = m.attempt(ctx, m.flags()|lv.MIGRATE_UNSAFE)
	}
	if isCode(err, lv.ERR_MIGRATE_UNSAFE) {
		return &virt.Error{Kind: virt.ErrConflict, Object: m.vm.Ref(), Summary: "libvirt does not believe that its disks are shared",
			Wanted: "disks on shared storage, or copied", Found: names(m.plan.stay),
			Hint: "list the pools under shared_pools of the cluster in the inventory, if they are", Err: message(err)}
	}
	return err
}

func (m *move) flags() lv.DomainMigrateFlags {
	var flags lv.DomainMigrateFlags
	if m.persistent {
		flags |= lv.MIGRATE_PERSIST_DEST | lv.MIGRATE_UNDEFINE_SOURCE
	}
	if !m.active {
		return flags | lv.MIGRATE_OFFLINE
	}
	flags |= lv.MIGRATE_ABORT_ON_ERROR
	if m.c.Live {
		flags |= lv.MIGRATE_LIVE | lv.MIGRATE_AUTO_CONVERGE
	}
	if len(m.targets()) > 0 {
		flags |= lv.MIGRATE_NON_SHARED_DISK
	}
	return flags
}

// targets are the devices of the disks that QEMU copies along with memory.
func (m *move) targets() []string {
	var list []string
	for _, k := range m.plan.copied {
		if m.active && !isReadOnly(k) {
			list = append(list, k.Target)
		}
	}
	return list
}

func (m *move) params() *lv.DomainMigrateParameters {
	p := &lv.DomainMigrateParameters{
		DestXML: m.destXML, DestXMLSet: m.destXML != "",
		PersistXML: m.persistXML, PersistXMLSet: m.persistXML != "",
		MigrateDisks: m.targets(), MigrateDisksSet: len(m.targets()) > 0,
	}
	if m.c.Bandwidth > 0 && m.active {
		// libvirt counts MiB a second; half of one is one.
		p.Bandwidth, p.BandwidthSet = uint64((m.c.Bandwidth+virt.MiB-1)/virt.MiB), true
	}
	if host := m.to.cfg.Address; host != "" && m.active {
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		p.URI, p.URISet = "tcp://"+host, true
	}
	return p
}

// attempt moves the VM over a relay, or, where there can be none, under our own
// management. Falling back is safe only while nothing has happened: as long as
// the source has not reached the destination.
func (m *move) attempt(ctx context.Context, flags lv.DomainMigrateFlags) error {
	if m.active {
		r, err := openRelay(ctx, m.from, m.to)
		if err == nil {
			err = m.overRelay(ctx, r, flags)
			// A socket that stays behind does not undo the move.
			if left := r.close(ctx); left != nil {
				m.out.Warnings = append(m.out.Warnings, left.Error())
			}
			if err == nil || r.used() || ctx.Err() != nil {
				return err
			}
		} else if ctx.Err() != nil || errors.Is(err, virt.ErrUnreachable) {
			return err
		}
	}
	return m.managed(ctx, flags)
}

const moving = "move the VM to another node"

func (m *move) overRelay(ctx context.Context, r *relay, flags lv.DomainMigrateFlags) error {
	over, stop := context.WithCancel(context.Background())
	defer stop()
	err := m.from.longDomain(ctx, moving, m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
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
	return onBoth(ctx, moving, m.from, m.to, func(from, to *lv.Connect) error {
		defer stop()
		return lookUp(from, m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
			there, err := d.Migrate3(to, m.params(), flags)
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
func onBoth(ctx context.Context, op string, a, b *Node, fn func(a, b *lv.Connect) error, abort func(a *lv.Connect)) error {
	patience := func(*lv.Connect) {} // the other connection is left open while abort works
	if a.cfg.Name < b.cfg.Name {
		return a.long(ctx, op, func(ca *lv.Connect) error {
			return b.long(ctx, op, func(cb *lv.Connect) error { return fn(ca, cb) }, patience)
		}, abort)
	}
	return b.long(ctx, op, func(cb *lv.Connect) error {
		return a.long(ctx, op, func(ca *lv.Connect) error { return fn(ca, cb) }, abort)
	}, patience)
}

// progress reports the source's job until ctx ends.
func (m *move) progress(ctx context.Context) {
	if !m.active {
		return
	}
	for sleep(ctx, progressEvery) == nil {
		var job *lv.DomainJobInfo
		err := m.from.readDomain(ctx, "look at the progress", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) (err error) {
			job, err = d.GetJobStats(0)
			return err
		})
		// Before the job there are no numbers, after it there is no domain.
		if err == nil && job.DataTotal > 0 {
			virt.Report(ctx, progressOf(job))
		}
	}
}

// progressOf makes a job's numbers a progress. What is left over may grow: the
// guest writes to memory that was sent already.
func progressOf(job *lv.DomainJobInfo) virt.Progress {
	p := virt.Progress{What: "moving memory", Unit: "bytes",
		Total: int64(job.DataTotal), Done: int64(job.DataTotal - min(job.DataRemaining, job.DataTotal))}
	if job.DiskRemaining > 0 {
		p.What = "copying disks"
	}
	if speed := job.MemBps + job.DiskBps; speed > 0 {
		p.ETA = (time.Duration(job.DataRemaining/speed) * time.Second)
	}
	return p
}

// stats reads from the destination what the finished move cost.
func (m *move) stats(ctx context.Context) *virt.Moved {
	moved := &virt.Moved{From: m.from.cfg.Name, To: m.to.cfg.Name}
	if !m.active {
		return moved
	}
	// A move without numbers is a move all the same.
	_ = m.to.readDomain(ctx, "read what the move cost", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		job, err := d.GetJobStats(lv.DOMAIN_JOB_STATS_COMPLETED)
		if err != nil {
			return err
		}
		moved.Bytes = int64(job.DataProcessed)
		if job.DiskProcessed == 0 { // only the source counted the disks: all of each
			for _, k := range m.plan.copied {
				if d := m.vm.Disk(k.Name); d != nil && !isReadOnly(k) {
					moved.Bytes += d.Size
				}
			}
		}
		moved.Elapsed = time.Duration(job.TimeElapsed) * time.Millisecond
		moved.Downtime = time.Duration(job.Downtime) * time.Millisecond
		return nil
	})
	return moved
}

// finishTime bounds what has to be done after a move even when the run was
// interrupted meanwhile.
const finishTime = 2 * time.Minute

// finish does what libvirt leaves undone, now that the VM is at its destination.
// Its failures are warnings.
func (m *move) finish(ctx context.Context, copies *diskCopies) {
	run := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	warn := func(err error, format string, args ...any) {
		if err != nil {
			m.out.Warnings = append(m.out.Warnings, fmt.Sprintf("%s: %s: %v", m.vm.Ref(), fmt.Sprintf(format, args...), err))
		}
	}
	if m.autostart {
		warn(m.to.withDomain(ctx, "set autostart", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
			return d.SetAutostart(true)
		}), "it moved, and autostart could not be set on %s", m.to.cfg.Name)
	}
	warn(copies.keep(ctx), "it moved, and a copied volume could not be tidied up")
	if m.active && m.vm.State == virt.Running && m.vm.Agent == virt.AgentConnected {
		warn(m.agentAnswers(run), "it moved and runs, and its guest agent does not answer")
	}
}

// agentAnswers waits for the guest agent at the destination.
func (m *move) agentAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agentReturn)
	defer cancel()
	return m.to.withAgent(ctx, "ask the guest agent after the move", m.vm.Name, nil, func(ctx context.Context, a *agent) error {
		var b backoff
		for {
			err := a.run(ctx, "guest-ping", nil, nil)
			if err == nil || !errors.Is(err, virt.ErrAgent) {
				return err
			}
			if b.wait(ctx) != nil {
				return err
			}
		}
	})
}

// place is where a VM is, as one node sees it.
type place struct {
	node   string
	there  bool
	active bool
	state  lv.DomainState
	reason int
	err    error // why the node could not be asked
}

// moving tells whether the node is still busy with the move.
func (p place) moving() bool {
	return p.there && p.state == lv.DOMAIN_PAUSED &&
		slices.Contains([]int{int(lv.DOMAIN_PAUSED_MIGRATION), int(lv.DOMAIN_PAUSED_STARTING_UP)}, p.reason)
}

func (p place) String() string {
	switch {
	case p.err != nil:
		return fmt.Sprintf("%s cannot be asked (%v)", p.node, p.err)
	case !p.there:
		return "it is not on " + p.node
	case p.moving():
		return "on " + p.node + " it waits for the end of the move"
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
		if p.state, p.reason, err = d.GetState(); err != nil {
			return err
		}
		p.active, err = d.IsActive()
		return err
	})
	switch {
	case errors.Is(err, virt.ErrNotFound):
		p.there = false
	case err != nil:
		p.there, p.err = false, err
	}
	return p
}

// settled waits until the VM is on one node alone, or the time is over.
func (m *move) settled(ctx context.Context) (from, to place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	var b backoff
	for {
		var wg sync.WaitGroup
		wg.Go(func() { from = m.from.ask(ctx, m.vm.Name) })
		wg.Go(func() { to = m.to.ask(ctx, m.vm.Name) })
		wg.Wait()
		clear := from.err == nil && to.err == nil && from.there != to.there && !from.moving() && !to.moving()
		if clear || b.wait(ctx) != nil {
			return from, to
		}
	}
}

// arrived proves that the VM is where it was to go, and nowhere else.
func (m *move) arrived(ctx context.Context) error {
	from, to := m.settled(ctx)
	if to.there && to.active == m.active && !from.there {
		return nil
	}
	kind := virt.ErrConflict
	if from.err != nil || to.err != nil {
		kind = virt.ErrOutcomeUnknown
	}
	return &virt.Error{Kind: kind, Object: m.vm.Ref(), Summary: "libvirt says that it moved to " + m.to.cfg.Name + ", and it is not so",
		Wanted: fmt.Sprintf("it is on %s and no longer on %s", m.to.cfg.Name, m.from.cfg.Name), Found: fmt.Sprintf("%s; %s", from, to),
		Hint: "look at the VM on both nodes before anything else"}
}

// brokeOff says where the VM is after a move that failed, and clears away what
// was copied in vain.
func (m *move) brokeOff(ctx context.Context, copies *diskCopies, cause error) error {
	from, to := m.settled(ctx)
	e := &virt.Error{Object: m.vm.Ref(), Summary: "was not moved to " + m.to.cfg.Name,
		Found: fmt.Sprintf("%s; %s", from, to), Err: cause}
	var known *virt.Error
	if errors.As(cause, &known) {
		e.Kind, e.Hint = known.Kind, known.Hint
	}
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Summary, e.Err = context.Cause(ctx), "the move to "+m.to.cfg.Name+" was interrupted", nil
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
	case from.there && from.active && to.active:
		e.Hint = "stop one of the two at once: both write to the same disks"
	default:
		e.Hint = "look at the VM on both nodes before anything else"
	}
	return e
}
