// Package clonevolume is the step clone_volume: a copy of a volume.
package clonevolume

import (
	"context"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of clone_volume.
type Args struct {
	step.VolumeArgs
	From string              `arg:"from,required,identity" doc:"the volume to copy: NAME in the same storage, or STORAGE/NAME"`
	Size step.Opt[step.Size] `arg:"size" doc:"at least so large; left out: as large as what it is a copy of"`
	step.FormatArgs
}

// Spec describes clone_volume.
var Spec = &step.Spec{
	Name:    "clone_volume",
	Summary: "Copies a volume where it lies",
	Doc: "The copy is made once: a volume of that name that is there is left as it is, whatever it holds, or grown to `size`. What a running VM writes is not copied. " +
		"On a node the copy may have another format than its source.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CloneVolume{}, virt.ResizeVolume{}},
	Output:  step.VolumeOutput{},
	Touches: virt.KindVolume,
	Example: `- name: A copy to try things with
  clone_volume: {storage: images, name: trial.qcow2, from: debian-12.qcow2}
`,
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) {
	a.Check(v)
	if strings.Count(a.From, "/") > 1 {
		v.Errorf("from", "%q is no volume: write NAME, or STORAGE/NAME", a.From)
	}
	if a.From == a.Name && a.Name != "" || a.From == a.Storage+"/"+a.Name {
		v.Errorf("from", "a volume cannot be a copy of itself")
	}
}

// Ensure copies it, or grows the copy.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref, now, size, err := a.Sized(ctx, env, a.Size)
	if err != nil {
		return step.Result{}, err
	}
	if step.IsMade(now) {
		err = env.KeepVolume(ctx, now, size, a.Format)
	} else {
		err = a.copy(ctx, env, ref, now, size)
	}
	if err != nil {
		return step.Result{}, err
	}
	return env.VolumeResult(ctx, ref)
}

func (a *Args) copy(ctx context.Context, env *step.Env, ref virt.Ref, now *virt.Volume, size int64) error {
	storage, name := a.Storage, a.From
	if s, n, ok := strings.Cut(a.From, "/"); ok {
		storage, name = s, n
	}
	place, err := a.Place(env, storage)
	if err != nil {
		return err
	}
	from, err := env.Platform.Volume(ctx, place, name)
	if err != nil {
		return err
	}
	if size == 0 {
		size = from.Size
	}
	format := a.Format
	if format == "" {
		if format, _, err = a.In(ctx, env, ref.Scope); err != nil {
			return err
		}
		if format != "raw" || env.Platform.Type() == "ovirt" {
			format = from.Format // a logical volume is raw, whatever it is a copy of
		}
	}
	_, err = env.Apply(ctx, virt.CloneVolume{On: step.OnVolume(ref, now), Run: env.Run, From: virt.VolumeRef(place, name), Size: size, Format: format, Sparse: a.Sparse.Or(true)})
	return err
}
