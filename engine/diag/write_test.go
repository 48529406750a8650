package diag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// texts is Excerpts over literal files.
type texts map[string]string

func (t texts) Line(file string, n int) (string, bool) {
	text, ok := t[file]
	lines := strings.Split(text, "\n")
	if !ok || n < 1 || n > len(lines) {
		return "", false
	}
	return lines[n-1], true
}

func at(file string, line, column, width int) Range {
	return Range{Pos: Pos{File: file, Line: line, Column: column}, Width: width}
}

func render(t *testing.T, src Excerpts, opts Options, list ...Diagnostic) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, list, src, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	web := strings.Repeat("\n", 12) + "    create_vm:\n      memroy: 4GiB\n" + strings.Repeat("\n", 7) + "      id: \"{{ vlam }}\"\n"
	long := "key: " + strings.Repeat("x", 200) + "BAD" + strings.Repeat("y", 200)
	src := texts{
		"web.yml": web, "tab.yml": "a:\n\tb: 1", "wide.yml": "名前: 日本 x", "one.yml": "bad", "long.yml": "before: 1\n" + long,
		"evil.yml": "a: \x1b[31mred\u202e", "emoji.yml": "é\u0301: 😀 x",
	}
	tests := []struct {
		name string
		list List
		want string
	}{
		{"two errors", List{
			{Summary: `unknown key "memroy" in create_vm, did you mean "memory"?`, Range: at("web.yml", 14, 7, 6)},
			{Summary: `unknown name "vlam" on targets e15, n32: did you mean "vlan"?`, Range: at("web.yml", 22, 15, 4)},
		}, `
web.yml:14:7: unknown key "memroy" in create_vm, did you mean "memory"?
    13 |     create_vm:
    14 |       memroy: 4GiB
       |       ^^^^^^
web.yml:22:15: unknown name "vlam" on targets e15, n32: did you mean "vlan"?
    22 |       id: "{{ vlam }}"
       |               ^^^^
`},
		{"warning with details", List{{Severity: Warning, Summary: "short secret", Detail: "it is not masked\nuse a longer one", Range: at("one.yml", 1, 1, 3)}}, `
one.yml:1:1: warning: short secret
     1 | bad
       | ^^^
    it is not masked
    use a longer one
`},
		{"tabs are shown as blanks", List{{Summary: "tab", Range: at("tab.yml", 2, 1, 1)}, {Summary: "b", Range: at("tab.yml", 2, 2, 1)}}, `
tab.yml:2:1: tab
     1 | a:
     2 |     b: 1
       | ^^^^
tab.yml:2:2: b
     1 | a:
     2 |     b: 1
       |     ^
`},
		{"wide runes take two columns", List{{Summary: "s", Range: at("wide.yml", 1, 5, 2)}, {Summary: "x", Range: at("wide.yml", 1, 8, 1)}}, `
wide.yml:1:5: s
     1 | 名前: 日本 x
       |       ^^^^
wide.yml:1:8: x
     1 | 名前: 日本 x
       |            ^
`},
		{"combining marks and emoji", List{{Summary: "x", Range: at("emoji.yml", 1, 7, 1)}}, "\nemoji.yml:1:7: x\n     1 | é\u0301: 😀 x\n       |       ^\n"},
		{"no line known", List{{Summary: "cannot read it", Range: at("gone.yml", 0, 0, 0)}}, "\ngone.yml: cannot read it\n"},
		{"no file known", List{{Summary: "no targets"}}, "\nno targets\n"},
		{"no excerpt known", List{{Summary: "s", Range: at("gone.yml", 3, 4, 1)}}, "\ngone.yml:3:4: s\n"},
		{"no column known", List{{Summary: "s", Range: at("one.yml", 1, 0, 0)}}, "\none.yml:1: s\n     1 | bad\n"},
		{"behind the end of the line", List{{Summary: "s", Range: at("one.yml", 1, 9, 9)}}, "\none.yml:1:9: s\n     1 | bad\n       |    ^\n"},
		{"control characters cannot steer the terminal", List{{Summary: "x\x1b[2Jy", Range: at("evil.yml", 1, 4, 1)}}, `
evil.yml:1:4: x�[2Jy
     1 | a: �[31mred�
       |    ^
`},
		{"a long line is cut around the caret", List{{Summary: "s", Range: at("long.yml", 2, 206, 3)}}, `
long.yml:2:206: s
     1 |
     2 | ` + strings.Repeat("x", 60) + "BAD" + strings.Repeat("y", 57) + "…" + `
       | ` + strings.Repeat(" ", 60) + `^^^
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := "\n" + render(t, src, Options{}, tt.list...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWriteInColor(t *testing.T) {
	got := render(t, texts{"f": "bad"}, Options{Color: true}, Diagnostic{Summary: "s", Range: at("f", 1, 1, 3)})
	if want := "\x1b[1mf:1:1:\x1b[0m s\n     1 | bad\n       | \x1b[31m^^^\x1b[0m\n"; got != want {
		t.Errorf("%q", got)
	}
	if got := render(t, nil, Options{}, Diagnostic{Summary: "s", Range: at("f", 1, 1, 3)}); got != "f:1:1: s\n" {
		t.Errorf("without excerpts: %q", got)
	}
}

func TestTally(t *testing.T) {
	e, w := Diagnostic{}, Diagnostic{Severity: Warning}
	for want, l := range map[string]List{"": nil, "1 error": {e}, "2 errors": {e, e}, "1 warning": {w}, "2 errors, 2 warnings": {e, w, e, w}} {
		if got := l.Tally(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"memory", "cpu", "disks", "nics"}
	for name, want := range map[string]string{"memroy": "memory", "memor": "memory", "dsik": "disks", "CPU": "", "x": "", "flavour": "", "nic": "nics"} {
		if got := Nearest(name, keys); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := DidYouMean("memroy", keys); got != `, did you mean "memory"?` {
		t.Error(got)
	}
	if got := DidYouMean("zzz", keys); got != "" {
		t.Error(got)
	}
}

func TestList(t *testing.T) {
	var l List
	l.Errorf(at("b", 1, 1, 0), "r", "second %d", 2)
	l.Warnf(at("a", 2, 1, 0), "r", "first")
	l.Errorf(at("b", 1, 1, 0), "r", "second %d", 2)
	l.Sort()
	if got := []string{l[0].Error(), l[1].Error()}; len(l) != 2 || !slices.Equal(got, []string{"a:2:1: first", "b:1:1: second 2"}) {
		t.Errorf("%v", l)
	}
	err := l.Err()
	if err == nil || err.Error() != "b:1:1: second 2" {
		t.Errorf("%v", err)
	}
	if got := FromError(fmt.Errorf("loading: %w", err), Range{}); len(got) != 2 {
		t.Errorf("diagnostics were lost: %v", got)
	}
	if got := FromError(errors.New("boom"), at("f", 1, 2, 0)); got[0].Error() != "f:1:2: boom" {
		t.Errorf("%v", got)
	}
	if got := FromError(l[1], Range{}); len(got) != 1 || FromError(nil, Range{}) != nil {
		t.Errorf("%v", got)
	}
	if (List{{Severity: Warning}}).Err() != nil {
		t.Error("a warning is no error")
	}
}
