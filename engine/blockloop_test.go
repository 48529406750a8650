package engine_test

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

func TestBlockLoop(t *testing.T) {
	s := on(t, "a b")
	s.vars["a"] = map[string]any{"hosts": []any{"h1", "h2"}}
	s.vars["b"] = map[string]any{"hosts": []any{"h3"}}
	x := s.play(`
- name: Each
  block:
    - {name: down, debug: "{{ target.name }} {{ item }} {{ loop.index }}/{{ loop.length }}", when: item != "h2"}
    - name: Inner
      block:
        - {name: deep, debug: "{{ item }}{{ x }}"}
      loop: [1, 2]
      loop_var: x
      loop_label: "number {{ x }}"
    - debug: "{{ item }}{{ loop.index }}"
      loop: [5]
  loop: "{{ hosts }}"
- debug: end
`)
	said := strings.Split(x.said(), "|")
	count := map[string]int{}
	for _, m := range said {
		count[m]++
	}
	for _, want := range []string{"a h1 1/2", "b h3 1/1", "h11", "h12", "h31", "h32", "h21", "h22", "51"} {
		if count[want] == 0 {
			t.Errorf("%q is missing in %v", want, said)
		}
	}
	if len(said) != 2+6+3+2 || count["end"] != 2 {
		t.Errorf("said %v", said)
	}
	var steps []string
	for _, e := range all[event.StepStarted](x) {
		_, id, _ := strings.Cut(e.Step, "#")
		steps = append(steps, id+" "+e.Name+" "+strings.Join(e.Targets, ","))
	}
	s.want("steps", strings.Join(steps, "\n"), strings.TrimSpace(`
P/Each[1]/down down (h1) a,b
P/Each[1]/Inner[1]/deep deep (h1) (number 1) a,b
P/Each[1]/Inner[2]/deep deep (h1) (number 2) a,b
P/Each[1]/3 debug (h1) a,b
P/Each[2]/down down (h2) a
P/Each[2]/Inner[1]/deep deep (h2) (number 1) a
P/Each[2]/Inner[2]/deep deep (h2) (number 2) a
P/Each[2]/3 debug (h2) a
P/2  a,b`))
}

func TestBlockLoopEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		steps, said, want string
		code              int
	}{
		"empty":         {"- {block: [{debug: x}], loop: []}\n- debug: end", "end", "ok", 0},
		"fails":         {"- block:\n    - debug: \"{{ item }}\"\n    - {fail: no, when: item == 2}\n  loop: [1, 2, 3]", "1|2", "ok\nskipped: when does not hold\nok\nfailed: no", engine.ExitFailed},
		"rescued":       {"- block:\n    - {fail: no, when: item == 1}\n  rescue:\n    - debug: \"{{ item }}: {{ failed_result.msg }}\"\n  loop: [1, 2]", "1: no", "rescued: no\nok\nskipped: when does not hold", 0},
		"not a list":    {"- block: [{debug: x}]\n  loop: \"{{ target }}\"", "", "failed: loop: wanted a list, found a mapping", engine.ExitFailed},
		"not evaluated": {"- block: [{debug: x}]\n  loop: \"{{ [1][target.name == 'a' ? 5 : 0] }}\"", "", "", engine.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a")
			x := s.play(tc.steps)
			s.want("said", x.said(), tc.said)
			if tc.want != "" {
				s.want("results", x.results(), tc.want)
			}
			if x.code != tc.code {
				t.Errorf("exit code %d: %s", x.code, x.results())
			}
		})
	}
	s := on(t, "a", vm("x", virt.Running))
	x := s.plan("- guest_exec: {vm: x, command: [ls]}\n  register: r\n- block:\n    - set_cpu: {vm: \"{{ item }}\", count: 2}\n      register: q\n  loop: \"{{ split(r.stdout, ' ') }}\"\n- debug: x\n  when: \"default(q, {'changed': true}).changed\"")
	s.want("a plan", x.results(), "changed run\nundecided: the loop of its block is known only afterwards\nundecided: when is known only afterwards")
}
