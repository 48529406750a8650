package source

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source/sourcetest"
)

// FuzzParse looks for texts that crash, hang, point outside their file, or give
// strings that do not stand where they claim to stand.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "a: 1", "a: yes\nb: 0644\nc: 1_000\nd: 12:30\ne: 0b11", "d: {y: 3, <<: *b}", "b: &b {x: 1}\nd: {y: 3, <<: [*b, *b]}",
		"a: &x {b: *x}", "---\n---\na: 1", "\ufeffa: 1", "%YAML 1.1\n---\na", "? [1,2]\n: x", "name: {{ x }}", "a: |\n  x\n\n  y\nb: >-\n  c\n  d",
		"a: \"x\\ty\\u00e9\\\n  z\"", "a: 'it''s\n\n  x'", "targets: *", "targets: !x & y", "a:\tb\tc", "{\n\t\"a\": 1}", "- - - a", "a: [52:54:00]",
		"a: |2-\n   x", "- &a 1\n- *a", "!!str 1", "a: x\r\nb: y\r\n", "a: # c\n  b", "[[[[", "{a: {b: [", "\"a\":1", "a: 'b' c", "a:\n- b\n-\n", "<<: 1",
	} {
		f.Add(seed)
	}
	for _, text := range sourcetest.Texts(f, 4096) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return // what is found in longer texts is found in short ones, too
		}
		n, list := Parse("f", []byte(text))
		if n == nil && !list.HasErrors() {
			t.Fatal("neither a value nor an error")
		}
		lines := 1 + strings.Count(text, "\n")
		for _, d := range list {
			if d.Range.Line > lines || d.Summary == "" || strings.Contains(d.Summary, "\n") {
				t.Fatalf("bad diagnostic: %+v", d)
			}
		}
		n.any(func(n *Node) bool {
			if n.Range.Line < 1 || n.Range.Line > lines || n.Range.Column < 1 {
				t.Fatalf("bad place: %+v", n.Range)
			}
			if n.Kind == String {
				checkColumns(t, text, n)
			}
			return false
		})
		n.Any()
	})
}
