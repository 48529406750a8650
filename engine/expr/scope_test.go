package expr

import (
	"fmt"
	"sync"
	"testing"
)

func TestScopeLookup(t *testing.T) {
	s := testScope()
	for _, c := range []struct {
		path []string
		want string
	}{
		{[]string{"vm", "cpu"}, "an integer"},
		{[]string{"vms", "0", "note"}, "a string optional"},
		{[]string{"item", "any", "thing"}, "anything"},
		{[]string{"facts", "x"}, "anything"},
		{[]string{"vlan"}, "an integer optional"},
		{[]string{"vm", "nope"}, "unknown"},
		{[]string{"name", "x"}, "unknown"},
		{[]string{"nope", "x"}, "unknown"},
		{nil, "unknown"},
	} {
		f, ok := s.Lookup(c.path...)
		got := f.Type.String()
		if f.Optional {
			got += " optional"
		}
		if !ok {
			got = "unknown"
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.path, got, c.want)
		}
	}
}

// The same text is compiled once for all scopes in which its names mean the
// same, and anew where they do not.
func TestProgramsAreShared(t *testing.T) {
	base := testScope()
	same := base.With(map[string]Field{"registered": {Type: IntType}})
	other := base.With(map[string]Field{"n": {Type: StringType}})
	get := func(s *Scope, text string) *program { return s.cache.get(text, s) }
	if get(base, "n + 1") != get(same, "n + 1") {
		t.Error("compiled twice for the same types")
	}
	if get(base, "n + 1") == get(other, "n + 1") || get(other, "n + 1").problem == nil {
		t.Error("a changed type was not noticed")
	}
	if get(base, "registered").problem == nil || get(same, "registered").problem != nil {
		t.Error("a name that came later was not noticed")
	}
	if get(base, "default(registered, 1)") == get(same, "default(registered, 1)") {
		t.Error("a guarded name that came later keeps its old type")
	}
	if get(base, "let registered = 1; registered").problem != nil || get(same, "let registered = 1; registered").problem == nil {
		t.Error("a let name that came later was not noticed")
	}
}

// One program serves many goroutines.
func TestConcurrentUse(t *testing.T) {
	scope := testScope()
	text := `{{ map(filter(vms, .cpu > n), .name + "-" + name) }} {{ default(vlan, n) }} {{ let x = n; x + x }}`
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			tmpl, list := CompileNode(str(text), scope)
			if list != nil {
				t.Error(list)
				return
			}
			values := testValues()
			values["n"] = g
			for range 50 {
				n, err := tmpl.Eval(t.Context(), values)
				want := map[bool]string{true: `["a-bob","b-bob"]`, false: `[]`}[g < 2]
				if g == 2 || g == 3 {
					want = `["b-bob"]`
				}
				if err != nil || n.Str != fmt.Sprintf("%s %d %d", want, g, 2*g) {
					t.Errorf("%d: %v %v", g, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
