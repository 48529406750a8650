package ovirt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
)

// hotPlugStep is in what steps memory is plugged into a running VM (on x86).
const hotPlugStep = 128 * virt.MiB

// liveCPU tells why a running VM cannot have other CPUs at once: only whole
// sockets are plugged in and out.
func liveCPU(vm *virt.VM, want virt.CPU) string {
	live := vm.Live.CPU
	switch {
	case vm.State != virt.Running:
		return "after a restart: the VM is " + string(vm.State)
	case want.Topology.Cores != live.Topology.Cores || want.Topology.Threads != live.Topology.Threads:
		return fmt.Sprintf("after a restart: only sockets are plugged in, and each has %d CPUs", live.Topology.Cores*live.Topology.Threads)
	case vm.CPU != live:
		return "after a restart: other CPUs wait for it in the next-run configuration"
	default:
		return waits(vm)
	}
}

// waits tells why nothing is plugged into a VM whose next-run configuration has
// something: the engine would make it anew from what runs, and forget that.
func waits(vm *virt.VM) string {
	if len(vm.Pending) == 0 && vm.CPU == vm.Live.CPU && vm.Memory.Current == vm.Live.Memory.Current && vm.Memory.Max == vm.Live.Memory.Max {
		return ""
	}
	return "after a restart: other changes wait for it in the next-run configuration"
}

// liveMemory does the same for memory.
func liveMemory(vm *virt.VM, want virt.Memory) string {
	live := vm.Live.Memory
	switch {
	case vm.State != virt.Running:
		return "after a restart: the VM is " + string(vm.State)
	case vm.Memory.Current != live.Current || vm.Memory.Max != live.Max:
		return "after a restart: other memory waits for it in the next-run configuration"
	case (want.Current-live.Current)%hotPlugStep != 0:
		return "after a restart: memory is plugged in in steps of " + virt.FormatSize(hotPlugStep)
	default:
		return waits(vm)
	}
}

// sockets gives the layout of a number of CPUs. Where nothing is said, sockets
// have one CPU each, for these can be plugged in later; more CPUs than sockets
// share them evenly.
func layout(count int, t virt.Topology) (sockets, cores, threads int) {
	if per := t.Cores * t.Threads; per > 0 && count%per == 0 {
		return count / per, t.Cores, t.Threads
	}
	cores = 1
	for count%cores != 0 || count/cores > maxSockets {
		cores++
	}
	return count / cores, cores, 1
}

// adapt puts a change in the engine's terms: it is then what is compared, and
// carried out. The warnings are for who wrote it.
func adapt(before virt.Object, c virt.Change) (virt.Change, []string) {
	vm, _ := before.(*virt.VM)
	switch c := c.(type) {
	case virt.SetCPU:
		if vm == nil {
			return c, nil
		}
		return adaptCPU(vm, c)
	case virt.SetMemory:
		current, ok := c.Current.Get()
		if ok && vm != nil && !c.Guaranteed.IsSet() && current < vm.Memory.Guaranteed {
			c.Guaranteed = virt.Some(current) // the engine refuses to guarantee more than there is
		}
		return c, nil
	case virt.CreateSnapshot:
		c.External = false // all are, and that goes without saying
		var warnings []string
		if quiesce, ok := c.Quiesce.Get(); ok && !quiesce {
			warnings = append(warnings, "an engine freezes the guest's file systems where its agent answers, asked or not")
		}
		if c.Description != "" {
			c.Description = ""
			warnings = append(warnings, "an engine's snapshot has a name and no description: it is left out")
		}
		return c, warnings
	case virt.ChangeCdrom:
		c.Force = false // an engine does not ask the guest
		return c, nil
	case virt.CreateNetwork:
		c.Type = "engine"
		return c, nil
	case virt.SetVM:
		if c.Ovirt != nil {
			if hosts, ok := c.Ovirt.Hosts.Get(); ok {
				o := *c.Ovirt
				o.Hosts = virt.Some(slices.Compact(slices.Sorted(slices.Values(hosts))))
				c.Ovirt = &o
			}
		}
		return c, nil
	}
	return c, nil
}

func adaptCPU(vm *virt.VM, c virt.SetCPU) (virt.Change, []string) {
	if c.Count.IsUnknown() || c.Topology.IsUnknown() {
		return c, nil
	}
	t := c.Topology.Or(vm.CPU.Topology)
	count := c.Count.Or(vm.CPU.Count)
	if wanted, ok := c.Topology.Get(); ok && !c.Count.IsSet() && !c.Max.IsSet() {
		count = wanted.Sockets * wanted.Cores * wanted.Threads
	}
	if count < 1 {
		return c, nil // what is wrong with it is said by the rules
	}
	cpu := cpuFor(layout(count, t))
	var warnings []string
	if most, ok := c.Max.Get(); ok && most > cpu.Max {
		warnings = append(warnings, fmt.Sprintf("%s: cpu.max is the engine's own: at most %d CPUs can be plugged in without a restart", vm.Ref(), cpu.Max))
	}
	c.Count, c.Max, c.Topology = virt.Some(cpu.Count), virt.Some(cpu.Max), virt.Some(cpu.Topology)
	return c, warnings
}

// Predict says what a change would do by the engine's rules.
func (e *Engine) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	c, warnings := adapt(before, c)
	after, out, err := e.rules.Predict(before, c)
	if err != nil {
		return after, out, err
	}
	out.Warnings = append(out.Warnings, warnings...)
	if vm, ok := after.(*virt.VM); ok && vm != nil {
		old, _ := before.(*virt.VM)
		if old != nil && old.Name != vm.Name { // disks that are called by the VM's name are called so no more
			for i := range vm.Disks {
				vm.Disks[i].Name = diskName(plainName(vm.Name), vm.Disks[i].Volume)
			}
		}
		settle(old, vm)
	}
	if change, ok := c.(virt.ChangeNIC); ok {
		plugsAgain(before, after, change, &out)
	}
	if create, ok := c.(virt.CreateNetwork); ok {
		old, _ := before.(*virt.Network)
		predictNetwork(old, create, after.(*virt.Network), &out)
	}
	return after, out, nil
}

// settle makes a predicted VM show what a read would.
func settle(before, vm *virt.VM) {
	vm.Comment = vm.Title
	switch wasLive := before != nil && before.State.IsLive(); {
	case !vm.State.IsLive():
		// Only a VM that runs is on a host.
		vm.Host, vm.Addresses, vm.FQDN = virt.Some(""), nil, ""
	case !wasLive:
		vm.Host = virt.Unknown[string]()
	}
	if vm.Memory.Max < vm.Memory.Current {
		vm.Memory.Max = vm.Memory.Current
	}
	if before != nil && len(before.Pending) > 0 && len(vm.Pending) == 0 && vm.State.IsLive() && before.Live != nil {
		vm.Pending = []virt.Pending{nextRunPending} // which stays until the restart, whatever is in it
	}
	vm.Pending = inOrder(vm.Pending)
	// As the engine's, in which order has no meaning: see machine.order.
	settleDisks(vm)
	sortBy(vm.NICs, func(n virt.NIC) string { return n.Name })
}

// inOrder sorts what is pending by the field. That there is something is left out
// where it is known what.
func inOrder(list []virt.Pending) []virt.Pending {
	if len(list) > 1 {
		list = slices.DeleteFunc(list, func(p virt.Pending) bool { return p.Field == nextRunPending.Field })
	}
	sortBy(list, func(p virt.Pending) string { return p.Field })
	return list
}

// created fills in what an engine gives a new VM.
func created(c virt.CreateVM, vm *virt.VM) {
	vm.CPU = cpuFor(layout(max(c.CPU.Count, 1), c.CPU.Topology))
	vm.Memory.Max = max(vm.Memory.Max, vm.Memory.Current)
	if vm.Memory.Guaranteed == 0 {
		vm.Memory.Guaranteed = vm.Memory.Current
	}
	vm.Cluster, vm.DataCentre = c.Cluster, c.DataCentre
	bind(c, vm)
	if len(vm.Boot) == 0 {
		vm.Boot = []string{"hd"}
	}
	for i := range vm.Disks {
		k := &vm.Disks[i]
		attached(vm, k)
		if k.Boot && c.Image != nil && !k.Sparse && k.Format == "qcow2" {
			k.Format = "raw" // the image's format is only inherited, and qcow2 is sparse
		}
	}
}

// bind fills in what only engines have; the template decides what nobody does.
func bind(c virt.CreateVM, vm *virt.VM) {
	o := cmp.Or(c.Ovirt, &virt.OvirtVM{})
	s := &virt.OvirtSettings{HAPriority: orUnknown(o.HAPriority), Affinity: orUnknown(o.Affinity), Hosts: virt.Unknown[[]string](),
		DeleteProtected: orUnknown(o.DeleteProtected)}
	switch host := c.Host.Or(""); {
	case host != "":
		s.Hosts, s.Affinity = virt.Some([]string{host}), virt.Some(o.Affinity.Or("migratable"))
	case o.Affinity.Or("") != "":
		s.Hosts = virt.Some([]string{}) // the template's are reset with it
	}
	for name, v := range o.CustomProperties {
		if v != "" {
			if s.CustomProperties == nil {
				s.CustomProperties = map[string]string{}
			}
			s.CustomProperties[name] = v
		}
	}
	vm.Ovirt = s
	vm.Tags = virt.TagEdit{Add: o.Tags}.Of(nil)
}

func orUnknown[T any](o virt.Opt[T]) virt.Opt[T] {
	if o.IsSet() {
		return o
	}
	return virt.Unknown[T]()
}

// attached fills in what an engine gives a new disk.
func attached(vm *virt.VM, k *virt.Disk) {
	if k.Volume == "" {
		k.Volume = diskAlias(plainName(vm.Name), k.Name)
	}
	k.Name = diskName(plainName(vm.Name), k.Volume)
	k.Target = ""
	if k.Format == "" {
		k.Format = defaultFormat(k.Sparse)
	}
}

// defaultFormat is the one that every sort of storage domain takes.
func defaultFormat(sparse bool) string {
	if sparse {
		return "qcow2"
	}
	return "raw"
}

// maxDiskSize bounds what an engine makes (MaxDiskSize).
const maxDiskSize = 8 * virt.TiB

// refuse gives the reason why no engine ever makes a change.
func refuse(before virt.Object, c virt.Change) error {
	unsupported := func(ref virt.Ref, what, hint string) error {
		return &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: what + " on an engine", Hint: hint}
	}
	switch c := c.(type) {
	case virt.SetMemory:
		for _, m := range []virt.Opt[int64]{c.Current, c.Max, c.Guaranteed} {
			if err := wholeMiB(c.Ref, m.Or(0)); err != nil {
				return err
			}
		}
		vm, _ := before.(*virt.VM)
		if g, ok := c.Guaranteed.Get(); ok && vm != nil {
			if current := c.Current.Or(vm.Memory.Current); g > current {
				return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "cannot guarantee more memory than the VM has",
					Wanted: virt.FormatSize(g), Found: virt.FormatSize(current)}
			}
		}
	case virt.SetVM:
		if len(c.Metadata) > 0 {
			return unsupported(c.Ref, "metadata is not kept", "use title, description or tags")
		}
	case virt.CreateVM:
		return refuseVM(c)
	case virt.ChangeCdrom:
		switch {
		case c.Path != "":
			return unsupported(c.Ref, "a CD is no file of a host", "name a disk or a file of a storage domain with iso and storage")
		case c.Drive != "" && c.Drive != driveName:
			return &virt.Error{Kind: virt.ErrNotFound, Object: c.Ref, Summary: fmt.Sprintf("has no drive %q: on an engine there is one", c.Drive), Found: driveName, Hint: "leave drive out"}
		}
	case virt.AttachDisk:
		return refuseDisk(c.Ref, c.Disk)
	case virt.RevertSnapshot:
		if vm, ok := before.(*virt.VM); ok && vm != nil && vm.State != virt.Stopped {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "cannot go back to a snapshot while it is " + string(vm.State) + " on an engine",
				Wanted: "a stopped VM", Found: string(vm.State), Hint: "stop it before, with power: {vm: " + vm.Name + ", state: stopped}"}
		}
	case virt.Migrate:
		vm, ok := before.(*virt.VM)
		switch {
		case ok && vm != nil && !vm.State.IsLive() && c.Host != "":
			return unsupported(c.Ref, "a VM that does not run is on no host", "name a cluster, or start it first; where it starts, the engine decides")
		case ok && vm != nil && vm.State == virt.Suspended && c.Cluster != "" && c.Cluster != vm.Cluster:
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "is suspended, and cannot change its cluster so", Hint: "start it, or stop it"}
		case c.CopyStorage:
			return unsupported(c.Ref, "copying storage is not part of moving a VM", "leave copy_storage out: the hosts of a data centre share their storage")
		case c.Bandwidth != 0, len(c.Networks) > 0:
			return unsupported(c.Ref, "bandwidth and networks of a migration are the cluster's", "leave them out")
		case c.Tuning.PostCopy, !c.Tuning.AutoConverge.IsZero(), c.Tuning.Compressed, c.Tuning.Parallel != 0:
			return unsupported(c.Ref, "how a running VM moves is said by the migration policy of its cluster", "leave post_copy, auto_converge, compressed and parallel out, and choose a policy there")
		case c.Tuning.Mode != "":
			return unsupported(c.Ref, "its hosts move VMs by themselves", "leave mode out")
		}
	case virt.CreateNetwork:
		switch {
		case c.Bridge != "":
			return unsupported(c.Ref, "a network has no bridge of its own", "leave bridge out, and name the hosts' NIC as host_nic")
		case c.VLAN < 0 || c.VLAN > 4094:
			return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("cannot have VLAN id %d", c.VLAN), Wanted: "1 to 4094"}
		case strings.HasPrefix(c.Ref.Name, "bond"):
			return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "cannot have a name that begins with bond", Hint: "choose another name"}
		}
	}
	return nil
}

func refuseVM(c virt.CreateVM) error {
	for _, m := range []int64{c.Memory.Current, c.Memory.Max, c.Memory.Guaranteed} {
		if err := wholeMiB(c.Ref, m); err != nil {
			return err
		}
	}
	switch {
	case c.LibvirtXML != "":
		return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "has no domain XML on an engine", Hint: "leave the libvirt section out for this target"}
	case len(c.Metadata) > 0:
		return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "metadata is not kept on an engine", Hint: "use title, description or tags"}
	}
	if _, run := splitMark(c.Description); run != "" {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "has a description that looks like the mark of an unfinished VM"}
	}
	for _, d := range c.Disks {
		if err := refuseDisk(c.Ref, d); err != nil {
			return err
		}
	}
	return nil
}

func refuseDisk(vm virt.Ref, d virt.DiskSpec) error {
	switch {
	case d.Serial != "":
		return &virt.Error{Kind: virt.ErrUnsupported, Object: vm, Summary: fmt.Sprintf("disk %q cannot be given a serial on an engine", d.Name),
			Hint: "leave serial out: a disk's serial is its id there"}
	case d.Size > maxDiskSize:
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q is too large for an engine", d.Name),
			Wanted: virt.FormatSize(d.Size), Found: "at most " + virt.FormatSize(maxDiskSize)}
	case d.Format != "" && d.Format != "raw" && d.Format != "qcow2":
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q cannot be %s on an engine", d.Name, d.Format), Hint: "write raw or qcow2"}
	case d.Format == "qcow2" && !d.Sparse && !d.Boot:
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q cannot be qcow2 and preallocated on an engine", d.Name),
			Hint: "write format: raw, or sparse: true"}
	}
	return nil
}

// wholeMiB refuses memory that the engine, which counts in MiB, would round: it
// would never be seen to be what was asked for.
func wholeMiB(vm virt.Ref, size int64) error {
	if size%virt.MiB == 0 {
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("memory of %d bytes is not a whole number of MiB", size),
		Hint: "write it in binary units, as 512MiB"}
}
