//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/virttest"
)

// wireWrites counts the calls on the wire that write. What passes on to a guest's
// agent is left out: looking at a guest goes the same way.
type wireWrites struct {
	mu sync.Mutex
	n  int
}

func (w *wireWrites) onCall(program, procedure uint32) {
	if !ReadsOnly(program, procedure) && program != ProgramQEMU {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n++
	}
}

func (w *wireWrites) count(virt.Platform) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// noVLANs is why the lab's nodes have none; TestLabScripts makes them in a guest
// that is a node.
const noVLANs = "the nodes share a kernel that may have no 8021q"

// labSetup is the contract's setup for VMs of the lab.
func labSetup(t *testing.T, w *wireWrites) virttest.Setup {
	image := &virt.Image{}
	return virttest.Setup{
		Prefix: "l1-c-",
		VM: func(name string) virt.CreateVM {
			return virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", CPU: virt.CPU{Count: 1},
				Memory: virt.Memory{Current: 64 * virt.MiB}, NICs: []virt.NICSpec{{Name: "nic1", Network: "lan"}}, LibvirtXML: foreign}
		},
		Kept: keptForeign,
		Disk: func(name string) virt.DiskSpec {
			return virt.DiskSpec{Name: name, Size: 8 * virt.MiB, Storage: "images", Format: "qcow2", Sparse: true}
		},
		Storage: "images",
		Pool: func(name string) virt.CreatePool {
			return virt.CreatePool{Type: "dir", Path: "/var/lib/libvirt/" + name, Build: true, Autostart: true}
		},
		Networks: [2]string{"default", "lan"},
		CDs:      [2]virt.Medium{{Storage: "images", Volume: "l1-a.iso"}, {Storage: "images", Volume: "l1-b.iso"}},
		Network: func(name string, vlan int) virt.CreateNetwork {
			return virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef(name)}, Type: "openvswitch", VLAN: vlan}
		},
		Guest: func(t *testing.T, p virt.Platform) string {
			const name = "l1-guest"
			if vm, err := p.VM(t.Context(), name); err == nil && vm.State == virt.Running {
				waitAgent(t, p, name)
				return name
			}
			var err error
			if image, err = p.Image(t.Context(), virt.ImageSource{Name: "tiny", Storage: "shared", Volume: "tiny.qcow2"}); err != nil {
				t.Fatal(err)
			}
			c := virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", Image: image, CPU: virt.CPU{Count: 1},
				Memory: virt.Memory{Current: 128 * virt.MiB}, Disks: []virt.DiskSpec{{Name: "root", Boot: true, Storage: "images", Sparse: true}},
				NICs: []virt.NICSpec{{Name: "nic1", Network: "lan"}}}
			if _, err := p.Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Apply(t.Context(), virt.Start{On: sees(t, p, name)}); err != nil {
				t.Fatal(err)
			}
			waitAgent(t, p, name)
			return name
		},
		GuestUser: "root",
		Writes:    w.count,
		// The node's only bridge is looked up, and what a new file's owner is, the guest
		// decides.
		Unpredicted: []string{"machine", "accel", "bridge", "owner", "group"},
	}
}

func sees(t *testing.T, p virt.Platform, name string) virt.On {
	t.Helper()
	p.Forget(virt.VMRef(name))
	vm, err := p.VM(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return virt.OnVM(vm)
}

func waitAgent(t *testing.T, p virt.Platform, name string) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		p.Forget(virt.VMRef(name))
		info, err := p.GuestInfo(t.Context(), name)
		if err == nil && info.Agent == virt.AgentConnected {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no agent in %s: %+v, %v", name, info, err)
		}
		time.Sleep(time.Second)
	}
}

// oldLibvirt is what the lab's libvirt, 9.0, cannot do.
var oldLibvirt = map[string]string{"revert_snapshot/external": "libvirt before 9.9 goes back to no external snapshot"}

// hostsOfNodes is what is not done to nodes as hosts.
var hostsOfNodes = map[string]string{
	"host_maintenance": "a node is taken out of service in the inventory",
	"host_activate":    "a node is taken out of service in the inventory",
}

func TestLabContractOnANode(t *testing.T) {
	w := &wireWrites{}
	s := labSetup(t, w)
	s.Unsupported = notOnNodes(map[string]string{"create_host_vlan": noVLANs, "migrate": "a node alone has nowhere to move to"})
	maps.Copy(s.Unsupported, hostsOfNodes)
	maps.Copy(s.Unsupported, oldLibvirt)
	s.New = func(t *testing.T) virt.Platform {
		cfg := labConfig(t, "n1")
		cfg.OnCall = w.onCall
		n := openLab(t, cfg)
		removeGuest(t, n)
		labCDs(t, n)
		return n
	}
	virttest.Run(t, s)
}

func TestLabContractOnACluster(t *testing.T) {
	w := &wireWrites{}
	s := labSetup(t, w)
	s.Elsewhere, s.Storage = "n2", "n1/images"
	s.Unsupported = notOnNodes(map[string]string{"create_host_vlan": noVLANs, "migrate/cluster": "a cluster of nodes stands for itself"})
	maps.Copy(s.Unsupported, hostsOfNodes)
	maps.Copy(s.Unsupported, oldLibvirt)
	vm := s.VM
	s.VM = func(name string) virt.CreateVM {
		c := vm(name)
		c.Host = virt.Some("n1")
		return c
	}
	s.New = func(t *testing.T) virt.Platform {
		var members []*Node
		for _, name := range []string{"n1", "n2"} {
			cfg := labConfig(t, name)
			cfg.OnCall, cfg.SharedPools = w.onCall, []string{"shared"}
			members = append(members, openLab(t, cfg))
		}
		c, err := OpenCluster("lab", members)
		if err != nil {
			t.Fatal(err)
		}
		removeGuest(t, c)
		labCDs(t, members[0])
		return c
	}
	virttest.Run(t, s)
}

// openLab opens a node.
func openLab(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNode(t, n) })
	return n
}

// removeGuest deletes the contract's guest, now and at the end.
func removeGuest(t *testing.T, p virt.Platform) {
	t.Helper()
	remove := func() {
		ctx := context.WithoutCancel(t.Context())
		p.Forget()
		vm, err := p.VM(ctx, "l1-guest")
		if errors.Is(err, virt.ErrNotFound) {
			return
		} else if err != nil {
			t.Error(err)
			return
		}
		if _, err := p.Apply(ctx, virt.DeleteVM{On: virt.OnVM(vm), Volumes: true}); err != nil {
			t.Error(err)
		}
	}
	remove()
	t.Cleanup(remove)
}

// labCDs makes the volumes that the contract puts into drives, and removes them at
// the end.
func labCDs(t *testing.T, n *Node) {
	t.Helper()
	names := []string{"l1-a.iso", "l1-b.iso"}
	remove := func() {
		for _, name := range names {
			if err := n.deleteVolume(context.WithoutCancel(t.Context()), "images", name); err != nil && !errors.Is(err, virt.ErrNotFound) {
				t.Error(err)
			}
		}
	}
	remove()
	t.Cleanup(remove)
	makeCDs(t, n, names...)
}
