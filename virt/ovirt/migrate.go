package ovirt

import (
	"cmp"
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

// migrate moves a VM. A running one is waited for until it is up where it was to
// be: that it is up is no proof, for it is so before the move has begun, and after
// one that failed.
func (e *Engine) migrate(ctx context.Context, c virt.Migrate, d *edit) error {
	source := d.m.host
	body := &actionXML{}
	var target, cluster string
	if c.Host != "" {
		h, err := e.findHost(ctx, c.Host)
		if err != nil {
			return err
		}
		target = h.id
		body.Host = byID(h.id)
	}
	if c.Cluster != "" {
		to, err := e.findCluster(ctx, c.Ref, c.Cluster, "")
		if err != nil {
			return err
		}
		cluster = to.id
		body.Cluster = byID(to.id)
		if !d.vm().State.IsLive() {
			return e.put(ctx, d.m.id, nil, vmXML{Cluster: byID(to.id)})
		}
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
	host, err := e.arrived(ctx, d.m.id, source, target, c.Tuning.Timeout)
	var stayed *stateError
	if lost != nil && errors.As(err, &stayed) {
		return lost // it may never have been told to move
	}
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, virt.ErrTimeout) {
			e.cancelMigration(ctx, d.m.id)
		}
		return err
	}
	hosts, err := e.hostMap(ctx, host)
	if err != nil {
		return err
	}
	if cluster != "" && hosts[host].cluster != cluster {
		return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "went to another cluster than it was to", Wanted: "cluster " + c.Cluster,
			Found: "host " + hosts[host].host.Name, Hint: "look at the engine's events"}
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
func (e *Engine) arrived(ctx context.Context, id, source, target string, limit time.Duration) (string, error) {
	ctx, cancel := e.cfg.Limit(ctx, cmp.Or(limit, migrateTime), nil)
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
	hosts, err := view.Hosts(ctx)
	if err != nil {
		return err
	}
	if c.Cluster != "" {
		return e.checkCluster(ctx, view, c, vm, hosts)
	}
	fit := upIn(hosts, vm.Cluster)
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
	h, err := view.Host(ctx, c.Host)
	if errors.Is(err, virt.ErrNotFound) {
		_, err = e.findHost(ctx, c.Host) // says which there are
	}
	if err != nil {
		return err
	}
	if h.State != string(ovirtsdk.HOSTSTATUS_UP) {
		return refused(virt.ErrConflict, fmt.Sprintf("cannot be moved to %s: that host is %s", c.Host, h.State))
	}
	return refused(virt.ErrConflict, fmt.Sprintf("cannot be moved to %s: that host is in another cluster", c.Host))
}

// upIn gives the hosts of a cluster that are up.
func upIn(hosts []*virt.Host, cluster string) []string {
	var up []string
	for _, h := range hosts {
		if h.Cluster == cluster && h.State == string(ovirtsdk.HOSTSTATUS_UP) {
			up = append(up, h.Name)
		}
	}
	return up
}

// checkCluster looks for all that keeps a VM out of another cluster.
func (e *Engine) checkCluster(ctx context.Context, view virt.Reader, c virt.Migrate, vm *virt.VM, hosts []*virt.Host) error {
	to, err := e.findCluster(ctx, c.Ref, c.Cluster, "")
	if err != nil {
		return err
	}
	var errs []error
	refused := func(kind error, why, found, hint string) {
		errs = append(errs, &virt.Error{Kind: kind, Object: vm.Ref(), Summary: "cannot be moved to cluster " + c.Cluster + ": " + why, Found: found, Hint: hint})
	}
	if to.centreName != vm.DataCentre {
		refused(virt.ErrInvalid, "it is in another data centre", to.centreName+"; the VM is in "+vm.DataCentre, "name a cluster of data centre "+vm.DataCentre)
		return errors.Join(errs...) // nothing else can be the same there
	}
	up := upIn(hosts, c.Cluster)
	if vm.State.IsLive() && len(up) == 0 {
		refused(virt.ErrConflict, "none of its hosts is up", "", "bring a host of it up, or stop the VM first")
	}
	var missing []string
	for _, nic := range vm.NICs {
		if nic.Network == "" {
			continue
		}
		name, _, _ := strings.Cut(nic.Network, "/") // with or without the profile
		n, err := e.networkOf(ctx, view, vm, name)
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case !slices.Contains(n.Clusters, c.Cluster):
			missing = append(missing, name)
			continue
		}
		if len(n.Hosts) > 0 { // others are no hosts' business
			up = slices.DeleteFunc(up, func(h string) bool { return !slices.Contains(n.Hosts, h) })
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		refused(virt.ErrConflict, "it lacks networks that the VM uses", strings.Join(slices.Compact(missing), ", "), "give it these with create_vlan")
	} else if vm.State.IsLive() && len(errs) == 0 && len(up) == 0 {
		refused(virt.ErrConflict, "no host of it that is up has all networks of the VM", "", "give its hosts the networks with create_vlan")
	}
	return errors.Join(errs...)
}

// networkOf gives a network of a VM's data centre.
func (e *Engine) networkOf(ctx context.Context, view virt.Reader, vm *virt.VM, name string) (*virt.Network, error) {
	n, err := view.Network(ctx, name)
	if errors.Is(err, virt.ErrConflict) { // several data centres have that name
		n, err = view.Network(ctx, vm.DataCentre+"/"+name)
	}
	return n, err
}
