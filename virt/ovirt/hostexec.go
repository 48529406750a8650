package ovirt

import (
	"context"
	"errors"
	"fmt"

	"github.com/nactl/nactl/virt"
	guestsh "github.com/nactl/nactl/virt/guest"
	"github.com/nactl/nactl/virt/ssh"
)

// hostSection is what the inventory lacks where nothing says how hosts are logged in
// to.
const hostSection = "write how its hosts are logged in to into the engine's entry of the inventory: hosts: {user: root, identity_file: ~/.ssh/id_ed25519}; " +
	"or use local_exec with ssh"

// HostProbe implements virt.Reader: an engine runs no commands on its hosts, so they
// go over SSH, to the address that the engine knows of the host.
func (e *Engine) HostProbe(ctx context.Context, c virt.HostExec) (*virt.CommandResult, error) {
	if err := e.Supports(c); err != nil {
		return nil, err
	}
	var r *virt.CommandResult
	err := e.onHost(ctx, c.Ref.Name, func(ctx context.Context, client *ssh.Client) (err error) {
		r, err = run(ctx, client, c.Ref, c.Command, c.Become)
		return err
	})
	return r, err
}

// hostExec runs a command. What it did to the host nobody knows, so all that was
// read of the engine is read again.
func (e *Engine) hostExec(ctx context.Context, c virt.HostExec, d *edit) error {
	defer e.Forget()
	r, err := e.HostProbe(ctx, c)
	if err != nil {
		return err
	}
	d.out.Result = r
	return nil
}

// checkHostExec looks whether there is such a host, and whether the command can be
// run.
func checkHostExec(ctx context.Context, view virt.Reader, c virt.HostExec) error {
	if _, err := view.Host(ctx, c.Ref.Name); err != nil {
		return err
	}
	_, _, err := guestsh.Wrap(c.Ref, c.Command, "")
	return err
}

// onHost runs fn with the SSH connection of a host, and again on a new one where that
// turns out to be dead before anything was sent.
func (e *Engine) onHost(ctx context.Context, name string, fn func(ctx context.Context, c *ssh.Client) error) error {
	h, err := e.findHost(ctx, name)
	if err != nil {
		return err
	}
	ref := h.host.Ref()
	if h.host.Address == "" {
		return &virt.Error{Kind: virt.ErrUnreachable, Object: ref, Summary: "has no address that its engine tells of", Hint: "use a user who sees the hosts' addresses"}
	}
	for first := true; ; first = false {
		c, leave, err := e.logins.get(ctx, "host "+h.id, func(ctx context.Context) (*ssh.Client, error) {
			cfg := *e.cfg.Hosts
			cfg.Name, cfg.Address = name, h.host.Address
			return e.cfg.Dialer.Dial(ctx, cfg)
		})
		if err != nil {
			return hostLoginFailed(ctx, ref, err)
		}
		err = fn(ctx, c)
		dead := c.Err() != nil
		leave()
		var not *ssh.NotStartedError
		if !errors.As(err, &not) || ctx.Err() != nil {
			return err
		}
		if !dead || !first {
			return &virt.Error{Kind: virt.ErrUnreachable, Object: ref, Summary: "its sshd does not take a command", Err: not.Err, Hint: "look at sshd on the host"}
		}
	}
}

// hostLoginFailed says why a host did not let us in.
func hostLoginFailed(ctx context.Context, ref virt.Ref, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var refused *ssh.AuthError
	var changed *ssh.HostKeyMismatchError
	var unknown *ssh.HostKeyUnknownError
	var away *ssh.UnreachableError
	switch {
	case errors.As(err, &refused):
		return &virt.Error{Kind: virt.ErrAuth, Object: ref, Summary: "its sshd does not let " + refused.User + " in", Err: err,
			Hint: "look at user and identity_file of the engine's hosts in the inventory"}
	case errors.As(err, &changed):
		return &virt.Error{Kind: virt.ErrAuth, Object: ref, Summary: "its host key is not the one that is known", Wanted: changed.Want,
			Found: changed.KeyType + " " + changed.Fingerprint + " at " + changed.Host, Err: err, Hint: mendHint(changed)}
	case errors.As(err, &unknown):
		return &virt.Error{Kind: virt.ErrAuth, Object: ref, Summary: "its host key is not known", Found: unknown.KeyType + " " + unknown.Fingerprint + " at " + unknown.Host, Err: err,
			Hint: "compare the fingerprint with the host's own, then run: " + unknown.Hint + "; or write host_key: accept_new into hosts of the engine"}
	case errors.As(err, &away):
		return &virt.Error{Kind: virt.ErrUnreachable, Object: ref, Summary: "does not answer over SSH", Err: err, Hint: "look whether the host is up, and whether its address can be reached from here, or by a jump"}
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "cannot be logged in to", Err: err, Hint: fmt.Sprintf("mend hosts of the engine in the inventory: %v", err)}
}
