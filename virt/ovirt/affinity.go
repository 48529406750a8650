package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// affinityInfo is an affinity group with the ids that requests need.
type affinityInfo struct {
	group *virt.AffinityGroup
	id    string
	vms   map[string]string // ids by names
	hosts []string          // ids
}

// affinityFollow is what is sent along with each group. They have no search.
var affinityFollow = []string{"vms", "hosts"}

func convAffinity(g *ovirtsdk.AffinityGroup) (affinityInfo, error) {
	vms, sent := items(g.Vms())
	hosts, sentHosts := items(g.Hosts())
	if !sent || !sentHosts {
		return affinityInfo{}, errNotSent
	}
	i := affinityInfo{id: value(g.Id()), vms: map[string]string{}}
	for _, v := range vms {
		i.vms[value(v.Name())] = value(v.Id())
	}
	for _, h := range hosts {
		i.hosts = append(i.hosts, value(h.Id()))
	}
	i.group = &virt.AffinityGroup{Name: value(g.Name()), Description: value(g.Description()), VMRule: ruleOf(g.VmsRule()), HostRule: ruleOf(g.HostsRule()),
		VMs: append([]string{}, slices.Sorted(maps.Keys(i.vms))...)}
	return i, nil
}

func ruleOf(r *ovirtsdk.AffinityRule, ok bool) virt.AffinityRule {
	rule := virt.AffinityRule{Affinity: "disabled"}
	if !ok || r == nil || !value(r.Enabled()) {
		return rule
	}
	rule.Affinity, rule.Enforcing = "negative", value(r.Enforcing())
	if value(r.Positive()) {
		rule.Affinity = "positive"
	}
	return rule
}

// AffinityGroup implements virt.Reader. Always read afresh: nobody asks twice.
func (e *Engine) AffinityGroup(ctx context.Context, cluster, name string) (*virt.AffinityGroup, error) {
	ref := virt.AffinityRef(cluster, name)
	c, err := e.findCluster(ctx, ref, cluster, "")
	if err != nil {
		return nil, err
	}
	i, err := e.affinityGroup(ctx, ref, c.id)
	if err != nil {
		return nil, err
	}
	return i.group, nil
}

// affinityGroup gives the group of a name in a cluster.
func (e *Engine) affinityGroup(ctx context.Context, ref virt.Ref, cluster string) (affinityInfo, error) {
	all, err := list(ctx, e.Client, kindAffinityGroup, path("clusters", cluster, "affinitygroups"), query{Follow: affinityFollow}, convAffinity)
	if err != nil {
		return affinityInfo{}, explain("read the affinity groups of its cluster", ref, err)
	}
	for _, i := range all {
		if i.group.Name != ref.Name {
			continue
		}
		i.group.Cluster, i.group.Hosts = ref.Scope, []string{}
		if len(i.hosts) > 0 {
			hosts, err := e.hostMap(ctx, i.hosts[0])
			if err != nil {
				return i, err
			}
			i.group.Hosts = hostNames(hosts, i.hosts)
		}
		return i, nil
	}
	return affinityInfo{}, virt.NotFound(ref, "make it with set_affinity, or check its name and its cluster")
}

// setAffinity makes a group, or changes its rules, and then its members, one by
// one: to engines they are collections of their own.
func (e *Engine) setAffinity(ctx context.Context, c virt.SetAffinity, d *edit) error {
	cluster, err := e.findCluster(ctx, c.Ref, c.Ref.Scope, "")
	if err != nil {
		return err
	}
	want := d.after.(*virt.AffinityGroup)
	body := affinityGroupXML{Description: textOf(want.Description), VMsRule: ruleXML(want.VMRule), HostsRule: ruleXML(want.HostRule)}
	var have affinityInfo
	if d.now == nil {
		have, err = e.makeAffinity(ctx, c.Ref, cluster.id, body, want)
	} else if have, err = e.affinityGroup(ctx, c.Ref, cluster.id); err == nil && (d.changes("description") || d.changesUnder("vm_rule") || d.changesUnder("host_rule")) {
		err = e.whileBusy(ctx, func(ctx context.Context) error {
			_, err := update(ctx, e.Client, kindAffinityGroup, path("clusters", cluster.id, "affinitygroups", have.id), nil, body, affinityID)
			return err
		})
	}
	if err != nil {
		return err
	}
	at := []string{"clusters", cluster.id, "affinitygroups", have.id}
	ids := map[string]string{}
	for _, name := range want.VMs {
		if ids[name] = have.vms[name]; ids[name] != "" {
			continue
		}
		m, err := e.machine(ctx, name)
		if err != nil {
			return err
		}
		ids[name] = m.id
	}
	if err := e.setMembers(ctx, append(slices.Clone(at), "vms"), slices.Collect(maps.Values(have.vms)), slices.Collect(maps.Values(ids))); err != nil {
		return err
	}
	var hosts []string
	for _, name := range want.Hosts {
		h, err := e.findHost(ctx, name)
		if err != nil {
			return err
		}
		hosts = append(hosts, h.id)
	}
	return e.setMembers(ctx, append(at, "hosts"), have.hosts, hosts)
}

// makeAffinity makes a group without members. Where the answer was lost, or the
// name is taken meanwhile, the one that is there is taken, unless it is another.
func (e *Engine) makeAffinity(ctx context.Context, ref virt.Ref, cluster string, body affinityGroupXML, want *virt.AffinityGroup) (affinityInfo, error) {
	body.Name = textOf(ref.Name)
	var id string
	err := e.whileBusy(ctx, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindAffinityGroup, path("clusters", cluster, "affinitygroups"), nil, body, affinityID)
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrConflict) {
		return affinityInfo{id: id}, err
	}
	found, lookErr := e.affinityGroup(ctx, ref, cluster)
	switch {
	case errors.Is(lookErr, virt.ErrNotFound):
		return found, err
	case lookErr != nil:
		return found, errors.Join(err, lookErr)
	case found.group.VMRule != want.VMRule || found.group.HostRule != want.HostRule:
		return found, err
	}
	return found, nil
}

// setMembers takes the members out that are not wanted, and puts in those that
// are missing.
func (e *Engine) setMembers(ctx context.Context, at, have, want []string) error {
	for _, id := range have {
		if slices.Contains(want, id) {
			continue
		}
		err := e.whileBusy(ctx, func(ctx context.Context) error {
			_, err := remove(ctx, e.Client, path(append(slices.Clone(at), id)...), nil)
			return err
		})
		if err != nil && !isGone(err) {
			return err
		}
	}
	for _, id := range want {
		if slices.Contains(have, id) {
			continue
		}
		if err := e.addMember(ctx, at, id); err != nil {
			return err
		}
	}
	return nil
}

// addMember puts a VM or a host into a group. After a lost answer its members
// tell whether it is in; and after an action's, which engines before 4.4 give.
func (e *Engine) addMember(ctx context.Context, at []string, id string) error {
	post, look := joinMember(e.Client, kindVM, path(at...), id)
	if at[len(at)-1] == "hosts" {
		post, look = joinMember(e.Client, kindHost, path(at...), id)
	}
	err := e.whileBusy(ctx, post)
	var f *Fault
	if acted := errors.As(err, &f) && f.Status < 300; !acted && !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	in, lookErr := look(ctx)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case slices.Contains(in, id):
		return nil
	}
	return err
}

// joinMember gives the request that adds a member, and the one that lists them.
func joinMember[S any](c *Client, k kind[S], at, id string) (post func(context.Context) error, look func(context.Context) ([]string, error)) {
	conv := func(s *S) (string, error) { return idOf(s), nil }
	return func(ctx context.Context) error {
			_, err := create(ctx, c, k, at, nil, refXML{ID: Text(id)}, conv)
			return err
		}, func(ctx context.Context) ([]string, error) {
			return list(ctx, c, k, at, query{}, conv)
		}
}

func ruleXML(r virt.AffinityRule) *affinityRuleXML {
	x := &affinityRuleXML{Enabled: r.Affinity != "disabled"}
	if x.Enabled {
		positive := r.Affinity == "positive"
		x.Positive, x.Enforcing = &positive, &r.Enforcing
	}
	return x
}

func affinityID(g *ovirtsdk.AffinityGroup) (string, error) { return value(g.Id()), nil }

// deleteAffinity removes a group.
func (e *Engine) deleteAffinity(ctx context.Context, d *edit) error {
	ref := d.now.Ref()
	cluster, err := e.findCluster(ctx, ref, ref.Scope, "")
	if err != nil {
		return err
	}
	have, err := e.affinityGroup(ctx, ref, cluster.id)
	if err != nil {
		return err
	}
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("clusters", cluster.id, "affinitygroups", have.id), nil)
		return err
	})
	if isGone(err) {
		return nil
	}
	return err
}

// checkSetAffinity looks for the cluster, and for members that are not in it.
func (e *Engine) checkSetAffinity(ctx context.Context, view virt.Reader, c virt.SetAffinity) error {
	cluster, err := e.findCluster(ctx, c.Ref, c.Ref.Scope, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range c.VMs.Or(nil) {
		vm, err := view.VM(ctx, name)
		if err == nil && vm.Cluster != "" && vm.Cluster != cluster.name {
			err = &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("cannot have %s, which is in another cluster", vm.Ref()),
				Wanted: "a VM of cluster " + cluster.name, Found: "cluster " + vm.Cluster}
		}
		errs = append(errs, err)
	}
	errs = append(errs, checkHosts(ctx, view, c.Ref, cluster.name, c.Hosts.Or(nil)))
	return errors.Join(errs...)
}
