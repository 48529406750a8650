package source

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/nactl/nactl/engine/diag"
)

// Afterwards is what Any gives for an Unknown node, and what FromAny makes one
// of.
type Afterwards struct{}

// Get gives the value of a key of a Map, or nil.
func (n *Node) Get(key string) *Node {
	if _, v := n.Pair(key); v != nil {
		return v
	}
	return nil
}

// Pair gives key and value of an entry of a Map, or two nils.
func (n *Node) Pair(key string) (k, v *Node) {
	if n == nil {
		return nil, nil
	}
	for _, e := range n.Entries {
		if e.Key.Str == key {
			return e.Key, e.Value
		}
	}
	return nil, nil
}

// Keys gives the keys of a Map in the order of the file.
func (n *Node) Keys() []string {
	if n == nil || len(n.Entries) == 0 {
		return nil
	}
	keys := make([]string, len(n.Entries))
	for i, e := range n.Entries {
		keys[i] = e.Key.Str
	}
	return keys
}

// Any gives the value as Go values that share nothing with the node:
// map[string]any, []any, string, int, float64, bool, nil, and Afterwards for
// what is unknown. That a value is secret is lost: see ContainsSecret.
func (n *Node) Any() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Bool:
		return n.Bool
	case Int:
		return int(n.Int)
	case Float:
		return n.Float
	case String:
		return n.Str
	case Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key.Str] = e.Value.Any()
		}
		return out
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Any()
		}
		return out
	case Unknown:
		return Afterwards{}
	default:
		return nil
	}
}

// FromAny makes a node of a Go value, all of it at one place: the inverse of
// Any, for values that were computed. Map keys come in order of name. It also
// takes other integers, floats, slices, maps with string keys and pointers to
// them; a duration becomes its text, and so does a number beyond 64 bits. A
// *Node is taken as it is.
func FromAny(v any, at diag.Range) *Node {
	n := &Node{Range: at, size: 1}
	switch v := v.(type) {
	case nil:
		return n
	case *Node:
		return v
	case Afterwards:
		n.Kind = Unknown
	case bool:
		n.Kind, n.Bool = Bool, v
	case int:
		n.Kind, n.Int = Int, int64(v)
	case float64:
		n.Kind, n.Float = Float, v
	case string:
		n.Kind, n.Str = String, v
	case []byte:
		n.Kind, n.Str = String, string(v)
	case time.Duration:
		n.Kind, n.Str = String, v.String()
	case []any:
		n.Kind, n.Items = List, make([]*Node, len(v))
		for i, item := range v {
			n.Items[i] = FromAny(item, at)
			n.size += n.Items[i].size
		}
	case map[string]any:
		n.Kind, n.Entries = Map, make([]Entry, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n.addEntry(k, v[k], at)
		}
	default:
		fromReflect(n, v)
	}
	return n
}

func (n *Node) addEntry(key string, value any, at diag.Range) {
	k := &Node{Kind: String, Str: key, Range: at, size: 1}
	e := Entry{Key: k, Value: FromAny(value, at)}
	n.Entries = append(n.Entries, e)
	n.size += 1 + e.Value.size
}

// fromReflect fills n from the less usual kinds of value.
func fromReflect(n *Node, v any) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.Kind, n.Int = Int, r.Int()
		return
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Uint() <= math.MaxInt64 {
			n.Kind, n.Int = Int, int64(r.Uint())
			return
		}
	case reflect.Float32:
		n.Kind, n.Float = Float, r.Float()
		return
	case reflect.Bool:
		n.Kind, n.Bool = Bool, r.Bool()
		return
	case reflect.String:
		n.Kind, n.Str = String, r.String()
		return
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return
		}
		*n = *FromAny(r.Elem().Interface(), n.Range)
		return
	case reflect.Slice, reflect.Array:
		items := make([]any, r.Len())
		for i := range items {
			items[i] = r.Index(i).Interface()
		}
		*n = *FromAny(items, n.Range)
		return
	case reflect.Map:
		pairs := make(map[string]any, r.Len())
		for _, k := range r.MapKeys() {
			pairs[fmt.Sprint(k.Interface())] = r.MapIndex(k).Interface()
		}
		*n = *FromAny(pairs, n.Range)
		return
	}
	n.Kind, n.Str = String, fmt.Sprint(v)
}

// WithSecret gives a copy of the value that is secret, and so is all in it.
func (n *Node) WithSecret() *Node {
	out := n.clone()
	out.markSecret()
	return out
}

func (n *Node) markSecret() {
	n.Secret = true
	for _, e := range n.Entries {
		e.Value.markSecret()
	}
	for _, item := range n.Items {
		item.markSecret()
	}
}

// ContainsSecret tells whether the value or anything in it is secret.
func (n *Node) ContainsSecret() bool {
	return n.any(func(n *Node) bool { return n.Secret })
}

// ContainsUnknown tells whether the value or anything in it is Unknown.
func (n *Node) ContainsUnknown() bool {
	return n.any(func(n *Node) bool { return n.Kind == Unknown })
}

func (n *Node) any(is func(*Node) bool) bool {
	if n == nil {
		return false
	}
	if is(n) {
		return true
	}
	for _, e := range n.Entries {
		if e.Value.any(is) {
			return true
		}
	}
	for _, item := range n.Items {
		if item.any(is) {
			return true
		}
	}
	return false
}
