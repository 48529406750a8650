package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// precedence are the places where a variable can be set, from low to high. Each
// has the file that it stands in, where the text goes in it, and who is said to
// have set it.
var precedence = []struct{ file, text, from string }{
	{"inv/inventory.yml", "groups: {all: {vars: {who: L}}, web: {children: [front]}, front: {members: [n1]}}\n", "group all"},
	{"inv/inventory.yml", "groups: {web: {vars: {who: L}}}\n", "group web"},
	{"inv/inventory.yml", "groups: {front: {vars: {who: L}}}\n", "group front"},
	{"inv/inventory.yml", "nodes: {n1: {uri: \"test:///default\", vars: {who: L}}}\n", "target n1"},
	{"inv/group_vars/all.yml", "who: L\n", "group_vars/all"},
	{"inv/group_vars/web.yml", "who: L\n", "group_vars/web"},
	{"inv/group_vars/front/a.yml", "who: L\n", "group_vars/front"},
	{"inv/group_vars/front/b.yml", "who: L\n", "group_vars/front"},
	{"inv/target_vars/n1.yml", "who: L\n", "target_vars/n1"},
	{"book/group_vars/all/x.yml", "who: L\n", "group_vars/all"},
	{"book/group_vars/web.yml", "who: L\n", "group_vars/web"},
	{"book/group_vars/front.yml", "who: L\n", "group_vars/front"},
	{"book/target_vars/n1/x.yml", "who: L\n", "target_vars/n1"},
	{"book/play.yml", "  inputs: {who: {default: L}}\n", "input of the play"},
	{"book/roles/r/defaults.yml", "who: L\n", "role r defaults"},
	{"book/first.yml", "who: L\n", "vars_files"},
	{"book/second.yml", "who: L\n", "vars_files"},
	{"book/play.yml", "  vars: {who: L}\n", "play vars"},
	{"book/roles/r/vars.yml", "who: L\n", "role r vars"},
	{"book/roles/r/steps.yml", "- vars: {who: L}\n  block:\n", "vars of steps"},
	{"book/roles/r/steps.yml", "    - vars: {who: L}\n", "vars of steps"},
	{"book/play.yml", "  steps:\n    - set_vars: {who: L}\n", "set_vars"},
	{"-e", "", "-e"},
}

// levels writes the files with the places below n, each setting who to its index.
func levels(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	set := func(i int) string {
		if i >= n {
			return ""
		}
		return strings.ReplaceAll(precedence[i].text, "L", fmt.Sprintf("level-%d", i))
	}
	vars := func(i int, key string) string {
		if i >= n {
			return "{" + key + "}"
		}
		return fmt.Sprintf("{vars: {who: level-%d}, %s}", i, key)
	}
	files := map[string]string{
		"inv/inventory.yml": fmt.Sprintf("groups:\n  all: %s\n  web: %s\n  front: %s\nnodes:\n  n1: %s\n",
			strings.Replace(vars(0, ""), ", }", "}", 1), vars(1, "children: [front]"), vars(2, "members: [n1]"), vars(3, `uri: "test:///default"`)),
		"book/play.yml": "- targets: web\n  vars_files: [first.yml, second.yml]\n" + set(13) + set(17) + "  roles: [r]\n" + set(21),
		// A play's roles come before its steps, so what set_vars leaves is read by a
		// second use of the role.
		"book/roles/r/steps.yml": "- vars: {other: 1}\n  block:\n    - vars: {more: 1}\n      debug: \"who is {{ who }}\"\n",
		"book/first.yml":         "{}\n",
		"book/second.yml":        "{}\n",
	}
	if n > 21 {
		files["book/play.yml"] += "    - role: r\n"
	}
	if n > 19 {
		files["book/roles/r/steps.yml"] = strings.Replace(files["book/roles/r/steps.yml"], "other: 1", "who: level-19", 1)
	}
	if n > 20 {
		files["book/roles/r/steps.yml"] = strings.Replace(files["book/roles/r/steps.yml"], "more: 1", "who: level-20", 1)
	}
	for i, p := range precedence[:n] {
		if p.text == "who: L\n" {
			files[p.file] = set(i)
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// call runs a command and gives what it printed.
func call(t *testing.T, argv ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &application{stdout: &stdout, stderr: &stderr}
	if code := a.run(t.Context(), append([]string{"nactl"}, argv...)); code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", argv, code, &stdout, &stderr)
	}
	return stdout.String()
}

// TestPrecedence sets one variable in every place, and takes the places away from
// the highest to the lowest: each time the highest that is left wins, in a play
// and in what nactl vars says of it.
func TestPrecedence(t *testing.T) {
	for n := len(precedence); n > 0; n-- {
		highest := precedence[n-1]
		t.Run(fmt.Sprintf("%d %s", n-1, highest.from), func(t *testing.T) {
			dir := levels(t, n)
			options := []string{"-i", filepath.Join(dir, "inv/inventory.yml"), filepath.Join(dir, "book/play.yml")}
			if n == len(precedence) {
				options = append(options, "-e", fmt.Sprintf("who=level-%d", n-1))
			}
			said := call(t, append([]string{"play"}, options...)...)
			want := fmt.Sprintf("who is level-%d", n-1)
			if last := said[strings.LastIndex(said, "who is"):]; !strings.HasPrefix(last, want+"\n") && !strings.HasPrefix(last, want+" ") {
				t.Errorf("want %s:\n%s", want, said)
			}
			var found []struct{ From, At, Written string }
			text := call(t, append([]string{"vars", "n1", "--explain", "who", "-o", "json"}, options...)...)
			if err := json.Unmarshal([]byte(text), &found); err != nil {
				t.Fatal(err)
			}
			for i, f := range found {
				// Every place, in order.
				if f.Written != fmt.Sprintf("level-%d", i) || f.From != precedence[i].from {
					t.Errorf("candidate %d: %+v, want %s", i, f, precedence[i].from)
				}
				file, _, _ := strings.Cut(strings.TrimPrefix(f.At, dir+"/"), ":")
				if want := precedence[i].file; file != want && want != "-e" {
					t.Errorf("candidate %d: at %s, want %s", i, f.At, want)
				}
			}
			if len(found) != n {
				t.Errorf("%d candidates, want %d:\n%s", len(found), n, text)
			}
		})
	}
}
