// Package setaffinity is the step set_affinity: VMs that run together or apart,
// on hosts or off them.
package setaffinity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of set_affinity.
type Args struct {
	Name          string             `arg:"name,required,identity" doc:"name of the affinity group"`
	Cluster       string             `arg:"cluster,identity" doc:"its cluster; may be left out where there is only one"`
	Description   step.Opt[string]   `arg:"description" doc:"a description"`
	VMs           step.Opt[[]string] `arg:"vms" doc:"its VMs: these and no others"`
	Hosts         step.Opt[[]string] `arg:"hosts" doc:"its hosts: these and no others"`
	AddOnly       bool               `arg:"add_only" doc:"VMs and hosts that are not named stay in it"`
	VMRule        step.Opt[string]   `arg:"vm_rule" enum:"positive|negative|disabled" doc:"positive: its VMs run on one host; negative: each on another. Left out of a new group: disabled"`
	VMEnforcing   step.Opt[bool]     `arg:"vm_enforcing" doc:"a VM that cannot keep vm_rule does not run; left out of a new group: false"`
	HostRule      step.Opt[string]   `arg:"host_rule" enum:"positive|negative|disabled" doc:"positive: its VMs run on its hosts; negative: on others. Left out of a new group: disabled"`
	HostEnforcing step.Opt[bool]     `arg:"host_enforcing" doc:"a VM that cannot keep host_rule does not run; left out of a new group: false"`
}

// Spec describes set_affinity.
var Spec = &step.Spec{
	Name:    "set_affinity",
	Summary: "Makes an engine's affinity group, or changes its rules and members",
	Doc: "Arguments that are left out stay as they are. A rule speaks of where VMs start and move to: those that run already are moved by the engine, in its own time.\n" +
		"Words are those of Ansible's `ovirt_affinity_group`.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetAffinity{}},
	Touches: virt.KindAffinityGroup,
	Example: `- name: Both databases never on one host
  set_affinity: {name: databases, vms: [db-1, db-2], vm_rule: negative, vm_enforcing: true}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	for _, r := range []struct {
		key             string
		rule, enforcing bool
	}{
		{"vm_enforcing", a.VMRule.Or("") == "disabled", a.VMEnforcing.Or(false)},
		{"host_enforcing", a.HostRule.Or("") == "disabled", a.HostEnforcing.Or(false)},
	} {
		if r.rule && r.enforcing {
			v.Errorf(r.key, "%s: a rule that is disabled cannot be enforced", r.key)
		}
	}
	for key, names := range map[string][]string{"vms": a.VMs.Or(nil), "hosts": a.Hosts.Or(nil)} {
		if i := slices.Index(names, ""); i >= 0 {
			v.Errorf(fmt.Sprintf("%s[%d]", key, i), "%s: a member has no name", key)
		}
	}
}

// Ensure compares and sets.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	change := virt.SetAffinity{
		On: virt.On{Ref: virt.AffinityRef(a.Cluster, a.Name)}, Description: a.Description.Opt, VMs: a.VMs.Opt, Hosts: a.Hosts.Opt, AddOnly: a.AddOnly,
		VMRule:   virt.AffinityRuleEdit{Affinity: a.VMRule.Opt, Enforcing: a.VMEnforcing.Opt},
		HostRule: virt.AffinityRuleEdit{Affinity: a.HostRule.Opt, Enforcing: a.HostEnforcing.Opt},
	}
	g, err := env.Platform.AffinityGroup(ctx, a.Cluster, a.Name)
	switch {
	case err == nil:
		change.On = virt.On{Ref: g.Ref(), Before: g}
	case !missing(err):
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, change)
	return step.Result{}, err
}

// missing tells whether it is the group that is not there, and not its cluster.
func missing(err error) bool {
	var e *virt.Error
	return errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindAffinityGroup
}
