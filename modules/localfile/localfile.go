// Package localfile is the step local_file: a file on the controller.
package localfile

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of local_file.
type Args struct {
	Path string `arg:"path,required,identity" doc:"where: below the playbook's folder, unless it is absolute"`
	step.ContentArgs
	Mode  step.Opt[step.FileMode] `arg:"mode" doc:"permissions in octal, as 0644; left out: those that it has, 0644 for a new one"`
	State string                  `arg:"state" enum:"present|absent" default:"present" doc:"absent: the file is removed"`
}

// Output is what local_file gives.
type Output struct {
	Path   string `json:"path"`   // with the playbook's folder in front
	SHA256 string `json:"sha256"` // empty where the file is absent
	Size   int64  `json:"size"`   // bytes
}

// Spec describes local_file.
var Spec = &step.Spec{
	Name:    "local_file",
	Summary: "Writes or removes a file on the machine that nactl runs on",
	Doc: "The file is replaced as a whole, or not at all; an equal one is left alone. A plan shows the lines that differ, but those of what " +
		"holds a secret. Nothing is written through a symbolic link, and none that leads out of the playbook's folder is followed. The folder that " +
		"it stands in has to be there. What differs per target needs the target in its path; what does not is best written with `run_once`.",
	New:        func() step.Step { return &Args{} },
	Changes:    []virt.Change{virt.LocalWrite{}, virt.LocalDelete{}},
	Output:     Output{},
	Controller: true,
	Example: `- name: Note who made it
  local_file:
    path: made.txt
    content: |
      {{ run.user }} made this with {{ target.name }}.
    mode: "0640"
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if a.State == "absent" {
		for _, key := range []string{"content", "src", "template", "mode"} {
			if v.Given(key) {
				v.Errorf(key, "a file that is absent has no %s", key)
			}
		}
		return
	}
	a.Check(v, "local_file")
}

// Ensure compares by checksum and writes.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	out := Output{Path: a.Path}
	ref := virt.LocalFileRef("", a.Path)
	if !filepath.IsAbs(a.Path) {
		ref.Scope, out.Path = env.Dir, filepath.Join(env.Dir, a.Path)
	}
	on := virt.On{Ref: ref}
	switch f, err := env.Local.LocalFile(ctx, ref); {
	case err == nil:
		on.Before = f
	case !errors.Is(err, virt.ErrNotFound):
		return step.Result{}, err
	}
	if a.State == "absent" {
		_, err := env.ApplyLocal(ctx, virt.LocalDelete{On: on})
		return step.Result{Output: out}, err
	}
	content, secret, err := a.Bytes(env, ref)
	if err != nil {
		return step.Result{}, err
	}
	out.SHA256, out.Size = virt.Checksum(content), int64(len(content))
	_, err = env.ApplyLocal(ctx, virt.LocalWrite{On: on, Content: content, Secret: secret, Size: out.Size,
		Mode: step.Map(a.Mode, func(m step.FileMode) string { return string(m) })})
	return step.Result{Output: out}, err
}
