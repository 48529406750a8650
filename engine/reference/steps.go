package reference

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Step is all that is to be known of a step, for people and for programs.
type Step struct {
	Name    string `json:"name" yaml:"name"`
	Summary string `json:"summary" yaml:"summary"`
	Doc     string `json:"doc,omitempty" yaml:"doc,omitempty"` // Markdown
	// Bare names the argument that a value stands for which is no mapping.
	Bare string `json:"bare,omitempty" yaml:"bare,omitempty"`
	// Variables says that the arguments are variables of the author's choice.
	Variables bool       `json:"variables,omitempty" yaml:"variables,omitempty"`
	Arguments []Argument `json:"arguments" yaml:"arguments"`
	Output    []Output   `json:"output" yaml:"output"`
	Changes   []Change   `json:"changes" yaml:"changes"`
	// Targets are the kinds of targets that the step works on; empty for one that
	// needs none.
	Targets []Target `json:"targets" yaml:"targets"`
	Example string   `json:"example" yaml:"example"`
}

// Argument is one argument; one inside of another has its path, as cpu.max.
type Argument struct {
	Name       string   `json:"name" yaml:"name"`
	Value      string   `json:"value" yaml:"value"` // what it takes, as size
	Doc        string   `json:"doc" yaml:"doc"`
	Enum       []string `json:"enum,omitempty" yaml:"enum,omitempty"`
	Required   bool     `json:"required,omitempty" yaml:"required,omitempty"`
	Default    string   `json:"default,omitempty" yaml:"default,omitempty"`
	CreateOnly bool     `json:"create_only,omitempty" yaml:"create_only,omitempty"`
	Minimum    *int64   `json:"minimum,omitempty" yaml:"minimum,omitempty"`
	Maximum    *int64   `json:"maximum,omitempty" yaml:"maximum,omitempty"`
}

// Output is one field of what register gives.
type Output struct {
	Name  string `json:"name" yaml:"name"`
	Value string `json:"value" yaml:"value"`
}

// Change is what a step may do, and what that promises: a change that converges
// does nothing where it is so already, an action happens each time.
type Change struct {
	Name   string      `json:"name" yaml:"name"`
	Nature virt.Nature `json:"nature" yaml:"nature"`
}

// Target is a kind of target, and which changes of the step it does not know.
type Target struct {
	Kind    string   `json:"kind" yaml:"kind"`
	Without []string `json:"without,omitempty" yaml:"without,omitempty"`
}

// Platform is a kind of target and the changes that it knows.
type Platform struct {
	Kind     string
	Supports func(virt.Change) error
}

// Describe gives all that is to be known of a step.
func Describe(s *step.Spec, platforms []Platform) Step {
	out := Step{Name: s.Name, Summary: s.Summary, Doc: s.Doc, Bare: s.Bare, Variables: s.Vars, Example: s.Example,
		Arguments: []Argument{}, Output: []Output{}, Changes: []Change{}, Targets: []Target{}}
	if !s.Vars {
		describeArguments(&out.Arguments, "", s.ArgumentsOf())
	}
	if s.Output != nil {
		describeOutput(&out.Output, reflect.TypeOf(s.Output))
	}
	for _, c := range s.Changes {
		out.Changes = append(out.Changes, Change{virt.KindOf(c), c.Nature()})
	}
	if s.Controller {
		return out
	}
	for _, p := range platforms {
		t := Target{Kind: p.Kind}
		for _, c := range s.Changes {
			if p.Supports(c) != nil {
				t.Without = append(t.Without, virt.KindOf(c))
			}
		}
		if len(s.Changes) == 0 || len(t.Without) < len(s.Changes) {
			out.Targets = append(out.Targets, t)
		}
	}
	return out
}

func describeArguments(into *[]Argument, prefix string, fields []step.Field) {
	for _, f := range fields {
		shape := f.Shape()
		a := Argument{Name: prefix + f.Name, Value: shape.Word, Doc: f.Doc, Enum: f.Enum, Required: f.Required, Default: f.Default,
			CreateOnly: f.CreateOnly, Minimum: f.Min, Maximum: f.Max}
		if len(f.Enum) > 0 {
			a.Value = strings.Join(f.Enum, ", ")
		}
		*into = append(*into, a)
		if shape.List != nil {
			shape = *shape.List
		}
		describeArguments(into, prefix+f.Name+".", shape.Fields)
	}
}

// describeOutput walks the fields of an output in their order.
func describeOutput(into *[]Output, t reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			describeOutput(into, f.Type)
		case name != "" && name != "-":
			*into = append(*into, Output{name, outputWord(f.Type)})
		}
	}
}

// outputWord names a type by its JSON form, which is what gets registered.
func outputWord(t reflect.Type) string {
	if get, ok := t.MethodByName("Or"); ok && strings.HasPrefix(t.Name(), "Opt[") {
		return outputWord(get.Type.Out(0))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return outputWord(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of: " + outputWord(t.Elem())
	case reflect.Map, reflect.Struct:
		return "mapping"
	default:
		return t.String()
	}
}

// Natures gives the distinct natures of a step's changes, sorted.
func (s Step) Natures() []virt.Nature {
	var out []virt.Nature
	for _, c := range s.Changes {
		out = append(out, c.Nature)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
