package engine_test

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/planned"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/virt"
)

// planOf reads a plan off the events of a run.
func planOf(t *testing.T, x *show) *planned.Plan {
	t.Helper()
	c := planned.NewCollector(func(word string) bool { return len(modules.Registry().Lookup(word).Changes) > 0 })
	mask := event.NewMask()
	for _, e := range x.events {
		if err := c.Read(event.Record{Event: mask.Event(e)}); err != nil {
			t.Fatal(err)
		}
	}
	return c.Plan()
}

// A run that is held to a plan makes its changes, and stops at the first other.
func TestGate(t *testing.T) {
	const steps = `
- set_cpu: {vm: x, count: 2}
- block:
    - set_memory: {vm: x, current: "{{ lookup }}MiB"}
  rescue:
    - debug: not rescued
  always:
    - debug: not cleaned up
- set_vm: {vm: x, title: t}
`
	text := func(lookup string) string {
		return "- name: P\n  targets: all\n  vars: {lookup: " + lookup + "}\n  steps:\n    " + strings.ReplaceAll(strings.TrimSpace(steps), "\n", "\n    ")
	}
	s := on(t, "a b", vm("x", virt.Stopped))
	s.opts.Check = true
	plan := planOf(t, s.play(text("512")))
	if len(plan.Changes) != 6 {
		t.Fatalf("the plan has %v", plan.Changes)
	}
	s.opts.Check, s.opts.Plan = false, plan
	if x := s.play(text("512")); x.code != engine.ExitOK {
		t.Errorf("the planned changes: %s", x.results())
	}
	dir := s.dir // part of the steps' ids
	s = on(t, "a b", vm("x", virt.Stopped))
	s.dir, s.opts.Plan = dir, plan
	x := s.play(text("256"))
	if x.code != engine.ExitFailed || x.said() != "" {
		t.Errorf("exit code %d, said %q:\n%s", x.code, x.said(), x.results())
	}
	for name, m := range s.targets {
		if kinds := m.Kinds(); kinds != "set_cpu" {
			t.Errorf("made %s on %s", kinds, name)
		}
	}
	for _, r := range all[event.Result](x) {
		if r.Error != nil && (!strings.Contains(r.Error.Summary, "not in the saved plan: ") || !strings.Contains(r.Error.Summary, "memory.current") || !strings.Contains(r.Error.Wanted, "set_memory of vm x")) {
			t.Errorf("error %+v", r.Error)
		}
	}
}

// Changes that hang on the run are admitted, whatever stood before them.
func TestGateMaybe(t *testing.T) {
	const steps = `
- guest_exec: {vm: y, command: [size]}
  register: r
- set_cpu: {vm: x, count: 2}
  when: r.rc == 1
- set_cpu: {vm: x, count: 3}
  when: r.rc == 0
- guest_exec: {vm: y, command: ["{{ r.rc }}"]}
`
	s := on(t, "a", vm("x", virt.Stopped), vm("y", virt.Running))
	s.opts.Check = true
	plan := planOf(t, s.play(steps))
	s.opts.Check, s.opts.Plan = false, plan
	x := s.play(steps)
	if x.code != engine.ExitOK || s.targets["a"].Kinds() != "guest_exec set_cpu guest_exec" {
		t.Errorf("made %s: %s", s.targets["a"].Kinds(), x.results())
	}
	if len(plan.Undecided) != 1 || plan.Undecided[0].Step != x.events[len(x.events)-4].(event.Result).Step {
		t.Errorf("left open: %+v", plan.Undecided)
	}
	// An action is what its arguments say.
	if x := s.play(strings.Replace(steps, "[size]", "[other]", 1)); x.code != engine.ExitFailed {
		t.Errorf("another command was run: %s", x.results())
	}
}
