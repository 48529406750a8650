package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// deleteNetwork takes a network from the hosts, and, unless only some were named,
// from the clusters and the data centre. Its vNIC profiles go with it.
func (e *Engine) deleteNetwork(ctx context.Context, c virt.DeleteNetwork, d *edit) error {
	n, err := e.network(ctx, c.Ref)
	if err != nil {
		return err
	}
	hosts, err := e.carrying(ctx, c, n, d.out)
	if err != nil {
		return err
	}
	whole := d.after == nil
	if whole {
		// What came by a label can be taken from a host only once the network has lost
		// it. The engine then does so by itself, some time.
		if err := e.unlabel(ctx, n.id); err != nil {
			return err
		}
	}
	err = e.setupAll(ctx, hosts, func(h hostInfo) *actionXML {
		return setup(func(a *actionXML) { a.Removed = &[]networkAttachmentXML{{ID: Text(h.carries(n.id).id)}} })
	})
	if err != nil && !e.left(ctx, n.id, hosts) {
		return labelHint(c.Ref, err)
	}
	if !whole {
		return nil
	}
	members, err := e.memberMap(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if !members[id].networks[n.id] {
			continue
		}
		if err := e.removeNetwork(ctx, path("clusters", id, "networks", n.id)); err != nil {
			return err
		}
	}
	return e.removeNetwork(ctx, path("networks", n.id))
}

// carrying gives the hosts that a network is to be taken from. Those that cannot
// be set up now keep it, which is pending, or prevent the change.
func (e *Engine) carrying(ctx context.Context, c virt.DeleteNetwork, n networkInfo, out *virt.Outcome) ([]hostInfo, error) {
	carriers, err := e.carrierMap(ctx)
	if err != nil {
		return nil, err
	}
	var hosts []hostInfo
	var errs []error
	for _, h := range carriers {
		k := h.carries(n.id)
		switch {
		case k == nil, len(c.Hosts) > 0 && !slices.Contains(c.Hosts, h.host.Name):
		case slices.Contains(settableStates, h.status):
			hosts = append(hosts, h)
		case c.AllHosts:
			errs = append(errs, notSettable(h))
		default:
			wait(out, virt.Pending{Field: "hosts." + h.host.Name, Live: k.nic, Reason: fmt.Sprintf("the host is %s, and keeps it until its networks are set up anew", h.status)})
		}
	}
	sortBy(hosts, func(h hostInfo) string { return h.host.Name })
	return hosts, errors.Join(errs...)
}

// wait notes what is pending, unless it stands there already.
func wait(out *virt.Outcome, p virt.Pending) {
	if !slices.ContainsFunc(out.Pending, func(o virt.Pending) bool { return o.Field == p.Field }) {
		out.Pending = append(out.Pending, p)
	}
}

// notSettable is the error of a host that has to be set up and cannot.
func notSettable(h hostInfo) error {
	return &virt.Error{Kind: virt.ErrConflict, Object: h.host.Ref(), Summary: "cannot have its networks set up now",
		Wanted: "a host that is up, in maintenance or non-operational", Found: "it is " + string(h.status),
		Hint: "bring the host up, or leave it out with unreachable_hosts: skip"}
}

// left tells whether none of the hosts has a network any more.
func (e *Engine) left(ctx context.Context, network string, hosts []hostInfo) bool {
	e.dir.carriers.drop()
	carriers, err := e.carrierMap(ctx)
	return err == nil && !slices.ContainsFunc(hosts, func(h hostInfo) bool {
		now := carriers[h.id]
		return now.carries(network) != nil
	})
}

// unlabel takes a network's label away.
func (e *Engine) unlabel(ctx context.Context, network string) error {
	labels, err := list(ctx, e.Client, kindNetworkLabel, path("networks", network, "networklabels"), query{}, func(l *ovirtsdk.NetworkLabel) (string, error) {
		return value(l.Id()), nil
	})
	if err != nil {
		return err
	}
	for _, l := range labels {
		if err := e.removeNetwork(ctx, path("networks", network, "networklabels", l)); err != nil {
			return err
		}
	}
	return nil
}

// labelHint adds what to do about a network that hangs on a label.
func labelHint(network virt.Ref, err error) error {
	var f *Fault
	if !errors.As(err, &f) || !strings.Contains(f.Detail, "managed by the label") {
		return err
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: network, Summary: "came to the host by a label", Err: err,
		Hint: "take the label from the host's NIC on the engine, or delete the network from all hosts"}
}

// removeNetwork deletes what belongs to a network.
func (e *Engine) removeNetwork(ctx context.Context, at string) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, at, nil)
		return err
	})
	if isGone(err) {
		return nil
	}
	return err
}

// netUser is a VM or template with NICs.
type netUser struct {
	name, host string // host is an id, of a VM that runs
	profiles   []string
}

func profilesOf(nics []*ovirtsdk.Nic) []string {
	var ids []string
	for _, n := range nics {
		ids = append(ids, idIn(n.VnicProfile()))
	}
	return ids
}

func convUser(v *ovirtsdk.Vm) (netUser, error) {
	nics, sent := items(v.Nics())
	if !sent {
		return netUser{}, errNotSent
	}
	return netUser{name: value(v.Name()), host: idIn(v.Host()), profiles: profilesOf(nics)}, nil
}

func convTemplateUser(t *ovirtsdk.Template) (netUser, error) {
	nics, sent := items(t.Nics())
	if !sent {
		return netUser{}, errNotSent
	}
	return netUser{name: value(t.Name()), profiles: profilesOf(nics)}, nil
}

// checkDeleteNetwork lists who uses a network. Where only hosts lose it, these are
// the VMs that run there.
func (e *Engine) checkDeleteNetwork(ctx context.Context, view virt.Reader, c virt.DeleteNetwork) error {
	n, err := e.network(ctx, c.Ref)
	if err != nil {
		return err
	}
	profiles, err := e.profileMap(ctx, "")
	if err != nil {
		return err
	}
	term, _ := equals("vnic.network_name", plainName(c.Ref.Name)) // without it, all are looked through
	uses := func(u netUser) bool {
		return slices.ContainsFunc(u.profiles, func(id string) bool { return profiles[id].network == n.id })
	}
	vms, err := list(ctx, e.Client, kindVM, "/vms", query{Search: term, Follow: []string{"nics"}}, convUser)
	if err != nil {
		return explain("look for VMs that use it", c.Ref, err)
	}
	hosts, err := e.hostMap(ctx, "")
	if err != nil {
		return err
	}
	var errs []error
	used := func(by string, names []string) {
		if len(names) > 0 {
			slices.Sort(names)
			errs = append(errs, &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: fmt.Sprintf("is used by %d %s", len(names), by),
				Found: strings.Join(names, ", "), Hint: "give these another network first, or delete them"})
		}
	}
	var names []string
	for _, u := range vms {
		here := len(c.Hosts) == 0 || u.host != "" && slices.Contains(c.Hosts, hosts[u.host].host.Name)
		if uses(u) && here && e.stillUses(ctx, view, n, u.name) {
			names = append(names, u.name)
		}
	}
	used("VMs", names)
	if len(c.Hosts) > 0 {
		return errors.Join(errs...)
	}
	templates, err := list(ctx, e.Client, kindTemplate, "/templates", query{Search: term, Follow: []string{"nics"}}, convTemplateUser)
	if err != nil {
		return explain("look for templates that use it", c.Ref, err)
	}
	names = nil
	for _, u := range templates {
		if uses(u) {
			names = append(names, u.name)
		}
	}
	used("templates", names)
	return errors.Join(errs...)
}

// stillUses asks a plan whether one of its earlier steps takes a VM, or its NICs,
// off a network. What cannot be told counts as use.
func (e *Engine) stillUses(ctx context.Context, view virt.Reader, n networkInfo, vm string) bool {
	if view == virt.Reader(e) {
		return true
	}
	now, err := view.VM(ctx, vm)
	if err != nil {
		return !errors.Is(err, virt.ErrNotFound)
	}
	return slices.ContainsFunc(now.NICs, func(nic virt.NIC) bool {
		name, _, _ := strings.Cut(nic.Network, "/")
		return name == plainName(n.net.Name)
	})
}
