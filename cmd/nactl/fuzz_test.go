package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
)

// FuzzExtraVars: whatever is written behind -e, it is a variable or an error.
func FuzzExtraVars(f *testing.F) {
	for _, s := range []string{"a=1", "a=[1, {b: 2}]", "{a: 1, b: [x]}", "{a", "=x", "a", "a=", "a=b=c", "a=a: b", "a=- b", "a={{ x }}", "a=\x00", "a=\"", "a=yes", "a=*x", "a=0x1F", "ü=1", "{1: 2}", "{a: 1, a: 2}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if strings.HasPrefix(arg, "@") || strings.Contains(arg, "=@") {
			return // they name files of this machine
		}
		vars, list := extraVars([]string{arg}, &source.Sources{})
		if len(vars) == 0 && !list.HasErrors() && !strings.HasPrefix(arg, "{") {
			t.Fatal("neither a variable nor an error")
		}
		for name, n := range vars {
			if n == nil {
				t.Fatalf("%q has no value", name)
			}
		}
		for _, d := range list {
			if d.Summary == "" {
				t.Fatalf("bad diagnostic: %+v", d)
			}
		}
	})
}

// FuzzReorder: flags come before arguments, and no word is lost or made up.
func FuzzReorder(f *testing.F) {
	for _, s := range []string{"play x.yml --check", "play -Cve a=1 x.yml", "play -- --check", "vault edit -x", "play --limit", "-h", "play -f=3 x.yml y.yml", "lint --output=json a", "play - x", "play ---check"} {
		f.Add(s)
	}
	app := (&application{}).cli()
	f.Fuzz(func(t *testing.T, line string) {
		argv := append([]string{"nactl"}, strings.Fields(line)...)
		out, err := reorder(app, argv)
		if err != nil {
			return
		}
		count := map[string]int{}
		for _, w := range out {
			count[w]++
		}
		for _, w := range argv {
			count[w]--
		}
		for w, n := range count {
			if n < 0 || n > 0 && (w != "--" || n > 1) {
				t.Fatalf("%q: %d times too often in %q", w, n, out)
			}
		}
	})
}

// FuzzReadPlan: no file makes the reader of saved plans panic; what it takes names
// playbooks.
func FuzzReadPlan(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", `{"schema":1}`, `{"schema":2}`, `{"schema":1,"of":{"playbooks":["p.yml"]},"changes":null}`, `{"schema":1,"of":{"playbooks":["p.yml"],"extra_vars":{"a":{"b":1}}},"changes":[{"step":"s","target":"t","kind":"set_cpu","object":{"kind":"vm","name":"a"},"fields":[{"path":"cpu","before":1,"after":{"unknown":true}}]}]}`,
		`{"schema":1,"of":{"playbooks":["p.yml"]},"changes":[]} x`, strings.Repeat(`{"a":`, 20_000),
	} {
		f.Add(s)
	}
	file := filepath.Join(f.TempDir(), "plan")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, err := readPlan(file)
		if err != nil {
			return
		}
		if len(plan.Of.Playbooks) == 0 {
			t.Fatal("a plan of nothing")
		}
		for _, c := range plan.Changes {
			if !c.Same(c) || c.String() == "" {
				t.Fatalf("a change is not the same as itself: %+v", c)
			}
		}
	})
}
