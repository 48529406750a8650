package virt

import "reflect"

// Nature says what a change promises.
type Nature string

// The natures of changes.
const (
	// Converge leads to a state: applied again, it does nothing.
	Converge Nature = "converge"
	// Action happens each time that it is applied: a reboot, a command.
	Action Nature = "action"
)

// Change is one thing to be done to one object. Changes are plain structs: they
// can be printed, recorded, compared and sent.
//
// Absent fields of a change mean "leave it as it is".
type Change interface {
	// Object names what is changed.
	Object() Ref
	// Seen is the object as the step saw it when it decided, nil when the step saw
	// that it is not there. Apply refuses with ErrDiverged when what it finds calls
	// for other edits than what the step saw.
	Seen() Object
	// Nature says whether the change converges.
	Nature() Nature
}

// On is the part that all changes share.
type On struct {
	Ref    Ref    `json:"object"`
	Before Object `json:"-"`
}

// Object names what is changed.
func (o On) Object() Ref { return o.Ref }

// Seen is the object as the step saw it.
func (o On) Seen() Object { return o.Before }

// OnVM is the head of a change to a VM that the step has seen.
func OnVM(vm *VM) On { return On{Ref: vm.Ref(), Before: vm} }

// Touched names the objects that a change is about: one, and for a VM that is
// renamed the one of its new name, too.
func Touched(c Change) []Ref {
	if r, ok := c.(RenameVM); ok {
		return []Ref{r.Ref, r.Renamed()}
	}
	return []Ref{c.Object()}
}

type converge struct{}

// Nature says that the change leads to a state.
func (converge) Nature() Nature { return Converge }

type action struct{}

// Nature says that the change happens each time.
func (action) Nature() Nature { return Action }

// KindOf gives the name of a change as events carry it: its type's name in
// snake case, as set_cpu.
func KindOf(c Change) string {
	t := reflect.TypeOf(c)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return snake(t.Name())
}

// snake turns SetCPU into set_cpu and AttachNIC into attach_nic.
func snake(s string) string {
	upper := func(b byte) bool { return b >= 'A' && b <= 'Z' }
	var out []byte
	for i := range len(s) {
		c := s[i]
		if upper(c) {
			startsWord := i > 0 && (!upper(s[i-1]) || i+1 < len(s) && !upper(s[i+1]))
			if startsWord {
				out = append(out, '_')
			}
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}
