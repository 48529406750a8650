package engine

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// Prepared is what a run will do: every play with its targets, all checked.
type Prepared struct {
	plays   []*play
	steps   int
	targets []Target // of all plays, each once, in the inventory's order
	files   []string
}

type play struct {
	*playbook.Play
	file    string
	targets []Target
	index   map[*playbook.Step]int // of those that the tags leave, from 1, over the whole run
	flushes map[*playbook.Flush]bool
	serial  []playbook.Share
	answers map[string]*source.Node // to its vars_prompt
	inherit map[*source.Node]*expr.Template
	beside  map[string]map[string]*source.Node // the inventory's variables by target, where the play has its own
}

// varsOf gives the inventory's variables of a target, as the play sees them.
func (p *play) varsOf(t Target) map[string]*source.Node {
	if p.beside != nil {
		return p.beside[t.Name]
	}
	return t.Vars
}

// Prepare loads and checks playbooks against a world. Nothing is opened. With
// errors among the diagnostics there is nothing to run.
func Prepare(ctx context.Context, files []string, sources *source.Sources, steps *step.Registry, w *World, o Options) (*Prepared, diag.List) {
	return prepare(ctx, files, loadAll(files, sources, steps), w, o)
}

// PrepareNode is Prepare for one playbook that is in no file; name is what it is
// called, and its files are those of the current folder.
func PrepareNode(ctx context.Context, name string, root *source.Node, sources *source.Sources, steps *step.Registry, w *World, o Options) (*Prepared, diag.List) {
	book, found := playbook.LoadNode(name, root, sources, steps)
	return prepare(ctx, []string{name}, []loaded{{book, found}}, w, o)
}

func prepare(ctx context.Context, files []string, books []loaded, w *World, o Options) (*Prepared, diag.List) {
	var list diag.List
	out := &Prepared{files: files}
	earlier := map[string]expr.Field{}
	root := expr.NewScope(nil, expr.Options{Host: w.Host})
	for i, l := range books {
		file, pb := files[i], l.playbook
		list.Add(l.found...)
		if pb == nil {
			continue
		}
		for _, p := range pb.Plays {
			prepared, found := preparePlay(ctx, file, p, w, o, earlier, root)
			list.Add(found...)
			maps.Copy(earlier, p.Leaves())
			out.plays = append(out.plays, prepared)
			prepared.choose(p.Body, out, o)
			for _, t := range prepared.targets {
				if !slices.ContainsFunc(out.targets, func(x Target) bool { return x.Name == t.Name }) {
					out.targets = append(out.targets, t)
				}
			}
		}
	}
	if o.StartAt != "" {
		list.Add(out.startAt(o.StartAt)...)
	}
	list.Sort()
	return out, list
}

// loaded is what one file gave.
type loaded struct {
	playbook *playbook.Playbook
	found    diag.List
}

// loadAll loads files side by side, for they do not depend on each other yet.
func loadAll(files []string, sources *source.Sources, steps *step.Registry) []loaded {
	out := make([]loaded, len(files))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		g.Go(func() error {
			out[i].playbook, out[i].found = playbook.Load(file, sources, steps)
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	return out
}

func preparePlay(ctx context.Context, file string, p *playbook.Play, w *World, o Options, earlier map[string]expr.Field, root *expr.Scope) (*play, diag.List) {
	out := &play{Play: p, file: file, inherit: map[*source.Node]*expr.Template{}, index: map[*playbook.Step]int{}, flushes: map[*playbook.Flush]bool{}}
	var list diag.List
	early := newEarly(ctx, p, w, o)
	if p.Targets != nil {
		pattern, found := early.eval(ctx, "targets", p.Targets)
		list.Add(found...)
		if pattern != nil {
			out.targets, found = w.Select(pattern)
			list.Add(found...)
		}
	}
	if w.Beside != nil {
		var found diag.List
		out.beside, found = w.Beside(p.Range.File)
		list.Add(found...)
	}
	if p.Serial != nil {
		n, found := early.eval(ctx, "serial", p.Serial)
		list.Add(found...)
		if n != nil {
			var err error
			out.serial, err = playbook.Serial(n)
			list.Add(diag.FromError(err, p.Serial.Range)...)
		}
	}
	list.Add(delegates(p, w)...)
	world := playbook.World{Vars: map[string]map[string]*source.Node{}, Extra: o.Extra, Earlier: maps.Clone(earlier), Options: expr.Options{Host: w.Host}, Root: root}
	for _, t := range out.targets {
		world.Vars[t.Name] = out.varsOf(t)
	}
	world.Groups = slices.Sorted(maps.Keys(w.Groups))
	for _, t := range w.All {
		world.AllTargets = append(world.AllTargets, t.Name)
	}
	// Without targets every variable of the inventory would be unknown: one mistake
	// is enough.
	if len(out.targets) > 0 || p.Targets == nil {
		list.Add(p.Compile(world)...)
		list.Add(out.inventoryVars(world)...)
	}
	return out, list
}

// choose numbers the steps that the tags leave.
func (p *play) choose(list []playbook.Node, all *Prepared, o Options) {
	for _, n := range list {
		switch n := n.(type) {
		case *playbook.Step:
			if selected(append(slices.Clone(p.Tags), n.Tags...), o) {
				all.steps++
				p.index[n] = all.steps
			}
		case *playbook.Block:
			p.choose(n.Body, all, o)
			p.choose(n.Rescue, all, o)
			p.choose(n.Always, all, o)
		case *playbook.Flush:
			p.flushes[n] = selected(append(slices.Clone(p.Tags), n.Tags...), o)
		}
	}
}

// delegates checks the targets that steps name outright to act on.
func delegates(p *playbook.Play, w *World) diag.List {
	var list diag.List
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		if s.DelegateTo == nil || playbook.IsDynamic(s.DelegateTo) {
			continue
		}
		if _, err := w.find(s.DelegateTo); err != nil {
			list.Add(diag.FromError(err, s.DelegateTo.Range)...)
		}
	}
	return list
}

// inventoryVars compiles the inventory's variables that hold expressions. They
// may read whatever their target has when they are read.
func (p *play) inventoryVars(w playbook.World) diag.List {
	names := map[string]expr.Field{}
	for _, name := range []string{"target", "vars", "groups", "targets", "run"} {
		names[name] = expr.Field{Type: expr.AnyType}
	}
	for _, t := range p.targets {
		for name := range p.varsOf(t) {
			names[name] = expr.Field{Type: expr.AnyType}
		}
	}
	for _, v := range p.Vars {
		names[v.Name] = expr.Field{Type: expr.AnyType}
	}
	for name := range w.Earlier {
		names[name] = expr.Field{Type: expr.AnyType, Optional: true}
	}
	for name := range w.Extra {
		names[name] = expr.Field{Type: expr.AnyType}
	}
	scope := expr.NewScope(names, w.Options)
	var list diag.List
	for _, t := range p.targets {
		vars := p.varsOf(t)
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			n := vars[name]
			if p.inherit[n] == nil && playbook.HoldsExpression(n) {
				compiled, found := expr.CompileNode(n, scope)
				list.Add(found...)
				p.inherit[n] = compiled
			}
		}
	}
	return list
}

// selected tells whether the tags leave a step that has these. As in Ansible, a step tagged
// always runs unless one of its tags is skipped by name, one tagged never only when
// asked for; all, tagged and untagged stand for what they say.
func selected(tags []string, o Options) bool {
	always := slices.Contains(tags, "always")
	fits := func(list []string) bool {
		return slices.ContainsFunc(list, func(t string) bool {
			return slices.Contains(tags, t) || t == "all" || t == "tagged" && len(tags) > 0 || t == "untagged" && len(tags) == 0
		})
	}
	skip := o.SkipTags
	if always {
		skip = slices.DeleteFunc(slices.Clone(skip), func(t string) bool { return t == "all" })
	}
	if fits(skip) {
		return false
	}
	named := slices.ContainsFunc(o.Tags, func(t string) bool { return slices.Contains(tags, t) })
	if slices.Contains(tags, "never") && !named {
		return false
	}
	return len(o.Tags) == 0 || always || fits(o.Tags)
}

// Plays gives the plays in their order.
func (p *Prepared) Plays() []*playbook.Play {
	var out []*playbook.Play
	for _, play := range p.plays {
		out = append(out, play.Play)
	}
	return out
}

// Targets gives the targets of all plays.
func (p *Prepared) Targets() []Target { return p.targets }

// Steps gives the number of steps of all plays.
func (p *Prepared) Steps() int { return p.steps }
