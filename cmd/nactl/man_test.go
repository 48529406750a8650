package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestManual writes the manual pages as the package does.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	a := &application{}
	if err := a.writeMan(filepath.Join("..", "..", "docs"), dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, c := range a.cli().Commands {
		if c.Hidden {
			continue
		}
		page := read("nactl-" + c.Name + ".1")
		for _, f := range c.VisibleFlags() {
			if name := f.Names()[0]; !strings.Contains(page, name) {
				t.Errorf("nactl-%s(1) has no --%s", c.Name, name)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, path := range pages {
		page, name := read(filepath.Base(path)), filepath.Base(path)
		if !strings.Contains(page, ".SH NAME\n") {
			t.Errorf("%s has no name, which whatis needs", name)
		}
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "|") || strings.Contains(line, "](") && !strings.Contains(line, "`") {
				t.Errorf("%s: Markdown is left: %s", name, line)
				break
			}
		}
	}
	if steps := read("nactl-steps.7"); !strings.Contains(steps, "STEP create_vm") || !strings.Contains(steps, `guest_file`) {
		t.Error("nactl-steps(7) lacks steps")
	}
}
