package source

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// place finds where every token stands. The lexer's own columns are wrong after
// tabs, after tags, and for plain scalars with blanks behind them. But between
// one token and the next there is only white space, so the text is walked token
// by token; the lexer is asked only behind block scalars and what it could not
// read. The walk moves forward only, for a whole JSON file may stand on one line.
func (d *document) place(tokens token.Tokens) {
	d.follow = make([]rune, len(tokens))
	c := cursor{doc: d}
	c.goTo(1)
	header := false // a block scalar's header was the last token but comments
	for i, tk := range tokens {
		switch {
		case tk.Type == token.InvalidType:
			c.lost = true
			continue
		case header && tk.Type == token.StringType:
			header, c.lost = false, true // its text is found from the header
			continue
		}
		head := lexeme(tk)
		c.seek(tk, head)
		if c.line != tk.Position.Line || c.col != tk.Position.Column {
			d.places[tk] = diag.Pos{File: d.file, Line: c.line, Column: c.col}
		}
		c.skip(tk)
		d.follow[i] = c.rune()
		if tk.Type != token.CommentType {
			header = tk.Type == token.LiteralType || tk.Type == token.FoldedType
		}
	}
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
	case token.TagType, token.LiteralType, token.FoldedType:
		return tk.Value
	}
	// Of a plain scalar the origin is as written; the value has lost its tabs.
	if word := firstWord(tk.Origin); word != "" {
		return word
	}
	return firstWord(tk.Value)
}

// firstWord gives what stands before the second white space.
func firstWord(text string) string {
	text = strings.TrimLeft(text, " \t\n")
	if i := strings.IndexAny(text, " \t\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// searchWindow bounds, in bytes, how far a token is looked for on its line.
const searchWindow = 1024

// cursor is a place in the text that moves forward.
type cursor struct {
	doc       *document
	line, col int
	rest      string // of the line, from col
	lost      bool   // the place is not the end of the last token
}

func (c *cursor) goTo(line int) {
	c.line, c.col, c.rest = line, 1, c.doc.line(line)
}

// forward moves n runes to the right.
func (c *cursor) forward(n int) {
	c.rest = c.rest[runeOffset(c.rest, n):]
	c.col += n
}

func (c *cursor) rune() rune {
	for _, r := range c.rest {
		return r
	}
	return '\n'
}

// blanks moves over white space, and over line ends when there is nothing else.
func (c *cursor) blanks() {
	for {
		text := strings.TrimLeft(c.rest, " \t")
		c.col += len(c.rest) - len(text)
		if c.rest = text; text != "" || c.line >= len(c.doc.lines) {
			return
		}
		c.goTo(c.line + 1)
	}
}

// seek moves to where a token starts.
func (c *cursor) seek(tk *token.Token, head string) {
	if c.lost && c.line < tk.Position.Line {
		c.goTo(tk.Position.Line)
	}
	c.blanks()
	if !strings.HasPrefix(c.rest, head) {
		// Only behind something unreadable: the lexer's word counts.
		if c.line != tk.Position.Line {
			c.goTo(tk.Position.Line)
		}
		c.forward(max(0, tk.Position.Column-c.col))
		if i := strings.Index(c.rest[:min(len(c.rest), searchWindow)], head); i >= 0 {
			c.forward(utf8.RuneCountInString(c.rest[:i]))
		}
	}
	c.lost = false
}

// skip moves from the start of a token to its end.
func (c *cursor) skip(tk *token.Token) {
	switch tk.Type {
	case token.CommentType:
		c.forward(utf8.RuneCountInString(c.rest))
	case token.SingleQuoteType:
		c.quoted('\'', 0, "'")
	case token.DoubleQuoteType:
		c.quoted('"', '\\', `"\`)
	case token.TagType, token.LiteralType, token.FoldedType:
		c.forward(utf8.RuneCountInString(tk.Value))
	default:
		text := strings.Trim(tk.Origin, " \t\n")
		if last := strings.LastIndexByte(text, '\n'); last >= 0 {
			c.goTo(c.line + strings.Count(text, "\n"))
			text = text[last+1:]
		}
		c.forward(utf8.RuneCountInString(text))
	}
}

// quoted moves behind the closing quote of the scalar that starts here; signs are
// those that mean something in it.
func (c *cursor) quoted(quote, escape rune, signs string) {
	c.forward(1)
	for {
		i := strings.IndexAny(c.rest, signs)
		if i < 0 {
			if c.line >= len(c.doc.lines) {
				return
			}
			c.goTo(c.line + 1)
			continue
		}
		c.forward(utf8.RuneCountInString(c.rest[:i]))
		doubled := len(c.rest) > 1 && rune(c.rest[1]) == quote && escape == 0
		switch {
		case c.rune() == escape || doubled:
			c.forward(2)
		default:
			c.forward(1)
			return
		}
	}
}
