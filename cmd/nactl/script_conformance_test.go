//go:build conformance

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestConformance lets the clients of engines that people have, at the versions
// that make conformance installs, work with nactl engine-sim, and nactl find
// what they made.
func TestConformance(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "conformance"),
		RequireExplicitExec: true,
		Setup:               engineSim,
	})
}

// keywordsOf prints Ansible's keywords of playbooks, and where it takes each.
const keywordsOf = `
from ansible.playbook import play, block, task
from ansible.playbook.role import include
where = {}
for name, cls in (("play", play.Play), ("role", include.RoleInclude), ("block", block.Block), ("task", task.Task)):
    for key, field in cls.fattributes.items():
        if not field.private and key != "async_val":  # the attribute behind async
            where.setdefault(key, []).append(name)
for key in sorted(where):
    print(key + ": " + " ".join(where[key]))
`

// TestConformanceKeywords holds the list that the table of Ansible's keywords is
// tested against to Ansible itself.
func TestConformanceKeywords(t *testing.T) {
	printed, err := exec.Command("python", "-c", keywordsOf).Output()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join("..", "..", "engine", "playbook", "testdata", "ansible_keywords.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(kept), "\n") // the first line is a comment
	if diff := cmp.Diff(string(printed), list); diff != "" {
		t.Errorf("-Ansible has +the list has:\n%s", diff)
	}
}
