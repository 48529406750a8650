package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/modules/step"
)

// registered gives what expressions can read of a result: what every step has,
// beside the step's own output.
func registered(res *event.Result, output map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range output {
		out[k] = v
	}
	out["changed"] = res.Status == event.Changed || res.Altered
	out["failed"] = res.Status == event.Failed || res.Status == event.Unreachable || res.Status == event.Rescued || res.Status == event.Ignored
	out["skipped"] = res.Status == event.Skipped
	out["pending"] = res.Pending
	out["msg"] = ""
	if res.Error != nil {
		out["msg"] = res.Error.Summary
	} else if res.Reason != "" {
		out["msg"] = res.Reason
	}
	return out
}

// registeredLoop gives the same of a loop: it changed something when one of its
// items did, and failed when one did. Where an item is decided at run time, so is
// what hangs on all of them.
func registeredLoop(sum *event.Result, results []event.Result, values []any) map[string]any {
	out := registered(sum, nil)
	has := func(statuses ...event.Status) bool {
		return slices.ContainsFunc(results, func(r event.Result) bool { return slices.Contains(statuses, r.Status) })
	}
	out["changed"] = has(event.Changed) || sum.Altered
	out["failed"] = has(event.Failed, event.Unreachable, event.Rescued, event.Ignored)
	if has(event.Undecided) {
		for _, key := range []string{"changed", "failed"} {
			if out[key] == false {
				out[key] = expr.Unknown{}
			}
		}
		out["skipped"], out["msg"] = expr.Unknown{}, expr.Unknown{}
	}
	out["results"] = values
	return out
}

// outputValues turns a step's output into values for expressions, by its JSON
// form. What a change will give only when it is made is unknown.
func outputValues(spec *step.Spec, output any, predicted bool) (map[string]any, error) {
	values := map[string]any{}
	fields := spec.OutputFields()
	if output == nil {
		if predicted {
			for name := range fields {
				values[name] = expr.Unknown{}
			}
		}
		return values, nil
	}
	b, err := json.Marshal(output)
	if err != nil {
		return nil, fmt.Errorf("output of %s: %w", spec.Name, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("output of %s: %w", spec.Name, err)
	}
	for k, v := range values {
		values[k] = value(v)
		// A list without elements is a list, whatever JSON makes of a nil slice.
		if t := fields[k]; v == nil && t != nil && t.Kind() == reflect.Slice {
			values[k] = []any{}
		}
	}
	return values, nil
}

// value turns decoded JSON into what expressions know.
func value(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, _ := v.Float64() // a JSON number that is no integer is a float
		return f
	case map[string]any:
		if len(v) == 1 && v["unknown"] == true {
			return expr.Unknown{}
		}
		for k, x := range v {
			v[k] = value(x)
		}
		return v
	case []any:
		for i, x := range v {
			v[i] = value(x)
		}
		return v
	default:
		return v
	}
}
