package source

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nactl/nactl/engine/diag"
)

// Sources parses files and keeps their texts, so that diagnostics can be shown
// with excerpts. The zero Sources is ready for use, by any number of goroutines.
type Sources struct {
	// Decrypt opens an encrypted file for ParseSealed. Nil: such a file is an error.
	Decrypt func(path string, text []byte) ([]byte, error)

	mu     sync.Mutex
	texts  map[string][]byte
	lines  map[string][]string // split at the first question
	sealed []string            // what stood in encrypted files
}

// ParseFile is the package's ParseFile, and keeps the text.
func (s *Sources) ParseFile(path string) (*Node, diag.List) {
	text, list := read(path)
	if list.HasErrors() {
		return nil, list
	}
	if isSealed(text) {
		list.Errorf(diag.Range{Pos: diag.Pos{File: path}}, "encrypted", "the file is encrypted, which only inventories and files of variables can be")
		return nil, list
	}
	return s.Parse(path, text)
}

// Parse is the package's Parse, and keeps the text under the file's name.
func (s *Sources) Parse(file string, text []byte) (*Node, diag.List) {
	s.Add(file, text)
	return Parse(file, text)
}

// Add keeps a text that was not parsed here. The caller no longer changes it.
func (s *Sources) Add(file string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts, s.lines = map[string][]byte{}, map[string][]string{}
	}
	s.texts[file] = text
	delete(s.lines, file)
}

// Text gives the text of a file that was parsed or added, or nil.
func (s *Sources) Text(file string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.texts[file]
}

// Files lists the files that were parsed or added, sorted.
func (s *Sources) Files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.texts))
}

// Line gives line n of a file, counted from 1, without its end. It makes a
// Sources the excerpts of diag.Write.
func (s *Sources) Line(file string, n int) (text string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines, split := s.lines[file]
	if !split {
		text, known := s.texts[file]
		if !known || len(text) > MaxSize {
			return "", false
		}
		lines = strings.Split(strings.TrimPrefix(string(text), byteOrderMark), "\n")
		s.lines[file] = lines
	}
	if n < 1 || n > len(lines) {
		return "", false
	}
	return strings.TrimSuffix(lines[n-1], "\r"), true
}
