//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

var (
	_ virt.GuestWaiter = (*Node)(nil)
	_ virt.GuestWaiter = (*Cluster)(nil)
)

// leftRunning is the error for a command whose time is over and that goes on. It
// names the process by its number, and by the token of the files that hold the
// rest of what it prints.
func (a *agent) leftRunning(pid int, token string, waited time.Duration) error {
	process := strconv.Itoa(pid)
	if token != "" {
		process += "." + token
	}
	return &virt.Error{Kind: virt.ErrTimeout, Object: a.vm, Summary: fmt.Sprintf("the command did not end within %s", waited),
		Found: "it still runs in the guest as process " + strconv.Itoa(pid),
		Hint:  fmt.Sprintf("wait on with nactl exec --pid %s %s", process, a.vm.Name)}
}

// parseProcess reads what leftRunning names a process. The token is looked at
// closely, for it goes into names of files.
func parseProcess(vm virt.Ref, process string) (pid int, token string, err error) {
	number, token, dotted := strings.Cut(process, ".")
	pid, err = strconv.Atoi(number)
	if err != nil || pid <= 0 || dotted && (len(token) != 2*tokenBytes || strings.Trim(token, "0123456789abcdef") != "") {
		return 0, "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("%q names no process in its guest", process),
			Wanted: "a number, or what the error of the timeout says: 1234.0123456789abcdef"}
	}
	return pid, token, nil
}

// resume waits for a process that was left running.
func (a *agent) resume(ctx context.Context, process string, timeout time.Duration) (*virt.CommandResult, error) {
	pid, token, err := parseProcess(a.vm, process)
	if err != nil {
		return nil, err
	}
	status, err := a.await(ctx, pid, time.Now().Add(timeout))
	var own *agentError
	switch {
	case errors.As(err, &own) && own.says("Invalid parameter", "pid"):
		return nil, &virt.Error{Kind: virt.ErrNotFound, Object: a.vm, Summary: fmt.Sprintf("its guest agent does not know process %d", pid), Err: own,
			Found: "the agent did not start it, has told of its end already, or was started anew"}
	case errors.Is(err, virt.ErrTimeout):
		return nil, a.leftRunning(pid, token, timeout)
	case err != nil:
		return nil, err
	}
	r, err := status.result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.vm, err)
	}
	return r, a.fetchRest(ctx, r, token)
}

// GuestWait waits for a command that was left running in a guest.
func (n *Node) GuestWait(ctx context.Context, vm, process string, timeout time.Duration) (*virt.CommandResult, error) {
	var r *virt.CommandResult
	err := n.withAgent(ctx, "wait for a command in the guest", vm, nil, func(ctx context.Context, a *agent) (err error) {
		r, err = a.resume(ctx, process, timeout)
		return err
	})
	return r, err
}

// GuestWait waits for a command in a VM.
func (c *Cluster) GuestWait(ctx context.Context, vm, process string, timeout time.Duration) (*virt.CommandResult, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.GuestWait(ctx, vm, process, timeout)
}
