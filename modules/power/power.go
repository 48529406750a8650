// Package power is the step power: whether a VM runs.
package power

import (
	"context"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of power.
type Args struct {
	VM         string                  `arg:"vm,required,identity" doc:"name of the VM"`
	State      string                  `arg:"state" enum:"running|stopped|paused|suspended" doc:"the state to bring it to"`
	Action     string                  `arg:"action" enum:"reboot|reset" doc:"something to do each time that the step runs"`
	ForceAfter step.Opt[step.Duration] `arg:"force_after" doc:"stopped: how long the guest has to power off before the power is cut; 0s cuts it at once; left out, it is never cut"`
	Graceful   bool                    `arg:"graceful" doc:"with force_after: 0s, on nodes: the VM's process is asked to end (SIGTERM) and not killed where it does not; engines know one way only"`
	Timeout    step.Duration           `arg:"timeout" default:"2m" doc:"how long the guest has in all"`
}

// Spec describes power.
var Spec = &step.Spec{
	Name:    "power",
	Summary: "Starts, stops, pauses, suspends or restarts a VM",
	Doc:     "`state` converges: a VM in that state is left alone. `action` happens each time. Stopping asks the guest and waits for it.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.Start{}, virt.Shutdown{}, virt.PowerOff{}, virt.Pause{}, virt.Suspend{}, virt.Reboot{}, virt.Reset{}},
	Touches: virt.KindVM,
	Example: `- name: Off, in an orderly way
  power: {vm: web-1, state: stopped, force_after: 60s}
`,
}

// Validate demands one of state and action.
func (a *Args) Validate(v *step.Validation) {
	v.OneOf("power", "state", "action")
	if v.Given("force_after") && (v.Given("action") || a.State != "" && a.State != "stopped") {
		v.Errorf("force_after", "force_after belongs to state: stopped")
	}
	if d, ok := a.ForceAfter.Get(); a.Graceful && (!ok || d != 0) {
		v.Errorf("graceful", "graceful says how the power is cut: write it with force_after: 0s")
	}
}

// Ensure brings the VM to the state.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	on := virt.OnVM(vm)
	switch a.Action {
	case "reboot":
		_, err = env.Apply(ctx, virt.Reboot{On: on})
	case "reset":
		_, err = env.Apply(ctx, virt.Reset{On: on})
	default:
		err = Bring(ctx, env, vm, virt.PowerState(a.State), Patience{ForceAfter: a.ForceAfter, Timeout: time.Duration(a.Timeout), Graceful: a.Graceful})
	}
	return step.Result{}, err
}

// Patience is how long a guest has to power off.
type Patience struct {
	Timeout    time.Duration
	ForceAfter step.Opt[step.Duration] // absent: the power is never cut
	Graceful   bool                    // when it is cut at once, nothing is killed
}

// Bring brings a VM that was just read to a state. A VM that is to be paused or
// suspended is started first.
func Bring(ctx context.Context, env *step.Env, vm *virt.VM, want virt.PowerState, p Patience) error {
	on := virt.OnVM(vm)
	if (want == virt.Paused || want == virt.Suspended) && vm.State != want && !vm.State.IsLive() {
		if _, err := env.Apply(ctx, virt.Start{On: on}); err != nil {
			return err
		}
		started, err := env.VM(ctx, vm.Name)
		if err != nil {
			return err
		}
		on = virt.OnVM(started)
	}
	var change virt.Change
	switch want {
	case virt.Running:
		change = virt.Start{On: on}
	case virt.Paused:
		change = virt.Pause{On: on}
	case virt.Suspended:
		change = virt.Suspend{On: on}
	default:
		force := step.Map(p.ForceAfter, func(d step.Duration) time.Duration { return time.Duration(d) })
		if d, ok := force.Get(); ok && d == 0 || vm.State == virt.Suspended || vm.State == virt.Paused {
			change = virt.PowerOff{On: on, Graceful: p.Graceful}
		} else {
			change = virt.Shutdown{On: on, Timeout: p.Timeout, ForceAfter: force}
		}
	}
	_, err := env.Apply(ctx, change)
	return err
}
