package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/diag"
)

func TestFromAny(t *testing.T) {
	at := diag.Range{Pos: diag.Pos{File: "f", Line: 3, Column: 4}, Width: 5}
	one := 1
	tests := []struct {
		name      string
		in, want  any
		wantKinds Kind
	}{
		{"nil", nil, nil, Null},
		{"bool", true, true, Bool},
		{"int", 3, 3, Int},
		{"int64", int64(3), 3, Int},
		{"uint8", uint8(3), 3, Int},
		{"large uint64", uint64(1 << 63), "9223372036854775808", String},
		{"float", 1.5, 1.5, Float},
		{"string", "x", "x", String},
		{"bytes", []byte("x"), "x", String},
		{"duration", 90 * time.Second, "1m30s", String},
		{"list", []any{1, "a", nil}, []any{1, "a", nil}, List},
		{"strings", []string{"a"}, []any{"a"}, List},
		{"map", map[string]any{"b": 1, "a": []any{}}, map[string]any{"b": 1, "a": []any{}}, Map},
		{"map of strings", map[string]string{"b": "c"}, map[string]any{"b": "c"}, Map},
		{"pointer", &one, 1, Int},
		{"nil pointer", (*int)(nil), nil, Null},
		{"unknown", Afterwards{}, Afterwards{}, Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := FromAny(tt.in, at)
			if n.Kind != tt.wantKinds || n.Range != at {
				t.Errorf("%+v", n)
			}
			if diff := cmp.Diff(tt.want, n.Any()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := FromAny(map[string]any{"b": 1, "a": 2, "c": 3}, at).Keys(); !cmp.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("keys: %v", got)
	}
}

func TestSecretsAndUnknowns(t *testing.T) {
	n, _ := Parse("f", []byte("a: {b: [x, y]}"))
	s := n.Get("a").WithSecret()
	if !s.Get("b").Items[1].Secret || !s.ContainsSecret() {
		t.Error("the copy is not secret all through")
	}
	if n.ContainsSecret() {
		t.Error("the original became secret")
	}
	u := FromAny(map[string]any{"x": []any{1, Afterwards{}}}, diag.Range{})
	if !u.ContainsUnknown() || n.ContainsUnknown() {
		t.Error("unknown not found, or found where there is none")
	}
	var none *Node
	if none.Get("x") != nil || none.Any() != nil || none.Keys() != nil {
		t.Error("a nil node is not empty")
	}
}

func TestBoolWord(t *testing.T) {
	for word, want := range map[string]bool{"yes": true, "On": true, "no": false, "OFF": false} {
		if got, ok := BoolWord(word); !ok || got != want {
			t.Errorf("%s: %v %v", word, got, ok)
		}
	}
	if _, ok := BoolWord("maybe"); ok {
		t.Error("maybe is no boolean")
	}
}
