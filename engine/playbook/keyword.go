package playbook

import (
	"time"

	"github.com/nactl/nactl/engine/source"
)

// Form is the notation of a keyword's value.
type Form int

// The forms. What holds for the arguments of steps is told by their structs.
const (
	Text        Form = iota // a scalar, taken as it is written
	Texts                   // a list of texts, or one with commas in it
	Flag                    // true or false
	True                    // true, and nothing else
	Count                   // an integer
	Duration                // a length of time with its unit
	Condition               // a bare expression, a boolean, or a list of them that all have to hold
	Value                   // anything, with expressions
	Items                   // a list, or an expression that gives one
	Variables               // a mapping of names to values
	Pattern                 // which targets: a text, or a list of them
	StepList                // a list of steps, blocks, included files and roles
	RoleList                // a list of roles: names, or mappings of RoleKeywords
	PromptList              // a list of mappings of PromptKeywords
	InputMap                // a mapping of names to mappings of InputKeywords
	Shares                  // a number of targets, a percentage, or a list of them
	Percent                 // an integer from 0 to 100
	List                    // a list of anything
	Nothing                 // no value, or true
	Identifier              // a name that expressions use
	Environment             // a mapping of environment variables to texts, or an expression that gives one
)

// Keyword is a key of a play or of a step: what the loader takes, and what the
// schema and the documentation say of it.
type Keyword struct {
	Name     string
	Form     Form
	Doc      string // half a sentence in Markdown, without a full stop
	Required bool
	Least    int      // of a Count
	Default  string   // as it would be written; empty where leaving it out means "none"
	Needs    string   // the keyword without which this one makes no sense
	Instead  string   // the keyword that does as well, where one of two is required
	Enum     []string // of a Text: one of these
}

// keyword is a Keyword with the way to read it into a T, a play or a step.
type keyword[T any] struct {
	Keyword
	read func(l *loader, into *T, e source.Entry)
}

// keywords is a table in the order of the documentation.
type keywords[T any] struct {
	list  []keyword[T]
	index map[string]int
}

func newKeywords[T any](list ...keyword[T]) *keywords[T] {
	k := &keywords[T]{list: list, index: map[string]int{}}
	for i, w := range list {
		k.index[w.Name] = i
	}
	return k
}

// find gives the keyword of a name, or nil.
func (k *keywords[T]) find(name string) *keyword[T] {
	i, ok := k.index[name]
	if !ok {
		return nil
	}
	return &k.list[i]
}

func (k *keywords[T]) names() []string {
	names := make([]string, len(k.list))
	for i, w := range k.list {
		names[i] = w.Name
	}
	return names
}

func (k *keywords[T]) public() []Keyword {
	out := make([]Keyword, len(k.list))
	for i, w := range k.list {
		out[i] = w.Keyword
	}
	return out
}

// What plays, steps and blocks take; see init in keywords.go.
var (
	playWords    *keywords[Play]
	stepWords    *keywords[Step]
	blockWords   *keywords[Block]
	includeWords *keywords[Block]
	roleWords    *keywords[Block]
	inputWords   *keywords[Input]
	promptWords  *keywords[Prompt]
	importWords  *keywords[Play]
)

// PlayKeywords lists the keys of a play.
func PlayKeywords() []Keyword { return playWords.public() }

// StepKeywords lists the keys of a step, beside its step word.
func StepKeywords() []Keyword { return stepWords.public() }

// BlockKeywords lists the keys of a block.
func BlockKeywords() []Keyword { return blockWords.public() }

// IncludeKeywords lists the keys of an entry that includes a file of steps.
func IncludeKeywords() []Keyword { return includeWords.public() }

// RoleKeywords lists the keys of a use of a role.
func RoleKeywords() []Keyword { return roleWords.public() }

// InputKeywords lists the keys of the declaration of an input.
func InputKeywords() []Keyword { return inputWords.public() }

// PromptKeywords lists the keys of an entry of vars_prompt.
func PromptKeywords() []Keyword { return promptWords.public() }

// ImportKeywords lists the keys of an entry that imports a playbook.
func ImportKeywords() []Keyword { return importWords.public() }

// The constructors tie a form to the way that it is read, so that the two agree.

func text[T any](k Keyword, at func(*T) *string) keyword[T] {
	k.Form = Text
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.text(e) }}
}

func texts[T any](k Keyword, at func(*T) *[]string) keyword[T] {
	k.Form = Texts
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.texts(e) }}
}

func flag[T any](k Keyword, at func(*T) *bool) keyword[T] {
	k.Form = Flag
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.boolean(e) }}
}

func count[T any](k Keyword, at func(*T) *int) keyword[T] {
	k.Form = Count
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.integer(e, k.Least) }}
}

func duration[T any](k Keyword, at func(*T) *time.Duration) keyword[T] {
	k.Form = Duration
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.duration(e) }}
}

func variables[T any](k Keyword, at func(*T) *[]Var) keyword[T] {
	k.Form = Variables
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) { *at(into) = l.vars(e.Value) }}
}

// value keeps a node as it is: Compile looks at it, or who reads it.
func value[T any](k Keyword, at func(*T) **source.Node) keyword[T] {
	return keyword[T]{k, func(_ *loader, into *T, e source.Entry) { *at(into) = e.Value }}
}

// identifier reads a name that is free to take, or the default.
func identifier[T any](k Keyword, what string, at func(*T) *string) keyword[T] {
	k.Form = Identifier
	return keyword[T]{k, func(l *loader, into *T, e source.Entry) {
		*at(into) = l.text(e)
		if k.Default == "" || *at(into) != k.Default {
			l.name(e.Value, *at(into), what)
		}
	}}
}
