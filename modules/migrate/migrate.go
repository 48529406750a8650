// Package migrate is the step migrate: which host a VM runs on.
package migrate

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of migrate.
type Args struct {
	VM       string `arg:"vm,required,identity" doc:"name of the VM"`
	Host     string `arg:"host,identity" doc:"the host that it is to be on"`
	Cluster  string `arg:"cluster,identity" doc:"the cluster of the same data centre that it is to be in, on whichever host; of engines only"`
	AwayFrom string `arg:"away_from,identity" doc:"a host that it is not to be on; another one is chosen"`
	How
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
		"Interrupting a running move leaves the VM where it was; with `post_copy`, where it is by then.\n" +
		"Between nodes this process tells both what to do next, and the data go from node to node (`mode: client`). If it dies halfway, the source keeps the VM. " +
		"With `mode: peer` the source's libvirt conducts the move, through this process: if that is cut off just while the VM changes over, it may go on running on both. " +
		"Either way, a move that broke off is finished, or its leftovers cleared away, by the next `migrate` of the VM.\n" +
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
func (a *Args) Validate(v *step.Validation) {
	v.OneOf("migrate", "host", "cluster", "away_from")
	a.Check(v)
}

// Ensure moves the VM, if it has to.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	c := a.Change(vm)
	c.Host, c.Cluster, c.AwayFrom = a.Host, a.Cluster, a.AwayFrom
	if _, err = env.Apply(ctx, c); err != nil {
		return step.Result{}, err
	}
	vm, err = env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: Output{Host: vm.Host, Cluster: vm.Cluster}}, nil
}
