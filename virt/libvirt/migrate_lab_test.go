//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// labPair is both nodes, and what a cluster would know of them.
type labPair struct {
	a, b *Node
	opts migrateOptions
}

func newLabPair(t *testing.T) labPair {
	return labPair{a: labNode(t, "n1"), b: labNode(t, "n2"), opts: migrateOptions{SharedPools: []string{"shared"}}}
}

// move checks and moves a VM as a cluster does.
func (p labPair) move(ctx context.Context, from, to *Node, vm string, c virt.Migrate) (*virt.Moved, virt.Outcome, error) {
	now, err := from.freshVM(ctx, vm)
	if err != nil {
		return nil, virt.Outcome{}, err
	}
	c.On, c.Host = virt.OnVM(now), to.cfg.Name
	if err := checkMigrate(ctx, from, to, from, now, c, p.opts); err != nil {
		return nil, virt.Outcome{}, err
	}
	out, err := migrate(ctx, from, to, now, c, p.opts)
	moved, _ := out.Result.(*virt.Moved)
	return moved, out, err
}

// where tells on which nodes a VM is.
func (p labPair) where(t *testing.T, vm string) string {
	t.Helper()
	var s []string
	for _, n := range []*Node{p.a, p.b} {
		s = append(s, n.ask(context.WithoutCancel(t.Context()), vm).String())
	}
	return strings.Join(s, "; ")
}

// noSockets proves that no relay has left its socket on a node.
func (p labPair) noSockets(t *testing.T) {
	t.Helper()
	for _, n := range []*Node{p.a, p.b} {
		host, err := n.host(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := host.Exec(t.Context(), ssh.Command{Shell: "ls " + relayDir + " | grep nactl-"})
		if err != nil || len(r.Stdout) > 0 {
			t.Errorf("on %s: %s (%v)", n.cfg.Name, r.Stdout, err)
		}
	}
}

// TestLabMigrate boots one guest and moves it in all ways that shared storage
// allows.
func TestLabMigrate(t *testing.T) {
	p := newLabPair(t)
	const vm = "l3-move"
	labGuest(t, vm, "shared", p.a, p.b)

	// A process in the guest shows that it is the same guest after all.
	mark, err := p.a.GuestProbe(t.Context(), vm, virt.Command{Shell: "echo $$ >/tmp/mark; cat /proc/sys/kernel/random/boot_id"})
	if err != nil {
		t.Fatal(full(err))
	}

	t.Run("live, there and back", func(t *testing.T) {
		from, to := p.a, p.b
		for range 2 {
			var seen []virt.Progress
			ctx := virt.WithProgress(t.Context(), func(p virt.Progress) { seen = append(seen, p) })
			began := time.Now()
			moved, out, err := p.move(ctx, from, to, vm, virt.Migrate{Live: true})
			if err != nil {
				t.Fatal(full(err))
			}
			t.Logf("%s to %s: %s, all in all %s, %d looks; %+v", from.cfg.Name, to.cfg.Name, out.Summary, time.Since(began).Round(time.Millisecond), len(seen), moved)
			if moved.From != from.cfg.Name || moved.To != to.cfg.Name || moved.Bytes < 1<<20 || moved.Elapsed <= 0 || moved.Downtime <= 0 || len(out.Warnings) > 0 {
				t.Errorf("%+v", out)
			}
			now, err := to.GuestProbe(t.Context(), vm, virt.Command{Shell: "cat /proc/sys/kernel/random/boot_id"})
			if err != nil || now.Stdout != mark.Stdout {
				t.Fatalf("it was rebooted, or its agent is silent: %+v, %v", now, err)
			}
			from, to = to, from
		}
		p.noSockets(t)
	})

	t.Run("managed by this process where sshd does not forward", func(t *testing.T) {
		now, err := p.a.freshVM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		m := &move{from: p.a, to: p.b, vm: now, c: virt.Migrate{Live: true}, active: true, persistent: true}
		if err := m.managed(t.Context(), m.flags()|lv.MIGRATE_UNSAFE); err != nil {
			t.Fatal(full(err))
		}
		if err := m.arrived(t.Context()); err != nil {
			t.Fatal(full(err))
		}
		if _, _, err := p.move(t.Context(), p.b, p.a, vm, virt.Migrate{Live: false}); err != nil {
			t.Fatal(full(err))
		}
	})

	t.Run("reasons against it, all at once", func(t *testing.T) {
		now, err := p.a.freshVM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		now.NICs[0].Network = "no-such-net"
		now.Memory.Current, now.Live.Memory.Current = 1<<50, 1<<50
		now.Disks[0].Storage = "no-such-pool"
		err = checkMigrate(t.Context(), p.a, p.b, p.a, now, virt.Migrate{Host: "n2", Live: true, Networks: map[string]string{"x": "y"}}, p.opts)
		for _, want := range []string{`network "no-such-net" is not there`, `networks maps "x"`, "too little free memory", "no-such-pool"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not among: %v", want, err)
			}
		}
		if where := p.where(t, vm); where != "it runs on n1; it is not on n2" {
			t.Error(where)
		}
	})

	t.Run("a name that is taken", func(t *testing.T) {
		define := strings.ReplaceAll(strings.ReplaceAll(labDomain, "%s", "qemu"), "<name>qemu", "<name>"+vm)
		err := p.b.do(t.Context(), "define another", func(c *lv.Connect) error {
			d, err := c.DomainDefineXML(define)
			if err == nil {
				d.Free()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.move(t.Context(), p.a, p.b, vm, virt.Migrate{Live: true})
		if !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "has a VM of that name") {
			t.Errorf("%v", err)
		}
		if err := p.b.withDomain(t.Context(), "undefine it", vm, func(_ *lv.Connect, d *lv.Domain) error { return d.Undefine() }); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("to another network", func(t *testing.T) {
		if _, _, err := p.move(t.Context(), p.a, p.b, vm, virt.Migrate{Live: true, Networks: map[string]string{"lan": "default"}}); err != nil {
			t.Fatal(full(err))
		}
		now, err := p.b.freshVM(t.Context(), vm)
		if err != nil || now.NICs[0].Network != "default" || !now.NICs[0].In.Live || !now.NICs[0].In.Config {
			t.Errorf("%+v, %v", now.NICs, err)
		}
		if _, _, err := p.move(t.Context(), p.b, p.a, vm, virt.Migrate{Live: true, Networks: map[string]string{"default": "lan"}}); err != nil {
			t.Fatal(full(err))
		}
	})

	t.Run("cancelled in flight", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// At 1 MiB a second it takes its time; the first numbers say that it is
		// on its way.
		ctx = virt.WithProgress(ctx, func(virt.Progress) { cancel() })
		began := time.Now()
		_, _, err := p.move(ctx, p.a, p.b, vm, virt.Migrate{Live: true, Bandwidth: virt.MiB})
		t.Logf("after %s: %s", time.Since(began).Round(time.Millisecond), full(err))
		if !errors.Is(err, context.Canceled) || !strings.Contains(full(err), "it runs on n1; it is not on n2") {
			t.Error(full(err))
		}
		if where := p.where(t, vm); where != "it runs on n1; it is not on n2" {
			t.Error(where)
		}
		labAgent(t, p.a, vm)
		p.noSockets(t)
	})

	t.Run("the connection to the source is cut", func(t *testing.T) {
		source := labNode(t, "n1")
		ctx := virt.WithProgress(t.Context(), func(virt.Progress) {
			if client, err := source.sshClient(t.Context()); err == nil {
				client.Close()
			}
		})
		_, _, err := p.move(ctx, source, p.b, vm, virt.Migrate{Live: true, Bandwidth: virt.MiB})
		t.Log(full(err))
		if !errors.Is(err, virt.ErrOutcomeUnknown) || !strings.Contains(full(err), "it runs on n1; it is not on n2") {
			t.Error(full(err))
		}
		p.noSockets(t)
	})

	t.Run("peer to peer, there and back", func(t *testing.T) {
		from, to := p.a, p.b
		for range 2 {
			_, out, err := p.move(t.Context(), from, to, vm, virt.Migrate{Live: true, Tuning: virt.Tuning{Mode: virt.ModePeer}})
			if err != nil {
				t.Fatal(full(err))
			}
			t.Log(out.Summary, out.Warnings)
			from, to = to, from
		}
		p.noSockets(t)
	})

	t.Run("tuned", func(t *testing.T) {
		from, to := p.a, p.b
		for name, how := range map[string]virt.Tuning{
			"post-copy": {PostCopy: true}, "post-copy, peer": {PostCopy: true, Mode: virt.ModePeer}, "compressed": {Compressed: true},
			"side by side": {Parallel: 2}, "not slowed down": {AutoConverge: virt.Some(false)}, "in time": {Timeout: time.Minute},
		} {
			_, out, err := p.move(t.Context(), from, to, vm, virt.Migrate{Live: true, Tuning: how})
			if err != nil {
				t.Fatalf("%s: %s", name, full(err))
			}
			t.Log(name, out.Summary, out.Warnings)
			from, to = to, from
		}
		labAgent(t, p.a, vm)
	})

	t.Run("given up when the time is over", func(t *testing.T) {
		_, _, err := p.move(t.Context(), p.a, p.b, vm, virt.Migrate{Live: true, Bandwidth: virt.MiB, Tuning: virt.Tuning{Timeout: 2 * time.Second}})
		if !errors.Is(err, virt.ErrTimeout) || !strings.Contains(full(err), "took longer than 2s") || !strings.Contains(full(err), "it runs on n1; it is not on n2") {
			t.Error(full(err))
		}
	})

	t.Run("stopped, with autostart", func(t *testing.T) {
		err := p.a.withDomain(t.Context(), "stop it", vm, func(_ *lv.Connect, d *lv.Domain) error {
			return errors.Join(d.Destroy(), d.SetAutostart(true))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, out, err := p.move(t.Context(), p.a, p.b, vm, virt.Migrate{Live: true})
		if err != nil {
			t.Fatal(full(err))
		}
		t.Log(out.Summary)
		now, err := p.b.freshVM(t.Context(), vm)
		if err != nil || now.State != virt.Stopped || !now.Autostart {
			t.Errorf("%+v, %v", now, err)
		}
		if where := p.where(t, vm); where != "it is not on n1; it is stopped on n2" {
			t.Error(where)
		}
	})
}

// TestLabMigrateCopy moves a guest whose disk is on storage of the node's own.
func TestLabMigrateCopy(t *testing.T) {
	p := newLabPair(t)
	const vm, volume = "l3-copy", "l3-copy-disk.qcow2"
	labGuest(t, vm, "images", p.a, p.b)
	if r, err := p.a.GuestProbe(t.Context(), vm, virt.Command{Shell: "echo kept >/root/kept && sync"}); err != nil || r.RC != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	// only proves that the volume is whole on one node and gone from the other.
	only := func(t *testing.T, on, off *Node) {
		t.Helper()
		if v, err := on.Volume(t.Context(), "images", volume); err != nil || v.Unfinished || v.Size != 96<<20 {
			t.Errorf("on %s: %+v, %v", on.cfg.Name, v, err)
		}
		if _, err := off.Volume(t.Context(), "images", volume); !errors.Is(err, virt.ErrNotFound) {
			t.Errorf("on %s: %v", off.cfg.Name, err)
		}
	}

	t.Run("away only when it was said", func(t *testing.T) {
		now, err := p.a.freshVM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		err = checkMigrate(t.Context(), p.a, p.b, p.a, now, virt.Migrate{AwayFrom: "n1", Live: true}, p.opts)
		if !errors.Is(err, virt.ErrConflict) || !strings.Contains(full(err), "copy_storage: true") {
			t.Errorf("%v", err)
		}
	})
	t.Run("stopped, it rests on an image that stays", func(t *testing.T) {
		now, err := p.a.freshVM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		now.State, now.Live = virt.Stopped, nil
		err = checkMigrate(t.Context(), p.a, p.b, p.a, now, virt.Migrate{Host: "n2"}, p.opts)
		if !errors.Is(err, virt.ErrConflict) || !strings.Contains(full(err), "rests on an image that is not there") {
			t.Errorf("%v", err)
		}
	})
	t.Run("cancelled in flight", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx = virt.WithProgress(ctx, func(virt.Progress) { cancel() })
		_, _, err := p.move(ctx, p.a, p.b, vm, virt.Migrate{Live: true, CopyStorage: true, Bandwidth: virt.MiB})
		if !errors.Is(err, context.Canceled) || !strings.Contains(full(err), "it runs on n1; it is not on n2") {
			t.Error(full(err))
		}
		only(t, p.a, p.b)
	})
	t.Run("live, over what an interrupted move has left", func(t *testing.T) {
		left := diskCopies{from: p.a, to: p.b, vm: vm}
		now, err := p.a.freshVM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		if err := left.mark(t.Context(), now.Disks[0]); err != nil {
			t.Fatal(err)
		}
		err = p.b.do(t.Context(), "begin a volume", func(c *lv.Connect) error {
			return withPool(c, "images", func(q *lv.StoragePool) error {
				v, err := q.StorageVolCreateXML("<volume><name>"+volume+"</name><capacity>1</capacity></volume>", 0)
				if err == nil {
					v.Free()
				}
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		_, out, err := p.move(t.Context(), p.a, p.b, vm, virt.Migrate{Live: true, CopyStorage: true})
		if err != nil {
			t.Fatal(full(err))
		}
		t.Log(out.Summary, out.Warnings)
		only(t, p.b, p.a)
	})
	t.Run("stopped", func(t *testing.T) {
		err := p.b.withDomain(t.Context(), "stop it", vm, func(_ *lv.Connect, d *lv.Domain) error { return d.Destroy() })
		if err != nil {
			t.Fatal(err)
		}
		moved, out, err := p.move(t.Context(), p.b, p.a, vm, virt.Migrate{CopyStorage: true})
		if err != nil {
			t.Fatal(full(err))
		}
		t.Log(out.Summary, out.Warnings)
		if moved.Bytes < 1<<20 {
			t.Errorf("%+v", moved)
		}
		only(t, p.a, p.b)
		err = p.a.withDomain(t.Context(), "start it", vm, func(_ *lv.Connect, d *lv.Domain) error { return d.Create() })
		if err != nil {
			t.Fatal(err)
		}
		labAgent(t, p.a, vm)
		if r, err := p.a.GuestProbe(t.Context(), vm, virt.Command{Argv: []string{"cat", "/root/kept"}}); err != nil || r.Stdout != "kept\n" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestLabClusterMigrate moves a guest by the change that a step makes.
func TestLabClusterMigrate(t *testing.T) {
	var nodes []*Node
	for _, name := range []string{"n1", "n2"} {
		cfg := labConfig(t, name)
		cfg.SharedPools = []string{"shared"}
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		nodes = append(nodes, n)
	}
	c, err := OpenCluster("lab", nodes)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const vm = "l3-away"
	labGuest(t, vm, "shared", labNode(t, "n1"), labNode(t, "n2"))
	apply := func(ch virt.Migrate) (virt.Outcome, error) {
		t.Helper()
		c.Forget()
		now, err := c.VM(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		ch.On, ch.Live = virt.OnVM(now), true
		return c.Apply(t.Context(), ch)
	}
	out, err := apply(virt.Migrate{AwayFrom: "n1"})
	moved, ok := out.Result.(*virt.Moved)
	if err != nil || !ok || moved.To != "n2" || out.Summary == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, again := range []virt.Migrate{{AwayFrom: "n1"}, {Host: "n2"}} {
		if out, err := apply(again); err != nil || out.Changed {
			t.Errorf("%+v: %+v, %v", again, out, err)
		}
	}
	// What stands in the way is said before anything moves.
	_, err = apply(virt.Migrate{Host: "n1", Networks: map[string]string{"lan": "no-such-net"}})
	if !errors.Is(err, virt.ErrConflict) || !strings.Contains(full(err), `network "no-such-net" is not there`) {
		t.Errorf("%v", err)
	}
	if now, err := c.VM(t.Context(), vm); err != nil || now.Host.Or("") != "n2" || now.State != virt.Running {
		t.Errorf("%+v, %v", now, err)
	}
}
