package virt

import (
	"cmp"
	"slices"
)

// AffinityGroup keeps VMs together or apart, and on hosts or off them.
type AffinityGroup struct {
	Name        string       `json:"name"`
	Cluster     string       `json:"cluster"` // as it was asked for: empty where there is only one
	Description string       `json:"description,omitempty"`
	VMRule      AffinityRule `json:"vm_rule"`
	HostRule    AffinityRule `json:"host_rule"`
	VMs         []string     `json:"vms"`   // names, sorted
	Hosts       []string     `json:"hosts"` // names, sorted
}

// AffinityRule is one of the two rules of an affinity group.
type AffinityRule struct {
	// Affinity is positive (together, or on the hosts), negative (apart, or off the
	// hosts) or disabled.
	Affinity  string `json:"affinity"`
	Enforcing bool   `json:"enforcing"` // a VM does not run where the rule does not hold
}

// Ref names the group.
func (g *AffinityGroup) Ref() Ref { return AffinityRef(g.Cluster, g.Name) }

// Clone returns a deep copy.
func (g *AffinityGroup) Clone() Object {
	c := *g
	c.VMs, c.Hosts = slices.Clone(g.VMs), slices.Clone(g.Hosts)
	return &c
}

// AffinityRef names an affinity group of a cluster; the cluster is empty where
// there is only one.
func AffinityRef(cluster, name string) Ref {
	return Ref{Kind: KindAffinityGroup, Scope: cluster, Name: name}
}

// SetAffinity makes an affinity group, or changes one. Ref.Scope is its cluster.
type SetAffinity struct {
	On
	converge
	Description Opt[string]      `json:"description,omitzero"`
	VMRule      AffinityRuleEdit `json:"vm_rule,omitzero"`
	HostRule    AffinityRuleEdit `json:"host_rule,omitzero"`
	VMs         Opt[[]string]    `json:"vms,omitzero"`
	Hosts       Opt[[]string]    `json:"hosts,omitzero"`
	AddOnly     bool             `json:"add_only,omitempty"` // members that are not named stay
}

// AffinityRuleEdit is what a rule is to become.
type AffinityRuleEdit struct {
	Affinity  Opt[string] `json:"affinity,omitzero"`
	Enforcing Opt[bool]   `json:"enforcing,omitzero"`
}

// DeleteAffinity removes an affinity group. Its VMs stay where they are.
type DeleteAffinity struct {
	On
	converge
}

func setAffinity(before Object, c SetAffinity) (Object, Outcome, error) {
	var d diff
	g, _ := before.(*AffinityGroup)
	after := &AffinityGroup{Name: c.Ref.Name, Cluster: c.Ref.Scope,
		VMRule: AffinityRule{Affinity: "disabled"}, HostRule: AffinityRule{Affinity: "disabled"}, VMs: []string{}, Hosts: []string{}}
	if g == nil {
		d.set(string(KindAffinityGroup), nil, c.Ref.Name, "")
	} else {
		after = g.Clone().(*AffinityGroup)
	}
	afterwards(&d, "description", after.Description, c.Description)
	if v, ok := c.Description.Get(); ok {
		d.set("description", after.Description, v, "")
		after.Description = v
	}
	setRule(&d, "vm_rule", &after.VMRule, c.VMRule)
	setRule(&d, "host_rule", &after.HostRule, c.HostRule)
	members(&d, "vms", &after.VMs, c.VMs, c.AddOnly)
	members(&d, "hosts", &after.Hosts, c.Hosts, c.AddOnly)
	return after, d.out, nil
}

func setRule(d *diff, path string, rule *AffinityRule, want AffinityRuleEdit) {
	afterwards(d, path, rule.Affinity, want.Affinity)
	afterwards(d, path+".enforcing", rule.Enforcing, want.Enforcing)
	affinity := cmp.Or(want.Affinity.Or(""), rule.Affinity)
	d.set(path, rule.Affinity, affinity, "")
	rule.Affinity = affinity
	if affinity == "disabled" {
		rule.Enforcing = false // which has no meaning, and is not told
		return
	}
	enforcing := want.Enforcing.Or(rule.Enforcing)
	d.set(path+".enforcing", rule.Enforcing, enforcing, "")
	rule.Enforcing = enforcing
}

func members(d *diff, path string, have *[]string, want Opt[[]string], addOnly bool) {
	names, ok := want.Get()
	if !ok {
		afterwards(d, path, *have, want)
		return
	}
	names = slices.Clone(names)
	if addOnly {
		names = append(names, *have...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	d.set(path, *have, names, "")
	*have = names
}
