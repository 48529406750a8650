// Package setcpu is the step set_cpu: the number of a VM's virtual CPUs.
package setcpu

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of set_cpu.
type Args struct {
	VM       string             `arg:"vm,required,identity" doc:"name of the VM"`
	Count    step.Opt[int]      `arg:"count" min:"1" doc:"CPUs that the guest has; changed at once where the platform can"`
	Max      step.Opt[int]      `arg:"max" min:"1" doc:"CPUs that it can be given without a restart; raised to count when it is lower"`
	Topology step.Opt[Topology] `arg:"topology" doc:"how the guest sees max CPUs; in force after a restart"`
}

// Topology is the argument topology.
type Topology struct {
	Sockets int `arg:"sockets" default:"1" min:"1" doc:"CPU sockets"`
	Cores   int `arg:"cores" default:"1" min:"1" doc:"cores in a socket"`
	Threads int `arg:"threads" default:"1" min:"1" doc:"threads in a core"`
}

// Spec describes set_cpu.
var Spec = &step.Spec{
	Name:    "set_cpu",
	Summary: "Sets the number of a VM's CPUs, in its stored configuration and at once where that is possible",
	Doc: "A running VM gets more CPUs at once up to the maximum that it was started with. What has to wait for a restart is stored and reported as pending.\n" +
		"Arguments that are left out stay as they are.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetCPU{}},
	Touches: virt.KindVM,
	Example: `- name: More CPU
  set_cpu: {vm: web-1, count: 3}
`,
}

// Virt gives the topology as a change carries it.
func (t Topology) Virt() virt.Topology { return virt.Topology(t) }

// Sets says what is set to which values.
func (a *Args) Sets() (virt.Ref, map[string]any) {
	fields := map[string]any{}
	step.Say(fields, "cpu.count", a.Count)
	step.Say(fields, "cpu.max", a.Max)
	step.Say(fields, "cpu.topology", a.Topology)
	return virt.VMRef(a.VM), fields
}

// Ensure compares and sets.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.SetCPU{
		On: virt.OnVM(vm), Count: a.Count.Opt, Max: a.Max.Opt, Topology: step.Map(a.Topology, Topology.Virt),
	})
	return step.Result{}, err
}
