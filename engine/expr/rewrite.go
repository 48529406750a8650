package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/nactl/nactl/engine/diag"
)

// rewriter puts slots in the place of variables, checks every name against the
// scope, and turns default(), defined() and ternary() into what they stand for.
// It sees the tree before the checker does. The first problem ends it.
type rewriter struct {
	program *program
	guards  []path         // chains that stand under defined()
	slots   map[string]int // slot index by need and path
	problem *problem
}

func (w *rewriter) fail(p *problem) {
	if w.problem == nil {
		w.problem = p
	}
}

// findGuards collects the chains under defined(): where one stands, the rest of
// the expression may read that chain though it may be missing.
func (w *rewriter) findGuards(n ast.Node) {
	if call, name := namedCall(n); call != nil && name == "defined" && len(call.Arguments) == 1 {
		if l, ok := chainOf(call.Arguments[0]); ok {
			w.guards = append(w.guards, l.path)
		}
	}
	eachChild(n, func(c *ast.Node) { w.findGuards(*c) })
}

func (w *rewriter) guarded(p path) bool {
	return slices.ContainsFunc(w.guards, func(g path) bool {
		return len(g) <= len(p) && slices.Equal(g, p[:len(g)])
	})
}

// rewrite handles *n and all below it. locals are the names bound by let;
// optional says that a missing value is nil here.
func (w *rewriter) rewrite(n *ast.Node, locals []string, optional bool) {
	if w.problem != nil || *n == nil {
		return
	}
	if l, ok := chainOf(*n); ok {
		if !slices.Contains(locals, l.path[0].(string)) {
			need := required
			if optional || l.optional {
				need = lenient
			}
			w.replace(n, l, need, optional)
			return
		}
	}
	switch x := (*n).(type) {
	case *ast.CallNode:
		w.call(n, x, locals, optional)
		return
	case *ast.BuiltinNode:
		if w.builtin(n, x, locals, optional) {
			return
		}
	case *ast.BinaryNode:
		if x.Operator == "??" {
			w.rewrite(&x.Left, locals, true)
			w.rewrite(&x.Right, locals, optional)
			return
		}
	case *ast.VariableDeclaratorNode:
		if w.reserved(x.Name, x.Location().From) {
			return
		}
		if _, known := w.program.scope.find(x.Name); known {
			w.fail(&problem{rule: "expression", from: x.Location().From, width: utf8.RuneCountInString(x.Name),
				summary: fmt.Sprintf("%s is already a variable: let needs another name", x.Name)})
			return
		}
		w.lookup(x.Name) // a scope that knows the name would refuse it
		w.rewrite(&x.Value, locals, optional)
		w.rewrite(&x.Expr, append(slices.Clip(locals), x.Name), optional)
		return
	case *ast.ChainNode:
		// a?.b.c is nothing as a whole when a is: what follows ?. is lenient too.
		for m, ok := x.Node.(*ast.MemberNode); ok; m, ok = m.Node.(*ast.MemberNode) {
			m.Optional = true
		}
	case *ast.MemberNode:
		if optional {
			x.Optional = true
		}
	}
	eachChild(*n, func(c *ast.Node) { w.rewrite(c, locals, optional) })
}

// reserved refuses the names that belong to the machinery: $env would open the
// environment, the others the internal functions.
func (w *rewriter) reserved(name string, from int) bool {
	if !strings.HasPrefix(name, "$") {
		return false
	}
	w.fail(&problem{rule: "unknown-name", from: from, width: utf8.RuneCountInString(name),
		summary: fmt.Sprintf("unknown name %s", name), detail: "Names do not start with $."})
	return true
}

// lookup asks the scope for a top-level name, and remembers the answer for
// cache.get.
func (w *rewriter) lookup(name string) (Field, bool) {
	f, ok := w.program.scope.find(name)
	w.program.roots[name] = root{field: f, known: ok}
	return f, ok
}

// replace puts the slot of chain l in the place of *n.
func (w *rewriter) replace(n *ast.Node, l link, need need, optional bool) {
	if w.reserved(l.path[0].(string), l.from[0]) {
		return
	}
	guarded := optional || need == probed || w.guarded(l.path)
	typ, mayMiss, p := w.resolveType(l, guarded)
	if p != nil {
		w.fail(p)
		return
	}
	if l.optional {
		typ = AnyType // it may be nil without a default
	}
	key := fmt.Sprint(need, l.optional, l.path)
	i, seen := w.slots[key]
	if !seen {
		i = len(w.program.slots)
		w.slots[key] = i
		w.program.slots = append(w.program.slots, slot{
			link: l, need: need, guarded: guarded, optional: mayMiss, typ: typ,
			value: fmt.Sprintf("$%d", i), present: fmt.Sprintf("$%d?", i),
		})
	}
	s := &w.program.slots[i]
	at := (*n).Location()
	at.From = l.from[len(l.from)-1]
	switch need {
	case probed:
		*n = &ast.IdentifierNode{Value: s.present}
	case lenient:
		*n = &ast.IdentifierNode{Value: s.value}
	case required:
		// present ? value : (fail; nil) keeps the value's type, and fails only
		// when the value is asked for: `ready && vm.ip != ""` may be false first.
		missing := &ast.CallNode{Callee: &ast.IdentifierNode{Value: fnAbsent},
			Arguments: []ast.Node{&ast.IdentifierNode{Value: runName}, &ast.IntegerNode{Value: i}}}
		eachNode(missing, func(m ast.Node) { m.SetLocation(at) })
		*n = &ast.ConditionalNode{
			Cond: &ast.IdentifierNode{Value: s.present},
			Exp1: &ast.IdentifierNode{Value: s.value},
			Exp2: &ast.SequenceNode{Nodes: []ast.Node{missing, &ast.NilNode{}}},
		}
	}
	eachNode(*n, func(m ast.Node) { m.SetLocation(at) })
}

// resolveType gives the type of a chain, and whether the scope holds that it
// may be missing. Guarded chains may be unknown.
func (w *rewriter) resolveType(l link, guarded bool) (*Type, bool, *problem) {
	name := l.path[0].(string)
	f, ok := w.lookup(name)
	if !ok {
		if guarded {
			return AnyType, true, nil
		}
		return nil, false, w.unknownName(name, l.from[0])
	}
	typ, mayMiss := f.Type, f.Optional
	for i, step := range l.path[1:] {
		from := l.from[i+1]
		word := fmt.Sprint(step)
		switch typ.kind() {
		case Any:
			return AnyType, mayMiss, nil
		case Map:
			next, known := typ.Fields[word]
			switch {
			case known:
				typ, mayMiss = next.Type, mayMiss || next.Optional
			case typ.Open:
				typ = AnyType
			case guarded:
				return AnyType, true, nil
			default:
				out := &problem{rule: "unknown-name", from: from, width: utf8.RuneCountInString(word),
					summary: fmt.Sprintf("%s has no member %q%s", l.path[:i+1], word,
						diag.DidYouMean(word, slices.Sorted(maps.Keys(typ.Fields)))),
					detail: memberList(typ)}
				if text, ok := strings.CutSuffix(word, "_lines"); ok && typ.Fields[text].Type != nil {
					out.detail = fmt.Sprintf(`Write split(%s.%s, "\n").`, l.path[:i+1], text)
				}
				return nil, false, out
			}
		case List:
			if _, isIndex := step.(int); !isIndex {
				return nil, false, &problem{rule: "unknown-name", from: from, width: utf8.RuneCountInString(word),
					summary: fmt.Sprintf("%s is a list and has no member %q", l.path[:i+1], word),
					detail:  fmt.Sprintf("Take one element, %s[0].%s, or all: map(%s, .%s).", l.path[:i+1], word, l.path[:i+1], word)}
			}
			typ = typ.Elem
		default:
			out := &problem{rule: "expression-type", from: from, width: utf8.RuneCountInString(word),
				summary: fmt.Sprintf("%s is %s and has no members", l.path[:i+1], typ)}
			if _, isIndex := step.(int); isIndex && typ.kind() == String {
				out.detail = fmt.Sprintf("Take a part of a string with a range: %s[0:1].", l.path[:i+1])
			}
			return nil, false, out
		}
	}
	if typ == nil {
		typ = AnyType
	}
	return typ, mayMiss, nil
}

// memberList says which members a closed map has, when they fit a line.
func memberList(t *Type) string {
	names := slices.Sorted(maps.Keys(t.Fields))
	if text := strings.Join(names, ", "); len(names) > 0 && len(text) <= 100 {
		return "It has: " + text + "."
	}
	return ""
}

func (w *rewriter) unknownName(name string, from int) *problem {
	p := &problem{rule: "unknown-name", from: from, width: utf8.RuneCountInString(name)}
	if better, ok := foreignNames[name]; ok {
		p.summary, p.detail = fmt.Sprintf("unknown name %s", name), better
		return p
	}
	switch {
	case registry.known(name):
		p.summary, p.detail = fmt.Sprintf("unknown name %s", name), fmt.Sprintf("%s is a function: write %s(…).", name, name)
	case strings.HasPrefix(name, "ansible_"):
		p.summary, p.detail = fmt.Sprintf("unknown name %s", name), foreignNames["ansible_facts"]
	default:
		p.summary = fmt.Sprintf("unknown name %s%s", name, diag.DidYouMean(name, w.program.scope.Names()))
	}
	return p
}

// call handles calls by name; x is *n.
func (w *rewriter) call(n *ast.Node, x *ast.CallNode, locals []string, optional bool) {
	if m, ok := x.Callee.(*ast.MemberNode); ok {
		w.method(x, m, locals, optional)
		return
	}
	_, name := namedCall(x)
	at := x.Location().From
	if name == "" {
		w.fail(&problem{rule: "expression", from: at, width: 1, summary: "only a function can be called, by its name"})
		return
	}
	if w.reserved(name, at) {
		return
	}
	switch name {
	case "default":
		if len(x.Arguments) != 2 {
			w.arity(x, name, "default(x, value)")
			return
		}
		w.rewrite(&x.Arguments[0], locals, true)
		w.rewrite(&x.Arguments[1], locals, optional)
		patch(n, &ast.BinaryNode{Operator: "??", Left: x.Arguments[0], Right: x.Arguments[1]})
		return
	case "defined":
		if len(x.Arguments) != 1 {
			w.arity(x, name, "defined(x)")
			return
		}
		w.defined(n, x, locals)
		return
	case "ternary":
		if len(x.Arguments) != 3 {
			w.arity(x, name, "ternary(cond, a, b)")
			return
		}
		for i := range x.Arguments {
			w.rewrite(&x.Arguments[i], locals, optional)
		}
		patch(n, &ast.ConditionalNode{Ternary: true, Cond: x.Arguments[0], Exp1: x.Arguments[1], Exp2: x.Arguments[2]})
		return
	}
	if hint := w.foreignCall(x, name); hint != nil {
		w.fail(hint)
		return
	}
	if !registry.known(name) {
		p := &problem{rule: "unknown-name", from: at, width: utf8.RuneCountInString(name)}
		if better, ok := foreignFunctions[name]; ok {
			p.rule, p.summary, p.detail = "jinja", fmt.Sprintf("unknown function %s", name), better
		} else {
			p.summary = fmt.Sprintf("unknown function %s%s", name, diag.DidYouMean(name, registry.names))
		}
		w.fail(p)
		return
	}
	if name == "password_hash" && len(x.Arguments) < 2 || name == "uuid4" {
		w.program.volatile = true
	}
	for i := range x.Arguments {
		w.rewrite(&x.Arguments[i], locals, optional)
	}
}

func (w *rewriter) arity(x *ast.CallNode, name, form string) {
	w.fail(&problem{rule: "expression-type", from: x.Location().From, width: utf8.RuneCountInString(name),
		summary: fmt.Sprintf("%s takes other arguments: %s", name, form)})
}

// defined asks for the presence of a chain. Of anything else it asks whether the
// value is nil, with missing values inside it being nil.
func (w *rewriter) defined(n *ast.Node, x *ast.CallNode, locals []string) {
	arg := x.Arguments[0]
	if l, ok := chainOf(arg); ok && !slices.Contains(locals, l.path[0].(string)) {
		w.replace(n, l, probed, true)
		return
	}
	if s, ok := arg.(*ast.StringNode); ok {
		w.fail(&problem{rule: "expression-type", from: s.Location().From, width: 1,
			summary: "defined takes a variable, not a string", detail: fmt.Sprintf("Write defined(%s).", s.Value)})
		return
	}
	w.rewrite(&x.Arguments[0], locals, true)
	patch(n, &ast.BinaryNode{Operator: "!=", Left: x.Arguments[0], Right: &ast.NilNode{}})
}

// method refuses methods on variables, which hold plain data; it leaves those of
// dates and durations.
func (w *rewriter) method(x *ast.CallNode, m *ast.MemberNode, locals []string, optional bool) {
	name := "x"
	if s, ok := m.Property.(*ast.StringNode); ok {
		name = s.Value
	}
	if l, ok := chainOf(m.Node); ok {
		p := &problem{rule: "jinja", from: m.Location().From, width: utf8.RuneCountInString(name),
			summary: fmt.Sprintf("%s has no method %s: functions stand in front", l.path, name)}
		switch better := methodHints[name]; {
		case better != "":
			p.detail = fmt.Sprintf("Write "+better+".", l.path)
		case registry.known(name):
			p.detail = fmt.Sprintf("Write %s(%s).", name, l.path)
		}
		w.fail(p)
		return
	}
	w.rewrite(&m.Node, locals, optional)
	for i := range x.Arguments {
		w.rewrite(&x.Arguments[i], locals, optional)
	}
}

// builtin refuses the builtins that are switched off, and turns those that have
// a guarded twin into calls of it; `::name()` gets here past the registry.
func (w *rewriter) builtin(n *ast.Node, x *ast.BuiltinNode, locals []string, optional bool) bool {
	if better, off := refusedBuiltins[x.Name]; off {
		w.fail(&problem{rule: "unknown-name", from: x.Location().From, width: utf8.RuneCountInString(x.Name),
			summary: fmt.Sprintf("%s is not available", x.Name), detail: better})
		return true
	}
	if _, twin := registry.table[x.Name]; !twin {
		return false
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: x.Name}, Arguments: x.Arguments}
	call.Callee.SetLocation(x.Location())
	patch(n, call)
	w.call(n, call, locals, optional)
	return true
}

func patch(n *ast.Node, by ast.Node) { ast.Patch(n, by) }

// namedCall gives the call that n is, and its function's name.
func namedCall(n ast.Node) (*ast.CallNode, string) {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return nil, ""
	}
	if id, ok := call.Callee.(*ast.IdentifierNode); ok {
		return call, id.Value
	}
	return call, ""
}

// eachChild calls f for the direct children of n, but not for the callee of a
// call by name.
func eachChild(n ast.Node, f func(*ast.Node)) {
	each := func(children []ast.Node) {
		for i := range children {
			f(&children[i])
		}
	}
	some := func(child *ast.Node) {
		if *child != nil {
			f(child)
		}
	}
	switch x := n.(type) {
	case *ast.UnaryNode:
		some(&x.Node)
	case *ast.BinaryNode:
		some(&x.Left)
		some(&x.Right)
	case *ast.ChainNode:
		some(&x.Node)
	case *ast.MemberNode:
		some(&x.Node)
		some(&x.Property)
	case *ast.SliceNode:
		some(&x.Node)
		some(&x.From)
		some(&x.To)
	case *ast.CallNode:
		if _, byName := x.Callee.(*ast.IdentifierNode); !byName {
			some(&x.Callee)
		}
		each(x.Arguments)
	case *ast.BuiltinNode:
		each(x.Arguments)
		some(&x.Map)
	case *ast.PredicateNode:
		some(&x.Node)
	case *ast.VariableDeclaratorNode:
		some(&x.Value)
		some(&x.Expr)
	case *ast.SequenceNode:
		each(x.Nodes)
	case *ast.ConditionalNode:
		some(&x.Cond)
		some(&x.Exp1)
		some(&x.Exp2)
	case *ast.ArrayNode:
		each(x.Nodes)
	case *ast.MapNode:
		each(x.Pairs)
	case *ast.PairNode:
		some(&x.Key)
		some(&x.Value)
	}
}

// eachNode calls f for n and all below it.
func eachNode(n ast.Node, f func(ast.Node)) {
	f(n)
	if call, ok := n.(*ast.CallNode); ok {
		f(call.Callee)
	}
	eachChild(n, func(c *ast.Node) { eachNode(*c, f) })
}
