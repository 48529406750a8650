package expr

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"

	"github.com/nactl/nactl/engine/diag"
)

// refusedBuiltins are functions of expr-lang that are switched off, with what to
// do instead.
var refusedBuiltins = map[string]string{
	"now":    "A plan and its run must read the same values: take the time from a step's output.",
	"reduce": "Use sum, join, count or groupBy.",
}

// operators are the functions behind instrumented operators; see instrument.
func operators() []function {
	return []function{
		{name: fnAbsent, types: []any{new(func(any, int) any)}, call: func(r *run, args []any) (any, error) {
			return nil, absentValue(r, args[0].(int))
		}},
		{name: fnTick, call: func(r *run, _ []any) (any, error) { return nil, r.spend(1) }},
		{name: fnAdd, call: add},
		{name: fnSub, call: func(_ *run, args []any) (any, error) {
			return arithmetic("subtract", args, runtime.Subtract, func(a, b int) (int, bool) {
				c := a - b
				return c, (c < a) == (b > 0)
			})
		}},
		{name: fnMul, call: func(_ *run, args []any) (any, error) {
			return arithmetic("multiply", args, runtime.Multiply, func(a, b int) (int, bool) {
				c := a * b
				return c, a == 0 || c/a == b && (a != -1 || b != math.MinInt)
			})
		}},
		{name: fnEqual, call: func(r *run, args []any) (any, error) {
			if err := r.weighComposite(args[0], args[1]); err != nil {
				return nil, err
			}
			return runtime.Equal(args[0], args[1]), nil
		}},
		{name: fnIn, call: func(r *run, args []any) (any, error) {
			switch args[0].(type) {
			case nil, bool, int, float64, string:
				if err := r.spend(length(args[1]) / 8); err != nil {
					return nil, err
				}
			default:
				if err := r.weighComposite(args[0], args[1]); err != nil {
					return nil, err
				}
			}
			return runtime.In(args[0], args[1]), nil
		}},
		{name: fnMatches, call: func(r *run, args []any) (any, error) {
			if args[0] == nil || args[1] == nil {
				return false, nil
			}
			re, constant := args[1].(*regexp.Regexp)
			if !constant {
				var err error
				if re, err = pattern(args, 1, "matches"); err != nil {
					return nil, err
				}
			}
			s, err := text(args, 0, "matches")
			if err != nil {
				return nil, err
			}
			if err := r.spend(len(s) / 16); err != nil {
				return nil, err
			}
			return re.MatchString(s), nil
		}},
		{name: fnMember, call: func(_ *run, args []any) (any, error) { return memberOf(args[0], args[1], false) }},
		{name: fnMaybe, call: func(_ *run, args []any) (any, error) { return memberOf(args[0], args[1], true) }},
	}
}

func add(r *run, args []any) (any, error) {
	a, aIsText := args[0].(string)
	b, bIsText := args[1].(string)
	switch {
	case aIsText && bIsText:
		if err := r.produce(len(a) + len(b)); err != nil {
			return nil, err
		}
		return a + b, nil
	case aIsText || bIsText:
		return nil, fmt.Errorf("cannot add %s and %s: use string(x) to make text, or int(x) to make a number", article(args[0]), article(args[1]))
	}
	return arithmetic("add", args, runtime.Add, func(a, b int) (int, bool) {
		c := a + b
		return c, (c > a) == (b > 0)
	})
}

// arithmetic computes with integers through ints, which tells whether the
// result is right, and with everything else as expr-lang does.
func arithmetic(verb string, args []any, others func(a, b any) any, ints func(a, b int) (int, bool)) (any, error) {
	a, aIsInt := args[0].(int)
	b, bIsInt := args[1].(int)
	if aIsInt && bIsInt {
		if c, ok := ints(a, b); ok {
			return c, nil
		}
		return nil, fmt.Errorf("cannot %s %d and %d: the result does not fit an integer", verb, a, b)
	}
	for _, v := range args {
		switch v.(type) {
		case nil, bool, string, []any, map[string]any:
			return nil, fmt.Errorf("cannot %s %s and %s", verb, article(args[0]), article(args[1]))
		}
	}
	return others(args[0], args[1]), nil
}

// weighComposite weighs two values that are about to be compared.
func (r *run) weighComposite(a, b any) error {
	if err := r.weigh(a); err != nil {
		return err
	}
	return r.weigh(b)
}

// memberOf takes a member by a computed key, or of a computed value.
func memberOf(v, key any, lenient bool) (any, error) {
	from, why := plain(v), (*absence)(nil)
	var out any
	switch from.(type) {
	case nil, bool, int, float64, string, []any, map[string]any:
		out, why = member(from, key)
	default:
		return runtime.Fetch(v, key), nil
	}
	if why == nil {
		return out, nil
	}
	if lenient {
		return nil, nil
	}
	subject := "the value"
	if from != nil {
		subject = article(from)
		why.reason = strings.TrimPrefix(why.reason, "is "+subject+" and ")
	}
	text := subject + " " + why.reason
	if name, ok := key.(string); ok && why.hint != nil {
		text += diag.DidYouMean(name, sorted(why.hint))
	}
	return nil, fmt.Errorf("%s", text)
}

// pattern compiles a regular expression that is an argument. Patterns are RE2:
// matching takes time linear in the text.
func pattern(args []any, i int, name string) (*regexp.Regexp, error) {
	s, err := text(args, i, name)
	if err != nil {
		return nil, err
	}
	if len(s) > maxPattern {
		return nil, fmt.Errorf("%w: the pattern is longer than %d bytes", errBudget, maxPattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return re, nil
}

// guardedBuiltins are expr-lang's own functions under the budget: the machine
// does not count the memory and time that they take.
func guardedBuiltins() []function {
	shallow := func(*run, []any) error { return nil }
	deep := func(r *run, args []any) error {
		for _, a := range args {
			if err := r.weigh(a); err != nil {
				return err
			}
		}
		return nil
	}
	before := map[string]func(*run, []any) error{
		"upper": shallow, "lower": shallow, "trim": shallow, "split": shallow, "splitAfter": shallow,
		"fromBase64": shallow, "toBase64": shallow, "keys": shallow, "values": shallow,
		"toPairs": shallow, "fromPairs": shallow, "reverse": shallow, "sort": shallow, "take": shallow,
		"flatten": deep, "min": deep, "max": deep, "mean": deep, "median": deep,
		"concat": func(r *run, args []any) error {
			for _, a := range args {
				if err := r.spend(length(a)); err != nil {
					return err
				}
			}
			return nil
		},
		"repeat": func(r *run, args []any) error {
			s, _ := args[0].(string)
			n := runtime.ToInt(args[1])
			if n > 0 && len(s) > r.bytes/n {
				return r.produce(r.bytes + 1)
			}
			return nil
		},
		"replace": func(r *run, args []any) error {
			s, _ := args[0].(string)
			from, _ := args[1].(string)
			to, _ := args[2].(string)
			n := strings.Count(s, from)
			if len(to) > 0 && n > (r.bytes-min(len(s), r.bytes))/len(to) {
				return r.produce(r.bytes + 1)
			}
			return nil
		},
		"join": func(r *run, args []any) error {
			glue := 0
			if len(args) == 2 {
				s, _ := args[1].(string)
				glue = len(s)
			}
			size, list := 0, reflect.ValueOf(args[0])
			if list.Kind() != reflect.Slice {
				return nil // the function says so itself
			}
			if err := r.spend(list.Len()); err != nil {
				return err
			}
			for i := range list.Len() {
				e := list.Index(i)
				if e.Kind() == reflect.Interface {
					e = e.Elem()
				}
				if e.Kind() != reflect.String {
					return fmt.Errorf("join wants a list of strings, but element %d is %s: use map(list, string(#))", i, article(list.Index(i).Interface()))
				}
				if size += e.Len() + glue; size > r.bytes {
					return r.produce(size)
				}
			}
			return nil
		},
	}
	out := []function{
		{name: "uniq", validate: validator("uniq"), call: uniq},
		{name: "string", types: []any{new(func(any) string)}, call: func(r *run, args []any) (any, error) {
			return r.toText(args[0])
		}},
		{name: "toJSON", types: []any{new(func(any) string)}, call: func(r *run, args []any) (any, error) {
			return r.jsonText(args[0], "  ")
		}},
		{name: "fromJSON", types: []any{new(func(string) any)}, call: one("fromJSON", fromJSON)},
		{name: "int", validate: validator("int"), call: func(_ *run, args []any) (any, error) { return toInt(args[0]) }},
	}
	for name, check := range before {
		out = append(out, guarded(name, check))
	}
	return out
}

// guarded wraps the builtin of that name: check runs before it, and what it
// makes is counted after.
func guarded(name string, check func(*run, []any) error) function {
	b := builtin.Builtins[builtin.Index[name]]
	fn := function{name: name, validate: b.Validate}
	for _, t := range b.Types {
		fn.types = append(fn.types, reflect.New(t).Interface())
	}
	if name == "join" || name == "split" || name == "splitAfter" {
		slices.Reverse(fn.types) // the checker's message is that of the last form: make it the usual one
	}
	fn.call = func(r *run, args []any) (any, error) {
		if err := check(r, args); err != nil {
			return nil, err
		}
		var out any
		var err error
		switch {
		case b.Fast != nil:
			out = b.Fast(args[0])
		case b.Safe != nil:
			out, _, err = b.Safe(args...)
		default:
			out, err = b.Func(args...)
		}
		if err != nil {
			return nil, err
		}
		if s, ok := out.(string); ok {
			return out, r.produce(len(s))
		}
		return out, r.fill(length(out))
	}
	return fn
}

func validator(name string) func([]reflect.Type) (reflect.Type, error) {
	return builtin.Builtins[builtin.Index[name]].Validate
}

// length gives the number of elements, or 0 for what has none.
func length(v any) int {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return rv.Len()
	default:
		return 0
	}
}

// uniq keeps the first of equal elements. Strings, integers and booleans are
// found by a map; other values are compared with all that was kept.
func uniq(r *run, args []any) (any, error) {
	list, ok := plain(args[0]).([]any)
	if !ok {
		return nil, fmt.Errorf("uniq wants a list, not %s", article(args[0]))
	}
	out := []any{}
	seen := make(map[any]bool, len(list))
	var odd []any // kept values that cannot be found by the map
	for _, e := range list {
		if err := r.spend(1); err != nil {
			return nil, err
		}
		switch e.(type) {
		case string, int, bool, nil:
			if seen[e] {
				continue
			}
			seen[e] = true
		}
		dup := false
		for _, k := range odd {
			if err := r.weigh(k); err != nil {
				return nil, err
			}
			if err := r.spend(1); err != nil {
				return nil, err
			}
			if dup = runtime.Equal(e, k); dup {
				break
			}
		}
		if f, isFloat := e.(float64); isFloat && f == float64(int(f)) && seen[int(f)] {
			dup = true
		}
		if dup {
			continue
		}
		switch e.(type) {
		case string, int, bool, nil:
		default:
			odd = append(odd, e)
		}
		out = append(out, e)
	}
	return out, r.fill(len(out))
}
