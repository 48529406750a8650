package setpassword_test

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/setpassword"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/virttest"
)

func decode(t *testing.T, text string) (*setpassword.Args, string) {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list.Err())
	}
	var a setpassword.Args
	_, list = step.Decode(n, &a, "set_password", step.Mode{})
	list.Add(step.Validate(&a, n, false)...)
	if err := list.Err(); err != nil {
		return &a, err.Error()
	}
	return &a, ""
}

func TestArguments(t *testing.T) {
	for text, want := range map[string]string{
		"{vm: a, user: u, password: hunter22}":                           "",
		"{vm: a, user: u, password: $6$a$b, crypted: true}":              "",
		"{vm: a, user: u}":                                               `needs "password"`,
		"{vm: a, user: \"u:v\", password: x}":                            "no name of a user",
		"{vm: a, user: u, password: \"\"}":                               "empty password",
		"{vm: a, user: u, password: \"a\\nb\"}":                          "one line",
		"{vm: a, user: u, password: hunter22, crypted: true}":            "has to be a hash",
		"{vm: a, user: u, password: \"$6$a:b:hunter22\", crypted: true}": "has to be a hash",
	} {
		_, got := decode(t, text)
		if (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "hunter22") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A guard, and a hash that is there already, leave nothing to do.
func TestGuards(t *testing.T) {
	for text, tt := range map[string]struct {
		made string
		rc   func(c virt.Command) int
		err  error
	}{
		"{vm: a, user: u, password: x}":                               {made: "set_password"},
		"{vm: a, user: u, password: x, unless: test -e f}":            {},
		"{vm: a, user: u, password: x, unless: [false]}":              {made: "set_password", rc: func(virt.Command) int { return 1 }},
		"{vm: a, user: u, password: $6$a$b, crypted: true}":           {},
		"{vm: a, user: u, password: $6$a$c, crypted: true}":           {made: "set_password", rc: func(virt.Command) int { return 1 }},
		"{vm: a, user: u, password: $6$a$d, crypted: true, unless: }": {made: "set_password", err: virt.ErrUnsupported},
	} {
		cpu := virt.CPU{Count: 1, Max: 1}
		m := virttest.NewMemory(&virt.VM{Name: "a", State: virt.Running, CPU: cpu, Live: &virt.Live{CPU: cpu}})
		m.Exec = func(_ string, c virt.Command) (*virt.CommandResult, error) {
			if strings.Contains(strings.Join(c.Argv, " "), "$6$a") {
				t.Errorf("%s: the hash is an argument: %q", text, c.Argv)
			}
			if tt.err != nil {
				return nil, &virt.Error{Kind: tt.err}
			}
			r := &virt.CommandResult{}
			if tt.rc != nil {
				r.RC = tt.rc(c)
			}
			return r, nil
		}
		a, problem := decode(t, text)
		if problem != "" {
			t.Fatal(problem)
		}
		_, err := a.Ensure(t.Context(), &step.Env{Platform: m})
		if err != nil || m.Kinds() != tt.made {
			t.Errorf("%s: made %q, %v; want %q", text, m.Kinds(), err, tt.made)
		}
	}
}
