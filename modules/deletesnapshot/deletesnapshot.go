// Package deletesnapshot is the step delete_snapshot: a VM without a snapshot.
package deletesnapshot

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_snapshot.
type Args struct {
	VM   string `arg:"vm,required,identity" doc:"name of the VM"`
	Name string `arg:"name,required,identity" doc:"its name; on an engine also its id, where several have the name"`
}

// Spec describes delete_snapshot.
var Spec = &step.Spec{
	Name:    "delete_snapshot",
	Summary: "Removes a snapshot of a VM, running or not; the VM stays as it is",
	Doc: "One that is not there is no mistake. An engine merges the snapshot's disks into those that build upon it: that takes the longer, the more was written since, " +
		"and the step waits for it. Other work on the VM's snapshots has to wait, too.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeleteSnapshot{}},
	Touches: virt.KindVM,
	Example: `- name: No way back
  delete_snapshot: {vm: web-1, name: before-upgrade}
`,
}

// Ensure removes it, if it is there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	if _, err := env.VM(ctx, a.VM); err != nil {
		return step.Result{}, err
	}
	ref := virt.SnapshotRef(a.VM, a.Name)
	now, err := virt.Read(ctx, env.Platform, ref)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DeleteSnapshot{On: virt.On{Ref: ref, Before: now}})
	return step.Result{}, err
}
