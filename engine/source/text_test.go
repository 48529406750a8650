package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "motd")
	for name, tt := range map[string]struct{ in, want, err string }{
		"as it is":        {"a: [\r\n\tb\n\n", "a: [\r\n\tb\n\n", ""},
		"empty":           {"", "", ""},
		"byte order mark": {"\ufeffa", "a", ""},
		"not UTF-8":       {"a\xff", "", "no text in UTF-8"},
		"binary":          {"a\x00b", "", "no text in UTF-8"},
		"too large":       {strings.Repeat("x", MaxSize+1), "", "larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			var s Sources
			n, list := s.ParseText(file)
			switch {
			case tt.err != "":
				if len(list) != 1 || !strings.Contains(list[0].Summary, tt.err) || n != nil {
					t.Errorf("got %v, %v", n, list)
				}
			case len(list) > 0 || n.Kind != String || n.Str != tt.want:
				t.Errorf("got %+v, %v", n, list)
			}
		})
	}
	if _, list := (&Sources{}).ParseText(file + ".none"); len(list) != 1 || list[0].Range.IsValid() {
		t.Errorf("of a file that is not there: %v", list)
	}
}

func TestTextPlaces(t *testing.T) {
	const text = "ä{{ b }}\r\n\n  {{ ü }}"
	n := textNode("t", text)
	for mark, want := range map[string]string{"b": "t:1:5", "\n\n": "t:1:10", "\n  ": "t:2:1", "ü": "t:3:6"} {
		offset := utf8.RuneCountInString(text[:strings.Index(text, mark)])
		if got := n.PosAt(offset).String(); got != want {
			t.Errorf("%q stands at %s, want %s", mark, got, want)
		}
	}
	if got := n.PosAt(utf8.RuneCountInString(text)).String(); got != "t:3:10" {
		t.Errorf("the end is at %s", got)
	}
}
