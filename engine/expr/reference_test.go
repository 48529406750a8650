package expr

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every function that an expression may call is documented with an example, which
// gives what is said.
func TestFunctionExamples(t *testing.T) {
	documented := slices.Concat(Functions(), LanguageFunctions())
	var names []string
	for _, f := range documented {
		names = append(names, f.Name)
		t.Run(f.Name, func(t *testing.T) {
			if f.Example == "" || f.Doc == "" {
				t.Fatalf("not documented: %+v", f)
			}
			var values [2]any
			scope := testScope().With(map[string]Field{"missing": {Type: AnyType, Optional: true}})
			for i, text := range []string{f.Example, f.Gives} {
				tmpl, list := CompileNode(str("{{ "+text+" }}"), scope)
				if list.HasErrors() {
					t.Fatal(list.Err())
				}
				n, err := tmpl.Eval(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				values[i] = FromNode(n)
			}
			if diff := cmp.Diff(values[1], values[0]); diff != "" {
				t.Errorf("-said +given:\n%s", diff)
			}
		})
	}
	slices.Sort(names)
	if diff := cmp.Diff(registry.names, names); diff != "" {
		t.Errorf("-callable +documented:\n%s", diff)
	}
}
