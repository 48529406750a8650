package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/nactl/nactl/engine/source"
)

// dataFunctions read and build lists, maps, JSON and YAML.
func dataFunctions() []function {
	return []function{
		{name: "to_json", form: "to_json(x)", doc: "x as JSON on one line, keys sorted",
			types: []any{new(func(any) string)},
			call:  func(r *run, args []any) (any, error) { return r.jsonText(args[0], "") }},
		{name: "from_json", form: "from_json(text)", doc: "the value that JSON text holds",
			types: []any{new(func(string) any)}, call: one("from_json", fromJSON)},
		{name: "to_yaml", form: "to_yaml(x)", doc: "x as YAML, keys sorted",
			types: []any{new(func(any) string)}, call: toYAML},
		{name: "from_yaml", form: "from_yaml(text)", doc: "the value that YAML text holds",
			types: []any{new(func(string) any)}, call: one("from_yaml", fromYAML)},
		{name: "combine", form: "combine(a, b, …)", doc: "the maps as one; later ones win, maps inside maps are combined too",
			validate: wantMaps, call: combine},
		{name: "lookup", form: "lookup(map, key, default)", doc: "the member of that name, or default (else nothing) where there is none",
			types: []any{new(func(any, any, any) any), new(func(any, any) any)}, call: lookup},
	}
}

func fromJSON(r *run, s string) (any, error) {
	if err := r.spend(len(s) / 16); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("this is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("this is not JSON: something follows the value")
	}
	v = jsonNumbers(v)
	return v, r.weigh(v)
}

// jsonNumbers gives integers as int and other numbers as float64.
func jsonNumbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := strconv.Atoi(string(x)); err == nil {
			return i
		}
		f, err := x.Float64()
		if err != nil {
			return string(x) // beyond a float: the digits are all that is true
		}
		return f
	case []any:
		for i := range x {
			x[i] = jsonNumbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = jsonNumbers(x[k])
		}
	}
	return v
}

func toYAML(r *run, args []any) (any, error) {
	if err := r.weigh(args[0]); err != nil {
		return nil, err
	}
	b, err := yaml.MarshalWithOptions(deepPlain(args[0]), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, fmt.Errorf("to_yaml: %w", err)
	}
	return string(b), r.produce(len(b))
}

func fromYAML(r *run, s string) (any, error) {
	if err := r.spend(len(s) / 4); err != nil {
		return nil, err
	}
	n, list := source.Parse("", []byte(s))
	for _, d := range list {
		if d.Summary != "" && list.HasErrors() {
			return nil, fmt.Errorf("this is not YAML: line %d: %s", d.Range.Line, d.Summary)
		}
	}
	v := FromNode(n)
	return v, r.weigh(v)
}

func wantMaps(args []reflect.Type) (reflect.Type, error) {
	out := reflect.TypeFor[map[string]any]()
	if len(args) < 2 {
		return out, errors.New("combine takes two or more mappings")
	}
	for _, a := range args {
		if k := a.Kind(); k != reflect.Map && k != reflect.Interface {
			return out, fmt.Errorf("combine takes mappings, not %s", a)
		}
	}
	return out, nil
}

func combine(r *run, args []any) (any, error) {
	out := map[string]any{}
	for i, a := range args {
		m, ok := plain(a).(map[string]any)
		if !ok {
			return nil, fmt.Errorf("combine takes mappings, but argument %d is %s", i+1, article(a))
		}
		if err := r.weigh(m); err != nil {
			return nil, err
		}
		merge(out, m)
	}
	return out, r.fill(len(out))
}

// merge puts src into dst. Maps of src are never shared with dst where dst may
// change them later.
func merge(dst, src map[string]any) {
	for k, v := range src {
		from, isMap := plain(v).(map[string]any)
		if !isMap {
			dst[k] = v
			continue
		}
		into := map[string]any{}
		if old, ok := plain(dst[k]).(map[string]any); ok {
			merge(into, old)
		}
		merge(into, from)
		dst[k] = into
	}
}

func lookup(_ *run, args []any) (any, error) {
	from := plain(args[0])
	switch from.(type) {
	case nil, map[string]any, []any:
	default:
		return nil, fmt.Errorf("lookup wants a mapping or a list, not %s", article(from))
	}
	if v, why := member(from, args[1]); why == nil {
		return v, nil
	}
	if len(args) == 3 {
		return args[2], nil
	}
	return nil, nil
}

// toInt is expr-lang's int() with errors for people, and without the silent
// wrap of numbers that do not fit.
func toInt(v any) (any, error) {
	switch x := v.(type) {
	case string:
		i, err := strconv.Atoi(strings.TrimSpace(x))
		if err != nil {
			return nil, fmt.Errorf("int(%q): this is no integer", x)
		}
		return i, nil
	case float64:
		if math.IsNaN(x) || x >= math.MaxInt64 || x <= math.MinInt64 {
			return nil, fmt.Errorf("int(%v): this does not fit an integer", x)
		}
		return int(x), nil
	case int:
		return x, nil
	}
	if i, ok := plain(v).(int); ok {
		return i, nil
	}
	return nil, fmt.Errorf("int makes an integer of a string or a number, not of %s", article(v))
}
