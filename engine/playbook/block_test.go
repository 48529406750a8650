package playbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

// files puts a txtar-like set of files into a folder, and loads the first.
func loadFiles(t *testing.T, files map[string]string) (*Playbook, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pb, list := Load(filepath.Join(dir, "play.yml"), &source.Sources{}, modules.Registry())
	if pb != nil {
		for _, p := range pb.Plays {
			list.Add(p.Compile(World{AllTargets: []string{"n1"}})...)
		}
	}
	var said []string
	for _, d := range list {
		said = append(said, strings.ReplaceAll(d.Error(), dir+"/", ""))
	}
	return pb, strings.Join(said, "\n")
}

func ids(pb *Playbook) string {
	var out []string
	for _, p := range pb.Plays {
		for _, s := range append(p.Steps, p.Handlers...) {
			_, id, _ := strings.Cut(s.ID, "#")
			out = append(out, id)
		}
	}
	return strings.Join(out, " ")
}

func TestBlockErrors(t *testing.T) {
	const fine = "\n    - debug: x"
	for name, tc := range map[string]struct{ steps, rest, want string }{
		"block without steps":     {"- block: []" + fine, "", "5:14: the block has no steps"},
		"block of one step":       {"- block: {debug: x}" + fine, "", "steps are a list, found a mapping"},
		"rescue alone":            {"- rescue: [{debug: x}]" + fine, "", "rescue and always belong to a block"},
		"step in a block":         {"- block: [{debug: x}]\n      debug: y", "", "6:7: a block cannot do debug itself"},
		"typo in a block":         {"- block: [{debug: x}]\n      rescu: []", "", `unknown key "rescu" in a block, did you mean "rescue"?`},
		"mistake in a rescue":     {"- block: [{debug: x}]\n      rescue: [{debg: x}]", "", `unknown step or key "debg", did you mean "debug"?`},
		"name of the body":        {"- block: [{debug: x}, {debug: y, register: r}]\n      rescue: [{debug: \"{{ r.msg }}\"}]", "", `"r" may have no value here: a step before may have failed`},
		"set_vars of the body":    {"- block: [{set_vars: {v: 1}}]\n      rescue: [{debug: \"{{ v }}\"}]", "", `"v" may have no value here: a step before may have failed`},
		"after a rescue":          {"- block: [{debug: x}, {debug: y, register: r}]\n      rescue: [{debug: x}]\n    - debug: \"{{ r.msg }}\"", "", `7:18: "r" may have no value here: a step before may have failed`},
		"of a rescue":             {"- block: [{debug: x}]\n      rescue: [{debug: x, register: r}]\n    - debug: \"{{ r.msg }}\"", "", `"r" may have no value here: the block may have been rescued`},
		"in always":               {"- block: [{debug: x}, {debug: y, register: r}]\n      always: [{debug: \"{{ r.msg }}\"}]", "", `"r" may have no value here: a step before may have failed`},
		"failed_step elsewhere":   {"- debug: \"{{ failed_step.name }}\"", "", "unknown name failed_step"},
		"failed_step after":       {"- block: [{debug: x}]\n      rescue: [{debug: x}]\n    - debug: \"{{ failed_step.name }}\"", "", "unknown name failed_step"},
		"failed_step as a name":   {"- set_vars: {failed_step: 1}", "", "nactl uses it itself"},
		"set under a condition":   {"- {set_vars: {v: 1}, when: 1 == 2}\n    - debug: \"{{ v }}\"", "", "sets it only when its condition holds"},
		"block under a condition": {"- {block: [{set_vars: {v: 1}}], when: 1 == 2}\n    - debug: \"{{ v }}\"", "", "only when the condition of a block holds"},
		"set in a loop":           {"- {set_vars: {v: 1}, loop: \"{{ [1] }}\"}\n    - debug: \"{{ v }}\"", "", "sets it only when its loop has items"},
		"no handlers":             {"- {debug: x, notify: reload}", "", `5:26: no handler is called "reload"; the play has no handlers`},
		"typo in notify":          {"- {debug: x, notify: relaod}", "handlers: [{name: reload, debug: x}]", `no handler is called "relaod", did you mean "reload"?`},
		"computed notify":         {"- {debug: x, notify: \"{{ 'a' }}\"}", "handlers: [{name: a, debug: x}]", "notify: the name must be literal"},
		"notify a number":         {"- {debug: x, notify: [1]}", "handlers: [{name: a, debug: x}]", "notify: wanted the name of a handler, found an integer"},
		"listen in a step":        {"- {debug: x, listen: a}", "", "only handlers listen"},
		"nameless handler":        {"- debug: x", "handlers: [{debug: x}]", "the handler has no name"},
		"block as a handler":      {"- debug: x", "handlers: [{name: a, block: [{debug: x}], rescue: [{debug: y}]}]", "a handler is a step"},
		"flush as a handler":      {"- debug: x", "handlers: [{flush_handlers: }]", "a handler is a step"},
		"two of a name":           {"- debug: x", "handlers: [{name: a, debug: x}, {name: a, debug: y}]", `two handlers are called "a"`},
		"a circle":                {"- debug: x", "handlers: [{name: a, debug: x, notify: b}, {name: b, debug: x, notify: a}]", `handlers notify each other in a circle: "a" → "b" → "a"`},
		"handler reads later":     {"- {debug: x, notify: h}\n    - flush_handlers:\n    - {debug: y, register: r}", "handlers: [{name: h, debug: \"{{ r.msg }}\"}]", `"r" may have no value here: its step comes later than a flush_handlers`},
		"handler reads a handler": {"- {debug: x, notify: h}", "handlers: [{name: h, debug: \"{{ r.msg }}\"}, {name: i, debug: x, register: r}]", `"r" may have no value here: handler "i" may not have run`},
		"flush with a word":       {"- flush_handlers: now", "", "flush_handlers takes nothing"},
		"flush with a condition":  {"- {flush_handlers: , when: 1 == 1}", "", `unknown key "when" in flush_handlers`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, said := loadFiles(t, map[string]string{"play.yml": "- name: Test\n  targets: n1\n  " + tc.rest + "\n  steps:\n    " + tc.steps + "\n"}); !strings.Contains(said, tc.want) {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	pb, said := loadFiles(t, map[string]string{"play.yml": `
- name: P
  targets: n1
  steps:
    - name: B
      block:
        - {name: one, debug: x}
        - {debug: x}
        - block: [{name: deep, debug: x}]
      rescue:
        - {name: one, debug: x}
      always:
        - {set_vars: {v: 1}}
    - {name: rescue, debug: "{{ v }}", notify: [b, t]}
    - {block: [{debug: x, register: r}], when: v == 1}
    - {debug: "{{ r.changed }}"}
    - {debug: "{{ default(late, 1) }}", when: "default(w, 2) == 2"}
    - {set_vars: {w: 1}, when: v == 2}
  handlers:
    - {name: a, debug: "{{ r.changed }}", listen: [t]}
    - {name: b, debug: "{{ v }}"}
    - {debug: "{{ v }}", listen: t}
`})
	if said != "" {
		t.Error(said)
	}
	if got, want := ids(pb), "P/B/one P/B/2 P/B/3/deep P/B/rescue/one P/B/always/1 P/2 P/3/1 P/4 P/5 P/6 P/handlers/a P/handlers/b P/handlers/3"; got != want {
		t.Errorf("ids are  %s\nwant     %s", got, want)
	}
	var names []string
	for _, h := range pb.Plays[0].Steps[5].Notify {
		names = append(names, h.Title())
	}
	if got := strings.Join(names, " "); got != "b a debug" {
		t.Errorf("notifies %s", got)
	}
}

func TestIncludes(t *testing.T) {
	pb, said := loadFiles(t, map[string]string{
		"play.yml": `
- import: more/other.yml
  tags: from_import
- name: P
  targets: n1
  steps:
    - {name: In, include: more/steps.yml, when: 1 == 1, vars: {x: 5}, tags: [t]}
    - include: more/steps.yml
      vars: {x: 6}
  handlers:
    - include: more/handlers.yml
`,
		"more/other.yml":    "- name: Other\n  targets: n1\n  vars_files: [v.yml]\n  steps:\n    - {debug: \"{{ y }}\", tags: own}\n",
		"more/v.yml":        "y: 1\n",
		"more/steps.yml":    "- {name: one, debug: \"{{ x }}\", notify: h}\n- include: sub/deep.yml\n",
		"more/sub/deep.yml": "- {name: two, debug: \"{{ x }}\"}\n",
		"more/handlers.yml": "- {name: h, debug: x}\n",
	})
	if said != "" {
		t.Fatal(said)
	}
	if got, want := ids(pb), "Other/1 P/In/one P/In/deep/two P/steps/one P/steps/deep/two P/handlers/h"; got != want {
		t.Errorf("ids are  %s\nwant     %s", got, want)
	}
	if got := append(pb.Plays[0].Tags, pb.Plays[0].Steps[0].Tags...); strings.Join(got, " ") != "from_import own" {
		t.Errorf("tags of what was imported are %v", got)
	}
	s := pb.Plays[1].Steps[1]
	if s.when == nil || strings.Join(s.Tags, " ") != "t" || len(s.Vars) != 1 {
		t.Errorf("an included step has when %v, tags %v, vars %v", s.when, s.Tags, s.Vars)
	}
}

func TestIncludeErrors(t *testing.T) {
	play := func(step string) map[string]string {
		return map[string]string{"play.yml": "- targets: n1\n  steps:\n    " + step + "\n", "bad.yml": "- {debg: x}\n", "map.yml": "a: 1\n",
			"self.yml": "- include: self.yml\n", "a.yml": "- include: b.yml\n", "b.yml": "- include: a.yml\n"}
	}
	for name, tc := range map[string]struct{ step, want string }{
		"missing file":        {"- include: nowhere.yml", "play.yml:3:16: "},
		"computed":            {`- include: "{{ x }}"`, "include: the path must be literal"},
		"not a path":          {"- include: [a]", "include: wanted the path of a file, found a list"},
		"mistake in the file": {"- include: bad.yml", `bad.yml:1:4: unknown step or key "debg"`},
		"not steps":           {"- include: map.yml", "map.yml:1:1: steps are a list, found a mapping"},
		"itself":              {"- include: self.yml", "includes itself: "},
		"in a circle":         {"- include: a.yml", "includes itself: "},
		"with a step":         {"- {include: bad.yml, debug: x}", "an include cannot do debug itself"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, said := loadFiles(t, play(tc.step)); !strings.Contains(said, tc.want) {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
	for name, tc := range map[string]struct{ text, want string }{
		"missing":   {"- import: nowhere.yml\n", "play.yml:1:11: "},
		"itself":    {"- import: play.yml\n", "includes itself"},
		"with keys": {"- {import: a.yml, vars: {}}\n", `unknown key "vars" in an import`},
		"not plays": {"- import: map.yml\n", "a playbook is a list of plays, found a mapping"},
	} {
		t.Run("import "+name, func(t *testing.T) {
			files := play("- debug: x")
			files["play.yml"] = tc.text
			if _, said := loadFiles(t, files); !strings.Contains(said, tc.want) {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
}

func TestBlockLoopErrors(t *testing.T) {
	for name, tc := range map[string]struct{ steps, want string }{
		"item outside":        {"- {block: [{debug: x}], loop: [1]}\n    - debug: \"{{ item }}\"", "unknown name item"},
		"set in a loop":       {"- {block: [{set_vars: {v: 1}}], loop: \"{{ [1] }}\"}\n    - debug: \"{{ v }}\"", `"v" may have no value here: it is set only when the loop of a block has items`},
		"registered":          {"- {block: [{debug: x, register: r}], loop: \"{{ [1] }}\"}\n    - debug: \"{{ r.changed }}\"", `"r" may have no value here`},
		"label without loop":  {"- {block: [{debug: x}], loop_label: x}", "loop_label needs loop"},
		"not a list":          {"- {block: [{debug: x}], loop: {a: 1}}", "loop: wanted a list or an expression that gives one"},
		"a member of an item": {"- {block: [{debug: \"{{ item.nmae }}\"}], loop: [{name: a}]}", `did you mean "name"?`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, said := loadFiles(t, map[string]string{"play.yml": "- name: Test\n  targets: n1\n\n  steps:\n    " + tc.steps + "\n"}); !strings.Contains(said, tc.want) {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
	_, said := loadFiles(t, map[string]string{"play.yml": "- targets: n1\n  steps:\n    - {block: [{set_vars: {v: 1}}, {debug: \"{{ item }} {{ v }} {{ loop.index }}\"}], loop: [1, 2]}\n    - debug: \"{{ v }}\"\n"})
	if said != "" {
		t.Error(said)
	}
}
