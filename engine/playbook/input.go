package playbook

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// Input is a variable that a play or a role wants to be told.
type Input struct {
	Name     string
	Type     string // of inputTypes; empty = anything
	Doc      string
	Default  *source.Node
	Enum     []*source.Node
	Pattern  string // a regular expression that the whole text has to match
	Required bool
	Secret   bool // forms hide it, and what is typed is masked
	Range    diag.Range

	pattern *regexp.Regexp
	places  map[string]diag.Range // of what the declaration says, by key
}

// inputTypes are the types that an input can have.
var inputTypes = []string{"string", "integer", "number", "boolean", "list", "map", "size", "duration"}

// inputs reads declarations: {NAME: {type: …, default: …}}.
func (l *loader) inputs(n *source.Node) []Input {
	if n.Kind == source.Null {
		return nil
	}
	if n.Kind != source.Map {
		l.errorf(n.Range, "inputs", "inputs are a mapping of names to declarations, as {port: {type: integer, default: 80}}, found %s", n.Kind)
		return nil
	}
	var out []Input
	for _, e := range n.Entries {
		if !l.name(e.Key, e.Key.Str, "an input") {
			continue
		}
		in := Input{Name: e.Key.Str, Range: e.Key.Range}
		if e.Value.Kind != source.Map {
			if e.Value.Kind != source.Null {
				l.errorf(e.Value.Range, "inputs", "input %s: wanted a declaration, as {type: integer, default: 80}, found %s", in.Name, e.Value.Kind)
			}
			out = append(out, in)
			continue
		}
		in.places = map[string]diag.Range{}
		for _, k := range e.Value.Entries {
			in.places[k.Key.Str] = k.Value.Range
			if w := inputWords.find(k.Key.Str); w != nil {
				w.read(l, &in, k)
			} else {
				l.unknownKey(k.Key, "an input", inputWords.names())
			}
		}
		l.checkInput(&in)
		out = append(out, in)
	}
	return out
}

// checkInput looks whether a declaration agrees with itself.
func (l *loader) checkInput(in *Input) {
	if in.Type != "" && !slices.Contains(inputTypes, in.Type) {
		l.errorf(in.places["type"], "inputs", "input %s: a type is one of %s, found %q%s", in.Name, strings.Join(inputTypes, ", "), in.Type, diag.DidYouMean(in.Type, inputTypes))
		in.Type = ""
	}
	if in.Pattern != "" {
		p, err := regexp.Compile("^(?:" + in.Pattern + ")$")
		if err != nil {
			l.errorf(in.places["pattern"], "inputs", "input %s: pattern: %v", in.Name, err)
		}
		in.pattern = p
	}
	if in.Secret && slices.Contains([]string{"list", "map", "boolean"}, in.Type) {
		l.errorf(in.places["secret"], "inputs", "input %s: a secret is a text or a number, for only such can be masked; make an input of each secret part", in.Name)
	}
	if in.Required && in.Default != nil {
		l.errorf(in.places["required"], "inputs", "input %s: one with a default is not required", in.Name)
	}
	for _, n := range append(slices.Clone(in.Enum), in.Default) {
		if n != nil && !isLater(n) && n.Kind != source.Null {
			if err := in.Check(n.Any()); err != nil {
				l.errorf(n.Range, "inputs", "%v", err)
			}
		}
	}
}

// checkInputs looks at values that are given where something is used.
func (l *loader) checkInputs(inputs []Input, given []Var, whose string) {
	if len(inputs) == 0 {
		return // it declares nothing: any variable may be for it
	}
	var names []string
	for _, in := range inputs {
		names = append(names, in.Name)
	}
	for _, v := range given {
		i := slices.Index(names, v.Name)
		if i < 0 {
			hint := diag.DidYouMean(v.Name, names)
			if hint == "" {
				hint = "; it has " + strings.Join(names, ", ")
			}
			l.errorf(v.Range, "inputs", "%s has no input %q%s", whose, v.Name, hint)
			continue
		}
		if isLater(v.Value) {
			continue
		}
		if err := inputs[i].Check(v.Value.Any()); err != nil {
			l.errorf(v.Value.Range, "inputs", "%v", err)
		}
	}
}

// playInputs looks at what a play is told: by the inventory, its own variables and
// the command line.
func (c *compiler) playInputs() {
	for _, in := range c.play.Inputs {
		c.inputIsGiven(&in, in.Range, "")
		for _, target := range slices.Sorted(maps.Keys(c.world.Vars)) {
			c.checkInput(&in, c.world.Vars[target][in.Name])
		}
		for _, v := range c.play.Vars {
			if v.Name == in.Name {
				c.checkInput(&in, v.Value)
			}
		}
		c.checkInput(&in, c.world.Extra[in.Name])
	}
}

func (c *compiler) checkInput(in *Input, n *source.Node) {
	if n == nil || isLater(n) {
		return
	}
	if err := in.Check(n.Any()); err != nil {
		c.list.Errorf(n.Range, "inputs", "%v", err)
	}
}

// roleInputs looks whether a role is told what it has to be told.
func (c *compiler) roleInputs(b *Block) {
	if b.Role == nil {
		return
	}
	for _, in := range b.Role.Inputs {
		if _, own := FindVar(b.vars, in.Name); !own {
			c.inputIsGiven(&in, b.Range, "role "+b.Role.Name+": ")
		}
	}
}

func (c *compiler) inputIsGiven(in *Input, at diag.Range, who string) {
	if !in.Required || c.has(in.Name) {
		return
	}
	what := in.Name
	if in.Doc != "" {
		what += " (" + in.Doc + ")"
	}
	defer c.define(in.Name, expr.AnyType) // said once is enough
	switch lacking := c.lacking[in.Name]; {
	case len(lacking) > 0:
		c.list.Errorf(at, "inputs", "%sinput %s has no value on %s: give it one there, in vars, or with -e %s=…", who, what, strings.Join(lacking, ", "), in.Name)
	default:
		c.list.Errorf(at, "inputs", "%sinput %s has no value: give it one in vars, or with -e %s=…", who, what, in.Name)
	}
}

// FindVar gives the last variable of a name, which is the one that counts.
func FindVar(vars []Var, name string) (Var, bool) {
	for _, v := range slices.Backward(vars) {
		if v.Name == name {
			return v, true
		}
	}
	return Var{}, false
}

// Check tells what is wrong with a value for the input; nil for nothing, and for
// what only the run will show.
func (in *Input) Check(v any) error {
	hide := in.Secret
	switch s := v.(type) {
	case expr.Unknown:
		return nil
	case expr.Secret:
		v, hide = s.Reveal(), true
	}
	n := source.FromAny(v, diag.Range{})
	found := func(n *source.Node) string {
		if text, ok := step.Text(n); ok && !hide {
			return fmt.Sprintf("%s, %q", n.Kind, text)
		}
		return n.Kind.String()
	}
	if !in.fits(n) {
		return fmt.Errorf("input %s: wanted %s, found %s", in.Name, article(in.Type), found(n))
	}
	if len(in.Enum) > 0 && !slices.ContainsFunc(in.Enum, func(e *source.Node) bool { return same(e, n) }) {
		var words []string
		for _, e := range in.Enum {
			text, _ := step.Text(e)
			words = append(words, text)
		}
		return fmt.Errorf("input %s is one of %s, found %s", in.Name, strings.Join(words, ", "), found(n))
	}
	if text, ok := step.Text(n); in.pattern != nil && (!ok || !in.pattern.MatchString(text)) {
		return fmt.Errorf("input %s: wanted a text that matches %s, found %s", in.Name, in.Pattern, found(n))
	}
	return nil
}

func (in *Input) fits(n *source.Node) bool {
	switch in.Type {
	case "string":
		_, ok := step.Text(n)
		return ok
	case "integer":
		return n.Kind == source.Int
	case "number":
		return n.Kind == source.Int || n.Kind == source.Float
	case "boolean":
		return n.Kind == source.Bool
	case "list":
		return n.Kind == source.List
	case "map":
		return n.Kind == source.Map
	case "size":
		var s step.Size
		return s.Decode(n) == nil
	case "duration":
		var d step.Duration
		return d.Decode(n) == nil
	default:
		return true
	}
}

func article(typ string) string {
	if strings.ContainsAny(typ[:1], "aeiou") {
		return "an " + typ
	}
	return "a " + typ
}

func same(a, b *source.Node) bool {
	x, ok := step.Text(a)
	y, ok2 := step.Text(b)
	return ok && ok2 && x == y
}
