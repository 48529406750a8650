package playbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

// loadAll loads play.yml of some files. Whether it ends at all is for the timeout of
// tests to see.
func loadAll(t *testing.T, files map[string]string) (*Playbook, diag.List) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "play.yml"), &source.Sources{}, modules.Registry())
}

func TestThousandIncludes(t *testing.T) {
	files := map[string]string{}
	play := strings.Builder{}
	play.WriteString("- name: P\n  targets: n1\n  steps:\n")
	for i := range 1000 {
		name := fmt.Sprintf("steps/%d.yml", i)
		files[name] = fmt.Sprintf("- {name: step %d, debug: x}\n", i)
		play.WriteString("    - include: " + name + "\n")
	}
	files["play.yml"] = play.String()
	pb, list := loadAll(t, files)
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	if n := len(pb.Plays[0].Steps); n != 1000 {
		t.Errorf("%d steps", n)
	}
}

// Each of a thousand files includes the next.
func TestIncludesInsideEachOther(t *testing.T) {
	files := map[string]string{"play.yml": "- name: P\n  targets: n1\n  steps: [{include: 0.yml}]\n", "1000.yml": "- {name: last, debug: x}\n"}
	for i := range 1000 {
		files[fmt.Sprintf("%d.yml", i)] = fmt.Sprintf("- include: %d.yml\n", i+1)
	}
	pb, list := loadAll(t, files)
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	if n := len(pb.Plays[0].Steps); n != 1 {
		t.Errorf("%d steps", n)
	}
}

// Eight files, each of which includes the next ten times, stand for a hundred
// million steps; so do roles.
func TestIncludesThatMultiply(t *testing.T) {
	for _, what := range []string{"include: %d.yml", "role: r%d"} {
		files := map[string]string{"play.yml": "- name: P\n  targets: n1\n  steps: [{" + fmt.Sprintf(what, 0) + "}]\n"}
		for i := range 9 {
			text := strings.Repeat("- "+fmt.Sprintf(what, i+1)+"\n", 10)
			if i == 8 {
				text = "- {name: last, debug: x}\n"
			}
			files[fmt.Sprintf("%d.yml", i)] = text
			files[fmt.Sprintf("roles/r%d/steps.yml", i)] = text
		}
		_, list := loadAll(t, files)
		if len(list) != 1 || !strings.Contains(list[0].Summary, "uses other files more than 5000 times") {
			t.Errorf("%s: %v", what, list)
		}
	}
}
