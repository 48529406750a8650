package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Excerpts gives lines of the files that diagnostics point to.
type Excerpts interface {
	// Line gives line n, counted from 1, without its end; false when the file
	// or the line is not known.
	Line(file string, n int) (text string, ok bool)
}

// Options say how Write renders.
type Options struct {
	Color bool // with the colours of ANSI terminals
}

// maxExcerpt is the number of cells of a line that an excerpt shows. Of a
// longer line, a part around the caret is shown.
const maxExcerpt = 120

// Write renders diagnostics in the order of the list: place, summary, and where
// src has the line, that line with a caret below and the one before it above.
// A nil src gives no excerpts. The error is w's.
func Write(w io.Writer, list List, src Excerpts, opts Options) error {
	var b strings.Builder
	for _, d := range list {
		writeOne(&b, d, src, opts)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeOne(b *strings.Builder, d Diagnostic, src Excerpts, opts Options) {
	if at := d.Range.String(); at != "" {
		b.WriteString(opts.paint(bold, printable(at)+":") + " ")
	}
	if d.Severity == Warning {
		b.WriteString(opts.paint(yellow, "warning:") + " ")
	}
	b.WriteString(printable(d.Summary) + "\n")
	writeExcerpt(b, d, src, opts)
	for line := range strings.Lines(d.Detail) {
		b.WriteString("    " + printable(strings.TrimRight(line, "\r\n")) + "\n")
	}
}

func writeExcerpt(b *strings.Builder, d Diagnostic, src Excerpts, opts Options) {
	r := d.Range
	if src == nil || r.Line < 1 {
		return
	}
	text, ok := src.Line(r.File, r.Line)
	if !ok {
		return
	}
	gutter := max(6, len(fmt.Sprint(r.Line))+1)
	put := func(number, text string) {
		line := fmt.Sprintf("%*s | %s", gutter, number, text)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	// Both lines are cut alike, so that their columns stay below each other.
	cells := layout(text)
	from, start, end := 0, cellAt(cells, r.Column-1), cellAt(cells, r.Column-1+max(1, r.Width))
	if start > maxExcerpt*3/4 {
		from = start - maxExcerpt/2
	}
	if before, ok := src.Line(r.File, r.Line-1); ok && strings.TrimSpace(before) != "" {
		put(fmt.Sprint(r.Line-1), cut(layout(before), from))
	}
	put(fmt.Sprint(r.Line), cut(cells, from))
	if r.Column > 0 {
		end = min(end, from+maxExcerpt)
		caret := strings.Repeat("^", max(1, end-start))
		put("", strings.Repeat(" ", start-from)+opts.paint(severityColor(d.Severity), caret))
	}
}

// cell is one rune of a line as it is shown.
type cell struct {
	text string
	at   int // the column of the terminal at which it starts
	wide int // the columns that it takes
}

// tabWidth is how far the stops of tabs stand apart in excerpts.
const tabWidth = 4

// layout gives the cells of a line: a tab becomes the blanks up to the next
// stop, a control character a mark, so that no file can steer the terminal.
func layout(line string) []cell {
	cells := make([]cell, 0, len(line))
	at := 0
	for _, r := range line {
		c := cell{text: string(r), at: at, wide: runeWidth(r)}
		switch {
		case r == '\t':
			c.wide = tabWidth - at%tabWidth
			c.text = strings.Repeat(" ", c.wide)
		case unsafeRune(r):
			c.text, c.wide = "\ufffd", 1
		}
		cells = append(cells, c)
		at += c.wide
	}
	return cells
}

// cellAt gives the terminal column at which the i-th rune of a line starts.
func cellAt(cells []cell, i int) int {
	switch {
	case i < 0 || len(cells) == 0:
		return 0
	case i < len(cells):
		return cells[i].at
	default:
		last := cells[len(cells)-1]
		return last.at + last.wide
	}
}

// cut gives what is shown of a line from terminal column from on.
func cut(cells []cell, from int) string {
	var b strings.Builder
	for _, c := range cells {
		switch {
		case c.at < from:
			if c.at+c.wide > from { // a wide rune or a tab on the edge
				b.WriteString(strings.Repeat(" ", c.at+c.wide-from))
			}
		case c.at+c.wide > from+maxExcerpt:
			return b.String() + "…"
		default:
			b.WriteString(c.text)
		}
	}
	return b.String()
}

// runeWidth gives the terminal columns of a rune: 0 for marks that combine with
// the rune before, 2 for East Asian wide forms and emoji, else 1.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200d' || r == '\ufe0f':
		return 0
	case unicode.Is(wide, r):
		return 2
	default:
		return 1
	}
}

// wide holds the ranges that Unicode's EastAsianWidth.txt calls W or F, put
// together where only unassigned code points lie between.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x231a, 0x231b, 1}, {0x23e9, 0x23ec, 1}, {0x2614, 0x2615, 1}, {0x26a1, 0x26a1, 1},
		{0x2705, 0x2705, 1}, {0x274c, 0x274c, 1}, {0x2b50, 0x2b50, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0x33ff, 1},
		{0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xa000, 0xa4cf, 1}, {0xa960, 0xa97f, 1}, {0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1f9ff, 1}, {0x1fa70, 0x1faff, 1}, {0x20000, 0x3fffd, 1},
	},
}

// unsafeRune tells whether a rune could steer a terminal or turn the text round.
func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// printable replaces what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unsafeRune(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// Tally gives the line that ends a report, such as "2 errors, 1 warning", or ""
// for an empty list. What follows from them ("nothing was touched") is for the
// caller to say.
func (l List) Tally() string {
	errs, warnings := l.Count()
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{errs, "error"}, {warnings, "warning"}} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.word)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// The colours, as parameters of ANSI's SGR sequence.
const (
	bold   = "1"
	red    = "31"
	yellow = "33"
)

func severityColor(s Severity) string {
	if s == Warning {
		return yellow
	}
	return red
}

func (o Options) paint(color, s string) string {
	if !o.Color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
