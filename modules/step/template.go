package step

import (
	"reflect"
	"sync"

	"github.com/nactl/nactl/engine/source"
)

// Template is an argument that names a file, and has the file's text for its
// value: the loader puts that in place of the name. So the expressions in it are
// those of an argument: compiled before the run, with the names that the step can
// read, and evaluated for each target and item.
type Template struct{ Prose }

// Shape describes the name of a file.
func (*Template) Shape() Shape { return Shape{Word: "path of a template", Text: true} }

var templateType = reflect.TypeFor[Template]()

// FillTemplates gives arguments, as they were written, with the name of each
// template replaced by what read makes of it. n itself is left as it is.
func (s *Spec) FillTemplates(n *source.Node, read func(*source.Node) *source.Node) *source.Node {
	if s.Vars {
		return n
	}
	return fillTemplates(s.argsType(), n, read)
}

// argsType gives the struct of the step's arguments.
func (s *Spec) argsType() reflect.Type {
	if known, ok := argsTypes.Load(s); ok {
		return known.(reflect.Type)
	}
	t := reflect.TypeOf(s.New()).Elem()
	argsTypes.Store(s, t)
	return t
}

// argsTypes keeps what argsType found: *Spec → reflect.Type.
var argsTypes sync.Map

func fillTemplates(t reflect.Type, n *source.Node, read func(*source.Node) *source.Node) *source.Node {
	if t == templateType {
		return read(n)
	}
	if !hasTemplates(t) {
		return n
	}
	inner, kind := inside(t)
	switch {
	case kind == reflect.Struct && n.Kind == source.Map:
		out := *n
		out.Entries = make([]source.Entry, len(n.Entries))
		for i, e := range n.Entries {
			out.Entries[i] = e
			for _, f := range Fields(inner) {
				if f.Name == e.Key.Str {
					out.Entries[i].Value = fillTemplates(f.Type, e.Value, read)
				}
			}
		}
		return &out
	case kind == reflect.Slice && n.Kind == source.List:
		out := *n
		out.Items = make([]*source.Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = fillTemplates(inner, item, read)
		}
		return &out
	case kind == reflect.Invalid:
		return fillTemplates(inner, n, read)
	default:
		return n
	}
}

// inside gives what a type of argument is made of: of a list its elements, of an
// Opt or a pointer what they stand for, with no kind of its own.
func inside(t reflect.Type) (reflect.Type, reflect.Kind) {
	zero := reflect.New(t).Interface()
	if o, ok := zero.(optSetter); ok {
		return o.elem().Type(), reflect.Invalid
	}
	if _, own := zero.(Decoder); own || t == nodeType {
		return nil, reflect.String // a notation of its own holds no template
	}
	switch t.Kind() {
	case reflect.Pointer:
		return t.Elem(), reflect.Invalid
	case reflect.Slice:
		return t.Elem(), reflect.Slice
	case reflect.Struct:
		return t, reflect.Struct
	default:
		return nil, reflect.String
	}
}

// templated keeps what hasTemplates found: reflect.Type → bool.
var templated sync.Map

// hasTemplates tells whether there is a template somewhere in a type of argument.
func hasTemplates(t reflect.Type) bool {
	if t == templateType {
		return true
	}
	if known, ok := templated.Load(t); ok {
		return known.(bool)
	}
	found := false
	switch inner, kind := inside(t); {
	case inner == nil:
	case kind == reflect.Struct:
		for _, f := range Fields(t) {
			found = found || hasTemplates(f.Type)
		}
	default:
		found = hasTemplates(inner)
	}
	templated.Store(t, found)
	return found
}
