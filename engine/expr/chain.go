package expr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/nactl/nactl/engine/diag"
)

// Chain is one read of a variable, as far as it is known at load: `web`,
// `web.results[0].name`. A dynamic index ends the chain: what precedes it is
// read as a whole.
type Chain struct {
	// Path holds the names in order; the index of a list stands in decimal.
	Path []string
	// Guarded says that the expression copes with a missing value: the chain
	// stands under default(), defined() or ??.
	Guarded bool
	// Optional says that the Scope holds the value to be missing sometimes.
	Optional bool
	// Range is where the chain stands.
	Range diag.Range
}

// Root gives the top-level name.
func (c Chain) Root() string { return c.Path[0] }

// String gives the chain as an author would write it.
func (c Chain) String() string {
	p := make(path, len(c.Path))
	for i, s := range c.Path {
		p[i] = s
		if n, err := strconv.Atoi(s); err == nil && i > 0 {
			p[i] = n
		}
	}
	return p.String()
}

// path is the steps of a chain: a string for a member, an int for an index.
type path []any

func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			switch {
			case i == 0:
				b.WriteString(s)
			case IsName(s):
				b.WriteString("." + s)
			default:
				fmt.Fprintf(&b, "[%q]", s)
			}
		}
	}
	return b.String()
}

func (p path) names() []string {
	out := make([]string, len(p))
	for i, step := range p {
		out[i] = fmt.Sprint(step)
	}
	return out
}

// IsName tells whether an expression can read a variable of that name.
func IsName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// link is a chain found in a syntax tree: its steps, and where each stands.
type link struct {
	path     path
	from     []int // rune offset of each step
	optional bool  // written with ?.
}

// chainOf gives the chain that node is, if it is one: an identifier, or members
// of it by constant name or index.
func chainOf(node ast.Node) (link, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return link{path: path{n.Value}, from: []int{n.Location().From}}, true
	case *ast.ChainNode:
		return chainOf(n.Node)
	case *ast.MemberNode:
		if n.Method {
			return link{}, false
		}
		step, ok := constantStep(n.Property)
		if !ok {
			return link{}, false
		}
		l, ok := chainOf(n.Node)
		if !ok {
			return link{}, false
		}
		l.path = append(l.path, step)
		l.from = append(l.from, n.Property.Location().From)
		l.optional = l.optional || n.Optional
		return l, true
	default:
		return link{}, false
	}
}

func constantStep(n ast.Node) (any, bool) {
	switch p := n.(type) {
	case *ast.StringNode:
		return p.Value, true
	case *ast.IntegerNode:
		return p.Value, true
	case *ast.UnaryNode:
		if i, ok := p.Node.(*ast.IntegerNode); ok && p.Operator == "-" {
			return -i.Value, true
		}
	}
	return nil, false
}

// absence says why a chain has no value: the first step that is missing.
type absence struct {
	step   int    // index of the step in the path
	reason string // says what was found instead
	hint   []string
}

// follow walks p through values. It stops at the first Unknown.
func follow(values map[string]any, p path, t *taint) (any, *absence) {
	root, ok := values[p[0].(string)]
	if !ok {
		return nil, &absence{step: 0, reason: "is not set"}
	}
	v := root
	for i := 1; i < len(p); i++ {
		v = peel(v, t)
		if t.unknown {
			return nil, nil
		}
		next, why := member(v, p[i])
		if why != nil {
			why.step = i
			return nil, why
		}
		v = next
	}
	return v, nil
}

// peel removes the markers around v itself, and brings it into the evaluator's
// types when it is of another one; its members are left alone where they can be.
func peel(v any, t *taint) any {
	for {
		switch x := v.(type) {
		case Secret:
			t.secret = true
			v = x.value
		case Unknown:
			t.unknown = true
			return nil
		case Values:
			return map[string]any(x)
		case nil, bool, int, float64, string, map[string]any, []any:
			return v
		default:
			return unwrap(v, t)
		}
	}
}

// member takes one step into an unwrapped value.
func member(v, step any) (any, *absence) {
	switch x := v.(type) {
	case nil:
		return nil, &absence{reason: "is nothing"}
	case map[string]any:
		name, isString := step.(string)
		if !isString {
			name = fmt.Sprint(step)
		}
		next, ok := x[name]
		if !ok {
			names := make([]string, 0, len(x))
			for k := range x {
				names = append(names, k)
			}
			return nil, &absence{reason: fmt.Sprintf("has no member %q", name), hint: names}
		}
		return next, nil
	case []any:
		i, isInt := step.(int)
		if !isInt {
			return nil, &absence{reason: fmt.Sprintf("is a list of %d and has no member %q", len(x), fmt.Sprint(step))}
		}
		if i < 0 {
			i += len(x)
		}
		if i < 0 || i >= len(x) {
			return nil, &absence{reason: fmt.Sprintf("has %d elements and none at index %d", len(x), step)}
		}
		return x[i], nil
	default:
		return nil, &absence{reason: fmt.Sprintf("is %s and has no members", article(v))}
	}
}

// describe says in one line what of p is missing.
func (a *absence) describe(p path) string {
	if a.step == 0 {
		return fmt.Sprintf("%s %s", p[:1], a.reason)
	}
	text := fmt.Sprintf("%s %s", p[:a.step], a.reason)
	if name, ok := p[a.step].(string); ok && a.hint != nil {
		text += diag.DidYouMean(name, sorted(a.hint))
	}
	if a.reason == "is nothing" {
		text += fmt.Sprintf(", so it has no %v", p[a.step])
	}
	return text
}
