// Package detachdisk is the step detach_disk: a VM without a disk.
package detachdisk

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of detach_disk.
type Args struct {
	VM           string `arg:"vm,required,identity" doc:"name of the VM"`
	Disk         string `arg:"disk,required,identity" doc:"name of the disk, or its target such as vdb"`
	DeleteVolume bool   `arg:"delete_volume" doc:"delete its volume, too"`
}

// Spec describes detach_disk.
var Spec = &step.Spec{
	Name:    "detach_disk",
	Summary: "Takes a disk from a VM, at once when it runs",
	Doc:     "Waits until the guest has let go of it. The volume stays, unless `delete_volume` is true.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DetachDisk{}},
	Touches: virt.KindVM,
	Example: `- name: Take the data along
  detach_disk: {vm: web-1, disk: data}
`,
}

// Ensure detaches it, if it is there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	if err := env.Platform.DiskSizes(ctx, vm); err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DetachDisk{On: virt.OnVM(vm), Disk: a.Disk, DeleteVolume: a.DeleteVolume})
	return step.Result{}, err
}
