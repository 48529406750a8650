package virttest

import (
	"fmt"
	"time"

	"github.com/nactl/nactl/virt"
)

// snapshots are made, gone back to, and deleted; of a VM with a disk, for libvirt
// has nowhere else to keep them.
func (r *runner) snapshots() []testCase {
	const name = "before the change"
	ref := func(vm string) virt.Ref { return virt.SnapshotRef(vm, name) }
	take := func(o virt.On) virt.Change {
		if o.Ref.Kind == virt.KindVM { // where a case begins with it
			o = virt.On{Ref: ref(o.Ref.Name)}
		}
		return virt.CreateSnapshot{On: o}
	}
	beside := func(o virt.On) virt.Change {
		c := take(o).(virt.CreateSnapshot)
		c.External = true
		return c
	}
	after := func(o virt.On) virt.Change {
		return virt.CreateSnapshot{On: virt.On{Ref: virt.SnapshotRef(o.Ref.Name, "later")}, External: true}
	}
	cpus := func(n int) changeOf {
		return on(func(o virt.On) virt.SetCPU { return virt.SetCPU{On: o, Count: virt.Some(n), Max: virt.Some(4)} })
	}
	back := on(func(o virt.On) virt.RevertSnapshot { return virt.RevertSnapshot{On: o, Snapshot: name} })
	drop := on(func(o virt.On) virt.DeleteSnapshot { return virt.DeleteSnapshot{On: o} })
	there := func(o virt.Object) error {
		s, ok := o.(*virt.Snapshot)
		if !ok || s == nil || s.Name != name || s.State != virt.SnapshotOK || s.ID.Or("a plan's") == "" || s.Created.Or(time.Now()).IsZero() {
			return fmt.Errorf("it is %+v", o)
		}
		return nil
	}
	return []testCase{
		{kind: "create_snapshot", name: "stopped", object: ref, arrange: []changeOf{r.attach}, change: take, shows: there},
		{kind: "create_snapshot", name: "running", object: ref, arrange: []changeOf{r.attach, start}, change: take, shows: there},
		{kind: "create_snapshot", name: "external stopped", object: ref, arrange: []changeOf{r.attach}, change: beside, shows: there},
		{kind: "create_snapshot", name: "external running", object: ref, arrange: []changeOf{r.attach, start}, change: beside, shows: there},
		{kind: "delete_snapshot", name: "external stopped", object: ref, arrange: []changeOf{r.attach, beside}, change: drop, shows: gone},
		{kind: "delete_snapshot", name: "external running", object: ref, arrange: []changeOf{r.attach, start, beside}, change: drop, shows: gone},
		{kind: "delete_snapshot", name: "external below another", object: ref, arrange: []changeOf{r.attach, start, beside, after}, change: drop, shows: gone},
		{kind: "revert_snapshot", name: "external", arrange: []changeOf{r.attach, cpus(1), beside, cpus(2)}, change: back,
			shows: vmShows(func(vm *virt.VM) bool { return vm.State == virt.Stopped && vm.CPU.Count == 1 })},
		{kind: "revert_snapshot", name: "stopped", arrange: []changeOf{r.attach, cpus(1), take, cpus(2)}, change: back,
			shows: vmShows(func(vm *virt.VM) bool { return vm.State == virt.Stopped && vm.CPU.Count == 1 })},
		{kind: "revert_snapshot", name: "and start", arrange: []changeOf{r.attach, cpus(1), take, cpus(2)},
			change: on(func(o virt.On) virt.RevertSnapshot { return virt.RevertSnapshot{On: o, Snapshot: name, Start: true} }),
			shows:  vmShows(func(vm *virt.VM) bool { return vm.State == virt.Running && vm.CPU.Count == 1 })},
		{kind: "delete_snapshot", name: "stopped", object: ref, arrange: []changeOf{r.attach, take}, change: drop, shows: gone},
		{kind: "delete_snapshot", name: "running", object: ref, arrange: []changeOf{r.attach, take, start}, change: drop, shows: gone},
	}
}
