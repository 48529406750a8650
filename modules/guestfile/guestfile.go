// Package guestfile is the step guest_file: a file inside a VM.
package guestfile

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of guest_file.
type Args struct {
	VM   string `arg:"vm,required,identity" doc:"name of the VM"`
	Path string `arg:"path,required,identity" doc:"absolute path inside the guest"`
	step.ContentArgs
	Mode  step.Opt[step.FileMode] `arg:"mode" doc:"permissions in octal, as 0644"`
	Owner step.Opt[string]        `arg:"owner" doc:"user name"`
	Group step.Opt[string]        `arg:"group" doc:"group name"`
}

// Output is what guest_file gives.
type Output struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
}

// Spec describes guest_file.
var Spec = &step.Spec{
	Name:    "guest_file",
	Summary: "Writes a file inside a running VM: through its guest agent on nodes, over SSH on engines",
	Doc:     "The file is replaced as a whole, or not at all; an equal one is left alone.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.GuestWrite{}},
	Touches: virt.KindVM,
	Output:  Output{},
	Example: `- name: Message of the day
  guest_file:
    vm: web-1
    path: /etc/motd
    content: |
      Managed by nactl.
    mode: "0644"
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	a.Check(v, "guest_file")
	if !v.Partial && a.Path != "" && a.Path[0] != '/' {
		v.Errorf("path", "path has to be absolute, found %q", a.Path)
	}
}

// Ensure compares by checksum and writes.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	content, _, err := a.Bytes(env, vm.Ref())
	if err != nil {
		return step.Result{}, err
	}
	ref := virt.Ref{Kind: virt.KindGuestFile, Scope: a.VM, Name: a.Path}
	change := virt.GuestWrite{
		On: virt.On{Ref: ref}, Content: content, SHA256: virt.Checksum(content), Size: int64(len(content)),
		Mode: step.Map(a.Mode, func(m step.FileMode) string { return string(m) }), Owner: a.Owner.Opt, Group: a.Group.Opt,
	}
	// The content is not wanted, the checksum is: limit 0 would leave that out.
	switch f, err := env.Platform.GuestFile(ctx, a.VM, a.Path, 1); {
	case err == nil:
		change.Before = f
	case !missing(err):
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, change)
	return step.Result{Output: Output{SHA256: change.SHA256, Size: change.Size}}, err
}

// missing tells whether it is the file that is not there, and not its VM.
func missing(err error) bool {
	var e *virt.Error
	return errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindGuestFile
}
