// Package guestexec is the step guest_exec: a command inside a VM.
package guestexec

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of guest_exec.
type Args struct {
	VM string `arg:"vm,required,identity" doc:"name of the VM"`
	step.CommandArgs
	LeaveRunning bool `arg:"leave_running" doc:"on nodes: a command that outlives its timeout is not killed; the error says how to wait for it once more"`
}

// Spec describes guest_exec.
var Spec = &step.Spec{
	Name:    "guest_exec",
	Summary: "Runs a command inside a running VM: through its guest agent on nodes, over SSH on engines",
	Doc:     "An exit status other than 0 is a failure, unless `failed_when` decides otherwise. Each run counts as a change, unless `creates`, `unless` or `changed_when` say otherwise.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.GuestExec{}},
	Touches: virt.KindVM,
	Output:  step.CommandOutput{},
	Example: `- name: nginx is up
  guest_exec: {vm: web-1, command: [systemctl, is-active, nginx]}
  changed_when: false
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) { a.CommandArgs.Validate(v, "guest_exec") }

// Ensure runs the command, unless its guards say that there is nothing to do.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	done, err := a.guards(ctx, env)
	if err != nil || done.SkipReason != "" {
		return done, err
	}
	end, ok, err := virt.Do[*virt.CommandResult](ctx, env.Apply, virt.GuestExec{On: virt.OnVM(vm), Command: a.command()})
	if err != nil || !ok {
		return step.Result{}, err
	}
	return a.Outcome(env, end)
}

func (a *Args) command() virt.Command {
	c := a.Run()
	c.LeaveRunning = a.LeaveRunning
	return c
}

func (a *Args) guards(ctx context.Context, env *step.Env) (step.Result, error) {
	if a.Creates != "" {
		_, err := env.Platform.GuestFile(ctx, a.VM, a.Creates, 0)
		switch {
		case err == nil:
			return step.Result{SkipReason: a.Creates + " exists", Output: step.CommandOutput{}}, nil
		case !errors.Is(err, virt.ErrNotFound):
			return step.Result{}, err
		}
	}
	if a.Unless != nil {
		r, err := env.Platform.GuestProbe(ctx, a.VM, a.Probe())
		if err != nil {
			return step.Result{}, err
		}
		if r.RC == 0 {
			return step.Result{SkipReason: "the unless command says so", Output: step.CommandOutput{}}, nil
		}
	}
	return step.Result{}, nil
}
