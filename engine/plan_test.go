package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

func TestPlanOverWhatItMade(t *testing.T) {
	s := on(t, "a")
	x := s.plan(`
- create_vm: {name: web, cpu: {max: 4}, memory: 1GiB, disks: [{name: root, size: 1GiB}]}
  register: made
- wait_for: {vm: web, for: ip}
  register: seen
- set_cpu: {vm: web, count: 2}
- attach_disk: {vm: web, name: data, size: 1GiB}
- resize_disk: {vm: web, disk: data, size: 2GiB}
- debug: "{{ made.name }} {{ made.created }}"
- debug: "{{ seen.ip }}"
- set_vars: {ip: "{{ seen.ip }}"}
- debug: "{{ ip }}"
  when: ip != "10.0.0.1"
- power: {vm: web, state: stopped}
- delete_vm: web
- set_cpu: {vm: web, count: 2}
`)
	s.want("results", x.results(), strings.TrimSpace(`
changed
undecided: an earlier step starts or stops its guest
changed
changed
changed
ok
ok
ok
undecided: when is known only afterwards
changed
changed
failed: is not there`))
	s.want("said", x.said(), "web true|(known afterwards)|(known afterwards)")
	var kinds []string
	for _, o := range all[event.Outcome](x) {
		kinds = append(kinds, o.Kind)
	}
	s.want("predicted", strings.Join(kinds, " "), "create_vm start finish_vm set_cpu attach_disk resize_disk shutdown delete_vm")
}

func TestPlanCountsAndExits(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	x := s.plan(`
- set_cpu: {vm: x, count: 2}
- power: {vm: x, action: reboot}
- local_exec: {command: [touch, /nonexistent/file]}
- local_exec: {command: [touch, /nonexistent/file]}
  changed_when: false
- wait_for: {vm: x}
- pause: 1h
- set_memory: {vm: x, current: "{{ item }}"}
  loop: [1GiB, 512MiB, 256MiB]
`)
	if x.code != engine.ExitOK {
		t.Errorf("exit code %d", x.code)
	}
	s.want("results", x.results(), strings.TrimSpace(`
changed
changed run
changed run
ok
undecided: an earlier step starts or stops its guest
ok
changed`))
	got := all[event.Recap](x)[0].Plan
	if got == nil || *got != (event.PlanTotals{Change: 3, Run: 2, Undecided: 1}) {
		t.Errorf("the plan's totals are %+v", got)
	}
}

// What a step that is decided at run time may have touched is no failure later.
func TestPlanAfterAnUndecidedStep(t *testing.T) {
	const first = `
- local_exec: {command: [hostname]}
  register: r
`
	for name, tc := range map[string]struct{ steps, want string }{
		"unknown when": {"- create_vm: {name: web}\n  when: r.stdout == 'a'\n- set_cpu: {vm: web, count: 1}\n- set_cpu: {vm: other, count: 1}",
			"undecided: when is known only afterwards\nok\nfailed: is not there"},
		"unknown when, unwanted": {"- delete_vm: {vm: x}\n  when: r.stdout == 'a'\n- set_cpu: {vm: x, count: 1}",
			"undecided: when is known only afterwards\nundecided: an earlier step decides at run time what becomes of it"},
		"unknown argument": {"- create_vm: {name: web, hostname: \"{{ r.stdout }}\"}\n- set_cpu: {vm: web, count: 1}\n- set_cpu: {vm: other, count: 1}",
			"undecided: hostname is known only afterwards\nundecided: an earlier step decides at run time what becomes of it\nfailed: is not there"},
		"unknown name": {"- create_vm: {name: \"{{ r.stdout }}\"}\n- set_cpu: {vm: other, count: 1}\n- delete_vlan: gone",
			"undecided: name is known only afterwards\nundecided: an earlier step decides at run time what becomes of it\nok"},
		"unknown loop": {"- create_vm: {name: \"{{ item }}\"}\n  loop: \"{{ split(r.stdout, ',') }}\"\n- set_cpu: {vm: other, count: 1}",
			"undecided: its loop is known only afterwards\nundecided: an earlier step decides at run time what becomes of it"},
		"unknown when, bad end": {"- set_cpu: {vm: other, count: 1}\n  when: r.rc == 0\n  register: q\n- debug: x\n  when: q.changed",
			"undecided: when is known only afterwards; if it holds: is not there\nundecided: when is known only afterwards"},
		"unknown when, set_vars": {"- set_vars: {v: 1}\n  when: r.rc == 0\n- debug: x\n  when: default(v, 1) == 1",
			"undecided: when is known only afterwards\nundecided: when is known only afterwards"},
		"assert":        {"- assert: r.rc == 0\n- assert: {that: [1 == 1, r.rc == 0]}", "undecided: a condition is known only afterwards\nundecided: a condition is known only afterwards"},
		"assert, false": {"- assert: {that: [1 == 2, r.rc == 0]}", "failed: does not hold: 1 == 2"},
		"fail":          {"- fail: no\n  when: r.rc != 0", "undecided: when is known only afterwards; if it holds: no"},
		"guest":         {"- guest_exec: {vm: x, shell: \"{{ r.stdout }}\", creates: /done}\n- guest_exec: {vm: x, shell: x, creates: /done}", "undecided: shell is known only afterwards\nundecided: an earlier step decides at run time what becomes of it"},
		"loop of items": {"- set_cpu: {vm: \"{{ item }}\", count: 1}\n  loop: [x, \"{{ r.stdout }}\"]\n  register: q\n- debug: x\n  when: q.changed\n- debug: y\n  when: q.results[0].changed",
			"undecided: vm is known only afterwards\nundecided: when is known only afterwards\nskipped: when does not hold"},
		"unknown cpu":     {"- create_vm: {name: x, cpu: \"{{ r.rc }}\"}\n- create_vm: {name: x, cpu: {count: \"{{ r.rc }}\"}}\n- create_vm: {name: x, memory: \"{{ r.stdout }}\"}", "changed\nchanged\nchanged"},
		"unknown new":     {"- create_vm: {name: web, cpu: \"{{ r.rc }}\"}\n- set_cpu: {vm: web, count: 1}", "changed\nok"},
		"unknown disk":    {"- create_vm: {name: x, disks: [{name: d, size: \"{{ r.stdout }}\"}]}\n- attach_disk: {vm: x, name: e, size: \"{{ r.stdout }}\"}", "undecided: the size of a disk is known only afterwards\nundecided: the size of the disk is known only afterwards"},
		"unknown boot":    {"- create_vm: {name: x, boot: \"{{ split(r.stdout, ' ') }}\"}", "changed"},
		"unknown value":   {"- set_cpu: {vm: x, count: \"{{ r.rc }}\"}", "changed"},
		"until, looks":    {"- vm_facts: x\n  register: f\n  until: f.state == 'stopped'", "undecided: it is tried until its until holds"},
		"until, holds":    {"- vm_facts: x\n  register: f\n  until: f.state == 'running'", "ok"},
		"until, unknown":  {"- vm_facts: x\n  register: f\n  until: f.state == r.stdout", "undecided: it is tried until its until holds"},
		"until, commands": {"- guest_exec: {vm: x, command: [x]}\n  register: f\n  until: f.rc == 0", "changed run"},
		"all arguments":   {"- vm_facts: \"{{ r.stdout }}\"", "undecided: vm is known only afterwards"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a", vm("x", virt.Running))
			synctestRun(t, s, func() {
				start := time.Now()
				x := s.plan(first + tc.steps)
				_, rest, _ := strings.Cut(x.results(), "\n")
				s.want("results", rest, tc.want)
				if time.Since(start) != 0 {
					t.Errorf("the plan slept %s", time.Since(start))
				}
			})
		})
	}
}

func TestPlanOfAConvergedPlaybook(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running), &virt.GuestFile{VM: "x", Path: "/done", SHA256: "x"})
	s.targets["a"].Guest = func(string) (*virt.GuestInfo, error) {
		return &virt.GuestInfo{Agent: virt.AgentConnected, Addresses: []virt.GuestInterface{{Addresses: []string{"10.0.0.9/24"}}}}, nil
	}
	x := s.plan(`
- create_vm: {name: x, cpu: 1, memory: 1GiB, state: running}
- wait_for: {vm: x, for: ip}
  register: w
- guest_exec: {vm: x, command: [make], creates: /done}
- guest_exec: {vm: x, command: [make], unless: [test, -e, /done]}
- assert: w.ip == "10.0.0.9"
`)
	s.want("results", x.results(), "ok\nok\nok: /done exists\nok: the unless command says so\nok")
	if n := len(all[event.Intent](x)); n != 0 {
		t.Errorf("%d changes were predicted", n)
	}
}

func TestCheckModeOfOneStep(t *testing.T) {
	s := on(t, "a", vm("x", virt.Stopped))
	x := s.play("- set_cpu: {vm: x, count: 2}\n  check_mode: true\n- set_cpu: {vm: x, count: 3}\n")
	s.want("results", x.results(), "changed\nchanged")
	if r := all[event.Result](x); !r[0].Predicted || r[1].Predicted {
		t.Errorf("predicted: %v, %v; want the first alone", r[0].Predicted, r[1].Predicted)
	}
	s.want("made", s.targets["a"].Kinds(), "set_cpu")
}
