package expr

import (
	"errors"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// parse gives the node of a YAML text, as a playbook would bring it.
func parse(t testing.TB, text string) *source.Node {
	t.Helper()
	n, list := source.Parse("play.yml", []byte(text))
	if list.HasErrors() {
		t.Fatalf("parse %q: %v", text, list.Err())
	}
	return n
}

// str gives a string node that did not come from a file.
func str(s string) *source.Node {
	return &source.Node{Kind: source.String, Str: s, Range: diag.Range{Pos: diag.Pos{File: "play.yml", Line: 1, Column: 1}}}
}

// testScope knows a little of everything.
func testScope() *Scope {
	vm := ClosedMap(map[string]Field{
		"name": {Type: StringType}, "ip": {Type: StringType}, "cpu": {Type: IntType},
		"note": {Type: StringType, Optional: true},
	})
	return NewScope(map[string]Field{
		"name": {Type: StringType}, "n": {Type: IntType}, "ratio": {Type: FloatType}, "on": {Type: BoolType},
		"item": {Type: AnyType}, "facts": {Type: OpenMap}, "vm": {Type: vm}, "vms": {Type: ListOf(vm)},
		"web":  {Type: ClosedMap(map[string]Field{"rc": {Type: IntType}, "results": {Type: ListOf(vm)}})},
		"vlan": {Type: IntType, Optional: true},
	}, Options{Host: fakeHost{
		env:   map[string]string{"USER": "root"},
		files: map[string]string{"key.pub": "ssh-ed25519 AAAA me\n"},
	}})
}

func testValues() Values {
	a := map[string]any{"name": "a", "ip": "10.0.0.1", "cpu": 2}
	b := map[string]any{"name": "b", "ip": "10.0.0.2", "cpu": 4, "note": "second"}
	return Values{
		"name": "bob", "n": 3, "ratio": 2.5, "on": true, "nothing": nil,
		"item":  map[string]any{"ip": "10.0.0.9", "tags": []any{"x", "y"}, "null": nil},
		"facts": map[string]any{"os": "debian", "later": Unknown{}, "token": NewSecret("hunter2"), "mixed": map[string]any{"open": 1, "pass": NewSecret("hunter2")}},
		"vm":    a, "vms": []any{a, b},
		"web": map[string]any{"rc": 0, "results": []any{a, b}},
	}
}

type fakeHost struct{ env, files map[string]string }

func (h fakeHost) Env(name string) (string, bool) { v, ok := h.env[name]; return v, ok }

func (h fakeHost) ReadFile(path string) ([]byte, error) {
	if text, ok := h.files[path]; ok {
		return []byte(text), nil
	}
	return nil, errors.New(path + " lies outside")
}

// evaluate compiles and evaluates one string.
func evaluate(t testing.TB, text string, values Values) (*source.Node, error) {
	t.Helper()
	tmpl, list := CompileNode(str(text), testScope())
	if list.HasErrors() {
		return nil, list.Err()
	}
	return tmpl.Eval(t.Context(), values)
}

// firstDiagnostic gives the first diagnostic that err carries.
func firstDiagnostic(t testing.TB, err error) diag.Diagnostic {
	t.Helper()
	list := diag.FromError(err, diag.Range{})
	if len(list) == 0 {
		t.Fatalf("no diagnostic in %v", err)
	}
	return list[0]
}
