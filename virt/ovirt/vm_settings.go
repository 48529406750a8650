package ovirt

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// ovirtOf takes what only engines have of a VM. The hosts are filled in with the
// names: see Engine.name.
func ovirtOf(v *ovirtsdk.Vm) (s *virt.OvirtSettings, hosts []string) {
	s = &virt.OvirtSettings{HAPriority: virt.Some(0), Affinity: virt.Some("migratable"), Hosts: virt.Some([]string{}),
		DeleteProtected: virt.Some(value(v.DeleteProtected()))}
	if ha, ok := v.HighAvailability(); ok && ha != nil {
		s.HAPriority = virt.Some(int(value(ha.Priority())))
	}
	if p, ok := v.PlacementPolicy(); ok && p != nil {
		s.Affinity = virt.Some(cmp.Or(string(value(p.Affinity())), "migratable"))
		list, _ := items(p.Hosts())
		for _, h := range list {
			hosts = append(hosts, value(h.Id()))
		}
	}
	properties, _ := items(v.CustomProperties())
	for _, p := range properties {
		if s.CustomProperties == nil {
			s.CustomProperties = map[string]string{}
		}
		s.CustomProperties[value(p.Name())] = value(p.Value())
	}
	return s, hosts
}

// customProperties writes them all: to an engine those that are left out are to go.
func customProperties(properties map[string]string) *[]customPropertyXML {
	list := []customPropertyXML{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if properties[name] != "" {
			list = append(list, customPropertyXML{Name: Text(name), Value: Text(properties[name])})
		}
	}
	return &list
}

// placement writes affinity and hosts together: an engine takes the hosts away
// that are not sent along.
func (e *Engine) placement(ctx context.Context, affinity string, names []string) (*placementXML, error) {
	hosts := []refXML{}
	for _, name := range names {
		h, err := e.findHost(ctx, name)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, *byID(h.id))
	}
	return &placementXML{Affinity: textOf(affinity), Hosts: &hosts}, nil
}

// nextRunOnly tells why a running VM takes a setting over only at its next start.
func nextRunOnly(path string) string {
	if path == "boot" || strings.HasPrefix(path, "ovirt.custom_properties.") {
		return "after a restart"
	}
	return ""
}

// settingsPending says what of a running VM's settings is not in force: was is
// what it runs with, vm what is stored.
func settingsPending(was, vm *virt.VM) []virt.Pending {
	var out []virt.Pending
	add := func(path string, live, configured any) {
		out = append(out, virt.Pending{Field: path, Live: live, Configured: configured, Reason: nextRunOnly(path)})
	}
	if !slices.Equal(was.Boot, vm.Boot) {
		add("boot", was.Boot, vm.Boot)
	}
	if was.Ovirt == nil || vm.Ovirt == nil {
		return out
	}
	names := map[string]string{}
	maps.Copy(names, was.Ovirt.CustomProperties)
	maps.Copy(names, vm.Ovirt.CustomProperties)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		live, runs := was.Ovirt.CustomProperties[name]
		configured, stored := vm.Ovirt.CustomProperties[name]
		if live != configured {
			add("ovirt.custom_properties."+name, orNil(live, runs), orNil(configured, stored))
		}
	}
	return out
}

func orNil(text string, there bool) any {
	if !there {
		return nil
	}
	return text
}

// setVM changes what describes a VM, and what is rarely changed. What a running VM
// takes over at its next start goes to its next-run configuration.
func (e *Engine) setVM(ctx context.Context, d *edit) error {
	want, body, later := d.want(), vmXML{}, vmXML{}
	if d.changes("title") {
		body.Comment = textOf(want.Title)
	}
	if d.changes("description") {
		body.Description = textOf(withMark(want.Description, want.Unfinished))
	}
	if o := want.Ovirt; o != nil {
		if d.changes("autostart") || d.changes("ovirt.ha_priority") {
			body.HighAvailability = &haXML{Enabled: want.Autostart}
		}
		if n, ok := o.HAPriority.Get(); ok && d.changes("ovirt.ha_priority") {
			body.HighAvailability.Priority = &n
		}
		if protected, ok := o.DeleteProtected.Get(); ok && d.changes("ovirt.delete_protected") {
			body.DeleteProtected = &protected
		}
		if d.changes("ovirt.affinity") || d.changes("ovirt.hosts") {
			var err error
			if body.PlacementPolicy, err = e.placement(ctx, o.Affinity.Or("migratable"), o.Hosts.Or(nil)); err != nil {
				return err
			}
		}
		if d.changesUnder("ovirt.custom_properties.") {
			later.CustomProperties = customProperties(o.CustomProperties)
		}
	}
	if d.changes("boot") {
		later.OS = bootOrder(want.Boot)
	}
	if body != (vmXML{}) {
		if err := e.put(ctx, d.m.id, d.m.atOnce(), body); err != nil {
			return err
		}
	}
	if later != (vmXML{}) {
		q := url.Values(nil)
		if d.vm().Live != nil {
			q = nextRun
		}
		if err := e.put(ctx, d.m.id, q, later); err != nil {
			return err
		}
	}
	if d.changes("tags") {
		return e.setTags(ctx, d.m, want.Tags)
	}
	return nil
}

// changesUnder tells whether a field whose path begins so is among what changes.
func (d *edit) changesUnder(prefix string) bool {
	return slices.ContainsFunc(d.out.Fields, func(f virt.FieldChange) bool { return strings.HasPrefix(f.Path, prefix) })
}

// checkSetVM looks for the hosts that a VM is to be bound to.
func (e *Engine) checkSetVM(ctx context.Context, view virt.Reader, c virt.SetVM) error {
	if c.Ovirt == nil {
		return nil
	}
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	return checkHosts(ctx, view, c.Ref, vm.Cluster, c.Ovirt.Hosts.Or(nil))
}

// checkHosts looks whether hosts are there, in a cluster.
func checkHosts(ctx context.Context, view virt.Reader, about virt.Ref, cluster string, names []string) error {
	for _, name := range names {
		h, err := view.Host(ctx, name)
		if err != nil {
			return err
		}
		if cluster != "" && h.Cluster != cluster {
			return &virt.Error{Kind: virt.ErrInvalid, Object: about, Summary: "cannot be bound to host " + name + ", which is not in its cluster",
				Wanted: "a host of cluster " + cluster, Found: "cluster " + h.Cluster}
		}
	}
	return nil
}
