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
	// columns holds the columns that the lexer counted wrong, by token.
	columns map[*token.Token]int
	// follow holds, token by token, the rune behind its first text.
	follow []rune
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
	d := &document{file: file, columns: map[*token.Token]int{}}
	var list diag.List
	if len(text) > MaxSize {
		list.Errorf(d.at(0, 0, 0), "size", "the file is larger than %d MiB, the most that is read", MaxSize>>20)
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
			case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0 && r != 0x85) || r == 0xfeff:
				list.Errorf(d.at(i+1, col, 1), "control-character", "control character %U: remove it, or write it as an escape in double quotes", r)
				return list
			}
			if r != '<' {
				signs = 0
			} else if signs++; signs > maxMergeSigns {
				list.Errorf(d.at(i+1, col, 1), "size", "more than %d < in a row", maxMergeSigns)
				return list
			}
		}
		if strings.TrimSpace(line) != "" {
			blank = 0
		} else if blank++; blank > maxBlankLines && i < len(d.lines)-1 {
			list.Errorf(d.at(i+1, 1, 0), "size", "more than %d empty lines in a row", maxBlankLines)
			return list
		}
		if tabWork += tabs * len(line); tabWork > maxTabWork {
			list.Errorf(d.at(i+1, 1, 0), "size", "too many tabs on one line")
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

// place finds the true column of every token: after a tab or a tag the lexer's
// own count is too small. It searches each token's first text from the
// column that the lexer gives, but not before the end of the token before it.
// It moves forward only, for a whole JSON file may stand on one line.
func (d *document) place(tokens token.Tokens) {
	d.follow = make([]rune, len(tokens))
	var c cursor
	for i, tk := range tokens {
		head := lexeme(tk)
		if head == "" || (i > 0 && isBlockHeader(tokens[i-1])) {
			continue // content of a block scalar: found from its header
		}
		pos := tk.Position
		if pos.Line != c.line {
			c = cursor{line: pos.Line, col: 1, rest: d.line(pos.Line)}
		}
		c.forward(pos.Column)
		if c.find(head) && c.col != pos.Column {
			d.columns[tk] = c.col
		}
		c.forward(c.col + utf8.RuneCountInString(head))
		d.follow[i] = '\n'
		for _, r := range c.rest {
			d.follow[i] = r
			break
		}
	}
}

// searchWindow is how many bytes beyond the lexer's column a token is looked
// for: as many tabs may stand before it.
const searchWindow = 1024

// cursor is a place on one line that moves to the right.
type cursor struct {
	line, col int
	rest      string // what begins at col
}

// forward moves to column col unless it lies behind.
func (c *cursor) forward(col int) {
	if col > c.col {
		c.rest = c.rest[runeOffset(c.rest, col-c.col):]
		c.col = col
	}
}

// find moves to the next s within the window and tells whether there is one.
func (c *cursor) find(s string) bool {
	i := strings.Index(c.rest[:min(len(c.rest), searchWindow+len(s))], s)
	if i < 0 {
		return false
	}
	c.col += utf8.RuneCountInString(c.rest[:i])
	c.rest = c.rest[i:]
	return true
}

func isBlockHeader(tk *token.Token) bool {
	return tk.Type == token.LiteralType || tk.Type == token.FoldedType
}

// lexeme gives the text with which a token starts in the file.
func lexeme(tk *token.Token) string {
	switch tk.Type {
	case token.SingleQuoteType:
		return "'"
	case token.DoubleQuoteType:
		return `"`
	case token.CommentType:
		return "#"
	case token.InvalidType:
		return ""
	}
	// Of a plain scalar the origin is as written; the value has lost its tabs.
	for _, text := range []string{tk.Origin, tk.Value} {
		text = strings.TrimLeft(text, " \t\n")
		if i := strings.IndexAny(text, " \t\n"); i >= 0 {
			text = text[:i]
		}
		if text != "" {
			return text
		}
	}
	return ""
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
