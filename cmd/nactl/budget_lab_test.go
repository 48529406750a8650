//go:build lab

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manyVMs defines VMs that do not run; with one command of virsh, for starting
// it a hundred times takes longer than all else.
const manyVMs = `cd /run && for i in $(seq COUNT); do
	cat > PREFIX-$i.xml <<X
<domain type='qemu'><name>PREFIX-$i</name><description>one of many</description>
<memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
X
	echo "define /run/PREFIX-$i.xml"
	echo "autostart PREFIX-$i"
done | virsh -q -c qemu:///system >/dev/null; rm -f PREFIX-*.xml; virsh -q -c qemu:///system list --all --name | grep -c "^PREFIX-"`

// TestLabBudget plays a playbook that has nothing to change on a hundred VMs of
// one node, and counts what that costs on the wire.
func TestLabBudget(t *testing.T) {
	const prefix, count = "t1-m", 100
	l := openLab(t)
	l.own(t, prefix)
	// Started with the node they would be, were the lab to start again: they are
	// gone by then.
	out, err := l.node(1, strings.NewReplacer("PREFIX", prefix, "COUNT", fmt.Sprint(count)).Replace(manyVMs))
	if err != nil || strings.TrimSpace(out) != fmt.Sprint(count) {
		t.Fatalf("%v: %s", err, out)
	}
	book := filepath.Join(t.TempDir(), "many.yml")
	if err := os.WriteFile(book, []byte(`- targets: n1
  vars: {numbers: `+"\"{{ 1..100 }}\""+`}
  steps:
    - create_vm:
        name: "t1-m-{{ item }}"
        cpu: 2
        memory: 64MiB
        autostart: true
        description: one of many
      loop: "{{ numbers }}"
      parallel: 16
`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := play(t, "play", "-i", l.inventory, book).must(t)
	recap := o.recap(t).Targets[0]
	if recap.OK != 1 || recap.Changed != 0 {
		t.Errorf("%+v", recap)
	}
	s := o.stats()
	t.Logf("%d connections, %d calls, %d trips: %v", s.Connections, s.Calls, s.Trips, s.Procedures)
	if s.Connections != 1 || s.Calls > 130 || s.Trips > 30 {
		t.Errorf("%d connections, %d calls, %d round trips; want 1, at most 130, at most 30: %v", s.Connections, s.Calls, s.Trips, s.Procedures)
	}
	for name := range o.write {
		t.Errorf("%s was sent", name)
	}
}
