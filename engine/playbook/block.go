package playbook

import (
	"slices"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
)

// Node is an entry of a list of steps: a *Step, a *Block or a *Flush.
type Node interface{ at() diag.Range }

// Block holds steps that stand or fall together: where one of Body fails, the
// others are left out and Rescue takes over; Always runs in any case. An included
// file is a Block with nothing but a Body.
//
// What a block says of its steps (when, vars, tags, …) is theirs: it is found in
// each of them.
type Block struct {
	ID     string
	Name   string
	Range  diag.Range
	Body   []Node
	Rescue []Node
	Always []Node
	Role   *Role // that it is a use of, or nil

	// Loop is a list, or an expression that gives one: all of the block is done once
	// for each item. nil for once.
	Loop      *source.Node
	LoopVar   string
	LoopLabel *source.Node
	// Compiled holds the expressions of the loop, once Compile was called.
	Compiled struct{ Loop, LoopLabel *expr.Template }

	inherited        // what it says, beside what is said around it
	conditional bool // it has a when
}

// Flush runs the handlers that were notified so far.
type Flush struct {
	Range diag.Range
	Tags  []string
}

func (s *Step) at() diag.Range  { return s.Range }
func (b *Block) at() diag.Range { return b.Range }
func (f *Flush) at() diag.Range { return f.Range }

// Walk calls fn for every step of a list and of the blocks in it, in the order of
// the text.
func Walk(nodes []Node, fn func(*Step)) {
	for _, n := range nodes {
		switch n := n.(type) {
		case *Step:
			fn(n)
		case *Block:
			Walk(n.Body, fn)
			Walk(n.Rescue, fn)
			Walk(n.Always, fn)
		}
	}
}

// flatten gives all steps of a list.
func flatten(nodes []Node) []*Step {
	var out []*Step
	Walk(nodes, func(s *Step) { out = append(out, s) })
	return out
}

// first gives the step that begins a list; nil for an empty one.
func first(nodes []Node) *Step {
	all := flatten(nodes)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// inherited is what steps have from the block, the included file or the role that
// they stand in.
type inherited struct {
	when         []*source.Node
	vars         []Var
	tags         []string
	ignoreErrors bool
	noLog        bool
	checkMode    bool
	environment  []*source.Node
	rescue       bool  // they run only when others failed
	defaults     []Var // of roles
	role         *Role // that they belong to
}

// clone gives a copy whose lists can be added to.
func (in inherited) clone() inherited {
	in.when, in.vars, in.tags, in.defaults = slices.Clone(in.when), slices.Clone(in.vars), slices.Clone(in.tags), slices.Clone(in.defaults)
	in.environment = slices.Clone(in.environment)
	return in
}

// give hands down what a step takes from around it. What is nearer to the step
// counts more.
func (in inherited) give(s *Step) {
	s.conditional = s.when != nil
	if len(in.when) > 0 {
		s.when = allOf(append(slices.Clone(in.when), terms(s.when)...))
	}
	s.Vars = append(slices.Clone(in.vars), s.Vars...)
	s.surround(in.environment)
	s.Tags = append(slices.Clone(in.tags), s.Tags...)
	s.IgnoreErrors = s.IgnoreErrors || in.ignoreErrors
	s.NoLog = s.NoLog || in.noLog
	s.CheckMode = s.CheckMode || in.checkMode
	s.rescue, s.Role, s.Defaults = in.rescue, in.role, slices.Clone(in.defaults)
}

// terms gives the conditions of a when: one, or a list that must all hold.
func terms(n *source.Node) []*source.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == source.List:
		return n.Items
	default:
		return []*source.Node{n}
	}
}

func allOf(terms []*source.Node) *source.Node {
	if len(terms) == 1 {
		return terms[0]
	}
	return &source.Node{Kind: source.List, Items: terms, Range: terms[0].Range}
}

// nodes reads a list of steps and blocks.
func (l *loader) nodes(n *source.Node, in inherited) []Node {
	if n.Kind == source.Null {
		return nil
	}
	if n.Kind != source.List {
		l.errorf(n.Range, "steps", "steps are a list, found %s; begin each with `- `", n.Kind)
		return nil
	}
	var out []Node
	for _, item := range n.Items {
		switch {
		case item.Get("block") != nil:
			out = append(out, l.block(item, in))
		case item.Get("include") != nil:
			if b := l.include(item, in); b != nil {
				out = append(out, b)
			}
		case item.Get("role") != nil:
			if b := l.role(item, in); b != nil {
				out = append(out, b)
			}
		case isKey(item, "rescue"), isKey(item, "always"):
			l.errorf(item.Range, "block", "rescue and always belong to a block: put the steps that may fail under `block:`")
		case isKey(item, "flush_handlers"):
			out = append(out, l.flush(item, in))
		default:
			if s := l.step(item, in.role); s != nil {
				in.give(s)
				out = append(out, s)
			}
		}
	}
	return out
}

func isKey(n *source.Node, key string) bool {
	k, _ := n.Pair(key)
	return k != nil
}

// block reads a block with its rescue and always. What holds for all its steps is
// read before these are.
func (l *loader) block(n *source.Node, in inherited) *Block {
	b := &Block{Range: n.Range, inherited: in.clone(), conditional: n.Get("when") != nil}
	l.heading(b, n, blockWords, "a block")
	b.Body = l.nodes(n.Get("block"), b.inherited)
	if len(b.Body) == 0 {
		l.errorf(n.Get("block").Range, "block", "the block has no steps")
	}
	if list := n.Get("rescue"); list != nil {
		rescue := b.inherited
		rescue.rescue = true
		b.Rescue = l.nodes(list, rescue)
	}
	if list := n.Get("always"); list != nil {
		b.Always = l.nodes(list, b.inherited)
	}
	return b
}

// heading reads what a block says of its steps.
func (l *loader) heading(b *Block, n *source.Node, words *keywords[Block], what string) {
	b.LoopVar = "item"
	for _, e := range n.Entries {
		w := words.find(e.Key.Str)
		if w != nil && w.Needs != "" && n.Get(w.Needs) == nil {
			l.errorf(e.Key.Range, "block", "%s needs %s", w.Name, w.Needs)
		}
		switch {
		case w != nil && w.read != nil:
			w.read(l, b, e)
		case w != nil:
		case l.steps.Lookup(e.Key.Str) != nil:
			l.errorf(e.Key.Range, "step", "%s cannot do %s itself; make it a step of its own", what, e.Key.Str)
		default:
			l.foreignKey(e.Key, what, words.names())
		}
	}
}

// FlushKeywords lists the keys of an entry that runs the notified handlers.
func FlushKeywords() []Keyword {
	return []Keyword{
		{Name: "flush_handlers", Form: Nothing, Required: true, Doc: "run the handlers that were notified so far, here"},
		{Name: "name", Form: Text, Doc: "what it is for, for people"},
		{Name: "tags", Form: Texts, Doc: "for `--tags` and `--skip-tags`"},
	}
}

func flushNames() []string {
	var out []string
	for _, k := range FlushKeywords() {
		out = append(out, k.Name)
	}
	return out
}

// flush reads `flush_handlers`, which takes nothing.
func (l *loader) flush(n *source.Node, in inherited) *Flush {
	f := &Flush{Range: n.Range, Tags: slices.Clone(in.tags)}
	for _, e := range n.Entries {
		switch e.Key.Str {
		case "flush_handlers":
			if e.Value.Kind != source.Null && !(e.Value.Kind == source.Bool && e.Value.Bool) {
				l.errorf(e.Value.Range, "type", "flush_handlers takes nothing: write `- flush_handlers:`")
			}
		case "name":
			l.text(e)
		case "tags":
			f.Tags = append(f.Tags, l.texts(e)...)
		default:
			l.unknownKey(e.Key, "flush_handlers", flushNames())
		}
	}
	return f
}

// identify gives steps and blocks their ids: the path of names through the blocks,
// with an index, which counts from 1, for what has no name of its own.
func identify(prefix string, nodes []Node) {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		if name := nodeName(n); !slices.Contains(reservedLabels, name) {
			names[i] = name
		}
	}
	labels := labels(names)
	for i, n := range nodes {
		id := prefix + "/" + labels[i]
		switch n := n.(type) {
		case *Step:
			n.ID = id
		case *Block:
			n.ID = id
			identify(id, n.Body)
			identify(id+"/rescue", n.Rescue)
			identify(id+"/always", n.Always)
		}
	}
}

// reservedLabels are the parts of ids that no step's name gives.
var reservedLabels = []string{"rescue", "always", "handlers"}

func nodeName(n Node) string {
	switch n := n.(type) {
	case *Step:
		return n.Name
	case *Block:
		return n.Name
	default:
		return ""
	}
}
