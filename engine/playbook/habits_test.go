package playbook

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules"
)

// The table has every keyword of Ansible's, as testdata/ansible_keywords.txt has
// them from its own code, and the loader says of each where it stands what the
// table says.
func TestAnsibleKeywords(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "ansible_keywords.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			want = append(want, line)
		}
	}
	for _, h := range AnsibleKeywords() {
		got = append(got, h.Name+": "+strings.ReplaceAll(h.On, ",", ""))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-Ansible's +the table's:\n%s", diff)
	}

	levels := map[string]struct {
		has  func(string) bool
		text string
	}{
		"play":  {func(k string) bool { return playWords.find(k) != nil }, "- targets: n1\n  KEY: x\n  steps:\n    - debug: hi\n"},
		"block": {func(k string) bool { return blockWords.find(k) != nil }, "- targets: n1\n  steps:\n    - block: [{debug: hi}]\n      KEY: x\n"},
		"role":  {func(k string) bool { return roleWords.find(k) != nil }, "- targets: n1\n  roles:\n    - role: web\n      KEY: x\n"},
		"task":  {func(k string) bool { return stepWords.find(k) != nil }, "- targets: n1\n  steps:\n    - debug: hi\n      KEY: x\n"},
	}
	for _, h := range slices.Concat(AnsibleKeywords(), AnsibleEntries()) {
		for _, on := range strings.Split(h.On, ", ") {
			level := levels[on]
			if level.text == "" {
				t.Fatalf("%s is taken by %q", h.Name, on)
			}
			list := loadText(t, strings.ReplaceAll(level.text, "KEY", h.Name))
			said := slices.ContainsFunc(list, func(s string) bool {
				return strings.Contains(s, "unknown key \""+h.Name+"\"") && strings.HasSuffix(s, h.instead())
			})
			refused := slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "unknown") })
			switch known := level.has(h.Name) || slices.Contains([]string{"flush_handlers"}, h.Name); {
			case known && refused:
				t.Errorf("%s of a %s is refused: %v", h.Name, on, list)
			case !known && !said:
				t.Errorf("%s of a %s: the loader says %v and the table %q", h.Name, on, list, h.instead())
			}
		}
	}
}

// The words that are to be written in place of Ansible's exist.
func TestHabits(t *testing.T) {
	quoted := regexp.MustCompile("`([^`]+)`")
	var keys []string
	for _, k := range inventory.Keys() {
		keys = append(keys, k.Name)
	}
	for _, h := range slices.Concat(AnsibleKeywords(), AnsibleEntries(), AnsibleModules()) {
		if h.Here == "" && h.Note == "" {
			t.Errorf("%s: nothing is said", h.Name)
		}
		for _, m := range quoted.FindAllStringSubmatch(h.Here, -1) {
			word := m[1]
			if Where(word) == "" && everyStep().Lookup(word) == nil && !slices.Contains(keys, word) && word != "flush_handlers" && word != "env" {
				t.Errorf("%s: there is no %s", h.Name, word)
			}
		}
	}
	for _, h := range AnsibleModules() {
		for _, name := range []string{h.Name, "ansible.builtin." + h.Name} {
			if everyStep().Lookup(name) != nil {
				t.Errorf("%s is a step", name)
			}
			list := loadText(t, "- targets: n1\n  steps:\n    - "+name+": x\n")
			if len(list) != 1 || !strings.HasSuffix(list[0], "unknown step \""+name+"\": "+h.instead()) {
				t.Errorf("%s: the loader says %v", name, list)
			}
		}
	}
}

// loadText gives the diagnostics of a playbook beside which there is a role web.
func loadText(t *testing.T, text string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"play.yml": text, "roles/web/steps.yml": "- debug: hi\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, list := Load(filepath.Join(dir, "play.yml"), &source.Sources{}, everyStep())
	var out []string
	for _, d := range list {
		out = append(out, d.Summary+d.Detail)
	}
	return out
}

// everyStep is made once: the tests load hundreds of playbooks.
var everyStep = sync.OnceValue(modules.Registry)
