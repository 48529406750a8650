package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/virttest"
)

// probe is a step made for a test.
type probe struct {
	VM string `arg:"vm,identity"`
	do func(ctx context.Context, env *step.Env, vm string) (step.Result, error)
}

func (p *probe) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	return p.do(ctx, env, p.VM)
}

func probeSpec(do func(ctx context.Context, env *step.Env, vm string) (step.Result, error)) *step.Spec {
	return &step.Spec{Name: "probe", Summary: "Does what a test wants", Bare: "vm", Touches: virt.KindVM, New: func() step.Step { return &probe{do: do} }}
}

func TestLinearOrder(t *testing.T) {
	s := on(t, "a b c d")
	s.opts.Forks = 2
	var now, most atomic.Int32
	s.steps = []*step.Spec{probeSpec(func(ctx context.Context, env *step.Env, _ string) (step.Result, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return step.Result{}, env.Sleep(ctx, 5*time.Millisecond)
	})}
	x := s.play("- probe: x\n- probe: y")
	if x.code != engine.ExitOK {
		t.Errorf("exit code %d", x.code)
	}
	if most.Load() != 2 {
		t.Errorf("%d targets ran side by side, want 2", most.Load())
	}
	var order []string
	for _, e := range x.events {
		switch e := e.(type) {
		case event.StepStarted:
			order = append(order, "begin "+e.Step[strings.LastIndex(e.Step, "/")+1:])
		case event.StepEnded:
			order = append(order, "end "+e.Step[strings.LastIndex(e.Step, "/")+1:])
		case event.Result:
			order = append(order, "result")
		}
	}
	r := ", result, result, result, result, "
	s.want("order", strings.Join(order, ", "), "begin 1"+r+"end 1, begin 2"+r+"end 2")
}

func TestAFailedTargetLeavesTheOthers(t *testing.T) {
	s := on(t, "a b", vm("x", virt.Stopped))
	s.targets["b"] = virttest.NewMemory() // only a has the VM
	x := s.play(`
- set_cpu: {vm: x, count: 2}
- debug: still here
`)
	s.want("a", x.recap("a"), "ok=2 changed=1 unreachable=0 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
	s.want("b", x.recap("b"), "ok=0 changed=0 unreachable=0 failed=1 skipped=0 ignored=0 pending=0 undecided=0")
	s.want("said", x.said(), "still here")
	if x.code != engine.ExitFailed {
		t.Errorf("exit code %d, want %d", x.code, engine.ExitFailed)
	}
}

func TestIgnoreErrors(t *testing.T) {
	s := on(t, "a")
	x := s.play(`
- fail: no
  ignore_errors: true
  register: r
- debug: "{{ r.failed }} {{ r.msg }}"
`)
	s.want("said", x.said(), "true no")
	s.want("recap", x.recap("a"), "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=1 pending=0 undecided=0")
	if x.code != engine.ExitOK {
		t.Errorf("exit code %d", x.code)
	}
}

func TestUnreachable(t *testing.T) {
	s := on(t, "a b", vm("x", virt.Stopped))
	s.targets["b"].Unreachable = &virt.Error{Kind: virt.ErrUnreachable, Summary: "no route"}
	x := s.play("- vm_facts: x\n  ignore_errors: true\n- debug: hi")
	s.want("b", x.recap("b"), "ok=0 changed=0 unreachable=1 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
	s.want("a", x.recap("a"), "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
	if x.code != engine.ExitUnreachable {
		t.Errorf("exit code %d, want %d", x.code, engine.ExitUnreachable)
	}
	s = on(t, "a b")
	s.openErr["a"] = &virt.Error{Kind: virt.ErrAuth, Summary: "denied"}
	s.openErr["b"] = errors.New("broken")
	x = s.play("- vm_facts: x")
	if x.code != engine.ExitFailed {
		t.Errorf("exit code %d, want %d: a failure outranks an unreachable target", x.code, engine.ExitFailed)
	}
	s.want("a", x.recap("a"), "ok=0 changed=0 unreachable=1 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
}

func TestTags(t *testing.T) {
	const text = `
- debug: plain
- debug: net
  tags: [net, slow]
- debug: always
  tags: always
- debug: never
  tags: [never, danger]
`
	for name, tc := range map[string]struct{ tags, skip, want string }{
		"none":            {"", "", "plain|net|always"},
		"one":             {"net", "", "net|always"},
		"skipped":         {"", "slow", "plain|always"},
		"both":            {"net", "slow", "always"},
		"all":             {"all", "", "plain|net|always"},
		"never, named":    {"danger", "", "always|never"},
		"never":           {"never", "", "always|never"},
		"skip always":     {"", "always", "plain|net"},
		"skip all":        {"", "all", "always"},
		"tagged":          {"tagged", "", "net|always"},
		"untagged":        {"untagged", "", "plain|always"},
		"skip tagged":     {"", "tagged", "plain"},
		"named elsewhere": {"other", "", "always"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a")
			s.opts.Tags, s.opts.SkipTags = strings.Fields(tc.tags), strings.Fields(tc.skip)
			s.want("said", s.play(text).said(), tc.want)
		})
	}
}

func TestStepTimeout(t *testing.T) {
	s := on(t, "a")
	synctestRun(t, s, func() {
		x := s.play("- pause: 1h\n  timeout: 3s\n- debug: never")
		s.want("results", x.results(), "failed: the step's timeout of 3s is over")
	})
}

func TestPlayTimeout(t *testing.T) {
	s := on(t, "a b")
	synctestRun(t, s, func() {
		x := s.play("- targets: all\n  timeout: 5s\n  steps:\n    - pause: 3s\n    - pause: 3s\n    - debug: never\n")
		s.want("results", x.results(), strings.TrimSpace(strings.Repeat("ok\n", 2)+strings.Repeat("failed: the play's timeout is over\n", 2)))
		if x.code != engine.ExitFailed {
			t.Errorf("exit code %d", x.code)
		}
	})
}

// Time runs out between two steps: the run must not end as if it were complete.
func TestPlayTimeoutBetweenSteps(t *testing.T) {
	s := on(t, "a")
	s.steps = []*step.Spec{probeSpec(func(context.Context, *step.Env, string) (step.Result, error) {
		time.Sleep(6 * time.Second) // as a step that finishes what it began
		return step.Result{}, nil
	})}
	synctestRun(t, s, func() {
		x := s.play("- targets: all\n  timeout: 5s\n  steps:\n    - probe: x\n    - debug: never\n- targets: all\n  steps:\n    - debug: never\n")
		s.want("results", x.results(), "ok\nfailed: the play's timeout is over")
		if x.code != engine.ExitFailed {
			t.Errorf("exit code %d", x.code)
		}
	})
}

// synctestRun runs fn where time passes by itself. What the stage keeps from
// outside, its context, must not be waited for in there.
func synctestRun(t *testing.T, s *stage, fn func()) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		outside := s.ctx
		defer func() { s.ctx = outside }()
		s.ctx = t.Context()
		fn()
	})
}

func TestInterruption(t *testing.T) {
	for name, tc := range map[string]struct {
		cause error
		code  int
	}{"ctrl-c": {engine.ErrInterrupted, engine.ExitInterrupted}, "sigterm": {engine.ErrTerminated, engine.ExitTerminated}, "other": {nil, engine.ExitInterrupted}} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a b c", vm("x", virt.Stopped))
			s.opts.Forks = 1
			ctx, cancel := context.WithCancelCause(t.Context())
			s.ctx = ctx
			var ran atomic.Int32
			s.steps = []*step.Spec{probeSpec(func(ctx context.Context, env *step.Env, _ string) (step.Result, error) {
				ran.Add(1)
				cancel(tc.cause)
				return step.Result{}, env.Sleep(ctx, time.Hour)
			})}
			x := s.play("- probe: x\n  loop: [1, 2, 3]\n  ignore_errors: true\n- debug: never\n")
			if x.code != tc.code {
				t.Errorf("exit code %d, want %d", x.code, tc.code)
			}
			if ran.Load() != 1 {
				t.Errorf("%d steps ran, want 1: nothing new starts", ran.Load())
			}
			if got := len(all[event.ItemStarted](x)); got != 1 {
				t.Errorf("%d items were started, want 1", got)
			}
			s.want("said", x.said(), "")
			s.want("a target that was not begun", x.recap("b"), "ok=0 changed=0 unreachable=0 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
			if end := all[event.RunEnded](x)[0]; end.Status != "interrupted" {
				t.Errorf("the run ended %q", end.Status)
			}
		})
	}
}

func TestPanicIsOneTargetsError(t *testing.T) {
	s := on(t, "a b")
	s.steps = []*step.Spec{probeSpec(func(_ context.Context, env *step.Env, _ string) (step.Result, error) {
		if env.Target.Name == "a" {
			panic("index out of range")
		}
		return step.Result{}, nil
	})}
	x := s.play("- probe: x\n- debug: on")
	s.want("a", x.recap("a"), "ok=0 changed=0 unreachable=0 failed=1 skipped=0 ignored=0 pending=0 undecided=0")
	s.want("b", x.recap("b"), "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=0 pending=0 undecided=0")
	if !strings.Contains(x.results(), "a mistake in nactl: index out of range") {
		t.Error(x.results())
	}
}

func TestTitles(t *testing.T) {
	s := on(t, "a")
	s.vars["a"] = map[string]any{"n": 5}
	x := s.play("- name: \"{{ n }}\"\n  debug: x\n- name: on {{ target.name }}\n  debug: x\n")
	var names []string
	for _, e := range all[event.StepStarted](x) {
		names = append(names, e.Name)
	}
	s.want("names", strings.Join(names, "|"), "5|on a")
}

// A prompt is for a person, who answers once and not for each target.
func TestPrompts(t *testing.T) {
	s := on(t, "a b")
	var mu sync.Mutex
	var asked []string
	s.ask = func(_ context.Context, prompt string, _ bool) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, prompt)
		return fmt.Sprint(len(asked)), nil
	}
	x := s.play(`
- pause: {prompt: Go on?}
  register: p
- debug: "{{ p.answer }}"
- pause: {prompt: "And {{ item }}?"}
  loop: [x, y]
`)
	slices.Sort(asked)
	s.want("asked", strings.Join(asked, " "), "And x? And y? Go on?")
	s.want("said", x.said(), "1|1")
	asked = nil
	s.plan("- pause: {prompt: Go on?}")
	s.want("asked in a plan", strings.Join(asked, " "), "")
	s = on(t, "a")
	if x := s.play("- pause: {prompt: Go on?}"); x.code != engine.ExitOK || len(all[event.Warning](x)) != 1 {
		t.Errorf("where nobody can type: exit code %d, %d warnings", x.code, len(all[event.Warning](x)))
	}
}

// Many targets, each reading what the others register meanwhile: for the race
// detector.
func TestManyTargets(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("t%d", i))
	}
	s := on(t, strings.Join(names, " "), vm("x", virt.Running))
	for _, name := range names {
		s.vars[name] = map[string]any{"n": len(name), "own": "{{ target.name }}-{{ n }}"}
	}
	const text = `
- targets: all
  vars: {sum: "{{ len(keys(targets)) }}", line: "{{ own }} {{ targets.t0.own }}"}
  steps:
    - set_vars: {mine: "{{ line }}"}
      loop: [1, 2, 3]
      parallel: 3
    - set_cpu: {vm: x, count: "{{ item }}"}
      loop: [3, 3]
      parallel: 2
      register: r
    - assert: {that: [targets.t7.mine == "t7-2 t0-2", sum == 10, len(r.results) == 2, targets.t3.r.failed == false]}
`
	if x := s.play(text); x.code != engine.ExitOK {
		t.Error(x.results())
	}
	if got := s.targets["t5"].Kinds(); got != "set_cpu" {
		t.Errorf("two items with one wish made %q", got)
	}
}

// What a step changed before it failed counts where the failure is ignored, as in
// Ansible.
func TestChangedAndFailed(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	x := s.play(`
- local_exec: {command: ["false"]}
  register: r
  ignore_errors: true
- debug: "{{ r.changed }} {{ r.failed }} {{ r.rc }}"
- fail: no
  register: r
  ignore_errors: true
- debug: "{{ r.changed }} {{ r.failed }}"
- local_exec: {command: ["true"]}
  register: r
  failed_when: r.rc == 0
  ignore_errors: true
- local_exec: {command: ["true"]}
  register: q
  changed_when: false
  failed_when: q.rc == 0
  ignore_errors: true
- debug: "{{ r.changed }} {{ q.changed }}"
`)
	s.want("said", x.said(), "true true 1|false true|true false")
	s.want("recap", x.recap("a"), "ok=7 changed=2 unreachable=0 failed=0 skipped=0 ignored=4 pending=0 undecided=0")
}

func TestVarsPrompt(t *testing.T) {
	const text = `
- name: P
  targets: all
  vars: {a: of the play}
  vars_prompt: [{name: a, prompt: A, private: false}, {name: b, default: 5}, {name: c, confirm: true}]
  steps:
    - debug: "{{ a }} {{ b }} {{ c }}"
`
	s := on(t, "n1")
	answers := []string{"one", "", "x", "y", "z", "z"}
	var asked []string
	s.ask = func(_ context.Context, prompt string, hidden bool) (string, error) {
		asked = append(asked, fmt.Sprint(prompt, hidden))
		answer := answers[0]
		answers = answers[1:]
		return answer, nil
	}
	p, w, list := s.prepare(text)
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	s.opts.Mask = event.NewMask()
	if list, err := p.Ask(t.Context(), w, s.opts); err != nil || len(list) != 1 { // a secret of one character cannot be masked
		t.Fatal(list, err)
	}
	s.want("asked", strings.Join(asked, "; "), "A:false; b [5]:true; c:true; once more, c:true; the two differ; c:true; once more, the two differ; c:true")
	kept := &log{}
	o := s.opts
	o.Sink = kept
	engine.Run(t.Context(), p, w, o)
	s.want("said", (&show{events: kept.events}).said(), "one 5 z")
}

func TestConfirm(t *testing.T) {
	s := on(t, "n1")
	s.opts.Confirm = true
	answers := []string{"n", "y", "c"}
	s.ask = func(context.Context, string, bool) (string, error) {
		answer := answers[0]
		answers = answers[1:]
		return answer, nil
	}
	x := s.play("- {debug: a, register: r}\n- debug: \"b {{ r.skipped }}\"\n- debug: c\n- debug: d")
	s.want("said", x.said(), "b true|c|d")
	s.want("results", x.results(), "skipped: left out at the prompt\nok\nok\nok")
}

// Who may not do one thing is let in all the same: the step fails, and the target
// is not given up as unreachable.
func TestDenied(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	s.targets["a"].Before = func(context.Context, virt.Change) error {
		return &virt.Error{Kind: virt.ErrDenied, Object: virt.VMRef("x"), Summary: "cannot change its CPUs"}
	}
	x := s.play("- set_cpu: {vm: x, count: 2}\n  ignore_errors: true\n- debug: goes on")
	s.want("results", x.results(), "ignored: cannot change its CPUs\nok")
	if f := all[event.Result](x)[0].Error; f.Kind != "denied" {
		t.Errorf("kind %q", f.Kind)
	}
}
