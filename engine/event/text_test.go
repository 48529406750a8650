package event

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain, größer, 漢字 👩‍👩‍👧\tand\nlines", "plain, größer, 漢字 👩‍👩‍👧\tand\nlines"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\x1b]0;title\a", `\x1b]0;title\x07`},
		{"over\rwritten\r\n", "over\\x0dwritten\n"},
		{"\u009b31m", `\u009b31m`},
		{"a\u202ecba", `a\u202ecba`},
		{"no \xff text", `no \xff text`},
		{"\u2028", `\u2028`},
		{"\uFFFD", `\ufffd`},
	} {
		if got := clean(tt.in); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "größer": 6, "漢字": 4, "한글": 4, "ｆｕｌｌ": 8, "e\u0301": 1, "▶ ~ →": 5, "✅": 2, "🚀": 2} {
		if got := width(s); got != want {
			t.Errorf("width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"short", 10, "short"}, {"exactly", 7, "exactly"}, {"a bit longer", 6, "a bit…"}, {"漢字漢字", 6, "漢字…"}, {"漢字漢字", 5, "漢字…"}, {"漢字", 2, "…"}, {"x", 0, ""}} {
		if got := cut(tt.in, tt.n); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want []string
	}{
		{"", 10, []string{""}},
		{"one two three", 0, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"host n1 → n2   256 MiB", 12, []string{"host n1 → n2", "256 MiB"}},
		{"a-word-that-is-too-long and more", 6, []string{"a-word-that-is-too-long", "and", "more"}},
	} {
		if d := cmp.Diff(tt.want, wrap(tt.in, tt.n)); d != "" {
			t.Errorf("wrap(%q, %d) (-want +got):\n%s", tt.in, tt.n, d)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || clean(got) != got {
			t.Errorf("clean(%q) = %q", s, got)
		}
		if strings.ContainsAny(got, "\x1b\x07\x08\x0b\x0c\x0d\x00\x7f\u009b\u202e\u2066") {
			t.Errorf("clean(%q) = %q, which is harmful", s, got)
		}
		for _, n := range []int{1, 7, 20} {
			if w := width(cut(oneLine(s), n)); w > n {
				t.Errorf("cut to %d columns takes %d", n, w)
			}
		}
	})
}
