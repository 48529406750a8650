package ovirtsim

import (
	"strconv"
	"strings"
)

// query is a parsed search: criteria [sortby field [asc|desc]] [page N].
type query struct {
	where  expr // nil matches everything
	sort   string
	desc   bool
	page   int // 0 when it was not given
	fields []string
}

// expr is a condition on one object.
type expr interface {
	eval(get func(field string) []string, all func() []string, fold bool) bool
}

type (
	and   struct{ a, b expr }
	or    struct{ a, b expr }
	match struct{ field, op, value string } // field empty: free text
)

// syntaxError is where a search could not be understood.
type syntaxError struct {
	text     string
	from, to int
}

// Error puts the wrong part between dollar signs, as the engine does.
func (s *syntaxError) Error() string {
	return s.text[:s.from] + "$" + s.text[s.from:s.to] + "$" + s.text[s.to:]
}

type token struct {
	text     string
	from, to int
	quoted   bool
	op       bool
}

// lex cuts a search into words, quoted texts and operators.
func lex(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n':
			i++
		case c == '"':
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				return nil, &syntaxError{s, i, len(s)}
			}
			out = append(out, token{text: s[i+1 : i+1+end], from: i, to: i + end + 2, quoted: true})
			i += end + 2
		case c == '(' || c == ')':
			out = append(out, token{text: string(c), from: i, to: i + 1, op: true})
			i++
		case strings.IndexByte("=<>!", c) >= 0:
			n := 1
			if i+1 < len(s) && s[i+1] == '=' && c != '=' {
				n = 2
			}
			op := s[i : i+n]
			if op == "!" {
				return nil, &syntaxError{s, i, i + 1}
			}
			out = append(out, token{text: op, from: i, to: i + n, op: true})
			i += n
		default:
			j := i
			for j < len(s) && strings.IndexByte(" \t\n\"()=<>!", s[j]) < 0 {
				j++
			}
			out = append(out, token{text: s[i:j], from: i, to: j})
			i = j
		}
	}
	return out, nil
}

// parseQuery reads a search text.
func parseQuery(s string) (*query, error) {
	toks, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{text: s, toks: toks, q: &query{}}
	if t, ok := p.peek(); ok && !p.tail(t) {
		if p.q.where, err = p.or(0); err != nil {
			return nil, err
		}
	}
	if err := p.rest(); err != nil {
		return nil, err
	}
	return p.q, nil
}

type parser struct {
	text string
	toks []token
	at   int
	q    *query
}

// maxDepth bounds nested parentheses.
const maxDepth = 100

func (p *parser) peek() (token, bool) {
	if p.at >= len(p.toks) {
		return token{from: len(p.text), to: len(p.text)}, false
	}
	return p.toks[p.at], true
}

func (t token) word(w string) bool { return !t.quoted && !t.op && strings.EqualFold(t.text, w) }
func (t token) is(op string) bool  { return t.op && t.text == op }

func (p *parser) tail(t token) bool { return t.word("sortby") || t.word("page") }

func (p *parser) wrong() error {
	t, _ := p.peek()
	return &syntaxError{p.text, t.from, t.to}
}

func (p *parser) or(depth int) (expr, error) {
	x, err := p.and(depth)
	for err == nil {
		t, ok := p.peek()
		if !ok || !t.word("or") {
			break
		}
		p.at++
		var y expr
		y, err = p.and(depth)
		x = or{x, y}
	}
	return x, err
}

func (p *parser) and(depth int) (expr, error) {
	x, err := p.term(depth)
	for err == nil {
		t, ok := p.peek()
		if !ok || t.is(")") || t.word("or") || p.tail(t) {
			break
		}
		if t.word("and") {
			p.at++
		}
		var y expr
		y, err = p.term(depth) // criteria beside each other are joined by and
		x = and{x, y}
	}
	return x, err
}

func (p *parser) term(depth int) (expr, error) {
	t, ok := p.peek()
	switch {
	case !ok || depth > maxDepth:
		return nil, p.wrong()
	case t.is("("):
		p.at++
		x, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if t, ok := p.peek(); !ok || !t.is(")") {
			return nil, p.wrong()
		}
		p.at++
		return x, nil
	case t.op, t.word("and"), t.word("or"), p.tail(t):
		return nil, p.wrong()
	}
	p.at++
	op, ok := p.peek()
	if !ok || !op.op || op.text == "(" || op.text == ")" {
		return match{value: t.text}, nil
	}
	if t.quoted {
		return nil, p.wrong()
	}
	p.at++
	v, ok := p.peek()
	if !ok || v.op {
		return nil, p.wrong()
	}
	p.at++
	f := strings.ToLower(t.text)
	p.q.fields = append(p.q.fields, f)
	return match{field: f, op: op.text, value: v.text}, nil
}

// rest reads sortby and page.
func (p *parser) rest() error {
	if t, ok := p.peek(); ok && t.word("sortby") {
		p.at++
		t, ok := p.peek()
		if !ok || t.op {
			return p.wrong()
		}
		p.q.sort = strings.ToLower(t.text)
		p.at++
		if t, ok := p.peek(); ok && (t.word("asc") || t.word("desc")) {
			p.q.desc = t.word("desc")
			p.at++
		}
	}
	if t, ok := p.peek(); ok && t.word("page") {
		p.at++
		t, _ := p.peek()
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 {
			return p.wrong()
		}
		p.q.page = n
		p.at++
	}
	if _, ok := p.peek(); ok {
		return p.wrong()
	}
	return nil
}

func (x and) eval(get func(string) []string, all func() []string, fold bool) bool {
	return x.a.eval(get, all, fold) && x.b.eval(get, all, fold)
}

func (x or) eval(get func(string) []string, all func() []string, fold bool) bool {
	return x.a.eval(get, all, fold) || x.b.eval(get, all, fold)
}

func (m match) eval(get func(string) []string, all func() []string, fold bool) bool {
	if m.field == "" {
		for _, v := range all() {
			if glob("*"+m.value+"*", v, fold) {
				return true
			}
		}
		return false
	}
	found := false
	for _, v := range get(m.field) {
		switch m.op {
		case "=", "!=":
			found = found || glob(m.value, v, fold)
		default:
			c := compare(v, m.value, fold)
			found = found || (m.op == "<" && c < 0) || (m.op == ">" && c > 0) || (m.op == "<=" && c <= 0) || (m.op == ">=" && c >= 0)
		}
	}
	return found != (m.op == "!=")
}

// glob matches a text with * for anything; everything else is literal.
func glob(pattern, s string, fold bool) bool {
	if fold {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// compare orders numbers as numbers and everything else as text.
func compare(a, b string, fold bool) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	switch {
	case errA == nil && errB == nil && x < y:
		return -1
	case errA == nil && errB == nil && x > y:
		return 1
	case errA == nil && errB == nil:
		return 0
	case fold:
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	}
	return strings.Compare(a, b)
}
