package expr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What would take the controller's memory or time is refused at once, at load
// or while it runs. Each of these has killed or hung an evaluator without it.
func TestBombs(t *testing.T) {
	doubling := func(op string, rounds int) string {
		var b strings.Builder
		b.WriteString(`let a0 = ` + strings.ReplaceAll(op, "#", `"xxxxxxxxxxxxxxxx"`) + "; ")
		for i := 1; i < rounds; i++ {
			fmt.Fprintf(&b, "let a%d = %s; ", i, strings.ReplaceAll(op, "#", fmt.Sprintf("a%d", i-1)))
		}
		return b.String()
	}
	const n = 50
	last := fmt.Sprintf("a%d", n-1)
	for name, text := range map[string]string{
		"reduce":                   `reduce(1..28, #acc + #acc, "x")`,
		"five million brackets":    strings.Repeat("(", 5_000_000),
		"brackets within length":   strings.Repeat("(", 8000),
		"mixed brackets":           strings.Repeat("([{", 2000),
		"long":                     strings.Repeat("1+", 5000) + "1",
		"many nodes":               strings.Repeat("1+", 2000) + "1",
		"string doubling":          doubling("# + #", n) + last,
		"list doubling, compared":  doubling("[#, #]", n) + last + " == " + last,
		"list doubling, unequal":   doubling("[#, #]", n) + last + " != [" + last + "]",
		"list doubling, in":        doubling("[#, #]", n) + last + " in [" + last + "]",
		"list doubling, flattened": doubling("[#, #]", n) + "flatten(" + last + ")",
		"list doubling, text":      doubling("[#, #]", n) + "string(" + last + ")",
		"list doubling, json":      doubling("[#, #]", n) + "to_json(" + last + ")",
		"list doubling, toJSON":    doubling("[#, #]", n) + "toJSON(" + last + ")",
		"list doubling, yaml":      doubling("[#, #]", n) + "to_yaml(" + last + ")",
		"list doubling, max":       doubling("[#, #]", n) + "max(" + last + ")",
		"list doubling, uniq":      doubling("[#, #]", n) + "uniq([" + last + ", " + last + "])",
		"list doubling, given":     doubling("[#, #]", n) + last,
		"map doubling, combined":   doubling(`{"a": #, "b": #}`, n) + "combine(" + last + ", " + last + ")",
		"concat doubling":          doubling("concat([#], [#])", 2) + "let b = 1..100000; " + "concat(" + strings.Repeat("b, ", 20) + "b)",
		"repeat of repeat":         `repeat(repeat(repeat("x", 1000000), 60), 1000000)`,
		"repeat overflows":         `repeat(repeat("x", 1000000), 9223372036854775807)`,
		"join":                     `let s = repeat("x", 1000000); join(map(1..100000, s))`,
		"join glue":                `join(map(1..100000, "x"), repeat("x", 1000000))`,
		"replace":                  `let s = repeat("x", 1000000); replace(s, "", s)`,
		"regex_replace":            `let s = repeat("x", 1000000); regex_replace(s, "x", s)`,
		"upper in a loop":          `let s = repeat("x", 1000000); count(1..1000000, upper(s) == "")`,
		"range":                    `1..9000000000`,
		"ranges in a loop":         `map(1..1000, 1..1000)`,
		"loops on one list":        `let r = 1..1000; count(r, count(r, count(r, true) > 0) > 0)`,
		"loop of in":               `let r = 1..100000; count(r, # in r)`,
		"loop of equality":         `let r = 1..100000; count(r, r == map(r, #))`,
		"uniq of lists":            `uniq(map(1..100000, [#]))`,
		"rounds in a loop":         `map(1..1000, password_hash("x", "abc", 1000000))`,
		"pattern":                  `"x" matches repeat("(a|b)", 100000)`,
		"regex pattern":            `regex_match("x", repeat("(a|b)", 100000))`,
		"deep unary":               strings.Repeat("-", 8000) + "1",
		"deep not":                 strings.Repeat("!", 8000) + "true",
		"deep choice":              strings.Repeat("on ? 1 : ", 900) + "1",
		"json nesting":             `from_json(repeat("[", 100000))`,
		"yaml nesting":             `from_yaml(repeat("[", 100000))`,
		"yaml aliases":             `from_yaml("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]")`,
	} {
		t.Run(name, func(t *testing.T) {
			// A tenth of the defaults, so that the race detector does not make
			// seconds of what takes a blink.
			scope := NewScope(testScope().names, Options{Limits: Limits{
				Steps: 500_000, Bytes: 3 << 20, Elements: 200_000, Time: 2 * time.Second}})
			start := time.Now()
			tmpl, list := CompileNode(str("{{ "+text+" }}"), scope)
			n, err := tmpl.Eval(t.Context(), testValues())
			if err == nil {
				t.Errorf("was evaluated, to %s", n.Kind)
			}
			if list.HasErrors() && err == nil {
				t.Error("what did not compile was evaluated")
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("took %s", took)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

// Splitting takes time in proportion to the text, whatever stands in it.
func TestSplitIsLinear(t *testing.T) {
	for _, unit := range []string{"{%if ", "{# ", "{{ x }}", "{{", "{", "{{'", "%} {%if", " #} {# x"} {
		start := time.Now()
		_, _ = split(strings.Repeat(unit, 1<<20/len(unit)))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q: %s", unit, took)
		}
	}
}

// The defaults hold where nothing else is said.
func TestDefaultLimits(t *testing.T) {
	for _, text := range []string{
		`let a = repeat("x", 1000000); let b = a + a + a + a; let c = b + b + b + b; c + c + c + c`,
		`let r = 1..1000; count(r, count(r, count(r, true) > 0) > 0)`,
		`1..1000000`,
	} {
		if _, err := evaluate(t, "{{ "+text+" }}", testValues()); err == nil || !strings.Contains(err.Error(), errBudget.Error()) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Honest work stays far from the limits.
func TestLimitsLeaveRoom(t *testing.T) {
	vms := make([]any, 5000)
	for i := range vms {
		vms[i] = map[string]any{"name": fmt.Sprintf("vm-%04d", i), "cpu": i%8 + 1, "ip": "10.0.0.1"}
	}
	values := testValues()
	values["vms"] = vms
	for _, text := range []string{
		`join(map(filter(vms, .cpu > 2), .name), ",")`, `to_json(vms)`, `uniq(map(vms, .cpu))`, `groupBy(vms, .cpu)`,
		`sortBy(vms, .name)`, `map(vms, {let v = #; combine(v, {"fqdn": v.name + ".example.org"})})`, `vms == vms`,
		`count(vms, .name in ["vm-0001"])`, `password_hash("x", "abc", 100000)`, `1..100000`,
	} {
		if _, err := evaluate(t, "{{ "+text+" }}", values); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestContextEndsEvaluation(t *testing.T) {
	tmpl, list := CompileNode(str(`{{ count(1..500000, true) }}`), testScope())
	if list != nil {
		t.Fatal(list)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tmpl.Eval(ctx, nil); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

func TestTimeLimit(t *testing.T) {
	scope := NewScope(nil, Options{Limits: Limits{Time: time.Nanosecond}})
	tmpl, list := CompileNode(str(`{{ count(1..500000, true) }}`), scope)
	if list != nil {
		t.Fatal(list)
	}
	if _, err := tmpl.Eval(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "took longer") {
		t.Errorf("got %v", err)
	}
}

func TestBudget(t *testing.T) {
	r := newRun(t.Context(), nil, Options{Limits: Limits{Steps: 10, Bytes: 10, Elements: 10}.withDefaults()})
	if err := errors.Join(r.spend(10), r.produce(10), r.fill(10)); err != nil {
		t.Error(err)
	}
	for _, err := range []error{r.produce(1), r.fill(1), r.produce(-1), r.fill(-1), r.spend(1)} {
		if !errors.Is(err, errBudget) {
			t.Errorf("got %v", err)
		}
	}
}
