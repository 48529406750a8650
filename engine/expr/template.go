package expr

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Template is a tree of nodes whose strings may hold expressions, compiled.
// It is immutable and safe for concurrent use.
type Template struct {
	node     *source.Node
	parts    []templatePart // the pieces of a string that holds expressions
	children []*Template    // of a list or map; nil for each that is static, and where all are
	static   bool
}

// templatePart is plain text, or an expression with its place in the string.
type templatePart struct {
	text    string
	program *program // nil for plain text
	offset  int      // in runes
}

// CompileNode compiles every expression in the tree under n against scope. The
// diagnostics stand at the place of the mistake inside the string. With errors
// the Template is still given, so that callers can go on checking; evaluating
// it gives the errors again. A nil n gives a Template of nothing.
func CompileNode(n *source.Node, scope *Scope) (*Template, diag.List) {
	var list diag.List
	if t := compileNode(n, scope, &list); t != nil {
		return t, list
	}
	return &Template{node: n, static: true}, list
}

// compileNode gives nil for a tree without expressions, as nearly all are.
func compileNode(n *source.Node, scope *Scope, list *diag.List) *Template {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case source.String:
		if n.Literal {
			return nil
		}
		return compileText(n, scope, list)
	case source.List:
		var children []*Template
		for i, item := range n.Items {
			if c := compileNode(item, scope, list); c != nil {
				if children == nil {
					children = make([]*Template, len(n.Items))
				}
				children[i] = c
			}
		}
		return parent(n, children)
	case source.Map:
		var children []*Template
		for i, e := range n.Entries {
			if parts, prob := split(e.Key.Str); prob != nil || parts != nil {
				list.Add(diag.Diagnostic{Severity: diag.Error, Rule: "expression-key", Range: e.Key.Range,
					Summary: "a key cannot hold an expression",
					Detail:  "Build the mapping in one expression: \"{{ {(name): value} }}\"."})
			}
			if c := compileNode(e.Value, scope, list); c != nil {
				if children == nil {
					children = make([]*Template, len(n.Entries))
				}
				children[i] = c
			}
		}
		return parent(n, children)
	}
	return nil
}

// parent gives the Template of a list or map; nil where all its children are.
func parent(n *source.Node, children []*Template) *Template {
	if children == nil {
		return nil
	}
	return &Template{node: n, children: children}
}

func compileText(n *source.Node, scope *Scope, list *diag.List) *Template {
	parts, prob := split(n.Str)
	if prob != nil {
		list.Add(prob.at(n, 0))
		return &Template{node: n, parts: []templatePart{{program: &program{problem: prob}}}}
	}
	if parts == nil {
		return nil
	}
	t := &Template{node: n, parts: make([]templatePart, 0, len(parts))}
	for _, p := range parts {
		tp := templatePart{text: p.text, offset: p.offset}
		if p.isExpr {
			tp.program = scope.cache.get(p.text, scope)
			if tp.program.problem != nil {
				list.Add(tp.program.problem.at(n, p.offset))
			}
		}
		t.parts = append(t.parts, tp)
	}
	return t
}

// IsStatic tells whether the tree holds no expression: Eval gives the very node
// that was compiled.
func (t *Template) IsStatic() bool { return t.static }

// Node gives the node that was compiled.
func (t *Template) Node() *source.Node { return t.node }

// Entry gives the template of one value of a mapping; nil where it has no such key,
// or holds no expression at all.
func (t *Template) Entry(key string) *Template {
	if t.static || t.node.Kind != source.Map {
		return nil
	}
	for i, e := range t.node.Entries {
		if e.Key.Str != key {
			continue
		}
		if c := t.children[i]; c != nil {
			return c
		}
		return &Template{node: e.Value, static: true}
	}
	return nil
}

// IsExpression tells whether the whole is one string that is one expression, so
// that its value may be of any type.
func (t *Template) IsExpression() bool { return len(t.parts) == 1 && t.parts[0].program != nil }

// Names gives the member chains that the expressions read, in the order of the
// text. A chain that is read twice stands there twice.
func (t *Template) Names() []Chain {
	var out []Chain
	t.each(func(n *source.Node, p templatePart) {
		out = append(out, placedChains(p.program, n, p.offset)...)
	})
	return out
}

// Volatile tells whether an evaluation may give another result each time, with
// the same values: a random salt or identifier.
func (t *Template) Volatile() bool {
	volatile := false
	t.each(func(_ *source.Node, p templatePart) { volatile = volatile || p.program.volatile })
	return volatile
}

// each visits the expressions in the order of the text.
func (t *Template) each(f func(*source.Node, templatePart)) {
	for _, p := range t.parts {
		if p.program != nil {
			f(t.node, p)
		}
	}
	for _, c := range t.children {
		if c != nil {
			c.each(f)
		}
	}
}

// placedChains gives p's chains with their places in n's string.
func placedChains(p *program, n *source.Node, offset int) []Chain {
	if p == nil {
		return nil
	}
	out := p.chains()
	for i := range out {
		from := p.slots[i].from
		width := from[len(from)-1] + utf8.RuneCountInString(out[i].Path[len(out[i].Path)-1]) - from[0]
		out[i].Range = diag.Range{Pos: n.PosAt(offset + from[0]), Width: width}
	}
	return out
}

// Eval gives the tree with the expressions' values in their places. A string
// that is one expression becomes a node of the value's kind; in a longer string
// values become text. A value that is not known yet gives a node of kind
// Unknown, and what was made of a secret is flagged Secret; an expression that
// is a chain alone keeps both to the members that they are about. All failures
// are collected: the error carries a diag.List.
func (t *Template) Eval(ctx context.Context, values Values) (*source.Node, error) {
	return t.EvalTelling(ctx, values, nil)
}

// EvalTelling is Eval that tells every text that an expression made of a secret,
// by itself and not only within the text around it. made may be nil.
func (t *Template) EvalTelling(ctx context.Context, values Values, made func(text string)) (*source.Node, error) {
	w := &evaluation{made: made}
	n := t.eval(ctx, values, w)
	if err := w.list.Err(); err != nil {
		return nil, err
	}
	return n, nil
}

// evaluation collects what is to be told beside the values.
type evaluation struct {
	list diag.List
	made func(text string)
}

func (w *evaluation) add(d diag.Diagnostic) { w.list.Add(d) }

// tell passes on the texts in what was made of a secret.
func (w *evaluation) tell(n *source.Node) {
	if w.made == nil {
		return
	}
	switch n.Kind {
	case source.String, source.Int, source.Float:
		if n.Secret {
			w.made(fmt.Sprint(n.Any()))
		}
	}
	for _, item := range n.Items {
		w.tell(item)
	}
	for _, e := range n.Entries {
		w.tell(e.Value)
	}
}

func (t *Template) eval(ctx context.Context, values Values, w *evaluation) *source.Node {
	if t.static {
		return t.node
	}
	switch t.node.Kind {
	case source.List:
		out := *t.node
		out.Items = make([]*source.Node, len(t.children))
		for i, c := range t.children {
			if out.Items[i] = t.node.Items[i]; c != nil {
				out.Items[i] = c.eval(ctx, values, w)
			}
		}
		return &out
	case source.Map:
		out := *t.node
		out.Entries = make([]source.Entry, len(t.children))
		for i, c := range t.children {
			if out.Entries[i] = t.node.Entries[i]; c != nil {
				out.Entries[i].Value = c.eval(ctx, values, w)
			}
		}
		return &out
	}
	if t.IsExpression() {
		return t.evalValue(ctx, values, w)
	}
	return t.evalText(ctx, values, w)
}

func (t *Template) evalValue(ctx context.Context, values Values, w *evaluation) *source.Node {
	p := t.parts[0]
	eval := p.program.eval
	if p.program.isChain {
		eval = p.program.evalChain
	}
	out, prob := eval(ctx, values)
	if prob != nil {
		w.add(prob.at(t.node, p.offset))
		return nil
	}
	secret := out.taint.secret || t.node.Secret
	if out.taint.unknown {
		return unknownNode(t.node.Range, secret)
	}
	n, err := out.run.toNode(out.value, t.node.Range, secret)
	if err != nil {
		w.add((&problem{rule: "expression", width: 1, summary: err.Error()}).at(t.node, p.offset))
		return nil
	}
	w.tell(n)
	return n
}

func (t *Template) evalText(ctx context.Context, values Values, w *evaluation) *source.Node {
	var b strings.Builder
	var sum taint
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.text)
			continue
		}
		out, prob := p.program.eval(ctx, values)
		if prob != nil {
			w.add(prob.at(t.node, p.offset))
			continue
		}
		sum.secret = sum.secret || out.taint.secret
		if out.taint.unknown {
			sum.unknown = true
			continue
		}
		text, err := out.run.toText(out.value)
		if err != nil {
			prob := &problem{rule: "expression", width: utf8.RuneCountInString(p.program.text), summary: err.Error()}
			if err == errNilText {
				prob.summary = fmt.Sprintf("%s is nothing and cannot be put into text", p.program.text)
				prob.detail = fmt.Sprintf("If it may be missing, write {{ default(%s, \"…\") }}.", p.program.text)
			}
			w.add(prob.at(t.node, p.offset))
			continue
		}
		if most := p.program.opts.Limits.Bytes; b.Len()+len(text) > most {
			w.add((&problem{rule: "expression", width: utf8.RuneCountInString(p.program.text),
				summary: fmt.Sprintf("the whole text gets longer than %d bytes here", most)}).at(t.node, p.offset))
			break
		}
		if out.taint.secret && w.made != nil {
			w.made(text)
		}
		b.WriteString(text)
	}
	if sum.unknown {
		return unknownNode(t.node.Range, sum.secret || t.node.Secret)
	}
	return &source.Node{Kind: source.String, Str: b.String(), Range: t.node.Range, Secret: sum.secret || t.node.Secret}
}
