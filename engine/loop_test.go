package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

func TestLoop(t *testing.T) {
	s := on(t, "a")
	s.vars["a"] = map[string]any{"names": []any{"x", "y"}}
	for name, tc := range map[string]struct{ steps, said string }{
		"items":     {`- debug: "{{ item }}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}"` + "\n  loop: [p, q]", "p10truefalse2|q21falsetrue2"},
		"variable":  {`- debug: "{{ who }}"` + "\n  loop: \"{{ names }}\"\n  loop_var: who", "x|y"},
		"step vars": {`- debug: "{{ item }}{{ twice }}"` + "\n  vars: {list: [1, 2], twice: \"{{ item * 2 }}\"}\n  loop: \"{{ list }}\"", "12|24"},
		"when":      {`- debug: "{{ item }}"` + "\n  loop: [1, 2, 3]\n  when: item != 2", "1|3"},
		"results": {`- debug: "{{ item }}"` + "\n  loop: [p, q]\n  when: item == 'q'\n  register: r\n" +
			`- debug: "{{ len(r.results) }} {{ r.results[0].skipped }} {{ r.results[1].skipped }} {{ r.results[1].item }} {{ r.changed }} {{ r.skipped }}"`, "q|2 true false q false false"},
		"empty": {`- debug: x` + "\n  loop: []\n  register: r\n" + `- debug: "{{ r.skipped }} {{ len(r.results) }}"`, "true 0"},
	} {
		t.Run(name, func(t *testing.T) { s.t = t; s.want("said", s.play(tc.steps).said(), tc.said) })
	}
	s.t = t
}

// Items that end in another order stand in their own.
func TestLoopSideBySide(t *testing.T) {
	s := on(t, "a")
	var now, most atomic.Int32
	s.steps = []*step.Spec{{Name: "probe", Summary: "x", Bare: "vm", Output: virt.CommandResult{}, New: func() step.Step {
		return &probe{do: func(ctx context.Context, env *step.Env, vm string) (step.Result, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			d := map[string]time.Duration{"a": 30, "b": 20, "c": 10}[vm]
			return step.Result{Output: virt.CommandResult{Stdout: vm}}, env.Sleep(ctx, d*time.Millisecond)
		}}
	}}}
	x := s.play(`
- probe: "{{ item }}"
  loop: [a, b, c, d]
  parallel: 3
  register: r
- debug: "{{ join(map(r.results, .stdout), '') }}"
`)
	s.want("said", x.said(), "abcd")
	if most.Load() != 3 {
		t.Errorf("%d items ran side by side, want 3", most.Load())
	}
}

func TestLoopLabels(t *testing.T) {
	s := on(t, "a")
	s.secrets = func(*source.Node) (string, error) { return "hunter-two", nil }
	x := s.play(`
- targets: all
  vars:
    key: {secret: {env: K}}
  steps:
    - debug: x
      loop: [{name: n1, x: 1}, {vm: v, x: 2}, {x: [3]}, text, 7, "{{ key }}"]
    - debug: x
      loop: [{name: n1, x: 1}]
      loop_label: "label {{ item.x }}"
    - debug: x
      loop: [{name: n1}]
      no_log: true
`)
	var labels []string
	for _, r := range all[event.Result](x) {
		if r.Item != nil {
			labels = append(labels, r.Item.Label)
		}
	}
	s.want("labels", strings.Join(labels, "|"), `n1|v|{"x":[3]}|text|7|***|label 1|***`)
}

func TestLoopSummary(t *testing.T) {
	for name, tc := range map[string]struct{ when, extra, results, recap, said string }{
		"one fails":     {"item == 2", "", "failed: no 2", "ok=0 changed=0 unreachable=0 failed=1 skipped=0 ignored=0 pending=0 undecided=0", ""},
		"one ignored":   {"item == 2", "ignore_errors: true", "ignored: no 2", "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=1 pending=0 undecided=0", "false true false"},
		"all skipped":   {"item == 9", "", "skipped: when does not hold", "ok=1 changed=0 unreachable=0 failed=0 skipped=1 ignored=0 pending=0 undecided=0", "false false true"},
		"fail and skip": {"item > 2", "ignore_errors: true", "ignored: no 3", "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=1 pending=0 undecided=0", "false true false"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a")
			x := s.play(fmt.Sprintf("- fail: \"no {{ item }}\"\n  loop: [1, 2, 3]\n  when: %s\n  register: r\n  %s\n- debug: \"{{ r.changed }} {{ r.failed }} {{ r.skipped }}\"\n", tc.when, tc.extra))
			first, _, _ := strings.Cut(x.results(), "\n")
			s.want("result", first, tc.results)
			s.want("recap", x.recap("a"), tc.recap)
			s.want("said", x.said(), tc.said)
		})
	}
}

// A loop that ignores one item's failure has still changed something by another.
func TestLoopChangedAndIgnored(t *testing.T) {
	s := on(t, "a", vm("x", virt.Stopped))
	x := s.play(`
- set_cpu: {vm: "{{ item }}", count: 3}
  loop: [x, y]
  ignore_errors: true
  register: r
- debug: "{{ r.changed }} {{ r.failed }}"
`)
	s.want("said", x.said(), "true true")
	s.want("recap", x.recap("a"), "ok=2 changed=1 unreachable=0 failed=0 skipped=0 ignored=1 pending=0 undecided=0")
}

func TestLoopOfTheWrongKind(t *testing.T) {
	s := on(t, "a")
	s.vars["a"] = map[string]any{"v": map[string]any{"k": 1}}
	x := s.play("- debug: x\n  loop: \"{{ v }}\"")
	s.want("results", x.results(), "failed: "+strings.TrimPrefix(x.results(), "failed: "))
	if !strings.Contains(x.results(), "wanted a list, found a mapping") {
		t.Error(x.results())
	}
}

func TestUntil(t *testing.T) {
	for name, tc := range map[string]struct {
		rcs     []int // of the attempts; below 0 = the agent does not answer
		keys    string
		result  string
		took    time.Duration
		said    string
		attempt int
	}{
		"at once":           {[]int{0}, "", "ok", 0, "0", 1},
		"third":             {[]int{1, 1, 0}, "", "ok", 10 * time.Second, "0", 3},
		"delay":             {[]int{1, 0}, "delay: 90s", "ok", 90 * time.Second, "0", 2},
		"never":             {[]int{1, 1, 1, 1, 1, 1}, "retries: 2", "failed: until does not hold after 3 attempts", 10 * time.Second, "", 3},
		"no retry":          {[]int{1}, "retries: 0", "failed: until does not hold after 1 attempts", 0, "", 1},
		"after errors":      {[]int{-1, -1, 0}, "", "ok", 10 * time.Second, "0", 3},
		"nothing but error": {[]int{-1, -1}, "retries: 1", "failed: the agent does not answer", 5 * time.Second, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a", vm("x", virt.Running))
			n := 0
			s.targets["a"].Exec = func(string, virt.Command) (*virt.CommandResult, error) {
				rc := tc.rcs[n]
				n++
				if rc < 0 {
					return nil, &virt.Error{Kind: virt.ErrAgent, Object: virt.VMRef("x"), Summary: "the agent does not answer"}
				}
				return &virt.CommandResult{RC: rc}, nil
			}
			synctestRun(t, s, func() {
				start := time.Now()
				keys := ""
				if tc.keys != "" {
					keys = "\n  " + tc.keys
				}
				x := s.play("- guest_exec: {vm: x, command: [x]}\n  register: r\n  until: r.rc == 0\n  changed_when: false\n  failed_when: false" + keys + "\n- debug: \"{{ r.rc }}\"\n")
				first, _, _ := strings.Cut(x.results(), "\n")
				s.want("result", first, tc.result)
				s.want("said", x.said(), tc.said)
				if took := time.Since(start); took != tc.took {
					t.Errorf("it took %s, want %s", took, tc.took)
				}
				if r := all[event.Result](x)[0]; r.Attempt != tc.attempt {
					t.Errorf("the result is of attempt %d, want %d", r.Attempt, tc.attempt)
				}
			})
		})
	}
}

func TestChangedWhenAndFailedWhen(t *testing.T) {
	for name, tc := range map[string]struct {
		rc   int
		keys string
		want string
	}{
		"a command changes":           {0, "", "changed"},
		"a bad end fails":             {1, "", "failed: the command ended with status 1"},
		"changed_when false":          {0, "changed_when: false", "ok"},
		"changed_when on the result":  {3, "changed_when: r.rc == 3\nfailed_when: false", "changed"},
		"failed_when overrides":       {1, "failed_when: r.rc > 1", "changed"},
		"failed_when fails":           {2, "failed_when: r.rc > 1", "failed: failed_when holds"},
		"failed_when fails a good":    {0, "failed_when: r.stdout == ''", "failed: failed_when holds"},
		"result is the step's own":    {0, "changed_when: result.rc != 0", "ok"},
		"a condition that has no rc":  {0, "changed_when: r.stdout", "failed: a condition must be true or false, but this is a string"},
		"failed_when and changed too": {0, "changed_when: true\nfailed_when: r.changed", "failed: failed_when holds"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a", vm("x", virt.Running))
			s.targets["a"].Exec = func(string, virt.Command) (*virt.CommandResult, error) { return &virt.CommandResult{RC: tc.rc}, nil }
			text := "- guest_exec: {vm: x, command: [x]}\n  register: r\n  " + strings.ReplaceAll(tc.keys, "\n", "\n  ")
			_, _, list := s.prepare(text)
			if list.HasErrors() {
				s.want("at load", "failed: "+list[0].Summary, tc.want)
				return
			}
			s.want("result", s.play(text).results(), tc.want)
		})
	}
	// failed_when speaks of what the step found; that it could not do its work is
	// another matter.
	s := on(t, "a", vm("x", virt.Running))
	s.targets["a"].Exec = func(string, virt.Command) (*virt.CommandResult, error) { return nil, errors.New("no agent") }
	s.want("other errors", s.play("- guest_exec: {vm: x, command: [x]}\n  failed_when: false").results(), "failed: no agent")
}
