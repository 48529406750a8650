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
		list.Errorf(at, "size", "the file is larger than %d MiB, the most that is read", MaxSize>>20)
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
	// A template may hold as many expressions as lines: where these begin is found
	// once, not for each.
	starts := sync.OnceValue(func() []int { return lineStarts(text) })
	n := &Node{Kind: String, Str: text, Range: diag.Range{Pos: diag.Pos{File: file, Line: 1, Column: 1}}, size: 1}
	n.columns = func(offset int) diag.Pos {
		at := starts()
		line, exact := slices.BinarySearch(at, offset)
		if !exact {
			line--
		}
		return diag.Pos{File: file, Line: line + 1, Column: offset - at[line] + 1}
	}
	return n
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
