package source

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// cost parses a text and gives what that took.
func cost(text string) (n *Node, message string, took time.Duration, allocated uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	n, list := Parse("f", []byte(text))
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	if len(list) > 0 {
		message = list[0].Summary
	}
	return n, message, took, after.TotalAlloc - before.TotalAlloc
}

// The limits on time and memory are far above what is seen (some 100 ms, under
// 100 MB, race detector included) and far below the explosions they stand for.
const (
	maxTook      = 20 * time.Second
	maxAllocated = 1 << 30
)

func TestHostileTexts(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	keys := func(n int, sep string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: 1%s", i, sep)
		}
		return b.String()
	}
	tests := []struct{ name, text, want string }{
		{"open brackets", strings.Repeat("[", 100_000), "nested deeper than 64 levels"},
		{"open braces", strings.Repeat("{a: ", 25_000), "nested deeper than 64 levels"},
		{"dashes", strings.Repeat("- ", 50_000), "nested deeper than 64 levels"},
		{"deep keys", func() string {
			var b strings.Builder
			for i := range 400 {
				fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
			}
			return b.String()
		}(), "nested deeper than 64 levels"},
		{"tags", strings.Repeat("!!str ", 50_000), "two tags on one value"},
		{"billion laughs", laughs, "the aliases of this file add more than 100000 values"},
		{"long key", strings.Repeat("k", 100_000) + ": 1", "a key of 100000 characters: YAML allows 1024"},
		{"long key in braces", "{" + strings.Repeat("k", 100_000) + ": 1}", "a key of 100000 characters: YAML allows 1024"},
		{"empty lines", "a: |\n" + strings.Repeat("\n", 200_000) + "b: 1", "more than 1000 empty lines in a row: delete some"},
		{"tabs", "a: \"" + strings.Repeat("\tx", 200_000) + "\"", "too many tabs on one line: write the text in a file that steps read"},
		{"less-than signs", "a: " + strings.Repeat("<", 200_000), "more than 256 < in a row: shorten it, or write it in a file that steps read"},
		{"many keys in block form", keys(25_000, "\n"), "more than 20000 keys in one mapping: write it in flow form ({…}) or split it"},
		{"many keys in flow form", "{" + keys(25_000, ", ") + "}", ""},
		{"one long line", `[` + strings.Repeat(`{"a":1,"b":"c"},`, 20_000) + `]`, ""},
		{"a long block", "a: |\n" + strings.Repeat("  hello world\n", 20_000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, message, took, allocated := cost(tt.text)
			if message != tt.want {
				t.Errorf("said %q, want %q", message, tt.want)
			}
			if took > maxTook || allocated > maxAllocated {
				t.Errorf("took %v and %d MB", took, allocated>>20)
			}
			t.Logf("%v, %d MB", took, allocated>>20)
		})
	}
}

func TestTenThousandSteps(t *testing.T) {
	var b strings.Builder
	b.WriteString("- targets: all\n  steps:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "    - name: step %d\n      set_cpu: {vm: \"web-{{ %d }}\", count: 2}\n", i, i)
	}
	n, message, took, allocated := cost(b.String())
	if message != "" {
		t.Fatal(message)
	}
	if got := len(n.Items[0].Get("steps").Items); got != 10_000 {
		t.Errorf("%d steps", got)
	}
	if took > maxTook || allocated > maxAllocated {
		t.Errorf("took %v and %d MB", took, allocated>>20)
	}
	t.Logf("%d KB: %v, %d MB", b.Len()>>10, took, allocated>>20)
}

func TestDepthThatIsAllowed(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("[", 60) + strings.Repeat("]", 60),
		strings.Repeat("{a: ", 60) + "1" + strings.Repeat("}", 60),
	} {
		if _, list := Parse("f", []byte(text)); list.HasErrors() {
			t.Errorf("%v", list)
		}
	}
}
