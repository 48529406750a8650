package source

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
)

// The beginnings of files that age has encrypted.
var sealedHeads = [][]byte{[]byte("age-encryption.org/v1\n"), []byte("-----BEGIN AGE ENCRYPTED FILE-----")}

func isSealed(text []byte) bool {
	return slices.ContainsFunc(sealedHeads, func(h []byte) bool { return bytes.HasPrefix(text, h) })
}

// minSealed is the length in characters below which nothing can be masked: it
// would be found by chance everywhere.
const minSealed = 6

// ParseSealed is ParseFile for files that may be encrypted: those of variables,
// and inventories. What it decrypts stays in memory, is secret altogether, and is
// not kept for excerpts. Variables tells that the file holds nothing else: then a
// warning names those that are too short to be masked.
func (s *Sources) ParseSealed(path string, variables bool) (*Node, diag.List) {
	text, list := read(path)
	if list.HasErrors() {
		return nil, list
	}
	if !isSealed(text) {
		return s.Parse(path, text)
	}
	at := diag.Range{Pos: diag.Pos{File: path}}
	fail := func(why string) (*Node, diag.List) {
		list.Errorf(at, "encrypted", "cannot decrypt the file: %s", strings.ReplaceAll(why, "\n", " "))
		return nil, list
	}
	if s.Decrypt == nil {
		return fail("no key was given")
	}
	text, err := s.Decrypt(path, text)
	if err != nil {
		return fail(err.Error())
	}
	n, list := Parse(path, text)
	for i, d := range list {
		if d.Rule != RuleEmpty { // a message may quote the text
			list[i].Summary = fmt.Sprintf("the decrypted text is not right here (%s); see nactl vault edit", d.Rule)
		}
	}
	if n == nil {
		return nil, list
	}
	n = n.WithSecret()
	short := s.seal("", n)
	if len(short) > 0 && variables {
		list.Warnf(at, "secret", "%s: values of less than %d characters cannot be masked", strings.Join(short, ", "), minSealed)
	}
	return n, list
}

// seal notes what is to be masked, and gives the names of what is too short.
func (s *Sources) seal(name string, n *Node) (short []string) {
	for _, e := range n.Entries {
		below := e.Key.Str
		if name != "" {
			below = name + "." + below
		}
		short = append(short, s.seal(below, e.Value)...)
	}
	for i, item := range n.Items {
		short = append(short, s.seal(fmt.Sprintf("%s[%d]", name, i), item)...)
	}
	var text string
	switch n.Kind {
	case String:
		text = n.Str
	case Int, Float:
		text = cmp.Or(n.Raw, fmt.Sprint(n.Any()))
	}
	if text == "" {
		return short
	}
	if utf8.RuneCountInString(strings.TrimSpace(text)) < minSealed {
		return append(short, name)
	}
	s.mu.Lock()
	s.sealed = append(s.sealed, text)
	s.mu.Unlock()
	return short
}

// Sealed gives every text and number that stood in an encrypted file and is long
// enough to be masked.
func (s *Sources) Sealed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sealed)
}
