//go:build cgo

package libvirt

import (
	"context"
	"slices"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/guest"
)

// edit is a change that was decided: the object as it is now, as it shall be,
// and what this makes of the fields. The one that carries it out may add
// warnings, pending fields and a result to out.
type edit struct {
	now, after virt.Object // nil: not there
	out        *virt.Outcome
}

// vm gives the VM as it is now; nil for one that is to be made.
func (e *edit) vm() *virt.VM { vm, _ := e.now.(*virt.VM); return vm }

// want gives the VM as it shall be; nil for one that is to be deleted.
func (e *edit) want() *virt.VM { vm, _ := e.after.(*virt.VM); return vm }

// changes tells whether a field is among what changes.
func (e *edit) changes(path string) bool {
	for _, f := range e.out.Fields {
		if f.Path == path {
			return true
		}
	}
	return false
}

// executor carries an edit out.
type executor func(ctx context.Context, e *edit) error

// executor gives what carries a change out on a node; nil for a change that
// nodes do not know. It is the list of what a node can do.
func (n *Node) executor(c virt.Change) executor {
	switch c := c.(type) {
	case virt.CreateVM:
		return func(ctx context.Context, e *edit) error { return n.createVM(ctx, c, e) }
	case virt.RenameVM:
		return func(ctx context.Context, _ *edit) error { return n.renameVM(ctx, c) }
	case virt.DeleteVM:
		return func(ctx context.Context, e *edit) error { return n.deleteVM(ctx, c, e) }
	case virt.AttachDisk:
		return func(ctx context.Context, e *edit) error { return n.attachDisk(ctx, c, e) }
	case virt.DetachDisk:
		return func(ctx context.Context, e *edit) error { return n.detachDisk(ctx, c, e) }
	case virt.ResizeDisk:
		return func(ctx context.Context, e *edit) error { return n.resizeDisk(ctx, c, e) }
	case virt.AttachNIC:
		return n.attachNIC
	case virt.DetachNIC:
		return func(ctx context.Context, e *edit) error { return n.detachNIC(ctx, c, e) }
	case virt.ChangeNIC:
		return func(ctx context.Context, e *edit) error { return n.changeNIC(ctx, c, e) }
	case virt.ChangeCdrom:
		return func(ctx context.Context, e *edit) error { return n.changeCdrom(ctx, c, e) }
	case virt.SetCPU:
		return n.setCPU
	case virt.SetMemory:
		return n.setMemory
	case virt.SetVM:
		return func(ctx context.Context, e *edit) error { return n.setVM(ctx, c, e) }
	case virt.FinishVM:
		return n.finishVM
	case virt.Start:
		return n.start
	case virt.Shutdown:
		return func(ctx context.Context, e *edit) error { return n.shutdown(ctx, c, e) }
	case virt.PowerOff:
		return func(ctx context.Context, e *edit) error { return n.powerOff(ctx, c, e) }
	case virt.Pause:
		return n.pause
	case virt.Suspend:
		return n.suspend
	case virt.Reboot:
		return n.reboot
	case virt.Reset:
		return n.reset
	case virt.CreateHostVLAN:
		return func(ctx context.Context, _ *edit) error { return n.createHostVLAN(ctx, c) }
	case virt.DeleteHostVLAN:
		return func(ctx context.Context, _ *edit) error { return n.deleteHostVLAN(ctx, c) }
	case virt.HostExec:
		return func(ctx context.Context, e *edit) error { return n.hostCommand(ctx, c, e) }
	case virt.GuestExec:
		return func(ctx context.Context, e *edit) error { return n.guestExec(ctx, c, e) }
	case virt.GuestWrite:
		return func(ctx context.Context, e *edit) error { return n.guestWrite(ctx, c, e) }
	case virt.SetSSHKeys:
		return n.setSSHKeys
	case virt.SetPassword:
		return func(ctx context.Context, _ *edit) error { return n.setPassword(ctx, c) }
	case virt.CreateSnapshot:
		return func(ctx context.Context, e *edit) error { return n.createSnapshot(ctx, c, e) }
	case virt.DeleteSnapshot:
		return func(ctx context.Context, e *edit) error { return n.deleteSnapshot(ctx, c.Ref, e) }
	case virt.RevertSnapshot:
		return func(ctx context.Context, _ *edit) error { return n.revertSnapshot(ctx, c) }
	case virt.CreateVolume:
		return func(ctx context.Context, _ *edit) error { return n.createVolume(ctx, c) }
	case virt.CloneVolume:
		return func(ctx context.Context, _ *edit) error { return n.cloneVolume(ctx, c) }
	case virt.ResizeVolume:
		return func(ctx context.Context, _ *edit) error { return n.resizeVolume(ctx, c) }
	case virt.DeleteVolume:
		return func(ctx context.Context, e *edit) error { return n.removeVolume(ctx, c.Ref, e) }
	case virt.UploadVolume:
		return func(ctx context.Context, e *edit) error { return n.uploadVolume(ctx, c, e) }
	case virt.CreatePool:
		return func(ctx context.Context, e *edit) error { return n.createPool(ctx, c, e) }
	case virt.StartPool:
		return n.switchPool
	case virt.StopPool:
		return n.switchPool
	case virt.DeletePool:
		return func(ctx context.Context, _ *edit) error { return n.deletePool(ctx, c.Ref) }
	case virt.CreateNetwork:
		return func(ctx context.Context, e *edit) error { return n.createNetwork(ctx, c, e) }
	case virt.DeleteNetwork:
		return n.deleteNetwork
	default:
		return nil
	}
}

// Supports tells whether a node knows the change.
func (n *Node) Supports(c virt.Change) error {
	if n.addr.driver == "test" {
		switch c.(type) {
		case virt.CreateHostVLAN, virt.DeleteHostVLAN:
			return virt.Unsupported("libvirt's test driver", c, "it has no host behind it")
		}
	}
	if _, upload := c.(virt.UploadVolume); n.executor(c) != nil && !(upload && n.addr.driver == "test") {
		return nil
	}
	hint := ""
	switch c.(type) {
	case virt.UploadVolume:
		hint = "libvirt's test driver has no streams"
	case virt.Migrate:
		hint = "a node is alone: play against the cluster that it is a member of"
	case virt.HostMaintenance, virt.HostActivate:
		hint = "write maintenance: true for the node in the inventory, and move its VMs with migrate: {away_from: NODE}"
	}
	return virt.Unsupported("a libvirt node", c, hint)
}

// Predict says what a change would do by libvirt's rules.
func (n *Node) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	switch change := c.(type) {
	case virt.CreateNetwork:
		if len(change.Hosts) == 0 {
			change.Hosts = []string{n.cfg.Name}
			c = change
		}
	case virt.CreatePool:
		if len(change.Hosts) == 0 {
			change.Hosts = []string{n.cfg.Name}
			c = change
		}
	case virt.CreateVM:
		if host, ok := change.Host.Get(); ok && host != n.cfg.Name {
			return nil, virt.Outcome{}, virt.NotFound(hostRef(host), "this target is the node "+n.cfg.Name+" alone: leave host out")
		}
		change.Host = virt.Some(n.cfg.Name)
		c = change
	}
	return n.predict(before, c)
}

// predict adds to the rules that a VM starts from its first disk when nothing
// else is said.
func (n *Node) predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	after, out, err := n.rules.Predict(before, c)
	if vm, ok := after.(*virt.VM); ok && vm != nil {
		if old, ok := before.(*virt.VM); ok && old != nil {
			n.predictDevices(old, vm, c, &out)
			predictNames(old, vm, &out)
		}
	}
	if vm, ok := after.(*virt.VM); ok && vm != nil && vm.BootDisk() == nil {
		for i := range vm.Disks {
			if vm.Disks[i].Device == "disk" {
				vm.Disks[i].Boot = true
				break
			}
		}
	}
	if p, ok := after.(*virt.Storage); ok && p != nil {
		p.Shared = slices.Contains(n.cfg.SharedPools, p.Name)
	}
	return after, out, err
}

// Check looks for what stands in the way of a change.
func (n *Node) Check(ctx context.Context, view virt.Reader, c virt.Change) error {
	if err := n.Supports(c); err != nil {
		return err
	}
	switch c := c.(type) {
	case virt.CreateHostVLAN:
		_, err := n.vlanState(ctx, c)
		return err
	case virt.DeleteHostVLAN:
		_, _, err := n.vlanToDelete(ctx, view, c)
		return err
	case virt.HostExec:
		return n.checkHostExec(c)
	case virt.CreateVM:
		return n.checkCreateVM(ctx, view, c)
	case virt.RenameVM:
		return n.checkRename(ctx, view, c)
	case virt.AttachDisk:
		return n.checkAttachDisk(ctx, view, c)
	case virt.ResizeDisk:
		return n.checkResizeDisk(ctx, view, c)
	case virt.AttachNIC:
		return n.checkAttachNIC(ctx, view, c)
	case virt.ChangeNIC:
		return n.checkChangeNIC(ctx, view, c)
	case virt.ChangeCdrom:
		return n.checkChangeCdrom(ctx, view, c)
	case virt.SetPassword:
		return guest.CheckPassword(c)
	case virt.CreateSnapshot:
		return n.checkCreateSnapshot(ctx, view, c)
	case virt.RevertSnapshot:
		return n.checkRevertSnapshot(ctx, view, c)
	case virt.CreateVolume:
		return n.checkCreateVolume(ctx, view, c)
	case virt.CloneVolume:
		return n.checkCloneVolume(ctx, view, c)
	case virt.ResizeVolume:
		return n.checkResizeVolume(ctx, view, c)
	case virt.DeleteVolume:
		return n.checkIdle(ctx, view, c.Ref, "deleted")
	case virt.UploadVolume:
		return n.checkNewVolume(ctx, view, c.Ref, c.Source.Format, atOnce(c.Sparse, 0, c.Source.Size), c.Source.Size)
	case virt.CreatePool:
		return n.checkCreatePool(ctx, view, c)
	case virt.StopPool, virt.DeletePool:
		return n.checkPoolIdle(ctx, view, c.Object())
	case virt.CreateNetwork:
		return n.checkCreateNetwork(ctx, view, c)
	case virt.DeleteNetwork:
		return n.checkDeleteNetwork(ctx, view, c)
	default:
		return nil
	}
}

// Apply makes a change: the object is locked, read afresh, compared, checked,
// and only then changed.
func (n *Node) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := n.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	refs := virt.Touched(c)
	unlock, err := n.locks.Lock(ctx, refs...)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	n.Forget(refs...)
	now, err := virt.ReadFor(ctx, n, c)
	if err != nil {
		return virt.Outcome{}, err
	}
	after, out, err := virt.Decide(n, now, c)
	if err != nil || !out.Changed {
		return out, err
	}
	if err := n.Check(ctx, n, c); err != nil {
		return virt.Outcome{}, err
	}
	defer n.Forget(refs...)
	if err := n.executor(c)(ctx, &edit{now: now, after: after, out: &out}); err != nil {
		return virt.Outcome{}, err
	}
	return out, nil
}
