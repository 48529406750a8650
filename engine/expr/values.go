package expr

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Values are the variables that an expression reads, by name. They are built of
// nil, bool, int, float64, string, []any and map[string]any, and of the markers
// Unknown and Secret at any depth. An evaluation never writes to them.
type Values map[string]any

// Unknown marks a value that a dry run cannot know. It is the same marker that
// source.Node.Any gives.
type Unknown = source.Afterwards

// masked is what every rendering of a Secret shows.
const masked = "***"

// Secret wraps a value that is never shown: every way of printing or encoding
// it gives ***. The zero Secret holds nil.
type Secret struct{ value any }

// NewSecret wraps v. A Secret is not wrapped twice.
func NewSecret(v any) Secret {
	if s, ok := v.(Secret); ok {
		return s
	}
	return Secret{value: v}
}

// Reveal gives the wrapped value.
func (s Secret) Reveal() any { return s.value }

// String masks.
func (Secret) String() string { return masked }

// GoString masks.
func (Secret) GoString() string { return masked }

// Format masks under every verb, also those that would print the fields.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue masks in structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON masks.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// MarshalText masks in every encoding that is built on text.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalYAML masks.
func (Secret) MarshalYAML() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

var (
	_ fmt.Formatter  = Secret{}
	_ slog.LogValuer = Secret{}
)

// FromNode gives the value of a node in the form that Values hold: integers as
// int, an unknown node as Unknown, a secret one wrapped in Secret.
func FromNode(n *source.Node) any {
	v := bare(n)
	if n != nil && n.Secret {
		return NewSecret(v)
	}
	return v
}

func bare(n *source.Node) any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case source.Bool:
		return n.Bool
	case source.Int:
		return int(n.Int)
	case source.Float:
		return n.Float
	case source.String:
		return n.Str
	case source.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = FromNode(item)
		}
		return out
	case source.Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key.Str] = FromNode(e.Value)
		}
		return out
	case source.Unknown:
		return Unknown{}
	default:
		return nil
	}
}

// taint is what a value turned out to hold when it was unwrapped.
type taint struct {
	unknown, secret bool
	keep            bool // leave the markers below the value where they are
}

// unwrap gives v without Secret wrappers at any depth and in the few types that
// the evaluator knows. What needs no change is shared, not copied.
func unwrap(v any, t *taint) any {
	switch x := v.(type) {
	case nil, bool, int, float64, string:
		return v
	case Unknown:
		if t.keep {
			return x
		}
		t.unknown = true
		return nil
	case Secret:
		if t.keep {
			return NewSecret(unwrap(x.value, t))
		}
		t.secret = true
		return unwrap(x.value, t)
	case *source.Node:
		return unwrap(FromNode(x), t)
	case Values:
		return unwrap(map[string]any(x), t)
	case map[string]any:
		var copied map[string]any
		for k, old := range x {
			now := unwrap(old, t)
			if copied == nil && !same(old, now) {
				copied = make(map[string]any, len(x))
				for k, v := range x {
					copied[k] = v
				}
			}
			if copied != nil {
				copied[k] = now
			}
		}
		if copied != nil {
			return copied
		}
		return x
	case []any:
		var copied []any
		for i, old := range x {
			now := unwrap(old, t)
			if copied == nil && !same(old, now) {
				copied = append([]any(nil), x...)
			}
			if copied != nil {
				copied[i] = now
			}
		}
		if copied != nil {
			return copied
		}
		return x
	default:
		return unwrapReflect(v, t)
	}
}

// same tells cheaply whether unwrapping left a value as it was.
func same(old, now any) bool {
	switch o := old.(type) {
	case nil, bool, int, float64, string:
		return true
	case map[string]any:
		n, ok := now.(map[string]any)
		return ok && reflect.ValueOf(o).Pointer() == reflect.ValueOf(n).Pointer()
	case []any:
		n, ok := now.([]any)
		return ok && len(o) == len(n) && (len(o) == 0 || &o[0] == &n[0])
	default:
		return false
	}
}

// unwrapReflect brings the values of other Go types (a step's typed outputs, for
// example) into the evaluator's types.
func unwrapReflect(v any, t *taint) any {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if s, ok := v.(fmt.Stringer); ok {
			return s.String() // a duration or an enumeration reads as its word
		}
		return int(r.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := r.Uint(); u <= math.MaxInt {
			return int(u)
		}
		return float64(r.Uint())
	case reflect.Float32, reflect.Float64:
		return r.Float()
	case reflect.String:
		return r.String()
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		return unwrap(r.Elem().Interface(), t)
	case reflect.Slice, reflect.Array:
		out := make([]any, r.Len())
		for i := range out {
			out[i] = unwrap(r.Index(i).Interface(), t)
		}
		return out
	case reflect.Map:
		out := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			out[fmt.Sprint(it.Key().Interface())] = unwrap(it.Value().Interface(), t)
		}
		return out
	default:
		if s, ok := v.(fmt.Stringer); ok {
			return s.String()
		}
		return fmt.Sprint(v)
	}
}

// article names the kind of an evaluated value the way messages do.
func article(v any) string {
	switch v.(type) {
	case nil:
		return source.Null.String()
	case bool:
		return source.Bool.String()
	case int:
		return source.Int.String()
	case float64:
		return source.Float.String()
	case string:
		return source.String.String()
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.Slice, reflect.Array:
		return source.List.String()
	case reflect.Map:
		return source.Map.String()
	case reflect.Func:
		return "a function"
	default:
		return fmt.Sprintf("a %T", v)
	}
}

// unknownNode stands at the place of n for a value known only afterwards.
func unknownNode(at diag.Range, secret bool) *source.Node {
	return &source.Node{Kind: source.Unknown, Range: at, Secret: secret}
}
