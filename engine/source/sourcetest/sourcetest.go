// Package sourcetest gives tests the YAML that this repository holds: the runbooks
// that ship, what the documentation shows, and the files of the test scripts. They
// are where fuzzing starts.
package sourcetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Texts gives every YAML text of the repository that has at most max bytes, each
// once and sorted.
func Texts(tb testing.TB, most int) []string {
	tb.Helper()
	root := Root(tb)
	var out []string
	for _, dir := range []string{"playbooks", "docs", "modules", filepath.Join("cmd", "nactl", "testdata")} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".yml", ".yaml":
				out = append(out, string(text))
			case ".md":
				out = append(out, fenced(string(text))...)
			case ".txtar":
				for _, f := range txtar.Parse(text).Files {
					if ext := filepath.Ext(f.Name); ext == ".yml" || ext == ".yaml" {
						out = append(out, string(f.Data))
					}
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool { return len(s) > most })
	slices.Sort(out)
	if out = slices.Compact(out); len(out) < 100 {
		tb.Fatalf("only %d texts were found below %s", len(out), root)
	}
	return out
}

// Root gives the folder of the repository that the test runs in.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("there is no go.mod above the test")
		}
		dir = up
	}
}

// fenced gives the blocks of a Markdown text that are YAML.
func fenced(text string) []string {
	var out []string
	for {
		_, rest, found := strings.Cut(text, "```yaml\n")
		if !found {
			return out
		}
		block, after, closed := strings.Cut(rest, "```")
		if !closed {
			return out
		}
		out, text = append(out, block), after
	}
}
