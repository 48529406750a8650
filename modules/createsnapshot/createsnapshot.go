// Package createsnapshot is the step create_snapshot: a state that a VM can go
// back to.
package createsnapshot

import (
	"context"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_snapshot.
type Args struct {
	VM          string         `arg:"vm,required,identity" doc:"name of the VM"`
	Name        string         `arg:"name,required,identity" doc:"what to call it; the key by which it is found again"`
	Memory      step.Opt[bool] `arg:"memory,create_only" doc:"of a running VM its memory, too; left out: without on an engine, with on a node, where QEMU cannot do without"`
	External    bool           `arg:"external,create_only" doc:"nodes: of the disks alone, in new images laid over the present ones; the guest hardly stands still"`
	Quiesce     step.Opt[bool] `arg:"quiesce,create_only" doc:"nodes, with external: the guest's file systems stand still for the moment; left out: where its agent answers"`
	Description string         `arg:"description,create_only" doc:"nodes only: an engine's snapshot has but its name"`
}

// Output is what is known of the snapshot.
type Output struct {
	Name    string           `json:"name"`
	ID      virt.Opt[string] `json:"id"`      // engines only
	Created virt.Opt[string] `json:"created"` // as 2024-05-31T12:00:00Z
	Memory  virt.Opt[bool]   `json:"memory"`
}

// Spec describes create_snapshot.
var Spec = &step.Spec{
	Name:    "create_snapshot",
	Summary: "Makes a snapshot of a VM, running or not",
	Doc: "One of that name that is there is left as it is, whatever it holds. On an engine names need not be unique: of two with one name it is an error that lists them.\n\n" +
		"On a node the snapshot is kept inside the disks' images, which have to be qcow2, and a running guest stands still while its memory is written. " +
		"With `external: true` the images stay as they are, raw ones too, and the VM writes into new ones: that takes a moment, needs no memory, and the disks grow by what is written from then on. " +
		"delete_snapshot merges the images again, while the VM runs. libvirt before 9.9 cannot go back to such a snapshot: it is for a copy of the images below, which nobody writes to.\n\n" +
		"A cluster of nodes moves no VM that has snapshots.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CreateSnapshot{}},
	Output:  Output{},
	Touches: virt.KindVM,
	Example: `- name: A way back
  create_snapshot: {vm: web-1, name: before-upgrade}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if a.External && a.Memory.Or(false) {
		v.Errorf("memory", "an external snapshot is without memory: leave memory or external out")
	}
	if v.Given("quiesce") && !a.External && !v.Partial {
		v.Errorf("quiesce", "quiesce is for external snapshots: write external: true, or leave it out")
	}
}

// Ensure makes it, unless it is there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	if _, err := env.VM(ctx, a.VM); err != nil {
		return step.Result{}, err
	}
	ref := virt.SnapshotRef(a.VM, a.Name)
	now, err := virt.Read(ctx, env.Platform, ref)
	if err != nil {
		return step.Result{}, err
	}
	out, err := env.Apply(ctx, virt.CreateSnapshot{On: virt.On{Ref: ref, Before: now}, Memory: a.Memory.Opt, Description: a.Description,
		External: a.External, Quiesce: a.Quiesce.Opt})
	if err == nil && out.Changed {
		now, err = virt.Read(ctx, env.Platform, ref)
	}
	if err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: output(a.Name, now)}, nil
}

func output(name string, now virt.Object) Output {
	s, ok := now.(*virt.Snapshot)
	if !ok || s == nil {
		return Output{Name: name}
	}
	created := virt.Unknown[string]()
	if at, ok := s.Created.Get(); ok {
		created = virt.Some(at.Format(time.RFC3339))
	}
	return Output{Name: s.Name, ID: s.ID, Created: created, Memory: s.Memory}
}
