// Package deletevlan is the step delete_vlan: no network of that name.
package deletevlan

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_vlan.
type Args struct {
	Name string `arg:"name,required,identity" doc:"name of the network"`
	Host string `arg:"host" doc:"only on this host; left out: on all hosts of the target"`
}

// Spec describes delete_vlan.
var Spec = &step.Spec{
	Name:    "delete_vlan",
	Summary: "Removes a network from every host of the target",
	Doc:     "A network that a VM uses is not removed.",
	New:     func() step.Step { return &Args{} },
	Touches: virt.KindNetwork,
	Bare:    "name",
	Example: `- name: No longer needed
  delete_vlan: {name: 2921-web}
`,
}

// Ensure removes it where it is.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	n, err := env.Platform.Network(ctx, a.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return step.Result{}, nil
	}
	if err != nil {
		return step.Result{}, err
	}
	change := virt.DeleteNetwork{On: virt.On{Ref: n.Ref(), Before: n}}
	if a.Host != "" {
		change.Hosts = []string{a.Host}
	}
	_, err = env.Apply(ctx, change)
	return step.Result{}, err
}
