// Package hostmaintenance is the step host_maintenance: a host without VMs, that
// gets none.
package hostmaintenance

import (
	"context"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of host_maintenance.
type Args struct {
	Host    string        `arg:"host,required,identity" doc:"name of the host"`
	Reason  string        `arg:"reason" doc:"shown on the platform while the maintenance lasts"`
	Timeout step.Duration `arg:"timeout" default:"30m" doc:"how long its VMs have to leave it"`
	Ovirt   Ovirt         `arg:"ovirt" doc:"what only oVirt engines have"`
}

// Ovirt is the argument ovirt.
type Ovirt struct {
	StopGluster bool `arg:"stop_gluster_service" doc:"also stop the host's Gluster services; only in clusters that have them"`
}

// Output is what host_maintenance gives.
type Output struct {
	State string         `json:"state"` // of the host: maintenance
	Moved []virt.MovedVM `json:"moved"` // the VMs that left it in this run, and where to
}

// Spec describes host_maintenance.
var Spec = &step.Spec{
	Name:    "host_maintenance",
	Summary: "Takes a host out of service, once its VMs have moved to other hosts",
	Doc: "The engine moves the VMs by itself, and chooses where to. What can be seen to prevent it is reported before anything moves: VMs that are pinned to the host, " +
		"and that no other host of the cluster is up.\n" +
		"A host that does not get there in time is left as the engine has it, mostly preparing for maintenance, without the VMs that have left; the error says which are left. " +
		"The same step goes on from there, `host_activate` takes it back.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.HostMaintenance{}},
	Touches: virt.KindHost,
	Output:  Output{},
	Bare:    "host",
	Example: `- name: Out of service
  host_maintenance: {host: host1, reason: new memory, timeout: 1h}
`,
}

// Ensure takes the host out of service, if it is not.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	change := virt.HostMaintenance{On: virt.On{Ref: virt.Ref{Kind: virt.KindHost, Name: a.Host}}, Reason: a.Reason,
		Timeout: time.Duration(a.Timeout), StopGluster: a.Ovirt.StopGluster}
	if err := env.Platform.Supports(change); err != nil {
		return step.Result{}, err
	}
	h, err := env.Platform.Host(ctx, a.Host)
	if err != nil {
		return step.Result{}, err
	}
	change.Before = h
	out, err := env.Apply(ctx, change)
	if err != nil {
		return step.Result{}, err
	}
	if h, err = env.Platform.Host(ctx, a.Host); err != nil {
		return step.Result{}, err
	}
	o := Output{State: h.State, Moved: []virt.MovedVM{}}
	if left, ok := out.Result.(*virt.Evacuated); ok {
		o.Moved = append(o.Moved, left.Moved...)
	}
	return step.Result{Output: o}, nil
}
