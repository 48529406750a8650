// Package migrate is the step migrate: which host a VM runs on.
package migrate

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of migrate.
type Args struct {
	VM          string              `arg:"vm,required,identity" doc:"name of the VM"`
	Host        string              `arg:"host,identity" doc:"the host that it is to be on"`
	Cluster     string              `arg:"cluster,identity" doc:"the cluster of the same data centre that it is to be in, on whichever host; of engines only"`
	AwayFrom    string              `arg:"away_from,identity" doc:"a host that it is not to be on; another one is chosen"`
	Live        bool                `arg:"live" default:"true" doc:"keep the guest running while it moves; a stopped VM moves as a definition"`
	CopyStorage bool                `arg:"copy_storage" doc:"copy disks that both hosts do not share"`
	Bandwidth   step.Opt[step.Size] `arg:"bandwidth" doc:"at most this much a second"`
	Networks    map[string]string   `arg:"networks" doc:"networks that have another name on the destination: {here: there}"`
}

// Output is what migrate gives.
type Output struct {
	Host    virt.Opt[string] `json:"host"`    // where the VM is now
	Cluster string           `json:"cluster"` // empty on a node
}

// Spec describes migrate.
var Spec = &step.Spec{
	Name:    "migrate",
	Summary: "Moves a VM to another host or cluster, running or stopped",
	Doc: "A VM that is already there is left alone. Everything that could prevent the move is looked for before anything moves, and reported together.\n" +
		"Interrupting a running move leaves the VM where it was.\n" +
		"On engines a stopped VM is on no host, but in a cluster: `cluster` moves it, too. The other cluster has to have the VM's networks, and for a running VM a host that is up.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.Migrate{}},
	Touches: virt.KindVM,
	Output:  Output{},
	Example: `- name: Make room on n1
  migrate: {vm: web-1, away_from: n1}
`,
}

// Validate demands one of host, cluster and away_from.
func (a *Args) Validate(v *step.Validation) { v.OneOf("migrate", "host", "cluster", "away_from") }

// Ensure moves the VM, if it has to.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	bandwidth, _ := a.Bandwidth.Get()
	_, err = env.Apply(ctx, virt.Migrate{
		On: virt.OnVM(vm), Host: a.Host, Cluster: a.Cluster, AwayFrom: a.AwayFrom, Live: a.Live && vm.State.IsLive(), CopyStorage: a.CopyStorage,
		Bandwidth: int64(bandwidth), Networks: a.Networks,
	})
	if err != nil {
		return step.Result{}, err
	}
	vm, err = env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: Output{Host: vm.Host, Cluster: vm.Cluster}}, nil
}
