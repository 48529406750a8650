package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/source"
)

func TestTemplateValues(t *testing.T) {
	for text, want := range map[string]any{
		"plain":                                            "plain",
		"{{ n }}":                                          3,
		"{{ ratio }}":                                      2.5,
		"{{ on }}":                                         true,
		"{{ nil }}":                                        nil,
		"{{ vms[1].name }}":                                "b",
		"{{ vms[-1].name }}":                               "b",
		"{{ item[\"ip\"] }}":                               "10.0.0.9",
		"{{ item.tags }}":                                  []any{"x", "y"},
		"{{ {\"a\": {\"b\": \"}}\"}} }}":                   map[string]any{"a": map[string]any{"b": "}}"}},
		"{{ 1..3 }}":                                       []any{1, 2, 3},
		"{{ split(\"a,b\", \",\") }}":                      []any{"a", "b"},
		"{{ toPairs({\"a\": 1}) }}":                        []any{[]any{"a", 1}},
		"{{ groupBy(vms, .cpu) }}":                         map[string]any{"2": []any{map[string]any{"name": "a", "ip": "10.0.0.1", "cpu": 2}}, "4": []any{map[string]any{"name": "b", "ip": "10.0.0.2", "cpu": 4, "note": "second"}}},
		"vm-{{ n }}-{{ on }}":                              "vm-3-true",
		"{{n}}{{n}}":                                       "33",
		"{{ ratio }} and {{ 4 / 2 }}":                      "2.5 and 2",
		"{{ item.tags }}!":                                 `["x","y"]!`,
		"{{ {\"b\": 1, \"a\": \"<\"} }}!":                  `{"a":"<","b":1}!`,
		"{{ duration(\"90s\") }}":                          "1m30s",
		"{{ date(\"2020-01-02\").Year() }}":                2020,
		"{{ \"http://x/*\" }}":                             "http://x/*",
		"{{ defined(facts.later) ? 1 : 2 }}":               1,
		"{{ defined(facts.later.deep) ? 1 : 2 }}":          1,
		"printf '{%s}' ${#list} ${x#}":                     "printf '{%s}' ${#list} ${x#}",
		"{{ \"{{\" }}":                                     "{{",
		"{{ '}}' }}":                                       "}}",
		"a } b }} c":                                       "a } b }} c",
		"{{ name | upper() }}":                             "BOB",
		"{{ ternary(n > 1, 'a', 'b') }}":                   "a",
		"{{ n + 1 - 5 * -2 }}":                             14,
		"{{ 9223372036854775806 + 1 }}":                    9223372036854775807,
		"{{ -1 * 9223372036854775807 }}":                   -9223372036854775807,
		"{{ 0 * n - 0 + 0 }}":                              0,
		"{{ ratio * 2 + n }}":                              8.0,
		"{{ item.tags[0] + \"z\" }}":                       "xz",
		"{{ if n > 1 { 5 } else { 6 } }}":                  5,
		"{{ let x = name; x + x }}":                        "bobbob",
		"{{ map(vms, .ip) }}":                              []any{"10.0.0.1", "10.0.0.2"},
		"{{ filter(vms, .cpu > 2)[0].name }}":              "b",
		"{{ sum(vms, .cpu) }}":                             6,
		"{{ find(vms, .name == \"b\").ip }}":               "10.0.0.2",
		"{{ default(vlan, 7) }}":                           7,
		"{{ vlan ?? 7 }}":                                  7,
		"{{ undeclared.deep ?? 7 }}":                       7,
		"{{ default(undeclared, 7) }}":                     7,
		"{{ default(vm.undeclared, 7) }}":                  7,
		"{{ item.null ?? 7 }}":                             7,
		"{{ default(item[name], 7) }}":                     7,
		"{{ default(vms[9].name, 7) }}":                    7,
		"{{ default(filter(vms, .cpu > 99)[0].name, 7) }}": 7,
		"{{ defined(vlan) }}":                              false,
		"{{ defined(vm.name) }}":                           true,
		"{{ defined(undeclared.x) }}":                      false,
		"{{ defined(item.null) }}":                         false,
		"{{ defined(find(vms, .cpu == 9)) }}":              false,
		"{{ defined(vlan) ? vlan : 1 }}":                   1,
		"{{ item?.no?.way }}":                              nil,
		"{{ find(vms, .cpu == 9)?.name }}":                 nil,
		"{{ n == 3 && not (n in [1]) }}":                   true,
		"{{ [n, n] == [3, 3] }}":                           true,
		"{{ [n] != [3] }}":                                 false,
		"{{ item in [item] }}":                             true,
		"{{ name matches \"^b\" }}":                        true,
		"{{ name matches (\"^\" + name) }}":                true,
	} {
		t.Run(text, func(t *testing.T) {
			n, err := evaluate(t, text, testValues())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, FromNode(n)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTemplateTree(t *testing.T) {
	n := parse(t, "- create_vm:\n    name: \"{{ vm.name }}-x\"\n    cpu: \"{{ vm.cpu }}\"\n    disks: [{size: 4GiB}]\n")
	tmpl, list := CompileNode(n, testScope())
	if list != nil {
		t.Fatal(list)
	}
	if tmpl.IsStatic() {
		t.Error("a tree with expressions is static")
	}
	got, err := tmpl.Eval(t.Context(), testValues())
	if err != nil {
		t.Fatal(err)
	}
	args := got.Items[0].Entries[0].Value
	want := map[string]any{"name": "a-x", "cpu": 2, "disks": []any{map[string]any{"size": "4GiB"}}}
	if diff := cmp.Diff(want, FromNode(args)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	was := n.Items[0].Entries[0].Value
	if args.Entries[1].Value.Range != was.Entries[1].Value.Range {
		t.Error("the range of a value was lost")
	}
	if args.Entries[2].Value != was.Entries[2].Value {
		t.Error("a static subtree was copied")
	}
	var names []string
	for _, c := range tmpl.Names() {
		names = append(names, c.String())
	}
	if diff := cmp.Diff([]string{"vm.name", "vm.cpu"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestStaticTreeIsGivenBack(t *testing.T) {
	n := parse(t, "a: [1, {b: c}]\n")
	tmpl, list := CompileNode(n, testScope())
	got, err := tmpl.Eval(t.Context(), nil)
	if list != nil || err != nil || !tmpl.IsStatic() || got != n {
		t.Errorf("static tree: %v %v %v, same node: %v", list, err, tmpl.IsStatic(), got == n)
	}
}

// Each mistake is found at its place: |n| marks it in the text.
func TestTemplateMistakes(t *testing.T) {
	for _, c := range []struct{ text, summary, detail string }{
		{`x: "VM {{ |nmae| }}"`, `unknown name nmae, did you mean "name"?`, ""},
		{`x: "{{ vm.|nmae| }}"`, `vm has no member "nmae", did you mean "name"?`, "It has: cpu, ip, name, note."},
		{`x: "\t{{ vm[|\"nmae\"] }}"`, `vm has no member "nmae"`, ""},
		{`x: '{{ web.results[0].|nam| }}'`, `web.results[0] has no member "nam", did you mean "name"?`, ""},
		{`x: "{{ web.results.|name| }}"`, `web.results is a list and has no member "name"`, "web.results[0].name"},
		{`x: "{{ map(vms, .|nmae|) }}"`, `unknown member "nmae", did you mean "name"?`, ""},
		{`x: "{{ name.|first| }}"`, "name is a string and has no members", ""},
		{`x: "{{ name[|0] }}"`, "name is a string and has no members", "name[0:1]"},
		{`x: "a {{ |uper(name) }}"`, `unknown function uper, did you mean "upper"?`, ""},
		{`x: "{{ upper(|n) }}"`, "cannot use int as argument (wanted: string) to call upper", ""},
		{`x: "{{ name |+ n }}"`, "mismatched types string and int", "string(x)"},
		{`x: "{{ |lenght }}"`, "unknown name lenght", ""},
		{`x: "{{ |upper }}"`, "unknown name upper", "upper is a function"},
		{`x: "a |{{ name"`, "this {{ is never closed", ""},
		{`x: "a |{{ }}"`, "this expression is empty", ""},
		{`x: "{{ name|"`, "", ""},
		{`x: "|{% if n %}x{% endif %}"`, "{% … %} statements are not part of this language", "cond ? a : b"},
		{`x: "{{ |$env }}"`, "unknown name $env", ""},
		{`x: "{{ |$add(1, 2) }}"`, "unknown name $add", ""},
		{`x: "{{ let |name = 1; name }}"`, "name is already a variable", ""},
		{`x: "{{ |now() }}"`, "now is not available", ""},
		{`x: "{{ |reduce(1..3, #acc + #) }}"`, "reduce is not available", ""},
		{`x: "{{ |default(n) }}"`, "default takes other arguments", ""},
		{`x: "{{ defined(|\"n\") }}"`, "defined takes a variable", "Write defined(n)."},
		{`{|"{{ name }}": 1}`, "a key cannot hold an expression", ""},
		{`x: "{{ 1 + |"`, "", ""},
		{`x: "a |{# why #}"`, "{# … #} comments are not part of this language", ""},
		{`x: "|{%- for x in vms %}{{ x }}{% endfor %}"`, "{% … %} statements are not part of this language", "map(list"},
		{`x: "{{ n |// 2 }}"`, "// is no operator here", "int(a / b)"},
		{`x: "{{ n |/* two */ }}"`, "/* is no operator here", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			column := strings.Index(c.text, "|") + 1
			text := strings.ReplaceAll(c.text, "|", "")
			if c.summary == "" { // a text that YAML itself or the splitter refuses in its own way
				text += `"`
				if _, list := source.Parse("play.yml", []byte(text)); list.HasErrors() {
					return
				}
			}
			_, list := CompileNode(parse(t, text), testScope())
			if !list.HasErrors() {
				t.Fatal("no error")
			}
			d := list[0]
			if !strings.Contains(d.Summary, c.summary) || !strings.Contains(d.Detail, c.detail) {
				t.Errorf("got %q\n%q", d.Summary, d.Detail)
			}
			if c.summary != "" && d.Range.Pos.String() != "play.yml:1:"+itoa(column) {
				t.Errorf("at %s, want column %d", d.Range.Pos, column)
			}
		})
	}
}

func itoa(n int) string { return formatFloat(float64(n)) }

func TestJinjaHabits(t *testing.T) {
	for text, want := range map[string]string{
		"name | upper":                "x | upper(), or upper(x)",
		"name | default('x') | lower": "lower(x)",
		"name is defined":             "defined(name)",
		"vm.note is not defined":      "not defined(vm.note)",
		"vm.note is none":             "vm.note == nil",
		"web is changed":              "web.changed",
		"'it''s'":                     `\'`,
		"name ~ name":                 "a + b",
		"1 if on else 2":              "cond ? a : b",
		"name = 'x'":                  "==",
		"[x for x in vms]":            "map(list",
		"True":                        "true",
		"None":                        "nil",
		"inventory_hostname":          "target.name",
		"hostvars":                    "targets",
		"lookup('env', 'USER')":       `env("USER")`,
		"lookup('file', 'x')":         `file("x")`,
		"vms | selectattr('cpu')":     "filter(list",
		"vms | length()":              "len(x)",
		"item.items()":                "toPairs(item)",
		"name.startswith('b')":        `name startsWith "a"`,
		"name.upper()":                "upper(name)",
		"name | regex_search('x')":    "regex_find",
	} {
		t.Run(text, func(t *testing.T) {
			_, list := CompileNode(str("{{ "+text+" }}"), testScope())
			if !list.HasErrors() {
				t.Fatal("no error")
			}
			if got := list[0].Summary + "\n" + list[0].Detail; !strings.Contains(got, want) {
				t.Errorf("got %q, want %q in it", got, want)
			}
		})
	}
}

// What is only known at run time fails at its place, and only when it is read.
func TestTemplateFailures(t *testing.T) {
	for text, want := range map[string]string{
		"{{ vlan }}":                     "1:1: vlan is not set",
		"{{ item.pi }}":                  `item has no member "pi", did you mean "ip"?`,
		"{{ item.null.x }}":              "item.null is nothing, so it has no x",
		"{{ item.tags[5] }}":             "item.tags has 2 elements and none at index 5",
		"{{ item.ip.x }}":                "item.ip is a string and has no members",
		"{{ item[name] }}":               `a mapping has no member "bob"`,
		"{{ map([item], .pi) }}":         `a mapping has no member "pi", did you mean "ip"?`,
		"x{{ item.null }}":               "item.null is nothing and cannot be put into text",
		"{{ item.ip + 1 }}":              "cannot add a string and an integer",
		"{{ 9223372036854775807 + n }}":  "does not fit an integer",
		"{{ -9223372036854775807 - n }}": "does not fit an integer",
		"{{ 9223372036854775807 * n }}":  "does not fit an integer",
		"{{ n * -9223372036854775807 }}": "does not fit an integer",
		"{{ item.null - n }}":            "cannot subtract nothing and an integer",
		"{{ item.tags * n }}":            "cannot multiply a list and an integer",
		"{{ int(item.ip) }}":             "this is no integer",
		"{{ item.ip && true }}":          "a boolean is wanted here, but the value is a string",
		"{{ 1 % 0 }}":                    "divides by zero",
		"{{ 1 / 0 }}":                    "no number",
		"{{ join(item.tags, 1) }}":       "cannot use int as argument",
		"{{ join([1, 2]) }}":             "element 0 is an integer",
		"{{ size(\"4\") }}":              "write 4GiB or 4MiB",
		"{{ file(\"/etc/shadow\") }}":    "lies outside",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := evaluate(t, text, testValues())
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); !strings.Contains(got, want) || !strings.Contains(got, "play.yml:1:") {
				t.Errorf("got %q, want %q in it", got, want)
			}
		})
	}
}

func TestFailureColumn(t *testing.T) {
	n := parse(t, "x: \"ü {{ n }} {{ item.pi }}\"")
	tmpl, list := CompileNode(n, testScope())
	if list != nil {
		t.Fatal(list)
	}
	_, err := tmpl.Eval(t.Context(), testValues())
	d := firstDiagnostic(t, err)
	if d.Range.Column != 23 || d.Range.Width != 2 {
		t.Errorf("at %s width %d, want column 23 width 2", d.Range.Pos, d.Range.Width)
	}
}

func TestAllFailuresAreCollected(t *testing.T) {
	n := parse(t, "a: \"{{ nmae }} {{ mn }}\"\nb: [\"{{ upper }}\"]\n")
	_, list := CompileNode(n, testScope())
	if len(list) != 3 {
		t.Errorf("%d diagnostics, want 3: %v", len(list), list)
	}
}

// A missing value fails only where it is read.
func TestMissingValueIsReadLazily(t *testing.T) {
	for _, text := range []string{"{{ on || vlan > 1 }}", "{{ n == 3 ? 1 : vlan }}", "{{ len(vms) == 0 || vms[7].cpu > 1 || true }}"} {
		_, err := evaluate(t, text, testValues())
		if missing := strings.Contains(text, "vms[7]"); (err != nil) != missing {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWrongDeclaredType(t *testing.T) {
	values := testValues()
	values["n"] = "three"
	_, err := evaluate(t, "{{ n + 1 }}", values)
	if err == nil || !strings.Contains(err.Error(), "n should be an integer but is a string") {
		t.Errorf("got %v", err)
	}
	values["ratio"] = 2
	if got, err := evaluate(t, "{{ ratio * 2 }}", values); err != nil || got.Float != 4 {
		t.Errorf("an integer where a number is declared: %v %v", got, err)
	}
}

func TestChains(t *testing.T) {
	n := parse(t, `"{{ default(vlan, 1) }} {{ vlan }} {{ vms[0].note }} {{ targets[name].x ?? 1 }} {{ defined(item.a) && item.a.b == 1 }}"`)
	tmpl, list := CompileNode(n, testScope())
	if list != nil {
		t.Fatal(list)
	}
	var got []string
	for _, c := range tmpl.Names() {
		s := c.String() + "@" + itoa(c.Range.Column)
		if c.Guarded {
			s += " guarded"
		}
		if c.Optional {
			s += " optional"
		}
		got = append(got, s)
	}
	want := []string{"vlan@13 guarded optional", "vlan@28 optional", "vms[0].note@39 optional",
		"targets@57 guarded optional", "name@65 guarded", "item.a@92 guarded", "item.a.b@103 guarded"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestType(t *testing.T) {
	for text, want := range map[string]*Type{
		"{{ vms }}": ListOf(testScope().names["vm"].Type), "{{ n + 1 }}": IntType, "a{{ n }}": StringType,
		"{{ item.x }}": AnyType, "{{ n > 1 }}": BoolType, "{{ map(vms, .cpu) }}": AnyList, "x": StringType,
	} {
		tmpl, list := CompileNode(str(text), testScope())
		if list != nil {
			t.Fatal(list)
		}
		if diff := cmp.Diff(want, tmpl.Type()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestTypeOf(t *testing.T) {
	got := TypeOf(parse(t, "[{name: a, cpu: 1}, {name: b, cpu: 1.5, tpl: \"{{ x }}\"}]"))
	want := ListOf(ClosedMap(map[string]Field{
		"name": {Type: StringType}, "cpu": {Type: FloatType}, "tpl": {Type: AnyType, Optional: true},
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	opt := ClosedMap(map[string]Field{"a": {Type: IntType, Optional: true}})
	req := ClosedMap(map[string]Field{"a": {Type: IntType}})
	if !Union(req, opt).Fields["a"].Optional || !Union(opt, req).Fields["a"].Optional || Union(req, ClosedMap(req.Fields)).Fields["a"].Optional {
		t.Error("a union lost what is optional")
	}
	if u := Union(ClosedMap(map[string]Field{"a": {Type: IntType}}), OpenMap); !u.Open || u.Fields["a"].Type != AnyType || !u.Fields["a"].Optional {
		t.Errorf("union with an open map: %+v", u)
	}
}
