// Package resizevolume is the step resize_volume: a volume grows.
package resizevolume

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of resize_volume.
type Args struct {
	step.VolumeArgs
	Size step.Opt[step.Size] `arg:"size,required" doc:"how large it is to be; less than it has is an error"`
}

// Spec describes resize_volume.
var Spec = &step.Spec{
	Name:    "resize_volume",
	Summary: "Grows a volume that no running VM uses",
	Doc:     "Volumes never shrink: less than it has is refused. The disk of a running VM is grown by `resize_disk`.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.ResizeVolume{}},
	Output:  step.VolumeOutput{},
	Touches: virt.KindVolume,
	Example: `- name: More room for the archive
  resize_volume: {storage: images, name: archive.qcow2, size: 40GiB}
`,
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) { a.Check(v) }

// Ensure grows it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref, now, size, err := a.Sized(ctx, env, a.Size)
	if err != nil {
		return step.Result{}, err
	}
	if _, err := env.Apply(ctx, virt.ResizeVolume{On: step.OnVolume(ref, now), Size: size}); err != nil {
		return step.Result{}, err
	}
	return env.VolumeResult(ctx, ref)
}
