package expr

import (
	"strings"

	"github.com/nactl/nactl/engine/source"
)

// TypeOf describes a value that stands in a file, so that reading a member which
// it does not have is an error at load. Strings with expressions are Any: their
// values are known later; a null is Any too.
func TypeOf(n *source.Node) *Type {
	if n == nil {
		return AnyType
	}
	switch n.Kind {
	case source.Bool:
		return BoolType
	case source.Int:
		return IntType
	case source.Float:
		return FloatType
	case source.String:
		if !n.Literal && strings.Contains(n.Str, "{{") {
			return AnyType
		}
		return StringType
	case source.List:
		if len(n.Items) == 0 {
			return AnyList
		}
		elem := TypeOf(n.Items[0])
		for _, item := range n.Items[1:] {
			elem = Union(elem, TypeOf(item))
		}
		return ListOf(elem)
	case source.Map:
		if len(n.Entries) == 1 && n.Entries[0].Key.Str == "secret" {
			return AnyType // stands for what is fetched when it is read
		}
		fields := make(map[string]Field, len(n.Entries))
		for _, e := range n.Entries {
			fields[e.Key.Str] = Field{Type: TypeOf(e.Value)}
		}
		return ClosedMap(fields)
	default:
		return AnyType
	}
}

// Union gives the type of a value that is of type a or of type b. A member that
// only one of two maps has is optional in the union.
func Union(a, b *Type) *Type {
	switch {
	case a == b && a != nil:
		return a
	case a.kind() == Int && b.kind() == Float || a.kind() == Float && b.kind() == Int:
		return FloatType
	case a.kind() != b.kind() || a.kind() == Any:
		return AnyType
	case a.kind() == List:
		return ListOf(Union(a.Elem, b.Elem))
	case a.kind() != Map:
		return a
	}
	out := &Type{Kind: Map, Open: a.Open || b.Open, Fields: make(map[string]Field, len(a.Fields))}
	for name, f := range a.Fields {
		if g, both := b.Fields[name]; both {
			out.Fields[name] = Field{Type: Union(f.Type, g.Type), Optional: f.Optional || g.Optional}
		} else {
			out.Fields[name] = Field{Type: absentType(f.Type, b), Optional: true}
		}
	}
	for name, g := range b.Fields {
		if _, both := a.Fields[name]; !both {
			out.Fields[name] = Field{Type: absentType(g.Type, a), Optional: true}
		}
	}
	return out
}

// absentType is the type of a member that other does not list: an open map may
// hold anything under that name.
func absentType(t, other *Type) *Type {
	if other.Open {
		return AnyType
	}
	return t
}

// Type gives what is known at load of the value that Eval will give.
func (t *Template) Type() *Type {
	if t.node == nil {
		return AnyType
	}
	if t.static {
		return TypeOf(t.node)
	}
	switch {
	case t.IsExpression():
		if r := t.parts[0].program.result; r.typ != nil {
			return r.typ
		}
		return AnyType
	case t.parts != nil:
		return StringType
	case t.node.Kind == source.List:
		elem := typeOf(t.children[0], t.node.Items[0])
		for i, c := range t.children[1:] {
			elem = Union(elem, typeOf(c, t.node.Items[i+1]))
		}
		return ListOf(elem)
	default:
		fields := make(map[string]Field, len(t.children))
		for i, c := range t.children {
			e := t.node.Entries[i]
			fields[e.Key.Str] = Field{Type: typeOf(c, e.Value)}
		}
		return ClosedMap(fields)
	}
}

// typeOf gives the type of a part of a template, which is n itself where t is nil.
func typeOf(t *Template, n *source.Node) *Type {
	if t == nil {
		return TypeOf(n)
	}
	return t.Type()
}
