package source

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// document is the text of one file and what is needed to find places in it.
type document struct {
	file  string
	text  string // as the lexer sees it: no byte order mark, lines end in \n
	lines []string
	// places holds the true place of each token that the lexer counted wrong, while
	// the text is parsed.
	places map[*token.Token]diag.Pos
	// follow holds, token by token, the rune behind its first text; as long.
	follow []rune
	// starts gives where the lines of a text begin that is no YAML, in runes.
	starts func() []int
}

// The bounds below keep the lexer linear: each names a construct for which it
// is quadratic, and lies far above what occurs in honest files.
const (
	maxBlankLines = 1000
	maxTabWork    = 1 << 26 // tabs of a line times its length, summed
	maxMergeSigns = 256     // consecutive "<"
	byteOrderMark = "\ufeff"
)

// newDocument checks the raw text and splits it into lines.
func newDocument(file string, text []byte) (*document, diag.List) {
	d := &document{file: file, places: map[*token.Token]diag.Pos{}}
	var list diag.List
	if len(text) > MaxSize {
		list.Errorf(d.at(0, 0, 0), "size", "the file is larger than %d MiB, the most that is read: split it", MaxSize>>20)
		return nil, list
	}
	if !utf8.Valid(text) {
		line, col := invalidUTF8(text)
		what := "the text is not UTF-8"
		if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
			what = "the text is UTF-16"
		}
		list.Errorf(d.at(line, col, 1), "encoding", "%s: save the file as UTF-8", what)
		return nil, list
	}
	d.text = strings.ReplaceAll(strings.TrimPrefix(string(text), byteOrderMark), "\r\n", "\n")
	d.lines = strings.Split(d.text, "\n")
	return d, d.checkText()
}

// invalidUTF8 gives line and column of the first byte that is not UTF-8.
func invalidUTF8(text []byte) (line, col int) {
	line, col = 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line, col = line+1, 1
		} else {
			col++
		}
		text = text[n:]
	}
	return line, col
}

// checkText refuses what may stand in no file, or would keep the lexer busy.
func (d *document) checkText() diag.List {
	var list diag.List
	blank, tabWork := 0, 0
	for i, line := range d.lines {
		col, tabs, signs := 0, 0, 0
		for _, r := range line {
			col++
			switch {
			case r == '\t':
				tabs++
			case r == '\r':
				list.Errorf(d.at(i+1, col, 1), "control-character", "a carriage return that ends no line: save the file with line feeds at the ends of lines")
				return list
			case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0 && r != 0x85) || r == 0xfeff:
				list.Errorf(d.at(i+1, col, 1), "control-character", "control character %U: remove it, or write it as an escape in double quotes", r)
				return list
			}
			if r != '<' {
				signs = 0
			} else if signs++; signs > maxMergeSigns {
				list.Errorf(d.at(i+1, col, 1), "size", "more than %d < in a row: shorten it, or write it in a file that steps read", maxMergeSigns)
				return list
			}
		}
		if strings.TrimSpace(line) != "" {
			blank = 0
		} else if blank++; blank > maxBlankLines && i < len(d.lines)-1 {
			list.Errorf(d.at(i+1, 1, 0), "size", "more than %d empty lines in a row: delete some", maxBlankLines)
			return list
		}
		if tabWork += tabs * len(line); tabWork > maxTabWork {
			list.Errorf(d.at(i+1, 1, 0), "size", "too many tabs on one line: write the text in a file that steps read")
			return list
		}
	}
	return list
}

// line gives line n, counted from 1, without its end.
func (d *document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// runeOffset gives the byte offset of the n-th rune of s, or its length.
func runeOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}
