package playbook

import (
	"strings"
	"testing"
)

func TestRoles(t *testing.T) {
	files := map[string]string{
		"play.yml": `
- name: P
  targets: n1
  vars: {colour: blue}
  roles:
    - web
    - {role: web, vars: {port: 8080}, when: port == 8080, tags: [second]}
  steps:
    - {role: db}
    - {debug: x, notify: [reload, own]}
  handlers:
    - {name: own, debug: x}
`,
		"roles/web/steps.yml":         "- {name: one, debug: \"{{ port }} {{ colour }} {{ fixed }}\", notify: reload}\n- include: more.yml\n",
		"roles/web/more.yml":          "- {name: two, debug: \"{{ port }}\", notify: own}\n",
		"roles/web/handlers.yml":      "- {name: reload, debug: \"{{ port }}\"}\n",
		"roles/web/inputs.yml":        "port: {type: integer, default: 80}\ncolour:\n",
		"roles/web/defaults.yml":      "colour: red\n",
		"roles/web/vars.yml":          "fixed: true\n",
		"roles/db/steps/main.yml":     "- {debug: x, notify: restart}\n- {role: web, notify: reload}\n",
		"roles/db/handlers/main.yaml": "- {name: restart, debug: x}\n",
		"roles/db/roles/web/files/x":  "",
	}
	files["roles/db/steps/main.yml"] = "- {debug: x, notify: restart}\n- {role: web}\n"
	delete(files, "roles/db/roles/web/files/x")
	pb, said := loadFiles(t, files)
	if said != "" {
		t.Fatal(said)
	}
	if got, want := ids(pb), "P/1/one P/1/more/two P/2/one P/2/more/two P/db/1 P/db/web/one P/db/web/more/two P/4 "+
		"P/1/handlers/reload P/2/handlers/reload P/db/web/handlers/reload P/db/handlers/restart P/handlers/own"; got != want {
		t.Errorf("ids are  %s\nwant     %s", got, want)
	}
	notifies := func(s *Step) string {
		var out []string
		for _, h := range s.Notify {
			_, id, _ := strings.Cut(h.ID, "#")
			out = append(out, id)
		}
		return strings.Join(out, " ")
	}
	steps := pb.Plays[0].Steps
	for i, want := range map[int]string{0: "P/1/handlers/reload", 1: "P/handlers/own", 2: "P/2/handlers/reload", 5: "P/db/web/handlers/reload",
		7: "P/1/handlers/reload P/2/handlers/reload P/db/web/handlers/reload P/handlers/own"} {
		if got := notifies(steps[i]); got != want {
			t.Errorf("%s notifies %s, want %s", steps[i].ID, got, want)
		}
	}
}

func TestRoleErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		play, want string
		files      map[string]string
	}{
		"unknown":            {"roles: [wbe]", `no role is called "wbe", did you mean "web"?: there is no folder`, nil},
		"not a list":         {"roles: web", "roles: wanted a list of names, as [web], found a string", nil},
		"not a name":         {"roles: [{name: web}]", "a role is its name, or a mapping", nil},
		"computed":           {`roles: ["{{ x }}"]`, "wanted the literal name of a role", nil},
		"typo in a key":      {"roles: [{role: web, tag: x}]", `unknown key "tag" in a role, did you mean "tags"?`, nil},
		"unknown input":      {"roles: [{role: web, vars: {prot: 1}}]", `role web has no input "prot", did you mean "port"?`, nil},
		"wrong input":        {"roles: [{role: web, vars: {port: high}}]", `input port: wanted an integer, found a string, "high"`, nil},
		"missing input":      {"roles: [need]", "role need: input name (what it is called) has no value: give it one in vars, or with -e name=…", nil},
		"no steps":           {"roles: [empty]", "role empty has no steps", nil},
		"itself":             {"roles: [loop]", "includes itself", nil},
		"mistake in it":      {"roles: [bad]", `roles/bad/steps.yml:1:4: unknown step or key "debg"`, nil},
		"defaults are its":   {"roles: [web]\n  steps: [{debug: \"{{ port }}\"}]", "unknown name port", nil},
		"bad inputs":         {"roles: [badinputs]", `input a: a type is one of string, integer, number, boolean, list, map, size, duration, found "int"`, nil},
		"bad default":        {"roles: [badinputs]", `input b: wanted an integer, found a string, "x"`, nil},
		"default not enum":   {"roles: [badinputs]", `input c is one of x, y, found a string, "z"`, nil},
		"default no match":   {"roles: [badinputs]", `input d: wanted a text that matches [a-z]+, found a string, "A"`, nil},
		"bad pattern":        {"roles: [badinputs]", `input e: pattern: error parsing regexp`, nil},
		"required, default":  {"roles: [badinputs]", `input f: one with a default is not required`, nil},
		"not a declaration":  {"roles: [badinputs]", `input g: wanted a declaration`, nil},
		"unknown word":       {"roles: [badinputs]", `unknown key "typ" in an input, did you mean "type"?`, nil},
		"secret is hidden":   {"roles: [badinputs]", `input i: wanted an integer, found a string`, nil},
		"play input":         {"inputs: {n: {type: integer, required: true}}\n  steps: []", "input n has no value: give it one in vars, or with -e n=…", nil},
		"play input, wrong":  {"inputs: {n: {type: size}}\n  vars: {n: 5}\n  steps: []", "input n: wanted a size, found an integer, \"5\"", nil},
		"inputs not a map":   {"inputs: [n]\n  steps: []", "inputs are a mapping of names to declarations", nil},
		"input with a space": {"inputs: {\"a b\": {}}\n  steps: []", `"a b" cannot be the name of an input`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, said := loadFiles(t, map[string]string{
				"play.yml":                   "- targets: n1\n  " + tc.play + "\n",
				"roles/web/steps.yml":        "- debug: x\n",
				"roles/web/inputs.yml":       "port: {type: integer, default: 80}\n",
				"roles/need/steps.yml":       "- debug: x\n",
				"roles/need/inputs.yml":      "name: {doc: what it is called, required: true}\n",
				"roles/empty/defaults.yml":   "a: 1\n",
				"roles/loop/steps.yml":       "- {role: loop}\n",
				"roles/bad/steps.yml":        "- {debg: x}\n",
				"roles/badinputs/steps.yml":  "- debug: x\n",
				"roles/badinputs/inputs.yml": "a: {type: int}\nb: {type: integer, default: x}\nc: {enum: [x, y], default: z}\nd: {pattern: '[a-z]+', default: A}\ne: {pattern: '('}\nf: {required: true, default: 1}\ng: 5\nh: {typ: x}\ni: {type: integer, default: geheim, secret: true}\n",
			})
			if !strings.Contains(said, tc.want) || strings.Contains(said, "geheim") {
				t.Errorf("no diagnostic says %q; there are:\n%s", tc.want, said)
			}
		})
	}
}
