// Package switchpool holds the steps start_pool and stop_pool: a storage pool that is
// in use, or out of it.
package switchpool

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Start are the arguments of start_pool.
type Start struct{ args }

// Stop are the arguments of stop_pool.
type Stop struct{ args }

type args struct {
	Name      string         `arg:"name,required,identity" doc:"name of the pool"`
	Autostart step.Opt[bool] `arg:"autostart" doc:"whether it starts with the node; left out: as it is"`
	Hosts     []string       `arg:"hosts" doc:"only on these members of a cluster; left out: on all that have it"`
}

// StartSpec describes start_pool.
var StartSpec = &step.Spec{
	Name:    "start_pool",
	Summary: "Starts a storage pool of libvirt nodes",
	Doc:     "On a cluster it is started on every member that has it.",
	New:     func() step.Step { return &Start{} },
	Changes: []virt.Change{virt.StartPool{}},
	Bare:    "name",
	Touches: virt.KindStorage,
	Example: `- name: The backups can be reached
  start_pool: {name: backup, autostart: true}
`,
}

// StopSpec describes stop_pool.
var StopSpec = &step.Spec{
	Name:    "stop_pool",
	Summary: "Stops a storage pool of libvirt nodes; what lies in it stays",
	Doc:     "One that a running VM has a disk in is refused. On a cluster it is stopped on every member that has it.",
	New:     func() step.Step { return &Stop{} },
	Changes: []virt.Change{virt.StopPool{}},
	Bare:    "name",
	Touches: virt.KindStorage,
	Example: `- name: The backups rest
  stop_pool: {name: backup, autostart: false}
`,
}

func (a *args) on(ctx context.Context, env *step.Env) (virt.On, error) {
	p, err := env.Platform.Storage(ctx, a.Name)
	if err != nil {
		return virt.On{}, err
	}
	return virt.On{Ref: virt.StorageRef(a.Name), Before: p}, nil
}

// Ensure starts it.
func (a *Start) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	on, err := a.on(ctx, env)
	if err == nil {
		_, err = env.Apply(ctx, virt.StartPool{On: on, Autostart: a.Autostart.Opt, Hosts: a.Hosts})
	}
	return step.Result{}, err
}

// Ensure stops it.
func (a *Stop) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	on, err := a.on(ctx, env)
	if err == nil {
		_, err = env.Apply(ctx, virt.StopPool{On: on, Autostart: a.Autostart.Opt, Hosts: a.Hosts})
	}
	return step.Result{}, err
}
