package ovirt

import (
	"context"
	"slices"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

const (
	// pageSize is how many VMs, with all that is followed, are asked for at once:
	// about 10 MB.
	pageSize = 400
	// maxNames is how many VMs one search names.
	maxNames = 50
	// bulkAfter is how many searches are made at least before all VMs are read.
	bulkAfter = 2
)

// VM implements virt.Reader.
func (e *Engine) VM(ctx context.Context, name string) (*virt.VM, error) {
	m, err := e.machine(ctx, name)
	if err != nil {
		return nil, err
	}
	return m.vm.Clone().(*virt.VM), nil
}

// VMs implements virt.Reader. Of VMs with a next-run configuration it tells that
// there is one; VM tells what it is.
func (e *Engine) VMs(ctx context.Context) ([]*virt.VM, error) {
	all, err := e.machines(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*virt.VM, len(all))
	for i, m := range all {
		out[i] = m.vm.Clone().(*virt.VM)
	}
	return out, nil
}

// DiskSizes has nothing to do: the sizes come with the VM.
func (e *Engine) DiskSizes(context.Context, *virt.VM) error { return nil }

// Want implements virt.Foreseer: the next read of one of these VMs reads up to 50
// of them.
func (e *Engine) Want(names ...string) {
	plain := make([]string, len(names))
	for i, n := range names {
		_, plain[i] = qualified(n)
	}
	e.snap.want(plain)
}

// machine gives the VM of a name. The result is shared: nobody may change it.
func (e *Engine) machine(ctx context.Context, name string) (*machine, error) {
	centre, plain := qualified(name)
	found, err := e.lookup(ctx, plain)
	if err != nil {
		return nil, err
	}
	if centre != "" {
		found = slices.DeleteFunc(slices.Clone(found), func(m *machine) bool { return m.vm.DataCentre != centre })
	}
	switch len(found) {
	case 0:
		return nil, virt.NotFound(virt.VMRef(name), "make it with create_vm, or check its name")
	case 1:
	default:
		return nil, ambiguous(virt.VMRef(name), found)
	}
	m := found[0]
	if m.nextRun && !m.staged {
		staged, err := e.stage(ctx, m)
		if err != nil {
			return nil, err
		}
		e.snap.replace(m, staged)
		m = staged
	}
	if centre != "" {
		c := *m
		c.vm = m.vm.Clone().(*virt.VM)
		c.vm.Name = name
		m = &c
	}
	return m, nil
}

func ambiguous(ref virt.Ref, found []*machine) error {
	var where []string
	for _, m := range found {
		where = append(where, m.vm.DataCentre+"/"+ref.Name+" in cluster "+m.vm.Cluster)
	}
	slices.Sort(where)
	return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is the name of several VMs",
		Found: strings.Join(where, ", "), Hint: "write it with its data centre, as " + found[0].vm.DataCentre + "/" + ref.Name}
}

// lookup gives all VMs of a name.
func (e *Engine) lookup(ctx context.Context, name string) ([]*machine, error) {
	if found, known := e.snap.get(name); known {
		return found, nil
	}
	select {
	case e.snap.reading <- struct{}{}:
		defer func() { <-e.snap.reading }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if found, known := e.snap.get(name); known {
		return found, nil // by whoever read before us
	}
	old, dropped := e.snap.last(name)
	if !dropped { // one that was dropped is read by itself, however often
		all, err := e.readsAll(ctx, name)
		if err == nil && all {
			err = e.readAll(ctx)
		}
		if all || err != nil {
			found, _ := e.snap.get(name)
			return found, err
		}
	}
	if old != nil && e.snap.alone(name) { // of several, one search reads all
		m, err := e.again(ctx, name, old)
		if m != nil || err != nil {
			return []*machine{m}, err
		}
	}
	return e.readSome(ctx, name)
}

// again reads a VM whose id is known; nil when it has gone or has another name.
func (e *Engine) again(ctx context.Context, name string, old *machine) (*machine, error) {
	began := e.snap.begin()
	m, err := get(ctx, e.Client, kindVM, path("vms", old.id), query{Follow: e.vmFollow()}, e.convVM)
	switch {
	case isGone(err):
		return nil, nil
	case err != nil:
		return nil, explain("read", virt.VMRef(name), err)
	case m.vm.Name != name:
		return nil, nil
	}
	if err := e.name(ctx, m); err != nil {
		return nil, err
	}
	e.snap.store(name, []*machine{m}, began)
	return m, nil
}

// readsAll tells whether it is time to read all VMs in place of one more of them:
// once as many were read one by one as all of them have pages.
func (e *Engine) readsAll(ctx context.Context, name string) (bool, error) {
	if _, ok := equals("name", name); !ok {
		return true, nil
	}
	before := e.snap.searched()
	if before < bulkAfter {
		return false, nil
	}
	e.snap.mu.Lock()
	total := e.snap.total
	e.snap.mu.Unlock()
	if total < 0 {
		var err error
		total, err = get(ctx, e.Client, kindAPI, "", query{}, countVMs)
		if err != nil {
			return false, explain("read its summary", e.Ref(), err)
		}
		e.snap.mu.Lock()
		e.snap.total = total
		e.snap.mu.Unlock()
	}
	return before+1 >= (total+pageSize-1)/pageSize, nil
}

// manyVMs stands for a count that the engine does not tell a user without rights.
const manyVMs = 10_000

func countVMs(a *ovirtsdk.Api) (int, error) {
	s, ok := a.Summary()
	if !ok || s == nil {
		return manyVMs, nil
	}
	v, ok := s.Vms()
	if !ok || v == nil {
		return manyVMs, nil
	}
	return int(value(v.Total())), nil
}

// readSome searches for a VM, and for others that are wanted.
func (e *Engine) readSome(ctx context.Context, name string) ([]*machine, error) {
	if _, ok := equals("name", name); !ok { // no search can say it
		if err := e.readAll(ctx); err != nil {
			return nil, err
		}
		found, _ := e.snap.get(name)
		return found, nil
	}
	began := e.snap.begin()
	names := slices.DeleteFunc(e.snap.batch(name, maxNames), func(n string) bool {
		_, ok := equals("name", n)
		return !ok
	})
	search, _ := anyOf("name", names...)
	all, err := list(ctx, e.Client, kindVM, "/vms", query{Search: search, Follow: e.vmFollow()}, e.convVM)
	if err != nil {
		return nil, explain("look for VMs", e.Ref(), err)
	}
	byName := map[string][]*machine{}
	for _, m := range all {
		if err := e.name(ctx, m); err != nil {
			return nil, err
		}
		byName[m.vm.Name] = append(byName[m.vm.Name], m)
	}
	for _, n := range names {
		e.snap.store(n, byName[n], began)
	}
	return byName[name], nil
}

// readAll reads all VMs, by pages: snap.reading is held.
func (e *Engine) readAll(ctx context.Context) error {
	began := e.snap.begin()
	all, err := list(ctx, e.Client, kindVM, "/vms", query{Follow: e.vmFollow(), PageSize: pageSize}, e.convVM)
	if err != nil {
		return explain("read its VMs", e.Ref(), err)
	}
	for _, m := range all {
		if err := e.name(ctx, m); err != nil {
			return err
		}
		if m.nextRun {
			m.vm.Pending = []virt.Pending{nextRunPending}
		}
	}
	e.snap.storeAll(all, began)
	return nil
}

// nextRunPending says that something waits for a restart, and not what.
var nextRunPending = virt.Pending{Field: "configuration", Reason: "after a restart: the engine has a next-run configuration"}

// machines gives all VMs, by name.
func (e *Engine) machines(ctx context.Context) ([]*machine, error) {
	for range 3 {
		all, stale, ok := e.snap.list()
		if ok && len(stale) <= max(bulkAfter, len(all)/pageSize) {
			for _, name := range stale {
				found, err := e.lookup(ctx, name)
				if err != nil {
					return nil, err
				}
				all = append(all, found...)
			}
			sortBy(all, func(m *machine) string { return m.vm.Name + "\x00" + m.vm.DataCentre })
			return all, nil
		}
		select {
		case e.snap.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		var err error
		if _, again, now := e.snap.list(); !now || ok && len(again) >= len(stale) {
			err = e.readAll(ctx)
		}
		<-e.snap.reading
		if err != nil {
			return nil, err
		}
	}
	return nil, &virt.Error{Kind: virt.ErrBusy, Object: e.Ref(), Summary: "its VMs are forgotten more quickly than they are read"}
}

// stage reads a VM's next-run configuration, which is what is stored of it.
func (e *Engine) stage(ctx context.Context, m *machine) (*machine, error) {
	staged := *m
	staged.staged = true
	staged.vm = m.vm.Clone().(*virt.VM)
	vm := staged.vm
	_, err := get(ctx, e.Client, kindVM, path("vms", m.id), query{NextRun: true}, func(v *ovirtsdk.Vm) (bool, error) {
		configure(vm, v)
		vm.Ovirt.Hosts = m.vm.Ovirt.Hosts // never waits for a restart
		return true, nil
	})
	if err != nil && !isGone(err) {
		return nil, explain("read the next-run configuration", virt.VMRef(m.vm.Name), err)
	}
	vm.Pending = e.pending(m.vm, vm)
	return &staged, nil
}

// pending says what of a running VM's configuration is not in force, in the words
// that a change would use. was is the VM as it runs.
func (e *Engine) pending(was, vm *virt.VM) []virt.Pending {
	if vm.Live == nil {
		return nil
	}
	as := vm.Clone().(*virt.VM)
	as.State = virt.Running // that it is starting, or moving, passes
	out := settingsPending(was, vm)
	if _, o, err := e.rules.Predict(as, virt.SetCPU{On: virt.OnVM(as), Count: virt.Some(as.CPU.Count)}); err == nil {
		out = append(out, o.Pending...)
	}
	if _, o, err := e.rules.Predict(as, virt.SetMemory{On: virt.OnVM(as), Current: virt.Some(as.Memory.Current), Max: virt.Some(as.Memory.Max)}); err == nil {
		out = append(out, o.Pending...)
	}
	if len(out) == 0 {
		out = append(out, nextRunPending)
	}
	return inOrder(out)
}

// Forget implements virt.Reader.
func (e *Engine) Forget(refs ...virt.Ref) {
	if len(refs) == 0 {
		e.snap.forget()
		e.dir.drop()
		return
	}
	for _, r := range refs {
		switch r.Kind {
		case virt.KindVM:
			_, plain := qualified(r.Name)
			e.snap.drop(plain)
		case virt.KindNetwork:
			e.dir.dropNetworks()
		case virt.KindStorage, virt.KindVolume:
			e.dir.domains.drop()
			e.dir.states.drop()
		case virt.KindHost:
			e.dir.hosts.drop()
			e.dir.carriers.drop()
		case virt.KindGuestFile, virt.KindSnapshot:
			_, plain := qualified(r.Scope)
			e.snap.drop(plain)
		}
	}
}

// Watch implements virt.Reader: engines send no events.
func (e *Engine) Watch(context.Context, string) <-chan struct{} { return nil }
