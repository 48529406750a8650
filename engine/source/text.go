package source

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
)

// ParseText reads a file that is no YAML as one string, and keeps it for excerpts.
// The text is as it stands in the file, line ends included, but for a byte order
// mark. A diagnostic without a line says that the file could not be read.
func (s *Sources) ParseText(path string) (*Node, diag.List) {
	text, list := read(path)
	at := diag.Range{Pos: diag.Pos{File: path}}
	switch {
	case list.HasErrors():
		return nil, list
	case len(text) > MaxSize:
		list.Errorf(at, "size", "the file is larger than %d MiB, the most that is read: split it", MaxSize>>20)
		return nil, list
	case !utf8.Valid(text) || slices.Contains(text, 0):
		list.Errorf(at, "encoding", "the file is no text in UTF-8")
		return nil, list
	}
	s.Add(path, text)
	return textNode(path, strings.TrimPrefix(string(text), byteOrderMark)), nil
}

// textNode gives a string that is the whole of a file.
func textNode(file, text string) *Node {
	d := &document{file: file, text: text}
	// A template may hold as many expressions as lines: where these begin is found
	// once, not for each.
	d.starts = sync.OnceValue(func() []int { return lineStarts(text) })
	return &Node{Kind: String, Str: text, Range: d.at(1, 1, 0), style: verbatim, doc: d, size: 1}
}

// posAt gives the place of the rune at offset of the whole text.
func (d *document) posAt(offset int) diag.Pos {
	starts := d.starts()
	line, exact := slices.BinarySearch(starts, offset)
	if !exact {
		line--
	}
	return diag.Pos{File: d.file, Line: line + 1, Column: offset - starts[line] + 1}
}

// lineStarts gives the offsets of the first runes of lines.
func lineStarts(text string) []int {
	starts := []int{0}
	offset := 0
	for _, r := range text {
		offset++
		if r == '\n' {
			starts = append(starts, offset)
		}
	}
	return starts
}
