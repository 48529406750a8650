//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// readsInFlight is how many reads share the connection at a time: the daemon
// works on some while the answers of others are under way.
const readsInFlight = 16

// VM reads one VM, without the sizes of its disks. The first few are looked up
// one by one; then all are read at once.
func (n *Node) VM(ctx context.Context, name string) (*virt.VM, error) {
	vm, a := n.snap.vm(name)
	switch a {
	case present:
		return vm, nil
	case missing:
		return nil, noVM(name)
	case unknown:
		return n.readVM(ctx, name)
	}
	if err := n.readAll(ctx); err != nil {
		return nil, err
	}
	if vm, a = n.snap.vm(name); a == present {
		return vm, nil
	} else if a == missing {
		return nil, noVM(name)
	}
	return n.readVM(ctx, name) // it changed while the others were read
}

// freshVM reads one VM as it is now.
func (n *Node) freshVM(ctx context.Context, name string) (*virt.VM, error) {
	n.snap.drop(name)
	return n.readVM(ctx, name)
}

func noVM(name string) error {
	return virt.NotFound(virt.VMRef(name), "make it with create_vm, or check its name")
}

// VMs reads all VMs, by name, without the sizes of their disks.
func (n *Node) VMs(ctx context.Context) ([]*virt.VM, error) {
	for {
		vms, dropped, ok := n.snap.list()
		switch {
		case !ok || len(dropped) > readsInFlight:
			if err := n.readAll(ctx); err != nil {
				return nil, err
			}
			if vms, dropped, ok = n.snap.list(); !ok {
				continue // everything was dropped meanwhile
			}
		}
		for _, name := range dropped {
			vm, err := n.readVM(ctx, name)
			if isMissing(err, virt.VMRef(name)) {
				continue
			} else if err != nil {
				return nil, err
			}
			vms = append(vms, vm)
		}
		slices.SortFunc(vms, func(a, b *virt.VM) int { return cmp.Compare(a.Name, b.Name) })
		return vms, nil
	}
}

// readVM reads one VM and keeps it: a look-up, then three calls side by side for
// one that is off, four for one that runs.
func (n *Node) readVM(ctx context.Context, name string) (*virt.VM, error) {
	pools, err := n.pools(ctx)
	if err != nil {
		return nil, err
	}
	began := n.snap.begin()
	var vm *virt.VM
	err = n.readDomain(ctx, "read the VM", name, func(_ *lv.Connect, d *lv.Domain) error {
		var (
			stored, live string
			saved        bool
			facts        = domainFacts{pools: pools}
		)
		_, idErr := d.GetID() // known to the client: set when the domain runs
		facts.state = virt.Stopped
		var g errgroup.Group
		g.Go(func() (err error) { stored, err = d.GetXMLDesc(lv.DOMAIN_XML_INACTIVE); return })
		g.Go(func() (err error) { facts.autostart, err = autostart(d.GetAutostart()); return })
		if idErr == nil {
			g.Go(func() (err error) { facts.state, err = domainState(d); return })
			g.Go(func() (err error) { live, err = d.GetXMLDesc(0); return })
		} else {
			g.Go(func() (err error) { saved, err = d.HasManagedSaveImage(0); return ignoreUnsupported(err) })
		}
		err := g.Wait()
		if err != nil {
			return err
		}
		if facts.state == virt.Stopped && saved {
			facts.state = virt.Suspended
		}
		vm, err = n.assemble(stored, live, facts)
		return err
	})
	if err != nil {
		return nil, err
	}
	n.snap.store(vm, began)
	return vm, nil
}

// autostart takes a transient domain, which cannot have one, for one without.
func autostart(on bool, err error) (bool, error) {
	if isCode(err, lv.ERR_OPERATION_INVALID) {
		return false, nil
	}
	return on, err
}

func ignoreUnsupported(err error) error {
	if isCode(err, lv.ERR_NO_SUPPORT, lv.ERR_OPERATION_INVALID) {
		return nil
	}
	return err
}

// domainState asks for the power state (virDomainGetState). A stopped domain may
// still have a saved state, which this does not tell.
func domainState(d *lv.Domain) (virt.PowerState, error) {
	state, reason, err := d.GetState()
	return powerState(state, reason), err
}

func powerState(state lv.DomainState, reason int) virt.PowerState {
	switch state {
	case lv.DOMAIN_RUNNING, lv.DOMAIN_BLOCKED:
		return virt.Running
	case lv.DOMAIN_PAUSED:
		switch lv.DomainPausedReason(reason) {
		case lv.DOMAIN_PAUSED_MIGRATION, lv.DOMAIN_PAUSED_POSTCOPY:
			return virt.InMigration
		case lv.DOMAIN_PAUSED_STARTING_UP:
			return virt.Starting
		}
		return virt.Paused
	case lv.DOMAIN_PMSUSPENDED:
		return virt.Paused
	case lv.DOMAIN_SHUTDOWN:
		return virt.Stopping
	case lv.DOMAIN_CRASHED:
		return virt.Crashed
	default:
		return virt.Stopped
	}
}

// assemble makes a VM of what was read, and says where it runs and what is
// pending.
func (n *Node) assemble(stored, live string, facts domainFacts) (*virt.VM, error) {
	vm, err := parseDomain(stored, live, facts)
	if err != nil {
		return nil, err
	}
	vm.Host = virt.Some(n.cfg.Name)
	n.notePending(vm)
	return vm, nil
}

// readAll reads all VMs and keeps them. Others who want the same wait for it.
func (n *Node) readAll(ctx context.Context) error {
	select {
	case n.snap.bulk <- struct{}{}:
		defer func() { <-n.snap.bulk }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if _, dropped, ok := n.snap.list(); ok && len(dropped) <= readsInFlight {
		return nil
	}
	pools, err := n.pools(ctx)
	if err != nil {
		return err
	}
	began := n.snap.begin()
	var vms []*virt.VM
	err = n.read(ctx, "read all VMs", func(c *lv.Connect) (err error) {
		vms, err = n.listAll(c, pools)
		return err
	})
	if err != nil {
		return err
	}
	n.snap.storeAll(vms, began)
	return nil
}

// lists are the list calls that tell the domains' states, so that no domain has
// to be asked for its own.
var lists = []lv.ConnectListAllDomainsFlags{
	0,
	lv.CONNECT_LIST_DOMAINS_AUTOSTART,
	lv.CONNECT_LIST_DOMAINS_MANAGEDSAVE,
}

// listAll makes the calls of readAll: the lists side by side, then the XML of
// each domain with readsInFlight at a time.
func (n *Node) listAll(c *lv.Connect, pools *poolIndex) ([]*virt.VM, error) {
	found := make([][]lv.Domain, len(lists))
	defer func() {
		for _, l := range found {
			for i := range l {
				l[i].Free()
			}
		}
	}()
	var g errgroup.Group
	for i, flags := range lists {
		g.Go(func() (err error) { found[i], err = c.ListAllDomains(flags); return })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	starting, saved := uuids(found[1]), uuids(found[2])
	vms := make([]*virt.VM, len(found[0]))
	g = errgroup.Group{}
	g.SetLimit(readsInFlight)
	for i := range found[0] {
		d := &found[0][i]
		g.Go(func() error {
			id, err := d.GetUUIDString()
			if err != nil {
				return err
			}
			vms[i], err = n.readListed(d, domainFacts{autostart: starting[id], pools: pools}, saved[id])
			if isCode(err, lv.ERR_NO_DOMAIN) {
				return nil // it went away while the others were read
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(vms, func(vm *virt.VM) bool { return vm == nil }), nil
}

// readListed reads one domain of a list: one call when it is off, three more
// when it runs.
func (n *Node) readListed(d *lv.Domain, facts domainFacts, saved bool) (*virt.VM, error) {
	stored, err := d.GetXMLDesc(lv.DOMAIN_XML_INACTIVE)
	if err != nil {
		return nil, err
	}
	live := ""
	facts.state = virt.Stopped
	if _, err := d.GetID(); err == nil {
		if facts.state, err = domainState(d); err != nil {
			return nil, err
		}
		if live, err = d.GetXMLDesc(0); err != nil {
			return nil, err
		}
	}
	if facts.state == virt.Stopped && saved {
		facts.state = virt.Suspended
	}
	return n.assemble(stored, live, facts)
}

func uuids(domains []lv.Domain) map[string]bool {
	set := map[string]bool{}
	for i := range domains {
		if id, err := domains[i].GetUUIDString(); err == nil { // known to the client
			set[id] = true
		}
	}
	return set
}

// Drives has nothing to do: they come with the VM.
func (n *Node) Drives(context.Context, *virt.VM) error { return nil }

// DiskSizes reads the sizes of a VM's disks: those of volumes from their pool,
// two calls each, the others as the hypervisor sees them.
func (n *Node) DiskSizes(ctx context.Context, vm *virt.VM) error {
	for i := range vm.Disks {
		d := &vm.Disks[i]
		file, ok := d.Path.Get()
		if d.Size != 0 || !ok && d.Volume == "" {
			continue
		}
		err := n.read(ctx, "read the size of disk "+d.Name, func(c *lv.Connect) error {
			return n.diskSize(c, vm.Name, file, d)
		})
		if err != nil && vm.Unfinished != "" && ctx.Err() == nil && !errors.Is(err, virt.ErrUnreachable) {
			continue // its volumes may be yet to come
		}
		if err != nil {
			return aboutVM(err, vm.Name)
		}
	}
	return nil
}

func (n *Node) diskSize(c *lv.Connect, vm, file string, d *virt.Disk) error {
	info, err := volumeInfo(c, d.Storage, d.Volume, file)
	if err == nil {
		d.Size, d.ActualSize = int64(info.Capacity), int64(info.Allocation)
		return nil
	}
	if !isCode(err, lv.ERR_NO_STORAGE_VOL, lv.ERR_NO_STORAGE_POOL, lv.ERR_NO_SUPPORT, lv.ERR_OPERATION_INVALID) {
		return err
	}
	return lookUp(c, vm, func(_ *lv.Connect, dom *lv.Domain) error {
		block, err := dom.GetBlockInfo(d.Target, 0)
		if err != nil {
			return err
		}
		d.Size, d.ActualSize = int64(block.Capacity), int64(block.Allocation)
		return nil
	})
}

// volumeInfo finds a volume by its pool and name, or by its path.
func volumeInfo(c *lv.Connect, pool, name, file string) (*lv.StorageVolInfo, error) {
	var v *lv.StorageVol
	var err error
	if file != "" {
		v, err = c.LookupStorageVolByPath(file)
	} else {
		var p *lv.StoragePool
		if p, err = c.LookupStoragePoolByName(pool); err != nil {
			return nil, err
		}
		defer p.Free()
		v, err = p.LookupStorageVolByName(name)
	}
	if err != nil {
		return nil, err
	}
	defer v.Free()
	return v.GetInfo()
}

// Forget makes the next read of these objects a fresh one; without arguments, of
// all.
func (n *Node) Forget(refs ...virt.Ref) {
	if len(refs) == 0 {
		n.snap.forget()
	}
	for _, r := range refs {
		switch r.Kind {
		case virt.KindVM:
			n.snap.drop(r.Name)
		case virt.KindStorage:
			n.snap.forgetPools()
		case virt.KindHost:
			n.snap.forget()
		}
	}
}
