package playbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/source/sourcetest"
	"github.com/nactl/nactl/modules"
)

// load reads a playbook from text and compiles it for one target.
func load(t *testing.T, text string, vars map[string]map[string]*source.Node) (*Playbook, diag.List) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "play.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pb, list := Load(file, &source.Sources{}, modules.Registry())
	if pb == nil {
		return nil, list
	}
	for _, p := range pb.Plays {
		list.Add(p.Compile(World{Vars: vars, AllTargets: []string{"n1"}, Options: expr.Options{}})...)
	}
	return pb, list
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct{ steps, want string }{
		"unknown step":              {"- crate_vm: {name: a}", `6:7: unknown step or key "crate_vm", did you mean "create_vm"?`},
		"ansible word":              {"- set_fact: {a: 1}", `unknown step "set_fact": here it is set_vars`},
		"unknown argument":          {"- set_cpu: {vm: a, cuont: 2}", `6:24: unknown key "cuont" in set_cpu, did you mean "count"?`},
		"missing argument":          {"- set_cpu: {count: 2}", `set_cpu needs "vm"`},
		"wrong type":                {"- set_cpu: {vm: a, count: two}", `count: wanted an integer, found a string, "two"`},
		"too small":                 {"- set_cpu: {vm: a, count: 0}", `count has to be at least 1, found 0`},
		"size without unit":         {"- set_memory: {vm: a, size: 512}", `size: 512 has no unit: write 512MiB or 512GiB`},
		"enum":                      {"- power: {vm: a, state: runing}", `state is one of running, stopped, paused, suspended, found "runing", did you mean "running"?`},
		"one of":                    {"- power: {vm: a}", `power takes exactly one of "state" and "action"`},
		"yes is no boolean":         {"- create_vm: {name: a, autostart: yes}", `autostart: wanted true or false, found a string, "yes"; write true`},
		"two words":                 {"- debug: hi\n      fail: no", `the step has two step words, debug and fail`},
		"unknown name":              {`- debug: "{{ vlam }}"`, `did you mean "vlan"?`},
		"unknown member":            {`- debug: "{{ web.nmae }}"`, `did you mean "name"?`},
		"read before it is set":     {"- debug: \"{{ late.rc }}\"\n    - local_exec: {command: [\"true\"]}\n      register: late", `"late" is read before step local_exec`},
		"not registered field":      {"- local_exec: {command: [\"true\"]}\n      register: r\n    - debug: \"{{ r.rcc }}\"", `did you mean "rc"?`},
		"lacking through vars":      {`- debug: "{{ vars.only }}"`, `unknown name "only" on n2`},
		"lacking on a target":       {`- debug: "{{ only }}"`, `unknown name "only" on n2`},
		"condition with braces":     {"- debug: hi\n      when: \"{{ vlan == 1 }}\"", `a condition is a bare expression`},
		"retries without until":     {"- debug: hi\n      retries: 2", `retries needs until`},
		"check_mode false":          {"- debug: hi\n      check_mode: false", `cannot be made to write in a plan`},
		"reserved name":             {"- debug: hi\n      register: item", `nactl uses it itself`},
		"command as text":           {"- local_exec: {command: \"touch a\"}", `wanted a list of arguments, as [touch, a]`},
		"conditions are checked":    {"- assert: {that: \"vlan\"}", `a condition must be true or false`},
		"disk without name or size": {"- create_vm: {name: a, disks: [{size: 1GiB}]}", `a disk needs a name`},
	} {
		t.Run(name, func(t *testing.T) {
			vars := map[string]map[string]*source.Node{
				"n1": {"vlan": source.FromAny(5, diag.Range{}), "only": source.FromAny(1, diag.Range{}), "web": source.FromAny(map[string]any{"name": "x"}, diag.Range{})},
				"n2": {"vlan": source.FromAny(6, diag.Range{}), "web": source.FromAny(map[string]any{"name": "x"}, diag.Range{})},
			}
			_, list := load(t, "- name: Test\n  targets: n1\n  vars:\n    late_default: 1\n  steps:\n    "+tc.steps+"\n", vars)
			var all []string
			for _, d := range list {
				all = append(all, d.Error())
				if strings.Contains(d.Error(), tc.want) {
					return
				}
			}
			t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, strings.Join(all, "\n"))
		})
	}
}

func TestGood(t *testing.T) {
	pb, list := load(t, `
- name: All sorts
  targets: n1
  vars:
    names: [a, b]
    full: "{{ names[0] }}-{{ vlan }}"
  steps:
    - name: Machines
      create_vm: {name: "{{ item }}", cpu: 2, memory: 1GiB, disks: [{name: data, size: "{{ size }}"}]}
      loop: "{{ names }}"
      register: made
    - name: Show
      debug: "{{ made.results[0].host }} {{ full }} {{ vars.full }} {{ targets.n1.vlan }}"
      when: made.changed and len(made.results) > 1
    - assert:
        that: [made.changed, vlan > 4]
        msg: "{{ full }}"
    - set_vars: {fresh: "{{ vlan + 1 }}"}
    - debug: "{{ fresh }} {{ default(nowhere, 'x') }}"
`, map[string]map[string]*source.Node{"n1": {"vlan": source.FromAny(5, diag.Range{}), "size": source.FromAny("1GiB", diag.Range{})}})
	for _, d := range list {
		t.Error(d)
	}
	ids := []string{}
	for _, s := range pb.Plays[0].Steps {
		_, id, _ := strings.Cut(s.ID, "#")
		ids = append(ids, id)
	}
	if got, want := strings.Join(ids, "|"), "All sorts/Machines|All sorts/Show|All sorts/3|All sorts/4|All sorts/5"; got != want {
		t.Errorf("step ids are %s, want %s", got, want)
	}
}

// What a step gives itself no target lacks, and a name that a guard covers may be
// missing.
func TestGoodNames(t *testing.T) {
	vars := map[string]map[string]*source.Node{"n1": {"only": source.FromAny(1, diag.Range{})}, "n2": {}}
	for name, steps := range map[string]string{
		"a step's own":      `- {debug: "{{ only }}", vars: {only: 2}}`,
		"a loop's own":      `- {debug: "{{ only }}", loop: [1], loop_var: only}`,
		"guarded":           `- debug: "{{ default(only, 2) }} {{ only ?? 3 }} {{ defined(only) }}"`,
		"set before":        "- set_vars: {only: 2}\n    - debug: \"{{ only }} {{ vars.only }}\"",
		"loop over its own": `- {debug: "{{ item.x }}", vars: {list: [{x: 1}]}, loop: "{{ list }}"}`,
	} {
		_, list := load(t, "- targets: n1\n  steps:\n    "+steps+"\n", vars)
		for _, d := range list {
			t.Errorf("%s: %v", name, d)
		}
	}
	// Behind the step it is what it was.
	if _, list := load(t, "- targets: n1\n  steps:\n    - {debug: \"{{ only }}\", vars: {only: 2}}\n    - debug: \"{{ only }}\"\n", vars); !list.HasErrors() {
		t.Error("a name that only one step has is taken for everybody's")
	}
}

func TestStepIDs(t *testing.T) {
	pb, list := load(t, `
- name: "2"
  targets: n1
  steps:
    - {name: "2", debug: a}
    - debug: b
    - {name: same, debug: c}
    - {name: same, debug: d}
    - {name: own, debug: e}
- targets: n1
  steps:
    - debug: f
`, nil)
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	seen := map[string]bool{}
	var ids []string
	for _, p := range pb.Plays {
		for _, s := range p.Steps {
			_, id, _ := strings.Cut(s.ID, "#")
			if seen[id] {
				t.Errorf("two steps have the id %s", id)
			}
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if got, want := strings.Join(ids, " "), "1/1 1/2 1/3 1/4 1/own 2/1"; got != want {
		t.Errorf("ids are %s, want %s", got, want)
	}
}

// FuzzLoad: no text makes the loader or the compiler panic, whatever they report,
// and what has no errors has no step without its expressions.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"- targets: all\n  steps:\n    - debug: hi\n      loop: [1, {a: 2}]\n      register: r\n      until: r.changed\n",
		"- targets: \"{{ x }}\"\n  vars: {x: \"{{ y }}\", y: \"{{ x }}\"}\n  steps:\n    - set_vars: [a]\n    - assert: {that: [1, x]}\n",
		"- steps: {debug: 1}\n- 5\n- {targets: a, steps: [1, {}, {debug: a, fail: b}]}\n",
		"- targets: a\n  steps:\n    - create_vm: \"{{ m }}\"\n      loop: \"{{ l }}\"\n      loop_var: 5\n      vars: [1]\n    - set_cpu: 3\n      when: [a, [b]]\n",
		"- targets: a\n  steps:\n    - block: [{debug: 1, notify: h}, {flush_handlers: }]\n      rescue: [{debug: \"{{ failed_step.name }}\"}]\n      always: {}\n  handlers: [{name: h, debug: x, listen: [a, 1]}]\n",
		"[{targets: [a, b], steps: [{set_vars: {secret: {env: A}}}, {assert: }, {set_vars: }]}]",
	} {
		f.Add(text)
	}
	for _, text := range sourcetest.Texts(f, 8192) {
		f.Add(text)
	}
	steps := modules.Registry()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "vars_files") || strings.Contains(text, "include") || strings.Contains(text, "import") {
			return // they name files of this machine
		}
		root, list := source.Parse("p.yml", []byte(text))
		if list.HasErrors() {
			return
		}
		l := &loader{file: "p.yml", open: []string{"p.yml"}, sources: &source.Sources{}, steps: steps}
		pb := l.playbook(root)
		for _, p := range pb.Plays {
			l.list.Add(p.Compile(World{Vars: map[string]map[string]*source.Node{"n1": {"x": {Kind: source.Int}}, "n2": {}}, AllTargets: []string{"n1"}})...)
			p.Leaves()
			for _, s := range p.Steps {
				if !l.list.HasErrors() && s.Compiled.Args == nil {
					t.Fatalf("step %s has no compiled arguments", s.ID)
				}
			}
		}
	})
}

// FuzzSerial: whatever is said of batches, they take all targets, each once.
func FuzzSerial(f *testing.F) {
	for _, s := range []string{"2", "25%", "[1, 5, 100%]", "[]", "0", "-1", "1.5", "9223372036854775807", "99999999999999999999", "'9223372036854775807%'", "{a: 1}", "[[1]]", "' 3 '", "100 %"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, text string, targets int) {
		root, list := source.Parse("p.yml", []byte(text))
		if root == nil || list.HasErrors() || targets < 0 || targets > 10_000 {
			return
		}
		shares, err := Serial(root)
		if err != nil {
			return
		}
		left := targets
		for _, n := range Batches(shares, targets) {
			if n < 0 || n == 0 && targets > 0 {
				t.Fatalf("a batch of %d", n)
			}
			left -= n
		}
		if left != 0 {
			t.Fatalf("%d targets are left out of %d", left, targets)
		}
	})
}
