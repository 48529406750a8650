// Package createvolume is the step create_volume: a blank volume of a storage.
package createvolume

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_volume.
type Args struct {
	step.VolumeArgs
	Size step.Opt[step.Size] `arg:"size,required" doc:"at least so large; a smaller one that is there is grown"`
	step.FormatArgs
}

// Spec describes create_volume.
var Spec = &step.Spec{
	Name:    "create_volume",
	Summary: "Makes a blank volume in a storage pool or domain, for no VM yet",
	Doc: "A volume of that name that is there is left as it is, whatever it holds, or grown to `size`. A disk of a VM is better made by the VM's own step " +
		"(`create_vm`, `attach_disk`). A volume that an interrupted run left half made is made anew.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CreateVolume{}, virt.ResizeVolume{}},
	Output:  step.VolumeOutput{},
	Touches: virt.KindVolume,
	Example: `- name: Room for the archive
  create_volume: {storage: images, name: archive.qcow2, size: 20GiB}
`,
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) { a.Check(v) }

// Ensure makes it, or grows it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref, now, size, err := a.Sized(ctx, env, a.Size)
	if err != nil {
		return step.Result{}, err
	}
	if step.IsMade(now) {
		err = env.KeepVolume(ctx, now, size, a.Format)
	} else {
		change := virt.CreateVolume{On: step.OnVolume(ref, now), Run: env.Run, Size: size}
		if change.Format, change.Sparse, err = a.In(ctx, env, ref.Scope); err != nil {
			return step.Result{}, err
		}
		_, err = env.Apply(ctx, change)
	}
	if err != nil {
		return step.Result{}, err
	}
	return env.VolumeResult(ctx, ref)
}
