package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// fence is a block of YAML or text in a page, with the name of the file that it is.
var fence = regexp.MustCompile("(?ms)^```(?:yaml|text) ?([^\n]*)\n(.*?)^```$")

// section is a part of a page under a heading: its examples, and the files that
// they need.
type section struct {
	title    string
	examples []string
	files    map[string]string
	rows     [][2]string // of tables: an expression and what it gives
}

func sections(t *testing.T, file string) []section {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []section
	for _, part := range strings.Split("\n"+string(page), "\n## ") {
		title, _, _ := strings.Cut(part, "\n")
		s := section{title: title, files: map[string]string{}}
		for _, m := range fence.FindAllStringSubmatch(part, -1) {
			if m[1] != "" {
				s.files[m[1]] = m[2]
			} else {
				s.examples = append(s.examples, m[2])
			}
		}
		table := false
		for line := range strings.Lines(part) {
			switch cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00"), "|"); {
			case strings.TrimSpace(line) == "| expression | gives |":
				table = true
			case len(cells) != 4:
				table = false
			case table && !strings.HasPrefix(line, "|---"):
				unquote := func(s string) string { return strings.ReplaceAll(strings.Trim(s, " `"), "\x00", "|") }
				s.rows = append(s.rows, [2]string{unquote(cells[1]), unquote(cells[2])})
			}
		}
		out = append(out, s)
	}
	return out
}

// stage has what the examples work on, and the files of the section.
func (p section) stage(t *testing.T) *stage {
	s := on(t, "n1 n2", vm("web-1", virt.Running), &virt.Host{Name: "h1", State: "up"},
		&virt.Image{Source: virt.ImageSource{Name: "debian-12"}, Format: "qcow2", Size: 2 * virt.GiB})
	for _, m := range s.targets {
		m.Guest = func(string) (*virt.GuestInfo, error) { return &virt.GuestInfo{Agent: virt.AgentConnected}, nil }
	}
	s.secrets = func(*source.Node) (string, error) { return "correct horse", nil }
	for name, text := range p.files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// The examples of the pages on the language are planned and played as they stand.
func TestPages(t *testing.T) {
	for file, want := range map[string]int{"language.md": 14, "playbooks.md": 1} {
		played := 0
		for _, part := range sections(t, file) {
			for i, text := range part.examples {
				played++
				t.Run(fmt.Sprintf("%s/%s %d", file, part.title, i+1), func(t *testing.T) {
					if x := part.stage(t).play(text); x.code != 0 {
						t.Errorf("exit code %d:\n%s", x.code, x.results())
					}
					if x := part.stage(t).plan(text); x.code != 0 {
						t.Errorf("planned: exit code %d:\n%s", x.code, x.results())
					}
				})
			}
		}
		if played < want {
			t.Errorf("%s: %d examples were found", file, played)
		}
	}
}

// The expressions of the page give what stands beside them.
func TestPageExpressions(t *testing.T) {
	found := 0
	for _, part := range sections(t, "language.md") {
		if len(part.rows) == 0 {
			continue
		}
		vars, list := source.Parse("vars", []byte(part.files["vars"]))
		if list.HasErrors() {
			t.Fatal(list.Err())
		}
		values, names := expr.Values{}, map[string]expr.Field{}
		for _, e := range vars.Entries {
			values[e.Key.Str] = expr.FromNode(e.Value)
			names[e.Key.Str] = expr.Field{Type: expr.AnyType}
		}
		scope := expr.NewScope(names, expr.Options{})
		for _, row := range part.rows {
			found++
			t.Run(row[0], func(t *testing.T) {
				var got [2]any
				for i, text := range row {
					tmpl, list := expr.CompileNode(source.FromAny("{{ "+text+" }}", diag.Range{}), scope)
					if list.HasErrors() {
						t.Fatal(list.Err())
					}
					n, err := tmpl.Eval(t.Context(), values)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = expr.FromNode(n)
				}
				if diff := cmp.Diff(got[1], got[0]); diff != "" {
					t.Errorf("-said +given:\n%s", diff)
				}
			})
		}
	}
	if found < 15 {
		t.Errorf("%d expressions were found", found)
	}
}
