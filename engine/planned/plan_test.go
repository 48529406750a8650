package planned

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// cpus is a change of set_cpu, as an event tells of it.
func cpus(t *testing.T, vm string, before, after any, item int) Change {
	t.Helper()
	body, err := json.Marshal(map[string]any{"object": map[string]any{"id": "1"}, "run": "r1", "count": after})
	if err != nil {
		t.Fatal(err)
	}
	at := event.At{Step: "p.yml#1/CPUs", Target: "e1"}
	if item >= 0 {
		at.Item = &event.Item{Index: item}
	}
	ref := virt.VMRef(vm)
	ref.ID = "1"
	return New(event.Intent{At: at, Kind: "set_cpu", Object: ref, Change: body},
		[]virt.FieldChange{{Path: "cpu.count", Before: before, After: after}})
}

// kept is a change as a plan file holds it.
func kept(t *testing.T, c Change) Change {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var out Change
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSame(t *testing.T) {
	planned := kept(t, cpus(t, "a", 2, 4, -1))
	for name, tc := range map[string]struct {
		planned, made Change
		want          bool
	}{
		"the same":                        {planned, cpus(t, "a", 2, 4, -1), true},
		"another VM":                      {planned, cpus(t, "b", 2, 4, -1), false},
		"another value before":            {planned, cpus(t, "a", 3, 4, -1), false},
		"another value after":             {planned, cpus(t, "a", 2, 5, -1), false},
		"an item of a loop":               {planned, cpus(t, "a", 2, 4, 0), false},
		"another item":                    {kept(t, cpus(t, "a", 2, 4, 0)), cpus(t, "a", 2, 4, 1), false},
		"what was unknown is any":         {kept(t, cpus(t, "a", 2, virt.UnknownValue, -1)), cpus(t, "a", 2, 4, -1), true},
		"what was known is not unknown":   {planned, cpus(t, "a", 2, virt.UnknownValue, -1), false},
		"large numbers keep their digits": {kept(t, cpus(t, "a", int64(1)<<53, int64(1), -1)), cpus(t, "a", int64(1)<<53+1, int64(1), -1), false},
	} {
		if got := tc.planned.Same(tc.made); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAdmitsAndDiff(t *testing.T) {
	a, b := cpus(t, "a", 2, 4, -1), cpus(t, "b", 2, 4, -1)
	plan := &Plan{Changes: []Change{kept(t, a), kept(t, b)}}
	if !plan.Admits(a) || plan.Admits(cpus(t, "a", 2, 8, -1)) || plan.Admits(cpus(t, "c", 2, 4, -1)) {
		t.Error("the plan admits what it has, and nothing else")
	}
	if got := plan.Expected(cpus(t, "a", 2, 8, -1)); got != kept(t, a).String() {
		t.Errorf("expected %q", got)
	}
	open := Undecided{Step: a.Step, Target: a.Target, Reason: "its loop is known only afterwards"}
	if !(&Plan{Undecided: []Undecided{open}}).Admits(cpus(t, "c", 1, 2, -1)) {
		t.Error("a step that was left open may do what it likes")
	}
	if diff := plan.Diff(&Plan{Changes: []Change{b, a}}); len(diff) != 0 {
		t.Errorf("the same, in another order: %v", diff)
	}
	maybe := a
	maybe.Maybe = true
	diff := strings.Join(plan.Diff(&Plan{Changes: []Change{maybe, cpus(t, "c", 1, 2, -1)}, Undecided: []Undecided{open}}), "\n")
	for _, want := range []string{"otherwise: e1: p.yml#1/CPUs: set_cpu of vm a", "no longer: e1: p.yml#1/CPUs: set_cpu of vm b, cpu.count 2 → 4",
		"new: e1: p.yml#1/CPUs: set_cpu of vm c", "is decided at run time: its loop is known only afterwards"} {
		if !strings.Contains(diff, want) {
			t.Errorf("%q is missing in\n%s", want, diff)
		}
	}
}
