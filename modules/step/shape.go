package step

import (
	"fmt"
	"reflect"
)

// Shape describes which values an argument takes, for schemas and documentation.
// An expression or a secret may stand for any of them.
type Shape struct {
	Word string // what people call it: "size", "list of: text"

	Any     bool     // whatever there is
	Text    bool     // text; numbers and booleans count as they are written
	Pattern string   // of a text: a regular expression that ECMA 262 and RE2 read alike; empty: any text
	Enum    []string // of a text: one of these
	Integer bool
	Boolean bool
	List    *Shape // a list of these
	Least   int    // elements of the list
	Mapping *Shape // a mapping of names of the author's choice to these
	Fields  []Field
	Struct  bool   // a mapping of Fields
	Bare    string // the one of Fields that a value stands for which is no mapping
	Null    bool   // nothing is the same as leaving it out
}

// Notation is a type of argument that says itself what it takes. Every Decoder has
// to: what its Decode makes of a node cannot be seen from its type.
type Notation interface{ Shape() Shape }

// ShapeOf gives the shape of a type of argument. It panics on a type that no
// argument can have.
func ShapeOf(t reflect.Type) Shape {
	if t == nodeType {
		return Shape{Word: "any value", Any: true, Null: true}
	}
	zero := reflect.New(t).Interface()
	if o, ok := zero.(optSetter); ok {
		s := ShapeOf(o.elem().Type())
		s.Null = true
		return s
	}
	if n, ok := zero.(Notation); ok {
		return n.Shape()
	}
	if _, ok := zero.(Decoder); ok {
		panic(fmt.Sprintf("%s decodes itself and has no Shape", t))
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := ShapeOf(t.Elem())
		s.Null = true
		return s
	case reflect.String:
		return Shape{Word: "text", Text: true}
	case reflect.Bool:
		return Shape{Word: "boolean", Boolean: true}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return Shape{Word: "integer", Integer: true}
	case reflect.Slice:
		elem := ShapeOf(t.Elem())
		return Shape{Word: "list of: " + elem.Word, List: &elem, Null: true}
	case reflect.Map:
		elem := ShapeOf(t.Elem())
		return Shape{Word: "mapping", Mapping: &elem, Null: true}
	case reflect.Struct:
		s := Shape{Word: "mapping", Struct: true, Fields: Fields(t), Null: true}
		if b, ok := zero.(Barer); ok {
			s.Bare = b.Bare()
		}
		return s
	default:
		panic(fmt.Sprintf("arguments cannot be of type %s", t))
	}
}

// Shape describes what a field takes, with the bounds that its tags set.
func (f Field) Shape() Shape {
	s := ShapeOf(f.Type)
	if len(f.Enum) > 0 {
		if s.List != nil {
			elem := *s.List
			elem.Enum = f.Enum
			s.List = &elem
		} else {
			s.Enum = f.Enum
		}
	}
	return s
}

// ArgumentsOf describes the arguments of a step.
func (s *Spec) ArgumentsOf() []Field { return Fields(s.argsType()) }

// SizePattern and DurationPattern are those of Size and Duration.
const (
	SizePattern     = `^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(B|[KMGT]iB|kB|MB|GB|TB)\s*$`
	DurationPattern = `^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
)

// Shape describes a size.
func (*Size) Shape() Shape { return Shape{Word: "size", Text: true, Pattern: SizePattern} }

// Shape describes a duration.
func (*Duration) Shape() Shape {
	return Shape{Word: "duration", Text: true, Pattern: DurationPattern}
}

// Shape describes a command.
func (*Argv) Shape() Shape {
	return Shape{Word: "list of arguments", List: &Shape{Word: "text", Text: true}, Least: 1}
}

// Shape describes a command or a line.
func (*Guard) Shape() Shape { return CommandLine() }

// CommandLine is the shape of a list of arguments, or a line for /bin/sh.
func CommandLine() Shape {
	s := (*Argv)(nil).Shape()
	s.Word, s.Text = "list of arguments, or a line for /bin/sh", true
	return s
}

// Shape describes a condition, which the loader compiles.
func (*Checked) Shape() Shape { return Shape{Word: "condition", Text: true, Boolean: true} }

var _ = []Notation{(*Size)(nil), (*Duration)(nil), (*Argv)(nil), (*Guard)(nil), (*Checked)(nil)}

// Literal gives the default as YAML reads it; false where there is none.
func (f Field) Literal() (any, bool) {
	if f.literal == nil {
		return nil, false
	}
	return f.literal.Any(), true
}
