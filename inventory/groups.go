package inventory

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// group reads one group of one file; the same group in another file adds to it.
func (l *loader) group(name, v *source.Node, dir string) {
	what := "group " + name.Str
	known := groupKeys
	if name.Str == "all" {
		known = []Key{varsKey}
	} else if problem := badName(name.Str); problem != "" {
		l.list.Errorf(name.Range, "name", "%s: %s", what, problem)
		return
	}
	f, ok := newFields(&l.list, v, what, dir, known)
	if !ok {
		return
	}
	vars := f.mapping("vars")
	if vars != nil {
		checkSecrets(vars, &l.list)
	}
	if name.Str == "all" {
		if vars != nil {
			l.inv.level(0).all.add("group all", vars)
		}
		return
	}
	g := l.inv.groups[name.Str]
	if g == nil {
		g = &Group{Name: name.Str, Range: name.Range, set: map[*entity]bool{}}
		l.inv.groups[name.Str] = g
		l.inv.Groups = append(l.inv.Groups, g)
	}
	g.members = append(g.members, f.nodes("members")...)
	g.children = append(g.children, f.nodes("children")...)
	if vars != nil {
		l.inv.level(0).group(g.Name).add(what, vars)
	}
}

func (inv *Inventory) groupNames() []string {
	out := make([]string, len(inv.Groups))
	for i, g := range inv.Groups {
		out[i] = g.Name
	}
	return out
}

// finishGroups looks up members and children, and gives every target its groups.
func (l *loader) finishGroups() {
	for _, g := range l.inv.Groups {
		if e, taken := l.inv.byName[g.Name]; taken {
			l.list.Errorf(g.Range, "name-clash", "group %q: a %s of that name stands at %s", g.Name, e.kind, e.at.Pos)
		}
		l.groupChildren(g)
		l.groupMembers(g)
	}
	if l.groupCycles() {
		return
	}
	for _, g := range l.inv.Groups {
		g.Depth = g.depth()
	}
	// Children first: what they have, their parents have.
	byDepth := slices.Clone(l.inv.Groups)
	slices.SortStableFunc(byDepth, func(a, b *Group) int { return b.Depth - a.Depth })
	for _, g := range byDepth {
		for _, p := range g.parents {
			for e := range g.set {
				p.set[e] = true
			}
		}
	}
	slices.SortStableFunc(byDepth, func(a, b *Group) int {
		return cmp.Or(a.Depth-b.Depth, strings.Compare(a.Name, b.Name))
	})
	for _, g := range byDepth {
		for _, e := range l.inv.targets {
			if g.set[e] {
				g.Targets = append(g.Targets, e.name)
				e.groups = append(e.groups, g)
			}
		}
	}
}

func (l *loader) groupChildren(g *Group) {
	for _, n := range g.children {
		child := l.inv.groups[n.Str]
		if child == nil {
			hint := diag.DidYouMean(n.Str, l.inv.groupNames())
			if l.inv.byName[n.Str] != nil {
				hint = ": that is a target, and belongs into members"
			}
			l.list.Errorf(n.Range, "unknown-group", "group %s: there is no group %q%s", g.Name, n.Str, hint)
			continue
		}
		g.Children = append(g.Children, n.Str)
		if !slices.Contains(child.parents, g) {
			child.parents = append(child.parents, g)
		}
	}
}

func (l *loader) groupMembers(g *Group) {
	for _, n := range g.members {
		found, problem := l.inv.matchNames(n.Str, func(*entity) bool { return true })
		if problem != "" {
			if l.inv.groups[n.Str] != nil {
				problem = n.Str + " is a group, and belongs into children"
			}
			l.list.Errorf(n.Range, "unknown-target", "group %s: %s", g.Name, problem)
			continue
		}
		g.Members = append(g.Members, n.Str)
		for _, e := range found {
			g.set[e] = true
		}
	}
}

// groupCycles reports groups that contain themselves.
func (l *loader) groupCycles() bool {
	found := false
	state := map[*Group]int{} // 1 = on the way, 2 = done
	var visit func(g *Group, way []string)
	visit = func(g *Group, way []string) {
		way = append(way, g.Name)
		switch state[g] {
		case 1:
			found = true
			l.list.Errorf(g.Range, "group-cycle", "group %s contains itself: %s", g.Name, strings.Join(way[slices.Index(way, g.Name):], " > "))
			return
		case 2:
			return
		}
		state[g] = 1
		for _, c := range g.Children {
			visit(l.inv.groups[c], way)
		}
		state[g] = 2
	}
	for _, g := range l.inv.Groups {
		visit(g, nil)
	}
	return found
}

// depth gives the length of the longest way down to the group. There are no
// cycles when it is called.
func (g *Group) depth() int {
	if g.Depth > 0 {
		return g.Depth
	}
	d := 0
	for _, p := range g.parents {
		d = max(d, p.depth()+1)
	}
	return d
}

// isGlob tells whether a text is a pattern of names rather than a name.
func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// matchNames gives the targets that a name, a range or a glob stands for, among
// those that may be meant; problem says why there are none.
func (inv *Inventory) matchNames(term string, may func(*entity) bool) (found []*entity, problem string) {
	switch {
	case hasRange(term):
		names, err := expand(term)
		if err != nil {
			return nil, err.Error()
		}
		for _, name := range names {
			e := inv.byName[name]
			if e == nil || !may(e) {
				return nil, "there is no " + name + ", which " + term + " stands for"
			}
			found = append(found, e)
		}
		return found, ""
	case isGlob(term):
		if _, err := path.Match(term, ""); err != nil {
			return nil, "the pattern " + term + " is not well formed"
		}
		for _, e := range inv.targets {
			if ok, _ := path.Match(term, e.name); ok && may(e) {
				found = append(found, e)
			}
		}
		if len(found) == 0 {
			return nil, "no name matches " + term
		}
		return found, ""
	}
	if e := inv.byName[term]; e != nil && may(e) {
		return []*entity{e}, ""
	}
	var names []string
	for _, e := range inv.targets {
		if may(e) {
			names = append(names, e.name)
		}
	}
	return nil, "there is no " + term + orList(term, names)
}
