package step

import (
	"fmt"
	"strconv"
	"strings"

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

// Errorf reports a problem at an argument, or at all of them when it was not given.
// The argument may be a path such as disks[1].mount_point: the place is that of as
// much of it as there is.
func (v *Validation) Errorf(key, format string, args ...any) {
	v.list.Errorf(v.at(key), "argument", "%s", fmt.Sprintf(format, args...))
}

// Warnf is Errorf for what stops nothing; rule is one of lint's.
func (v *Validation) Warnf(key, rule, format string, args ...any) {
	v.list.Warnf(v.at(key), rule, format, args...)
}

// at gives the place of an argument.
func (v *Validation) at(path string) diag.Range {
	n := v.node
	for _, word := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := n.Get(word)
		if i, err := strconv.Atoi(word); err == nil && n.Kind == source.List && i < len(n.Items) {
			next = n.Items[i]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n.Range
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
