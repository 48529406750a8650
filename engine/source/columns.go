package source

import (
	"strings"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
)

// style is how a string is written.
type style uint8

const (
	plain style = iota
	singleQuoted
	doubleQuoted
	literal
	folded
	verbatim // the string is the whole file
)

// PosAt gives the place in the file of the rune at offset of n.Str, whatever
// the style in which the string is written: an escape counts as its first rune,
// a folded line break as the place where the line ends. An offset at or beyond
// the end gives the place behind the last rune. A value that is no string, or
// did not come from a file, gives its own place.
func (n *Node) PosAt(offset int) diag.Pos {
	if n.doc == nil || n.Kind != String {
		return n.Range.Pos
	}
	offset = max(0, offset)
	if n.style == verbatim {
		return n.doc.posAt(offset)
	}
	// The text is walked when it is asked for: most strings never are.
	w := walker{doc: n.doc, want: []rune(n.Str), pos: n.Range.Pos}
	within := offset < len(w.want)
	w.want = w.want[:min(offset+1, len(w.want))]
	w.load()
	switch n.style {
	case plain:
		w.plain()
	case singleQuoted:
		w.next()
		w.quoted('\'', 0)
	case doubleQuoted:
		w.next()
		w.quoted('"', '\\')
	default:
		w.block(len(strings.TrimLeft(n.Str, "\n")) > 0, []rune(n.Str))
	}
	if within && len(w.want) == 0 {
		return w.last
	}
	return w.pos
}

// walker follows a decoded string through the text that it was written as. Its
// place is that of the rune behind those that it has consumed; where text and
// string disagree it stays at the last place at which they did not.
type walker struct {
	doc  *document
	want []rune // what is still to be consumed
	pos  diag.Pos
	last diag.Pos // where the rune consumed last stands
	line []rune   // the line of pos
	end  int      // its length without the white space at its end
}

func (w *walker) load() {
	text := w.doc.line(w.pos.Line)
	w.line, w.end = []rune(text), utf8.RuneCountInString(strings.TrimRight(text, " \t"))
}

// rune gives the rune at the place, or \n at the end of the line.
func (w *walker) rune() rune { return w.peek(0) }

func (w *walker) peek(n int) rune {
	if i := w.pos.Column - 1 + n; i < len(w.line) {
		return w.line[i]
	}
	return '\n'
}

func (w *walker) next() { w.pos.Column++ }

// take consumes a rune that the runes at the place stand for, n of them.
func (w *walker) take(n int) {
	w.last, w.want = w.pos, w.want[1:]
	w.pos.Column += n
}

// nextLine goes to the first rune of the next line; false at the end of the text.
func (w *walker) nextLine() bool {
	if w.pos.Line >= len(w.doc.lines) {
		return false
	}
	w.pos.Line, w.pos.Column = w.pos.Line+1, 1
	w.load()
	return true
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// atBreak tells whether nothing but white space follows on the line.
func (w *walker) atBreak() bool { return w.pos.Column > w.end }

// fold consumes a line break of a plain or quoted scalar: one break is a blank,
// n empty lines are n line feeds. The place of a blank is the end of the line.
func (w *walker) fold() bool {
	end := w.pos
	empty := 0
	for {
		if !w.nextLine() {
			return false
		}
		if !w.atBreak() {
			break
		}
		empty++
		if w.take(0); len(w.want) == 0 {
			return true
		}
	}
	if empty == 0 {
		w.take(0)
		w.last = end
	}
	w.skipBlanks()
	return true
}

func (w *walker) skipBlanks() {
	for isBlank(w.rune()) {
		w.next()
	}
}

func (w *walker) plain() {
	for len(w.want) > 0 {
		switch {
		case w.atBreak():
			if !w.fold() {
				return
			}
		case w.rune() == w.want[0]:
			w.take(1)
		default:
			return
		}
	}
}

// quoted walks a quoted scalar, from behind its opening quote.
func (w *walker) quoted(quote, escape rune) {
	for len(w.want) > 0 {
		r := w.rune()
		switch {
		case w.atBreak():
			if !w.fold() {
				return
			}
		case r == escape && w.peek(1) == '\n': // an escaped line break is nothing
			if !w.nextLine() {
				return
			}
			w.skipBlanks()
		case r == escape:
			w.take(w.escape())
		case r == quote && w.peek(1) != quote:
			return
		case r == quote:
			w.take(2)
		default:
			w.take(1)
		}
	}
}

// escape gives the length of the escape at the place, its backslash included.
func (w *walker) escape() int {
	switch w.peek(1) {
	case 'x':
		return 4
	case 'U':
		return 10
	case 'u':
		if high := w.hex(2); high >= 0xd800 && high < 0xdc00 && w.peek(6) == '\\' && w.peek(7) == 'u' {
			return 12 // a surrogate pair, as JSON writes one rune
		}
		return 6
	default:
		return 2
	}
}

// hex reads the four digits at n runes from the place.
func (w *walker) hex(n int) (value int) {
	for i := range 4 {
		digit := strings.IndexRune("0123456789abcdef", w.peek(n+i)|0x20)
		value = value<<4 + max(0, digit)
	}
	return value
}

// block walks a literal or folded block scalar from its header. all is the
// whole string, which tells how deep the text is indented: its first line with
// text has that many blanks less than the line in the file.
func (w *walker) block(hasText bool, all []rune) {
	if !w.nextLine() {
		return
	}
	if !hasText {
		for len(w.want) > 0 {
			w.take(0)
			w.nextLine()
		}
		return
	}
	for w.atBreak() { // empty lines at the top are line feeds
		if w.take(0); len(w.want) == 0 || !w.nextLine() {
			return
		}
	}
	i := 0
	for all[i] == '\n' {
		i++
	}
	indent := 0
	for w.peek(indent) == ' ' {
		indent++
	}
	for ; i < len(all) && all[i] == ' ' && indent > 0; i++ {
		indent--
	}
	w.pos.Column += indent
	for len(w.want) > 0 {
		switch {
		case w.rune() == w.want[0] && w.pos.Column <= len(w.line):
			w.take(1)
		case w.want[0] == ' ' || w.want[0] == '\n': // the end of a line
			if !w.blockBreak(indent) {
				return
			}
		default:
			return
		}
	}
}

// blockBreak consumes the blank or the line feeds that a line break became, and
// goes to the next line with text.
func (w *walker) blockBreak(indent int) bool {
	feeds := w.want[0] == '\n'
	w.take(0)
	for {
		if !w.nextLine() {
			return false
		}
		if !w.atBreak() || w.pos.Column+indent <= len(w.line) {
			break
		}
		if len(w.want) == 0 {
			return true
		}
		if feeds && w.want[0] == '\n' {
			w.take(0)
		}
	}
	w.pos.Column += indent
	return true
}
