// Package sshkeys is the step ssh_keys: who is let in as a user of a guest.
package sshkeys

import (
	"context"
	"fmt"
	"strings"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of ssh_keys.
type Args struct {
	VM        string `arg:"vm,required,identity" doc:"name of the VM"`
	User      string `arg:"user,required,identity" doc:"the user in the guest; it has to be there"`
	Keys      Keys   `arg:"keys" doc:"public keys that are let in: a list, or a text with one in each line"`
	Remove    Keys   `arg:"remove" doc:"public keys that are let in no longer"`
	Exclusive bool   `arg:"exclusive" doc:"no other key is let in; with keys: [] none at all"`
}

// Keys are lines of authorized_keys.
type Keys []string

// Decode reads a list of keys, or a text in which each line is one.
func (k *Keys) Decode(n *source.Node) error {
	var lines []string
	switch n.Kind {
	case source.String:
		lines = strings.Split(n.Str, "\n")
	case source.List:
		for _, item := range n.Items {
			text, ok := step.Text(item)
			if !ok {
				return fmt.Errorf("wanted a list of public keys, found %s in it", item.Kind)
			}
			lines = append(lines, strings.Split(text, "\n")...) // as a file of keys has them
		}
	default:
		return fmt.Errorf("wanted a list of public keys, found %s", n.Kind)
	}
	*k = Keys{}
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if _, err := virt.SSHKeyID(line); err != nil {
			return err
		}
		*k = append(*k, line)
	}
	return nil
}

// Shape describes keys.
func (*Keys) Shape() step.Shape {
	return step.Shape{Word: "public keys", Text: true, List: &step.Shape{Word: "text", Text: true}}
}

// Output is what ssh_keys gives.
type Output struct {
	User string   `json:"user"`
	Keys []string `json:"keys"` // all that are let in now
}

// Spec describes ssh_keys.
var Spec = &step.Spec{
	Name:    "ssh_keys",
	Summary: "Says which SSH keys let in as a user of a running VM",
	Doc: "On nodes the guest agent does it (guest-ssh-*, QEMU 5.2), and where it cannot, a shell in the guest edits `~/.ssh/authorized_keys`; on engines the same goes over SSH. " +
		"A key that is there with another comment or other options is replaced. Comments in the file stay, and so do other keys unless `exclusive` is set. " +
		"A user of a VM that is yet to be made gets keys from `ssh_keys` and `users` of create_vm.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetSSHKeys{}},
	Touches: virt.KindVM,
	Output:  Output{},
	Example: `- name: Who may log in
  ssh_keys:
    vm: web-1
    user: root
    keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII ada@example.org
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	if !v.Given("keys") && !v.Given("remove") {
		v.Errorf("", "ssh_keys needs keys or remove")
	}
	if a.Exclusive && !v.Given("keys") {
		v.Errorf("exclusive", "exclusive without keys would lock everybody out; write keys: [] where that is meant")
	}
	for _, out := range a.Remove {
		for _, in := range a.Keys {
			if x, _ := virt.SSHKeyID(in); x != "" {
				if y, _ := virt.SSHKeyID(out); x == y {
					v.Errorf("remove", "one key stands in both keys and remove: %s", x)
				}
			}
		}
	}
}

// Ensure compares key by key.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	if _, err := env.VM(ctx, a.VM); err != nil {
		return step.Result{}, err
	}
	ref := virt.SSHKeysRef(a.VM, a.User)
	now, err := virt.Read(ctx, env.Platform, ref)
	if err != nil {
		return step.Result{}, err
	}
	change := virt.SetSSHKeys{On: virt.On{Ref: ref, Before: now}, Keys: a.Keys, Remove: a.Remove, Exclusive: a.Exclusive}
	if _, err := env.Apply(ctx, change); err != nil {
		return step.Result{}, err
	}
	out := Output{User: a.User, Keys: []string{}}
	if s, ok := now.(*virt.SSHKeys); ok && s != nil {
		out.Keys = append(out.Keys, change.Of(s.Keys)...)
	}
	return step.Result{Output: out}, nil
}
