package expr

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/nactl/nactl/engine/diag"
)

// program is one compiled expression, or the problem that kept it from being
// compiled. It is immutable and safe for concurrent use.
type program struct {
	text     string
	scope    *Scope
	opts     Options
	roots    map[string]root // every top-level name that was looked up
	slots    []slot
	volatile bool
	isChain  bool // the whole is one chain
	result   resultType
	code     *vm.Program
	problem  *problem
}

// resultType is what is known at load of an expression's value.
type resultType struct {
	known bool   // false: it may be anything
	typ   *Type  // never nil
	name  string // for messages
	hint  string // how such a value is made a condition
}

// slot is a place in a program's environment that holds the value of one chain.
// Programs never see the variables themselves: the chains that they read are
// replaced by slots when they are compiled, and filled before they run.
type slot struct {
	link
	need     need
	guarded  bool // its absence is coped with elsewhere, by defined()
	optional bool // the scope knows that it may be absent
	typ      *Type

	value   string // name in the environment
	present string // name of the boolean that says whether it has a value
}

// need is what becomes of a slot whose chain has no value.
type need int

const (
	required need = iota // an error, if the value is asked for
	lenient              // nil
	probed               // only asked whether it is there
)

// names of what a program's environment holds beside slots
const runName = "$run"

// compile makes the program of text for scope s. It never fails: the program
// carries its problem.
func compile(text string, s *Scope, opts Options) (p *program) {
	p = &program{text: text, scope: s, opts: opts, roots: map[string]root{}}
	// The parser and checker are others' code that reads what users wrote: a
	// panic in them must name the expression, not end the run.
	defer func() {
		if r := recover(); r != nil {
			p.problem = &problem{rule: "expression", width: 1,
				summary: fmt.Sprintf("this expression cannot be compiled: %v", r)}
		}
	}()
	if p.problem = precheck(text); p.problem != nil {
		return p
	}
	cfg := newConfig()
	tree, err := parser.ParseWithConfig(text, cfg)
	if err != nil {
		p.problem = syntaxProblem(text, err)
		return p
	}
	w := &rewriter{program: p, slots: map[string]int{}}
	w.findGuards(tree.Node)
	_, p.isChain = chainOf(tree.Node)
	w.rewrite(&tree.Node, nil, false)
	if w.problem != nil {
		p.problem = w.problem
		return p
	}
	cfg.WithEnv(p.environmentType())
	if _, err := checker.Check(tree, cfg); err != nil {
		p.problem = p.typeProblem(err)
		return p
	}
	var whole *Type
	if p.isChain {
		whole = p.slots[0].typ
	}
	p.result = resultOf(tree.Node, &cfg.NtCache, whole)
	instrument(&tree.Node, &cfg.NtCache)
	p.code, err = compiler.Compile(tree, cfg)
	if err != nil {
		p.problem = p.typeProblem(err)
	}
	return p
}

// newConfig gives the configuration of expr-lang for one compilation. The
// optimizer stays off: it would move code around the guards, and what it saves
// is less than one lookup in an inventory.
func newConfig() *conf.Config {
	return &conf.Config{
		MaxNodes:     maxNodes,
		ShortCircuit: true,
		Strict:       true,
		Functions:    registry.table,
		Builtins:     registry.builtins,
		Disabled:     registry.disabled,
	}
}

// environmentType describes the slots to the checker.
func (p *program) environmentType() types.Map {
	env := types.Map{runName: types.Any}
	for _, s := range p.slots {
		env[s.present] = types.Bool
		if s.need != probed {
			env[s.value] = s.typ.checkerType()
		}
	}
	return env
}

// resultOf reads the checker's finding about the whole expression. Of an
// expression that is a chain alone, whole is what the scope knows.
func resultOf(n ast.Node, c *nature.Cache, whole *Type) resultType {
	t := n.Nature()
	if t.IsUnknown(c) {
		return resultType{typ: AnyType}
	}
	r := resultType{known: true, typ: whole}
	set := func(typ *Type, name, hint string) {
		if r.typ == nil {
			r.typ = typ
		}
		r.name, r.hint = name, hint
	}
	switch {
	case t.Nil:
		set(AnyType, "nothing", "")
	case t.IsBool():
		set(BoolType, BoolType.String(), "")
	case t.IsString():
		set(StringType, StringType.String(), `compare it: x != "" or x == "yes"`)
	case t.IsInteger:
		set(IntType, IntType.String(), "compare it: x != 0")
	case t.IsNumber():
		set(FloatType, FloatType.String(), "compare it: x != 0")
	case t.IsArray():
		set(AnyList, AnyList.String(), "ask for its length: len(x) > 0")
	case t.IsMap():
		set(OpenMap, OpenMap.String(), "ask for its length: len(x) > 0")
	default:
		set(AnyType, t.String(), "")
	}
	return r
}

// precheck refuses what would exhaust the parser, before it sees the text.
func precheck(text string) *problem {
	if len(text) > maxLength {
		return &problem{rule: "expression-size", width: 1,
			summary: fmt.Sprintf("this expression is %d bytes long, more than %d", len(text), maxLength),
			detail:  "Set a variable to a part of it (set_vars), and use that."}
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'', '`':
			i = skipString(text, i)
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return &problem{rule: "expression-size", from: utf8.RuneCountInString(text[:i]), width: 1,
					summary: fmt.Sprintf("this expression nests brackets deeper than %d", maxNesting)}
			}
		case ')', ']', '}':
			depth--
		case '/':
			// expr-lang would take the rest for a comment, and evaluate a // b to a.
			if i+1 < len(text) && (text[i+1] == '/' || text[i+1] == '*') {
				return &problem{rule: "jinja", from: utf8.RuneCountInString(text[:i]), width: 2,
					summary: text[i:i+2] + " is no operator here",
					detail:  "Write int(a / b) to divide without a rest; a comment belongs into the YAML."}
			}
		}
	}
	return nil
}

// goTypes are the checker's words for types, and the language's.
var goTypes = strings.NewReplacer("map[string]interface {}", "map", "map[string]any", "map", "[]interface {}", "list", "[]any", "list",
	"interface {}", "any", "float64", "float", " (type ", " (wanted: ")

// typeProblem gives the checker's findings in nactl's words.
func (p *program) typeProblem(err error) *problem {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return &problem{rule: "expression", width: 1, summary: strings.TrimSpace(err.Error())}
	}
	out := &problem{rule: "expression-type", from: fe.From, width: 1, summary: strings.TrimSpace(goTypes.Replace(fe.Message))}
	if name, ok := strings.CutPrefix(out.summary, "unknown field "); ok {
		names := map[string]bool{}
		for _, s := range p.slots {
			s.typ.memberNames(names)
		}
		out.rule, out.width = "unknown-name", utf8.RuneCountInString(name)
		out.summary = fmt.Sprintf("unknown member %q%s", name, diag.DidYouMean(name, slices.Sorted(maps.Keys(names))))
	}
	if strings.HasPrefix(out.summary, "invalid operation: + (mismatched types") && strings.Contains(out.summary, "string") {
		out.detail = "Use string(x) to make text of a value, or int(x) to make a number of text."
	}
	if logical.MatchString(out.summary) {
		out.detail = "Nothing is taken for true or false by itself: compare, as x != \"\" or len(x) > 0."
	}
	if form := calledForm(p.text, out.from); form != "" && strings.Contains(out.summary, "arguments") {
		out.detail = "It is called as " + form + "."
	}
	return out
}

// logical is the checker's finding about what is to be true or false, and is not.
var logical = regexp.MustCompile(`^invalid operation: (?:not|!|and|or|&&|\|\|) \(|^non-bool expression`)

// calledForm gives the form in which the function that stands at a rune of an
// expression is called, or "".
func calledForm(text string, from int) string {
	runes := []rune(text)
	if from < 0 || from >= len(runes) {
		return ""
	}
	name := string(runes[from:])
	if end := strings.IndexFunc(name, func(r rune) bool { return !IsName("x" + string(r)) }); end >= 0 {
		name = name[:end]
	}
	for _, f := range append(LanguageFunctions(), registry.docs...) {
		if f.Name == name {
			return f.Form
		}
	}
	return ""
}
