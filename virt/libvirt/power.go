//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

const (
	// statePoll is how often a state is looked at where no event tells of it.
	statePoll = time.Second
	// askAgain is how long a guest may ignore the power button before it is pressed
	// again: one that is still booting does not hear the first.
	askAgain = 10 * time.Second
	// defaultShutdown is how long a guest has to power off when nothing was said.
	defaultShutdown = 2 * time.Minute
	// rebootWait is how long a guest has to begin its restart.
	rebootWait = 2 * time.Minute
	// settleWait is how long a state that passes by itself may last.
	settleWait = 30 * time.Second
)

// errWaited ends a wait whose time is over.
var errWaited = errors.New("waited in vain")

// wait looks until done says so: at once, at every event of the VM, and every
// statePoll. After limit it is errWaited.
func (n *Node) wait(ctx context.Context, vm string, limit time.Duration, done func() (bool, error)) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events := n.Watch(watching, vm)
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(statePoll)
	defer poll.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-events:
		case <-poll.C:
		case <-deadline.C:
			if ok, err := done(); ok || err != nil {
				return err
			}
			return errWaited
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// state asks for a VM's power state. A VM that is gone, as a transient one is
// when it stops, is stopped.
func (n *Node) state(ctx context.Context, vm string) (virt.PowerState, error) {
	var s virt.PowerState
	err := n.readDomain(ctx, "read the power state", vm, func(_ *lv.Connect, d *lv.Domain) (err error) {
		s, err = domainState(d)
		return err
	})
	if isMissing(err, virt.VMRef(vm)) {
		return virt.Stopped, nil
	}
	return s, err
}

// waitState waits until the VM is in one of the states.
func (n *Node) waitState(ctx context.Context, vm string, limit time.Duration, states ...virt.PowerState) error {
	return n.wait(ctx, vm, limit, func() (bool, error) {
		s, err := n.state(ctx, vm)
		if err != nil {
			return false, err
		}
		for _, want := range states {
			if s == want {
				return true, nil
			}
		}
		return false, nil
	})
}

// start brings a VM to running: virDomainCreate, which also restores a managed
// save, or virDomainResume for one that is paused.
func (n *Node) start(ctx context.Context, e *edit) error {
	return n.bringUp(ctx, e.vm().Name)
}

// bringUp starts, restores or resumes a VM, and waits until it runs.
func (n *Node) bringUp(ctx context.Context, vm string) error {
	err := n.longDomain(ctx, "start the VM", vm, func(_ *lv.Connect, d *lv.Domain) error {
		state, reason, err := d.GetState()
		if err != nil {
			return err
		}
		switch powerState(state, reason) {
		case virt.Crashed:
			if err := d.Destroy(); err != nil {
				return err
			}
			fallthrough
		case virt.Stopped:
			if err := d.Create(); err != nil && !isCode(err, lv.ERR_OPERATION_INVALID) {
				return err
			}
		}
		// A VM that was paused when it was saved comes back paused.
		if state, reason, err = d.GetState(); err != nil {
			return err
		}
		switch {
		case state == lv.DOMAIN_PMSUSPENDED:
			return d.PMWakeup(0)
		case powerState(state, reason) == virt.Paused:
			return d.Resume()
		}
		return nil
	}, func(d *lv.Domain) { _ = d.AbortJob() })
	if err != nil {
		return err
	}
	err = n.waitState(ctx, vm, settleWait, virt.Running)
	if errors.Is(err, errWaited) {
		s, _ := n.state(ctx, vm)
		return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(vm), Summary: "was started, and does not run",
			Wanted: string(virt.Running), Found: string(s), Hint: "look into its log on the node, /var/log/libvirt/qemu/" + vm + ".log"}
	}
	return err
}

// shutdown asks the guest to power off (virDomainShutdown: by its agent, else by
// the ACPI power button), again every askAgain, and waits until it has.
func (n *Node) shutdown(ctx context.Context, c virt.Shutdown, e *edit) error {
	name := e.vm().Name
	// A guest that stands still hears nothing: it is woken up first.
	if s := e.vm().State; s == virt.Paused || s == virt.Suspended {
		if err := n.bringUp(ctx, name); err != nil {
			return err
		}
	}
	limit := c.Timeout
	if limit <= 0 {
		limit = defaultShutdown
	}
	force, forced := c.ForceAfter.Get()
	if forced {
		limit = force
	}
	began := time.Now()
	var asked time.Time
	flags := lv.DOMAIN_SHUTDOWN_DEFAULT
	err := n.wait(ctx, name, limit, func() (bool, error) {
		s, err := n.state(ctx, name)
		if err != nil || s == virt.Stopped || s == virt.Crashed {
			return s == virt.Stopped || s == virt.Crashed, err
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the guest to power off", Done: int64(time.Since(began).Seconds()), Total: int64(limit.Seconds())})
		if s == virt.Stopping || !asked.IsZero() && time.Since(asked) < askAgain {
			return false, nil
		}
		asked = time.Now()
		err = n.askToPowerOff(ctx, name, flags)
		// An agent that said yes and did nothing is not asked twice.
		flags = lv.DOMAIN_SHUTDOWN_ACPI_POWER_BTN
		return false, err
	})
	switch {
	case !errors.Is(err, errWaited):
		return err
	case forced:
		e.out.Warnings = append(e.out.Warnings, fmt.Sprintf("the guest did not power off within %s: its power was cut", limit))
		return n.cutPower(ctx, name)
	default:
		return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(name), Summary: fmt.Sprintf("did not power off within %s", limit),
			Hint: "give it more time (timeout), or let the power be cut (force_after)"}
	}
}

// agentPatience bounds a call that goes through the guest's agent.
const agentPatience = 15 * time.Second

// askToPowerOff asks once. That the guest does not answer, or powers off in that
// very moment, is no error: the caller looks again.
func (n *Node) askToPowerOff(ctx context.Context, vm string, flags lv.DomainShutdownFlags) error {
	asking, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	err := n.longDomain(asking, "shut the VM down", vm, func(_ *lv.Connect, d *lv.Domain) error {
		err := d.ShutdownFlags(flags)
		if flags != lv.DOMAIN_SHUTDOWN_DEFAULT && isCode(err, lv.ERR_NO_SUPPORT, lv.ERR_INVALID_ARG, lv.ERR_ARGUMENT_UNSUPPORTED) {
			return d.Shutdown()
		}
		return err
	}, nil)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case asking.Err() != nil, errors.Is(err, virt.ErrAgent), errors.Is(err, virt.ErrConflict), isMissing(err, virt.VMRef(vm)):
		return nil
	default:
		return err
	}
}

// powerOff cuts the power (virDomainDestroyFlags); of a suspended VM it drops the
// saved state.
func (n *Node) powerOff(ctx context.Context, c virt.PowerOff, e *edit) error {
	if e.vm().State != virt.Suspended {
		if c.Graceful {
			return n.endProcess(ctx, e.vm().Name)
		}
		return n.cutPower(ctx, e.vm().Name)
	}
	return n.withDomain(ctx, "drop the saved state", e.vm().Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.ManagedSaveRemove(0)
	})
}

// endProcess cuts the power by SIGTERM alone (VIR_DOMAIN_DESTROY_GRACEFUL).
func (n *Node) endProcess(ctx context.Context, vm string) error {
	err := n.destroy(ctx, vm, lv.DOMAIN_DESTROY_GRACEFUL)
	if err != nil && strings.Contains(err.Error(), "terminate process") {
		return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(vm), Summary: "its process does not end when it is asked to (SIGTERM)", Err: message(err),
			Hint: "cut the power without graceful: its process is killed then"}
	}
	return err
}

func (n *Node) cutPower(ctx context.Context, vm string) error {
	return n.destroy(ctx, vm, lv.DOMAIN_DESTROY_DEFAULT)
}

func (n *Node) destroy(ctx context.Context, vm string, flags lv.DomainDestroyFlags) error {
	err := n.longDomain(ctx, "power the VM off", vm, func(_ *lv.Connect, d *lv.Domain) error {
		return d.DestroyFlags(flags)
	}, nil)
	if errors.Is(err, virt.ErrConflict) { // it had stopped by itself
		if s, stateErr := n.state(ctx, vm); stateErr == nil && s == virt.Stopped {
			return nil
		}
	}
	return err
}

// pause halts the CPUs (virDomainSuspend).
func (n *Node) pause(ctx context.Context, e *edit) error {
	return n.withDomain(ctx, "pause the VM", e.vm().Name, func(_ *lv.Connect, d *lv.Domain) error { return d.Suspend() })
}

// suspend saves the VM's memory to the node's disk and stops it
// (virDomainManagedSave).
func (n *Node) suspend(ctx context.Context, e *edit) error {
	return n.longDomain(ctx, "save the VM", e.vm().Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.ManagedSave(0)
	}, func(d *lv.Domain) { _ = d.AbortJob() })
}

// reboot asks the guest to restart (virDomainReboot: by its agent, else by ACPI)
// and waits until it does.
func (n *Node) reboot(ctx context.Context, e *edit) error {
	vm := e.vm().Name
	if n.addr.driver != "qemu" {
		return n.withDomain(ctx, "restart the VM", vm, func(_ *lv.Connect, d *lv.Domain) error { return d.Reboot(lv.DOMAIN_REBOOT_DEFAULT) })
	}
	return n.longDomain(ctx, "restart the VM", vm, func(c *lv.Connect, d *lv.Domain) error {
		restarted := make(chan struct{}, 1)
		id, err := c.DomainEventRebootRegister(d, func(*lv.Connect, *lv.Domain) {
			select {
			case restarted <- struct{}{}:
			default:
			}
		})
		if err != nil {
			return err
		}
		defer c.DomainEventDeregister(id)
		if err := d.Reboot(lv.DOMAIN_REBOOT_DEFAULT); err != nil {
			return err
		}
		timer := time.NewTimer(rebootWait)
		defer timer.Stop()
		select {
		case <-restarted:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(vm), Summary: fmt.Sprintf("did not restart within %s of being asked to", rebootWait),
				Hint: "reset it with power: {action: reset}, if its guest hangs"}
		}
	}, nil)
}

// reset restarts the VM as its reset button would (virDomainReset).
func (n *Node) reset(ctx context.Context, e *edit) error {
	return n.withDomain(ctx, "reset the VM", e.vm().Name, func(_ *lv.Connect, d *lv.Domain) error { return d.Reset(0) })
}
