package virttest_test

import (
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/virttest"
)

// TestMemory shows that what steps are tested against keeps the contract of those
// platforms that they will run on.
func TestMemory(t *testing.T) {
	var m *virttest.Memory
	virttest.Run(t, virttest.Setup{
		New: func(*testing.T) virt.Platform {
			m = virttest.NewMemory(
				&virt.Storage{Name: "images", Type: "dir", Active: true},
				&virt.Host{Name: "h1", State: "up"}, &virt.Host{Name: "h2", State: "up"},
				&virt.Network{Name: "red", Type: "bridge", Active: true}, &virt.Network{Name: "blue", Type: "bridge", Active: true},
			)
			return m
		},
		Prefix: "m-",
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
		Guest: func(*testing.T, virt.Platform) string {
			cpu, memory := virt.CPU{Count: 1, Max: 1}, virt.Memory{Current: virt.GiB, Max: virt.GiB}
			m.Put(&virt.VM{Name: "guest", State: virt.Running, CPU: cpu, Memory: memory, Live: &virt.Live{CPU: cpu, Memory: memory}, Host: virt.Some("h1")})
			m.Put(&virt.SSHKeys{VM: "guest", User: "ada", Keys: []string{"what is no key"}})
			return "guest"
		},
		GuestUser: "ada", Elsewhere: "h2", OtherCluster: "c2",
		Writes: func(virt.Platform) int { return len(m.Applied()) },
	})
}
