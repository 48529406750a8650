//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// cutPoint is a moment of a move: a message that passes, or so much of the memory
// sent.
type cutPoint struct {
	name    string
	on      string // source or destination: whose connection it passes
	call    string // as ProcedureName has it
	reply   bool   // the answer, before it is passed on
	percent int64
}

// cutPoints are those of a move that this process conducts, and of one that the
// source's daemon does, whose calls to the destination pass the relay.
var cutPoints = map[string][]cutPoint{
	virt.ModeClient: {
		{name: "before it begins", on: "source", call: "domain_migrate_begin3_params"},
		{name: "before the destination prepares", on: "destination", call: "domain_migrate_prepare3_params"},
		{name: "before the source sends", on: "source", call: "domain_migrate_perform3_params"},
		{name: "at a tenth", percent: 10},
		{name: "at the half", percent: 50},
		{name: "at nine tenths", percent: 90},
		{name: "all is sent", on: "source", call: "domain_migrate_perform3_params", reply: true},
		{name: "before the destination finishes", on: "destination", call: "domain_migrate_finish3_params"},
		{name: "the destination has finished, untold", on: "destination", call: "domain_migrate_finish3_params", reply: true},
		{name: "before the source confirms", on: "source", call: "domain_migrate_confirm3_params"},
	},
	virt.ModePeer: {
		{name: "before it begins", on: "source", call: "domain_migrate_perform3_params"},
		{name: "before the destination is opened", on: "destination", call: "connect_open"},
		{name: "before the destination prepares", on: "destination", call: "domain_migrate_prepare3_params"},
		{name: "the destination has prepared, untold", on: "destination", call: "domain_migrate_prepare3_params", reply: true},
		{name: "at a tenth", percent: 10},
		{name: "at the half", percent: 50},
		// Not near the end, and not while the destination finishes: then libvirt lets the
		// VM run on both, which is why this mode has to be asked for.
		{name: "it is over, untold", on: "source", call: "domain_migrate_perform3_params", reply: true},
	},
}

// cutMove moves a VM from a to b and calls cut when the point is reached.
func cutMove(ctx context.Context, a, b *Node, vm, mode string, at cutPoint, cut func()) error {
	var once sync.Once
	now := func() { once.Do(cut) }
	for _, n := range []*Node{a, b} {
		if at.on == map[*Node]string{a: "source", b: "destination"}[n] {
			see := func(program, procedure uint32) {
				if ProcedureName(program, procedure) == at.call {
					now()
				}
			}
			if at.reply {
				n.meter.onReply = see
			} else {
				n.meter.onCall = see
			}
		}
	}
	c := virt.Migrate{Host: b.cfg.Name, Live: true, Tuning: virt.Tuning{Mode: mode}}
	if at.percent > 0 {
		c.Bandwidth = 24 * virt.MiB
		ctx = virt.WithProgress(ctx, func(p virt.Progress) {
			if p.Total > 0 && p.Done*100/p.Total >= at.percent {
				go now()
			}
		})
	}
	found, err := a.freshVM(ctx, vm)
	if err != nil {
		return err
	}
	c.On = virt.OnVM(found)
	_, err = migrate(ctx, a, b, found, c, migrateOptions{SharedPools: []string{"shared"}})
	return err
}

// cutHelper is the environment of the process that dies in the middle of a move:
// FROM TO VM MODE POINT.
const cutHelper = "NACTL_CUT_HELPER"

// TestLabMigrateDies is no test by itself: it is the process that TestLabMigrateCuts
// lets die.
func TestLabMigrateDies(t *testing.T) {
	args := strings.SplitN(os.Getenv(cutHelper), "|", 5)
	if len(args) != 5 {
		return
	}
	for _, at := range cutPoints[args[3]] {
		if at.name == args[4] {
			err := cutMove(t.Context(), labNode(t, args[0]), labNode(t, args[1]), args[2], args[3], at, func() {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			})
			t.Fatalf("it lives: %v", err)
		}
	}
}

// TestLabMigrateCuts cuts the way to the source, the way to the destination, and the
// life of this process, at ten points of a move each, seven where the
// source's daemon conducts. Afterwards one VM runs, and the
// next move clears up and gets there. Without NACTL_CUTS=all a few of the cuts are
// made, others with each NACTL_CUTS_SEED.
func TestLabMigrateCuts(t *testing.T) {
	const vm = "l3-cuts"
	seed := os.Getenv("NACTL_CUTS_SEED")
	hash := fnv.New64()
	_, _ = hash.Write([]byte(seed))
	random := rand.New(rand.NewPCG(hash.Sum64(), 1))
	labGuest(t, vm, "shared", labNode(t, "n1"), labNode(t, "n2"))
	// Random bytes in memory, so that there is something to send.
	fill := virt.Command{Shell: "head -c 40000000 /dev/urandom > /dev/shm/fill || head -c 40000000 /dev/urandom > /tmp/fill; cat /proc/sys/kernel/random/boot_id"}
	mark, err := labNode(t, "n1").GuestProbe(t.Context(), vm, fill)
	if err != nil {
		t.Fatal(full(err))
	}
	defer func() { // processes that died have left sockets
		p := newLabPair(t)
		for _, n := range []*Node{p.a, p.b} {
			client, err := n.sshClient(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sweepRelays(t.Context(), client)
		}
		p.noSockets(t)
	}()
	where := "n1"
	for _, mode := range []string{virt.ModeClient, virt.ModePeer} {
		for _, what := range []string{"source", "destination", "process"} {
			chosen := random.Perm(len(cutPoints[mode]))
			if os.Getenv("NACTL_CUTS") != "all" {
				chosen = chosen[:2]
			}
			for i, at := range cutPoints[mode] {
				if !slices.Contains(chosen, i) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d %s", mode, what, i+1, at.name), func(t *testing.T) {
					where = oneCut(t, vm, mode, what, at, where, mark.Stdout)
				})
				if t.Failed() && os.Getenv("NACTL_CUTS") != "all" {
					return
				}
			}
		}
	}
}

// oneCut makes one cut and proves what is left of the VM. It gives where it is.
func oneCut(t *testing.T, vm, mode, what string, at cutPoint, where, mark string) string {
	from, to := where, map[string]string{"n1": "n2", "n2": "n1"}[where]
	began := time.Now()
	var failed error
	if what == "process" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLabMigrateDies$")
		cmd.Env = append(os.Environ(), cutHelper+"="+strings.Join([]string{from, to, vm, mode, at.name}, "|"))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("it did not die as it should: %v\n%s", err, out)
		}
	} else {
		a, b := labNode(t, from), labNode(t, to)
		victim := map[string]*Node{"source": a, "destination": b}[what]
		client, err := victim.sshClient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		failed = cutMove(t.Context(), a, b, vm, mode, at, func() { client.Close() })
	}
	after := cutPair(t)
	places := after.settle(t, vm)
	t.Logf("after %s: %s; %s", time.Since(began).Round(100*time.Millisecond), places, firstLine(failed))
	if n := strings.Count(places, "it runs on"); n > 1 {
		t.Fatalf("%d VMs run: %s", n, places)
	}

	// The next run finds one VM, and brings it where it was to go, or leaves it there.
	nodes := []*Node{after.a, after.b}
	cluster, err := OpenCluster("lab", nodes)
	if err != nil {
		t.Fatal(err)
	}
	found, err := cluster.VM(t.Context(), vm)
	if err != nil {
		t.Fatalf("the next run: %s", full(err))
	}
	out, err := cluster.Apply(t.Context(), virt.Migrate{On: virt.OnVM(found), Host: to, Live: found.State.IsLive()})
	if err != nil {
		t.Fatalf("the next run: %s", full(err))
	}
	want := fmt.Sprintf("it is not on %s; it runs on %s", from, to)
	if from == "n2" {
		want = fmt.Sprintf("it runs on %s; it is not on %s", to, from)
	}
	if got := after.where(t, vm); got != want {
		t.Fatalf("after the next run: %s (%v)", got, out.Warnings)
	}
	t.Logf("the next run: changed %v, %s, %v", out.Changed, out.Summary, out.Warnings)
	node := map[string]*Node{"n1": after.a, "n2": after.b}[to]
	labAgent(t, node, vm)
	now, err := node.GuestProbe(t.Context(), vm, virt.Command{Shell: "cat /proc/sys/kernel/random/boot_id"})
	if err != nil || now.Stdout != mark {
		t.Fatalf("another guest, or a silent one: %+v, %v", now, err)
	}
	return to
}

func firstLine(err error) string {
	if err == nil {
		return "no error"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// cutPair opens both nodes as a cluster's members.
func cutPair(t *testing.T) labPair {
	t.Helper()
	var nodes []*Node
	for _, name := range []string{"n1", "n2"} {
		cfg := labConfig(t, name)
		cfg.SharedPools = []string{"shared"}
		nodes = append(nodes, openLab(t, cfg))
	}
	return labPair{a: nodes[0], b: nodes[1], opts: migrateOptions{SharedPools: []string{"shared"}}}
}

// settle waits until neither node is at work on the VM any more.
func (p labPair) settle(t *testing.T, vm string) string {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		a, b := p.a.ask(t.Context(), vm), p.b.ask(t.Context(), vm)
		if a.err == nil && b.err == nil && !a.moving() && !b.moving() || time.Now().After(deadline) {
			return a.String() + "; " + b.String()
		}
		time.Sleep(200 * time.Millisecond)
	}
}
