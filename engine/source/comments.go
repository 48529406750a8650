package source

import (
	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// Comment is one comment of a file.
type Comment struct {
	Pos   diag.Pos // of the #
	Text  string   // behind the #
	Alone bool     // nothing else stands on its line
}

// Comments lists the comments of a text that Parse understands, in order; others
// have none. What looks like a comment inside a string is none.
func Comments(file string, text []byte) (out []Comment) {
	doc, list := newDocument(file, text)
	if list.HasErrors() {
		return nil
	}
	defer func() {
		if recover() != nil { // as Parse, for the library may panic
			out = nil
		}
	}()
	tokens := doc.tokenize()
	doc.place(tokens)
	line := 0 // on which the last token but comments begins
	for _, tk := range tokens {
		at := doc.rangeOf(tk).Pos
		if tk.Type != token.CommentType {
			line = at.Line
			continue
		}
		out = append(out, Comment{Pos: at, Text: tk.Value, Alone: line != at.Line})
	}
	return out
}
