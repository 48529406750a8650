package step

import (
	"fmt"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Validation collects what is wrong with a step's arguments, each at its place.
type Validation struct {
	node *source.Node
	list diag.List
	// Partial says that some arguments are computed later, so that one which seems
	// to be missing may yet come.
	Partial bool
}

// Validate lets the step check its arguments, if it does.
func Validate(s Step, n *source.Node, partial bool) diag.List {
	v, ok := s.(Validator)
	if !ok {
		return nil
	}
	val := &Validation{node: n, Partial: partial}
	v.Validate(val)
	return val.list
}

// Given tells whether an argument was written, and not computed to be left unsaid.
func (v *Validation) Given(key string) bool {
	n := v.node.Get(key)
	return n != nil && n.Kind != source.Null
}

// Errorf says that an argument is wrong, at the place where it was written, or at
// the step itself when it was not.
func (v *Validation) Errorf(key, format string, args ...any) {
	at := v.node.Range
	if n := v.node.Get(key); n != nil {
		at = n.Range
	}
	v.list.Errorf(at, "argument", "%s", fmt.Sprintf(format, args...))
}

// Warnf says that an argument is doubtful.
func (v *Validation) Warnf(key, rule, format string, args ...any) {
	at := v.node.Range
	if n := v.node.Get(key); n != nil {
		at = n.Range
	}
	v.list.Warnf(at, rule, format, args...)
}

// OneOf demands that exactly one of the keys is written.
func (v *Validation) OneOf(what string, keys ...string) {
	n := 0
	for _, k := range keys {
		if v.Given(k) {
			n++
		}
	}
	if n != 1 {
		v.Errorf("", "%s takes exactly one of %s", what, quoted(keys))
	}
}

func quoted(keys []string) string {
	s := ""
	for i, k := range keys {
		switch {
		case i > 0 && i == len(keys)-1:
			s += " and "
		case i > 0:
			s += ", "
		}
		s += fmt.Sprintf("%q", k)
	}
	return s
}
