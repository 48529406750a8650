// Package deletepool is the step delete_pool: a storage pool that nodes forget.
package deletepool

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_pool.
type Args struct {
	Name  string   `arg:"name,required,identity" doc:"name of the pool"`
	Hosts []string `arg:"hosts" doc:"only on these members of a cluster; left out: on all that have it"`
}

// Spec describes delete_pool.
var Spec = &step.Spec{
	Name:    "delete_pool",
	Summary: "Stops a storage pool of libvirt nodes and forgets it; what lies in it stays",
	Doc:     "One that a running VM has a disk in is refused. One that is not there is deleted already.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeletePool{}},
	Bare:    "name",
	Touches: virt.KindStorage,
	Example: `- name: No backups here
  delete_pool: backup
`,
}

// Ensure forgets it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref := virt.StorageRef(a.Name)
	now, err := virt.Read(ctx, env.Platform, ref)
	if err != nil || now == nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DeletePool{On: virt.On{Ref: ref, Before: now}, Hosts: a.Hosts})
	return step.Result{}, err
}
