//go:build cgo

package libvirt

import (
	"cmp"
	"fmt"

	"github.com/nactl/nactl/virt"
)

// nodeRules are libvirt's part in predicting changes.
func (n *Node) nodeRules() virt.Rules {
	return virt.Rules{LiveCPU: liveCPU, LiveMemory: liveMemory, Overlay: overlayVM, Created: n.created, Attached: n.fillAttached, Refuse: refuse,
		LiveNIC: n.liveNIC, NewDrive: newDrive, VolumeAt: n.volumeAt, Portgroups: true}
}

// liveCPU tells why a running VM cannot have other CPUs at once.
func liveCPU(vm *virt.VM, want virt.CPU) string {
	switch {
	case vm.State != virt.Running:
		return "after a restart: the VM is " + string(vm.State) + ", so its guest cannot take part"
	case want.Count < vm.Live.CPU.Count && vm.Accel == "qemu":
		// QEMU's emulation drops the CPU and never says so; libvirt then counts wrong
		// and QEMU may crash at the next device.
		return "after a restart: an emulated VM cannot give CPUs back while it runs"
	default:
		return ""
	}
}

// liveMemory tells why a running VM cannot have other memory at once.
func liveMemory(vm *virt.VM, want virt.Memory) string {
	if vm.State != virt.Running {
		return "after a restart: the VM is " + string(vm.State) + ", so its guest cannot take part"
	}
	for _, p := range vm.Pending {
		if p.Field == "memory.current" && p.Reason == balloonStuck && p.Configured == want.Current && p.Live == vm.Live.Memory.Current {
			return balloonStuck
		}
	}
	if root, err := domainElement(vm.Native); err == nil {
		if b := root.FindElement("./devices/memballoon"); b != nil && b.SelectAttrValue("model", "") == "none" {
			return "after a restart: the VM has no memory balloon"
		}
	}
	return ""
}

// overlayVM merges a playbook's domain XML into a VM's.
func overlayVM(vm *virt.VM, overlay string) (string, bool, error) {
	merged, changed, err := mergeOverlay(cmp.Or(vm.Native, "<domain/>"), overlay)
	if err != nil {
		return "", false, &virt.Error{Kind: virt.ErrInvalid, Object: vm.Ref(), Summary: "cannot merge the libvirt XML", Err: err}
	}
	return merged, changed, nil
}

// refuse gives the reason why no node ever makes a change.
func refuse(before virt.Object, c virt.Change) error {
	switch c := c.(type) {
	case virt.SetMemory:
		if g, ok := c.Guaranteed.Get(); ok && g != 0 {
			return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "guaranteed memory is not supported on libvirt nodes",
				Hint: "leave guaranteed out for this target"}
		}
		for _, m := range []virt.Opt[int64]{c.Current, c.Max} {
			if err := wholeKiB(c.Ref, m.Or(0)); err != nil {
				return err
			}
		}
	case virt.CreateVM:
		for _, m := range []int64{c.Memory.Current, c.Memory.Max} {
			if err := wholeKiB(c.Ref, m); err != nil {
				return err
			}
		}
	case virt.SetVM:
		switch {
		case !c.Tags.IsZero():
			return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "has no tags on a libvirt node", Hint: "use metadata for this target"}
		case c.Ovirt != nil:
			return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "is on a libvirt node, and no engine's",
				Hint: "leave the ovirt section out for this target"}
		}
	case virt.RenameVM:
		if vm, ok := before.(*virt.VM); ok && vm != nil && vm.State != virt.Stopped && vm.Name != c.Renamed().Name {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "cannot be renamed on a libvirt node while it is " + string(vm.State),
				Wanted: "a stopped VM", Found: string(vm.State), Hint: "stop it before, with power: {vm: " + vm.Name + ", state: stopped}"}
		}
	case virt.CreateNetwork:
		return refuseNetwork(c)
	case virt.CreatePool:
		return refusePool(c)
	case virt.Migrate:
		switch c.Tuning.Mode {
		case "", virt.ModeClient, virt.ModePeer:
		default:
			return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("%q is no way of moving a VM", c.Tuning.Mode),
				Wanted: virt.ModeClient + " or " + virt.ModePeer}
		}
		if c.Cluster != "" {
			return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "cannot move to another cluster: a cluster of nodes stands for itself",
				Hint: "name a member of its cluster as host"}
		}
	}
	return nil
}

// wholeKiB refuses memory that libvirt, which counts in KiB, would round: it
// would never be seen to be what was asked for.
func wholeKiB(vm virt.Ref, size int64) error {
	if size%virt.KiB == 0 {
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("memory of %d bytes is not a whole number of KiB", size),
		Hint: "write it in binary units, as 512MiB"}
}

// notePending says what of a running VM's configuration is not in force, in the
// words that a change would use.
func (n *Node) notePending(vm *virt.VM) {
	if vm.Live == nil {
		return
	}
	others := vm.Pending
	vm.Pending = nil
	defer func() {
		vm.Pending = append(vm.Pending, others...)
		virt.SetDevicesPending(vm, n.whyPending(vm))
	}()
	if n.balloons.stuck(vm) {
		vm.Pending = []virt.Pending{{Field: "memory.current", Live: vm.Live.Memory.Current, Configured: vm.Memory.Current, Reason: balloonStuck}}
	}
	// What stands in the way is told as if it ran: that it is paused passes.
	state := vm.State
	vm.State = virt.Running
	defer func() { vm.State = state }()
	_, cpu, err := n.rules.Predict(vm, virt.SetCPU{On: virt.OnVM(vm), Count: virt.Some(vm.CPU.Count)})
	if err != nil {
		return // not even libvirt's own numbers make sense: nobody can say what is pending
	}
	_, mem, err := n.rules.Predict(vm, virt.SetMemory{On: virt.OnVM(vm), Current: virt.Some(vm.Memory.Current), Max: virt.Some(vm.Memory.Max)})
	if err == nil {
		vm.Pending = append(pendingOf(cpu), pendingOf(mem)...)
	}
}

// pendingOf gives what is pending, and what only waits for somebody to bring it
// to the running VM.
func pendingOf(out virt.Outcome) []virt.Pending {
	pending := out.Pending
	for _, f := range out.Fields {
		pending = append(pending, virt.Pending{Field: f.Path, Live: f.Before, Configured: f.After,
			Reason: "it was changed in the configuration alone"})
	}
	return pending
}
