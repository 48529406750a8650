package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// toNode makes a node of an evaluated value. All nodes stand at the place of
// the expression. Map keys are sorted, for an evaluated map has no order.
// Markers that evalChain left in the value become what they mark.
func (r *run) toNode(v any, at diag.Range, secret bool) (*source.Node, error) {
	switch x := v.(type) {
	case Unknown:
		return unknownNode(at, secret), nil
	case Secret:
		return r.toNode(x.value, at, true)
	}
	n := &source.Node{Range: at, Secret: secret}
	switch x := plain(v).(type) {
	case nil:
		n.Kind = source.Null
	case bool:
		n.Kind, n.Bool = source.Bool, x
	case int:
		n.Kind, n.Int = source.Int, int64(x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the result is %v, which is no number", x)
		}
		n.Kind, n.Float = source.Float, x
	case string:
		n.Kind, n.Str = source.String, x
	case []any:
		if err := r.fill(len(x)); err != nil {
			return nil, err
		}
		n.Kind, n.Items = source.List, make([]*source.Node, len(x))
		for i, e := range x {
			item, err := r.toNode(e, at, secret)
			if err != nil {
				return nil, err
			}
			n.Items[i] = item
		}
	case map[string]any:
		if err := r.fill(len(x)); err != nil {
			return nil, err
		}
		n.Kind, n.Entries = source.Map, make([]source.Entry, 0, len(x))
		for _, k := range sortedKeys(x) {
			value, err := r.toNode(x[k], at, secret)
			if err != nil {
				return nil, err
			}
			key := &source.Node{Kind: source.String, Str: k, Range: at, Secret: secret}
			n.Entries = append(n.Entries, source.Entry{Key: key, Value: value})
		}
	default:
		return nil, fmt.Errorf("the result is %s, which is no value", article(v))
	}
	return n, nil
}

// plain brings the further types that expr-lang's own functions give into the
// few that Values hold. Elements are left alone.
func plain(v any) any {
	switch x := v.(type) {
	case nil, bool, int, float64, string, []any, map[string]any:
		return v
	case []byte:
		return string(x)
	case time.Time:
		return x.Format(time.RFC3339)
	case time.Duration:
		return formatDuration(x)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice, reflect.Array:
		out := make([]any, rv.Len())
		for i := range out {
			out[i] = rv.Index(i).Interface()
		}
		return out
	case reflect.Map:
		out := make(map[string]any, rv.Len())
		for it := rv.MapRange(); it.Next(); {
			out[fmt.Sprint(it.Key().Interface())] = it.Value().Interface()
		}
		return out
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int(rv.Uint())
	case reflect.Float32:
		return rv.Float()
	case reflect.String:
		return rv.String()
	}
	return v
}

// toText renders a value inside a longer string. Nil has no text: a missing
// value must not become an empty part of a name.
func (r *run) toText(v any) (string, error) {
	switch x := plain(v).(type) {
	case nil:
		return "", errNilText
	case string:
		return x, r.produce(len(x))
	case bool:
		return strconv.FormatBool(x), nil
	case int:
		return strconv.Itoa(x), nil
	case float64:
		return formatFloat(x), nil
	case []any, map[string]any:
		return r.jsonText(x, "")
	default:
		return "", fmt.Errorf("%s has no text", article(v))
	}
}

var errNilText = errors.New("there is no value here to put into the text")

// formatFloat writes a number as JSON does: 2.5, 2, 1e+21.
func formatFloat(f float64) string {
	if math.Abs(f) < 1e21 && (f == 0 || math.Abs(f) >= 1e-6) {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// jsonText encodes v with sorted keys and without HTML's escapes. An empty
// indent gives one line.
func (r *run) jsonText(v any, indent string) (string, error) {
	if err := r.weigh(v); err != nil {
		return "", err
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(deepPlain(v)); err != nil {
		return "", err
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return text, r.produce(len(text))
}

// deepPlain is plain for a value and all below it. The caller has weighed v.
func deepPlain(v any) any {
	switch x := plain(v).(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = deepPlain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = deepPlain(e)
		}
		return out
	default:
		return x
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
