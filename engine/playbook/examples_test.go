package playbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

// The example of every step loads as it stands in the documentation. What it reads
// and does not make itself comes from a step before it, as its readers would have.
func TestExamples(t *testing.T) {
	before := map[string]string{
		"debug": "- vm_facts: web-1\n  register: web", "set_vars": "- vm_facts: web-1\n  register: web", "assert": "- vm_facts: web-1\n  register: web",
		"fail": "- set_vars: {change: \"\"}",
	}
	for _, spec := range modules.Registry().All() {
		t.Run(spec.Name, func(t *testing.T) {
			if spec.Example == "" {
				t.Fatal("there is no example")
			}
			steps := strings.TrimSpace(before[spec.Name] + "\n" + spec.Example)
			text := "- name: Example\n  targets: n1\n  steps:\n    " + strings.ReplaceAll(steps, "\n", "\n    ") + "\n"
			file := filepath.Join(t.TempDir(), "play.yml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			pb, list := Load(file, &source.Sources{}, modules.Registry())
			if pb != nil {
				list.Add(pb.Plays[0].Compile(World{Vars: map[string]map[string]*source.Node{"n1": {}}, AllTargets: []string{"n1"},
					Options: expr.Options{Host: expr.LocalHost{Root: t.TempDir()}}})...)
			}
			for _, d := range list {
				t.Error(d)
			}
			if pb == nil || len(pb.Plays) != 1 {
				return
			}
			last := pb.Plays[0].Steps[len(pb.Plays[0].Steps)-1]
			if last.Word != spec.Name || last.Name == "" {
				t.Errorf("the example is step %q, called %q", last.Word, last.Name)
			}
		})
	}
}

// The playbooks that ship load.
func TestShippedPlaybooks(t *testing.T) {
	files, err := filepath.Glob("../../playbooks/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d playbooks, %v", len(files), err)
	}
	for _, file := range files {
		_, list := Load(file, &source.Sources{}, modules.Registry())
		for _, d := range list {
			t.Error(d)
		}
	}
}
