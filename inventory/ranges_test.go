package inventory

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"n1", "n1", ""},
		{"n[1:3]", "n1 n2 n3", ""},
		{"n[08:11]", "n08 n09 n10 n11", ""},
		{"n[9:11].x", "n9.x n10.x n11.x", ""},
		{"n[0:2]", "n0 n1 n2", ""},
		{"[a:c]1", "a1 b1 c1", ""},
		{"r[1:2]n[A:B]", "r1nA r1nB r2nA r2nB", ""},
		{"n[5:5]", "n5", ""},
		{"n[ab]", "n[ab]", ""},
		{"n[1:]", "n[1:]", ""},
		{"[::1]", "[::1]", ""},
		{"n[2:1]", "", "the range [2:1] runs backwards"},
		{"n[c:a]", "", "the range [c:a] runs backwards"},
		{"n[01:100]", "", "both ends of the range [01:100] need the same number of digits"},
		{"n[1:99999999999999999999]", "", "the range [1:99999999999999999999] stands for more than 10000 names"},
	}
	for _, tt := range tests {
		got, err := expand(tt.in)
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.err == "") || (err != nil && err.Error() != tt.err) {
			t.Errorf("%s: %v, %v", tt.in, got, err)
		}
	}
}

// TestLargeInventory keeps the cost of an inventory linear in its targets. It
// takes some tenths of a second.
func TestLargeInventory(t *testing.T) {
	var b strings.Builder
	b.WriteString("-- i.yml --\nnodes:\n  \"node[0001:8000]\": {address: \"10.0.[0:79].[0:99]\", vars: {a: 1}}\ngroups:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  g%d: {members: [\"node%02d*\"], vars: {x: %d}}\n", i, i%80, i)
	}
	dir := unpack(t, b.String())
	start := time.Now()
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "i.yml")}, Options{Env: noEnv})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	got, list := inv.SelectText("all & !g1", "")
	if list.HasErrors() || len(got) != 7900 || got[5].Node.Address != "10.0.0.5" {
		t.Errorf("%d targets: %v", len(got), list)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	t.Log(time.Since(start))
}
