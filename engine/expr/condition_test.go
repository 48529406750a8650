package expr

import (
	"strings"
	"testing"
)

func TestCondition(t *testing.T) {
	for text, want := range map[string]string{
		"when: n == 3":                                     "true",
		"when: n > 3":                                      "false",
		"when: true":                                       "true",
		"when: false":                                      "false",
		"when: on and not (n == 4) or false":               "true",
		"when: \" n == 3 \"":                               "true",
		"when: [n == 3, on]":                               "true",
		"when: [n == 3, false, item.nothere]":              "false", // the first that does not hold decides
		"when: facts.later == 1":                           "unknown",
		"when: [n == 4, facts.later == 1]":                 "false",
		"when: [facts.later == 1, n == 4]":                 "unknown",
		"when: defined(vlan) && vlan > 5":                  "false",
		"when: web.rc == 0 && len(web.results) > 1":        "true",
		"when: any(vms, .cpu > 3)":                         "true",
		"when: name in [\"bob\"] && name startsWith \"b\"": "true",
		"when: item.tags contains \"x\"":                   "error",
		"when: (\"x\" in item.tags)":                       "true",
		"when: facts.token == \"hunter2\"":                 "true",
		"when: item.ip":                                    "error",
		"when: item.null":                                  "error",
		"when: item.nothere":                               "error",
		"when: facts.os":                                   "error",
	} {
		t.Run(text, func(t *testing.T) {
			c, list := CompileCondition(parse(t, text).Entries[0].Value, testScope())
			if list.HasErrors() {
				t.Fatal(list.Err())
			}
			value, unknown, err := c.Eval(t.Context(), testValues())
			got := "false"
			switch {
			case err != nil:
				got = "error"
				if d := firstDiagnostic(t, err); d.Range.Column < 7 {
					t.Errorf("no place: %v", d)
				}
			case unknown:
				got = "unknown"
			case value:
				got = "true"
			}
			if got != want {
				t.Errorf("got %s, want %s (%v)", got, want, err)
			}
		})
	}
}

func TestConditionMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"when: name":                      "must be true or false, but this is a string\nNothing is taken",
		"when: n":                         "this is an integer",
		"when: vms":                       "len(x) > 0",
		"when: \"{{ n == 3 }}\"":          "Write: n == 3",
		"when: name == \"{{ vm.name }}\"": "without {{ }}",
		"when: yes":                       "write true",
		"when: 1":                         "not an integer",
		"when: {a: 1}":                    "not a mapping",
		"when: \"\"":                      "empty",
		"when: []":                        "empty",
		"when: [n == 3, nmae]":            `did you mean "name"?`,
		"when: name is defined":           "Write defined(name).",
		"when: n = 3":                     "Compare with ==.",
		"when: \"{% if x %}\"":            "statements",
		"when: web.rc == \"0\"":           "mismatched types int and string",
		"when: null":                      "not nothing",
	} {
		t.Run(text, func(t *testing.T) {
			c, list := CompileCondition(parse(t, text).Entries[0].Value, testScope())
			if !list.HasErrors() {
				t.Fatal("no error")
			}
			if got := list[0].Summary + "\n" + list[0].Detail; !strings.Contains(got, want) {
				t.Errorf("got %q, want %q in it", got, want)
			}
			if list[0].Range.Column < 7 {
				t.Errorf("no place: %v", list[0].Range)
			}
			if text != "when: []" {
				if _, _, err := c.Eval(t.Context(), testValues()); err == nil {
					t.Error("a broken condition was evaluated")
				}
			}
		})
	}
}

func TestConditionParts(t *testing.T) {
	c, list := CompileCondition(parse(t, "[n == 3, \"  vlan > 2\", true]"), testScope())
	if list != nil {
		t.Fatal(list)
	}
	names := c.Names()
	if len(names) != 2 || names[1].String() != "vlan" || names[1].Range.Column != 13 || !names[1].Optional {
		t.Errorf("names: %+v", names)
	}
	if c.Len() != 3 || c.Term(0).Str != "n == 3" || c.IsStatic() {
		t.Errorf("parts: %d %q", c.Len(), c.Term(0).Str)
	}
	if _, list := CompileCondition(nil, testScope()); !list.HasErrors() {
		t.Error("a missing condition compiles")
	}
}
