// Package renamevm is the step rename_vm: a VM by another name.
package renamevm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of rename_vm.
type Args struct {
	VM string `arg:"vm,required,identity" doc:"the name that it has"`
	To string `arg:"to,required,identity" doc:"the name that it is to have"`
}

// Spec describes rename_vm.
var Spec = &step.Spec{
	Name:    "rename_vm",
	Summary: "Gives a VM another name",
	Doc: "Where a VM has the new name already and none has the old one, there is nothing to do; where both are there, the step fails, for it cannot know which one is meant.\n\n" +
		"On nodes the VM has to be stopped, and must have no snapshots; on engines it may run. Its volumes keep their names, so does the file with its UEFI variables (a warning says so), and so does its guest: the host name inside is whatever the guest was set up with, " +
		"and its own affair. A disk without a name of its own goes by its volume: after `web-1` became `web-2`, the engine's disk `web-1-data` is called so, and no longer `data`.",
	New:     func() step.Step { return &Args{} },
	Output:  Output{},
	Changes: []virt.Change{virt.RenameVM{}},
	Touches: virt.KindVM,
	Renames: "to",
	Example: `- name: Off, for a node wants it so
  power: {vm: web-1, state: stopped, force_after: 60s}

- name: Another name
  rename_vm: {vm: web-1, to: web-old}
`,
}

// Output is what rename_vm gives.
type Output struct {
	Name string           `json:"name"`        // that the VM has now
	ID   virt.Opt[string] `json:"id,omitzero"` // its identity, which stays
}

// Validate wants two names.
func (a *Args) Validate(v *step.Validation) {
	switch {
	case strings.ContainsAny(a.To, "/\n"):
		v.Errorf("to", "a name has no slash and no line break in it: write the new name alone, without a data centre")
	case a.To != "" && a.To == a.VM:
		v.Errorf("to", "the VM has that name already: write another one")
	}
}

// Ensure renames it, unless it is renamed.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	c := virt.RenameVM{On: virt.On{Ref: virt.VMRef(a.VM)}, To: a.To}
	vm, err := env.VM(ctx, a.VM)
	if errors.Is(err, virt.ErrNotFound) {
		renamed, err2 := env.VM(ctx, c.Renamed().Name)
		switch {
		case err2 == nil:
			return step.Result{Output: Output{Name: renamed.Name, ID: renamed.ID}}, nil
		case errors.Is(err2, virt.ErrNotFound):
			return step.Result{}, virt.NotFound(virt.VMRef(a.VM), fmt.Sprintf("check its name; %s is not there either", c.Renamed()))
		}
		return step.Result{}, err2
	}
	if err != nil {
		return step.Result{}, err
	}
	c.On = virt.OnVM(vm)
	if _, err := env.Apply(ctx, c); err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: Output{Name: c.Renamed().Name, ID: vm.ID}}, nil
}
