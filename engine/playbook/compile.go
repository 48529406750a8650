package playbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
)

// World is what a play's expressions can read beside what the play itself says.
type World struct {
	// Vars are the variables of the inventory, as each target of the play has them.
	Vars map[string]map[string]*source.Node
	// Extra are those of the command line, which override all others.
	Extra map[string]*source.Node
	// Earlier are the variables that plays before this one leave.
	Earlier map[string]expr.Field
	// Groups and AllTargets name what groups and targets hold.
	Groups     []string
	AllTargets []string
	Options    expr.Options
	// Root is a scope without names whose programs the plays share; nil makes one
	// of Options.
	Root *expr.Scope
}

// Compile compiles all expressions of a play. A name that is nowhere, one that a
// step reads before it is registered, and one that some target lacks are errors.
func (p *Play) Compile(w World) diag.List {
	c := &compiler{play: p, world: w, pending: map[*Step]bool{}, handlers: map[*Step]known{}}
	c.known = known{map[string]expr.Field{}, map[string][]string{}, map[string]string{}}
	c.run()
	if p.varsMissing { // what would be in the file is missing everywhere: one mistake is enough
		c.list = slices.DeleteFunc(c.list, func(d diag.Diagnostic) bool { return d.Rule == "unknown-name" })
	}
	return c.list
}

type compiler struct {
	play  *Play
	world World
	known
	later    map[string]*Step // name → the step that sets it
	pending  map[*Step]bool   // handlers that were notified
	handlers map[*Step]known  // what they can read, wherever they run
	root     *expr.Scope
	always   map[string]expr.Field
	list     diag.List
}

func (c *compiler) run() {
	c.names = c.inventory()
	for name, f := range c.world.Earlier {
		c.define(name, f.Type)
		f.Type = c.names[name].Type
		c.names[name] = f
	}
	for _, v := range slices.Concat(c.play.Defaults, c.play.Vars) {
		c.define(v.Name, expr.TypeOf(v.Value))
	}
	for _, p := range c.play.Prompts {
		c.define(p.Name, expr.AnyType)
	}
	for name, n := range c.world.Extra {
		c.define(name, expr.TypeOf(n))
	}
	c.playInputs()
	c.later = map[string]*Step{}
	for _, s := range c.play.Steps {
		for _, name := range s.Sets() {
			if _, known := c.names[name]; !known {
				c.later[name] = s
			}
		}
	}
	if c.root = c.world.Root; c.root == nil {
		c.root = expr.NewScope(nil, c.world.Options)
	}
	c.always = c.alwaysThere()
	c.playVars()
	c.nodes(c.play.Body)
	c.playHandlers()
}

// inventory gives the union of what the targets bring.
func (c *compiler) inventory() map[string]expr.Field {
	names := map[string]expr.Field{}
	count := map[string]int{}
	for _, target := range slices.Sorted(maps.Keys(c.world.Vars)) {
		for name, n := range c.world.Vars[target] {
			count[name]++
			t := expr.TypeOf(n)
			if f, ok := names[name]; ok {
				t = expr.Union(f.Type, t)
			}
			names[name] = expr.Field{Type: t}
		}
	}
	for name, f := range names {
		if count[name] < len(c.world.Vars) {
			f.Optional = true
			names[name] = f
			for _, target := range slices.Sorted(maps.Keys(c.world.Vars)) {
				if c.world.Vars[target][name] == nil {
					c.lacking[name] = append(c.lacking[name], target)
				}
			}
		}
	}
	return names
}

// define adds a name that every target has from now on. A value that another one
// overrides may still be read by an earlier expression, so what is known of it is
// what both have in common.
func (c *compiler) define(name string, t *expr.Type) {
	if f, ok := c.names[name]; ok {
		t = expr.Union(f.Type, t)
	}
	c.names[name] = expr.Field{Type: t}
	delete(c.lacking, name)
}

// scope gives the names that can be read at one point of the play. It serves until
// the play goes on from there.
func (c *compiler) scope(more map[string]expr.Field) *expr.Scope {
	s := c.root.With(c.names)
	if len(more) > 0 {
		s = s.With(more)
	}
	return s.Gather("vars").With(c.always)
}

// alwaysThere gives the names that every expression can read.
func (c *compiler) alwaysThere() map[string]expr.Field {
	groups, targets := map[string]expr.Field{}, map[string]expr.Field{}
	for _, g := range c.world.Groups {
		groups[g] = expr.Field{Type: expr.ListOf(expr.StringType)}
	}
	for _, t := range c.world.AllTargets {
		targets[t] = expr.Field{Type: expr.OpenMap}
	}
	return map[string]expr.Field{
		"target": {Type: expr.ClosedMap(map[string]expr.Field{
			"name": {Type: expr.StringType}, "kind": {Type: expr.StringType}, "groups": {Type: expr.ListOf(expr.StringType)},
		})},
		"run": {Type: expr.ClosedMap(map[string]expr.Field{
			"id": {Type: expr.StringType}, "check": {Type: expr.BoolType}, "user": {Type: expr.StringType},
		})},
		"groups":  {Type: expr.ClosedMap(groups)},
		"targets": {Type: expr.ClosedMap(targets)},
	}
}

// playVars compiles the play's variables. They are evaluated when they are read,
// so they may use what steps register.
func (c *compiler) playVars() {
	all := map[string]expr.Field{}
	for _, s := range slices.Concat(c.play.Steps, c.play.Handlers) {
		for name, f := range s.fields() {
			f.Optional = true
			all[name] = f
		}
	}
	scope := c.scope(all)
	c.ownVars(c.play.Defaults, scope)
	c.ownVars(c.play.Vars, scope)
}

// ownVars compiles variables that stand together and may read each other.
func (c *compiler) ownVars(vars []Var, scope *expr.Scope) {
	if len(vars) == 0 {
		return
	}
	uses := map[string][]expr.Chain{}
	for i := range vars {
		v := &vars[i]
		v.Template = c.template(v.Value, scope)
		uses[v.Name] = v.Template.Names()
	}
	c.cycles(uses)
}

// cycles refuses variables that need themselves.
func (c *compiler) cycles(uses map[string][]expr.Chain) {
	state := map[string]int{} // 1 = being looked at, 2 = done
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if state[name] == 2 {
			return
		}
		state[name] = 1
		for _, chain := range uses[name] {
			next := chain.Root()
			if next == "vars" && len(chain.Path) > 1 {
				next = chain.Path[1]
			}
			if state[next] == 1 {
				c.list.Errorf(chain.Range, "cycle", "variable %q needs itself: %s", next, strings.Join(append(path, name, next), " → "))
				continue
			}
			if _, ours := uses[next]; ours {
				visit(next, append(path, name))
			}
		}
		state[name] = 2
	}
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		visit(name, nil)
	}
}

func (c *compiler) step(s *Step) {
	var own map[string]expr.Field
	for _, v := range slices.Concat(s.Defaults, s.Vars) {
		if own == nil {
			own = map[string]expr.Field{}
		}
		f := expr.Field{Type: expr.TypeOf(v.Value)}
		if known, ok := c.names[v.Name]; ok {
			f.Type = expr.Union(known.Type, f.Type) // what a step set or the command line says wins
		}
		own[v.Name] = f
	}
	// What the step gives itself no target lacks.
	lacking, maybe := c.lacking, c.maybe
	c.lacking, c.maybe = hide(c.lacking, own), hide(c.maybe, own)
	outer := c.scope(own)
	out := &s.Compiled
	out.Loop = c.template(s.Loop, outer)
	scope := outer
	if inner := c.loop(s, out.Loop); inner != nil {
		c.lacking, c.maybe = hide(c.lacking, inner), hide(c.maybe, inner)
		own = merge(own, inner)
		scope = c.scope(own)
	}
	c.ownVars(s.Defaults, scope)
	c.ownVars(s.Vars, scope)
	nameNode := &source.Node{Kind: source.String, Str: s.Name, Range: s.Range}
	out.Name = c.template(nameNode, outer)
	out.When = c.condition(s.when, scope)
	out.DelegateTo = c.template(s.DelegateTo, scope)
	out.LoopLabel = c.template(s.LoopLabel, scope)
	out.Environment = nil
	if s.RunsCommands() {
		for _, n := range s.Environment {
			out.Environment = append(out.Environment, c.template(n, scope))
		}
	}
	if len(s.Spec.Conditions) > 0 {
		out.Conditions = map[string]*expr.Condition{}
	}
	for _, key := range s.Spec.Conditions {
		if n := s.Args.Get(key); n != nil {
			out.Conditions[key] = c.condition(n, scope)
		}
	}
	out.Args = c.template(dropKeys(s.Args, s.Spec.Conditions), scope)
	c.after(s, own)
	c.lacking, c.maybe = lacking, maybe
	for name, f := range s.fields() {
		delete(c.later, name)
		c.set(name, f, s.mayNotSet(name))
	}
}

// hide gives what is noted of names, but for some of them.
func hide[V any](noted map[string]V, names map[string]expr.Field) map[string]V {
	out := noted
	for name := range names {
		if _, there := noted[name]; !there {
			continue
		}
		if len(out) == len(noted) {
			out = maps.Clone(noted)
		}
		delete(out, name)
	}
	return out
}

// mayNotSet tells why a step may end well and leave a name without a value; "" for
// one that never does. A result is registered even of a step that was skipped.
func (s *Step) mayNotSet(name string) string {
	switch {
	case name == s.Register:
		return ""
	case s.conditional:
		return "step " + s.title() + " sets it only when its condition holds"
	case s.Loop != nil && (s.Loop.Kind != source.List || len(s.Loop.Items) == 0):
		return "step " + s.title() + " sets it only when its loop has items"
	default:
		return ""
	}
}

// after compiles what is asked once the step has ended, and may read its result.
func (c *compiler) after(s *Step, inner map[string]expr.Field) {
	if s.until == nil && s.changedWhen == nil && s.failedWhen == nil {
		return
	}
	one := *s
	one.Loop = nil
	result := map[string]expr.Field{"result": {Type: resultType(&one)}}
	if s.Register != "" {
		result[s.Register] = expr.Field{Type: resultType(&one)}
	}
	scope := c.scope(merge(inner, result))
	s.Compiled.Until = c.condition(s.until, scope)
	s.Compiled.ChangedWhen = c.condition(s.changedWhen, scope)
	s.Compiled.FailedWhen = c.condition(s.failedWhen, scope)
}

// loop gives the names that exist only inside a loop.
func (c *compiler) loop(s *Step, t *expr.Template) map[string]expr.Field {
	if s.Loop == nil {
		return nil
	}
	return loopNames(s.LoopVar, t)
}

// loopNames describes the names that a loop over a list gives.
func loopNames(item string, t *expr.Template) map[string]expr.Field {
	elem := expr.AnyType
	if list := t.Type(); list.Kind == expr.List && list.Elem != nil {
		elem = list.Elem
	}
	return map[string]expr.Field{
		item: {Type: elem},
		"loop": {Type: expr.ClosedMap(map[string]expr.Field{
			"index": {Type: expr.IntType}, "index0": {Type: expr.IntType}, "first": {Type: expr.BoolType},
			"last": {Type: expr.BoolType}, "length": {Type: expr.IntType},
		})},
	}
}

// template compiles a node and checks the names that it reads. A nil node gives
// nil.
func (c *compiler) template(n *source.Node, scope *expr.Scope) *expr.Template {
	if n == nil {
		return nil
	}
	t, list := expr.CompileNode(n, scope)
	c.found(list, t.Names)
	return t
}

func (c *compiler) condition(n *source.Node, scope *expr.Scope) *expr.Condition {
	if n == nil {
		return nil
	}
	cond, list := expr.CompileCondition(n, scope)
	c.found(list, cond.Names)
	return cond
}

// found notes what a compilation reports, in better words where the play tells
// why a name is not there.
func (c *compiler) found(list diag.List, chains func() []expr.Chain) {
	for _, d := range list {
		if name, ok := unknownName(d); ok {
			if by := c.later[name]; by != nil {
				d.Summary = "\"" + name + "\" is read before step " + by.title() + " sets it"
				d.Detail = "Move this step behind that one, or write default(" + name + ", …)."
			}
		}
		c.list.Add(d)
	}
	if list.HasErrors() || len(c.lacking)+len(c.maybe) == 0 {
		return
	}
	for _, chain := range chains() {
		name := chain.Root()
		if name == "vars" && len(chain.Path) > 1 {
			name = chain.Path[1]
		}
		targets, why := c.lacking[name], c.maybe[name]
		switch {
		case chain.Guarded:
		case len(targets) > 0:
			c.list.Errorf(chain.Range, "unknown-name", "unknown name %q on %s; give it a value there, too, or write default(%s, …)",
				name, strings.Join(targets, ", "), chain)
		case why != "":
			c.list.Errorf(chain.Range, "maybe-unset", "%q may have no value here: %s; give it one in vars, or write default(%s, …)", name, why, chain)
		}
	}
}

// Sets names the variables that the step leaves behind.
func (s *Step) Sets() []string {
	var names []string
	if s.Register != "" {
		names = append(names, s.Register)
	}
	if s.Spec.Vars {
		names = append(names, s.Args.Keys()...)
	}
	return names
}

// fields describes the variables that the step leaves behind.
func (s *Step) fields() map[string]expr.Field {
	if s.Register == "" && !s.Spec.Vars {
		return nil
	}
	fields := map[string]expr.Field{}
	if s.Register != "" {
		fields[s.Register] = expr.Field{Type: resultType(s)}
	}
	if s.Spec.Vars {
		for _, e := range s.Args.Entries {
			fields[e.Key.Str] = expr.Field{Type: expr.TypeOf(e.Value)}
		}
	}
	return fields
}

// title gives a step's name for messages.
func (s *Step) title() string {
	if s.Name != "" {
		return "\"" + s.Name + "\""
	}
	return s.Word + " at " + s.Range.Pos.String()
}

func merge(a, b map[string]expr.Field) map[string]expr.Field {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]expr.Field{}
	}
	maps.Copy(out, b)
	return out
}

func dropKeys(n *source.Node, keys []string) *source.Node {
	if len(keys) == 0 || n.Kind != source.Map {
		return n
	}
	out := *n
	out.Entries = slices.DeleteFunc(slices.Clone(n.Entries), func(e source.Entry) bool { return slices.Contains(keys, e.Key.Str) })
	return &out
}

// unknownName gives the name that a diagnostic calls unknown.
func unknownName(d diag.Diagnostic) (string, bool) {
	rest, ok := strings.CutPrefix(d.Summary, "unknown name ")
	if d.Rule != "unknown-name" || !ok {
		return "", false
	}
	name, _, _ := strings.Cut(rest, ",")
	return strings.Trim(name, `"`), true
}
