package ovirt

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/nactl/nactl/virt"
	guestsh "github.com/nactl/nactl/virt/guest"
)

// edit is a change that was decided: the object as it is now, as it shall be,
// and what this makes of the fields. The one that carries it out may add
// warnings, pending fields and a result to out.
type edit struct {
	m          *machine // the VM as it is now; nil for one that is to be made, and for networks
	now, after virt.Object
	out        *virt.Outcome
}

// vm gives the VM as it is now; nil for one that is to be made.
func (d *edit) vm() *virt.VM { vm, _ := d.now.(*virt.VM); return vm }

// want gives the VM as it shall be; nil for one that is to be deleted.
func (d *edit) want() *virt.VM { vm, _ := d.after.(*virt.VM); return vm }

// changes tells whether a field is among what changes.
func (d *edit) changes(path string) bool {
	for _, f := range d.out.Fields {
		if f.Path == path {
			return true
		}
	}
	return false
}

// waits tells whether a field is right in the configuration only.
func (d *edit) waits(path string) bool {
	for _, p := range d.out.Pending {
		if p.Field == path {
			return true
		}
	}
	return false
}

// executor carries an edit out.
type executor func(ctx context.Context, d *edit) error

// executor gives what carries a change out on an engine; nil for a change that
// engines do not know. It is the list of what an engine can do.
func (e *Engine) executor(c virt.Change) executor {
	switch c := c.(type) {
	case virt.CreateVM:
		return func(ctx context.Context, d *edit) error { return e.createVM(ctx, c, d) }
	case virt.FinishVM:
		return e.finishVM
	case virt.RenameVM:
		return func(ctx context.Context, d *edit) error { return e.renameVM(ctx, c, d) }
	case virt.DeleteVM:
		return func(ctx context.Context, d *edit) error { return e.deleteVM(ctx, c, d) }
	case virt.SetCPU:
		return e.setCPU
	case virt.SetMemory:
		return e.setMemory
	case virt.SetVM:
		return e.setVM
	case virt.Start:
		return e.start
	case virt.Shutdown:
		return func(ctx context.Context, d *edit) error { return e.shutdown(ctx, c, d) }
	case virt.PowerOff:
		return e.powerOff
	case virt.Suspend:
		return e.suspend
	case virt.Reboot:
		return e.reboot
	case virt.Reset:
		return e.reset
	case virt.Migrate:
		return func(ctx context.Context, d *edit) error { return e.migrate(ctx, c, d) }
	case virt.AttachDisk:
		return func(ctx context.Context, d *edit) error { return e.attachDisk(ctx, c, d) }
	case virt.DetachDisk:
		return func(ctx context.Context, d *edit) error { return e.detachDisk(ctx, c, d) }
	case virt.ResizeDisk:
		return func(ctx context.Context, d *edit) error { return e.resizeDisk(ctx, c, d) }
	case virt.AttachNIC:
		return func(ctx context.Context, d *edit) error { return e.attachNIC(ctx, c, d) }
	case virt.DetachNIC:
		return func(ctx context.Context, d *edit) error { return e.detachNIC(ctx, c, d) }
	case virt.ChangeNIC:
		return func(ctx context.Context, d *edit) error { return e.changeNIC(ctx, c, d) }
	case virt.ChangeCdrom:
		return e.changeCdrom
	case virt.CreateSnapshot:
		return func(ctx context.Context, d *edit) error { return e.createSnapshot(ctx, c, d) }
	case virt.DeleteSnapshot:
		return e.deleteSnapshot
	case virt.RevertSnapshot:
		return func(ctx context.Context, d *edit) error { return e.revertSnapshot(ctx, c, d) }
	case virt.SetAffinity:
		return func(ctx context.Context, d *edit) error { return e.setAffinity(ctx, c, d) }
	case virt.DeleteAffinity:
		return e.deleteAffinity
	case virt.HostExec:
		if e.Client == nil || e.cfg.Hosts == nil {
			return nil
		}
		return func(ctx context.Context, d *edit) error { return e.hostExec(ctx, c, d) }
	case virt.GuestExec:
		return func(ctx context.Context, d *edit) error { return e.guestExec(ctx, c, d) }
	case virt.GuestWrite:
		return func(ctx context.Context, d *edit) error { return e.guestWrite(ctx, c, d) }
	case virt.SetSSHKeys:
		return e.setSSHKeys
	case virt.SetPassword:
		return func(ctx context.Context, _ *edit) error { return e.setPassword(ctx, c) }
	case virt.CreateNetwork:
		return func(ctx context.Context, d *edit) error { return e.createNetwork(ctx, c, d) }
	case virt.DeleteNetwork:
		return func(ctx context.Context, d *edit) error { return e.deleteNetwork(ctx, c, d) }
	case virt.CreateVolume:
		return func(ctx context.Context, _ *edit) error { return e.createVolume(ctx, c) }
	case virt.CloneVolume:
		return func(ctx context.Context, _ *edit) error { return e.cloneVolume(ctx, c) }
	case virt.ResizeVolume:
		return func(ctx context.Context, _ *edit) error { return e.resizeVolume(ctx, c) }
	case virt.DeleteVolume:
		return func(ctx context.Context, _ *edit) error { return e.deleteVolume(ctx, c.Ref) }
	case virt.UploadVolume:
		return func(ctx context.Context, d *edit) error { return e.uploadVolume(ctx, c, d) }
	case virt.HostMaintenance:
		return func(ctx context.Context, d *edit) error { return e.hostMaintenance(ctx, c, d) }
	case virt.HostActivate:
		return func(ctx context.Context, d *edit) error { return e.hostActivate(ctx, c, d) }
	default:
		return nil
	}
}

// Supports tells whether an engine knows the change.
func (e *Engine) Supports(c virt.Change) error {
	if net, ok := c.(virt.CreateNetwork); ok && !net.IP.IsZero() {
		return virt.Unsupported("an oVirt engine", c, "an engine's networks have no address, DHCP or DNS of their own: leave them out for this target")
	}
	if e.executor(c) != nil {
		return e.mayTag(c)
	}
	hint := ""
	switch c.(type) {
	case virt.Pause:
		hint = "suspend it: an engine pauses a VM only by itself"
	case virt.CreateHostVLAN, virt.DeleteHostVLAN:
		hint = "an engine makes VLANs on its hosts itself: give ovirt: {host_nic: …}"
	case virt.HostExec:
		hint = "an engine runs no commands on its hosts: " + hostSection
	case virt.CreatePool, virt.StartPool, virt.StopPool, virt.DeletePool:
		hint = "storage domains are made and attached by the engine's administrator; name one with storage"
	}
	return virt.Unsupported("an oVirt engine", c, hint)
}

// Check looks for what stands in the way of a change.
func (e *Engine) Check(ctx context.Context, view virt.Reader, c virt.Change) error {
	if err := e.Supports(c); err != nil {
		return err
	}
	switch c := c.(type) {
	case virt.CreateVM:
		return e.checkCreateVM(ctx, view, c)
	case virt.RenameVM:
		return virt.CheckRename(ctx, view, c)
	case virt.AttachDisk:
		return e.checkAttachDisk(ctx, view, c)
	case virt.CreateVolume:
		return e.checkNewVolume(ctx, c.Ref, c.Format, c.Sparse, c.Size)
	case virt.CloneVolume:
		return e.checkCloneVolume(ctx, view, c)
	case virt.ResizeVolume:
		return e.checkResizeVolume(ctx, view, c)
	case virt.DeleteVolume:
		return e.checkIdle(ctx, view, c.Ref, "deleted", func(*virt.VM) bool { return true }, "detach it there first (detach_disk), or delete what uses it")
	case virt.UploadVolume:
		return e.checkUploadVolume(ctx, view, c)
	case virt.AttachNIC:
		return e.checkNIC(ctx, view, c.Ref, c.NIC.Network)
	case virt.ChangeNIC:
		if network, ok := c.Network.Get(); ok {
			return e.checkNIC(ctx, view, c.Ref, network)
		}
	case virt.ChangeCdrom:
		return e.checkChangeCdrom(ctx, view, c)
	case virt.CreateSnapshot, virt.DeleteSnapshot:
		return e.checkSnapshot(ctx, view, c.Object().Scope, "")
	case virt.RevertSnapshot:
		return e.checkSnapshot(ctx, view, c.Ref.Name, c.Snapshot)
	case virt.Migrate:
		return e.checkMigrate(ctx, view, c)
	case virt.SetVM:
		return e.checkSetVM(ctx, view, c)
	case virt.SetAffinity:
		return e.checkSetAffinity(ctx, view, c)
	case virt.HostExec:
		return checkHostExec(ctx, view, c)
	case virt.GuestExec:
		return e.guestAccess(c.Ref)
	case virt.GuestWrite:
		return e.guestAccess(virt.VMRef(c.Ref.Scope))
	case virt.SetSSHKeys:
		return e.guestAccess(virt.VMRef(c.Ref.Scope))
	case virt.SetPassword:
		return errors.Join(guestsh.CheckPassword(c), e.guestAccess(c.Ref))
	case virt.CreateNetwork:
		return e.checkCreateNetwork(ctx, c)
	case virt.DeleteNetwork:
		return e.checkDeleteNetwork(ctx, view, c)
	case virt.HostMaintenance:
		return e.checkMaintenance(ctx, view, c)
	}
	return nil
}

// Apply makes a change: the object is locked, read afresh, compared, checked, and
// only then changed. What is sent carries a correlation id, by which the engine's
// own words on a failure are found.
func (e *Engine) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := e.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	ref, refs := c.Object(), virt.Touched(c)
	unlock, err := e.locks.Lock(ctx, refs...)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	e.Forget(refs...)
	now, err := virt.ReadFor(ctx, e, c)
	if err != nil {
		return virt.Outcome{}, err
	}
	after, out, err := virt.Decide(e, now, c)
	if err != nil || !out.Changed {
		return out, err
	}
	if err := e.Check(ctx, e, c); err != nil {
		return virt.Outcome{}, err
	}
	d := &edit{now: now, after: after, out: &out}
	if d.vm() != nil || ref.Kind == virt.KindSnapshot {
		if d.m, err = e.machine(ctx, ref.Owner().Name); err != nil {
			return virt.Outcome{}, err
		}
	}
	c, _ = adapt(now, c)
	if CorrelationOf(ctx) == "" {
		ctx = WithCorrelation(ctx, "nactl-"+uuid.NewString())
	}
	defer e.Forget(refs...)
	if loses(c) && d.m != nil {
		defer e.logins.drop(d.m.id)
	}
	if err := e.executor(c)(ctx, d); err != nil {
		return virt.Outcome{}, e.failed(ctx, c, err)
	}
	return out, nil
}

// failed says what a change failed of: the error in terms of the object, with the
// engine's own words where it did not refuse but fail.
func (e *Engine) failed(ctx context.Context, c virt.Change, err error) error {
	ref := c.Object()
	var state *stateError
	var known *virt.Error
	switch {
	case errors.As(err, &state):
		return &virt.Error{Object: ref, Summary: "cannot " + verb(c) + ": " + state.why, Found: "status " + state.status,
			Err: e.words(ctx), Hint: "look at the engine's events"}
	case errors.As(err, &known) && known.Kind == virt.ErrTimeout && known.Object.Kind == "":
		return &virt.Error{Kind: virt.ErrTimeout, Object: ref, Summary: "cannot " + verb(c) + ": " + known.Summary, Err: e.words(ctx),
			Hint: "look at the engine's events and tasks; when it is done there, run this again"}
	case errors.As(err, &known) && known.Kind == virt.ErrNotFound && known.Object.Kind == "":
		return &virt.Error{Kind: virt.ErrNotFound, Object: ref, Summary: "has gone while it was waited for", Err: e.words(ctx)}
	}
	err = explain(verb(c), ref, err)
	if ctx.Err() != nil && errors.As(err, &known) && known.Hint == "" {
		known.Hint = "look what the engine makes of it, and run this again, with more time if that is what it needs"
	}
	return err
}

// words gives what the engine's events say of a change; nil for nothing.
func (e *Engine) words(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if text := e.why(ctx); text != "" {
		return fmt.Errorf("the engine says: %s", text)
	}
	return nil
}

// verb says what a change does, for messages.
func verb(c virt.Change) string {
	switch c.(type) {
	case virt.CreateVM, virt.CreateNetwork, virt.CreateVolume, virt.CloneVolume, virt.UploadVolume:
		return "make it"
	case virt.ResizeVolume:
		return "grow it"
	case virt.FinishVM, virt.SetVM, virt.SetAffinity:
		return "change it"
	case virt.RenameVM:
		return "rename it"
	case virt.DeleteVM, virt.DeleteNetwork, virt.DeleteAffinity, virt.DeleteVolume:
		return "delete it"
	case virt.SetCPU:
		return "change its CPUs"
	case virt.SetMemory:
		return "change its memory"
	case virt.Start:
		return "start it"
	case virt.Shutdown, virt.PowerOff:
		return "stop it"
	case virt.Suspend:
		return "suspend it"
	case virt.Reboot, virt.Reset:
		return "restart it"
	case virt.Migrate:
		return "move it"
	case virt.HostMaintenance:
		return "take it out of service"
	case virt.HostActivate:
		return "activate it"
	case virt.CreateSnapshot:
		return "make it"
	case virt.DeleteSnapshot:
		return "delete it"
	case virt.RevertSnapshot:
		return "go back to the snapshot"
	case virt.AttachDisk:
		return "attach the disk"
	case virt.DetachDisk:
		return "detach the disk"
	case virt.ResizeDisk:
		return "resize the disk"
	case virt.AttachNIC:
		return "attach the NIC"
	case virt.DetachNIC:
		return "detach the NIC"
	case virt.ChangeNIC:
		return "change the NIC"
	case virt.ChangeCdrom:
		return "change the CD"
	case virt.HostExec:
		return "run a command on it"
	case virt.GuestExec:
		return "run a command in its guest"
	case virt.GuestWrite:
		return "write it"
	case virt.SetSSHKeys:
		return "set them"
	case virt.SetPassword:
		return "set the password"
	}
	return virt.KindOf(c)
}
