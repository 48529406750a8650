// Package step is the contract between the runner and the steps of a playbook.
//
// A step is a struct of arguments with one method, Ensure, that observes, and
// changes only what differs from what its arguments say. Everything it needs from
// outside comes through Env: it starts no process, opens no file or socket and
// never sleeps by itself, so the same code serves a play, a plan, a resumed run
// and a test.
package step

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
)

// Step ensures one thing. The implementing type is a pointer to the struct of the
// step's arguments, which Decode has filled.
type Step interface {
	// Ensure brings about what the arguments say, and does nothing where it is so
	// already. It MUST make changes through env only, MUST be safe to call again,
	// and leaves a partial change for the next call to complete.
	Ensure(ctx context.Context, env *Env) (Result, error)
}

// Validator is a Step that checks its arguments against each other. It is called
// at load with those that are literal, and again before Ensure with all.
type Validator interface {
	// Validate returns what is wrong. It does no I/O.
	Validate(v *Validation)
}

// Setter is a Step that sets fields of one object. The loader compares what the
// steps of a play say: two that set one field to different values would undo each
// other in every run.
type Setter interface {
	// Sets names the object and gives the values by their paths in FieldChange, as
	// cpu.count. What is left unsaid or computed later is left out. fields are nil
	// for a step that removes the object.
	Sets() (object virt.Ref, fields map[string]any)
}

// Result is what a step leaves for later steps.
type Result struct {
	// Output is of the type that Spec.Output declares; nil when there is none.
	Output any
	// Message is one line for people; usually empty, for changes speak.
	Message string
	// SkipReason says that there was nothing to act on, and why.
	SkipReason string
}

// Failure is the error of a step that did its work and found a bad end, as a
// command with an exit status of 1. Unlike other errors it is subject to
// failed_when, and comes with the step's output.
type Failure struct {
	Message string
	Detail  string // what was found; may be several lines
}

// Error gives the message.
func (f *Failure) Error() string { return f.Message }

// Checked is a condition that the runner has evaluated.
type Checked struct {
	Expr string `arg:"expr"`
	OK   bool   `arg:"ok"`
}

// Spec describes a step to the loader, the documentation and editors.
type Spec struct {
	Name    string // the word in a playbook
	Summary string // one sentence, no full stop
	Doc     string // further paragraphs in Markdown; may be empty
	// New gives the step with no arguments set.
	New func() Step
	// Output is a zero value of the struct that Result.Output holds; nil for none.
	Output any
	// Bare names the argument that `word: value` sets, where the value is no
	// mapping; empty when the step takes only a mapping.
	Bare string
	// Controller says that the step needs no target: it is run for each one all the
	// same, but opens no connection.
	Controller bool
	// Touches is the kind of object that the step may change, the one that its
	// argument vm or name names; empty when it changes nothing on the target. Where a
	// plan cannot know what the step will do, it cannot know what becomes of that.
	Touches virt.Kind
	// Renames names the argument with the name that such an object gets; empty where
	// the step gives none.
	Renames string
	// Changes holds a zero value of each change that the step may make.
	Changes []virt.Change
	// Vars says that the arguments are variables with names of the author's choice,
	// which the runner sets: set_vars.
	Vars bool
	// Conditions names the arguments that hold bare expressions. The runner
	// evaluates them; the step gets a list of Checked.
	Conditions []string
	// Example is one step in YAML, runnable as it stands in a play.
	Example string
}

// Registry is the list of steps that a playbook can use. It is built once and is
// safe for concurrent reading.
type Registry struct {
	specs map[string]*Spec
}

// NewRegistry gives a registry of these steps. It panics when a step has no name
// or no New, or when two have one name: the list is part of the program.
func NewRegistry(specs ...*Spec) *Registry {
	r := &Registry{specs: map[string]*Spec{}}
	for _, s := range specs {
		if s.Name == "" || s.New == nil || s.Summary == "" {
			panic(fmt.Sprintf("step %q has no name, summary or New", s.Name))
		}
		if r.specs[s.Name] != nil {
			panic(fmt.Sprintf("two steps are called %q", s.Name))
		}
		r.specs[s.Name] = s
	}
	return r
}

// Lookup finds a step by its word; nil when there is none.
func (r *Registry) Lookup(name string) *Spec { return r.specs[name] }

// Names gives all words, sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.specs))
	for n := range r.specs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// All gives all steps, sorted by name.
func (r *Registry) All() []*Spec {
	var all []*Spec
	for _, n := range r.Names() {
		all = append(all, r.specs[n])
	}
	return all
}

// OutputFields gives the declared output of a step as field name → Go type.
func (s *Spec) OutputFields() map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	if s.Output == nil {
		return fields
	}
	t := reflect.TypeOf(s.Output)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	collectOutput(t, fields)
	return fields
}

func collectOutput(t reflect.Type, fields map[string]reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			collectOutput(f.Type, fields)
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
}

// Arguments gives the names of a step's arguments, in order.
func (s *Spec) Arguments() []string {
	var names []string
	for _, f := range s.ArgumentsOf() {
		names = append(names, f.Name)
	}
	return names
}
