package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine"
)

// secretsOfTest are as awkward as people's: quotes and blanks, many lines, digits
// alone, other alphabets, and none of it.
var secretsOfTest = map[string]string{
	"PLAIN":  "Tr0ub4dorXyz",
	"SHELL":  `hunter2 & 3/4 "x" \y 'z' $HOME`,
	"LINES":  "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACB7qk\n-----END KEY-----",
	"DIGITS": "98765432109876",
	"WORDS":  "größe-ключ-密码",
	"LONG":   strings.Repeat("Lg9x", 30),
}

// leaks gives the forms of a secret that stand in a text. They are made here anew,
// not by what masks them.
func leaks(text, secret string) []string {
	var parts []string
	for _, line := range strings.Split(secret, "\n") {
		if !strings.HasPrefix(line, "-----") { // an armour is no secret
			parts = append(parts, line)
		}
	}
	var found []string
	for _, part := range parts {
		asJSON, _ := json.Marshal(part)
		forms := map[string]string{
			"plain": part, "json": string(asJSON[1 : len(asJSON)-1]), "go": strconv.Quote(part)[1 : len(strconv.Quote(part))-1], "html": html.EscapeString(part),
			"query": url.QueryEscape(part), "path": url.PathEscape(part), "shell": strings.ReplaceAll(part, "'", `'\''`),
			"upper": strings.ToUpper(part), "beginning": part[:6], "end": part[len(part)-6:],
			"on one line": strings.Join(strings.Fields(part), " "),
		}
		for i := range 3 {
			all := base64.StdEncoding.EncodeToString([]byte("xyz"[:i] + part + "end"))
			forms[fmt.Sprint("base64 at ", i)] = all[4 : 4+(len(part)-4)/3*4]
		}
		for _, name := range slices.Sorted(maps.Keys(forms)) {
			if strings.Contains(text, forms[name]) {
				found = append(found, name)
			}
		}
	}
	return found
}

// secretPlaybook lets a secret come to everything that nactl writes. Each of its
// plays ends with a failure of another kind.
const secretPlaybook = `
- name: Values
  targets: local
  vars:
    secret: {secret: {env: NAME}}
    chars: "\n"
    people: [{name: ada, password: "{{ secret }}"}, {name: bob, password: "x{{ secret }}"}]
  steps:
    - debug: "{{ secret }}"
    - debug: "{{ {a: secret, b: [secret]} }}"
    - debug: "{{ upper(secret) }} and {{ to_json({a: secret}) }}, {{ to_yaml({a: secret}) }}"
    - debug: "{{ b64encode(secret) }} {{ b64encode('x' + secret) }} {{ b64encode('xy' + secret) }} {{ quote(secret) }}"
    - debug: "{{ trim(secret) + '!' }} {{ join(split(secret, ' '), ' ') }}"
    - set_vars: {made: "{{ {inner: secret} }}", up: "{{ upper(secret) }}"}
    - debug: "{{ made.inner }} {{ made }} {{ up }}"
    - name: "called {{ secret }}"
      debug: "{{ item.password }}"
      loop: "{{ people }}"
    - name: Labels
      debug: "{{ item }}"
      loop: ["{{ secret }}", "{{ upper(secret) }}", "some text before it so that a label is cut within it {{ secret }}"]
    - name: Labels of their own
      debug: "{{ item.name }}"
      loop: "{{ people }}"
      loop_label: "{{ item.password }} {{ item.name }}"
    - name: Echo
      local_exec: {shell: "printf '%s' \"$S\"; printf '%s' \"$S\" >&2", env: {S: "{{ secret }}"}}
      register: echo
      changed_when: false
    - debug: "{{ echo.stdout }} {{ echo }}"
    - name: Labels from what was told
      debug: "{{ item }}"
      loop: ["{{ echo.stdout }}", "{{ {long: 'some text before it so that a label is cut ' + echo.stdout } }}", "and once more, some text before it so that it is cut {{ echo.stdout }}"]
    - name: Arguments
      local_exec: {command: ["true", "{{ secret }}", "--password={{ secret }}"]}
      changed_when: false
    - name: Fields
      set_vm: {vm: test, title: "{{ join(split(secret, chars), ' ') }}", description: "of {{ secret }}", metadata: {password: "{{ secret }}"}}
    - name: Asked again
      local_exec: {shell: "echo \"$S\" >&2; false", env: {S: "{{ secret }}"}}
      until: result.rc == 0
      retries: 1
      delay: 1ms
      ignore_errors: true
    - name: Skipped
      debug: never
      when: secret == "something else"
    - name: Where it fails
      block:
        - fail: "it is {{ secret }}"
      rescue:
        - debug: "{{ failed_result.msg }} {{ failed_step.name }}"
    - name: No such VM
      power: {vm: "vm-{{ secret }}", state: running}
      ignore_errors: true
    - name: Wrong type
      set_cpu: {vm: test, count: "{{ secret + 'x' }}"}
      ignore_errors: true
    - name: Wrong size
      set_memory: {vm: test, size: "{{ secret }}"}
      ignore_errors: true
    - name: A wrong word
      power: {vm: test, state: "{{ secret }}"}
      ignore_errors: true
    - name: No number
      debug: "{{ int(secret + 'x') }}"
      ignore_errors: true
    - name: No size
      debug: "{{ size(secret) }}"
      ignore_errors: true
    - name: No member
      debug: "{{ people[0][secret] }}"
      ignore_errors: true
    - name: No pattern
      debug: "{{ regex_match('x', '(' + secret) }}"
      ignore_errors: true
    - name: No JSON
      debug: "{{ from_json(secret + '{') }}"
      ignore_errors: true
    - name: No file
      debug: "{{ file(secret) }}"
      ignore_errors: true
    - name: Nowhere
      local_exec: {command: ["/nonexistent/{{ secret }}"]}
      ignore_errors: true
    - name: Much on stderr
      local_exec: {shell: "for i in $(seq 120); do echo \"line $i $S\"; done >&2; exit 4", env: {S: "{{ secret }}"}}
      ignore_errors: true
    - name: Coded
      local_exec: {shell: "printf '%s' \"$S\" | base64 -w0 >&2; exit 4", env: {S: "{{ secret }}"}}
      ignore_errors: true
    - name: Not so
      assert: {that: secret == "x", msg: "it was {{ secret }}"}
      tags: [fails]
- name: Elsewhere
  targets: gone
  tags: [fails]
  vars:
    secret: {secret: {env: NAME}}
  steps:
    - debug: "{{ secret }}"
    - name: Unreachable
      vm_facts: "vm-{{ secret }}"
`

// secretInventory has a node where nobody answers.
const secretInventory = `
nodes:
  local: {uri: "test:///default"}
  gone: {address: 127.0.0.1, port: 1, user: root, known_hosts: none, identity_file: none}
`

// TestSecretsEverywhere looks through all that runs write, in every format and
// file, for secrets that went through expressions, loops, results, differences and
// errors.
func TestSecretsEverywhere(t *testing.T) {
	for name, text := range secretsOfTest {
		t.Setenv("S_"+name, text)
	}
	t.Setenv("LIBVIRT_DEFAULT_URI", "test:///default")
	t.Setenv("CI", "true")
	t.Setenv("COLUMNS", "100")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("inventory.yml", []byte(secretInventory), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(secretsOfTest)) {
		file := name + ".yml"
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(secretPlaybook, "NAME", "S_"+name)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{
			"play -o human", "play -o human -vvv -D", "play -o json", "play -o quiet", "play -o json -vvv -D --junit report.xml", "plan -o human -vvv", "plan -o json -vv --out plan.json --allow-undecided * --skip-tags fails",
			"drift -o human --junit report.xml", "lint", "lint --format json", "lint --format sarif",
		} {
			t.Run(name+" "+command, func(t *testing.T) {
				for _, f := range []string{"report.xml", "plan.json"} {
					_ = os.Remove(f)
				}
				var stdout, stderr bytes.Buffer
				argv := append(append([]string{"nactl"}, strings.Fields(command)...), "-i", "inventory.yml", file)
				code := run(argv, os.Stdin, &stdout, &stderr)
				written := map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}
				for _, f := range []string{"report.xml", "plan.json"} {
					b, err := os.ReadFile(f)
					if err == nil {
						written[f] = string(b)
					}
					if asked := strings.Contains(command, f); asked != (err == nil) {
						t.Errorf("%s: asked for is %v, and %v", f, asked, err)
					}
				}
				for where, text := range written {
					for _, form := range leaks(text, secretsOfTest[name]) {
						t.Errorf("%s has the secret, %s", where, form)
					}
				}
				if code == engine.ExitInvalid || code == engine.ExitOptions || code == engine.ExitUnexpected {
					t.Errorf("exit code %d", code)
				}
				if t.Failed() {
					t.Logf("exit code %d\n%s\n%s\n%s", code, written["stdout"], written["stderr"], written["report.xml"]+written["plan.json"])
				}
			})
		}
	}
}
