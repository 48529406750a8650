package playbook

import (
	"reflect"
	"strings"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// TypeOf describes a value as far as its text tells: the members of a mapping are
// known, an expression may give anything.
func TypeOf(n *source.Node) *expr.Type {
	switch n.Kind {
	case source.Bool:
		return expr.BoolType
	case source.Int:
		return expr.IntType
	case source.Float:
		return expr.FloatType
	case source.String:
		if IsDynamic(n) {
			return expr.AnyType
		}
		return expr.StringType
	case source.List:
		var elem *expr.Type
		for i, item := range n.Items {
			if t := TypeOf(item); i == 0 {
				elem = t
			} else {
				elem = Unify(elem, t)
			}
		}
		return expr.ListOf(elem)
	case source.Map:
		if len(n.Entries) == 1 && n.Entries[0].Key.Str == "secret" {
			return expr.AnyType
		}
		fields := map[string]expr.Field{}
		for _, e := range n.Entries {
			fields[e.Key.Str] = expr.Field{Type: TypeOf(e.Value)}
		}
		return expr.ClosedMap(fields)
	default:
		return expr.AnyType
	}
}

// Unify gives what is true of both types: members that only one has are
// optional, and where the kinds differ nothing is known.
func Unify(a, b *expr.Type) *expr.Type {
	switch {
	case a == nil || b == nil || a.Kind != b.Kind:
		return expr.AnyType
	case a.Kind == expr.List:
		return expr.ListOf(Unify(a.Elem, b.Elem))
	case a.Kind == expr.Map:
		fields := map[string]expr.Field{}
		for name, f := range a.Fields {
			g, both := b.Fields[name]
			if both {
				f = expr.Field{Type: Unify(f.Type, g.Type), Optional: f.Optional || g.Optional}
			} else {
				f.Optional = true
			}
			fields[name] = f
		}
		for name, f := range b.Fields {
			if _, both := a.Fields[name]; !both {
				f.Optional = true
				fields[name] = f
			}
		}
		return &expr.Type{Kind: expr.Map, Fields: fields, Open: a.Open || b.Open}
	default:
		return a
	}
}

// resultType describes what a step registers: its declared output beside what
// every step has.
func resultType(s *Step) *expr.Type {
	fields := map[string]expr.Field{}
	for name, t := range s.Spec.OutputFields() {
		fields[name] = expr.Field{Type: goType(t), Optional: true} // a skipped step has no output
	}
	for name, t := range map[string]*expr.Type{
		"changed": expr.BoolType, "failed": expr.BoolType, "skipped": expr.BoolType, "pending": expr.BoolType, "msg": expr.StringType,
	} {
		fields[name] = expr.Field{Type: t}
	}
	one := expr.ClosedMap(fields)
	if s.Loop == nil {
		return one
	}
	fields["item"] = expr.Field{Type: expr.AnyType}
	return expr.ClosedMap(map[string]expr.Field{
		"results": {Type: expr.ListOf(one)}, "changed": {Type: expr.BoolType}, "failed": {Type: expr.BoolType},
		"skipped": {Type: expr.BoolType}, "pending": {Type: expr.BoolType}, "msg": {Type: expr.StringType},
	})
}

// goType describes a Go type by its JSON form, which is what gets registered.
func goType(t reflect.Type) *expr.Type {
	if m, ok := t.MethodByName("Or"); ok && strings.HasPrefix(t.Name(), "Opt[") {
		return goType(m.Type.Out(0))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return goType(t.Elem())
	case reflect.String:
		return expr.StringType
	case reflect.Bool:
		return expr.BoolType
	case reflect.Int, reflect.Int64, reflect.Int32:
		return expr.IntType
	case reflect.Float64:
		return expr.FloatType
	case reflect.Slice:
		return expr.ListOf(goType(t.Elem()))
	case reflect.Map:
		return expr.OpenMap
	case reflect.Struct:
		fields := map[string]expr.Field{}
		for name, f := range (&step.Spec{Output: reflect.Zero(t).Interface()}).OutputFields() {
			fields[name] = expr.Field{Type: goType(f), Optional: true} // omitted where it is empty
		}
		return expr.ClosedMap(fields)
	default:
		return expr.AnyType
	}
}
