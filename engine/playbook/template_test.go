package playbook

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/expr"
)

func TestTemplates(t *testing.T) {
	pb, said := loadFiles(t, map[string]string{
		"play.yml": `
- name: P
  targets: n1
  vars: {port: 80}
  roles: [web]
  steps:
    - guest_file: {vm: a, path: /a, template: a.conf}
    - guest_file: {vm: a, path: /a, template: plain}
    - create_vm: {name: b, run: [[apt, update], "apt update", {template: first.sh}]}
`,
		"a.conf":                     "port {{ port }}\n",
		"plain":                      "no expression in it\n",
		"first.sh":                   "#!/bin/sh\necho {{ target.name }}\n",
		"roles/web/steps.yml":        "- include: more.yml\n- guest_file: {vm: a, path: /a, template: plain}\n",
		"roles/web/more.yml":         "- guest_file: {vm: a, path: /a, template: a.conf}\n",
		"roles/web/templates/a.conf": "role's {{ port }}\n",
	})
	if said != "" {
		t.Fatal(said)
	}
	want := []string{"role's 8080\n", "no expression in it\n", "port 8080\n", "no expression in it\n", "#!/bin/sh\necho n1\n"}
	values := expr.Values{"port": 8080, "target": map[string]any{"name": "n1"}}
	for i, s := range pb.Plays[0].Steps {
		args, err := s.Compiled.Args.Eval(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		n := args.Get("template")
		if run := args.Get("run"); run != nil {
			n = run.Items[2].Get("template")
		}
		if n == nil || n.Str != want[i] {
			t.Errorf("%s gets %q, want %q", s.ID, n.Str, want[i])
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	for name, tc := range map[string]struct{ steps, template, want string }{
		"unknown name":      {"", "a\r\nport {{ prot }}\n", `t:2:9: unknown name prot, did you mean "port"?`},
		"unknown in a loop": {"", "{{ port }}\n\n{{ item }}", `t:3:4: unknown name item`},
		"read too early":    {"", "{{ late.msg }}", `t:1:4: "late" is read before step debug`},
		"statement":         {"", "a\n  {% for x in y %}\n{% endfor %}", "t:2:3: {% … %} statements are not part of this language"},
		"Jinja comment":     {"", "a {# b #}", "t:1:3: {# … #} comments are not part"},
		"never closed":      {"", "\n {{ port", "t:2:2: this {{ is never closed"},
		"syntax":            {"", "x\n{{ port + }}", "t:2:"},
		"no such file":      {"guest_file: {vm: a, path: /a, template: none}", "", `play.yml:4:47: there is no template "none": looked for none`},
		"computed path":     {`guest_file: {vm: a, path: /a, template: "{{ port }}"}`, "", "the path must be literal"},
		"not a path":        {"guest_file: {vm: a, path: /a, template: [t]}", "", "wanted the path of a file, found a list"},
		"secret path":       {"guest_file: {vm: a, path: /a, template: {secret: {env: X}}}", "", "wanted the path of a file, found a mapping"},
		"a directory":       {"guest_file: {vm: a, path: /a, template: roles}", "", "roles: this is not a regular file but a directory; name a file in it"},
		"binary":            {"", "\x00", "play.yml:4:47: t: the file is no text in UTF-8"},
		"two contents":      {"guest_file: {vm: a, path: /a, template: t, content: x}", "", `takes exactly one of "content", "src" and "template"`},
		"two commands":      {"create_vm: {name: a, run: [{template: t, line: x}]}", "", "an entry is a command, or names a template"},
		"no command":        {"create_vm: {name: a, run: [{}]}", "", "an entry is a command, or names a template"},
		"missing in a run":  {"create_vm: {name: a, run: [{template: none}]}", "", `there is no template "none"`},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.steps == "" {
				tc.steps = "guest_file: {vm: a, path: /a, template: t}"
			}
			_, said := loadFiles(t, map[string]string{
				"play.yml": "- targets: n1\n  vars: {port: 80}\n  steps:\n    - " + tc.steps + "\n    - {debug: x, register: late}\n",
				"t":        tc.template, "roles/web/steps.yml": "",
			})
			if !strings.Contains(said, tc.want) {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
}
