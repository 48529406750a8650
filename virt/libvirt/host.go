//go:build cgo

package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/nactl/nactl/virt/ssh"
)

// hostRunner runs commands on a node: over its SSH connection, or here for the
// node that is this machine. An exit status other than 0 is not an error.
type hostRunner interface {
	Exec(ctx context.Context, cmd ssh.Command) (ssh.Result, error)
}

// host gives what runs commands on the node.
func (n *Node) host(ctx context.Context) (hostRunner, error) {
	if n.cfg.SSH == nil {
		return localRunner{}, nil
	}
	return n.sshClient(ctx)
}

// sshClient gives the node's SSH connection; an error for a local node.
func (n *Node) sshClient(ctx context.Context) (*ssh.Client, error) {
	if n.cfg.SSH == nil {
		return nil, fmt.Errorf("%s is this machine: it is not reached over ssh", n)
	}
	select {
	case n.dialing <- struct{}{}:
		defer func() { <-n.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := n.usable(); err != nil {
		return nil, err
	}
	c, err := n.ssh(ctx)
	return c, n.mapError("reach the node", err)
}

// localRunner runs commands on this machine.
type localRunner struct{}

// Exec runs a command as ssh.Client.Exec does. Become means nothing here: nactl
// already runs as whom it runs.
func (localRunner) Exec(ctx context.Context, cmd ssh.Command) (ssh.Result, error) {
	argv := cmd.Argv
	if cmd.Shell != "" {
		argv = []string{"sh", "-c", cmd.Shell}
	}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr, c.Dir = cmd.Stdin, &stdout, &stderr, cmd.Dir
	if len(cmd.Env) > 0 {
		c.Env = c.Environ()
		for k, v := range cmd.Env {
			c.Env = append(c.Env, k+"="+v)
		}
	}
	err := c.Run()
	r := ssh.Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, context.Cause(ctx)
	case errors.As(err, &exit):
		r.RC = exit.ExitCode()
		return r, nil
	case errors.Is(err, exec.ErrNotFound):
		r.RC, r.Stderr = 127, []byte(argv[0]+": not found")
		return r, nil
	default:
		return r, err
	}
}
