package ovirt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// migrateTime bounds a migration: a guest that writes faster than its memory is
// copied never gets there.
const migrateTime = 6 * time.Hour

// migrate moves a running VM, and waits until it is up where it was to be. That
// it is up is no proof: it is so before the move has begun, and after one that
// failed.
func (e *Engine) migrate(ctx context.Context, c virt.Migrate, d *edit) error {
	source := d.m.host
	body := &actionXML{}
	var target string
	if c.Host != "" {
		h, err := e.findHost(ctx, c.Host)
		if err != nil {
			return err
		}
		target = h.id
		body.Host = byID(h.id)
	}
	if d.vm().State != virt.Running && d.vm().State != virt.Paused {
		if err := e.waitVM(ctx, d.m.id, startTime, goalUp(d.m.status)); err != nil {
			return err
		}
	}
	began := time.Now()
	lost := e.action(ctx, d.m.id, "migrate", body)
	if lost != nil && !errors.Is(lost, virt.ErrOutcomeUnknown) {
		return lost
	}
	host, err := e.arrived(ctx, d.m.id, source, target)
	var stayed *stateError
	if lost != nil && errors.As(err, &stayed) {
		return lost // it may never have been told to move
	}
	if err != nil {
		if ctx.Err() != nil {
			e.cancelMigration(ctx, d.m.id)
		}
		return err
	}
	hosts, err := e.hostMap(ctx, host)
	if err != nil {
		return err
	}
	moved := &virt.Moved{From: d.vm().Host.Or(""), To: hosts[host].host.Name, Elapsed: time.Since(began)}
	d.out.Result = moved
	for i := range d.out.Fields {
		if f := &d.out.Fields[i]; f.Path == "host" && f.After == any(virt.UnknownValue) {
			f.After = moved.To
		}
	}
	return nil
}

// arrived waits until a VM is up elsewhere, and gives the host.
func (e *Engine) arrived(ctx context.Context, id, source, target string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	var host string
	left, looks := false, 0
	err := e.vms.wait(ctx, id, func(now *vmLook) (bool, error) {
		switch {
		case now == nil:
			return false, &virt.Error{Kind: virt.ErrNotFound, Summary: "is not there any more"}
		case now.status == "migrating":
			left = true
			virt.Report(ctx, virt.Progress{What: "moving to another host"})
			return false, nil
		case now.status == "down":
			return false, &stateError{now.status, "it stopped"}
		case now.host != "" && now.host != source && (target == "" || now.host == target) && now.status != "unknown":
			host = now.host
			return true, nil
		case now.host != "" && now.host != source:
			return false, &stateError{now.status, "it went to another host than it was to"}
		}
		if looks++; left || looks >= backAfter {
			return false, &stateError{now.status, "it is still where it was"}
		}
		return false, nil
	})
	return host, err
}

// cancelMigration stops a move that nobody waits for any more; the VM stays where
// it was.
func (e *Engine) cancelMigration(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_, _ = act(ctx, e.Client, path("vms", id, "cancelmigration"), nil) // it may have arrived
}

// checkMigrate looks for what prevents a move.
func (e *Engine) checkMigrate(ctx context.Context, view virt.Reader, c virt.Migrate) error {
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	hosts, err := e.Hosts(ctx)
	if err != nil {
		return err
	}
	var fit []string
	for _, h := range hosts {
		if h.Cluster == vm.Cluster && h.State == string(ovirtsdk.HOSTSTATUS_UP) {
			fit = append(fit, h.Name)
		}
	}
	refused := func(kind error, summary string) error {
		return &virt.Error{Kind: kind, Object: vm.Ref(), Summary: summary, Found: "hosts of cluster " + vm.Cluster + " that are up: " + strings.Join(fit, ", "),
			Hint: "choose one of these"}
	}
	if c.Host == "" {
		if here := vm.Host.Or(""); !slices.ContainsFunc(fit, func(h string) bool { return h != here }) {
			return refused(virt.ErrConflict, "cannot be moved away from "+here+": no other host is up")
		}
		return nil
	}
	if slices.Contains(fit, c.Host) {
		return nil
	}
	h, err := e.findHost(ctx, c.Host)
	if err != nil {
		return err
	}
	if h.status != ovirtsdk.HOSTSTATUS_UP {
		return refused(virt.ErrConflict, fmt.Sprintf("cannot be moved to %s: that host is %s", c.Host, h.status))
	}
	return refused(virt.ErrConflict, fmt.Sprintf("cannot be moved to %s: that host is in another cluster", c.Host))
}
