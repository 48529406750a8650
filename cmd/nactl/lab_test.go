//go:build lab

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/libvirt"
)

// lab is the running lab that NACTL_LAB names the inventory of.
type lab struct {
	inventory string
	tool      string   // lab/lab of this tree
	env       []string // which lab the tool is to speak to
}

func openLab(t testing.TB) lab {
	t.Helper()
	inventory := os.Getenv("NACTL_LAB")
	if inventory == "" {
		t.Fatal("NACTL_LAB is not set: it names the inventory of a running lab, see lab/README.md")
	}
	tool, err := filepath.Abs(filepath.Join("..", "..", "lab", "lab"))
	if err != nil {
		t.Fatal(err)
	}
	// inventory.yml is the lab called lab, inventory-NAME.yml the one called NAME.
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(inventory), "inventory"), ".yml")
	if name = strings.TrimPrefix(name, "-"); name == "" {
		name = "lab"
	}
	return lab{inventory: inventory, tool: tool, env: append(os.Environ(), "LAB_NAME="+name, "LAB_DIR="+filepath.Dir(inventory))}
}

// node runs a shell script inside of node i.
func (l lab) node(i int, script string) (string, error) {
	cmd := exec.Command(l.tool, "node", fmt.Sprint(i), "sh", "-c", script)
	cmd.Env = l.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("on node %d: %w: %s", i, err, out)
	}
	return string(out), err
}

// variables gives what `lab env` says of the lab, as $NAME and value, one behind
// the other.
func (l lab) variables(t testing.TB) []string {
	t.Helper()
	cmd := exec.Command(l.tool, "env")
	cmd.Env = l.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		pairs = append(pairs, "$"+name, value)
	}
	return pairs
}

// cleanup removes everything from a node whose name begins with PREFIX: domains,
// networks, volumes, pools.
const cleanup = `v() { virsh -q -c qemu:///system "$@"; }
for d in $(v list --all --name | grep "^PREFIX"); do
	v destroy "$d" >/dev/null 2>&1
	v undefine --managed-save --nvram --snapshots-metadata "$d" >/dev/null
done
for n in $(v net-list --all --name | grep "^PREFIX"); do
	v net-destroy "$n" >/dev/null 2>&1
	v net-undefine "$n" >/dev/null
done
for p in $(v pool-list --all --name | grep "^PREFIX"); do
	v pool-destroy "$p" >/dev/null 2>&1
	v pool-undefine "$p" >/dev/null
done
for m in $(grep -o ' /run/PREFIX[^ ]*' /proc/mounts); do umount "$m"; done
for p in images shared; do
	v pool-refresh $p >/dev/null
	for f in $(v vol-list $p | sed 's/^ *//; s/ .*//' | grep "^PREFIX"); do v vol-delete --pool $p "$f" >/dev/null; done
done
true`

// remove removes everything with a prefix from both nodes.
func (l lab) remove(prefix string) error {
	var errs []error
	for i := 1; i <= 2; i++ {
		_, err := l.node(i, strings.ReplaceAll(cleanup, "PREFIX", prefix))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// state prints everything on a node whose name begins with PREFIX: domains with
// their definitions, networks, volumes, files in /run; and ports of Open vSwitch that are
// not those of guests.
const state = `v() { virsh -q -c qemu:///system "$@"; }
{ v list --all; v net-list --all; for p in images shared; do v vol-list $p; done; ls /run; } | grep "PREFIX"
for d in $(v list --all --name | grep "^PREFIX"); do v dumpxml --inactive "$d"; done
ovs-vsctl list-ports ovsbr0 | grep -v "^vnet"; true`

// state gives everything with a prefix on both nodes.
func (l lab) state(t *testing.T, prefix string) string {
	t.Helper()
	var b strings.Builder
	for i := 1; i <= 2; i++ {
		out, err := l.node(i, strings.ReplaceAll(state, "PREFIX", prefix))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "node %d:\n%s", i, out)
	}
	return b.String()
}

// own removes what an earlier test left of a prefix, and what this one leaves.
func (l lab) own(t *testing.T, prefix string) {
	t.Helper()
	if err := l.remove(prefix); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.remove(prefix); err != nil {
			t.Error(err)
		}
	})
}

// observed is a command of nactl that was run in this process, with everything
// that it sent.
type observed struct {
	code   int
	events []event.Record
	stderr string
	nodes  []*libvirt.Node

	mu    sync.Mutex
	sent  map[string]int // calls by name
	write map[string]int // those that are not only reads
}

// play runs a command and reads its events.
func play(t *testing.T, args ...string) *observed {
	t.Helper()
	o := &observed{sent: map[string]int{}, write: map[string]int{}}
	var stdout, stderr bytes.Buffer
	a := &application{stdout: &stdout, stderr: &stderr, dial: o.dial}
	o.code = a.run(t.Context(), append([]string{"nactl"}, append(args, "-o", "json")...))
	o.stderr = stderr.String()
	for line := range bytes.Lines(stdout.Bytes()) {
		var r event.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		o.events = append(o.events, r)
	}
	return o
}

// must demands that the command ended well.
func (o *observed) must(t *testing.T) *observed {
	t.Helper()
	if o.code == 0 {
		return o
	}
	for _, r := range o.events {
		if res, ok := r.Event.(event.Result); ok && res.Error != nil {
			t.Errorf("%s: %+v", res.Step, res.Error)
		}
	}
	t.Fatalf("exit code %d\n%s", o.code, o.stderr)
	return o
}

func (o *observed) dial(ctx context.Context, cfg libvirt.Config) (*libvirt.Node, error) {
	cfg.OnCall = func(program, number uint32) {
		o.mu.Lock()
		defer o.mu.Unlock()
		name := libvirt.ProcedureName(program, number)
		o.sent[name]++
		if !libvirt.ReadsOnly(program, number) {
			o.write[name]++
		}
	}
	n, err := libvirt.Open(ctx, cfg)
	if err == nil {
		o.nodes = append(o.nodes, n)
	}
	return n, err
}

// stats sums up what all nodes were sent.
func (o *observed) stats() virt.Stats {
	sum := virt.Stats{Procedures: map[string]int{}}
	for _, n := range o.nodes {
		s := n.Stats()
		sum.Connections += s.Connections
		sum.Calls += s.Calls
		sum.Trips += s.Trips
		for name, k := range s.Procedures {
			sum.Procedures[name] += k
		}
	}
	return sum
}

func (o *observed) recap(t *testing.T) event.Recap {
	t.Helper()
	for _, r := range o.events {
		if recap, ok := r.Event.(event.Recap); ok {
			return recap
		}
	}
	t.Fatalf("no recap\n%s", o.stderr)
	return event.Recap{}
}
