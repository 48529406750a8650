package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// Each row adds one more place that gives x a value; the last one wins.
func TestPrecedence(t *testing.T) {
	const play = `
- targets: all
  vars_files: [VARS]
  vars: {PLAY}
  steps:
    - set_vars: {SET}
    - debug: "{{ x }}"
      vars: {STEP}
`
	rows := []struct{ place, want string }{
		{"inventory", "inventory"}, {"vars_files", "file"}, {"play", "play"}, {"step", "step"}, {"set_vars", "set"}, {"extra", "extra"},
	}
	in := map[string]string{"VARS": "empty.yml", "PLAY": "y: 1", "STEP": "y: 1", "SET": "y: 1"}
	for i := range rows {
		s := on(t, "a")
		s.vars["a"] = map[string]any{"x": "inventory"}
		for name, text := range map[string]string{"empty.yml": "y: 1\n", "vars.yml": "x: file\n"} {
			if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		switch rows[i].place {
		case "vars_files":
			in["VARS"] = "vars.yml"
		case "play":
			in["PLAY"] = "x: play"
		case "step":
			in["STEP"] = "x: step"
		case "set_vars":
			in["SET"] = "x: set"
		}
		if rows[i].place == "extra" {
			s.opts.Extra = map[string]*source.Node{"x": source.FromAny("extra", diag.Range{})}
		}
		text := play
		for k, v := range in {
			text = strings.ReplaceAll(text, k, v)
		}
		s.want(rows[i].place, s.play(text).said(), rows[i].want)
	}
}

func TestRegisteredBeatsVariables(t *testing.T) {
	s := on(t, "a")
	x := s.play(`
- targets: all
  vars: {r: {changed: "by the play"}}
  steps:
    - debug: x
      register: r
    - debug: "{{ r.changed }}"
      vars: {r: {changed: "by the step"}}
`)
	s.want("said", x.said(), "x|false")
}

func TestLoopVariableBeatsAll(t *testing.T) {
	s := on(t, "a")
	s.opts.Extra = map[string]*source.Node{"who": source.FromAny("extra", diag.Range{})}
	s.want("said", s.play("- debug: \"{{ who }}\"\n  loop: [me]\n  loop_var: who").said(), "me")
}

func TestBuiltins(t *testing.T) {
	s := on(t, "a b")
	s.groups["web"] = []string{"b"}
	s.vars["a"] = map[string]any{"ip": "10.0.0.1"}
	s.vars["b"] = map[string]any{"ip": "10.0.0.2"}
	for expr, want := range map[string]string{
		`{{ target.name }}/{{ target.kind }}/{{ target.groups[0] }}`: "a/node/all",
		`{{ run.id }} {{ run.check }} {{ run.user }}`:                "r1 false ada",
		`{{ groups.web[0] }} {{ len(groups.all) }}`:                  "b 2",
		`{{ targets.b.ip }}`:                                         "10.0.0.2",
		`{{ targets[groups.web[0]].ip }}`:                            "10.0.0.2",
		`{{ vars.ip }}`:                                              "10.0.0.1",
		`{{ vars["ip"] }} {{ len(keys(vars)) }}`:                     "10.0.0.1 1",
		`{{ default(targets.b.nothing, "none") }}`:                   "none",
		`{{ defined(nothing) }}`:                                     "false",
	} {
		x := s.play("- targets: a\n  steps:\n    - debug: '" + expr + "'")
		s.want(expr, x.said(), want)
	}
}

// Variables are evaluated when they are read, with what is registered then.
func TestLazyVariables(t *testing.T) {
	s := on(t, "a")
	s.vars["a"] = map[string]any{"domain": "example", "fqdn": "{{ target.name }}.{{ domain }}"}
	x := s.play(`
- targets: all
  vars:
    line: "{{ r.stdout }} of {{ fqdn }}"
  steps:
    - local_exec: {command: [echo, -n, one]}
      register: r
    - debug: "{{ line }}"
    - local_exec: {command: [echo, -n, two]}
      register: r
    - debug: "{{ line }}"
`)
	s.want("said", x.said(), "one of a.example|two of a.example")
}

func TestCycles(t *testing.T) {
	s := on(t, "a")
	_, _, list := s.prepare("- targets: all\n  vars: {p: \"{{ q }}\", q: \"{{ vars.p }}\"}\n  steps:\n    - debug: \"{{ p }}\"\n")
	if !strings.Contains(list.Err().Error(), `variable "p" needs itself: p → q → p`) {
		t.Error(list.Err())
	}
	s.vars["a"] = map[string]any{"p": "{{ q }}", "q": "{{ p }}"}
	s.want("inventory", s.play("- debug: \"{{ p }}\"").results(), `failed: variable "p" needs itself`)
	s.vars["a"] = nil
	for name, play := range map[string]string{
		"through itself":       "- targets: all\n  vars: {first: \"{{ targets.a.first }}\"}\n  steps:\n    - debug: \"{{ first }}\"\n",
		"through another name": "- targets: all\n  vars: {p: \"{{ targets.a.q }}\", q: \"{{ targets.a.p }}\"}\n  steps:\n    - debug: \"{{ p }}\"\n",
	} {
		s.want(name, s.play(play).results(), `failed: variable "`+map[string]string{"through itself": "first", "through another name": "q"}[name]+`" needs itself`)
	}
}

// A variable of the play that reads all of another target's variables is itself
// among them.
func TestVariablesOfOthersAmongThemselves(t *testing.T) {
	s := on(t, "a b c d e f g h")
	for _, name := range s.order {
		s.vars[name] = map[string]any{"ip": "ip-" + name}
	}
	x := s.play(`
- targets: a
  vars:
    peer: b
    address: "{{ targets[peer].ip }}"
    everything: "{{ len(keys(vars)) }}"
  steps:
    - debug: "{{ address }} {{ targets.c.address }} {{ everything }}"
`)
	s.want("said", x.said(), "ip-b ip-b 3")
}

func TestSetVarsSeenByOthers(t *testing.T) {
	s := on(t, "a b")
	x := s.play(`
- targets: all
  steps:
    - set_vars: {mine: "of {{ target.name }}"}
    - debug: "{{ targets.a.mine }} {{ targets.b.mine }}"
      when: target.name == "a"
`)
	s.want("said", x.said(), "of a of b")
}

func TestSetVarsInALoop(t *testing.T) {
	s := on(t, "a")
	x := s.play(`
- set_vars: {sum: 0}
- set_vars: {sum: "{{ sum + item }}"}
  loop: [1, 2, 3]
- debug: "{{ sum }}"
`)
	s.want("said", x.said(), "6")
}

func TestSecrets(t *testing.T) {
	s := on(t, "a b")
	var asked atomic.Int32
	s.secrets = func(n *source.Node) (string, error) {
		asked.Add(1)
		return "hunter-" + n.Get("secret").Get("env").Str, nil
	}
	mask := event.NewMask()
	s.opts.Mask = mask
	x := s.play(`
- targets: all
  vars:
    key: {secret: {env: KEY}}
    login: {user: svc, password: {secret: {env: PASSWORD}}}
  steps:
    - debug: "{{ key }} {{ login.password }}"
    - debug: "{{ key }}"
      loop: [1, 2, 3]
    - set_vars: {copy: "{{ login.password }}", made: "x{{ key }}y", secret: {env: 1}}
    - debug: "{{ copy }} {{ made }} {{ secret.env }}"
`)
	if x.code != engine.ExitOK {
		t.Fatal(x.results())
	}
	if asked.Load() != 2 {
		t.Errorf("secrets were fetched %d times, want each once", asked.Load())
	}
	shown := mask.String(x.said())
	if strings.Contains(shown, "hunter") || !strings.Contains(shown, "***") {
		t.Errorf("the writer would show: %s", shown)
	}
}

func TestSecretThatCannotBeHad(t *testing.T) {
	s := on(t, "a")
	s.secrets = func(*source.Node) (string, error) { return "", errors.New("the vault is locked") }
	s.want("results", s.play("- targets: all\n  vars: {key: {secret: {env: KEY}}}\n  steps:\n    - debug: \"{{ key }}\"\n").results(), "failed: the vault is locked")
}

func TestShortSecretWarnsOnce(t *testing.T) {
	s := on(t, "a")
	s.secrets = func(*source.Node) (string, error) { return "abc", nil }
	s.opts.Mask = event.NewMask()
	x := s.play("- targets: all\n  vars: {key: {secret: {env: KEY}}}\n  steps:\n    - debug: \"{{ key }}\"\n      loop: [1, 2, 3]\n")
	if n := len(all[event.Warning](x)); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}

func TestNoLog(t *testing.T) {
	s := on(t, "a", vm("x", "running"))
	x := s.play(`
- local_exec: {shell: "echo hidden-thing; exit 1"}
  no_log: true
  ignore_errors: true
- debug: hidden-thing
  no_log: true
- fail: hidden-thing
  no_log: true
  ignore_errors: true
- guest_file: {vm: x, path: /hidden-path, content: hidden-thing}
  no_log: true
- guest_exec: {vm: x, shell: "hidden-thing"}
  no_log: true
  changed_when: false
- set_cpu: {vm: hidden-vm, count: 2}
  no_log: true
`)
	for _, e := range x.events {
		r := event.Record{Header: event.Header{Type: e.Type()}, Event: e}
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "hidden-thing") {
			t.Errorf("no_log shows: %s", b)
		}
	}
}

func TestShow(t *testing.T) {
	s := on(t, "a", vm("x", "running"))
	x := s.play("- assert: {that: [run.check == false, run.id == \"r2\"], msg: wrong run}\n  ignore_errors: true\n- local_exec: {shell: \"echo why >&2; exit 3\"}\n")
	r := all[event.Result](x)
	s.want("assert", r[0].Error.Summary+": "+r[0].Error.Found, `wrong run: not true: run.id == "r2"`)
	s.want("command", r[1].Error.Summary+": "+r[1].Error.Found, "the command ended with status 3: ")
	if r[0].Error.At.Line != 4 {
		t.Errorf("the failure stands at %s", r[0].Error.At)
	}
}

// What one play registers and sets, the next one reads.
func TestVariablesOfEarlierPlays(t *testing.T) {
	s := on(t, "a b")
	x := s.play(`
- targets: all
  steps:
    - set_vars: {mine: "{{ target.name }}1"}
    - local_exec: {command: [echo, -n, out]}
      register: r
- targets: a
  vars: {line: "{{ r.stdout }}"}
  steps:
    - debug: "{{ mine }} {{ line }} {{ targets.b.mine }} {{ default(nothing, 0) }}"
`)
	s.want("said", x.said(), "a1 out b1 0")
	_, _, list := s.prepare("- targets: a\n  steps:\n    - debug: \"{{ r.stdout }}\"\n- targets: a\n  steps:\n    - local_exec: {command: [x]}\n      register: r\n    - debug: \"{{ r.stdot }}\"\n- targets: a\n  steps:\n    - debug: \"{{ r.stdot }}\"\n")
	if errs, _ := list.Count(); errs != 3 {
		t.Errorf("%d errors, want a read before and two misspelt: %v", errs, list)
	}
}

// A secret may stand where a value may: also in a step's arguments.
func TestSecretArguments(t *testing.T) {
	s := on(t, "a", vm("x", "running"))
	s.secrets = func(n *source.Node) (string, error) { return "hunter-" + n.Get("secret").Get("env").Str, nil }
	var ran []string
	s.targets["a"].Exec = func(_ string, c virt.Command) (*virt.CommandResult, error) {
		ran = append(ran, strings.Join(c.Argv, " ")+"<"+c.Stdin+" "+c.Env["PW"])
		return &virt.CommandResult{}, nil
	}
	s.opts.Mask = event.NewMask()
	x := s.play(`
- guest_exec:
    vm: x
    command: [login, {secret: {env: ONE}}]
    stdin: {secret: {env: TWO}}
    env: {PW: "{{ item }}"}
  loop: [{secret: {env: THREE}}]
- debug: {secret: {env: ONE}}
- guest_file: {vm: x, path: /f, content: {secret: {env: TWO}}}
- create_vm: {name: x, metadata: {secret: plain}}
`)
	if x.code != engine.ExitOK {
		t.Fatal(x.results())
	}
	s.want("ran", strings.Join(ran, "|"), "login hunter-ONE<hunter-TWO hunter-THREE")
	s.want("said", s.opts.Mask.String(x.said()), "***")
	f, err := s.targets["a"].GuestFile(t.Context(), "x", "/f", 1)
	if err != nil || string(f.Content) != "hunter-TWO" {
		t.Errorf("the file holds %+v, %v", f, err)
	}
}
