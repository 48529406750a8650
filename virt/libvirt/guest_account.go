//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"slices"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/guest"
)

// SSHKeys reads the keys of a user in a guest: as the agent tells them, else from
// the file.
func (n *Node) SSHKeys(ctx context.Context, vm, user string) (*virt.SSHKeys, error) {
	var s *virt.SSHKeys
	err := n.withAgent(ctx, "read a user's keys in the guest", vm, patience, func(ctx context.Context, a *agent) (err error) {
		s, err = a.sshKeys(ctx, virt.SSHKeysRef(vm, user))
		return err
	})
	return s, err
}

// setSSHKeys sets the keys of a user.
func (n *Node) setSSHKeys(ctx context.Context, e *edit) error {
	now, after := e.now.(*virt.SSHKeys), e.after.(*virt.SSHKeys)
	return n.withAgent(ctx, "set a user's keys in the guest", now.VM, patience, func(ctx context.Context, a *agent) error {
		return a.setSSHKeys(ctx, now, after)
	})
}

// setPassword sets a user's password.
func (n *Node) setPassword(ctx context.Context, c virt.SetPassword) error {
	return n.withAgent(ctx, "set a user's password in the guest", c.Ref.Name, patience, func(ctx context.Context, a *agent) error {
		return a.setPassword(ctx, c)
	})
}

// sshKeys asks the agent (guest-ssh-get-authorized-keys, QEMU 5.2), or a shell in
// the guest where it does not do that.
func (a *agent) sshKeys(ctx context.Context, ref virt.Ref) (*virt.SSHKeys, error) {
	s := &virt.SSHKeys{VM: ref.Scope, User: ref.Name}
	err := a.run(ctx, "guest-ssh-get-authorized-keys", map[string]string{"username": ref.Name}, s)
	var own *agentError
	switch {
	case errors.Is(err, virt.ErrUnsupported):
		return a.readKeys(ctx, ref)
	case errors.As(err, &own) && own.says("No such file"):
		return s, nil // the user has no authorized_keys yet
	case errors.As(err, &own) && own.says("lookup user"):
		return nil, virt.NotFound(ref, "make the user first, with users of create_vm or useradd in guest_exec")
	case errors.As(err, &own):
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "cannot be read in the guest", Err: own}
	case err != nil:
		return nil, err
	}
	return s, nil
}

func (a *agent) readKeys(ctx context.Context, ref virt.Ref) (*virt.SSHKeys, error) {
	r, err := a.exec(ctx, guest.ReadKeys(ref.Name))
	if err != nil {
		return nil, err
	}
	return guest.Keys(ref, r)
}

// setSSHKeys has the agent add and remove keys. What is to be let in is added
// before anything is removed, so that nobody is locked out half-way.
func (a *agent) setSSHKeys(ctx context.Context, now, after *virt.SSHKeys) error {
	lacks := func(have []string, lines []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(have, line) })
	}
	add, remove := lacks(now.Keys, after.Keys), lacks(after.Keys, now.Keys)
	if len(add)+len(remove) == 0 { // one of them stands there twice, which the agent cannot mend
		return a.writeKeys(ctx, now.Ref(), after.Keys)
	}
	for _, call := range []struct {
		command string
		keys    []string
	}{{"guest-ssh-add-authorized-keys", add}, {"guest-ssh-remove-authorized-keys", remove}} {
		if len(call.keys) == 0 {
			continue
		}
		err := a.run(ctx, call.command, map[string]any{"username": now.User, "keys": call.keys}, nil)
		var own *agentError
		switch {
		case errors.Is(err, virt.ErrUnsupported):
			return a.writeKeys(ctx, now.Ref(), after.Keys)
		case errors.As(err, &own):
			return &virt.Error{Kind: virt.ErrConflict, Object: now.Ref(), Summary: "cannot be set in the guest", Err: own}
		case err != nil:
			return err
		}
	}
	return nil
}

// writeKeys edits the file.
func (a *agent) writeKeys(ctx context.Context, ref virt.Ref, keys []string) error {
	file, err := a.exec(ctx, guest.ReadKeys(ref.Name))
	if err != nil {
		return err
	}
	if _, err := guest.Keys(ref, file); err != nil {
		return err
	}
	r, err := a.exec(ctx, guest.WriteKeys(ref.Name, guest.EditKeys(file.Stdout, keys), newToken()))
	if err != nil {
		return err
	}
	return guest.Written(ref, r)
}

// setPassword asks the agent (guest-set-user-password), and chpasswd where it does
// not do that.
func (a *agent) setPassword(ctx context.Context, c virt.SetPassword) error {
	err := a.run(ctx, "guest-set-user-password", map[string]any{
		"username": c.User, "password": []byte(c.Password), "crypted": c.Crypted, // encoding/json makes bytes base64
	}, nil)
	if err == nil || !isRefusal(err) {
		return err
	}
	// All that an agent says of most failures is that its child failed; the script
	// knows why.
	r, execErr := a.exec(ctx, guest.ChangePassword(c))
	if isRefusal(execErr) && errors.Is(err, virt.ErrUnsupported) {
		return err
	}
	if isRefusal(execErr) {
		return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "the password of " + c.User + " cannot be set in its guest", Err: err,
			Hint: "see whether the user is there in the guest"}
	}
	if execErr != nil {
		return execErr
	}
	return guest.PasswordSet(c, r)
}
