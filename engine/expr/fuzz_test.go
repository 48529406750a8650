package expr

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/source/sourcetest"
)

// FuzzSplit: whatever the string, the parts and the delimiters between them make
// it up again, and every offset is that of its part.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{
		"", "plain", "{{ x }}", "a {{ x }} b {{ y }}", `{{ {"a": {"b": "}}"}} }}`, "{{ '}}' }}", "{{", "}}", "{{}}", "{{{}}}",
		"ü{{ x }}ü", "{{ `\\` }}", `{{ "\"}}" }}`, "{% if %}", "{# c #}", "{{ a\n}}\n{{ b }}", "{{ x }", "{ { x } }",
	} {
		f.Add(s)
	}
	for _, text := range sourcetest.Texts(f, 8192) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, "{{") {
				f.Add(strings.TrimSpace(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // strings from files are UTF-8
		}
		parts, prob := split(s)
		if prob != nil {
			if prob.from < 0 || prob.from > utf8.RuneCountInString(s) {
				t.Fatalf("problem at %d", prob.from)
			}
			return
		}
		if parts == nil {
			if strings.Contains(s, "{{") {
				t.Fatal("no parts")
			}
			return
		}
		runes := []rune(s)
		plain := 0
		for _, p := range parts {
			n := utf8.RuneCountInString(p.text)
			if got := string(runes[p.offset : p.offset+n]); got != p.text {
				t.Fatalf("part %q stands at %d, where %q is", p.text, p.offset, got)
			}
			if !p.isExpr {
				plain += len(p.text)
			}
		}
		if plain > len(s) {
			t.Fatal("more plain text than there was")
		}
	})
}

// FuzzEval: no expression crashes, hangs or writes to the values.
func FuzzEval(f *testing.F) {
	for _, s := range []string{
		"n", "vm.name", "vms[0].name", "default(item.x.y, 1)", "map(vms, .cpu + 1)", "let a = n; a + a", "x | upper", "a?.b?.c",
		"item[name]", "filter(vms, {let x = .cpu; x > 1})", "if on { 1 } else { 2 }", "{\"a\": [1, {b: 2}]}", "1..10", "'it''s'", "::upper(name)",
		"$env", "$env.n", "get($env, 'n')", "defined(a.b[c].d)", "on && (n > 1 || vlan == 2)", "sortBy(vms, .cpu, 'desc')", "groupBy(vms, .name)",
		"combine(item, {a: 1})", "regex_replace(name, '(.)', '$1$1')", "size('4GiB') + n", "nth_host('10.0.0.0/8', n)", "string(vms)[0:3]", "b'x'",
		"0x1F + 1e3 + 1_000 + 0b11", "-n ** 2 % 3", "not (name in [name])", "name not matches '^a'", "date('2020-01-02').Unix()", "a ?? b ?? c",
		"find(vms, .cpu > 9)?.name", "from_yaml('a: &x [*x]')", "from_json('[[1]]')[0][0]", "# + 1", "map(map(1..2, # * 2), #index)", "\x00", "\"\\u", "ternary(on, 1, [])",
		"facts.mixed.pass + 'x'", "duration('1h') + date('2020-01-01')", "toPairs(item)[0][0]", "vms[n:-1]", "true ? vlan : nil", "1; 2; n", "count(vms)",
	} {
		f.Add(s)
	}
	addExpressions(f)
	scope := testScope()
	scope.cache.opts.Limits = Limits{Steps: 20_000, Bytes: 1 << 20, Elements: 20_000, Time: time.Second}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		s = strings.TrimSpace(s)
		p := compile(s, scope, scope.cache.opts)
		if p.problem != nil {
			if p.problem.from < 0 || p.problem.from > utf8.RuneCountInString(s)+1 || p.problem.summary == "" {
				t.Fatalf("problem %+v", p.problem)
			}
			if strings.Contains(p.problem.summary, "cannot be compiled") {
				t.Fatal(p.problem.summary)
			}
			return
		}
		values := testValues()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		out, prob := p.eval(ctx, values)
		if ctx.Err() != nil {
			t.Fatal("took longer than 5 s")
		}
		if prob != nil {
			if prob.from < 0 || prob.from > utf8.RuneCountInString(s)+1 || strings.Contains(prob.summary, "hunter2") {
				t.Fatalf("problem %+v", prob)
			}
			return
		}
		if out.taint.unknown {
			return
		}
		if n, err := out.run.toNode(out.value, diag.Range{}, out.taint.secret); err == nil {
			_ = FromNode(n)
		}
		_, _ = out.run.toText(out.value)
		if _, ok := values["facts"].(map[string]any)["token"].(Secret); !ok {
			t.Fatal("the values were changed")
		}
	})
}

// addExpressions adds the examples of all functions, and every expression that
// stands in the repository, as seeds.
func addExpressions(f *testing.F) {
	for _, fn := range slices.Concat(Functions(), LanguageFunctions()) {
		f.Add(fn.Example)
	}
	for _, text := range sourcetest.Texts(f, 8192) {
		for line := range strings.Lines(text) {
			parts, _ := split(strings.TrimSpace(line))
			for _, p := range parts {
				if p.isExpr {
					f.Add(p.text)
				}
			}
		}
	}
}

// FuzzCondition: no condition crashes, gives something but true, false or
// unknown, or points outside of its text.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		"on", "n > 1", "true", "{{ on }}", "\"on\"", "[on, n == 3]", "[[on]]", "5", "{a: 1}", "x | bool", "name", "web.rc", "facts.later", "facts.token == 'x'",
		"''", "null", "not on", "vms", "!on", "&a on", "|\n  on\n  && n == 3\n", "nothing",
	} {
		f.Add(s)
	}
	scope := testScope()
	scope.cache.opts.Limits = Limits{Steps: 20_000, Bytes: 1 << 20, Elements: 20_000, Time: time.Second}
	f.Fuzz(func(t *testing.T, text string) {
		n, list := source.Parse("c.yml", []byte(text))
		if n == nil || list.HasErrors() {
			return
		}
		c, list := CompileCondition(n, scope)
		lines := 1 + strings.Count(text, "\n")
		checkPlaces(t, list, lines)
		_, _, err := c.Eval(t.Context(), testValues())
		if list.HasErrors() && err == nil {
			t.Fatalf("it was refused (%v), and can be evaluated", list)
		}
		found := diag.FromError(err, n.Range)
		checkPlaces(t, found, lines)
		for _, d := range found {
			if strings.Contains(d.Summary+d.Detail, "hunter2") && !strings.Contains(text, "hunter2") {
				t.Fatalf("the secret is shown: %v", d)
			}
		}
	})
}

// FuzzTemplate: no file that is a template crashes or hangs, and what is wrong in
// it stands at a place of the file.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"Host {{ name }}\n\n{{ join(map(vms, .name), \"\\n\") }}\n", "{{ n", "a\r\nb {{ x }}\r\n", "{% if on %}\n{{ name }}\n{% endif %}", "{# c #}\nä {{ wrong }}", "{{ facts.token }}\n{{ facts.later }}",
		"{{ name }}{{ name }}\n\n\n{{\n  n\n  +\n  'a'\n}}\n", "{{ \"{{\" }}",
	} {
		f.Add(s)
	}
	for _, text := range sourcetest.Texts(f, 4096) {
		f.Add(text)
	}
	scope := testScope()
	scope.cache.opts.Limits = Limits{Steps: 20_000, Bytes: 1 << 20, Elements: 20_000, Time: time.Second}
	file := filepath.Join(f.TempDir(), "template")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n, list := (&source.Sources{}).ParseText(file)
		if n == nil {
			if !list.HasErrors() {
				t.Fatal("neither a text nor an error")
			}
			return
		}
		tmpl, list := CompileNode(n, scope)
		lines := 1 + strings.Count(text, "\n")
		checkPlaces(t, list, lines)
		out, err := tmpl.Eval(t.Context(), testValues())
		checkPlaces(t, diag.FromError(err, n.Range), lines)
		if err == nil && !strings.Contains(n.Str, "{{") && out.Str != n.Str {
			t.Fatalf("%q became %q", n.Str, out.Str)
		}
	})
}

// checkPlaces demands that every diagnostic says something, at a line that there is.
func checkPlaces(t *testing.T, list diag.List, lines int) {
	t.Helper()
	for _, d := range list {
		if d.Range.Line < 1 || d.Range.Line > lines || d.Range.Column < 1 || d.Summary == "" {
			t.Fatalf("bad diagnostic: %+v", d)
		}
	}
}
