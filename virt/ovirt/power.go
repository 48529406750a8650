package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

const (
	// startTime is how long a VM may take until it is up; without a guest agent the
	// engine itself waits a minute before it says so.
	startTime = 10 * time.Minute
	// stopTime is how long cutting the power may take.
	stopTime = 2 * time.Minute
	// saveTime is how long memory may take to be written.
	saveTime = 30 * time.Minute
	// diskTime is how long an operation on disks may take: copies are gigabytes.
	diskTime = 4 * time.Hour
	// defaultShutdown is how long a guest has to power off when nothing was said.
	defaultShutdown = 2 * time.Minute
	// askAgain is how long a guest may ignore a shutdown before it is asked again: one
	// that is still booting does not hear the first.
	askAgain = 30 * time.Second
)

// action calls an action of a VM, again while a lock is in the way.
func (e *Engine) action(ctx context.Context, id, name string, body *actionXML) error {
	return e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := act(ctx, e.Client, path("vms", id, name), body)
		return err
	})
}

// waitVM waits until a VM is where a goal wants it, for limit at most.
func (e *Engine) waitVM(ctx context.Context, id string, limit time.Duration, g *goal) error {
	ctx, cancel := e.cfg.Limit(ctx, limit, nil)
	defer cancel()
	return e.vms.wait(ctx, id, func(now *vmLook) (bool, error) {
		if now == nil {
			return g.look("", false)
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the engine, the VM is " + now.status})
		return g.look(now.status, true)
	})
}

// waitDisk waits until a disk is where a goal wants it.
func (e *Engine) waitDisk(ctx context.Context, id string, g *goal) error {
	ctx, cancel := e.cfg.Limit(ctx, diskTime, nil)
	defer cancel()
	return e.disks.wait(ctx, id, func(now *string) (bool, error) {
		if now == nil {
			return g.look("", false)
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the engine, the disk is " + *now})
		return g.look(*now, true)
	})
}

// start brings a VM to running, from whatever state that allows it.
func (e *Engine) start(ctx context.Context, d *edit) error {
	switch d.m.status {
	case ovirtsdk.VMSTATUS_UNKNOWN, ovirtsdk.VMSTATUS_NOT_RESPONDING:
		return &virt.Error{Kind: virt.ErrConflict, Object: d.vm().Ref(), Summary: "cannot be started: its host does not answer, and it may run there",
			Found: "status " + string(d.m.status), Hint: "bring the host back, or confirm on the engine that it has been rebooted"}
	case ovirtsdk.VMSTATUS_IMAGE_LOCKED:
		if err := e.waitVM(ctx, d.m.id, diskTime, goalVMUnlocked()); err != nil {
			return err
		}
	case ovirtsdk.VMSTATUS_POWERING_DOWN, ovirtsdk.VMSTATUS_SAVING_STATE:
		if err := e.waitVM(ctx, d.m.id, saveTime, &goal{want: []string{"down", "suspended"}}); err != nil {
			return err
		}
	}
	var first *actionXML
	switch d.vm().State {
	case virt.Starting, virt.InMigration: // on its way already
	default:
		var err error
		if first, err = e.firstStart(ctx, d.m); err != nil {
			return err
		}
		if err := e.action(ctx, d.m.id, "start", first); err != nil {
			if !e.runsAnyway(ctx, d.m.id, err) {
				return err
			}
		}
	}
	err := e.waitVM(ctx, d.m.id, startTime, goalUp(d.m.status))
	if err != nil && first != nil {
		e.notStarted(ctx, d.m, err)
	}
	return err
}

// goalUp is up; for a VM that was paused that state is no failure until it left it.
func goalUp(from ovirtsdk.VmStatus) *goal {
	g := goalVMUp()
	switch from {
	case ovirtsdk.VMSTATUS_PAUSED, ovirtsdk.VMSTATUS_SUSPENDED:
		for status, why := range g.fail {
			g.back[status] = why
		}
		g.fail = nil
		g.back[string(from)] = "it stayed " + string(from)
	}
	return g
}

// runsAnyway tells whether a VM that could not be started, or whose answer was
// lost, runs by now.
func (e *Engine) runsAnyway(ctx context.Context, id string, err error) bool {
	if !errors.Is(err, virt.ErrConflict) && !errors.Is(err, virt.ErrOutcomeUnknown) {
		return false
	}
	now, lookErr := e.look(ctx, id)
	return lookErr == nil && vmState(ovirtsdk.VmStatus(now.status)).IsLive() && now.status != "paused"
}

// look asks for the state of a VM.
func (e *Engine) look(ctx context.Context, id string) (vmLook, error) {
	return get(ctx, e.Client, kindVM, path("vms", id), query{}, func(v *ovirtsdk.Vm) (vmLook, error) {
		return vmLook{status: string(value(v.Status())), host: idIn(v.Host())}, nil
	})
}

// powerOff cuts the power; of a suspended VM it drops the saved state.
func (e *Engine) powerOff(ctx context.Context, d *edit) error { return e.cutPower(ctx, d.m.id) }

func (e *Engine) cutPower(ctx context.Context, id string) error {
	err := e.action(ctx, id, "stop", nil)
	if errors.Is(err, virt.ErrConflict) || errors.Is(err, virt.ErrOutcomeUnknown) {
		if now, lookErr := e.look(ctx, id); lookErr == nil && (now.status == "down" || now.status == "powering_down") {
			err = nil // it had stopped by itself
		}
	}
	if err != nil {
		return err
	}
	return e.waitVM(ctx, id, stopTime, &goal{want: []string{"down"}})
}

// shutdown asks the guest to power off, again every askAgain, and waits until it
// has. A guest without an agent and without ACPI is stopped by the engine itself.
func (e *Engine) shutdown(ctx context.Context, c virt.Shutdown, d *edit) error {
	// A guest that stands still hears nothing.
	if s := d.vm().State; s == virt.Suspended || s == virt.Paused {
		if err := e.start(ctx, d); err != nil {
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
	err := e.askToPowerOff(ctx, d.m.id, limit)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.Is(err, virt.ErrTimeout):
		return err
	case forced:
		d.out.Warnings = append(d.out.Warnings, fmt.Sprintf("the guest did not power off within %s: its power was cut", limit))
		return e.cutPower(ctx, d.m.id)
	}
	return &virt.Error{Kind: virt.ErrTimeout, Object: d.vm().Ref(), Summary: fmt.Sprintf("did not power off within %s", limit),
		Hint: "give it more time (timeout), or let the power be cut (force_after)"}
}

func (e *Engine) askToPowerOff(ctx context.Context, id string, limit time.Duration) error {
	ctx, cancel := e.cfg.Limit(ctx, limit, &virt.Error{Kind: virt.ErrTimeout, Summary: "did not power off"})
	defer cancel()
	for {
		err := e.action(ctx, id, "shutdown", nil)
		if err != nil && !errors.Is(err, virt.ErrConflict) && !errors.Is(err, virt.ErrOutcomeUnknown) {
			return err
		}
		asked, stop := e.cfg.Limit(ctx, askAgain, errAskAgain)
		err = e.vms.wait(asked, id, func(now *vmLook) (bool, error) {
			return now == nil || now.status == "down", nil
		})
		stop()
		if !errors.Is(err, errAskAgain) {
			return err
		}
	}
}

var errAskAgain = errors.New("the guest has not powered off yet")

// suspend saves the VM's memory and stops it.
func (e *Engine) suspend(ctx context.Context, d *edit) error {
	if d.m.status != ovirtsdk.VMSTATUS_UP {
		if err := e.waitVM(ctx, d.m.id, startTime, goalUp(d.m.status)); err != nil {
			return err
		}
	}
	if err := e.action(ctx, d.m.id, "suspend", nil); err != nil {
		return err
	}
	return e.waitVM(ctx, d.m.id, saveTime, &goal{want: []string{"suspended"}, fail: map[string]string{"down": "it stopped"},
		back: map[string]string{"up": "it could not be saved"}})
}

// reboot asks the guest to restart, and waits until it is up again.
func (e *Engine) reboot(ctx context.Context, d *edit) error {
	if err := e.action(ctx, d.m.id, "reboot", nil); err != nil {
		return err
	}
	return e.waitVM(ctx, d.m.id, startTime, goalVMUp())
}

// reset restarts a VM as its reset button would. Engines before 4.5 have no such
// call: there it is stopped and started.
func (e *Engine) reset(ctx context.Context, d *edit) error {
	err := e.action(ctx, d.m.id, "reset", nil)
	var f *Fault
	if errors.As(err, &f) && (f.Status == http.StatusNotFound || f.Status == http.StatusMethodNotAllowed) {
		if err := e.cutPower(ctx, d.m.id); err != nil {
			return err
		}
		err = e.action(ctx, d.m.id, "start", nil)
	}
	if err != nil {
		return err
	}
	return e.waitVM(ctx, d.m.id, startTime, goalVMUp())
}
