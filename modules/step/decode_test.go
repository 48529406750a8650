package step_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/source/sourcetest"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/modules/step"
)

// args has an argument of every kind that steps use.
type args struct {
	Name   string                   `arg:"name,required,identity"`
	Kind   string                   `arg:"kind" enum:"one|two" default:"one"`
	N      int                      `arg:"n" min:"1" max:"9" default:"3"`
	Flag   bool                     `arg:"flag"`
	On     bool                     `arg:"on" default:"true"`
	List   []string                 `arg:"list"`
	Map    map[string]string        `arg:"map"`
	Opt    step.Opt[int]            `arg:"opt" min:"1"`
	Text   step.Opt[string]         `arg:"text" enum:"a|b"`
	Size   step.Opt[step.Size]      `arg:"size"`
	Wait   step.Duration            `arg:"wait" default:"60s"`
	Argv   step.Argv                `arg:"argv"`
	Guard  *step.Guard              `arg:"guard"`
	Subs   []sub                    `arg:"subs"`
	Bare   step.Opt[bare]           `arg:"bare"`
	Any    *source.Node             `arg:"any"`
	Checks []step.Checked           `arg:"checks"`
	Sizes  step.Opt[[]step.Size]    `arg:"sizes"`
	Nested map[string]step.Size     `arg:"nested"`
	Deep   step.Opt[map[string]sub] `arg:"deep"`
	common
}

type common struct {
	Shared string `arg:"shared"`
}

type sub struct {
	ID   int              `arg:"id,required"`
	Note string           `arg:"note" default:"none"`
	Opt  step.Opt[string] `arg:"opt"`
}

type bare struct {
	Count step.Opt[int] `arg:"count" min:"1"`
	Max   step.Opt[int] `arg:"max"`
}

func (*bare) Bare() string { return "count" }

func parse(t testing.TB, text string) *source.Node {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	return n
}

func dynamic(n *source.Node) bool { return n.Kind == source.String && strings.Contains(n.Str, "{{") }

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"{name: x}":                                                           "x kind=one n=3 on=true wait=1m0s",
		"{name: 0644, kind: two, n: 9}":                                       "0644 kind=two n=9 on=true wait=1m0s",
		"{name: x, on: false, flag: true}":                                    "x kind=one n=3 flag=true wait=1m0s",
		"{name: x, list: [a, 1, true, 0x1F]}":                                 "x kind=one n=3 on=true wait=1m0s list=[a 1 true 0x1F]",
		"{name: x, map: {A: 1, B: b}}":                                        "x kind=one n=3 on=true wait=1m0s map=map[A:1 B:b]",
		"{name: x, opt: 4, text: b, size: 4GiB, wait: 2m}":                    "x kind=one n=3 on=true wait=2m0s opt=4 text=b size=4294967296",
		"{name: x, opt: null, text: null}":                                    "x kind=one n=3 on=true wait=1m0s",
		"{name: x, argv: [ls, -l], guard: test -e x}":                         "x kind=one n=3 on=true wait=1m0s argv=[ls -l] guard=[]/test -e x",
		"{name: x, guard: [test, -e, x], shared: s}":                          "x kind=one n=3 on=true wait=1m0s guard=[test -e x]/ shared=s",
		"{name: x, subs: [{id: 1}, {id: 2, note: n, opt: o}]}":                "x kind=one n=3 on=true wait=1m0s subs=1/none/,2/n/o",
		"{name: x, bare: 2}":                                                  "x kind=one n=3 on=true wait=1m0s bare=2/",
		"{name: x, bare: {count: 2, max: 4}}":                                 "x kind=one n=3 on=true wait=1m0s bare=2/4",
		"{name: x, any: {k: [1]}}":                                            "x kind=one n=3 on=true wait=1m0s any=map[k:[1]]",
		"{name: x, checks: [{expr: a, ok: true}]}":                            "x kind=one n=3 on=true wait=1m0s checks=[{a true}]",
		"{name: x, sizes: [1KiB, 2KiB], nested: {a: 1B}, deep: {k: {id: 1}}}": "x kind=one n=3 on=true wait=1m0s sizes=[1024 2048] nested=map[a:1] deep=map[k:{1 none }]",
		"{name: x, list: null, map: null, guard: null, subs: null}":           "x kind=one n=3 on=true wait=1m0s",
		"{name: x, kind: null, n: null, flag: null}":                          "x kind=one n=3 on=true wait=1m0s",
	} {
		var a args
		info, list := step.Decode(parse(t, text), &a, "probe", step.Mode{})
		if len(list) > 0 || len(info.Unknown) > 0 || info.Dynamic {
			t.Errorf("%s: %v, %+v", text, list, info)
			continue
		}
		if got := a.tell(); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", text, got, want)
		}
	}
}

func (a args) tell() string {
	parts := []string{a.Name}
	add := func(key string, v any) {
		if s := fmt.Sprint(v); s != "" && s != "[]" && s != "map[]" && s != "false" && s != "0" {
			parts = append(parts, key+"="+s)
		}
	}
	add("kind", a.Kind)
	add("n", a.N)
	add("flag", a.Flag)
	add("on", a.On)
	add("wait", time.Duration(a.Wait))
	add("opt", a.Opt)
	add("text", a.Text)
	add("size", a.Size)
	add("list", a.List)
	add("map", a.Map)
	add("argv", a.Argv)
	if a.Guard != nil {
		add("guard", fmt.Sprintf("%v/%s", a.Guard.Argv, a.Guard.Shell))
	}
	add("shared", a.Shared)
	var subs []string
	for _, s := range a.Subs {
		subs = append(subs, fmt.Sprintf("%d/%s/%s", s.ID, s.Note, s.Opt))
	}
	add("subs", strings.Join(subs, ","))
	if b, ok := a.Bare.Get(); ok {
		add("bare", fmt.Sprintf("%s/%s", b.Count, b.Max))
	}
	if a.Any != nil {
		add("any", a.Any.Any())
	}
	add("checks", a.Checks)
	add("sizes", a.Sizes)
	add("nested", a.Nested)
	add("deep", a.Deep)
	return strings.Join(parts, " ")
}

func TestDecodeErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                                    `1:1: probe needs "name"`,
		"[a]":                                   `1:1: probe: wanted a mapping of arguments, found a list`,
		"{name: x, nmae: y}":                    `1:11: unknown key "nmae" in probe, did you mean "name"?`,
		"{name: [x]}":                           `1:8: name: wanted a text, found a list`,
		"{name: x, kind: three}":                `1:17: kind is one of one, two, found "three"`,
		"{name: x, n: 0}":                       `1:14: n has to be at least 1, found 0`,
		"{name: x, n: 10}":                      `1:14: n has to be at most 9, found 10`,
		"{name: x, n: '5'}":                     `1:14: n: wanted an integer, found a string, "5"`,
		"{name: x, flag: yes}":                  `1:17: flag: wanted true or false, found a string, "yes"; write true`,
		"{name: x, list: a}":                    `1:17: list: wanted a list, found a string; write it in [ ]`,
		"{name: x, list: [[a]]}":                `1:18: list[0]: wanted a text, found a list`,
		"{name: x, map: [a]}":                   `1:16: map: wanted a mapping, found a list`,
		"{name: x, opt: 0}":                     `1:16: opt has to be at least 1, found 0`,
		"{name: x, text: c}":                    `1:17: text is one of a, b, found "c"`,
		"{name: x, size: 4}":                    `1:17: size: 4 has no unit: write 4MiB or 4GiB`,
		"{name: x, size: true}":                 `1:17: size: wanted a size such as 4GiB, found a boolean`,
		"{name: x, wait: 5}":                    `1:17: wait: 5 has no unit: write 5s or 5m`,
		"{name: x, wait: -5s}":                  `1:17: wait: "-5s" is not a duration`,
		"{name: x, wait: []}":                   `1:17: wait: wanted a duration such as 90s, found a list`,
		"{name: x, argv: []}":                   `1:17: argv: the list of arguments is empty`,
		"{name: x, argv: ls -l}":                `1:17: argv: wanted a list of arguments, as [ls, -l]; for a command line use shell`,
		"{name: x, argv: [{}]}":                 `1:17: argv: wanted a list of texts, found a mapping in it`,
		"{name: x, subs: [{note: n}]}":          `1:18: subs[0] needs "id"`,
		"{name: x, subs: [{id: 1}, {id: one}]}": `1:32: subs[1].id: wanted an integer, found a string, "one"`,
		"{name: x, bare: two}":                  `1:17: bare.count: wanted an integer, found a string, "two"`,
		"{name: x, bare: {count: 0}}":           `1:25: bare.count has to be at least 1, found 0`,
		"{name: x, nested: {a: 1}}":             `1:23: nested.a: 1 has no unit`,
		"{name: null}":                          `1:1: probe needs "name"`,
	} {
		var a args
		_, list := step.Decode(parse(t, text), &a, "probe", step.Mode{})
		if len(list) != 1 || !strings.Contains(list[0].Error(), "p.yml:"+want) {
			t.Errorf("%s: %v; want one error, %s", text, list, want)
		}
	}
	// At load a key with nothing behind it is a slip of the pen.
	var a args
	if _, list := step.Decode(parse(t, "{name: x, kind: }"), &a, "probe", step.Mode{Dynamic: dynamic}); len(list) != 1 {
		t.Errorf("an empty argument at load: %v", list)
	}
}

func TestDecodeAllErrorsAtOnce(t *testing.T) {
	var a args
	_, list := step.Decode(parse(t, "{nmae: x, n: 0, flag: 1, subs: [{}, {id: x}]}"), &a, "probe", step.Mode{})
	if len(list) != 6 {
		t.Errorf("%d errors, want 6: %v", len(list), list)
	}
}

func TestDecodeUnknown(t *testing.T) {
	unknown := &source.Node{Kind: source.Unknown}
	of := func(entries ...any) *source.Node {
		m := &source.Node{Kind: source.Map}
		for i := 0; i < len(entries); i += 2 {
			m.Entries = append(m.Entries, source.Entry{Key: source.FromAny(entries[i], diag.Range{}), Value: source.FromAny(entries[i+1], diag.Range{})})
		}
		return m
	}
	for name, tc := range map[string]struct {
		n    *source.Node
		want []string
	}{
		"nothing":        {of("name", "x"), nil},
		"identity":       {of("name", unknown), []string{"name"}},
		"optional":       {of("name", "x", "opt", unknown, "bare", unknown), nil},
		"in an optional": {of("name", "x", "bare", of("count", unknown)), nil},
		"plain":          {of("name", "x", "n", unknown, "flag", unknown), []string{"n", "flag"}},
		"an enum":        {of("name", "x", "kind", unknown), []string{"kind"}},
		"in a list":      {of("name", "x", "list", []any{"a", unknown}), []string{"list[1]"}},
		"in a notation":  {of("name", "x", "argv", []any{"a", unknown}), []string{"argv"}},
		"in a struct":    {of("name", "x", "subs", []any{of("id", unknown)}), []string{"subs[0].id"}},
		"any value":      {of("name", "x", "any", unknown), nil},
		"all":            {unknown, []string{"probe"}},
	} {
		var a args
		info, list := step.Decode(tc.n, &a, "probe", step.Mode{})
		if len(list) > 0 || !reflect.DeepEqual(info.Unknown, tc.want) {
			t.Errorf("%s: unknown are %q, want %q; %v", name, info.Unknown, tc.want, list)
		}
	}
	var a args
	step.Decode(of("name", "x", "opt", unknown, "bare", of("count", unknown, "max", 4)), &a, "probe", step.Mode{})
	if !a.Opt.IsUnknown() || !a.Bare.IsSet() || a.Bare.IsUnknown() {
		t.Errorf("opt is %v, bare %v", a.Opt, a.Bare)
	}
}

// What is computed later is taken for well-formed at load.
func TestDecodeDynamic(t *testing.T) {
	for text, dyn := range map[string]bool{
		`{name: x}`:         false,
		`{name: "{{ a }}"}`: true,
		`{name: x, n: "{{ a }}", flag: "{{ a }}", kind: "{{ a }}", opt: "{{ a }}", text: "{{ a }}", size: "{{ a }}", wait: "{{ a }}"}`: true,
		`{name: x, list: "{{ a }}", map: "{{ a }}", argv: [ls, "{{ a }}"], subs: [{id: "{{ a }}"}, "{{ a }}"], bare: "{{ a }}"}`:       true,
		`{name: x, guard: "{{ a }}"}`: true,
		`"{{ a }}"`:                   true,
	} {
		var a args
		info, list := step.Decode(parse(t, text), &a, "probe", step.Mode{Dynamic: dynamic})
		if len(list) > 0 || info.Dynamic != dyn {
			t.Errorf("%s: dynamic is %v, want %v; %v", text, info.Dynamic, dyn, list)
		}
	}
}

// Every default of every step decodes; Decode panics on one that does not.
func TestDefaults(t *testing.T) {
	for _, spec := range modules.Registry().All() {
		if !spec.Vars {
			step.Decode(&source.Node{Kind: source.Map}, spec.New(), spec.Name, step.Mode{})
		}
	}
}

// FuzzDecode: no arguments whatsoever make a step's decoder or validation panic,
// neither at load nor at run time.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"{name: x, subs: [{id: 1}], bare: 2}", "[]", "x", "{name: {a: [1]}, argv: {}, guard: 1}", "{vm: a, for: port, network: 10.0.0.0/8}",
		"{name: a, disks: [{name: d, size: 1GiB}], nics: [{network: n, address: x}], cpu: {count: 4, max: 2, topology: {cores: 3}}, boot: [hd, 1], users: [{name: u, sudo: 1}]}",
		"{vm: a, count: 99999999999999999999, topology: {sockets: 9223372036854775807, cores: 9223372036854775807}}",
	} {
		f.Add(text)
	}
	specs := modules.Registry().All()
	for _, text := range sourcetest.Texts(f, 8192) {
		n, _ := source.Parse("p.yml", []byte(text))
		addArguments(f, n)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, list := source.Parse("p.yml", []byte(text))
		if n == nil || list.HasErrors() {
			return
		}
		for _, mode := range []step.Mode{{}, {Dynamic: dynamic}} {
			var a args
			step.Decode(n, &a, "probe", mode)
			for _, spec := range specs {
				s := spec.New()
				info, list := step.Decode(n, s, spec.Name, mode)
				if !list.HasErrors() {
					step.Validate(s, n, info.Dynamic)
				}
			}
		}
	})
}

// addArguments adds what stands under the step words of a text, as seeds.
func addArguments(f *testing.F, n *source.Node) {
	if n == nil {
		return
	}
	for _, e := range n.Entries {
		if modules.Registry().Lookup(e.Key.Str) != nil {
			if text, err := json.Marshal(e.Value.Any()); err == nil {
				f.Add(string(text)) // JSON is YAML
			}
		}
		addArguments(f, e.Value)
	}
	for _, item := range n.Items {
		addArguments(f, item)
	}
}
