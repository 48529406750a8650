// Package attachdisk is the step attach_disk: a further disk of a VM.
package attachdisk

import (
	"context"
	"fmt"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of attach_disk.
type Args struct {
	VM string `arg:"vm,required,identity" doc:"name of the VM"`
	step.DiskArgs
}

// Spec describes attach_disk.
var Spec = &step.Spec{
	Name:    "attach_disk",
	Summary: "Gives a VM a further disk, at once when it runs",
	Doc:     "The volume is made unless `volume` names one. A disk that the VM has already is left alone, or grown to `size`.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.AttachDisk{}, virt.ResizeDisk{}},
	Touches: virt.KindVM,
	Example: `- name: Room for data
  attach_disk: {vm: web-1, name: data, size: 10GiB}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if !v.Partial {
		a.Check(v, "name")
	}
	if a.MountPoint != "" {
		v.Errorf("mount_point", "mount_point is for the disks of create_vm, whose guest mounts them at its first boot; here, use guest_exec")
	}
}

// Ensure attaches it, or grows it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	if a.Size.IsUnknown() {
		return step.Result{}, &virt.Error{Kind: virt.ErrUndecided, Object: vm.Ref(), Summary: "the size of the disk is known only afterwards"}
	}
	return step.Result{}, Bring(ctx, env, vm, a.DiskArgs.Spec())
}

// Bring gives a VM a disk, or grows the one that it has. A missing size is left
// alone.
func Bring(ctx context.Context, env *step.Env, vm *virt.VM, want virt.DiskSpec) error {
	if boot := vm.BootDisk(); want.Storage == "" && want.Volume == "" && boot != nil {
		want.Storage = boot.Storage
	}
	have := vm.Disk(want.Name)
	if want.Boot {
		have = vm.BootDisk()
	}
	if have != nil {
		warn(env, vm, have, want)
	}
	if have == nil || !have.In.Config || vm.State.IsLive() && !have.In.Live || want.Volume != "" {
		out, err := env.Apply(ctx, virt.AttachDisk{On: virt.OnVM(vm), Run: env.Run, Disk: want})
		if err != nil || out.Changed || have == nil {
			return err
		}
	}
	if want.Size == 0 {
		return nil
	}
	if err := env.Platform.DiskSizes(ctx, vm); err != nil {
		return err
	}
	_, err := env.Apply(ctx, virt.ResizeDisk{On: virt.OnVM(vm), Disk: have.Name, Size: max(want.Size, have.Size)})
	return err
}

// warn tells of what is written about a disk that was made otherwise, and that
// nobody changes any more.
func warn(env *step.Env, vm *virt.VM, have *virt.Disk, want virt.DiskSpec) {
	for _, f := range []struct{ name, want, have string }{
		{"format", want.Format, have.Format}, {"bus", want.Bus, have.Bus}, {"serial", want.Serial, have.Serial},
	} {
		if f.want != "" && f.have != "" && f.want != f.have {
			env.Warn(fmt.Sprintf("%s: disk %q has %s %s and keeps it; %s would hold for a new one", vm.Ref(), have.Name, f.name, f.have, f.want))
		}
	}
}
