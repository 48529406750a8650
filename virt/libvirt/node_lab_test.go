//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// defineLabVMs defines stopped VMs on a node, and removes them at the end.
func defineLabVMs(t *testing.T, n *Node, names ...string) {
	t.Helper()
	undefine := func() {
		err := n.do(context.Background(), "undefine", func(c *lv.Connect) error {
			for _, name := range names {
				d, err := c.LookupDomainByName(name)
				if isCode(err, lv.ERR_NO_DOMAIN) {
					continue
				} else if err != nil {
					return err
				}
				_ = d.Destroy() // most are off
				err = d.UndefineFlags(lv.DOMAIN_UNDEFINE_MANAGED_SAVE)
				d.Free()
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	undefine()
	t.Cleanup(undefine)
	err := n.do(t.Context(), "define", func(c *lv.Connect) error {
		for _, name := range names {
			d, err := c.DomainDefineXML(fmt.Sprintf(`<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64'>hvm</type><boot dev='hd'/></os><features><acpi/></features>
<devices><interface type='network'><source network='lan'/><model type='virtio'/></interface></devices></domain>`, name))
			if err != nil {
				return err
			}
			d.Free()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An unchanged run over 100 VMs with four settings each, as the play does it:
// each step looks at its VM and predicts.
func TestLabUnchangedRunIsCheap(t *testing.T) {
	prepare := labNode(t, "n1")
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("l1-%03d", i))
	}
	defineLabVMs(t, prepare, names...)
	var mu sync.Mutex
	var wrote []string
	cfg := labConfig(t, "n1")
	cfg.OnCall = func(program, procedure uint32) {
		if !ReadsOnly(program, procedure) {
			mu.Lock()
			defer mu.Unlock()
			wrote = append(wrote, ProcedureName(program, procedure))
		}
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, change := range []func(on virt.On) virt.Change{
		func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(1)} },
		func(on virt.On) virt.Change { return virt.SetMemory{On: on, Current: virt.Some(64 * virt.MiB)} },
		func(on virt.On) virt.Change { return virt.SetVM{On: on, Autostart: virt.Some(false)} },
		func(on virt.On) virt.Change { return virt.SetVM{On: on, Description: virt.Some("")} },
	} {
		for _, name := range names {
			vm, err := n.VM(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			c := change(virt.OnVM(vm))
			if _, out, err := n.Predict(vm, c); err != nil || out.Changed {
				t.Fatalf("%s: %+v, %v", name, out, err)
			}
		}
	}
	took := time.Since(began)
	all, err := n.VMs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	most := 130 + 3*(len(all)-len(names)) // other tests' VMs cost up to three calls each
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	s := n.Stats()
	t.Logf("%s: %d connections, %d calls, %d trips: %v", took, s.Connections, s.Calls, s.Trips, s.Procedures)
	if s.Connections != 1 || s.Calls > most || s.Trips > 30 {
		t.Errorf("%d connections, %d calls, %d trips; wanted 1, at most %d, at most 30", s.Connections, s.Calls, s.Trips, most)
	}
	if len(wrote) != 0 {
		t.Errorf("calls that write: %v", wrote)
	}
}

// A call that blocks ends soon after its context, and takes nothing else with
// it than its connection.
func TestLabCutsOffABlockedCall(t *testing.T) {
	n := labNode(t, "n1")
	defineLabVMs(t, n, "l1-block")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := n.do(ctx, "wait for nothing", func(c *lv.Connect) error {
		for {
			// Each call is short; the loop is what blocks, until the connection is cut.
			if _, err := c.ListAllNetworks(0); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := n.VM(t.Context(), "l1-block"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A connection that goes away is noticed: a read goes on over a new one, a write
// says that nobody knows.
func TestLabLostConnection(t *testing.T) {
	n := labNode(t, "n1")
	defineLabVMs(t, n, "l1-lost")
	cut := func(c *lv.Connect) error {
		n.mu.Lock()
		k := n.conn
		n.mu.Unlock()
		k.tunnel.cut(errors.New("cut by the test"))
		_, err := c.GetHostname()
		return err
	}
	if err := n.do(t.Context(), "write", cut); !errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Errorf("a write: got %v, want outcome unknown", err)
	}
	runs := 0
	err := n.read(t.Context(), "read", func(c *lv.Connect) error {
		if runs++; runs == 1 {
			return cut(c)
		}
		_, err := c.GetHostname()
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("a read: %v after %d runs", err, runs)
	}
	if s := n.Stats(); s.Connections != 1 {
		t.Errorf("%d SSH connections, want 1", s.Connections)
	}
}

// Changes made on a real node converge and are what was predicted.
func TestLabChangesConverge(t *testing.T) {
	n := labNode(t, "n1")
	defineLabVMs(t, n, "l1-vm")
	for _, change := range []func(on virt.On) virt.Change{
		func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(2), Max: virt.Some(4)} },
		func(on virt.On) virt.Change {
			return virt.SetMemory{On: on, Current: virt.Some(96 * virt.MiB), Max: virt.Some(96 * virt.MiB)}
		},
		func(on virt.On) virt.Change {
			return virt.SetVM{On: on, Title: virt.Some("t"), Description: virt.Some("d"), Autostart: virt.Some(true), Boot: virt.Some([]string{"network", "hd"}),
				Metadata: map[string]string{"owner": "me & you"}}
		},
		func(on virt.On) virt.Change { return virt.Start{On: on} },
		func(on virt.On) virt.Change { return virt.SetVM{On: on, Description: virt.Some("live")} },
		func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(3)} },
		func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(1)} },
		func(on virt.On) virt.Change { return virt.SetMemory{On: on, Max: virt.Some(128 * virt.MiB)} },
		func(on virt.On) virt.Change { return virt.Pause{On: on} },
		func(on virt.On) virt.Change { return virt.Start{On: on} },
		func(on virt.On) virt.Change {
			return virt.Shutdown{On: on, Timeout: time.Minute, ForceAfter: virt.Some(2 * time.Second)}
		},
	} {
		on := seen(t, n, "l1-vm")
		c := change(on)
		t.Log(virt.KindOf(c))
		predicted, _, err := n.Predict(on.Before, c)
		if err != nil {
			t.Fatal(err)
		}
		out, err := n.Apply(t.Context(), c)
		if err != nil || !out.Changed {
			t.Fatalf("%s: %+v, %v", virt.KindOf(c), out, err)
		}
		vm, err := n.freshVM(t.Context(), "l1-vm")
		if err != nil {
			t.Fatal(err)
		}
		want := predicted.(*virt.VM)
		want.Native, vm.Native, want.Agent, vm.Agent = "", "", "", ""
		if d := cmp.Diff(want, vm, cmp.AllowUnexported(virt.Opt[string]{})); d != "" {
			t.Errorf("%s: predicted and seen differ: %s", virt.KindOf(c), d)
		}
		if out, err := n.Apply(t.Context(), change(seen(t, n, "l1-vm"))); err != nil || out.Changed {
			t.Errorf("%s again: %+v, %v", virt.KindOf(c), out, err)
		}
	}
}
