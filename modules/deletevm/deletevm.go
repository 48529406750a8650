// Package deletevm is the step delete_vm: no VM of that name.
package deletevm

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_vm.
type Args struct {
	VM          string `arg:"vm,required,identity" doc:"name of the VM"`
	KeepVolumes bool   `arg:"keep_volumes" doc:"keep the volumes of its disks"`
}

// Spec describes delete_vm.
var Spec = &step.Spec{
	Name:    "delete_vm",
	Summary: "Deletes a VM, with its snapshots, saved state and the volumes that only it uses",
	Doc:     "A running VM is powered off. Volumes that another VM uses, or that are the backing of another volume, stay.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeleteVM{}},
	Touches: virt.KindVM,
	Bare:    "vm",
	Example: `- name: No longer needed
  delete_vm: {vm: web-1}
`,
}

// Sets says that the VM goes: what was set before is of no concern any more.
func (a *Args) Sets() (virt.Ref, map[string]any) { return virt.VMRef(a.VM), nil }

// Ensure deletes it, if it is there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	env.Unfinished = true
	vm, err := env.VM(ctx, a.VM)
	if errors.Is(err, virt.ErrNotFound) {
		return step.Result{}, nil
	}
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DeleteVM{On: virt.OnVM(vm), Volumes: !a.KeepVolumes})
	return step.Result{}, err
}
