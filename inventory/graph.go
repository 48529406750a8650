package inventory

import (
	"slices"
	"strings"
)

// Graph draws the groups as a tree, a line each: their children first, then their
// own members, clusters with their nodes. It starts at a group, or at all. There
// are no lines when there is no such group.
func (inv *Inventory) Graph(group string) []string {
	if group != "all" {
		g := inv.groups[group]
		if g == nil {
			return nil
		}
		return inv.drawGroup(nil, g, 0)
	}
	lines := []string{"@all:"}
	var loose []*entity
	for _, e := range inv.targets {
		if len(e.groups) == 0 && e.member == nil {
			loose = append(loose, e)
		}
	}
	if len(loose) > 0 {
		lines = append(lines, branch(1)+"@ungrouped:")
	}
	for _, e := range loose {
		lines = drawTarget(lines, e, 2)
	}
	for _, g := range inv.Groups {
		if len(g.parents) == 0 {
			lines = inv.drawGroup(lines, g, 1)
		}
	}
	return lines
}

func (inv *Inventory) drawGroup(lines []string, g *Group, depth int) []string {
	lines = append(lines, branch(depth)+"@"+g.Name+":")
	for _, c := range g.Children {
		lines = inv.drawGroup(lines, inv.groups[c], depth+1)
	}
	var own []*entity
	for _, m := range g.Members {
		found, _ := inv.matchNames(m, func(*entity) bool { return true })
		own = append(own, found...)
	}
	slices.SortFunc(own, func(a, b *entity) int { return a.index - b.index })
	for _, e := range slices.Compact(own) {
		lines = drawTarget(lines, e, depth+1)
	}
	return lines
}

func drawTarget(lines []string, e *entity, depth int) []string {
	text := branch(depth) + e.name
	if e.kind != KindNode {
		text += " (" + string(e.kind) + ")"
	}
	lines = append(lines, text)
	if e.cluster != nil {
		for _, n := range e.cluster.Nodes {
			lines = append(lines, branch(depth+1)+n.Name)
		}
	}
	return lines
}

func branch(depth int) string {
	if depth == 0 {
		return ""
	}
	return "  " + strings.Repeat("|  ", depth-1) + "|--"
}
