package engine

import (
	"context"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// foresee tells the platforms of a play which VMs its steps name outright, so that
// they can be read together. Only engines gain by it; a node is not dialled for
// that.
func (r *runner) foresee(ctx context.Context, p *play) {
	var names []string
	for _, s := range p.Steps {
		key := vmKey(s)
		if n := s.Args.Get(key); p.index[s] > 0 && key != "" && n != nil && !playbook.IsDynamic(n) {
			if name, ok := step.Text(n); ok {
				names = append(names, name)
			}
		}
	}
	targets := alive(r.of(p))
	each(r.forks(p), len(targets), func(i int) { r.wantVMs(ctx, targets[i], names) })
}

// foreseeItems does so for the items of a loop.
func (r *runner) foreseeItems(ctx context.Context, sc *scope, items []*source.Node) {
	key := vmKey(sc.step)
	if key == "" || len(items) < 2 || sc.target.Kind != kindEngine {
		return
	}
	t := sc.step.Compiled.Args.Entry(key)
	if t == nil {
		return
	}
	var names []string
	for _, item := range items {
		n, err := sc.with(map[string]any{sc.step.LoopVar: expr.FromNode(item)}).eval(ctx, t)
		if err != nil {
			continue // the item itself says so, if it comes to that
		}
		if name, ok := step.Text(n); ok && !n.ContainsUnknown() {
			names = append(names, name)
		}
	}
	r.wantVMs(ctx, sc.target, names)
}

// kindEngine is the kind of targets that are engines.
const kindEngine = "engine"

func (r *runner) wantVMs(ctx context.Context, t *target, names []string) {
	if len(names) == 0 || t.Kind != kindEngine {
		return
	}
	p, err := t.connect(ctx, r)
	if err != nil {
		return // the first step that needs it says so
	}
	if f, ok := p.(virt.Foreseer); ok {
		f.Want(names...)
	}
}

// vmKey gives the argument by which a step names the VM that it is about; "" for
// one that is about none.
func vmKey(s *playbook.Step) string {
	switch {
	case s.Args == nil || s.Spec == nil:
		return ""
	case s.Args.Get("vm") != nil:
		return "vm"
	case s.Spec.Touches == virt.KindVM:
		return "name"
	}
	return ""
}
