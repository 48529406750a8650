package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// put writes files beside the playbook.
func (s *stage) put(files map[string]string) {
	s.t.Helper()
	for name, text := range files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// What is nearer to the step wins: see the list in docs.
func TestRoleVariables(t *testing.T) {
	s := on(t, "n1")
	s.vars["n1"] = map[string]any{"a": "inventory", "b": "inventory", "c": "inventory", "d": "inventory", "e": "inventory", "f": "inventory"}
	s.put(map[string]string{
		"roles/web/defaults.yml": "b: default\nc: default\nd: default\ne: default\nf: default\n",
		"roles/web/vars.yml":     "d: role\ne: role\nf: role\n",
		"roles/web/steps.yml":    "- debug: \"{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }}\"\n  vars: {f: step}\n",
	})
	x := s.play(onAll("vars: {c: play, d: play, e: play, f: play}\nroles: [{role: web, vars: {e: use, f: use}}]", "- debug: \"{{ b }} {{ c }} {{ d }}\""))
	s.want("said", x.said(), "inventory default play role use step|inventory play play")
	s.opts.Extra = map[string]*source.Node{"f": source.FromAny("extra", diag.Range{})}
	x = s.play(onAll("vars: {c: play, d: play, e: play, f: play}\nroles: [web]", "- debug: x"))
	s.want("said", x.said(), "inventory default play role role extra|x")
}

func TestInputs(t *testing.T) {
	s := on(t, "n1")
	s.put(map[string]string{
		"roles/web/inputs.yml": "port: {type: integer}\nkey: {secret: true, default: verysecret}\n",
		"roles/web/steps.yml":  "- debug: \"{{ port }} {{ key }}\"\n",
	})
	s.opts.Mask = event.NewMask()
	x := s.play(onAll("vars: {n: 80, t: high}\nroles: [{role: web, vars: {port: \"{{ n }}\"}}, {role: web, vars: {port: \"{{ t }}\"}}]", "- debug: end"))
	s.want("results", x.results(), `ok
failed: input port: wanted an integer, found a string, "high"`)
	if got := s.opts.Mask.String("verysecret"); strings.Contains(got, "verysecret") {
		t.Error("a secret input is not masked")
	}
	x = s.play(onAll("inputs: {n: {type: integer, default: 3}, m: {type: integer, default: \"{{ n + 1 }}\"}}", "- debug: \"{{ n }} {{ m }}\""))
	s.want("said", x.said(), "3 4")
}

// What a role is told in secret stays so in the roles that it uses, and a number
// is as secret as a text.
func TestSecretInputOfTheRoleAround(t *testing.T) {
	s := on(t, "n1")
	s.put(map[string]string{
		"roles/outer/inputs.yml": "key: {secret: true}\npin: {secret: true, type: integer}\n",
		"roles/outer/steps.yml":  "- {role: inner, vars: {text: \"{{ key }} {{ pin }}\"}}\n",
		"roles/inner/steps.yml":  "- debug: \"{{ text }}\"\n",
	})
	s.opts.Mask = event.NewMask()
	x := s.play(onAll("roles: [{role: outer, vars: {key: \"{{ 'very' + 'secret' }}\", pin: \"{{ 123456 + 1 }}\"}}]", "- debug: end"))
	said := s.opts.Mask.String(x.said())
	for _, secret := range []string{"verysecret", "123457"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s is not masked in %s", secret, said)
		}
	}
	_, _, list := s.prepare(onAll("inputs: {keys: {type: list, secret: true}}", "- debug: x"))
	if !list.HasErrors() || !strings.Contains(list.Err().Error(), "a secret is a text or a number") {
		t.Error(list.Err())
	}
}

// A role in check mode changes nothing, nor do its handlers.
func TestCheckModeOfARole(t *testing.T) {
	s := on(t, "n1", vm("x", virt.Running))
	s.put(map[string]string{
		"roles/cpu/steps.yml":    "- set_cpu: {vm: x, count: 2}\n  notify: more\n",
		"roles/cpu/handlers.yml": "- name: more\n  set_memory: {vm: x, size: 2GiB}\n",
	})
	x := s.play(onAll("roles: [{role: cpu, check_mode: true}]", "- debug: end"))
	s.want("results", x.results(), "changed\nok\nchanged")
	s.want("changes", s.targets["n1"].Kinds(), "")
}
