package expr

import (
	"maps"
	"slices"
	"sync"

	"github.com/expr-lang/expr/types"
)

// TypeKind is the shape of a Type.
type TypeKind int

// The kinds of types. Any is the zero value: nothing is known before the run.
const (
	Any TypeKind = iota
	String
	Int
	Float
	Bool
	Map
	List
)

// Type describes a value as far as it is known at load. A nil *Type is Any.
// Types are immutable once they are part of a Scope and may be shared.
type Type struct {
	Kind TypeKind

	// Fields are the known members of a Map.
	Fields map[string]Field
	// Open says that a Map may have members beside Fields. In a closed Map a
	// member that is not in Fields is an error at load.
	Open bool

	// Elem describes the elements of a List; nil is Any.
	Elem *Type
}

// Field is a name and what is known of its value.
type Field struct {
	Type *Type
	// Optional says that the name may be missing at run time: on some targets,
	// or when a step was skipped. Chains that read it say so.
	Optional bool
}

// The types without members, ready for use.
var (
	AnyType    = &Type{Kind: Any}
	StringType = &Type{Kind: String}
	IntType    = &Type{Kind: Int}
	FloatType  = &Type{Kind: Float}
	BoolType   = &Type{Kind: Bool}
	OpenMap    = &Type{Kind: Map, Open: true}
	AnyList    = &Type{Kind: List}
)

// ClosedMap describes a map that has these members and no others.
func ClosedMap(fields map[string]Field) *Type { return &Type{Kind: Map, Fields: fields} }

// ListOf describes a list of elem.
func ListOf(elem *Type) *Type { return &Type{Kind: List, Elem: elem} }

func (t *Type) kind() TypeKind {
	if t == nil {
		return Any
	}
	return t.Kind
}

// String names the type the way messages do.
func (t *Type) String() string {
	switch t.kind() {
	case String:
		return "a string"
	case Int:
		return "an integer"
	case Float:
		return "a number"
	case Bool:
		return "a boolean"
	case Map:
		return "a mapping"
	case List:
		return "a list"
	default:
		return "anything"
	}
}

// checkerType gives the type in the words of expr-lang's checker.
func (t *Type) checkerType() types.Type {
	switch t.kind() {
	case String:
		return types.String
	case Int:
		return types.Int
	case Float:
		return types.Float64
	case Bool:
		return types.Bool
	case List:
		return types.Array(t.Elem.checkerType())
	case Map:
		if t.Open && len(t.Fields) == 0 {
			return types.TypeOf(map[string]any{})
		}
		m := make(types.Map, len(t.Fields)+1)
		for name, f := range t.Fields {
			m[name] = f.Type.checkerType()
		}
		if t.Open {
			m[types.Extra] = types.Any
		}
		return m
	default:
		return types.Any
	}
}

// memberNames collects the names of members at any depth, for suggestions.
func (t *Type) memberNames(into map[string]bool) {
	if t == nil {
		return
	}
	for name, f := range t.Fields {
		into[name] = true
		f.Type.memberNames(into)
	}
	t.Elem.memberNames(into)
}

// Options are what evaluations may use beside their Values.
type Options struct {
	// Host answers env() and file(). Nil refuses both.
	Host Host
	// Limits bound every evaluation; zero fields take the defaults.
	Limits Limits
}

// Scope is what is known at load about the names that expressions may read, and
// the programs that were compiled so far. It is safe for concurrent use.
type Scope struct {
	names map[string]Field
	under *Scope // knows what names does not; nil for the lowest
	cache *cache

	// gathers is a name that holds all that under knows; empty for none. Few
	// expressions ask for it, so its type is made for the first that does.
	gathers  string
	gathered func() *Type
}

// NewScope makes a Scope of these top-level names.
func NewScope(names map[string]Field, opts Options) *Scope {
	opts.Limits = opts.Limits.withDefaults()
	return &Scope{names: maps.Clone(names), cache: newCache(opts)}
}

// With gives a Scope that knows names too; those it has already are replaced.
// They are not copied: the caller changes names only when it is done with the
// Scope, but need not keep them for what was compiled. Compiled programs are shared
// with the receiver where they mean the same, so a Scope for every step costs
// little.
func (s *Scope) With(names map[string]Field) *Scope {
	return &Scope{names: names, under: s, cache: s.cache}
}

// Gather gives a Scope in which name is a mapping of all that the receiver knows.
func (s *Scope) Gather(name string) *Scope {
	return &Scope{gathers: name, under: s, cache: s.cache, gathered: sync.OnceValue(func() *Type { return ClosedMap(s.all()) })}
}

// all gives what is known of every top-level name.
func (s *Scope) all() map[string]Field {
	if s == nil {
		return map[string]Field{}
	}
	all := s.under.all()
	maps.Copy(all, s.names)
	if s.gathers != "" {
		all[s.gathers] = Field{Type: s.gathered()}
	}
	return all
}

// find gives what is known of a top-level name.
func (s *Scope) find(name string) (Field, bool) {
	for ; s != nil; s = s.under {
		if f, ok := s.names[name]; ok {
			return f, true
		}
		if s.gathers == name && name != "" {
			return Field{Type: s.gathered()}, true
		}
	}
	return Field{}, false
}

// Names gives the top-level names, sorted.
func (s *Scope) Names() []string {
	var all []string
	for ; s != nil; s = s.under {
		all = slices.AppendSeq(all, maps.Keys(s.names))
		if s.gathers != "" {
			all = append(all, s.gathers)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Lookup gives the type of a member chain, and whether the scope knows it.
// A chain through Any or an open map is known, as Any.
func (s *Scope) Lookup(path ...string) (Field, bool) {
	if len(path) == 0 {
		return Field{}, false
	}
	f, ok := s.find(path[0])
	for _, name := range path[1:] {
		if !ok {
			break
		}
		switch f.Type.kind() {
		case Any:
			return Field{Type: AnyType, Optional: f.Optional}, true
		case List:
			f = Field{Type: f.Type.Elem, Optional: f.Optional}
		case Map:
			next, known := f.Type.Fields[name]
			if !known && f.Type.Open {
				next, known = Field{Type: AnyType}, true
			}
			f, ok = Field{Type: next.Type, Optional: f.Optional || next.Optional}, known
		default:
			ok = false
		}
	}
	return f, ok
}
