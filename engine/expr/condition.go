package expr

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Condition is a bare expression that gives a boolean, or a list of them that
// must all hold: when, until, changed_when, failed_when, assert's `that`.
// It is immutable and safe for concurrent use.
type Condition struct {
	terms []term
}

// term is one expression, or a literal true or false.
type term struct {
	node    *source.Node
	program *program // nil for a literal
	offset  int
	literal bool
}

// CompileCondition compiles a condition against scope. n is a string with a
// bare expression, YAML's true or false, or a list of these. There is no
// truthiness: an expression whose type is known at load must be a boolean.
// With errors the Condition is still given; evaluating it gives them again.
func CompileCondition(n *source.Node, scope *Scope) (*Condition, diag.List) {
	var list diag.List
	c := &Condition{}
	if n != nil && n.Kind == source.List {
		for _, item := range n.Items {
			c.terms = append(c.terms, compileTerm(item, scope, &list))
		}
		if len(n.Items) == 0 {
			list.Errorf(n.Range, "condition", "this list of conditions is empty: write true, or leave the key out")
		}
		return c, list
	}
	c.terms = []term{compileTerm(n, scope, &list)}
	return c, list
}

func compileTerm(n *source.Node, scope *Scope, list *diag.List) term {
	t := term{node: n}
	refuse := func(p *problem) term {
		list.Add(p.at(n, t.offset))
		t.program = &program{problem: p}
		return t
	}
	switch {
	case n == nil:
		t.node = &source.Node{}
		t.program = &program{problem: &problem{rule: "condition", summary: "there is no condition here"}}
		list.Add(t.program.problem.at(t.node, 0))
		return t
	case n.Kind == source.Bool:
		t.literal = n.Bool
		return t
	case n.Kind != source.String:
		d := diag.Diagnostic{Rule: "condition", Range: n.Range,
			Summary: fmt.Sprintf("a condition is an expression or true or false, not %s", n.Kind)}
		list.Add(d)
		t.program = &program{problem: &problem{rule: "condition", summary: d.Summary}}
		return t
	}
	text := strings.TrimSpace(n.Str)
	t.offset = utf8.RuneCountInString(n.Str[:strings.Index(n.Str, text)])
	switch {
	case text == "":
		return refuse(&problem{rule: "condition", width: 1, summary: "this condition is empty"})
	case strings.Contains(text, "{{"):
		// No mapping literal starts with {{, so this is a template's habit, also
		// inside of a string, where it would be compared as it stands.
		detail := "Write the variable's name alone; + joins text."
		if end := closing(text[2:]); strings.HasPrefix(text, "{{") && end >= 0 && 2+end+2 == len(text) {
			detail = fmt.Sprintf("Write: %s", strings.TrimSpace(text[2:2+end]))
		}
		return refuse(&problem{rule: "condition", from: utf8.RuneCountInString(text[:strings.Index(text, "{{")]), width: 2,
			summary: "a condition is a bare expression, without {{ }}", detail: detail})
	case strings.Contains(text, "{%"):
		if p := statementTag(n.Str); p != nil {
			t.offset = 0
			return refuse(p)
		}
	}
	_, isName := scope.find(text)
	switch l := strings.ToLower(text); {
	case !isName && (l == "yes" || l == "no" || l == "on" || l == "off"):
		word := "true"
		if l == "no" || l == "off" {
			word = "false"
		}
		return refuse(&problem{rule: "condition", width: len(text), summary: fmt.Sprintf("%s is a string here: write %s", text, word)})
	}
	p := scope.cache.get(text, scope)
	if p.problem != nil {
		return refuse(p.problem)
	}
	if p.result.known && p.result.typ.kind() != Bool {
		return refuse(notBoolean(text, p.result.name, p.result.hint))
	}
	t.program = p
	return t
}

func notBoolean(text, name, hint string) *problem {
	p := &problem{rule: "condition", width: utf8.RuneCountInString(text),
		summary: fmt.Sprintf("a condition must be true or false, but this is %s", name)}
	if hint != "" {
		p.detail = "Nothing is taken for true or false by itself: " + hint + "."
	}
	return p
}

// Names gives the member chains that the condition reads, in the order of the
// text.
func (c *Condition) Names() []Chain {
	var out []Chain
	for _, t := range c.terms {
		out = append(out, placedChains(t.program, t.node, t.offset)...)
	}
	return out
}

// IsStatic tells whether the condition is made of literals alone.
func (c *Condition) IsStatic() bool {
	for _, t := range c.terms {
		if t.program != nil {
			return false
		}
	}
	return true
}

// Len gives the number of conditions in the list; one for a single condition.
func (c *Condition) Len() int { return len(c.terms) }

// Eval tells whether all conditions hold. They are taken in order, and the first
// that does not hold decides: those after it may rely on those before. With
// unknown true, value is meaningless: a condition hangs on what is known only
// afterwards, and none before it is false.
func (c *Condition) Eval(ctx context.Context, values Values) (value, unknown bool, err error) {
	for i := range c.terms {
		ok, unknown, err := c.EvalTerm(ctx, i, values)
		if err != nil || unknown || !ok {
			return false, unknown, err
		}
	}
	return true, false, nil
}

// EvalTerm is Eval for the i-th condition alone.
func (c *Condition) EvalTerm(ctx context.Context, i int, values Values) (value, unknown bool, err error) {
	t := c.terms[i]
	if t.program == nil {
		return t.literal, false, nil
	}
	out, prob := t.program.eval(ctx, values)
	if prob != nil {
		return false, false, diag.List{prob.at(t.node, t.offset)}.Err()
	}
	if out.taint.unknown {
		return false, true, nil
	}
	b, ok := out.value.(bool)
	if !ok {
		prob := notBoolean(t.program.text, article(out.value), hintFor(out.value))
		return false, false, diag.List{prob.at(t.node, t.offset)}.Err()
	}
	return b, false, nil
}

// Term gives the node of the i-th condition, for messages about it.
func (c *Condition) Term(i int) *source.Node { return c.terms[i].node }

func hintFor(v any) string {
	switch plain(v).(type) {
	case nil:
		return "compare it (x == true), or give it a default"
	case string:
		return `compare it: x != "" or x == "yes"`
	case int, float64:
		return "compare it: x != 0"
	case []any, map[string]any:
		return "ask for its length: len(x) > 0"
	default:
		return ""
	}
}
