// Package source turns YAML text into nodes that know where they stand.
//
// Its goal is that no text, however hostile or clumsy, can do more than earn a
// clear message: size, depth, aliases and merges are bounded before they cost
// anything, and what YAML readers commonly guess at is refused with the place
// and the way out. It does not know playbooks or inventories. Parsing shares no
// state, so any number of goroutines may parse; nodes are read-only.
package source

import (
	"fmt"

	"github.com/nactl/nactl/engine/diag"
)

// Kind is what a Node holds.
type Kind uint8

// The kinds. Unknown never comes from a file: it stands for a value that a dry
// run cannot know yet (see engine/expr).
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Map
	List
	Unknown
)

// String gives the word that messages use, with its article.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a number"
	case String:
		return "a string"
	case Map:
		return "a mapping"
	case List:
		return "a list"
	case Unknown:
		return "a value known only afterwards"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Node is one value of a document, with the place where it stands. Nodes are
// immutable once a document is loaded and may be shared between goroutines.
type Node struct {
	Kind  Kind
	Range diag.Range

	// Bool, Int, Float and Str hold the value of a scalar of that kind.
	Bool  bool
	Int   int64
	Float float64
	Str   string

	// Raw is the text of a plain (unquoted) scalar as it stands in the file, so
	// that `mode: 0644` can still be read as text. Empty for other values.
	Raw string

	// Entries are the pairs of a Map in the order of the file; keys are unique.
	Entries []Entry
	// Items are the elements of a List.
	Items []*Node

	// Secret says that the value came from a secret and is never shown.
	Secret bool

	// Literal says that a String holds no expression, whatever it looks like. It
	// never comes from a file: what is typed as an argument is taken as it is.
	Literal bool

	// style is how Str is written in doc, the file; see PosAt. doc is nil for a
	// value that did not come from one.
	style style
	doc   *document
	// size counts the nodes of this value, itself included; it is what an alias
	// to it costs.
	size int
}

// Entry is one key and its value.
type Entry struct {
	Key   *Node // always of kind String
	Value *Node
}
