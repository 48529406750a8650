// Package guestfetch is the step guest_fetch: what a file inside a VM holds.
package guestfetch

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"unicode/utf8"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of guest_fetch.
type Args struct {
	VM            string                  `arg:"vm,required,identity" doc:"name of the VM"`
	Path          string                  `arg:"path,required,identity" doc:"absolute path inside the guest"`
	Dest          string                  `arg:"dest,identity" doc:"a file that gets the content: below the playbook's folder, unless it is absolute. Its folder has to be there. Left out: the content is registered"`
	Mode          step.Opt[step.FileMode] `arg:"mode" doc:"permissions of dest in octal, as 0600; left out: those that it has; for a new one 0644, or 0600 where not everybody may read the file in the guest"`
	Limit         step.Opt[step.Size]     `arg:"limit" doc:"a larger file is an error; left out: 1MiB to be registered, 64MiB with dest"`
	FailOnMissing bool                    `arg:"fail_on_missing" default:"true" doc:"false: a file that is not there is no failure, and exists says so"`
}

// What is read where nothing is said, in bytes; it passes through memory.
const (
	registered = virt.MiB
	filed      = 64 * virt.MiB
)

// Output is what guest_fetch gives.
type Output struct {
	Exists  bool   `json:"exists"`
	Content string `json:"content"` // empty where it is no text, or went to dest
	Base64  string `json:"base64"`  // of the same, text or not
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`  // bytes
	Mode    string `json:"mode"`  // inside the guest, as 0644; empty where the agent cannot tell
	Owner   string `json:"owner"` // user name
	Group   string `json:"group"`
	Path    string `json:"path"` // of dest, with the playbook's folder in front; empty without it
}

// Spec describes guest_fetch.
var Spec = &step.Spec{
	Name:    "guest_fetch",
	Summary: "Reads a file inside a running VM: through its guest agent on nodes, over SSH on engines",
	Doc: "It is read in a plan, too, and changes nothing but `dest`, which is replaced as a whole or not at all; an equal one is left alone. " +
		"What is registered of a file with secrets in it can be read by whoever reads the run's output: `no_log: true` hides it.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.LocalWrite{}},
	Output:  Output{},
	Example: `- name: What it is
  guest_fetch: {vm: web-1, path: /etc/os-release}
  register: release

- name: Its host key, to be compared later
  guest_fetch: {vm: web-1, path: /etc/ssh/ssh_host_ed25519_key.pub, dest: "web-1.pub"}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if !v.Partial && a.Path != "" && a.Path[0] != '/' {
		v.Errorf("path", "path has to be absolute, found %q", a.Path)
	}
	if v.Given("mode") && !v.Given("dest") {
		v.Errorf("mode", "mode is that of dest, which is not given")
	}
}

// Ensure reads it, and writes dest where that differs.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	limit := int64(registered)
	if a.Dest != "" {
		limit = filed
	}
	if n, ok := a.Limit.Get(); ok {
		limit = int64(n)
	}
	f, err := env.Platform.GuestFile(ctx, a.VM, a.Path, max(limit, 1))
	var e *virt.Error
	if errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindGuestFile && !a.FailOnMissing {
		return step.Result{Output: Output{}}, nil
	}
	switch {
	case err != nil:
		return step.Result{}, err
	case f.Size > limit:
		return step.Result{}, &virt.Error{Kind: virt.ErrInvalid, Object: f.Ref(), Summary: "is larger than what is read of a file",
			Wanted: "at most " + virt.FormatSize(limit), Found: virt.FormatSize(f.Size), Hint: "write a limit, or copy it by other means: it passes through memory"}
	case f.Size != int64(len(f.Content)):
		return step.Result{}, &virt.Error{Kind: virt.ErrUndecided, Object: f.Ref(), Summary: "an earlier step writes it"}
	}
	out := Output{Exists: true, SHA256: f.SHA256, Size: f.Size, Mode: f.Mode, Owner: f.Owner, Group: f.Group}
	if a.Dest == "" {
		out.Base64 = base64.StdEncoding.EncodeToString(f.Content)
		if utf8.Valid(f.Content) {
			out.Content = string(f.Content)
		}
		return step.Result{Output: out}, nil
	}
	out.Path, err = a.write(ctx, env, vm, f)
	return step.Result{Output: out}, err
}

// write makes dest hold what the guest's file does.
func (a *Args) write(ctx context.Context, env *step.Env, vm *virt.VM, f *virt.GuestFile) (string, error) {
	path, ref := a.Dest, virt.LocalFileRef("", a.Dest)
	if !filepath.IsAbs(a.Dest) {
		ref.Scope, path = env.Dir, filepath.Join(env.Dir, a.Dest)
	}
	change := virt.LocalWrite{On: virt.On{Ref: ref}, Content: f.Content, Size: f.Size, Secret: private(f.Mode),
		Mode: step.Map(a.Mode, func(m step.FileMode) string { return string(m) })}
	switch now, err := env.Local.LocalFile(ctx, ref); {
	case err == nil:
		change.Before = now
	case !errors.Is(err, virt.ErrNotFound):
		return "", err
	case change.Secret && !change.Mode.IsSet():
		change.Mode = virt.Some("0600")
	}
	if _, err := env.ApplyLocal(ctx, change); err != nil {
		return "", fmt.Errorf("%s of %s: %w", f.Path, vm.Ref(), err)
	}
	return path, nil
}

// private tells whether not everybody may read a file of this mode: then nobody is
// shown what is in it.
func private(mode string) bool {
	bits, err := strconv.ParseUint(mode, 8, 16)
	return err == nil && bits&0o004 == 0
}
