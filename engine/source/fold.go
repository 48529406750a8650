package source

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// plainText gives the text of a plain scalar. The lexer drops tabs inside it
// and miscounts empty lines that hold blanks, so such a text is folded anew.
func plainText(tk *token.Token) string {
	raw := strings.Trim(tk.Origin, " \t\n")
	if !strings.ContainsAny(raw, "\t\n") {
		return tk.Value
	}
	return fold(raw)
}

// singleText gives the text of a single-quoted scalar. The lexer takes a quote
// at the start of a line for white space, so a text of several lines is folded
// anew.
func singleText(tk *token.Token) string {
	raw := strings.Trim(tk.Origin, " \t\n")
	if !strings.ContainsRune(raw, '\n') || len(raw) < 2 {
		return tk.Value
	}
	return strings.ReplaceAll(fold(raw[1:len(raw)-1]), "''", "'")
}

// fold joins the lines of a plain or single-quoted scalar: a line break is a
// blank, n empty lines are n line feeds, and white space around both is nothing.
func fold(raw string) string {
	lines := strings.Split(raw, "\n")
	var b strings.Builder
	feeds := 0
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimLeft(line, " \t")
		}
		last := i == len(lines)-1
		if !last {
			line = strings.TrimRight(line, " \t")
		}
		switch {
		case i > 0 && !last && line == "":
			feeds++
			continue
		case i > 0 && feeds == 0:
			b.WriteByte(' ')
		}
		b.WriteString(strings.Repeat("\n", feeds))
		b.WriteString(line)
		feeds = 0
	}
	return b.String()
}

// doubleText gives the text of a double-quoted scalar. The lexer drops escaped
// blanks at the end of a line, so a text of several lines is read anew.
func (d *document) doubleText(tk *token.Token, at diag.Range) string {
	if !strings.ContainsRune(strings.Trim(tk.Origin, " \t\n"), '\n') {
		return tk.Value
	}
	w := walker{doc: d, pos: at.Pos}
	w.load()
	w.next()
	var b strings.Builder
	for {
		switch r := w.rune(); {
		case w.atBreak() || (r == '\\' && w.peek(1) == '\n'):
			escaped := !w.atBreak()
			feeds := 0
			for {
				if !w.nextLine() {
					return tk.Value // never closed, which the lexer has refused
				}
				if !w.atBreak() {
					break
				}
				feeds++
			}
			if feeds == 0 && !escaped {
				b.WriteByte(' ')
			}
			b.WriteString(strings.Repeat("\n", feeds))
			w.skipBlanks()
		case r == '"':
			return b.String()
		case r == '\\':
			n := w.escape()
			b.WriteRune(w.unescape(n))
			w.pos.Column += n
		default:
			b.WriteRune(r)
			w.next()
		}
	}
}

// escapes are those of one letter.
var escapes = map[rune]rune{
	'0': 0, 'a': 7, 'b': 8, 't': 9, 'n': 10, 'v': 11, 'f': 12, 'r': 13, 'e': 27, 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// unescape gives the rune that the escape of n runes at the place stands for.
func (w *walker) unescape(n int) rune {
	switch n {
	case 2:
		if r, ok := escapes[w.peek(1)]; ok {
			return r
		}
		return w.peek(1)
	case 12:
		return rune((w.hex(2)-0xd800)<<10+(w.hex(8)-0xdc00)) + 0x10000
	}
	var digits strings.Builder
	for i := 2; i < n; i++ {
		digits.WriteRune(w.peek(i))
	}
	value, err := strconv.ParseUint(digits.String(), 16, 32)
	if err != nil {
		return '\ufffd'
	}
	return rune(value)
}
