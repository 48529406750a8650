package expr

import (
	"regexp"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
)

// The internal functions. Their names cannot be written in an expression.
const (
	fnAbsent  = "$absent"  // (run, slot): fails for a chain without a value
	fnAdd     = "$add"     // (run, a, b): a + b, counting the bytes of text
	fnSub     = "$sub"     // (run, a, b): a - b
	fnMul     = "$mul"     // (run, a, b): a * b
	fnEqual   = "$equal"   // (run, a, b): a == b, counting the elements
	fnIn      = "$in"      // (run, a, b): a in b, counting the elements
	fnMatches = "$matches" // (run, a, b): a matches b, a pattern of bounded size
	fnMember  = "$member"  // (run, a, key): a.key, which must be there
	fnMaybe   = "$maybe"   // (run, a, key): a?.key
	fnTick    = "$tick"    // (run): counts one round of a closure
)

// instrument puts the checked tree under the budget: closures count their
// rounds, and operators whose cost the virtual machine does not know become
// calls that do. Types were settled before, so each new node gets the type of
// the one it replaces.
func instrument(n *ast.Node, c *nature.Cache) {
	if call, ok := (*n).(*ast.CallNode); ok {
		instrumentCall(n, call, c)
		return
	}
	eachChild(*n, func(child *ast.Node) { instrument(child, c) })
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		instrumentBinary(n, x, c)
	case *ast.MemberNode:
		name := fnMember
		if x.Optional {
			name = fnMaybe
		}
		replaceByCall(n, name, x.Node, x.Property)
	case *ast.PredicateNode:
		body := &ast.SequenceNode{Nodes: []ast.Node{internalCall(fnTick, x.Node), x.Node}}
		body.SetLocation(x.Node.Location())
		body.SetNature(*x.Node.Nature())
		x.Node = body
	}
}

// instrumentCall hands the run to the functions of this package. The callee of
// a method call is left as it is: it must stay a member access.
func instrumentCall(n *ast.Node, call *ast.CallNode, c *nature.Cache) {
	for i := range call.Arguments {
		instrument(&call.Arguments[i], c)
	}
	if m, ok := call.Callee.(*ast.MemberNode); ok {
		instrument(&m.Node, c)
		return
	}
	id := call.Callee.(*ast.IdentifierNode)
	if _, ours := registry.table[id.Value]; ours && id.Value != fnAbsent {
		replaceByCall(n, id.Value, call.Arguments...)
	}
}

func instrumentBinary(n *ast.Node, x *ast.BinaryNode, c *nature.Cache) {
	l, r := x.Left.Nature(), x.Right.Nature()
	switch x.Operator {
	case "+", "-", "*":
		// Integers, and what may be integers, must not wrap silently.
		if !l.IsFloat && !r.IsFloat {
			replaceByCall(n, map[string]string{"+": fnAdd, "-": fnSub, "*": fnMul}[x.Operator], x.Left, x.Right)
		}
	case "==":
		if !scalar(l) && !scalar(r) {
			replaceByCall(n, fnEqual, x.Left, x.Right)
		}
	case "!=":
		if !scalar(l) && !scalar(r) {
			was := *n
			equal := was
			replaceByCall(&equal, fnEqual, x.Left, x.Right)
			not := &ast.UnaryNode{Operator: "not", Node: equal}
			not.SetNature(*was.Nature())
			patch(n, not)
		}
	case "in":
		if _, literal := x.Right.(*ast.ArrayNode); !literal || !scalar(l) {
			replaceByCall(n, fnIn, x.Left, x.Right)
		}
	case "matches":
		right := x.Right
		if s, ok := right.(*ast.StringNode); ok && len(s.Value) <= maxPattern {
			if re, err := regexp.Compile(s.Value); err == nil { // the checker has reported the others
				right = &ast.ConstantNode{Value: re}
				right.SetLocation(s.Location())
			}
		}
		replaceByCall(n, fnMatches, x.Left, right)
	}
}

// scalar tells whether comparing a value of this type is cheap for certain.
func scalar(t *nature.Nature) bool {
	return t.Nil || t.IsBool() || t.IsNumber() || t.IsString()
}

// replaceByCall puts name(run, args…) in the place of *n.
func replaceByCall(n *ast.Node, name string, args ...ast.Node) {
	call := internalCall(name, *n, args...)
	call.SetNature(*(*n).Nature())
	*n = call
}

func internalCall(name string, at ast.Node, args ...ast.Node) *ast.CallNode {
	env := &ast.IdentifierNode{Value: runName}
	callee := &ast.IdentifierNode{Value: name}
	call := &ast.CallNode{Callee: callee, Arguments: append([]ast.Node{env}, args...)}
	for _, n := range []ast.Node{env, callee, call} {
		n.SetLocation(at.Location())
	}
	return call
}
