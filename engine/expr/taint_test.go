package expr

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/nactl/nactl/engine/source"
)

// What hangs on an unknown is unknown, what was made of a secret is secret, and
// what reads neither is neither.
func TestTaint(t *testing.T) {
	for text, want := range map[string]string{
		"{{ facts.os }}":                            "",
		"{{ facts.later }}":                         "unknown",
		"vm-{{ facts.later }}":                      "unknown",
		"{{ facts.later.deep[0] }}":                 "unknown",
		"{{ default(facts.later, 1) }}":             "unknown",
		"{{ facts.later ?? 1 }}":                    "unknown",
		"{{ defined(facts.later) }}":                "",
		"{{ defined(facts.later.deep) }}":           "",
		"{{ defined(facts.later) ? 1 : 2 }}":        "",
		"{{ on && facts.later }}":                   "unknown",
		"{{ facts.token }}":                         "secret",
		"pw={{ facts.token }}":                      "secret",
		"{{ sha256(facts.token) }}":                 "secret",
		"{{ facts.token == \"x\" }}":                "secret",
		"{{ facts.mixed.open }}":                    "",
		"{{ facts.mixed.pass }}":                    "secret",
		"{{ facts.mixed }}":                         "", // see TestChainKeepsMarkers
		"{{ facts.mixed ?? 1 }}":                    "secret",
		"{{ len(facts.mixed) }}":                    "secret",
		"{{ facts[name] ?? 1 }}":                    "unknown secret", // a dynamic index reads its root
		"{{ map([facts], .os) }}":                   "unknown secret",
		"{{ defined(facts.token) }}":                "",
		"{{ let f = facts.mixed; f.open }}":         "secret",
		"{{ facts.token }}-{{ facts.later }}":       "unknown secret",
		"{{ password_hash(facts.token, \"abc\") }}": "secret",
	} {
		t.Run(text, func(t *testing.T) {
			n, err := evaluate(t, text, testValues())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if n.Kind == source.Unknown {
				got = append(got, "unknown")
			}
			if n.Secret {
				got = append(got, "secret")
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("got %q, want %q", s, want)
			}
		})
	}
}

func TestSecretReachesEveryNode(t *testing.T) {
	n, err := evaluate(t, "{{ [facts.mixed] }}", testValues())
	if err != nil {
		t.Fatal(err)
	}
	pass := n.Items[0].Entries[1].Value
	if pass.Str != "hunter2" || !pass.Secret || !n.Items[0].Secret || !n.Items[0].Entries[0].Value.Secret {
		t.Errorf("some node is not flagged: %+v", pass)
	}
}

// A chain alone is handed on as it is: only the members concerned are marked.
func TestChainKeepsMarkers(t *testing.T) {
	values := testValues()
	values["facts"] = map[string]any{"os": "debian", "ips": []any{"10.0.0.1", Unknown{}},
		"all": NewSecret(map[string]any{"x": 1}), "m": map[string]any{"pass": NewSecret("hunter2"), "user": "u"}}
	n, err := evaluate(t, "{{ facts }}", values)
	if err != nil {
		t.Fatal(err)
	}
	if n.Secret || n.Kind != source.Map {
		t.Errorf("the whole: %+v", n)
	}
	if all := n.Get("all"); !all.Secret || !all.Get("x").Secret {
		t.Errorf("all: %+v", all)
	}
	if ips := n.Get("ips"); ips.Items[0].Str != "10.0.0.1" || ips.Items[1].Kind != source.Unknown {
		t.Errorf("ips: %+v", ips)
	}
	if m := n.Get("m"); m.Secret || !m.Get("pass").Secret || m.Get("user").Secret || m.Get("pass").Str != "hunter2" {
		t.Errorf("m: %+v", m)
	}
	if n, err := evaluate(t, "{{ facts.all }}", values); err != nil || !n.Secret || !n.Get("x").Secret {
		t.Errorf("a secret map: %+v %v", n, err)
	}
	if n, err := evaluate(t, "{{ facts.all.x }}", values); err != nil || !n.Secret {
		t.Errorf("a member of a secret map: %+v %v", n, err)
	}
}

// An error must not tell what a mask hides.
func TestFailureKeepsSecrets(t *testing.T) {
	for _, text := range []string{"{{ int(facts.token) }}", "{{ facts.token + 1 }}", "{{ size(facts.token) }}", "{{ date(facts.token) }}", "{{ file(facts.token) }}"} {
		_, err := evaluate(t, text, testValues())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSecretIsMasked(t *testing.T) {
	s := NewSecret(map[string]any{"p": "hunter2"})
	js, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	ym, err := yaml.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "in", []any{s})
	for _, got := range []string{string(js), string(ym), log.String(), s.String(), s.GoString(),
		fmt.Sprintf("%v %+v %#v %s %q %d %x", s, s, s, s, s, s, s), fmt.Sprint([]any{s}, &s), fmt.Sprintf("%#v", struct{ S Secret }{s})} {
		if strings.Contains(got, "hunter2") || !strings.Contains(got, masked) {
			t.Errorf("not masked: %s", got)
		}
	}
	if NewSecret(s).Reveal().(map[string]any)["p"] != "hunter2" {
		t.Error("a secret was wrapped twice")
	}
}

// Evaluation leaves the caller's values alone, wrappers included.
func TestValuesAreNotChanged(t *testing.T) {
	values := testValues()
	if _, err := evaluate(t, "{{ facts.mixed }} {{ combine(facts.mixed, {\"open\": 2}) }}", values); err != nil {
		t.Fatal(err)
	}
	mixed := values["facts"].(map[string]any)["mixed"].(map[string]any)
	if _, ok := mixed["pass"].(Secret); !ok || mixed["open"] != 1 {
		t.Errorf("values changed: %v", mixed)
	}
}

func TestFromNodeMarks(t *testing.T) {
	n := parse(t, "a: x\nb: [y]\n")
	secret := *n.Entries[0].Value
	secret.Secret = true
	n.Entries[0].Value = &secret
	n.Entries[1].Value = &source.Node{Kind: source.Unknown}
	got := FromNode(n).(map[string]any)
	if s, ok := got["a"].(Secret); !ok || s.Reveal() != "x" {
		t.Errorf("a: %v", got["a"])
	}
	if _, ok := got["b"].(Unknown); !ok {
		t.Errorf("b: %v", got["b"])
	}
}

// Typed outputs of steps read like plain values.
func TestGoValues(t *testing.T) {
	type state string
	values := testValues()
	values["item"] = map[string]any{"i": int64(4), "u": uint8(5), "s": state("running"), "l": []string{"a"}, "m": map[string]int{"x": 1}, "f": float32(0.5)}
	n, err := evaluate(t, "{{ [item.i + 1, item.u, item.s, item.l[0], item.m.x, item.f] }}", values)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(FromNode(n)); got != "[5 5 running a 1 0.5]" {
		t.Error(got)
	}
}
