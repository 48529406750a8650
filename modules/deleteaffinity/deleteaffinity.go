// Package deleteaffinity is the step delete_affinity: no affinity group of that
// name.
package deleteaffinity

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_affinity.
type Args struct {
	Name    string `arg:"name,required,identity" doc:"name of the affinity group"`
	Cluster string `arg:"cluster,identity" doc:"its cluster; may be left out where there is only one"`
}

// Spec describes delete_affinity.
var Spec = &step.Spec{
	Name:    "delete_affinity",
	Summary: "Removes an engine's affinity group",
	Doc:     "Its VMs and hosts stay as they are.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeleteAffinity{}},
	Touches: virt.KindAffinityGroup,
	Bare:    "name",
	Example: `- name: They may share a host again
  delete_affinity: databases
`,
}

// Ensure removes it where it is.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	g, err := env.Platform.AffinityGroup(ctx, a.Cluster, a.Name)
	var e *virt.Error
	if errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindAffinityGroup {
		return step.Result{}, nil
	}
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DeleteAffinity{On: virt.On{Ref: g.Ref(), Before: g}})
	return step.Result{}, err
}
