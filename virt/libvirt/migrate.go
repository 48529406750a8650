//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
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
// What is on storage of the node's own is copied, and deleted at the source once
// the VM is there.
//
// When the move breaks off, for whatever reason, both nodes are asked where the
// VM is: what a move that took has left is cleared away, a VM that a broken one
// has left standing goes on, and the error says where it is. Kinds: the context's
// own error, ErrTimeout, ErrOutcomeUnknown when the connection was lost, else
// libvirt's.
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
	if err := m.goOn(ctx); err != nil {
		return virt.Outcome{}, err
	}
	began := time.Now()
	copies, err := m.within(ctx, func(ctx context.Context) (*diskCopies, error) {
		copies, err := m.copyDisks(ctx)
		if err == nil {
			err = m.perform(ctx)
		}
		if err != nil {
			return copies, m.brokeOff(ctx, copies, err)
		}
		return copies, m.arrived(ctx)
	})
	if err != nil {
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

// within moves the VM in the time that it was given, if it was.
func (m *move) within(ctx context.Context, fn func(ctx context.Context) (*diskCopies, error)) (*diskCopies, error) {
	if limit := m.c.Tuning.Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, virt.ErrTimeout)
		defer cancel()
	}
	return fn(ctx)
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
		if !m.rewrites() {
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
	if err != nil || !m.rewrites() {
		return err
	}
	if m.active {
		if m.destXML, err = m.rewrite(live); err != nil {
			return fmt.Errorf("%s: %w", m.vm.Ref(), err)
		}
	}
	if m.persistent {
		m.persistXML, err = m.rewrite(stored)
	}
	return err
}

// rewrites tells whether the VM is defined otherwise at its destination.
func (m *move) rewrites() bool { return len(m.c.Networks) > 0 || len(m.plan.copied) > 0 }

// rewrite makes the VM's definition what it is to be at its destination: on the
// networks there and, where its disks are copied, with a mark that says where from,
// for as long as there is something to be cleared away.
func (m *move) rewrite(text string) (string, error) {
	text, err := renameNetworks(text, m.c.Networks)
	if err != nil || len(m.plan.copied) == 0 {
		return text, err
	}
	return markArrival(text, m.from.cfg.Name)
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
		flags |= lv.MIGRATE_LIVE
		if m.c.Tuning.AutoConverge.Or(true) {
			flags |= lv.MIGRATE_AUTO_CONVERGE
		}
		if m.c.Tuning.PostCopy {
			flags |= lv.MIGRATE_POSTCOPY
		}
	}
	if m.c.Tuning.Compressed {
		flags |= lv.MIGRATE_COMPRESSED
	}
	if m.c.Tuning.Parallel > 0 {
		flags |= lv.MIGRATE_PARALLEL
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
	if n := m.c.Tuning.Parallel; n > 0 && m.active {
		p.ParallelConnections, p.ParallelConnectionsSet = n, true
	}
	if m.c.Tuning.Compressed && m.active {
		p.Compression, p.CompressionSet = "xbzrle", true
	}
	if host := m.to.cfg.Address; host != "" && m.active {
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		p.URI, p.URISet = "tcp://"+host, true
	}
	return p
}

// progress reports the source's job until ctx ends.
func (m *move) progress(ctx context.Context) {
	if !m.active {
		return
	}
	early := m.c.Tuning.PostCopy && m.c.Live
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
		// The second pass begins: all of the memory was sent once.
		if early && err == nil && job.MemIteration > 1 {
			early = m.switchOver(ctx) != nil
		}
	}
}

// switchOver lets the guest go on at its destination, with memory left to follow
// (virDomainMigrateStartPostCopy). Until libvirt's job is there it is refused.
func (m *move) switchOver(ctx context.Context) error {
	return m.from.withDomain(ctx, "switch to post-copy", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.MigrateStartPostCopy(0)
	})
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
		p.Rate = int64(speed)
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
	if len(copies.disks) > 0 {
		warn(m.tidy(ctx, copies), "it moved, and a copied volume could not be tidied up")
	}
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
