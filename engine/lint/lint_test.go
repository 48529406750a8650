package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/source/sourcetest"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules"
)

// look gives what is found in a play with these steps, one line each.
func look(t *testing.T, text string) (diag.List, *source.Sources) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "play.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sources := &source.Sources{}
	pb, list := playbook.Load(file, sources, modules.Registry())
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	for _, p := range pb.Plays {
		list.Add(Play(p)...)
	}
	list.Sort()
	return list, sources
}

func rulesOf(list diag.List) string {
	var out []string
	for _, d := range list {
		out = append(out, strings.TrimPrefix(d.Range.Pos.String(), d.Range.File+":")+" "+d.Rule)
	}
	return strings.Join(out, "; ")
}

func steps(text string) string {
	return "- targets: all\n  steps:\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
}

func TestPlay(t *testing.T) {
	for text, want := range map[string]string{
		"- name: A\n  debug: x": "",
		"- debug: x":            "3:7 unnamed-step",
		"- name: A\n  guest_exec: {vm: a, shell: ls}":                                                          "4:34 shell-without-guard",
		"- name: A\n  guest_exec: {vm: a, shell: ls, creates: /x}":                                             "",
		"- name: A\n  guest_exec: {vm: a, shell: ls}\n  changed_when: false":                                   "",
		"- name: A\n  local_exec: {shell: ls}":                                                                 "4:27 shell-without-guard",
		"- name: A\n  create_vm: {name: a, image: debian-latest}":                                              "4:35 unpinned-image",
		"- name: A\n  create_vm: {name: a, image: \"debian:latest\"}":                                          "4:35 unpinned-image",
		"- name: A\n  create_vm: {name: a, image: latestdebian}":                                               "",
		"- name: A\n  create_vm: {name: a, image: \"{{ x }}-latest\"}":                                         "",
		"- name: A\n  set_vars: {db_password: hunter22, password_hash: x, secret: }":                           "4:31 plain-password",
		"- name: A\n  set_vars: {db_password: \"{{ x }}\", token: {secret: {env: X}}}":                         "",
		"- name: A\n  guest_exec: {vm: a, command: [x], env: {PGPASSWORD: x, API_TOKEN: 12}}":                  "4:73 plain-password",
		"- name: A\n  debug: x\n  vars: {api_key: [a, b]}":                                                     "5:24 plain-password; 5:27 plain-password",
		"- name: A\n  guest_file: {vm: a, path: /root/.ssh/id_ed25519, src: k, mode: 0644}":                    "4:70 readable-key",
		"- name: A\n  guest_file: {vm: a, path: /root/.ssh/id_ed25519, src: k, mode: 0600}":                    "",
		"- name: A\n  guest_file: {vm: a, path: /root/.ssh/id_ed25519.pub, src: k, mode: 0644}":                "",
		"- name: A\n  guest_file: {vm: a, path: /x, content: \"-----BEGIN PRIVATE KEY-----\", mode: \"0640\"}": "4:83 readable-key",
		"- block: [{name: A, debug: x}, {debug: y}]\n  rescue: [{debug: z}]":                                   "3:37 unnamed-step; 4:17 unnamed-step",
	} {
		list, _ := look(t, steps(text))
		if got := rulesOf(list); got != want {
			t.Errorf("%s\nfound %q, want %q", text, got, want)
		}
	}
}

// A password that is given where nothing else is said stands there, too.
func TestPlainDefaults(t *testing.T) {
	list, _ := look(t, "- name: P\n  targets: all\n  inputs: {root_password: {default: hunter22}}\n  vars_prompt: [{name: token, default: hunter22}]\n  steps: [{name: A, debug: x}]")
	if got, want := rulesOf(list), "3:37 plain-password; 4:40 plain-password"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// The playbooks that ship have nothing to warn of, or say why it is meant.
func TestShippedPlaybooks(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../../playbooks", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		seen++
		sources := &source.Sources{}
		pb, list := playbook.Load(path, sources, modules.Registry())
		if pb != nil {
			for _, p := range pb.Plays {
				list.Add(Play(p)...)
			}
		}
		for _, d := range SilenceAll(list, sources) {
			t.Error(d)
		}
		return nil
	})
	if err != nil || seen < 7 {
		t.Errorf("%d playbooks, %v", seen, err)
	}
}

func TestInventory(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "id")
	for _, key := range []string{key, key + "2"} {
		if err := os.WriteFile(key, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "inventory.yml")
	text := `engines:
  e: {url: "https://e/api", username: a, password: {secret: {env: X}}, insecure: true}
  f: {url: "https://f/api", username: a, password: {secret: {env: X}}, guests: {user: a, identity_file: [id2, id]}}
nodes:
  n: {identity_file: [id, gone]}
images:
  a: {nodes: {url: "https://x/debian-12.qcow2", sha256: "` + strings.Repeat("0", 64) + `"}}
  b: {nodes: {url: "https://x/latest/debian.qcow2"}}
  c: {nodes: {volume: a/b}, targets: {n: {url: "http://x/debian-12.qcow2"}}}
groups:
  all: {vars: {db: {root_password: hunter22}}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, list := inventory.Load(t.Context(), []string{file}, inventory.Options{})
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	want := "2:3 insecure-engine; 3:80 readable-key; 3:80 readable-key; 5:3 readable-key; 8:3 unpinned-image; 9:39 unpinned-image; 11:36 plain-password"
	if got := rulesOf(Inventory(inv)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSilence(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"on the line":          {steps("- debug: x # nolint: unnamed-step"), ""},
		"on the line above":    {steps("# nolint: unnamed-step\n- debug: x"), ""},
		"for the whole step":   {steps("- name: A # nolint: shell-without-guard\n  guest_exec:\n    vm: a\n    shell: ls"), ""},
		"inside of the step":   {steps("- name: A\n  guest_exec:\n    vm: a\n    # nolint: shell-without-guard why: it is fast\n    shell: ls"), ""},
		"not the next step":    {steps("- debug: x # nolint: unnamed-step\n- debug: y"), "4:7 unnamed-step"},
		"several rules":        {steps("# nolint: unnamed-step, plain-password\n- set_vars: {token: abc}"), ""},
		"further comments":     {steps("# nolint: unnamed-step\n# it is only a word\n- debug: x"), ""},
		"a whole play":         {"# nolint: unnamed-step\n" + steps("- debug: x\n- debug: y"), ""},
		"a block":              {steps("- block: # nolint: unnamed-step\n    - debug: x\n  rescue:\n    - debug: y\n- debug: z"), "7:7 unnamed-step"},
		"unknown rule":         {steps("- debug: x # nolint: unamed-step"), "3:7 unnamed-step; 3:16 nolint"},
		"no rule":              {steps("- debug: x # nolint"), "3:7 unnamed-step; 3:16 nolint"},
		"an error":             {steps("- name: A # nolint: unknown-key\n  debug: x"), "3:15 nolint"},
		"unused":               {steps("- name: A # nolint: unnamed-step\n  debug: x"), "3:15 unused-nolint"},
		"no comment":           {steps("- debug: \"# nolint: unnamed-step\""), "3:7 unnamed-step"},
		"in a block of text":   {steps("- debug: |\n    # nolint: unnamed-step"), "3:7 unnamed-step"},
		"another word":         {steps("- debug: x # nolinting"), "3:7 unnamed-step"},
		"not below its extent": {steps("- name: A\n  guest_exec: {vm: a, shell: ls} # nolint: unnamed-step\n- debug: x"), "4:34 shell-without-guard; 4:38 unused-nolint; 5:7 unnamed-step"},
	} {
		t.Run(name, func(t *testing.T) {
			list, sources := look(t, tc.text)
			if got := rulesOf(SilenceAll(list, sources)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if rest := Silence(list, sources); strings.Contains(rulesOf(rest), "nolint") {
				t.Errorf("a run speaks of comments: %s", rulesOf(rest))
			}
		})
	}
}

func TestErrorsStay(t *testing.T) {
	sources := &source.Sources{}
	sources.Add("f", []byte("a: 1 # nolint: plain-password"))
	list := diag.List{{Severity: diag.Error, Rule: "plain-password", Range: diag.Range{Pos: diag.Pos{File: "f", Line: 1, Column: 1}}}}
	if len(Silence(list, sources)) != 1 {
		t.Error("an error was silenced")
	}
}

// ruleIDs finds what the code calls rules.
var ruleIDs = regexp.MustCompile(`(?:(?:Errorf|Warnf|errorf)\(.*?, |[Rr]ule: *|rule = |rule, [a-z.]+, [a-z.]+ = |rule, [a-z.]+ = |Rule[A-Z]\w* = )"([a-z][a-z-]+)"`)

// Every rule that the code reports has its place in the table, and the other way
// round.
func TestRules(t *testing.T) {
	found := map[string]string{"import": "the word that names a file"}
	for _, dir := range []string{"../../engine", "../../inventory", "../../modules", "../../cmd/nactl"} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range ruleIDs.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for id, path := range found {
		if _, ok := Find(id); !ok {
			t.Errorf("%s reports rule %q, which the table does not have", path, id)
		}
	}
	for i, r := range Rules() {
		if found[r.ID] == "" {
			t.Errorf("nothing reports rule %q", r.ID)
		}
		if r.Why == "" || r.Way == "" || i > 0 && r.ID <= rules[i-1].ID {
			t.Errorf("%s: %q, %q, or not in order", r.ID, r.Why, r.Way)
		}
	}
	if len(found) < 50 || slices.Contains(ids(), "") {
		t.Errorf("%d rules", len(found))
	}
}

// FuzzNolint: no comment makes the reader of comments panic, and what is wrong with
// one stands on its line.
func FuzzNolint(f *testing.F) {
	for _, s := range []string{
		"- {debug: x} # nolint: unnamed-step\n", "# nolint: shell-without-guard, type because of this\n- a: 1\n", "#nolint", "# nolint:", "a: 'x' #nolint : x,,y\n# nolint: z", "[ # nolint: a\n]",
	} {
		f.Add(s)
	}
	for _, text := range sourcetest.Texts(f, 4096) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newSilencer("p.yml", []byte(text))
		lines := 1 + strings.Count(text, "\n")
		for line := 1; line <= min(lines, 100); line++ {
			for _, r := range Rules() {
				s.silences(diag.Diagnostic{Rule: r.ID, Range: diag.Range{Pos: diag.Pos{File: "p.yml", Line: line, Column: 1}}})
			}
		}
		for _, d := range s.problems() {
			if d.Range.Line < 1 || d.Range.Line > lines || d.Summary == "" {
				t.Fatalf("bad diagnostic: %+v", d)
			}
		}
	})
}
