package ovirt

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/nactl/nactl/virt"
	guestsh "github.com/nactl/nactl/virt/guest"
	"github.com/nactl/nactl/virt/ssh"
)

// SSHKeys implements virt.Reader.
func (e *Engine) SSHKeys(ctx context.Context, vm, user string) (*virt.SSHKeys, error) {
	r, err := e.GuestProbe(ctx, vm, guestsh.ReadKeys(user))
	if err != nil {
		return nil, err
	}
	return guestsh.Keys(virt.SSHKeysRef(vm, user), r)
}

// setSSHKeys edits a user's authorized_keys.
func (e *Engine) setSSHKeys(ctx context.Context, d *edit) error {
	after := d.after.(*virt.SSHKeys)
	ref := after.Ref()
	err := e.inGuest(ctx, ref.Scope, func(ctx context.Context, client *ssh.Client) error {
		file, err := run(ctx, client, virt.VMRef(ref.Scope), guestsh.ReadKeys(ref.Name), true)
		if err != nil {
			return err
		}
		if _, err := guestsh.Keys(ref, file); err != nil {
			return err
		}
		r, err := run(ctx, client, virt.VMRef(ref.Scope), guestsh.WriteKeys(ref.Name, guestsh.EditKeys(file.Stdout, after.Keys), uuid.NewString()), true)
		if err != nil {
			return err
		}
		return guestsh.Written(ref, r)
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	// The answer was lost: the file tells.
	now, lookErr := e.SSHKeys(ctx, ref.Scope, ref.Name)
	if lookErr != nil {
		return err
	}
	_, out, lookErr := e.Predict(now, virt.SetSSHKeys{On: virt.On{Ref: ref}, Keys: after.Keys, Exclusive: true})
	if lookErr != nil || out.Changed {
		return err
	}
	return nil
}

// setPassword sets a user's password.
func (e *Engine) setPassword(ctx context.Context, c virt.SetPassword) error {
	r, err := e.GuestProbe(ctx, c.Ref.Name, guestsh.ChangePassword(c))
	if err != nil {
		return err
	}
	return guestsh.PasswordSet(c, r)
}
