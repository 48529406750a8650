//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// patience is given to withAgent where fn, when its context ends, has to leave
// nothing behind in the guest. There is nothing to abort for libvirt.
func patience(*lv.Domain) {}

// withAgent speaks with the agent of one VM, on a connection of its own: an
// agent that thinks, or is dead, holds up nobody else. fn ends itself when its
// context does; without patience a request in flight is then cut off.
func (n *Node) withAgent(ctx context.Context, op, vm string, patience func(*lv.Domain), fn func(ctx context.Context, a *agent) error) error {
	return n.longDomain(ctx, op, vm, func(_ *lv.Connect, d *lv.Domain) error {
		return fn(ctx, &agent{vm: virt.VMRef(vm), call: func(_ context.Context, request string, timeout time.Duration) (string, error) {
			return d.QemuAgentCommand(request, lv.DomainQemuAgentCommandTimeout(timeout/time.Second), 0)
		}})
	}, patience)
}

// GuestInfo asks the agent of a VM, if libvirt sees one connected, what the
// guest is.
func (n *Node) GuestInfo(ctx context.Context, vm string) (*virt.GuestInfo, error) {
	n.Forget(virt.VMRef(vm))
	now, err := n.VM(ctx, vm)
	if err != nil {
		return nil, err
	}
	if now.Agent != virt.AgentConnected {
		state := now.Agent
		if state == "" {
			state = virt.AgentDisconnected // it does not run
		}
		return &virt.GuestInfo{Agent: state}, nil
	}
	var info *virt.GuestInfo
	err = n.withAgent(ctx, "ask the guest agent", vm, nil, func(ctx context.Context, a *agent) (err error) {
		info, err = a.info(ctx)
		return err
	})
	if errors.Is(err, virt.ErrAgent) {
		return &virt.GuestInfo{Agent: virt.AgentDisconnected}, nil
	}
	return info, err
}

// GuestFile looks at a file inside a guest.
func (n *Node) GuestFile(ctx context.Context, vm, path string, limit int64) (*virt.GuestFile, error) {
	var f *virt.GuestFile
	err := n.withAgent(ctx, "look at a file in the guest", vm, nil, func(ctx context.Context, a *agent) (err error) {
		f, err = a.file(ctx, path, limit)
		return err
	})
	return f, err
}

// GuestProbe runs a command that its author declared read-only.
func (n *Node) GuestProbe(ctx context.Context, vm string, c virt.Command) (*virt.CommandResult, error) {
	var r *virt.CommandResult
	err := n.withAgent(ctx, "run a command in the guest", vm, patience, func(ctx context.Context, a *agent) (err error) {
		r, err = a.exec(ctx, c)
		return err
	})
	return r, err
}

// guestExec runs a command. What it had said when its time was over goes into
// the error.
func (n *Node) guestExec(ctx context.Context, c virt.GuestExec, e *edit) error {
	r, err := n.GuestProbe(ctx, c.Ref.Name, c.Command)
	if err != nil {
		return err
	}
	e.out.Result = r
	return nil
}

// guestWrite writes a file, or only its mode and owner where its content is
// right.
func (n *Node) guestWrite(ctx context.Context, c virt.GuestWrite, e *edit) error {
	return n.withAgent(ctx, "write a file in the guest", c.Ref.Scope, patience, func(ctx context.Context, a *agent) error {
		if !e.changes("content") {
			return a.setAttributes(ctx, c)
		}
		warning, err := a.writeFile(ctx, c)
		if warning != "" {
			e.out.Warnings = append(e.out.Warnings, warning)
		}
		return err
	})
}
