package source

import (
	"strings"
	"testing"
)

// checkColumns tells whether every rune of a string stands where PosAt says:
// itself, or the escape, doubled quote or line break that it was made from.
func checkColumns(t *testing.T, text string, n *Node) {
	t.Helper()
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, byteOrderMark), "\r\n", "\n"), "\n")
	rs := []rune(n.Str)
	apart := 1 + len(rs)/200 // the place of every rune of a long text would cost the square of its length
	for i, r := range rs {
		if i%apart != 0 {
			continue
		}
		p := n.PosAt(i)
		if p.Line < 1 || p.Line > len(lines) {
			t.Fatalf("rune %d of %q: line %d is outside the file", i, n.Str, p.Line)
		}
		line := []rune(lines[p.Line-1])
		var found rune = '\n'
		if p.Column-1 < len(line) {
			found = line[p.Column-1]
		}
		folded := r == ' ' || r == '\n'
		atEnd := p.Column-1 >= len([]rune(strings.TrimRight(string(line), " \t")))
		if found != r && found != '\\' && !(folded && atEnd) {
			t.Fatalf("rune %d of %q is %q; %s is %q\n%s", i, n.Str, r, p, found, text)
		}
	}
}

func TestPosAt(t *testing.T) {
	// Each text holds one string under the key "a" with the word MARK in it;
	// the caret below shows where its M stands.
	tests := []struct{ name, text string }{
		{"plain", "a: one MARK"},
		{"plain before blanks", "a: MARK   \nb: 1"},
		{"plain before a comment", "a: x MARK \t # c\nb: 1"},
		{"plain over lines before blanks", "a: x  \n  MARK  \nb: 1"},
		{"behind a block scalar", "b: |\n  x\n\nc: >- # d\n  e\na: MARK"},
		{"behind a quoted text", "b: \"x\\\"\n  y\"\nc: 'it''s'\na: MARK"},
		{"plain after a tab", "a:\tMARK"},
		{"plain with a tab inside", "a: x\tMARK"},
		{"plain, next line", "a:\n  MARK"},
		{"plain over lines", "a: one\n  two MARK"},
		{"plain over an empty line", "a: one\n\n\n   MARK x"},
		{"wide runes", "a: 日本 é MARK"},
		{"in a flow list", "a: [x, {b: 1}, é MARK]"},
		{"single quoted", "a: 'it''s MARK'"},
		{"single quoted over lines", "a: 'x  \n  y''\n\n   MARK'"},
		{"double quoted", `a: "MARK"`},
		{"double quoted with escapes", `a: "\t\x41\u00e9\U0001F600\ud83d\ude00\\\"\/ MARK"`},
		{"double quoted over lines", "a: \"x \n\n  y\n   MARK\""},
		{"escaped line break", "a: \"x\\\n     MARK\""},
		{"escaped line break keeps blanks", "a: \"x\\\n   \\  MARK\""},
		{"tagged", "a: !!str MARK"},
		{"anchored", "a: &x MARK"},
		{"literal", "a: |\n  MARK"},
		{"literal, later line", "a: |\n  one\n\n    two\n  MARK\n"},
		{"literal with empty lines first", "a: |\n\n\n   MARK"},
		{"literal with its indentation given", "a: |2\n     one\n   MARK"},
		{"literal with a comment", "a: |- # why\n   one\n   MARK"},
		{"literal in a list", "a:\n  - |\n   é\n   MARK"},
		{"literal with deep blank lines", "a: |\n  x\n     \n  MARK"},
		{"folded", "a: >\n  one\n  two MARK"},
		{"folded with paragraphs", "a: >-\n   one\n\n\n   two\n   MARK"},
		{"folded with deeper lines", "a: >\n  one\n    two\n    three\n\n  MARK"},
		{"carriage returns", "\ufeffa: |\r\n  one\r\n  MARK\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, list := Parse("f", []byte(tt.text))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			n = n.Get("a")
			for n.Kind == List {
				n = n.Items[len(n.Items)-1]
			}
			checkColumns(t, tt.text, n)
			before, _, ok := strings.Cut(n.Str, "MARK")
			if !ok {
				t.Fatalf("no MARK in %q", n.Str)
			}
			got := n.PosAt(len([]rune(before)))
			head, _, _ := strings.Cut(strings.TrimPrefix(tt.text, byteOrderMark), "MARK")
			line := 1 + strings.Count(head, "\n")
			col := 1 + len([]rune(head[strings.LastIndex(head, "\n")+1:]))
			if got.Line != line || got.Column != col {
				t.Errorf("PosAt gives %d:%d, MARK stands at %d:%d in %q", got.Line, got.Column, line, col, tt.text)
			}
		})
	}
}

func TestPosAtElsewhere(t *testing.T) {
	n, _ := Parse("f", []byte("a: xyz\nb: 12"))
	if p := n.Get("a").PosAt(99); p.Column != 7 {
		t.Errorf("behind the end: %v", p)
	}
	if p := n.Get("a").PosAt(-1); p.Column != 4 {
		t.Errorf("before the start: %v", p)
	}
	if p := n.Get("b").PosAt(1); p != n.Get("b").Range.Pos {
		t.Errorf("no string: %v", p)
	}
	if p := FromAny("xyz", n.Range).PosAt(2); p != n.Range.Pos {
		t.Errorf("computed: %v", p)
	}
}
