package virttest

import (
	"fmt"
	"slices"

	"github.com/nactl/nactl/virt"
)

// engines are the changes of what only engines have.
func (r *runner) engines() []testCase {
	tags := func(edit virt.TagEdit) changeOf {
		return on(func(o virt.On) virt.SetVM { return virt.SetVM{On: o, Tags: edit} })
	}
	tagged := func(want ...string) func(virt.Object) error {
		return func(o virt.Object) error {
			if vm, ok := o.(*virt.VM); !ok || vm == nil || !slices.Equal(vm.Tags, want) {
				return fmt.Errorf("it is %+v, and its tags are to be %v", o, want)
			}
			return nil
		}
	}
	settings := func(s virt.OvirtSettings) changeOf {
		return on(func(o virt.On) virt.SetVM { return virt.SetVM{On: o, Ovirt: &s} })
	}
	two := tags(virt.TagEdit{Add: []string{r.Prefix + "web", r.Prefix + "prod"}})
	bound := settings(virt.OvirtSettings{HAPriority: virt.Some(50), Affinity: virt.Some("user_migratable"), Hosts: virt.Some([]string{r.Elsewhere})})
	isBound := vmShows(func(vm *virt.VM) bool {
		return vm.Ovirt != nil && vm.Ovirt.HAPriority.Or(0) == 50 && vm.Ovirt.Affinity.Or("") == "user_migratable" &&
			slices.Equal(vm.Ovirt.Hosts.Or(nil), []string{r.Elsewhere})
	})
	property := vmShows(func(vm *virt.VM) bool { return vm.Ovirt != nil && vm.Ovirt.CustomProperties["extra"] == "x & y" })
	extra := settings(virt.OvirtSettings{CustomProperties: map[string]string{"extra": "x & y"}})
	return append([]testCase{
		{kind: "set_vm", name: "tags", change: two, shows: tagged(r.Prefix+"prod", r.Prefix+"web")},
		{kind: "set_vm", name: "tags running", arrange: []changeOf{two, start}, change: tags(virt.TagEdit{Exactly: virt.Some([]string{r.Prefix + "web", r.Prefix + "x"})}),
			shows: tagged(r.Prefix+"web", r.Prefix+"x")},
		{kind: "set_vm", name: "tags fewer", arrange: []changeOf{two}, change: tags(virt.TagEdit{Remove: []string{r.Prefix + "prod", "never"}}),
			shows: tagged(r.Prefix + "web")},
		{kind: "set_vm", name: "engine", change: bound, shows: isBound},
		{kind: "set_vm", name: "engine running", arrange: []changeOf{start}, change: bound, shows: isBound},
		{kind: "set_vm", name: "properties", change: extra, shows: property},
		{kind: "set_vm", name: "properties running", arrange: []changeOf{start}, change: extra, shows: property},
	}, affinity(r.Cluster)...)
}

func affinity(cluster string) []testCase {
	group := func(vm string) virt.Ref { return virt.AffinityRef(cluster, vm+"-apart") }
	set := func(o virt.On, affinity string) virt.SetAffinity {
		if o.Ref.Kind == virt.KindVM {
			o = virt.On{Ref: group(o.Ref.Name)}
		}
		return virt.SetAffinity{On: o, Description: virt.Some("a <b>"),
			VMRule: virt.AffinityRuleEdit{Affinity: virt.Some(affinity), Enforcing: virt.Some(affinity != "disabled")}}
	}
	apart := on(func(o virt.On) virt.SetAffinity { return set(o, "negative") })
	shows := func(affinity string) func(virt.Object) error {
		return func(o virt.Object) error {
			g, ok := o.(*virt.AffinityGroup)
			if !ok || g == nil || g.VMRule.Affinity != affinity || g.Description != "a <b>" || g.HostRule.Affinity != "disabled" {
				return fmt.Errorf("it is %+v", o)
			}
			return nil
		}
	}
	return []testCase{
		{kind: "set_affinity", name: "new", fresh: true, object: group, change: apart, shows: shows("negative")},
		{kind: "set_affinity", name: "other rule", makes: true, object: group, arrange: []changeOf{apart},
			change: on(func(o virt.On) virt.SetAffinity { return set(o, "positive") }), shows: shows("positive")},
		{kind: "set_affinity", name: "no rule", makes: true, object: group, arrange: []changeOf{apart},
			change: on(func(o virt.On) virt.SetAffinity { return set(o, "disabled") }), shows: shows("disabled")},
		{kind: "delete_affinity", name: "rule", absentIsDone: true, object: group, arrange: []changeOf{apart},
			change: on(func(o virt.On) virt.DeleteAffinity { return virt.DeleteAffinity{On: o} }), shows: gone},
	}
}
