// Package deletevolume is the step delete_volume: a volume that is no more.
package deletevolume

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_volume.
type Args struct{ step.VolumeArgs }

// Spec describes delete_volume.
var Spec = &step.Spec{
	Name:    "delete_volume",
	Summary: "Deletes a volume that nobody uses",
	Doc:     "One that a VM has, running or not, or that another volume lies over, is refused. One that is not there is deleted already.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeleteVolume{}},
	Touches: virt.KindVolume,
	Example: `- name: No old archive
  delete_volume: {storage: images, name: archive-2023.qcow2}
`,
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) { a.Check(v) }

// Ensure deletes it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref, err := a.Ref(env)
	if err != nil {
		return step.Result{}, err
	}
	now, err := env.Volume(ctx, ref)
	if err != nil || now == nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DeleteVolume{On: step.OnVolume(ref, now)})
	return step.Result{}, err
}
