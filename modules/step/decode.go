package step

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Decoder is a type of argument with a notation of its own. The error is one
// line; the decoder adds where.
type Decoder interface{ Decode(n *source.Node) error }

// Barer is a struct of arguments that can be written as the value of one of them.
type Barer interface {
	// Bare names that argument.
	Bare() string
}

// Wrap gives the mapping that a bare value stands for.
func Wrap(key string, n *source.Node) *source.Node {
	k := &source.Node{Kind: source.String, Str: key, Range: n.Range}
	return &source.Node{Kind: source.Map, Range: n.Range, Entries: []source.Entry{{Key: k, Value: n}}}
}

// Mode says how much is known of the values that are decoded.
type Mode struct {
	// Dynamic tells of a node whose value is computed later: it is then taken for
	// well-formed. nil at run time, when every value is known.
	Dynamic func(*source.Node) bool
}

// Decoded tells what Decode met beside the values themselves.
type Decoded struct {
	// Unknown lists the arguments whose value only the run will show and that have
	// no way to say so: with one of them the step cannot be predicted.
	Unknown []string
	// Dynamic tells that some argument is computed later.
	Dynamic bool
}

// Field is one argument of a step, as its struct tags describe it.
type Field struct {
	Name       string
	Index      []int
	Type       reflect.Type
	Doc        string
	Enum       []string
	Required   bool
	Identity   bool // names the object; a step whose identity is unknown is decided at run time
	CreateOnly bool // never changed on an existing object
	Default    string
	Min, Max   *int64

	literal *source.Node // the default, as YAML reads it
}

// Fields lists the arguments of a struct type in order. It panics on a malformed
// tag: arguments are part of the program.
//
// The tags: `arg:"name,required,identity,create_only" doc:"…" enum:"a|b"
// default:"…" min:"1" max:"64"`. An embedded struct without a tag contributes its
// fields. The caller must not change what it is given: it is the same each time.
func Fields(t reflect.Type) []Field { return argumentsOf(t).fields }

// arguments are the Fields of a type, and where each stands among them.
type arguments struct {
	fields []Field
	index  map[string]int
}

func argumentsOf(t reflect.Type) *arguments {
	if known, ok := argumentsKnown.Load(t); ok {
		return known.(*arguments)
	}
	a := &arguments{fields: slices.Clip(readFields(t)), index: map[string]int{}}
	for i, f := range a.fields {
		if _, there := a.index[f.Name]; !there {
			a.index[f.Name] = i
		}
	}
	argumentsKnown.Store(t, a)
	return a
}

// argumentsKnown keeps what was read: reflect.Type → *arguments.
var argumentsKnown sync.Map

func readFields(t reflect.Type) []Field {
	var fields []Field
	for f := range t.Fields() {
		tag := f.Tag.Get("arg")
		if tag == "" {
			if f.Anonymous {
				for _, g := range Fields(f.Type) {
					g.Index = append(slices.Clone(f.Index), g.Index...)
					fields = append(fields, g)
				}
			}
			continue
		}
		parts := strings.Split(tag, ",")
		a := Field{Name: parts[0], Index: f.Index, Type: f.Type, Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default")}
		for _, flag := range parts[1:] {
			switch flag {
			case "required":
				a.Required = true
			case "identity":
				a.Identity = true
			case "create_only":
				a.CreateOnly = true
			default:
				panic(fmt.Sprintf("%s.%s: unknown flag %q", t, f.Name, flag))
			}
		}
		if e := f.Tag.Get("enum"); e != "" {
			a.Enum = strings.Split(e, "|")
		}
		if a.Default != "" {
			a.literal = literal(a.Default)
		}
		a.Min, a.Max = bound(t, f, "min"), bound(t, f, "max")
		fields = append(fields, a)
	}
	return fields
}

func literal(text string) *source.Node {
	if n, list := source.Parse("default", []byte(text)); len(list) == 0 && n != nil {
		return n
	}
	return &source.Node{Kind: source.String, Str: text}
}

func bound(t reflect.Type, f reflect.StructField, key string) *int64 {
	text, ok := f.Tag.Lookup(key)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s.%s: %s: %v", t, f.Name, key, err))
	}
	return &n
}

// Decode fills into, a pointer to a struct of arguments, from a mapping. what is
// the step's word, for messages. All problems are reported, each at its place.
func Decode(n *source.Node, into any, what string, mode Mode) (Decoded, diag.List) {
	d := &decoder{mode: mode}
	d.structure(n, reflect.ValueOf(into).Elem(), what, "")
	return d.info, d.list
}

type decoder struct {
	mode Mode
	info Decoded
	list diag.List
}

func (d *decoder) later(n *source.Node) bool {
	if d.mode.Dynamic != nil && d.mode.Dynamic(n) {
		d.info.Dynamic = true
		return true
	}
	return false
}

func (d *decoder) errorf(n *source.Node, format string, args ...any) {
	d.list.Errorf(n.Range, "argument", format, args...)
}

func (d *decoder) structure(n *source.Node, v reflect.Value, what, path string) {
	if d.later(n) {
		return
	}
	if b, ok := v.Addr().Interface().(Barer); ok && n.Kind != source.Map && n.Kind != source.Null {
		n = Wrap(b.Bare(), n)
	}
	if n.Kind == source.Unknown {
		d.info.Unknown = append(d.info.Unknown, what)
		return
	}
	if n.Kind != source.Map && n.Kind != source.Null {
		hint := ""
		if n.Kind == source.String && strings.Contains(n.Str, "=") {
			hint = "; in place of key=value write {key: value}"
		}
		d.errorf(n, "%s: wanted a mapping of arguments, found %s%s", what, n.Kind, hint)
		return
	}
	args := argumentsOf(v.Type())
	given := make([]bool, len(args.fields))
	for _, e := range n.Entries {
		i, known := args.index[e.Key.Str]
		if !known {
			var names []string
			for _, f := range args.fields {
				names = append(names, f.Name)
			}
			hint := diag.DidYouMean(e.Key.Str, names)
			if e.Key.Str == "name" && slices.Contains(names, "vm") {
				hint = `, did you mean "vm"?`
			}
			if hint == "" {
				hint = "; it takes " + strings.Join(names, ", ")
			}
			d.list.Errorf(e.Key.Range, "unknown-key", "unknown key %q in %s%s", e.Key.Str, what, hint)
			continue
		}
		f := &args.fields[i]
		if e.Value.Kind == source.Null && d.mode.Dynamic == nil && f.Type != nodeType {
			continue // computed to be left unsaid, as default(x, nil) does
		}
		given[i] = true
		d.field(e.Value, v.FieldByIndex(f.Index), f, join(path, f.Name))
	}
	for i := range args.fields {
		f := &args.fields[i]
		switch {
		case given[i]:
		case f.Required:
			d.errorf(n, "%s needs %q", what, f.Name)
		case f.Default != "":
			d.fallback(f, v.FieldByIndex(f.Index))
		}
	}
}

// fallback sets an argument's default, written in the tag as it would be in YAML.
func (d *decoder) fallback(f *Field, v reflect.Value) {
	sub := &decoder{}
	sub.value(f.literal, v, f.Name)
	if len(sub.list) > 0 {
		panic(fmt.Sprintf("default of %s: %v", f.Name, sub.list[0]))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (d *decoder) field(n *source.Node, v reflect.Value, f *Field, path string) {
	before := len(d.list)
	d.value(n, v, path)
	if len(d.list) > before || n.Kind == source.Unknown || n.Kind == source.Null || d.mode.Dynamic != nil && d.mode.Dynamic(n) {
		return
	}
	if len(f.Enum) > 0 {
		d.enum(n, f)
	}
	if f.Min == nil && f.Max == nil {
		return
	}
	if num, ok := integer(v); ok {
		if f.Min != nil && num < *f.Min {
			d.errorf(n, "%s has to be at least %d, found %d", path, *f.Min, num)
		}
		if f.Max != nil && num > *f.Max {
			d.errorf(n, "%s has to be at most %d, found %d", path, *f.Max, num)
		}
	}
}

// otherStates are other programs' words for states of VMs.
var otherStates = map[string]string{
	"started": "running", "up": "running", "on": "running", "poweredon": "running", "present": "running",
	"shutdown": "stopped", "shutoff": "stopped", "down": "stopped", "off": "stopped", "poweredoff": "stopped", "shut off": "stopped",
}

func (d *decoder) enum(n *source.Node, f *Field) {
	items := []*source.Node{n}
	if n.Kind == source.List {
		items = n.Items
	}
	for _, item := range items {
		if d.later(item) {
			continue
		}
		text, _ := Text(item)
		if !slices.Contains(f.Enum, text) {
			hint := diag.DidYouMean(text, f.Enum)
			if here := otherStates[text]; here != "" && hint == "" && slices.Contains(f.Enum, here) {
				hint = "; here it is " + here
			}
			d.errorf(item, "%s is one of %s, found %q%s", f.Name, strings.Join(f.Enum, ", "), text, hint)
		}
	}
}

// integer gives the number that v holds, looking into an Opt.
func integer(v reflect.Value) (int64, bool) {
	if inner, ok := optional(v); ok {
		v = inner
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64, reflect.Int32:
		return v.Int(), true
	default:
		return 0, false
	}
}

func (d *decoder) value(n *source.Node, v reflect.Value, path string) {
	if d.later(n) {
		return
	}
	if setter, ok := v.Addr().Interface().(optSetter); ok {
		d.opt(n, v, setter, path)
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if n.Kind == source.Unknown {
		d.info.Unknown = append(d.info.Unknown, path)
		return
	}
	if custom, ok := v.Addr().Interface().(Decoder); ok {
		if n.ContainsUnknown() {
			d.info.Unknown = append(d.info.Unknown, path)
			return
		}
		if d.containsLater(n) {
			return
		}
		if err := custom.Decode(n); err != nil {
			d.errorf(n, "%s: %v", path, err)
		}
		return
	}
	d.plain(n, v, path)
}

var nodeType = reflect.TypeFor[*source.Node]()

// containsLater tells whether some part of n is computed later: then a notation
// that needs the whole value cannot be checked yet.
func (d *decoder) containsLater(n *source.Node) bool {
	if d.later(n) {
		return true
	}
	for _, item := range n.Items {
		if d.containsLater(item) {
			return true
		}
	}
	for _, e := range n.Entries {
		if d.containsLater(e.Value) {
			return true
		}
	}
	return false
}

func (d *decoder) plain(n *source.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		text, ok := Text(n)
		if !ok {
			d.errorf(n, "%s: wanted a text, found %s", path, n.Kind)
			return
		}
		v.SetString(text)
	case reflect.Bool:
		if n.Kind != source.Bool {
			hint := unquoted(n, source.Bool)
			if b, ok := source.BoolWord(n.Str); ok && n.Kind == source.String {
				hint = fmt.Sprintf("; write %v", b)
			}
			d.errorf(n, "%s: wanted true or false, found %s%s", path, found(n), hint)
			return
		}
		v.SetBool(n.Bool)
	case reflect.Int, reflect.Int64, reflect.Int32:
		if n.Kind != source.Int {
			d.errorf(n, "%s: wanted an integer, found %s%s", path, found(n), unquoted(n, source.Int))
			return
		}
		v.SetInt(n.Int)
	case reflect.Slice:
		d.sequence(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Struct:
		d.structure(n, v, path, path)
	case reflect.Pointer:
		if n.Kind == source.Null {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	default:
		panic(fmt.Sprintf("%s: arguments cannot be of type %s", path, v.Type()))
	}
}

// unquoted gives the way out for a text that would be of the kind that is wanted
// without its quotes.
func unquoted(n *source.Node, want source.Kind) string {
	if n.Kind != source.String || n.Secret || len(n.Str) > 20 {
		return ""
	}
	if bare, list := source.Parse("", []byte(n.Str)); bare != nil && !list.HasErrors() && bare.Kind == want {
		return "; leave the quotes out"
	}
	return ""
}

func found(n *source.Node) string {
	if text, ok := Text(n); ok && !n.Secret {
		return fmt.Sprintf("%s, %q", n.Kind, text)
	}
	return n.Kind.String()
}

func (d *decoder) sequence(n *source.Node, v reflect.Value, path string) {
	if n.Kind == source.Null {
		return
	}
	if n.Kind != source.List {
		d.errorf(n, "%s: wanted a list, found %s; write it in [ ]", path, n.Kind)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	for i, item := range n.Items {
		d.value(item, out.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
}

func (d *decoder) mapping(n *source.Node, v reflect.Value, path string) {
	if n.Kind == source.Null {
		return
	}
	if n.Kind != source.Map {
		d.errorf(n, "%s: wanted a mapping, found %s", path, n.Kind)
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Entries))
	for _, e := range n.Entries {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, elem, join(path, e.Key.Str))
		out.SetMapIndex(reflect.ValueOf(e.Key.Str).Convert(v.Type().Key()), elem)
	}
	v.Set(out)
}
