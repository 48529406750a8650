// Package setmemory is the step set_memory: how much memory a VM has.
package setmemory

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of set_memory.
type Args struct {
	VM         string              `arg:"vm,required,identity" doc:"name of the VM"`
	Size       step.Opt[step.Size] `arg:"size" doc:"sets current and max alike"`
	Current    step.Opt[step.Size] `arg:"current" doc:"what the guest has now (the balloon); changed at once up to max"`
	Max        step.Opt[step.Size] `arg:"max" doc:"what it can have; on nodes in force after a restart"`
	Guaranteed step.Opt[step.Size] `arg:"guaranteed" doc:"engines only: never taken away from the VM"`
}

// Spec describes set_memory.
var Spec = &step.Spec{
	Name:    "set_memory",
	Summary: "Sets a VM's memory, in its stored configuration and at once where that is possible",
	Doc: "Sizes are written with their unit. What has to wait for a restart is stored and reported as pending.\n" +
		"Arguments that are left out stay as they are.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetMemory{}},
	Touches: virt.KindVM,
	Example: `- name: Half a gigabyte
  set_memory: {vm: web-1, size: 512MiB}
`,
}

// Validate refuses size beside what it stands for.
func (a *Args) Validate(v *step.Validation) {
	if v.Given("size") && (v.Given("current") || v.Given("max")) {
		v.Errorf("size", "size sets current and max alike; write either size, or current and max")
	}
}

// Sets says what is set to which values.
func (a *Args) Sets() (virt.Ref, map[string]any) {
	fields := map[string]any{}
	step.Say(fields, "memory.current", a.Size)
	step.Say(fields, "memory.max", a.Size)
	step.Say(fields, "memory.current", a.Current)
	step.Say(fields, "memory.max", a.Max)
	step.Say(fields, "memory.guaranteed", a.Guaranteed)
	return virt.VMRef(a.VM), fields
}

// Ensure compares and sets.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	change := virt.SetMemory{On: virt.OnVM(vm), Current: step.Bytes(a.Current), Max: step.Bytes(a.Max), Guaranteed: step.Bytes(a.Guaranteed)}
	if a.Size.IsSet() {
		change.Current, change.Max = step.Bytes(a.Size), step.Bytes(a.Size)
	}
	_, err = env.Apply(ctx, change)
	return step.Result{}, err
}
