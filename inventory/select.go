package inventory

import (
	"path"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Select gives the targets that a pattern names, in the order of the inventory.
// The pattern is a text or a list of texts: names, groups, globs and ranges with
// "," or ":" (or), "&" (and), "!" (not) and parentheses. A list means or; in it,
// and behind a comma, a term that starts with & or ! narrows the whole, as in
// Ansible. A term that matches nothing is an error. A node that is a member of a
// cluster is meant only by its own name, or by CLUSTER.members.
func (inv *Inventory) Select(n *source.Node) ([]Target, diag.List) {
	set, list := inv.evaluate(n)
	if list.HasErrors() {
		return nil, list
	}
	inv.checkMembers(n, set, &list)
	if len(set) == 0 {
		list.Errorf(n.Range, "empty-pattern", "no target is left by this pattern: the terms with & and ! take away all that the others name")
	}
	if list.HasErrors() {
		return nil, list
	}
	var out []Target
	for _, e := range inv.targets {
		if set[e] {
			out = append(out, inv.target(e))
		}
	}
	return out, list
}

// Limit keeps those targets that a pattern names, too. None may be left.
func (inv *Inventory) Limit(targets []Target, n *source.Node) ([]Target, diag.List) {
	set, list := inv.evaluate(n)
	if list.HasErrors() {
		return nil, list
	}
	var out []Target
	for _, t := range targets {
		if set[inv.byName[t.Name]] {
			out = append(out, t)
		}
	}
	return out, list
}

// SelectText is Select for a pattern that stands in no file; where names its
// place for messages, as --limit.
func (inv *Inventory) SelectText(text, where string) ([]Target, diag.List) {
	return inv.Select(source.FromAny(text, diag.Range{Pos: diag.Pos{File: where}}))
}

// checkMembers refuses a cluster together with one of its members: both would
// work on the same VMs at the same time.
func (inv *Inventory) checkMembers(n *source.Node, set map[*entity]bool, list *diag.List) {
	for _, c := range inv.Clusters {
		if !set[inv.byName[c.Name]] {
			continue
		}
		var both []string
		for _, m := range c.Nodes {
			if set[inv.byName[m.Name]] {
				both = append(both, m.Name)
			}
		}
		if len(both) > 0 {
			list.Errorf(n.Range, "cluster-and-member", "cluster %s and its member %s cannot be targets of one play: select one or the other",
				c.Name, strings.Join(both, ", "))
		}
	}
}

func (inv *Inventory) evaluate(n *source.Node) (map[*entity]bool, diag.List) {
	p, list := parsePattern(n)
	if list.HasErrors() {
		return nil, list
	}
	e := evaluation{inv: inv}
	set := e.pattern(p)
	return set, e.list
}

// evaluation finds the targets of a pattern, and all terms that name none.
type evaluation struct {
	inv  *Inventory
	list diag.List
}

// everything is what "all" means: members of clusters are not in it.
func (e *evaluation) everything() map[*entity]bool {
	set := map[*entity]bool{}
	for _, t := range e.inv.targets {
		if t.member == nil {
			set[t] = true
		}
	}
	return set
}

func (e *evaluation) pattern(p *pattern) map[*entity]bool {
	var out map[*entity]bool
	var narrow []item
	for _, it := range p.items {
		if it.mode != union {
			narrow = append(narrow, it)
			continue
		}
		if out == nil {
			out = map[*entity]bool{}
		}
		for t := range e.item(it) {
			out[t] = true
		}
	}
	if out == nil { // only & and !
		out = e.everything()
	}
	for _, m := range []mode{intersect, exclude} {
		for _, it := range narrow {
			if it.mode != m {
				continue
			}
			set := e.item(it)
			for t := range out {
				if set[t] != (m == intersect) {
					delete(out, t)
				}
			}
		}
	}
	return out
}

// item gives what all operands have in common. Those with ! are taken from the
// others, so that n1 & !n2 works for members of clusters, too.
func (e *evaluation) item(it item) map[*entity]bool {
	var out map[*entity]bool
	for _, o := range it.all {
		if o.not {
			continue
		}
		set := e.operand(o)
		if out == nil {
			out = set
			continue
		}
		for t := range out {
			if !set[t] {
				delete(out, t)
			}
		}
	}
	if out == nil {
		out = e.everything()
	}
	for _, o := range it.all {
		if o.not {
			for t := range e.operand(o) {
				delete(out, t)
			}
		}
	}
	return out
}

// operand gives a set of its own.
func (e *evaluation) operand(o operand) map[*entity]bool {
	if o.group != nil {
		return e.pattern(o.group)
	}
	set := map[*entity]bool{}
	names, problem := []string{o.name}, ""
	if hasRange(o.name) {
		expanded, err := expand(o.name)
		if err != nil {
			e.list.Errorf(o.at, "range", "%s", err)
			return set
		}
		names = expanded
	}
	for _, name := range names {
		if problem = e.name(name, set); problem != "" {
			break
		}
	}
	if problem != "" {
		e.list.Errorf(o.at, "unknown-target", "%s", problem)
	}
	return set
}

// name adds to set what one name or glob means, or says why it means nothing.
func (e *evaluation) name(name string, set map[*entity]bool) (problem string) {
	if name == "all" || name == "*" {
		for t := range e.everything() {
			set[t] = true
		}
		if len(set) == 0 {
			return "the inventory has no targets"
		}
		return ""
	}
	if t := e.inv.byName[name]; t != nil {
		set[t] = true
		return ""
	}
	if cluster, ok := strings.CutSuffix(name, membersSuffix); ok {
		return e.membersOf(cluster, set)
	}
	if g := e.inv.groups[name]; g != nil {
		var members []string
		before := len(set)
		for t := range g.set {
			if t.member == nil {
				set[t] = true
			} else {
				members = append(members, t.name)
			}
		}
		if len(set) == before && len(g.set) == 0 {
			return "group " + name + " has no targets"
		}
		if len(set) == before && len(members) == len(g.set) {
			return e.onlyMembers("group "+name, members)
		}
		return ""
	}
	if isGlob(name) {
		return e.glob(name, set)
	}
	return "there is no target or group " + name + orList(name, e.known())
}

func (e *evaluation) membersOf(cluster string, set map[*entity]bool) (problem string) {
	t := e.inv.byName[cluster]
	if t == nil || t.cluster == nil {
		var clusters []string
		for _, c := range e.inv.Clusters {
			clusters = append(clusters, c.Name)
		}
		return "there is no cluster " + cluster + orList(cluster, clusters)
	}
	for _, n := range t.cluster.Nodes {
		set[e.inv.byName[n.Name]] = true
	}
	return ""
}

func (e *evaluation) glob(glob string, set map[*entity]bool) (problem string) {
	if _, err := path.Match(glob, ""); err != nil {
		return "the pattern " + glob + " is not well formed"
	}
	var members []string
	found := false
	for _, t := range e.inv.targets {
		switch ok, _ := path.Match(glob, t.name); {
		case ok && t.member == nil:
			set[t], found = true, true
		case ok:
			members = append(members, t.name)
		}
	}
	for _, g := range e.inv.Groups {
		if ok, _ := path.Match(glob, g.Name); ok {
			for t := range g.set {
				if t.member == nil {
					set[t], found = true, true
				}
			}
		}
	}
	switch {
	case found:
		return ""
	case len(members) > 0:
		return e.onlyMembers(glob, members)
	}
	return "no target or group matches " + glob
}

// onlyMembers says why what matches members of clusters selects nothing.
func (e *evaluation) onlyMembers(what string, members []string) string {
	slices.Sort(members)
	cluster := e.inv.byName[members[0]].member.Name
	if len(members) > 3 {
		members = append(members[:3:3], "…")
	}
	return what + " has only members of clusters (" + strings.Join(members, ", ") + "): select " + cluster + ", " +
		cluster + membersSuffix + " or a node by its name"
}

// known gives every name that a pattern may hold.
func (e *evaluation) known() []string {
	out := append(e.inv.Names(), e.inv.groupNames()...)
	for _, c := range e.inv.Clusters {
		out = append(out, c.Name+membersSuffix)
	}
	return out
}
