//go:build lab

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
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
// one node, and counts what that costs on the wire. The node is as far away as
// one in the next building: trips are what waiting for it costs, and were the
// answers there at once, they would depend on who is quicker.
func TestLabBudget(t *testing.T) {
	const prefix, count = "t1-many", 100
	l := openLab(t)
	l.own(t, prefix)
	out, err := l.node(1, strings.NewReplacer("PREFIX", prefix, "COUNT", fmt.Sprint(count)).Replace(manyVMs))
	if err != nil || strings.TrimSpace(out) != fmt.Sprint(count) {
		t.Fatalf("%v: %s", err, out)
	}
	book := filepath.Join(t.TempDir(), "many.yml")
	if err := os.WriteFile(book, []byte(`- targets: n1
  vars: {numbers: `+"\"{{ 1..100 }}\""+`}
  steps:
    - set_cpu: {vm: "t1-many-{{ item }}", count: 2}
      loop: "{{ numbers }}"
      parallel: 16
    - set_memory: {vm: "t1-many-{{ item }}", size: 64MiB}
      loop: "{{ numbers }}"
      parallel: 16
    - create_vm: {name: "t1-many-{{ item }}", autostart: true, description: one of many}
      loop: "{{ numbers }}"
      parallel: 16
`), 0o600); err != nil {
		t.Fatal(err)
	}
	lab := l.variables(t)
	address := lab[slices.Index(lab, "$LAB_N1_ADDRESS")+1]
	host, port, err := net.SplitHostPort(farAway(t, net.JoinHostPort(address, "22"), 5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	inventory := filepath.Join(t.TempDir(), "inventory.yml")
	if err := os.WriteFile(inventory, []byte(strings.NewReplacer(append(lab, "HOST", host, "PORT", port)...).Replace(`nodes:
  n1: {address: HOST, port: PORT, user: root, host_key_alias: $LAB_N1_ADDRESS, identity_file: $LAB_IDENTITY_FILE, known_hosts: $LAB_KNOWN_HOSTS}
`)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := play(t, "play", "-i", inventory, book).must(t)
	recap := o.recap(t).Targets[0]
	if recap.OK != 3 || recap.Changed != 0 {
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

// farAway gives an address that leads to another one, with a delay in each
// direction.
func farAway(t *testing.T, to string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait() // its connections end with the play's
	})
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			wg.Go(func() { late(far, near, delay) })
			wg.Go(func() { late(near, far, delay) })
		}
	})
	return l.Addr().String()
}

// late carries bytes from one connection to another a while after they came. It
// closes both when one ends.
func late(to, from net.Conn, delay time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				pieces <- piece{time.Now().Add(delay), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range pieces { // until the reader has noticed
	}
}
