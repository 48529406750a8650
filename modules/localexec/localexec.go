// Package localexec is the step local_exec: a command on the controller.
package localexec

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of local_exec.
type Args struct {
	step.CommandArgs
}

// Spec describes local_exec.
var Spec = &step.Spec{
	Name:       "local_exec",
	Summary:    "Runs a command on the machine that nactl runs on",
	Doc:        "An exit status other than 0 is a failure, unless `failed_when` decides otherwise. Each run counts as a change, unless `creates`, `unless` or `changed_when` say otherwise.",
	New:        func() step.Step { return &Args{} },
	Changes:    []virt.Change{virt.LocalExec{}},
	Output:     step.CommandOutput{},
	Bare:       "shell",
	Controller: true,
	Example: `- name: Note it down
  local_exec:
    command: [touch, done.txt]
    creates: done.txt
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) { a.CommandArgs.Validate(v, "local_exec") }

// Ensure runs the command, unless its guards say that there is nothing to do.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	if a.Creates != "" {
		there, err := env.Local.Exists(ctx, a.Creates)
		if err != nil {
			return step.Result{}, err
		}
		if there {
			return step.Result{SkipReason: a.Creates + " exists", Output: step.CommandOutput{}}, nil
		}
	}
	if a.Unless != nil {
		r, err := env.Local.Probe(ctx, a.Probe())
		if err != nil {
			return step.Result{}, err
		}
		if r.RC == 0 {
			return step.Result{SkipReason: "the unless command says so", Output: step.CommandOutput{}}, nil
		}
	}
	change := virt.LocalExec{On: virt.On{Ref: virt.Ref{Kind: virt.KindLocal, Name: "localhost"}}, Command: a.Run()}
	end, ok, err := virt.Do[*virt.CommandResult](ctx, env.ApplyLocal, change)
	if err != nil || !ok {
		return step.Result{}, err
	}
	return a.Outcome(env, end)
}
