// Package resizedisk is the step resize_disk: how large a VM's disk is.
package resizedisk

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of resize_disk.
type Args struct {
	VM   string    `arg:"vm,required,identity" doc:"name of the VM"`
	Disk string    `arg:"disk,required,identity" doc:"name of the disk, or its target such as vda"`
	Size step.Size `arg:"size,required" doc:"at least this large; disks never shrink"`
}

// Spec describes resize_disk.
var Spec = &step.Spec{
	Name:    "resize_disk",
	Summary: "Grows a disk of a VM, at once when it runs",
	Doc:     "The guest sees the new size; growing the file system on it is the guest's matter.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.ResizeDisk{}},
	Touches: virt.KindVM,
	Example: `- name: More room for data
  resize_disk: {vm: web-1, disk: data, size: 20GiB}
`,
}

// Ensure grows it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	if err := env.Platform.DiskSizes(ctx, vm); err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.ResizeDisk{On: virt.OnVM(vm), Disk: a.Disk, Size: int64(a.Size)})
	return step.Result{}, err
}
