package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// scope answers for the variables of one target at one point of a play. Values
// are made when they are read, so a variable may be built from what a step
// registered. It belongs to one goroutine.
type scope struct {
	run    *runner
	play   *play
	target *target
	on     *target        // where the step acts: target, unless it delegates
	step   *playbook.Step // nil outside of steps
	frame  frame
	locals map[string]any // item, loop, the step's own result
	memo   map[string]any
	busy   map[string]bool
	peers  map[string]*scope // of targets.NAME, shared among them
}

func (r *runner) scope(p *play, t *target, s *playbook.Step, f frame) *scope {
	return &scope{run: r, play: p, target: t, on: t, step: s, frame: f, locals: f.round.locals(t), memo: map[string]any{}, busy: map[string]bool{}, peers: map[string]*scope{}}
}

// with gives a scope that knows further names, for one item of a loop.
func (s *scope) with(locals map[string]any) *scope {
	c := s.run.scope(s.play, s.target, s.step, s.frame)
	c.on = s.on
	maps.Copy(c.locals, s.locals)
	maps.Copy(c.locals, locals)
	return c
}

// values gives what these chains read.
func (s *scope) values(ctx context.Context, chains []expr.Chain) (expr.Values, error) {
	out := expr.Values{}
	for _, c := range chains {
		root := c.Root()
		switch root {
		case "vars":
			if err := s.read(ctx, within(out, "vars"), member(c, 1)); err != nil {
				return nil, err
			}
		case "targets":
			if err := s.readPeers(ctx, within(out, "targets"), member(c, 1), member(c, 2)); err != nil {
				return nil, err
			}
		default:
			v, ok, err := s.lookup(ctx, root)
			if err != nil {
				return nil, err
			}
			if ok {
				out[root] = v
			}
		}
	}
	return out, nil
}

// hidden tells whether no_log keeps what the step says from being told.
func (s *scope) hidden() bool { return s.step.NoLog || s.play.NoLog }

// within gives the map of that name in m, which it makes where there is none.
func within(m map[string]any, name string) map[string]any {
	inner, _ := m[name].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
		m[name] = inner
	}
	return inner
}

// member gives the i-th name of a chain, or "" when it reads all members.
func member(c expr.Chain, i int) string {
	if len(c.Path) > i {
		return c.Path[i]
	}
	return ""
}

// read puts a variable into out, or all of them. Of all, those are left out that
// cannot be had now: they may be what is just being evaluated, or wait for a step.
func (s *scope) read(ctx context.Context, out map[string]any, name string) error {
	if name != "" {
		v, ok, err := s.lookup(ctx, name)
		if ok {
			out[name] = v
		}
		return err
	}
	for _, name := range s.names() {
		if v, ok, err := s.lookup(ctx, name); ok && err == nil {
			out[name] = v
		}
	}
	return nil
}

// readPeers puts variables of a target into out, or of all targets.
func (s *scope) readPeers(ctx context.Context, out map[string]any, target, name string) error {
	if target == "" {
		for _, t := range s.run.world.All {
			if err := s.readPeers(ctx, out, t.Name, ""); err != nil {
				return err
			}
		}
		return nil
	}
	peer := s.peer(target)
	if peer == nil {
		return nil
	}
	return peer.read(ctx, within(out, target), name)
}

// peer gives the scope that answers for the variables of a target; nil when there
// is no such target. Peers share their scopes, so variables that read each other
// across targets are seen to need themselves.
func (s *scope) peer(name string) *scope {
	if p := s.peers[name]; p != nil {
		return p
	}
	t := s.run.targets[name]
	if t == nil {
		return nil
	}
	p := s.run.scope(s.play, t, nil, frame{})
	p.peers = s.peers
	s.peers[name] = p
	return p
}

// lookup gives a variable by the order of precedence: the highest that has it
// wins.
func (s *scope) lookup(ctx context.Context, name string) (any, bool, error) {
	if v, ok := s.locals[name]; ok {
		return v, true, nil
	}
	if v, ok := s.builtin(name); ok {
		return v, true, nil
	}
	if v, ok := s.memo[name]; ok {
		return v, true, nil
	}
	if s.busy[name] {
		return nil, false, fmt.Errorf("variable %q needs itself", name)
	}
	s.busy[name] = true
	defer delete(s.busy, name)
	v, ok, err := s.find(ctx, name)
	if err != nil || !ok {
		return nil, false, err
	}
	if v, err = s.told(name, v); err != nil {
		return nil, false, err
	}
	s.memo[name] = v
	return v, true, nil
}

// told looks at the value of what a play or role declares as an input.
func (s *scope) told(name string, v any) (any, error) {
	inputs := s.play.Inputs
	if s.step != nil {
		inputs = slices.Concat(s.step.Role.Told(), inputs)
	}
	i := slices.IndexFunc(inputs, func(in playbook.Input) bool { return in.Name == name })
	if i < 0 {
		return v, nil
	}
	if err := inputs[i].Check(v); err != nil {
		return nil, err
	}
	if !inputs[i].Secret {
		return v, nil
	}
	switch v.(type) {
	case string, int, int64, float64:
		s.run.hide(fmt.Sprint(v))
		return expr.NewSecret(v), nil
	}
	return v, nil
}

func (s *scope) find(ctx context.Context, name string) (any, bool, error) {
	if n, ok := s.run.opts.Extra[name]; ok {
		return s.value(ctx, nil, n)
	}
	if v, ok := s.target.get(name); ok {
		return v, true, nil
	}
	if s.step != nil {
		if v, ok := playbook.FindVar(s.step.Vars, name); ok {
			return s.value(ctx, v.Template, v.Value)
		}
	}
	if n, ok := s.play.answers[name]; ok {
		return s.value(ctx, nil, n)
	}
	if v, ok := playbook.FindVar(s.play.Vars, name); ok {
		return s.value(ctx, v.Template, v.Value)
	}
	var defaults []playbook.Var
	if s.step != nil {
		defaults = s.step.Defaults
	}
	for _, vars := range [][]playbook.Var{defaults, s.play.Defaults} {
		if v, ok := playbook.FindVar(vars, name); ok {
			return s.value(ctx, v.Template, v.Value)
		}
	}
	if n, ok := s.play.varsOf(s.target.Target)[name]; ok {
		return s.value(ctx, s.play.inherit[n], n)
	}
	return nil, false, nil
}

// value evaluates a variable, and resolves the secrets in it.
func (s *scope) value(ctx context.Context, t *expr.Template, n *source.Node) (any, bool, error) {
	if t != nil && !t.IsStatic() {
		values, err := s.values(ctx, t.Names())
		if err != nil {
			return nil, false, err
		}
		if n, err = t.EvalTelling(ctx, values, s.run.hideMade); err != nil {
			return nil, false, err
		}
	}
	v, err := s.run.reveal(ctx, n)
	return v, err == nil, err
}

// reveal gives the value of a node, with every {secret: …} in it replaced by what
// it stands for.
func (r *runner) reveal(ctx context.Context, n *source.Node) (any, error) {
	switch {
	case n == nil:
		return nil, nil
	case n.Kind == source.Map && len(n.Entries) == 1 && n.Entries[0].Key.Str == "secret":
		text, err := r.secret(ctx, n)
		if err != nil {
			return nil, err
		}
		return expr.NewSecret(text), nil
	case n.Kind == source.Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			v, err := r.reveal(ctx, e.Value)
			if err != nil {
				return nil, err
			}
			out[e.Key.Str] = v
		}
		return out, nil
	case n.Kind == source.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			v, err := r.reveal(ctx, item)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	default:
		if n.Secret {
			switch n.Kind {
			case source.String, source.Int, source.Float:
				r.hideMade(fmt.Sprint(n.Any()))
			}
		}
		return expr.FromNode(n), nil
	}
}

// builtin gives what is always there.
func (s *scope) builtin(name string) (any, bool) {
	switch name {
	case "target":
		return map[string]any{"name": s.target.Name, "kind": s.target.Kind, "groups": texts(s.target.Groups)}, true
	case "run":
		return map[string]any{"id": s.run.opts.RunID, "check": s.run.opts.Check, "user": s.run.opts.User}, true
	case "groups":
		return groupsOf(s.run.world), true
	default:
		return nil, false
	}
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// names lists the variables that the scope has.
func (s *scope) names() []string {
	all := map[string]bool{}
	for name := range s.run.opts.Extra {
		all[name] = true
	}
	for name := range s.play.varsOf(s.target.Target) {
		all[name] = true
	}
	for _, v := range slices.Concat(s.play.Defaults, s.play.Vars) {
		all[v.Name] = true
	}
	if s.step != nil {
		for _, v := range slices.Concat(s.step.Defaults, s.step.Vars) {
			all[v.Name] = true
		}
	}
	for _, name := range s.target.set() {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// eval evaluates a template with what it reads.
func (s *scope) eval(ctx context.Context, t *expr.Template) (*source.Node, error) {
	if t.IsStatic() {
		return t.Node(), nil
	}
	values, err := s.values(ctx, t.Names())
	if err != nil {
		return nil, err
	}
	return t.EvalTelling(ctx, values, s.run.hideMade)
}

// holds evaluates a condition; a nil one holds.
func (s *scope) holds(ctx context.Context, c *expr.Condition) (value, unknown bool, err error) {
	if c == nil {
		return true, false, nil
	}
	values, err := s.values(ctx, c.Names())
	if err != nil {
		return false, false, err
	}
	return c.Eval(ctx, values)
}
