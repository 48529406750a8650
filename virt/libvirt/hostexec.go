//go:build cgo

package libvirt

import (
	"bytes"
	"context"
	"errors"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/guest"
	"github.com/nactl/nactl/virt/local"
	"github.com/nactl/nactl/virt/ssh"
)

// checkHostExec looks whether a command is for this node.
func (n *Node) checkHostExec(c virt.HostExec) error {
	if c.Ref.Name != n.cfg.Name {
		return virt.NotFound(hostRef(c.Ref.Name), "this target is the node "+n.cfg.Name+" alone")
	}
	_, _, err := guest.Wrap(c.Ref, c.Command, "")
	return err
}

// hostCommand runs a command. What it did to the node nobody knows, so all that
// was read of it is read again.
func (n *Node) hostCommand(ctx context.Context, c virt.HostExec, e *edit) error {
	defer n.Forget()
	r, err := n.HostProbe(ctx, c)
	if err != nil {
		return err
	}
	e.out.Result = r
	return nil
}

// HostProbe runs a command on the node: over its SSH connection, or here for the
// node that is this machine. One that outlives its timeout, or the context, is
// killed with all that it started. libvirt is not asked for anything.
func (n *Node) HostProbe(ctx context.Context, c virt.HostExec) (*virt.CommandResult, error) {
	if err := n.checkHostExec(c); err != nil {
		return nil, err
	}
	if n.cfg.SSH == nil {
		return n.localCommand(ctx, c)
	}
	args, input, err := guest.Wrap(c.Ref, c.Command, "")
	if err != nil {
		return nil, err
	}
	client, err := n.sshClient(ctx)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, guest.Timeout(c.Command))
	defer cancel()
	end, err := client.Exec(limited, ssh.Command{Argv: append([]string{"/bin/sh"}, args...), Stdin: bytes.NewReader(input),
		Become: c.Become, MaxOutput: guest.MaxOutput})
	if err != nil && limited.Err() == nil {
		return nil, n.commandLost(c.Ref, err)
	}
	r := guest.Result(end)
	if err == nil {
		if err := guest.Entered(c.Ref, c.Command, r); err != nil {
			return nil, err
		}
		return r, nil
	}
	found := "it was killed"
	if end.Outlived {
		found = "it may still run on the host, for it did not react to being killed"
	} else if last := guest.LastWords(r); last != "" {
		found += "; its last words: " + last
	}
	return r, guest.Abandoned(c.Ref, c.Command, ctx.Err(), found)
}

// commandLost says what the way to the node failed of.
func (n *Node) commandLost(host virt.Ref, err error) error {
	var sudo *ssh.BecomeError
	var not *ssh.NotStartedError
	switch {
	case errors.As(err, &sudo):
		return &virt.Error{Kind: virt.ErrDenied, Object: host, Summary: "sudo does not let " + sudo.User + " run commands", Found: sudo.Stderr, Err: err,
			Hint: "give " + sudo.User + " a NOPASSWD rule there, log in as root, or run the command with become: false"}
	case errors.As(err, &not):
		return about(n.mapError("run a command", not.Err), host)
	}
	return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: host, Summary: "the connection ended while the command ran", Err: err,
		Hint: "look on the host what the command did"}
}

// localCommand runs a command on this machine, where becoming root means nothing:
// nactl runs as whom it runs.
func (n *Node) localCommand(ctx context.Context, c virt.HostExec) (*virt.CommandResult, error) {
	c.Command.Timeout = guest.Timeout(c.Command)
	r, err := local.New().Probe(ctx, c.Command)
	var e *virt.Error
	if errors.As(err, &e) && e.Object.Kind == virt.KindLocal {
		own := *e
		own.Object = c.Ref
		return r, &own
	}
	return r, err
}
