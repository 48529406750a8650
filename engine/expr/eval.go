package expr

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// machines are reused between evaluations: a fresh one costs more than a
// typical program's run.
var machines = sync.Pool{New: func() any { return new(vm.VM) }}

// outcome is what an evaluation gave. With taint.unknown there is no value.
type outcome struct {
	value any
	taint taint
	run   *run
}

// eval fills the slots from values and runs the program.
func (p *program) eval(ctx context.Context, values Values) (outcome, *problem) {
	if p.problem != nil {
		return outcome{}, p.problem
	}
	r := newRun(ctx, p, p.opts)
	out := outcome{run: r}
	env := make(map[string]any, 2*len(p.slots)+1)
	env[runName] = r
	for i := range p.slots {
		s := &p.slots[i]
		if prob := s.fill(values, env, r, i, &out.taint); prob != nil {
			return outcome{}, prob
		}
	}
	if out.taint.unknown {
		return out, nil
	}
	m := machines.Get().(*vm.VM)
	m.MemoryBudget = uint(r.limits.Elements)
	v, err := m.Run(p.code, env)
	if m.Scopes == nil { // a machine that ran closures keeps their values alive
		clear(m.Stack[:cap(m.Stack)])
		clear(m.Variables)
		machines.Put(m)
	}
	if err != nil {
		return outcome{}, p.runProblem(err, out.taint)
	}
	out.value = v
	return out, nil
}

// evalChain is eval for an expression that is a chain and nothing else. Nothing
// is computed from the value, so the markers inside it stay where they are: a
// list of results in which one address is unknown is still a list.
func (p *program) evalChain(ctx context.Context, values Values) (outcome, *problem) {
	s := &p.slots[0]
	out := outcome{run: newRun(ctx, p, p.opts)}
	v, why := follow(values, s.path, &out.taint)
	if why == nil {
		v = peel(v, &out.taint)
	}
	switch {
	case out.taint.unknown:
		return out, nil
	case why != nil && s.need == required:
		return outcome{}, p.runProblem(&absentError{slot: s, why: why}, out.taint)
	case why != nil:
		v = nil
	}
	v, ok := conform(unwrap(v, &taint{keep: true}), s.typ)
	if !ok {
		return outcome{}, s.mismatch(v)
	}
	out.value = v
	return out, nil
}

func (s *slot) mismatch(v any) *problem {
	return &problem{rule: "expression-type", from: s.from[0], width: 1,
		summary: fmt.Sprintf("%s should be %s but is %s", s.path, s.typ, article(v))}
}

// fill resolves one chain.
func (s *slot) fill(values Values, env map[string]any, r *run, i int, t *taint) *problem {
	var mine taint
	v, why := follow(values, s.path, &mine)
	if why == nil {
		v = peel(v, &mine)
	}
	if s.need == probed {
		// What is known only afterwards will be there then.
		env[s.present] = mine.unknown || why == nil && v != nil
		return nil
	}
	if why == nil && !mine.unknown {
		v = unwrap(v, &mine)
	}
	t.unknown = t.unknown || mine.unknown
	t.secret = t.secret || mine.secret
	switch {
	case mine.unknown:
		return nil
	case why != nil && s.need == required:
		if r.absent == nil {
			r.absent = make([]*absence, len(r.program.slots))
		}
		r.absent[i] = why
		env[s.present] = false
		return nil
	case why != nil:
		v = nil
	}
	v, ok := conform(v, s.typ)
	if !ok {
		return s.mismatch(v)
	}
	env[s.present] = true
	env[s.value] = v
	return nil
}

// conform holds a value against what the scope said about it: the program was
// compiled for that type.
func conform(v any, t *Type) (any, bool) {
	if v == nil {
		return nil, true
	}
	var ok bool
	switch t.kind() {
	case String:
		_, ok = v.(string)
	case Int:
		_, ok = v.(int)
	case Bool:
		_, ok = v.(bool)
	case Float:
		if i, isInt := v.(int); isInt {
			return float64(i), true
		}
		_, ok = v.(float64)
	case Map:
		_, ok = v.(map[string]any)
	case List:
		_, ok = v.([]any)
	default:
		ok = true
	}
	return v, ok
}

// absentError is the failure of a chain without a value.
type absentError struct {
	slot *slot
	why  *absence
}

func (e *absentError) Error() string { return e.why.describe(e.slot.path) }

// absentValue is the function behind fnAbsent.
func absentValue(r *run, slot int) error {
	return &absentError{slot: &r.program.slots[slot], why: r.absent[slot]}
}

// assertion reads Go's words for a failed type assertion.
var assertion = regexp.MustCompile(`^interface conversion: interface \{\} is (.+), not (.+)$`)

// runProblem gives a failure of the machine in nactl's words. What an expression
// that reads a secret says about its values is withheld.
func (p *program) runProblem(err error, t taint) *problem {
	var absent *absentError
	if errors.As(err, &absent) {
		step := min(absent.why.step, len(absent.slot.from)-1)
		width := utf8.RuneCountInString(fmt.Sprint(absent.slot.path[step]))
		out := &problem{rule: "undefined", from: absent.slot.from[step], width: width, summary: absent.Error()}
		if absent.slot.optional || absent.why.step > 0 || absent.why.reason == "is not set" {
			out.detail = fmt.Sprintf("If it may be missing, write default(%s, …) or ask defined(%s) first.", absent.slot.path, absent.slot.path)
		}
		return out
	}
	out := &problem{rule: "expression", width: 1}
	var fe *file.Error
	if errors.As(err, &fe) {
		out.from, out.summary = fe.From, fe.Message
	} else {
		out.summary = err.Error()
	}
	if t.secret && !errors.Is(err, errBudget) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		out.summary = "this expression fails; it reads a secret, so its message is withheld"
		return out
	}
	if out.summary == "memory budget exceeded" {
		out.summary = fmt.Sprintf("%v: it makes more than %d elements", errBudget, p.opts.Limits.Elements)
	}
	if m := assertion.FindStringSubmatch(out.summary); m != nil {
		out.summary = fmt.Sprintf("%s is wanted here, but the value is %s", goTypeWord(m[2]), goTypeWord(m[1]))
	}
	for _, w := range machineWords {
		if w.pattern.MatchString(out.summary) {
			out.summary = w.said
		}
	}
	out.summary = strings.TrimSpace(strings.ReplaceAll(out.summary, "\n", " "))
	return out
}

// machineWords are messages of Go and of expr-lang about values, and what is said
// instead.
var machineWords = []struct {
	pattern *regexp.Regexp
	said    string
}{
	{regexp.MustCompile(`integer divide by zero`), "this divides by zero"},
	{regexp.MustCompile(`^hash of unhashable type`), "a list or a mapping cannot be a key: take something of it, as .name"},
	{regexp.MustCompile(`^reflect\.Value\.MapIndex`), "the keys of a mapping are strings: write string(x)"},
}

func goTypeWord(t string) string {
	switch t {
	case "nil":
		return "nothing"
	case "string":
		return "a string"
	case "bool":
		return "a boolean"
	case "int":
		return "an integer"
	case "float64":
		return "a number"
	}
	switch {
	case strings.HasPrefix(t, "[]"):
		return "a list"
	case strings.HasPrefix(t, "map["):
		return "a mapping"
	default:
		return t
	}
}

// chains gives the program's reads, without their ranges.
func (p *program) chains() []Chain {
	out := make([]Chain, 0, len(p.slots))
	for i := range p.slots {
		s := &p.slots[i]
		out = append(out, Chain{Path: s.path.names(), Guarded: s.guarded || s.need == lenient && s.link.optional, Optional: s.optional})
	}
	return out
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
