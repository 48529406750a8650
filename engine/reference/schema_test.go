package reference

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/modules/step"
)

// compile gives a schema as a validator sees it, by the draft that it names.
func compile(t *testing.T, s Schema) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	out, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// validate looks at YAML with a schema.
func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	n, list := source.Parse("file.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	encoded, err := json.Marshal(n.Any())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// indent gives lines as they stand inside a play's steps.
func inPlay(steps string) string {
	return "- targets: n1\n  steps:\n    " + strings.ReplaceAll(strings.TrimSpace(steps), "\n", "\n    ") + "\n"
}

func TestShippedPlaybooks(t *testing.T) {
	s := compile(t, PlaybookSchema(modules.Registry()))
	seen := 0
	err := filepath.WalkDir("../../playbooks", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := validate(t, s, string(text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || seen < 7 {
		t.Errorf("%d playbooks, %v", seen, err)
	}
}

func TestExamples(t *testing.T) {
	s := compile(t, PlaybookSchema(modules.Registry()))
	for _, spec := range modules.Registry().All() {
		if err := validate(t, s, inPlay(spec.Example)); err != nil {
			t.Errorf("%s: %v", spec.Name, err)
		}
	}
}

// steps that the loader takes, and that the schema has to take.
var goodSteps = []string{
	"- create_vm: \"{{ spec }}\"",
	"- create_vm: {name: a, cpu: 2, memory: 4GiB}",
	"- create_vm: {name: 12, cpu: {count: \"{{ n }}\", max: 8}, memory: \"{{ m }}\"}",
	"- create_vm: {name: a, cpu: \"{{ n }}\", disks: \"{{ disks }}\"}",
	"- create_vm: {name: a, disks: [\"{{ d }}\", {name: d, size: \"{{ s }}\", format: \"{{ f }}\"}], autostart: \"{{ a }}\"}",
	"- create_vm: {name: a, users: [{name: ann, sudo: true, password_hash: {secret: {env: HASH}}}], run: [reboot, [ls, -l]]}",
	"- create_vm: {name: a, boot: [hd, network], metadata: {k: 1}, nics:}",
	"- set_vars: {a: 1, b: [2], c: {d: \"{{ e }}\"}}",
	"- assert: a == 1",
	"- assert: {that: [a == 1, true], msg: hi}",
	"- debug: [1, 2]",
	"- debug: {secret: {file: x}}",
	"- debug: {msg: {a: {b: null}}}",
	"- debug: 5",
	"- guest_exec: {vm: a, command: [ls, 5, true], env: {A: 1}, timeout: 1h30m, unless: test -e /x}",
	"- guest_exec: {vm: a, shell: ls, unless: [test, -e, /x], stdin: {secret: {command: [pass, x]}}}",
	"- guest_file: {vm: a, path: /x, content: y, mode: 0644}",
	"- guest_file: {vm: a, path: /x, content: y, mode: \"0644\"}",
	"- delete_vm: a",
	"- delete_vm: \"{{ x }}\"",
	"- vm_facts: a\n  name: 5\n  register: web\n  when: [x, true]\n  loop: \"{{ l }}\"\n  loop_var: v\n  loop_label: \"{{ v }}\"\n  parallel: 2\n  tags: a, b\n  vars: {a: 1}",
	"- vm_facts: a\n  until: true\n  retries: 0\n  delay: 1.5s\n  timeout: 10m\n  check_mode: true\n  verify: false\n  tags: [a, 1]\n  vars:",
	"- attach_disk: {vm: a, name: d, size: 1.5 GiB}",
	"- block: [{debug: x}]\n  name: B\n  when: true\n  rescue: [{debug: y}]\n  always: [{block: [{fail: z}]}]\n  tags: a",
	"- debug: x\n- flush_handlers:\n- {flush_handlers: true, name: now, tags: [a]}",
	"- debug: x\n  run_once: true\n  throttle: 2\n  delegate_to: \"{{ d }}\"",
	"- set_memory: {vm: a, size: 512MiB}",
}

// The schema refuses nothing that the loader takes.
func TestGood(t *testing.T) {
	s := compile(t, PlaybookSchema(modules.Registry()))
	for _, text := range goodSteps {
		if err := validate(t, s, inPlay(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if _, list := loadText(t, inPlay(text)); list != nil {
			t.Errorf("%s: the loader says %v", text, list)
		}
	}
}

// plays that the loader takes, and that the schema has to take.
var goodPlays = []string{
	"- {targets: all, serial: 2, strategy: free, max_fail_percentage: 0, steps: [{debug: x}]}",
	"- {targets: all, serial: 25%, any_errors_fatal: true, steps: [{debug: x}]}",
	"- {targets: all, serial: [1, 5, 100%], force_handlers: true, steps: [{debug: x, notify: h}], handlers: [{name: h, debug: y}]}",
	"- {targets: all, serial: \"{{ n }}\", vars: {n: 1}, steps: [{debug: x}]}",
	"- {targets: all, inputs: {port: {type: integer, default: 80, doc: of the web}, x: }, steps: [{debug: x}]}",
	"- {targets: all, vars_prompt: [{name: pw, prompt: Password, private: true, confirm: true}], steps: [{debug: x}]}",
}

func TestGoodPlays(t *testing.T) {
	s := compile(t, PlaybookSchema(modules.Registry()))
	for _, text := range append(goodPlays, "- {import: other.yml, name: A, tags: [a]}", "- {targets: all, roles: [web, {role: db, vars: {a: 1}}]}", inPlay("- {include: f.yml, when: a}\n- {role: web}")) {
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range goodPlays {
		if _, list := loadText(t, text); list != nil {
			t.Errorf("%s: the loader says %v", text, list)
		}
	}
}

// broken are playbooks that both the schema and the loader refuse.
var broken = map[string]string{
	"no list":                "targets: all",
	"empty":                  "[]",
	"no targets":             "- steps: [{debug: x}]",
	"no steps":               "- targets: all",
	"hosts":                  "- hosts: all\n  steps: [{debug: x}]",
	"play key":               "- targets: all\n  step: []\n  steps: [{debug: x}]",
	"forks as text":          "- targets: all\n  forks: many\n  steps: [{debug: x}]",
	"forks of zero":          "- targets: all\n  forks: 0\n  steps: [{debug: x}]",
	"timeout without unit":   "- targets: all\n  timeout: 90\n  steps: [{debug: x}]",
	"vars as list":           "- targets: all\n  vars: [a]\n  steps: [{debug: x}]",
	"name of a variable":     "- targets: all\n  vars: {a-b: 1}\n  steps: [{debug: x}]",
	"reserved variable":      "- targets: all\n  vars: {item: 1}\n  steps: [{debug: x}]",
	"steps as mapping":       "- targets: all\n  steps: {debug: x}",
	"step as text":           "- targets: all\n  steps: [debug]",
	"no word":                inPlay("- name: nothing"),
	"two words":              inPlay("- debug: x\n  fail: y"),
	"unknown word":           inPlay("- crate_vm: {name: a}"),
	"unknown argument":       inPlay("- create_vm: {name: a, memroy: 4GiB}"),
	"argument missing":       inPlay("- set_cpu: {count: 2}"),
	"no arguments":           inPlay("- create_vm:"),
	"text for mapping":       inPlay("- set_cpu: web-1"),
	"text for integer":       inPlay("- set_cpu: {vm: a, count: two}"),
	"too small":              inPlay("- set_cpu: {vm: a, count: 0}"),
	"too large":              inPlay("- create_vm: {name: a, ovirt: {ha_priority: 101}}"),
	"size without unit":      inPlay("- set_memory: {vm: a, size: 512}"),
	"size of unknown unit":   inPlay("- set_memory: {vm: a, size: 4G}"),
	"nested bare size":       inPlay("- create_vm: {name: a, memory: 4}"),
	"duration without unit":  inPlay("- guest_exec: {vm: a, command: [ls], timeout: 60}"),
	"negative duration":      inPlay("- guest_exec: {vm: a, command: [ls], timeout: -60s}"),
	"yes":                    inPlay("- create_vm: {name: a, autostart: yes}"),
	"word of a state":        inPlay("- power: {vm: a, state: runing}"),
	"word in a list":         inPlay("- create_vm: {name: a, boot: [hdd]}"),
	"command as text":        inPlay("- guest_exec: {vm: a, command: ls -l}"),
	"empty command":          inPlay("- guest_exec: {vm: a, command: []}"),
	"list in a command":      inPlay("- guest_exec: {vm: a, command: [[ls]]}"),
	"mode":                   inPlay("- guest_file: {vm: a, path: /x, content: y, mode: rw}"),
	"unknown key of a disk":  inPlay("- create_vm: {name: a, disks: [{name: d, sise: 1GiB}]}"),
	"disks as mapping":       inPlay("- create_vm: {name: a, disks: {name: d}}"),
	"NIC without network":    inPlay("- create_vm: {name: a, nics: [{name: n}]}"),
	"null for a text":        inPlay("- delete_vm: {name: }"),
	"condition in braces":    inPlay("- debug: x\n  when: \"{{ a }}\""),
	"empty conditions":       inPlay("- debug: x\n  when: []"),
	"condition as number":    inPlay("- debug: x\n  when: 1"),
	"loop over a text":       inPlay("- debug: x\n  loop: items"),
	"loop_var without loop":  inPlay("- debug: x\n  loop_var: v"),
	"retries without until":  inPlay("- debug: x\n  retries: 2"),
	"parallel of zero":       inPlay("- debug: x\n  loop: [1]\n  parallel: 0"),
	"register of a sentence": inPlay("- debug: x\n  register: the result"),
	"reserved register":      inPlay("- debug: x\n  register: vars"),
	"check_mode false":       inPlay("- debug: x\n  check_mode: false"),
	"no_log as text":         inPlay("- debug: x\n  no_log: yes"),
	"name as list":           inPlay("- debug: x\n  name: [a]"),
	"block without steps":    inPlay("- block: []"),
	"block with a word":      inPlay("- block: [{debug: x}]\n  debug: y"),
	"rescue alone":           inPlay("- rescue: [{debug: x}]"),
	"broken step in a block": inPlay("- block: [{debgu: x}]"),
	"flush with a value":     inPlay("- flush_handlers: now"),
	"include with a step":    inPlay("- include: x.yml\n  debug: y"),
	"strategy":               "- {targets: all, strategy: fast, steps: [{debug: x}]}",
	"percentage":             "- {targets: all, max_fail_percentage: 101, steps: [{debug: x}]}",
	"serial of a word":       "- {targets: all, serial: some, steps: [{debug: x}]}",
	"type of an input":       "- {targets: all, inputs: {a: {type: int}}, steps: [{debug: x}]}",
	"key of an input":        "- {targets: all, inputs: {a: {typ: integer}}, steps: [{debug: x}]}",
	"input as value":         "- {targets: all, inputs: {a: 80}, steps: [{debug: x}]}",
	"prompt without a name":  "- {targets: all, vars_prompt: [{prompt: x}], steps: [{debug: x}]}",
	"import with steps":      "- {import: x.yml, steps: [{debug: x}]}",
	"set_vars as text":       inPlay("- set_vars: x"),
	"set_vars of a sentence": inPlay("- set_vars: {the name: x}"),
}

func TestBroken(t *testing.T) {
	s := compile(t, PlaybookSchema(modules.Registry()))
	for name, text := range broken {
		t.Run(name, func(t *testing.T) {
			if validate(t, s, text) == nil {
				t.Errorf("the schema takes\n%s", text)
			}
			if _, list := loadText(t, text); list == nil {
				t.Errorf("the loader takes\n%s", text)
			}
		})
	}
}

// loadText loads and compiles as a run would. Names that only a run knows are not
// looked at.
func loadText(t *testing.T, text string) (*playbook.Playbook, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "play.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pb, list := playbook.Load(file, &source.Sources{}, modules.Registry())
	if pb == nil {
		return nil, list.Err()
	}
	for _, p := range pb.Plays {
		for _, d := range p.Compile(playbook.World{}) {
			if d.Rule != "unknown-name" && d.Rule != "undefined" {
				list.Add(d)
			}
		}
	}
	return pb, list.Err()
}

// Each argument and keyword has words for the hover, and every type has a shape.
func TestDescribed(t *testing.T) {
	for _, spec := range modules.Registry().All() {
		var walk func(path string, fields []step.Field)
		walk = func(path string, fields []step.Field) {
			for _, f := range fields {
				if f.Doc == "" {
					t.Errorf("%s.%s has no doc", path, f.Name)
				}
				s := f.Shape()
				if s.Word == "" {
					t.Errorf("%s.%s has no word for its values", path, f.Name)
				}
				walk(path+"."+f.Name, s.Fields)
				if s.List != nil {
					walk(path+"."+f.Name, s.List.Fields)
				}
			}
		}
		walk(spec.Name, spec.ArgumentsOf())
	}
}
