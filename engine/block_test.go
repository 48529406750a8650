package engine_test

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

func TestBlocks(t *testing.T) {
	for name, tc := range map[string]struct {
		steps, said, want string
		code              int
	}{
		"rescued": {
			steps: `
- block:
    - {name: one, fail: "no"}
    - debug: left out
  rescue:
    - debug: "{{ failed_step.name }} {{ failed_step.word }}: {{ failed_result.msg }}"
  always:
    - debug: always
- debug: goes on`,
			said: "one fail: no|always|goes on", want: "rescued: no\nok\nok\nok",
		},
		"whole": {
			steps: "- block:\n    - debug: body\n  rescue:\n    - debug: rescue\n  always:\n    - debug: always",
			said:  "body|always", want: "ok\nok",
		},
		"no rescue": {
			steps: "- block:\n    - fail: a\n  always:\n    - debug: always\n- debug: left out",
			said:  "always", want: "failed: a\nok", code: engine.ExitFailed,
		},
		"rescue fails": {
			steps: "- block:\n    - fail: a\n  rescue:\n    - fail: b\n    - debug: left out\n  always:\n    - debug: always\n- debug: left out",
			said:  "always", want: "rescued: a\nfailed: b\nok", code: engine.ExitFailed,
		},
		"always fails": {
			steps: "- block:\n    - debug: body\n  always:\n    - fail: a\n- debug: left out",
			said:  "body", want: "ok\nfailed: a", code: engine.ExitFailed,
		},
		"always fails after a rescue": {
			steps: "- block:\n    - fail: a\n  rescue:\n    - debug: rescue\n  always:\n    - fail: b\n- debug: left out",
			said:  "rescue", want: "rescued: a\nok\nfailed: b", code: engine.ExitFailed,
		},
		"nested": {
			steps: `
- block:
    - block:
        - {name: inner, fail: a}
      rescue:
        - debug: "inner rescue of {{ failed_step.name }}"
        - {name: second, fail: b}
      always:
        - debug: inner always
    - debug: left out
  rescue:
    - debug: "outer rescue of {{ failed_step.name }}"
    - block:
        - {name: third, fail: c}
      rescue:
        - debug: "rescue of {{ failed_step.name }}"
    - debug: "still {{ failed_step.name }}"`,
			said: "inner rescue of inner|inner always|outer rescue of second|rescue of third|still second",
			want: "rescued: a\nok\nrescued: b\nok\nok\nrescued: c\nok\nok",
		},
		"what a block says": {
			steps: `
- block:
    - debug: "{{ x }} {{ y }}"
      vars: {y: own}
    - debug: "{{ y }}"
      when: 1 == 2
    - fail: ignored
  when: x == "of the block"
  ignore_errors: true
  vars: {x: of the block, y: "of {{ x }}"}
- block:
    - debug: no
  when: 1 == 2`,
			said: "of the block own", want: "ok\nskipped: when does not hold\nignored: ignored\nskipped: when does not hold",
		},
		"ignored in a block": {
			steps: "- block:\n    - {fail: a, ignore_errors: true}\n    - debug: goes on\n  rescue:\n    - debug: rescue",
			said:  "goes on", want: "ignored: a\nok",
		},
		"a loop": {
			steps: "- block:\n    - {fail: \"{{ item }}\", loop: [a, b]}\n  rescue:\n    - debug: \"{{ len(failed_result.results) }} {{ failed_result.results[1].msg }}\"",
			said:  "2 b", want: "rescued: a\nok",
		},
		"set for certain": {
			steps: `
- block:
    - {fail: a, register: first}
    - {debug: x, register: second}
  rescue:
    - debug: "{{ first.msg }} {{ default(second, 'none') }}"
    - {set_vars: {v: 1}}
  always:
    - debug: "{{ first.failed }}"
- debug: "{{ first.msg }}"`,
			said: "a none|true|a", want: "rescued: a\nok\nok\nok\nok",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "n1")
			x := s.play(tc.steps)
			s.want("results", x.results(), tc.want)
			s.want("said", x.said(), tc.said)
			if x.code != tc.code {
				t.Errorf("exit code %d, want %d", x.code, tc.code)
			}
		})
	}
}

// Each target goes its own way through a block.
func TestBlockOnTargets(t *testing.T) {
	s := on(t, "a b c")
	s.openErr["c"] = &virt.Error{Kind: virt.ErrUnreachable, Summary: "does not answer"}
	x := s.play(`
- block:
    - vm_facts: x
      when: target.name == "c"
    - fail: of a
      when: target.name == "a"
    - debug: "body on {{ target.name }}"
  rescue:
    - debug: "rescue on {{ target.name }}"
  always:
    - debug: "always on {{ target.name }}"
`)
	said := strings.Split(x.said(), "|")
	if len(said) != 4 || said[0] != "body on b" || said[1] != "rescue on a" || !strings.HasPrefix(said[2], "always on ") {
		t.Errorf("said %q", said)
	}
	for _, r := range all[event.Recap](x)[0].Targets {
		want := map[string][3]int{"a": {0, 1, 0}, "b": {0, 0, 0}, "c": {0, 0, 1}}[r.Target]
		if got := [3]int{r.Failed, r.Rescued, r.Unreachable}; got != want {
			t.Errorf("%s: failed, rescued, unreachable are %v, want %v", r.Target, got, want)
		}
	}
	if x.code != engine.ExitUnreachable {
		t.Errorf("exit code %d", x.code)
	}
}

func TestBlockInPlan(t *testing.T) {
	s := on(t, "n1", vm("x", virt.Running))
	x := s.plan(`
- block:
    - set_cpu: {vm: nowhere, count: 2}
  rescue:
    - set_cpu: {vm: x, count: 2}
- block:
    - guest_exec: {vm: x, command: [test]}
      register: r
    - {fail: no, when: r.rc != 0}
  rescue:
    - debug: not in a plan
`)
	s.want("results", x.results(), "rescued: is not there\nchanged\nchanged run\nundecided: when is known only afterwards; if it holds: no")
}

func TestHandlers(t *testing.T) {
	const handlers = `
  handlers:
    - {name: first, debug: "first {{ default(r, {'changed': 'none'}).changed }}"}
    - {name: second, debug: second, notify: third, changed_when: true}
    - {name: third, debug: third}
    - {name: both, debug: both a, listen: topic}
    - {debug: topic only, listen: [topic, other]}
    - {name: fails, fail: handler}
    - {name: after, debug: after}
`
	for name, tc := range map[string]struct {
		steps, said, want, left string
		force                   bool
	}{
		"in their order, once": {
			steps: "- {debug: x, changed_when: true, notify: [third, first]}\n- {debug: y, changed_when: true, notify: first, register: r}",
			said:  "x|y|first true|third",
		},
		"unchanged":               {steps: "- {debug: x, notify: first}", said: "x"},
		"handlers notify":         {steps: "- {debug: x, changed_when: true, notify: second}", said: "x|second|third"},
		"topics":                  {steps: "- {debug: x, changed_when: true, notify: topic}", said: "x|both a|topic only"},
		"flush":                   {steps: "- {debug: x, changed_when: true, notify: third}\n- flush_handlers:\n- {debug: y}\n- {debug: z, changed_when: true, notify: third}", said: "x|third|y|z|third"},
		"loop, one item":          {steps: "- {debug: x, loop: [1, 2], changed_when: item == 2, notify: third}", said: "x|x|third"},
		"failed":                  {steps: "- {debug: x, changed_when: true, notify: [third, both]}\n- fail: a", said: "x", left: "third both"},
		"failed, forced":          {steps: "- {debug: x, changed_when: true, notify: third}\n- fail: a", said: "x|third", force: true},
		"a handler fails":         {steps: "- {debug: x, changed_when: true, notify: [first, fails, after]}", said: "x|first none", left: "after"},
		"a handler fails, forced": {steps: "- {debug: x, changed_when: true, notify: [first, fails, after]}", said: "x|first none", left: "after", force: true},
		"in a block":              {steps: "- block:\n    - {debug: x, changed_when: true, notify: third}\n    - fail: a\n  rescue:\n    - debug: rescue", said: "x|rescue|third"},
		"failed and ignored":      {steps: "- {fail: x, ignore_errors: true, notify: third}", said: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "n1")
			s.opts.ForceHandlers = tc.force
			x := s.play("- name: P\n  targets: all\n  steps:\n    " + strings.ReplaceAll(tc.steps, "\n", "\n    ") + handlers)
			s.want("said", x.said(), tc.said)
			s.want("left", strings.Join(all[event.Recap](x)[0].Targets[0].Handlers, " "), tc.left)
			if warned := len(all[event.Warning](x)) > 0; warned != (tc.left != "") {
				t.Errorf("warnings: %v", all[event.Warning](x))
			}
			for _, e := range all[event.StepStarted](x) {
				if e.Handler != (e.Index == 0) || e.Handler != strings.Contains(e.Step, "/handlers/") {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func TestHandlersInPlan(t *testing.T) {
	s := on(t, "n1", vm("x", virt.Running))
	x := s.plan(`
- name: P
  targets: all
  steps:
    - {set_cpu: {vm: x, count: 2}, notify: sure}
    - {guest_exec: {vm: x, command: [a]}, register: r}
    - {set_memory: {vm: x, current: 512MiB}, when: r.rc == 0, notify: [maybe, sure]}
  handlers:
    - {name: sure, power: {vm: x, action: reboot}}
    - {name: maybe, power: {vm: x, action: reset}}
`)
	s.want("results", x.results(), "changed\nchanged run\nundecided: when is known only afterwards\nchanged run\nundecided run: a step that notifies it is decided at run time")
}
