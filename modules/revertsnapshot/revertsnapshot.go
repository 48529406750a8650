// Package revertsnapshot is the step revert_snapshot: a VM as it once was.
package revertsnapshot

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of revert_snapshot.
type Args struct {
	VM    string `arg:"vm,required,identity" doc:"name of the VM"`
	Name  string `arg:"name,required,identity" doc:"name of the snapshot; on an engine also its id, where several have the name"`
	Start bool   `arg:"start" doc:"the VM runs afterwards; left out, it is as the snapshot holds it: with memory it goes on where it was, without it is stopped"`
}

// Spec describes revert_snapshot.
var Spec = &step.Spec{
	Name:    "revert_snapshot",
	Summary: "Brings a VM back to a snapshot: its settings, its disks and, where the snapshot has it, its memory",
	Doc: "This happens each time that the step runs, so that it is a change each time, and a plan says so: what the VM was since is lost. Guard it by `when`, or by `changed_when: false`.\n\n" +
		"On an engine the VM has to be stopped before, a snapshot with memory leaves it suspended unless `start` is given, and snapshots that are newer than the one that is gone back to go. " +
		"On a node the VM may run, and newer snapshots stay.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.RevertSnapshot{}},
	Touches: virt.KindVM,
	Example: `- name: Off, for an engine wants it so
  power: {vm: web-1, state: stopped, force_after: 60s}

- name: Back to where it was
  revert_snapshot: {vm: web-1, name: before-upgrade, start: true}
`,
}

// Ensure brings it back.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.RevertSnapshot{On: virt.OnVM(vm), Snapshot: a.Name, Start: a.Start})
	return step.Result{}, err
}
