package playbook

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
)

func TestConflicts(t *testing.T) {
	for name, tc := range map[string]struct{ steps, want string }{
		"create_vm and set_cpu":      {"- create_vm: {name: a, cpu: 2}\n- set_cpu: {vm: a, count: 3}", `6:7: cpu.count of vm a is set to 3 here and to 2 by create_vm at play.yml:5:7`},
		"named":                      {"- {name: Make it, create_vm: {name: a, cpu: {count: 2, max: 4}}}\n- set_cpu: {vm: a, max: 8}", `cpu.max of vm a is set to 8 here and to 4 by step "Make it" at play.yml:5:`},
		"memory, size":               {"- create_vm: {name: a, memory: 1GiB}\n- set_memory: {vm: a, size: 2GiB}", `memory.current of vm a is set to 2 GiB here and to 1 GiB by create_vm`},
		"memory, max":                {"- set_memory: {vm: a, size: 1GiB}\n- set_memory: {vm: a, max: 2GiB}", `memory.max of vm a is set to 2 GiB here and to 1 GiB by set_memory`},
		"two set_cpu":                {"- set_cpu: {vm: a, count: 2}\n- debug: x\n- set_cpu: {vm: a, count: 3}", `7:7: cpu.count of vm a is set to 3 here`},
		"three":                      {"- set_cpu: {vm: a, count: 2}\n- set_cpu: {vm: a, count: 2}\n- set_cpu: {vm: a, count: 3}", `7:7: cpu.count`},
		"titles":                     {"- create_vm: {name: a, title: x}\n- create_vm: {name: a, title: y}", `title of vm a is set to y here and to x`},
		"metadata":                   {"- create_vm: {name: a, metadata: {k: x}}\n- create_vm: {name: a, metadata: {k: y, l: z}}", `metadata.k of vm a`},
		"the same value":             {"- create_vm: {name: a, cpu: {count: 2}}\n- set_cpu: {vm: a, count: 2}", ""},
		"the same size":              {"- create_vm: {name: a, memory: 1GiB}\n- set_memory: {vm: a, current: 1024MiB}", ""},
		"other fields":               {"- create_vm: {name: a, cpu: 2}\n- set_cpu: {vm: a, max: 3}", ""},
		"other VMs":                  {"- create_vm: {name: a, cpu: 2}\n- set_cpu: {vm: b, count: 3}", ""},
		"with when":                  {"- create_vm: {name: a, cpu: 2}\n- {set_cpu: {vm: a, count: 3}, when: n == 1}", ""},
		"with a loop":                {"- create_vm: {name: a, cpu: 2}\n- {set_cpu: {vm: a, count: 3}, loop: [1]}", ""},
		"computed name":              {"- create_vm: {name: \"{{ n }}\", cpu: 2}\n- set_cpu: {vm: \"{{ n }}\", count: 3}", ""},
		"computed value":             {"- create_vm: {name: a, cpu: 2}\n- set_cpu: {vm: a, count: \"{{ n }}\"}", ""},
		"only predicted":             {"- create_vm: {name: a, cpu: 2}\n- {set_cpu: {vm: a, count: 3}, check_mode: true}", ""},
		"on request":                 {"- create_vm: {name: a, cpu: 2}\n- {set_cpu: {vm: a, count: 3}, tags: never}", ""},
		"deleted between":            {"- create_vm: {name: a, cpu: 2}\n- delete_vm: a\n- create_vm: {name: a, cpu: 3}", ""},
		"another deleted between":    {"- create_vm: {name: a, cpu: 2}\n- delete_vm: b\n- create_vm: {name: a, cpu: 3}", "cpu.count of vm a"},
		"who knows what was deleted": {"- create_vm: {name: a, cpu: 2}\n- delete_vm: \"{{ n }}\"\n- create_vm: {name: a, cpu: 3}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := &source.Node{Kind: source.Int, Int: 1}
			_, list := load(t, "- name: Test\n  targets: n1\n\n  steps:\n    "+strings.ReplaceAll(tc.steps, "\n", "\n    ")+"\n", map[string]map[string]*source.Node{"n1": {"n": n}})
			var found []string
			for _, d := range list {
				text := d.Error()
				dir := text[:strings.Index(text, "play.yml")]
				found = append(found, strings.ReplaceAll(text, dir, ""))
			}
			switch got := strings.Join(found, "\n"); {
			case tc.want == "" && got != "":
				t.Errorf("refused: %s", got)
			case len(found) > 1 || !strings.Contains(got, tc.want):
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

// Plays are apart: another play may have other targets.
func TestConflictsOfPlays(t *testing.T) {
	const play = "- targets: n1\n  steps:\n    - set_cpu: {vm: a, count: N}\n"
	if _, list := load(t, strings.ReplaceAll(play, "N", "1")+strings.ReplaceAll(play, "N", "2"), nil); list.HasErrors() {
		t.Error(list.Err())
	}
}
