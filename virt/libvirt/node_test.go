//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

// driverNode opens a node of libvirt's test driver with its own state, written
// from the domains' XML.
func driverNode(t *testing.T, domains ...string) *Node {
	t.Helper()
	n, err := Open(t.Context(), Config{Name: "n1", URI: "test://" + testFile(t, domains...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNode(t, n) })
	return n
}

func closeNode(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// testFile writes a node for the test driver.
func testFile(t *testing.T, domains ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.xml")
	body := "<node>" + strings.Join(domains, "") + `
<network><name>default</name><forward mode="nat"/><bridge name="virbr0"/><ip address="192.168.122.1" netmask="255.255.255.0"/></network>
<network><name>lan</name><forward mode="bridge"/><bridge name="br0"/></network>
<pool type="dir"><name>images</name><target><path>/var/lib/libvirt/images</path></target></pool>
</node>`
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// testDomain is a running VM with things in it that nactl does not know.
func testDomain(name string) string {
	return fmt.Sprintf(`<domain type="test"><name>%s</name><title>a title</title><description>what it is for</description>
<metadata><v:knob xmlns:v="https://vendor.example/1">secret</v:knob></metadata>
<memory unit="MiB">1024</memory><currentMemory unit="MiB">512</currentMemory><vcpu current="2">4</vcpu>
<os><type>hvm</type><boot dev="hd"/></os>
<devices>
<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/var/lib/libvirt/images/%[1]s-root.qcow2"/><target dev="vda" bus="virtio"/></disk>
<interface type="network"><mac address="52:54:00:00:00:01"/><source network="default"/><model type="virtio"/></interface>
</devices></domain>`, name)
}

// stop cuts the power of a VM.
func stop(t *testing.T, n *Node, vm string) {
	t.Helper()
	if _, err := n.Apply(t.Context(), virt.PowerOff{On: seen(t, n, vm)}); err != nil {
		t.Fatal(err)
	}
}

func seen(t *testing.T, n *Node, name string) virt.On {
	t.Helper()
	vm, err := n.VM(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return virt.OnVM(vm)
}

func TestReadsAVM(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	vm, err := n.VM(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if vm.Native == "" || vm.ID.Or("") == "" {
		t.Errorf("native or id is empty: %+v", vm)
	}
	vm.Native, vm.ID = "", virt.Opt[string]{}
	want := &virt.VM{
		Name: "a", Title: "a title", Description: "what it is for", State: virt.Running,
		CPU: virt.CPU{Count: 2, Max: 4}, Memory: virt.Memory{Current: 512 * virt.MiB, Max: virt.GiB},
		Live: &virt.Live{CPU: virt.CPU{Count: 2, Max: 4}, Memory: virt.Memory{Current: 512 * virt.MiB, Max: virt.GiB}},
		Boot: []string{"hd"}, Firmware: "bios", Machine: vm.Machine, Accel: "test", Host: virt.Some("n1"), Agent: virt.AgentAbsent,
		Disks: []virt.Disk{{Name: "root", Target: "vda", Device: "disk", Bus: "virtio", Format: "qcow2", Sparse: true, Boot: true,
			Storage: "images", Volume: "a-root.qcow2", Path: virt.Some("/var/lib/libvirt/images/a-root.qcow2"), In: virt.Presence{Live: true, Config: true}}},
		NICs: []virt.NIC{{Name: "nic1", MAC: virt.Some("52:54:00:00:00:01"), Network: "default", Model: "virtio", LinkUp: true,
			In: virt.Presence{Live: true, Config: true}}},
	}
	if d := cmp.Diff(want, vm, cmp.AllowUnexported(virt.Opt[string]{})); d != "" {
		t.Error(d)
	}
}

func TestMissingVM(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	_, err := n.VM(t.Context(), "b")
	var e *virt.Error
	if !errors.As(err, &e) || e.Kind != virt.ErrNotFound || e.Object != virt.VMRef("b") {
		t.Fatalf("got %v, want a not-found that names vm b", err)
	}
	_, err = n.Apply(t.Context(), virt.Start{On: virt.On{Ref: virt.VMRef("b")}})
	if !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("Apply: got %v, want not found", err)
	}
}

// Every change, applied, is what is then seen; applied again it sends nothing.
func TestChangesConverge(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(on virt.On) virt.Change
		stopped bool
		check   func(vm *virt.VM) bool
	}{
		{name: "cpu live", change: func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(3)} },
			check: func(vm *virt.VM) bool { return vm.CPU.Count == 3 && vm.Live.CPU.Count == 3 }},
		{name: "cpu over the running maximum", change: func(on virt.On) virt.Change { return virt.SetCPU{On: on, Count: virt.Some(6)} },
			check: func(vm *virt.VM) bool {
				return vm.CPU.Count == 6 && vm.CPU.Max == 6 && vm.Live.CPU.Count == 2 && len(vm.Pending) == 2
			}},
		{name: "cpu stopped, fewer", stopped: true, change: func(on virt.On) virt.Change {
			return virt.SetCPU{On: on, Count: virt.Some(1), Max: virt.Some(2)}
		},
			check: func(vm *virt.VM) bool { return vm.CPU == virt.CPU{Count: 1, Max: 2} }},
		{name: "topology", stopped: true, change: func(on virt.On) virt.Change {
			return virt.SetCPU{On: on, Count: virt.Some(4), Max: virt.Some(8), Topology: virt.Some(virt.Topology{Sockets: 2, Cores: 2, Threads: 2})}
		}, check: func(vm *virt.VM) bool {
			return vm.CPU.Max == 8 && vm.CPU.Count == 4 && vm.CPU.Topology == virt.Topology{Sockets: 2, Cores: 2, Threads: 2}
		}},
		{name: "memory live", change: func(on virt.On) virt.Change {
			return virt.SetMemory{On: on, Current: virt.Some(768 * virt.MiB)}
		}, check: func(vm *virt.VM) bool {
			return vm.Memory.Current == 768*virt.MiB && vm.Live.Memory.Current == 768*virt.MiB
		}},
		{name: "memory over the maximum", change: func(on virt.On) virt.Change {
			return virt.SetMemory{On: on, Current: virt.Some(2 * virt.GiB)}
		}, check: func(vm *virt.VM) bool {
			return vm.Memory == virt.Memory{Current: 2 * virt.GiB, Max: 2 * virt.GiB} && vm.Live.Memory.Max == virt.GiB && len(vm.Pending) == 2
		}},
		{name: "memory down, stopped", stopped: true, change: func(on virt.On) virt.Change {
			return virt.SetMemory{On: on, Max: virt.Some(256 * virt.MiB)}
		}, check: func(vm *virt.VM) bool { return vm.Memory == virt.Memory{Current: 256 * virt.MiB, Max: 256 * virt.MiB} }},
		{name: "title, description, autostart, metadata", change: func(on virt.On) virt.Change {
			return virt.SetVM{On: on, Title: virt.Some("t"), Description: virt.Some("d & <d>"), Autostart: virt.Some(true),
				Metadata: map[string]string{"owner": "a & b", "x": ""}}
		}, check: func(vm *virt.VM) bool {
			return vm.Title == "t" && vm.Description == "d & <d>" && vm.Autostart && vm.Metadata["owner"] == "a & b" && len(vm.Metadata) == 2
		}},
		{name: "no title", change: func(on virt.On) virt.Change { return virt.SetVM{On: on, Title: virt.Some("")} },
			check: func(vm *virt.VM) bool { return vm.Title == "" && vm.Description == "what it is for" }},
		{name: "boot", change: func(on virt.On) virt.Change {
			return virt.SetVM{On: on, Boot: virt.Some([]string{"network", "hd"})}
		}, check: func(vm *virt.VM) bool { return strings.Join(vm.Boot, " ") == "network hd" }},
		{name: "libvirt XML", change: func(on virt.On) virt.Change {
			return virt.SetVM{On: on, LibvirtXML: virt.Some(`<domain><memoryBacking><nosharepages/></memoryBacking></domain>`)}
		}, check: func(vm *virt.VM) bool { return strings.Contains(vm.Native, "nosharepages") }},
		{name: "shutdown", change: func(on virt.On) virt.Change { return virt.Shutdown{On: on, Timeout: time.Minute} },
			check: func(vm *virt.VM) bool { return vm.State == virt.Stopped && vm.Live == nil }},
		{name: "power off", change: func(on virt.On) virt.Change { return virt.PowerOff{On: on} },
			check: func(vm *virt.VM) bool { return vm.State == virt.Stopped }},
		{name: "start", stopped: true, change: func(on virt.On) virt.Change { return virt.Start{On: on} },
			check: func(vm *virt.VM) bool { return vm.State == virt.Running && vm.Live != nil }},
		{name: "pause", change: func(on virt.On) virt.Change { return virt.Pause{On: on} },
			check: func(vm *virt.VM) bool { return vm.State == virt.Paused }},
		{name: "suspend", change: func(on virt.On) virt.Change { return virt.Suspend{On: on} },
			check: func(vm *virt.VM) bool { return vm.State == virt.Suspended }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := driverNode(t, testDomain("a"))
			if c.stopped {
				stop(t, n, "a")
			}
			on := seen(t, n, "a")
			predicted, planned, err := n.Predict(on.Before, c.change(on))
			if err != nil {
				t.Fatal(err)
			}
			out, err := n.Apply(t.Context(), c.change(on))
			if err != nil {
				t.Fatal(err)
			}
			if !out.Changed {
				t.Error("nothing was changed")
			}
			if d := cmp.Diff(planned.Fields, out.Fields); d != "" {
				t.Error("plan and play differ: ", d)
			}
			vm, err := n.freshVM(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(vm) {
				t.Errorf("it is now %+v", vm)
			}
			predicted.(*virt.VM).Native, vm.Native = "", strings.TrimSpace(vm.Native)
			if !strings.Contains(vm.Native, "v:knob") || !strings.Contains(vm.Native, "secret") {
				t.Error("the vendor's metadata is gone: ", vm.Native)
			}
			// Whether an agent will answer in a VM that was just started nobody knows.
			vm.Native, vm.Agent, predicted.(*virt.VM).Agent = "", "", ""
			if d := cmp.Diff(predicted, virt.Object(vm), cmp.AllowUnexported(virt.Opt[string]{})); d != "" {
				t.Error("predicted and seen differ: ", d)
			}
			before := writes(n)
			again, err := n.Apply(t.Context(), c.change(seen(t, n, "a")))
			if err != nil || again.Changed {
				t.Errorf("again: %+v, %v", again, err)
			}
			if after := writes(n); after != before {
				t.Errorf("again: %d calls that write", after-before)
			}
		})
	}
}

// writes counts what a node was asked to change: in-process calls go by what
// they are for.
func writes(n *Node) int {
	count := 0
	for op, k := range n.Stats().Procedures {
		if !strings.HasPrefix(op, "read ") {
			count += k
		}
	}
	return count
}

func TestPauseAndResume(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	for _, c := range []func(virt.On) virt.Change{
		func(on virt.On) virt.Change { return virt.Pause{On: on} },
		func(on virt.On) virt.Change { return virt.Start{On: on} },
		func(on virt.On) virt.Change { return virt.Suspend{On: on} },
		func(on virt.On) virt.Change { return virt.Start{On: on} },
		func(on virt.On) virt.Change { return virt.Suspend{On: on} },
		func(on virt.On) virt.Change { return virt.PowerOff{On: on} },
		func(on virt.On) virt.Change { return virt.Start{On: on} },
		func(on virt.On) virt.Change { return virt.Reboot{On: on} },
	} {
		ch := c(seen(t, n, "a"))
		out, err := n.Apply(t.Context(), ch)
		if err != nil || !out.Changed {
			t.Fatalf("%s: %+v, %v", virt.KindOf(ch), out, err)
		}
	}
	if vm, err := n.VM(t.Context(), "a"); err != nil || vm.State != virt.Running {
		t.Errorf("it is %v, %v", vm.State, err)
	}
}

func TestDivergedWhenSomebodyElseWasQuicker(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	on := seen(t, n, "a")
	if _, err := n.Apply(t.Context(), virt.SetCPU{On: on, Count: virt.Some(3)}); err != nil {
		t.Fatal(err)
	}
	_, err := n.Apply(t.Context(), virt.SetCPU{On: on, Count: virt.Some(4)})
	if !errors.Is(err, virt.ErrDiverged) {
		t.Errorf("got %v, want ErrDiverged", err)
	}
}

func TestRefusals(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	on := seen(t, n, "a")
	for _, c := range []struct {
		name   string
		change virt.Change
		kind   error
		says   string
	}{
		{"odd memory", virt.SetMemory{On: on, Current: virt.Some[int64](1000000001)}, virt.ErrInvalid, "whole number of KiB"},
		{"guaranteed", virt.SetMemory{On: on, Guaranteed: virt.Some(virt.GiB)}, virt.ErrUnsupported, "guaranteed"},
		{"migrate", virt.Migrate{On: on, Host: "n2"}, virt.ErrUnsupported, "migrate is not supported on a libvirt node"},
		{"bridge with VLAN", virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("x")}, Type: "bridge", Bridge: "br0", VLAN: 5}, virt.ErrUnsupported, "Linux bridge"},
		{"VLAN id", virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("x")}, Type: "openvswitch", Bridge: "br0", VLAN: 4095}, virt.ErrInvalid, "4095"},
		{"network in use", virt.DeleteNetwork{On: virt.On{Ref: virt.NetworkRef("default")}}, virt.ErrConflict, "is in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if net, ok := c.change.(virt.DeleteNetwork); ok {
				before, err := n.Network(t.Context(), "default")
				if err != nil {
					t.Fatal(err)
				}
				net.Before = before
				c.change = net
			}
			_, err := n.Apply(t.Context(), c.change)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %q", err, c.kind, c.says)
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	c := virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("vlan5")}, Type: "openvswitch", Bridge: "ovsbr0", VLAN: 5}
	after, _, err := n.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := n.Apply(t.Context(), c); err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	got, err := n.Network(t.Context(), "vlan5")
	if err != nil {
		t.Fatal(err)
	}
	got.Native = ""
	if d := cmp.Diff(after, virt.Object(got)); d != "" {
		t.Error(d)
	}
	c.Before = got
	if out, err := n.Apply(t.Context(), c); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	clash := c
	clash.VLAN = 6
	if _, err := n.Apply(t.Context(), clash); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("clash: %v", err)
	}
	if out, err := n.Apply(t.Context(), virt.DeleteNetwork{On: virt.On{Ref: c.Ref, Before: got}}); err != nil || !out.Changed {
		t.Errorf("delete: %+v, %v", out, err)
	}
	if _, err := n.Network(t.Context(), "vlan5"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

func TestHostAndStorage(t *testing.T) {
	n := driverNode(t)
	h, err := n.Host(t.Context(), "n1")
	if err != nil || h.CPUs == 0 || h.Memory == 0 || h.State != "up" {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := n.Host(t.Context(), "n2"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("another host: %v", err)
	}
	s, err := n.Storage(t.Context(), "images")
	if err != nil || !s.Active || s.Capacity == 0 || s.Path != "/var/lib/libvirt/images" || s.Host != "n1" {
		t.Errorf("%+v, %v", s, err)
	}
	var e *virt.Error
	if _, err := n.Storage(t.Context(), "nope"); !errors.As(err, &e) || e.Found != "images" {
		t.Errorf("missing pool: %v", err)
	}
	if _, err := n.Volume(t.Context(), "images", "nope"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("missing volume: %v", err)
	}
}

func TestCancelledContext(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	on := seen(t, n, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Apply(ctx, virt.SetCPU{On: on, Count: virt.Some(3)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if vm, err := n.freshVM(t.Context(), "a"); err != nil || vm.CPU.Count != 2 {
		t.Errorf("%+v, %v", vm, err)
	}
}

func TestWatchTellsOfChanges(t *testing.T) {
	n := driverNode(t, testDomain("a"))
	on := seen(t, n, "a")
	events := n.Watch(t.Context(), "a")
	if _, err := n.Apply(t.Context(), virt.PowerOff{On: on}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-events:
	case <-time.After(10 * time.Second):
		t.Error("no event")
	}
}
