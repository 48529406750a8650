package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/virt"
)

func TestSerialSizes(t *testing.T) {
	for _, tc := range []struct {
		shares []playbook.Share
		n      int
		want   string
	}{
		{nil, 5, "[5]"}, {[]playbook.Share{{Count: 2}}, 5, "[2 2 1]"}, {[]playbook.Share{{Count: 25, Percent: true}}, 10, "[2 2 2 2 2]"},
		{[]playbook.Share{{Count: 1}, {Count: 5}, {Count: 100, Percent: true}}, 20, "[1 5 14]"},
		{[]playbook.Share{{Count: 1, Percent: true}}, 3, "[1 1 1]"}, {[]playbook.Share{{Count: 9}}, 3, "[3]"}, {[]playbook.Share{{Count: 2}}, 0, "[0]"},
	} {
		if got := fmt.Sprint(playbook.Batches(tc.shares, tc.n)); got != tc.want {
			t.Errorf("%v of %d targets: %s, want %s", tc.shares, tc.n, got, tc.want)
		}
	}
}

// onAll makes a playbook of one play on all targets.
func onAll(keys, steps string) string {
	return "- name: P\n  targets: all\n  " + strings.ReplaceAll(keys, "\n", "\n  ") + "\n  steps:\n    " + strings.ReplaceAll(strings.TrimSpace(steps), "\n", "\n    ")
}

func TestSerial(t *testing.T) {
	s := on(t, "a b c")
	x := s.play(onAll("serial: [1, 100%]\nhandlers: [{name: h, debug: \"h {{ target.name }}\"}]", `
- debug: "1 {{ target.name }}"
  changed_when: true
  notify: h
- debug: "2 {{ target.name }}"
`))
	if said := x.said(); !strings.HasPrefix(said, "1 a|2 a|h a|1 ") || strings.Count(said, "|") != 8 {
		t.Errorf("said %s", said)
	}
	var batches []string
	for _, e := range all[event.PlayStarted](x) {
		batches = append(batches, fmt.Sprintf("%d/%d %s", e.Batch, e.Batches, strings.Join(e.Targets, ",")))
	}
	s.want("batches", strings.Join(batches, "; "), "1/2 a; 2/2 b,c")
	s.want("an expression", s.play(onAll("vars: {n: 1}\nserial: \"{{ n }}\"", "- debug: \"{{ target.name }}\"")).said(), "a|b|c")

	x = s.play(onAll("serial: 1", "- fail: x\n  when: target.name == 'b'\n- debug: \"{{ target.name }}\"") + "\n- targets: all\n  steps: [{debug: later}]")
	s.want("a batch that failed", x.said(), "a")
	if w := all[event.Warning](x); len(w) != 1 || !strings.Contains(w[0].Text, "all targets of batch 2 of 3 failed") {
		t.Errorf("warnings: %v", w)
	}
	if x.code != engine.ExitFailed {
		t.Errorf("exit code %d", x.code)
	}
}

func TestTooManyFailures(t *testing.T) {
	const steps = `
- block:
    - fail: x
      when: target.name == "a" or target.name == "b"
    - debug: "went on on {{ target.name }}"
  always:
    - debug: "always"
- debug: "end"
`
	for name, tc := range map[string]struct {
		keys string
		want string
	}{
		"any":              {"any_errors_fatal: true", "always always always always always"},
		"20 of 40 allowed": {"max_fail_percentage: 20", "always always always always always"},
		"40 of 40 allowed": {"max_fail_percentage: 40", "went always always always always always end"},
		"none said":        {"name: P2", "went always always always always always end"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a b c d e")
			keys := strings.ReplaceAll(tc.keys, "name: P2", "vars: {}")
			x := s.play(onAll(keys, steps) + "\n- targets: all\n  steps: [{debug: \"next play\"}]")
			count := map[string]int{}
			for _, m := range strings.Split(x.said(), "|") {
				count[strings.Fields(m)[0]]++
			}
			want := map[string]int{"always": 5}
			if strings.Contains(tc.want, "went") {
				want = map[string]int{"went": 3, "always": 5, "end": 3, "next": 3}
			}
			if fmt.Sprint(count) != fmt.Sprint(want) {
				t.Errorf("said %v, want %v", count, want)
			}
			if x.code != engine.ExitFailed {
				t.Errorf("exit code %d", x.code)
			}
		})
	}
	// A rescued failure is none.
	s := on(t, "a b")
	x := s.play(onAll("any_errors_fatal: true", "- block: [{fail: x}]\n  rescue: [{debug: r}]\n- debug: end"))
	s.want("rescued", x.said(), "r|r|end|end")
}

// What ends because too many others failed has nothing to be rescued from.
func TestTooManyFailuresAndRescue(t *testing.T) {
	s := on(t, "a b", vm("x", virt.Running))
	s.openErr["a"] = &virt.Error{Kind: virt.ErrUnreachable, Summary: "no route"}
	x := s.play(onAll("any_errors_fatal: true", `
- block:
    - vm_facts: {vm: x}
  rescue:
    - debug: rescue
  always:
    - debug: always
- debug: end
`))
	s.want("said", x.said(), "always")
	s.want("exit", fmt.Sprint(x.code), fmt.Sprint(engine.ExitUnreachable))

	s = on(t, "a b c")
	x = s.play(onAll("max_fail_percentage: 50", "- {fail: x, run_once: true}") + "\n- targets: all\n  steps: [{debug: \"next play\"}]")
	if w := all[event.Warning](x); len(w) != 1 || !strings.Contains(w[0].Text, "3 of 3 failed") {
		t.Errorf("run_once fails for all of them: %v", w)
	}

	s = on(t, "a b")
	s.vars["a"] = map[string]any{"list": 1}
	s.vars["b"] = map[string]any{"list": []any{1}}
	x = s.play(onAll("any_errors_fatal: true", "- block: [{debug: \"{{ item }}\"}]\n  loop: \"{{ list }}\""))
	s.want("a loop that is none", x.said(), "")
}

// A handler that fails in a block is rescued as its steps are.
func TestRescueOfAHandler(t *testing.T) {
	s := on(t, "a")
	x := s.play(onAll("handlers: [{name: h, fail: x}]", `
- block:
    - {debug: one, changed_when: true, notify: h}
    - flush_handlers:
    - debug: left out
  rescue:
    - debug: "rescue of {{ failed_step.name }}"
- debug: end
`))
	s.want("said", x.said(), "one|rescue of h|end")
	s.want("exit", fmt.Sprint(x.code), fmt.Sprint(engine.ExitOK))
}

func TestRunOnce(t *testing.T) {
	s := on(t, "a b c")
	x := s.play(onAll("serial: 2", `
- debug: "once on {{ target.name }}"
  run_once: true
  register: r
- set_vars: {v: "from {{ target.name }}"}
  run_once: true
- debug: "{{ target.name }} {{ v }} {{ r.changed }}"
`))
	said := x.said()
	for _, part := range []string{"once on a", "a from a false", "b from a false", "once on c", "c from c false"} {
		if !strings.Contains("|"+said+"|", "|"+part+"|") {
			t.Errorf("%q is missing in %s", part, said)
		}
	}
	if strings.Contains(said, "once on b") {
		t.Error("it ran twice in a batch")
	}
	x = s.play("- block:\n    - {fail: x, run_once: true}\n  rescue:\n    - debug: \"{{ failed_result.msg }}\"\n- {fail: y, run_once: true}\n- debug: left out")
	s.want("a failure is everybody's", x.said(), "x|x|x")
	if x.code != engine.ExitFailed {
		t.Errorf("exit code %d", x.code)
	}
}

func TestDelegate(t *testing.T) {
	s := on(t, "a b", vm("x", virt.Running))
	s.vars["a"] = map[string]any{"other": "b"}
	s.vars["b"] = map[string]any{"other": "a"}
	x := s.play(`
- name: P
  targets: a
  steps:
    - set_cpu: {vm: x, count: 2}
      delegate_to: "{{ other }}"
      register: r
    - set_cpu: {vm: x, count: 3}
      delegate_to: "{{ item }}"
      loop: [a, b]
    - debug: "{{ r.changed }}"
      delegate_to: b
    - vm_facts: {vm: x}
      delegate_to: nowhere{{ 1 }}
`)
	s.want("results", x.results(), "changed\nchanged\nok\nfailed: delegate_to: the inventory has no target \"nowhere1\"")
	for name, want := range map[string]string{"a": "set_cpu", "b": "set_cpu set_cpu"} {
		s.want("changes on "+name, s.targets[name].Kinds(), want)
	}
	var where []string
	for _, r := range all[event.Result](x) {
		where = append(where, r.Target+">"+r.Delegated)
	}
	s.want("delegated", strings.Join(where, " "), "a>b a>a a>b a> a>b a>")
	if _, _, list := s.prepare("- debug: x\n  delegate_to: bb"); !strings.Contains(list.Err().Error(), `delegate_to: the inventory has no target "bb", did you mean "b"?`) {
		t.Error(list.Err())
	}
	s = on(t, "a", vm("x", virt.Running))
	x = s.plan("- guest_exec: {vm: x, command: [a]}\n  register: r\n- set_cpu: {vm: x, count: 2}\n  delegate_to: \"{{ r.stdout }}\"")
	s.want("in a plan", x.results(), "changed run\nundecided: delegate_to is known only afterwards")
}

func TestThrottle(t *testing.T) {
	s := on(t, "a b c d", vm("x", virt.Running))
	var now, most atomic.Int32
	for _, m := range s.targets {
		m.Before = func(context.Context, virt.Change) error {
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			now.Add(-1)
			return nil
		}
	}
	s.play("- set_cpu: {vm: x, count: 2}\n  throttle: 1")
	if most.Load() != 1 {
		t.Errorf("%d targets side by side", most.Load())
	}
}

// With the free strategy a target does not wait for another.
func TestFree(t *testing.T) {
	s := on(t, "slow quick", vm("x", virt.Running))
	done := make(chan struct{})
	kept := &log{on: func(e event.Event) {
		if m, ok := e.(event.Message); ok && m.Text == "2 quick" {
			close(done)
		}
	}}
	s.opts.Sink = kept
	s.targets["slow"].Before = func(ctx context.Context, _ virt.Change) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	x := s.play(onAll("strategy: free\nhandlers: [{name: h, debug: \"h {{ target.name }}\"}]", `
- set_cpu: {vm: x, count: 2}
  notify: h
- debug: "2 {{ target.name }}"
`))
	if x.code != engine.ExitOK {
		t.Fatal(x.results())
	}
	for _, name := range []string{"slow", "quick"} {
		if !strings.Contains(x.said(), "2 "+name) || !strings.Contains(x.said(), "h "+name) {
			t.Errorf("said %s", x.said())
		}
	}
	for _, e := range all[event.StepStarted](x) {
		if len(e.Targets) != 1 {
			t.Errorf("%+v", e)
		}
	}
	s.opts.Sink = nil
	if _, _, list := s.prepare(onAll("strategy: fre", "- debug: x")); !strings.Contains(list.Err().Error(), `strategy is linear or free, found "fre", did you mean "free"?`) {
		t.Error(list.Err())
	}
	for text, want := range map[string]string{
		"strategy: free":           "run_once needs strategy linear",
		"serial: some":             "serial: wanted a number of targets, a percentage as 25%, or a list of them, found \"some\"",
		"serial: [1, 0]":           "found \"0\"",
		"serial: []":               "the list is empty",
		"serial: 101%":             "found \"101%\"",
		"max_fail_percentage: 101": "wanted a percentage from 0 to 100",
	} {
		if _, _, list := s.prepare(onAll(text, "- {debug: x, run_once: true}")); !strings.Contains(fmt.Sprint(list.Err()), want) {
			t.Errorf("%s: %v", text, list.Err())
		}
	}
}
