package playbook

import (
	"reflect"
	"strings"
	"sync"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/modules/step"
)

// resultType describes what a step registers: its declared output beside what
// every step has.
func resultType(s *Step) *expr.Type {
	key := resultKey{s.Spec, s.Loop != nil}
	if known, ok := resultTypes.Load(key); ok {
		return known.(*expr.Type)
	}
	t, _ := resultTypes.LoadOrStore(key, makeResultType(s))
	return t.(*expr.Type)
}

// resultTypes keeps what resultType made: expressions that read results of one
// type are then compiled once.
var resultTypes sync.Map

type resultKey struct {
	spec *step.Spec
	loop bool
}

func makeResultType(s *Step) *expr.Type {
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
