package playbook

import (
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// defaultRetries and defaultDelay hold for until, as in Ansible.
const (
	defaultRetries = 3
	defaultDelay   = 5 * time.Second
)

// step reads one step; role is the one that it belongs to, or nil.
func (l *loader) step(n *source.Node, role *Role) *Step {
	if n.Kind != source.Map {
		l.errorf(n.Range, "step", "a step is a mapping with one step word, found %s", n.Kind)
		return nil
	}
	s := &Step{Range: n.Range, LoopVar: "item", Parallel: 1, Retries: defaultRetries, Delay: defaultDelay, Verify: true}
	var words, unknown []*source.Node
	for _, e := range n.Entries {
		if w := stepWords.find(e.Key.Str); w != nil {
			w.read(l, s, e)
			continue
		}
		if spec := l.steps.Lookup(e.Key.Str); spec != nil {
			words = append(words, e.Key)
			if s.Spec == nil {
				s.Word, s.Spec = spec.Name, spec
				s.Args = spec.FillTemplates(arguments(spec, e.Value), func(n *source.Node) *source.Node { return l.template(n, role) })
				s.Range = e.Key.Range
			}
			continue
		}
		unknown = append(unknown, e.Key)
		if strings.HasPrefix(e.Key.Str, "with_") && s.Loop == nil { // what reads its items is not wrong, too
			s.Loop = &source.Node{Kind: source.List, Range: e.Value.Range}
		}
	}
	for _, key := range unknown {
		l.unknownWord(key, s.Spec)
	}
	switch {
	case len(words) == 0 && len(unknown) > 0:
		return nil
	case len(words) == 0:
		l.errorf(n.Range, "step", "the step has no step word, as debug: what it is to do; nactl doc lists them")
		return nil
	case len(words) > 1:
		l.errorf(words[1].Range, "step", "the step has two step words, %s and %s; make it two steps", words[0].Str, words[1].Str)
	}
	l.checkKeys(s, n)
	l.checkArgs(s)
	return s
}

// arguments gives a step's arguments as a mapping.
func arguments(spec *step.Spec, n *source.Node) *source.Node {
	switch {
	case n.Kind == source.Map && (!IsSecret(n) || spec.Vars):
		return n
	case n.Kind == source.Null:
		return &source.Node{Kind: source.Map, Range: n.Range}
	case spec.Bare != "":
		return step.Wrap(spec.Bare, n)
	default:
		return n
	}
}

// unknownWord reports a key that a step does not take; spec is what it does, or nil.
func (l *loader) unknownWord(key *source.Node, spec *step.Spec) {
	if spec != nil && !spec.Vars && slices.Contains(spec.Arguments(), key.Str) {
		l.errorf(key.Range, "unknown-key", "%s is an argument of %s: indent it below %s", key.Str, spec.Name, spec.Name)
		return
	}
	if h := keywordHabit(key.Str); h != nil {
		l.errorf(key.Range, "unknown-key", "unknown key %q in a step: %s", key.Str, h.instead())
		return
	}
	if h := moduleHabit(key.Str); h != nil {
		l.errorf(key.Range, "unknown-step", "unknown step %q: %s", key.Str, h.instead())
		return
	}
	if short := shortName(key.Str); short != key.Str {
		if l.steps.Lookup(short) != nil {
			l.errorf(key.Range, "unknown-step", "unknown step %q: here it is %s", key.Str, short)
		} else {
			l.errorf(key.Range, "unknown-step", "unknown step %q: steps have one short name each; nactl doc lists them", key.Str)
		}
		return
	}
	all := append(stepWords.names(), l.steps.Names()...)
	l.errorf(key.Range, "unknown-step", "unknown step or key %q%s", key.Str, diag.DidYouMean(key.Str, all))
}

// checkMode reads a flag that can only be true.
func (l *loader) checkMode(e source.Entry) bool {
	on := l.boolean(e)
	if e.Value.Kind == source.Bool && !on {
		l.errorf(e.Value.Range, "check-mode", "a step cannot be made to write in a plan; declare with unless or creates what it can look at, or read with vm_facts")
	}
	return on
}

// checkKeys looks for keys that make no sense without another.
func (l *loader) checkKeys(s *Step, n *source.Node) {
	for _, e := range n.Entries {
		if w := stepWords.find(e.Key.Str); w != nil && w.Needs != "" && n.Get(w.Needs) == nil {
			l.errorf(e.Key.Range, "step", "%s needs %s", w.Name, w.Needs)
		}
	}
}

// IsDynamic tells whether a node is a text that holds an expression.
func IsDynamic(n *source.Node) bool {
	return n.Kind == source.String && !n.Literal && strings.Contains(n.Str, "{{")
}

// HoldsExpression tells whether an expression stands somewhere in a node; nil has
// none.
func HoldsExpression(n *source.Node) bool {
	if n == nil {
		return false
	}
	if IsDynamic(n) {
		return true
	}
	for _, item := range n.Items {
		if HoldsExpression(item) {
			return true
		}
	}
	for _, e := range n.Entries {
		if HoldsExpression(e.Value) {
			return true
		}
	}
	return false
}

// IsSecret tells whether a node is a mapping that stands for a secret, as
// {secret: {env: NAME}}.
func IsSecret(n *source.Node) bool {
	return n.Kind == source.Map && len(n.Entries) == 1 && n.Entries[0].Key.Str == "secret" && n.Entries[0].Value.Kind == source.Map
}

// isLater tells whether a node's value is computed at run time.
func isLater(n *source.Node) bool { return IsDynamic(n) || IsSecret(n) }

// checkArgs decodes the arguments as far as they are literal.
func (l *loader) checkArgs(s *Step) {
	if s.Spec.Vars {
		s.checkVars(l)
		return
	}
	args := s.Spec.New()
	checked := without(s.Args, s.Spec.Conditions)
	info, list := step.Decode(checked, args, s.Word, step.Mode{Dynamic: isLater})
	l.list.Add(list...)
	if !list.HasErrors() {
		s.args = args
		for _, d := range step.Validate(args, s.Args, info.Dynamic) {
			if d.Rule == step.RuleGuard && s.changedWhen != nil {
				continue // what counts as a change is said
			}
			l.list.Add(d)
		}
	}
}

func (s *Step) checkVars(l *loader) {
	if s.Args.Kind != source.Map {
		l.errorf(s.Args.Range, "vars", "%s: wanted a mapping of names to values, found %s", s.Word, s.Args.Kind)
		return
	}
	l.vars(s.Args)
}

// without gives a mapping in which conditions are marked as computed later: the
// loader compiles them, the decoder must not look at them.
func without(n *source.Node, keys []string) *source.Node {
	if n.Kind != source.Map || len(keys) == 0 {
		return n
	}
	out := *n
	out.Entries = slices.Clone(n.Entries)
	for i, e := range out.Entries {
		if slices.Contains(keys, e.Key.Str) {
			out.Entries[i].Value = &source.Node{Kind: source.String, Str: "{{ }}", Range: e.Value.Range}
		}
	}
	return &out
}
