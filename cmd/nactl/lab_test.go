//go:build lab

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
rm -rf /run/PREFIX*
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
