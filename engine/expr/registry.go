package expr

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// Function describes a function for documentation.
type Function struct {
	Name    string
	Form    string // how it is called
	Doc     string
	Example string // an expression
	Gives   string // its value, as an expression
}

// function is one function of this package. Its call gets the arguments that
// the expression wrote; types are pointers to Go function types that the
// checker holds the arguments against, or nil when validate does.
type function struct {
	name     string
	form     string
	doc      string
	types    []any
	validate func([]reflect.Type) (reflect.Type, error)
	call     func(r *run, args []any) (any, error)
}

// registry holds all functions. It is complete once the package is initialised
// and only read afterwards.
var registry = newRegistry()

type functions struct {
	table    conf.FunctionsTable // called with the run as first argument
	builtins conf.FunctionsTable // expr-lang's own, less the refused
	disabled map[string]bool
	names    []string // what an expression may call, sorted
	docs     []Function
}

func newRegistry() *functions {
	f := &functions{table: conf.FunctionsTable{}, builtins: conf.FunctionsTable{}, disabled: map[string]bool{}}
	for _, b := range builtin.Builtins {
		if _, refused := refusedBuiltins[b.Name]; !refused {
			f.builtins[b.Name] = b
			f.names = append(f.names, b.Name)
		}
	}
	for _, group := range [][]function{
		operators(), guardedBuiltins(), dataFunctions(), textFunctions(),
		networkFunctions(), unitFunctions(), cryptoFunctions(), hostFunctions(),
	} {
		for _, fn := range group {
			f.add(fn)
		}
	}
	for _, special := range []Function{
		{Name: "default", Form: "default(x, value)", Doc: "x, or value when x is missing or nothing"},
		{Name: "defined", Form: "defined(x)", Doc: "whether x is there and is not nothing"},
		{Name: "ternary", Form: "ternary(cond, a, b)", Doc: "a when cond is true, else b; the same as cond ? a : b"},
	} {
		f.docs = append(f.docs, special)
		f.names = append(f.names, special.Name)
	}
	slices.Sort(f.names)
	f.names = slices.Compact(f.names)
	for i, d := range f.docs {
		f.docs[i].Example, f.docs[i].Gives = examples[d.Name][0], examples[d.Name][1]
	}
	slices.SortFunc(f.docs, func(a, b Function) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return f
}

func (f *functions) add(fn function) {
	if _, twice := f.table[fn.name]; twice {
		panic("expr: two functions are named " + fn.name)
	}
	b := &builtin.Function{
		Name:     fn.name,
		Validate: fn.validate,
		Func: func(args ...any) (any, error) {
			// The machine reuses args once the call is over.
			return fn.call(args[0].(*run), args[1:])
		},
	}
	for _, t := range fn.types {
		b.Types = append(b.Types, reflect.TypeOf(t).Elem())
	}
	f.table[fn.name] = b
	if fn.name[0] == '$' {
		return
	}
	f.names = append(f.names, fn.name)
	if fn.doc != "" {
		f.docs = append(f.docs, Function{Name: fn.name, Form: fn.form, Doc: fn.doc})
	}
}

// known tells whether an expression may call name.
func (f *functions) known(name string) bool {
	_, ok := slices.BinarySearch(f.names, name)
	return ok
}

// Functions lists the functions that nactl adds to expr-lang's, by name.
func Functions() []Function { return slices.Clone(registry.docs) }

// text gives the i-th argument as a string. The checker has settled most types;
// a value of type any comes through unchecked.
func text(args []any, i int, name string) (string, error) {
	s, ok := args[i].(string)
	if !ok {
		return "", fmt.Errorf("%s wants a string as argument %d, not %s", name, i+1, article(args[i]))
	}
	return s, nil
}

// number gives the i-th argument as an int.
func number(args []any, i int, name string) (int, error) {
	switch n := args[i].(type) {
	case int:
		return n, nil
	case float64:
		if n == float64(int(n)) {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("%s wants an integer as argument %d, not %s", name, i+1, article(args[i]))
}

// one makes the call of a function from string to string.
func one(name string, f func(r *run, s string) (any, error)) func(*run, []any) (any, error) {
	return func(r *run, args []any) (any, error) {
		s, err := text(args, 0, name)
		if err != nil {
			return nil, err
		}
		return f(r, s)
	}
}
