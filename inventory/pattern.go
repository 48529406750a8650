package inventory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// The limits of a pattern: it is parsed by recursion.
const (
	maxPattern        = 8192 // runes
	maxPatternNesting = 50
)

// pattern is a parsed pattern: terms of which the plain ones are put together,
// then those with & keep what they have in common with it, then those with !
// are taken away. This is Ansible's order, whatever the order in which the terms
// are written.
type pattern struct {
	items []item
}

// mode is what an item does to a pattern's targets.
type mode int

const (
	union mode = iota
	intersect
	exclude
)

type item struct {
	mode mode
	all  []operand // that must all hold
}

// operand is a name, or a pattern in parentheses, perhaps negated.
type operand struct {
	not   bool
	name  string
	group *pattern
	at    diag.Range
}

// parsePattern parses a text, or a list of texts: its elements are terms.
func parsePattern(n *source.Node) (*pattern, diag.List) {
	var list diag.List
	items := []*source.Node{n}
	if n.Kind == source.List {
		items = n.Items
	}
	out := &pattern{}
	for _, it := range items {
		text, ok := scalarText(it)
		if !ok {
			list.Errorf(it.Range, "pattern", "a pattern of targets is a text or a list of texts, not %s", it.Kind)
			continue
		}
		p := patternParser{node: it, text: []rune(text)}
		if len(p.text) > maxPattern {
			list.Errorf(it.Range, "pattern", "a pattern of %d characters: %d are allowed", len(p.text), maxPattern)
			continue
		}
		if sub, ok := p.parse(); ok {
			out.items = append(out.items, sub.items...)
		} else {
			list.Add(p.problem)
		}
	}
	if len(items) == 0 {
		list.Errorf(n.Range, "pattern", `a pattern must name something; "all" means every target`)
	}
	return out, list
}

// patternParser reads
//
//	pattern = item { ("," | ":") item }
//	item    = [ "&" ] operand { "&" operand }
//	operand = [ "!" ] ( NAME | "(" pattern ")" )
type patternParser struct {
	node    *source.Node
	text    []rune
	pos     int
	depth   int
	problem diag.Diagnostic
}

func (p *patternParser) parse() (*pattern, bool) {
	out, ok := p.pattern()
	if ok && p.peek() != 0 {
		return nil, p.fail(p.pos, 1, "%s does not belong here: put , or & between two names", p.found())
	}
	return out, ok
}

// fail notes what is wrong at a place; the first complaint stays.
func (p *patternParser) fail(at, width int, format string, args ...any) bool {
	if p.problem.Summary == "" {
		p.problem = diag.Diagnostic{Rule: "pattern", Summary: fmt.Sprintf(format, args...), Range: p.rangeAt(at, width)}
	}
	return false
}

func (p *patternParser) rangeAt(at, width int) diag.Range {
	r := diag.Range{Pos: p.node.PosAt(at), Width: width}
	if r.Pos == p.node.Range.Pos && at > 0 { // a computed text has one place
		r.Width = p.node.Range.Width
	}
	return r
}

// peek gives the next rune that is no blank, or 0.
func (p *patternParser) peek() rune {
	for p.pos < len(p.text) && unicode.IsSpace(p.text[p.pos]) {
		p.pos++
	}
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *patternParser) found() string {
	if r := p.peek(); r != 0 {
		return fmt.Sprintf("%q", string(r))
	}
	return "the end of the pattern"
}

func (p *patternParser) pattern() (*pattern, bool) {
	if p.depth++; p.depth > maxPatternNesting {
		return nil, p.fail(p.pos, 1, "more than %d parentheses inside each other", maxPatternNesting)
	}
	defer func() { p.depth-- }()
	out := &pattern{}
	for {
		it, ok := p.item()
		if !ok {
			return nil, false
		}
		out.items = append(out.items, it)
		if r := p.peek(); r != ',' && r != ':' {
			return out, true
		}
		p.pos++
	}
}

func (p *patternParser) item() (item, bool) {
	var out item
	if p.peek() == '&' {
		out.mode = intersect
		p.pos++
	}
	for {
		o, ok := p.operand()
		if !ok {
			return out, false
		}
		out.all = append(out.all, o)
		if p.peek() != '&' {
			break
		}
		p.pos++
	}
	if len(out.all) == 1 && out.all[0].not && out.mode == union {
		out.mode, out.all[0].not = exclude, false
	}
	return out, true
}

func (p *patternParser) operand() (operand, bool) {
	var o operand
	if p.peek() == '!' {
		o.not = true
		p.pos++
	}
	p.peek()
	start := p.pos
	if p.peek() == '(' {
		p.pos++
		sub, ok := p.pattern()
		if !ok {
			return o, false
		}
		if p.peek() != ')' {
			return o, p.fail(start, 1, "this parenthesis is never closed: there is %s", p.found())
		}
		p.pos++
		o.group, o.at = sub, p.rangeAt(start, p.pos-start)
		return o, true
	}
	if !p.word() {
		return o, false
	}
	if p.pos == start {
		return o, p.fail(start, 1, "a name is expected, not %s", p.found())
	}
	o.name, o.at = string(p.text[start:p.pos]), p.rangeAt(start, p.pos-start)
	return o, true
}

// word moves behind a name; what stands in brackets belongs to it, a colon too.
func (p *patternParser) word() bool {
	for p.pos < len(p.text) {
		r := p.text[p.pos]
		switch {
		case r == '[':
			end := slices.Index(p.text[p.pos:], ']')
			if end < 0 {
				return p.fail(p.pos, 1, "this bracket is never closed")
			}
			p.pos += end + 1
		case strings.ContainsRune(",:&!() \t\n", r):
			return true
		case unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.*?", r):
			p.pos++
		default:
			return p.fail(p.pos, 1, "%q cannot stand in a pattern", string(r))
		}
	}
	return true
}
