package dryrun_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/virttest"
)

// TestContract shows that an overlay behaves as a platform does, for the steps of
// a plan are the steps of a play.
func TestContract(t *testing.T) {
	below := virttest.NewMemory(
		&virt.Storage{Name: "images", Type: "dir", Active: true},
		&virt.Host{Name: "h1", State: "up"}, &virt.Host{Name: "h2", State: "up"},
		&virt.Network{Name: "red", Type: "bridge", Active: true}, &virt.Network{Name: "blue", Type: "bridge", Active: true},
	)
	written, guests := false, 0
	below.Before = func(context.Context, virt.Change) error { written = true; return nil }
	virttest.Run(t, virttest.Setup{
		New:    func(*testing.T) virt.Platform { return dryrun.New(below) },
		Prefix: "d-",
		VM: func(name string) virt.CreateVM {
			return virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", CPU: virt.CPU{Count: 1, Max: 2},
				Memory: virt.Memory{Current: 64 * virt.MiB, Max: 64 * virt.MiB}, Host: virt.Some("h1"),
				NICs: []virt.NICSpec{{Name: "nic1", Network: "red"}}}
		},
		Disk:    func(name string) virt.DiskSpec { return virt.DiskSpec{Name: name, Size: 8 * virt.MiB} },
		Storage: "images",
		Pool: func(name string) virt.CreatePool {
			return virt.CreatePool{Type: "dir", Path: "/" + name, Autostart: true}
		},
		Networks: [2]string{"red", "blue"},
		CDs:      [2]virt.Medium{{Storage: "isos", Volume: "a.iso"}, {Storage: "isos", Volume: "b.iso"}},
		Network: func(name string, vlan int) virt.CreateNetwork {
			return virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef(name)}, Type: "openvswitch", Bridge: "b", VLAN: vlan, Hosts: []string{"h1"}}
		},
		// Nobody can ask the guest of a VM that the overlay rebooted, so each test gets
		// one of its own.
		Guest: func(*testing.T, virt.Platform) string {
			guests++
			name := fmt.Sprintf("guest-%d", guests)
			below.Put(running(name))
			below.Put(&virt.SSHKeys{VM: name, User: "ada"})
			return name
		},
		GuestUser: "ada",
		Elsewhere: "h2", OtherCluster: "c2",
	})
	if written {
		t.Error("a change reached the platform under the overlay")
	}
}

func running(name string) *virt.VM {
	cpu, memory := virt.CPU{Count: 1, Max: 1}, virt.Memory{Current: virt.GiB, Max: virt.GiB}
	return &virt.VM{Name: name, State: virt.Running, CPU: cpu, Memory: memory, Live: &virt.Live{CPU: cpu, Memory: memory}, Host: virt.Some("h1")}
}
