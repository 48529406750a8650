package playbook

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/parser"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

// many gives a playbook of so many steps, as people write them.
func many(steps int) string {
	var b strings.Builder
	b.WriteString("- name: Web tier\n  targets: n1\n  vars: {size: 4GiB}\n  steps:\n")
	for i := range steps {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "    - name: Web server %[1]d\n      create_vm:\n        name: web-%[1]d\n        image: debian-12\n        memory: \"{{ size }}\"\n"+
				"        disks:\n          - {name: data, size: 100GiB}\n      register: web_%[1]d\n", i)
		case 1:
			fmt.Fprintf(&b, "    - name: It answers\n      wait_for: {vm: \"{{ web_%d.name }}\", for: agent}\n      timeout: 5m\n", i-1)
		case 2:
			fmt.Fprintf(&b, "    - name: nginx is up\n      guest_exec: {vm: web-%d, command: [systemctl, is-active, nginx]}\n      register: nginx\n"+
				"      changed_when: false\n      until: nginx.rc == 0\n", i-2)
		default:
			fmt.Fprintf(&b, "    - name: More CPU\n      set_cpu: {vm: \"web-{{ item }}\", count: 3}\n      loop: [%d, %d]\n      when: size != \"1GiB\"\n", i-3, i)
		}
	}
	return b.String()
}

// check loads and compiles a playbook.
func check(t *testing.T, text string) {
	t.Helper()
	root, list := new(source.Sources).Parse("many.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list)
	}
	l := &loader{file: "many.yml", open: []string{"many.yml"}, sources: &source.Sources{}, steps: modules.Registry()}
	pb := l.playbook(root)
	l.list.Add(pb.Plays[0].Compile(World{Vars: map[string]map[string]*source.Node{"n1": {}}, AllTargets: []string{"n1"}})...)
	if l.list.HasErrors() {
		t.Fatal(l.list)
	}
}

// Loading makes little beside what the YAML library makes for the same text. Time
// depends on the machine, so what is counted is allocations; BenchmarkLint measures
// the time.
func TestLoadAllocatesLittle(t *testing.T) {
	text := many(50)
	bare := testing.AllocsPerRun(5, func() {
		if _, err := parser.ParseBytes([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
	})
	whole := testing.AllocsPerRun(5, func() { check(t, text) })
	t.Logf("%.0f allocations a step, %.0f of them the library's: ×%.2f", whole/50, bare/50, whole/bare)
	if whole > mostAllocations*bare {
		t.Errorf("%.0f allocations, the library alone makes %.0f: ×%.2f", whole, bare, whole/bare)
	}
}

// mostAllocations is what loading may allocate, in units of the bare parse.
const mostAllocations = 1.4

// What a step costs does not grow with their number.
func TestLoadIsLinear(t *testing.T) {
	few, lots := bytesPerStep(t, 200), bytesPerStep(t, 3200)
	t.Logf("%d bytes a step among 200, %d among 3200", few, lots)
	if lots > few*3/2 {
		t.Errorf("a step among 3200 takes %d bytes, one among 200 %d", lots, few)
	}
}

func bytesPerStep(t *testing.T, steps int) uint64 {
	text := many(steps)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	check(t, text)
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(steps)
}
