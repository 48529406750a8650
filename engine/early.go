package engine

import (
	"context"
	"slices"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// early is what a play knows before it knows its targets: the groups of the
// inventory, the defaults of its inputs, its own variables, and -e.
type early struct {
	scope  *expr.Scope
	values expr.Values
}

// newEarly gathers it. A variable that reads one of a target is there, and unknown:
// that is a mistake only where somebody asks for it.
func newEarly(ctx context.Context, p *playbook.Play, w *World, o Options) early {
	names := map[string]expr.Field{"groups": {Type: expr.AnyType}}
	values := expr.Values{"groups": groupsOf(w)}
	know := func(name string, n *source.Node) {
		names[name], values[name] = expr.Field{Type: expr.TypeOf(n)}, expr.FromNode(n)
	}
	later := map[string]*source.Node{}
	for _, v := range slices.Concat(p.Defaults, p.Vars) { // the later wins
		if playbook.HoldsExpression(v.Value) {
			later[v.Name] = v.Value
			delete(names, v.Name)
		} else {
			know(v.Name, v.Value)
			delete(later, v.Name)
		}
	}
	for name, n := range o.Extra {
		know(name, n)
		delete(later, name)
	}
	for again := true; again; { // each round knows those that read what is known
		again = false
		for name, n := range later {
			t, list := expr.CompileNode(n, expr.NewScope(names, expr.Options{Host: w.Host}))
			if list.HasErrors() {
				continue
			}
			if value, err := t.Eval(ctx, values); err == nil {
				know(name, value)
				delete(later, name)
				again = true
			}
		}
	}
	for name := range later {
		names[name], values[name] = expr.Field{Type: expr.AnyType}, expr.Unknown{}
	}
	return early{expr.NewScope(names, expr.Options{Host: w.Host}), values}
}

// eval evaluates what a key of the play holds.
func (e early) eval(ctx context.Context, key string, n *source.Node) (*source.Node, diag.List) {
	t, list := expr.CompileNode(n, e.scope)
	if list.HasErrors() {
		return nil, list
	}
	out, err := t.Eval(ctx, e.values)
	if err != nil {
		return nil, diag.FromError(err, n.Range)
	}
	if out.ContainsUnknown() {
		list.Errorf(n.Range, "unknown-name", "%s has a value before the targets are known: it cannot read what depends on a target; -e, groups, inputs and variables of the play are there", key)
		return nil, list
	}
	return out, list
}

// groupsOf gives the names of the members of every group.
func groupsOf(w *World) map[string]any {
	out := make(map[string]any, len(w.Groups))
	for g, members := range w.Groups {
		out[g] = texts(members)
	}
	return out
}
