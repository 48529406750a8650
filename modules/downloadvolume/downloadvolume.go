// Package downloadvolume is the step download_volume: a file with the content of a
// volume.
package downloadvolume

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of download_volume.
type Args struct {
	step.VolumeArgs
	Dest string                  `arg:"dest,required,identity" doc:"the file: below the playbook's folder, unless it is absolute. Its folder has to be there"`
	Mode step.Opt[step.FileMode] `arg:"mode" doc:"permissions in octal, as 0600; left out: those that it has, 0644 for a new one"`
}

// Output is what download_volume gives.
type Output struct {
	Path   string `json:"path"`   // with the playbook's folder in front
	SHA256 string `json:"sha256"` // of the content; empty where only the run shows it
	Size   int64  `json:"size"`   // bytes
}

// Spec describes download_volume.
var Spec = &step.Spec{
	Name:    "download_volume",
	Summary: "Reads a volume into a file of the machine that nactl runs on",
	Doc: "The content comes as it is stored, in its own format, in pieces and without its holes; the file is there as a whole or not at all. One that holds the same already, by its checksum, " +
		"is left alone. A volume that a running VM writes is refused.\n\n" +
		"An engine does not tell what a disk holds. There a file that is there already is left alone with a warning; remove it to have the disk read again. " +
		"A disk that lies over a template's or a snapshot's is only a part of an image, and refused.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DownloadVolume{}},
	Output:  Output{},
	Example: `- name: The archive, to be kept elsewhere
  download_volume: {storage: images, name: archive.qcow2, dest: archive.qcow2}
`,
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) { a.Check(v) }

// Ensure compares by checksum and reads.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref, err := a.Ref(env)
	if err != nil {
		return step.Result{}, err
	}
	v, err := env.Platform.Volume(ctx, ref.Scope, ref.Name)
	if err != nil {
		return step.Result{}, err
	}
	if err := a.readable(ctx, env, v); err != nil {
		return step.Result{}, err
	}
	if err := env.Platform.VolumeSum(ctx, v, 0); err != nil {
		return step.Result{}, err
	}
	if v.Path.IsUnknown() && v.SHA256 == "" {
		return step.Result{}, &virt.Error{Kind: virt.ErrUndecided, Object: ref, Summary: "an earlier step makes it"}
	}
	out := Output{Path: a.Dest, SHA256: v.SHA256, Size: v.Stored}
	file := virt.LocalFileRef("", a.Dest)
	if !filepath.IsAbs(a.Dest) {
		file.Scope, out.Path = env.Dir, filepath.Join(env.Dir, a.Dest)
	}
	change := virt.DownloadVolume{On: virt.On{Ref: file}, From: ref, Size: v.Stored, SHA256: v.SHA256, Content: env.Platform,
		Mode: step.Map(a.Mode, func(m step.FileMode) string { return string(m) })}
	switch f, err := env.Local.LocalFile(ctx, file); {
	case err == nil:
		change.Before = f
		if v.SHA256 == "" && env.Warn != nil {
			env.Warn(ref.String() + ": nobody can know what it holds without reading it: the file is left as it is, remove it to have it read again")
		}
	case !errors.Is(err, virt.ErrNotFound):
		return step.Result{}, err
	}
	_, err = env.ApplyLocal(ctx, change)
	return step.Result{Output: out}, err
}

// readable refuses a volume whose content nobody should take for whole.
func (a *Args) readable(ctx context.Context, env *step.Env, v *virt.Volume) error {
	if v.Unfinished {
		return &virt.Error{Kind: virt.ErrConflict, Object: v.Ref(), Summary: "is half made: the run that was making it did not end",
			Hint: "let the step that makes it run again"}
	}
	vms, err := env.Platform.VMs(ctx)
	if err != nil {
		return err
	}
	_, storage := virt.HostOf(v.Storage)
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if vm.State.IsLive() && !k.ReadOnly && k.Storage == storage && k.Volume == v.Name && (a.Host == "" || vm.Host.Or(a.Host) == a.Host) {
				return &virt.Error{Kind: virt.ErrConflict, Object: v.Ref(), Summary: "is in use by a running VM: what is read would be half of what is being written",
					Found: vm.Ref().String() + ", disk " + k.Name, Hint: "stop the VM first"}
			}
		}
	}
	return nil
}
