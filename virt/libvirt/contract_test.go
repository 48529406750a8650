//go:build cgo

package libvirt

import (
	"errors"
	"maps"
	"strings"
	"testing"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/virttest"
)

// foreign is something in a domain that nactl knows nothing of.
const foreign = `<domain><metadata><v:knob xmlns:v="https://vendor.example/1">turned</v:knob></metadata></domain>`

func keptForeign(vm *virt.VM) error {
	if !strings.Contains(vm.Native, "turned") {
		return errors.New("the vendor's metadata")
	}
	return nil
}

// notOnNodes lists what only engines have, and what else a platform cannot do.
func notOnNodes(more map[string]string) map[string]string {
	list := map[string]string{
		"set_vm/tags":               "a node keeps no tags",
		"set_vm/tags running":       "a node keeps no tags",
		"set_vm/tags fewer":         "a node keeps no tags",
		"set_vm/engine":             "what only engines have",
		"set_vm/engine running":     "what only engines have",
		"set_vm/properties":         "what only engines have",
		"set_vm/properties running": "what only engines have",
		"set_affinity":              "nodes have no affinity groups",
		"delete_affinity":           "nodes have no affinity groups",
	}
	maps.Copy(list, more)
	return list
}

// driverUnsupported is what libvirt's test driver cannot do.
var driverUnsupported = map[string]string{
	"change_nic/running":                     "the test driver changes no devices of a running VM",
	"change_cdrom/new drive running":         "the test driver plugs nothing into a running VM",
	"change_cdrom/another running":           "the test driver changes no devices of a running VM",
	"change_cdrom/eject running":             "the test driver changes no devices of a running VM",
	"attach_disk/running":                    "the test driver plugs nothing into a running VM",
	"resize_disk":                            "the test driver resizes no volumes",
	"resize_volume":                          "the test driver resizes no volumes",
	"upload_volume":                          "the test driver has no streams",
	"attach_nic/running":                     "the test driver plugs nothing into a running VM",
	"change_nic/link running":                "the test driver changes no devices of a running VM",
	"create_snapshot/external stopped":       "the test driver makes no external snapshots",
	"create_snapshot/external running":       "the test driver makes no external snapshots",
	"delete_snapshot/external stopped":       "the test driver makes no external snapshots",
	"delete_snapshot/external running":       "the test driver makes no external snapshots",
	"delete_snapshot/external below another": "the test driver makes no external snapshots",
	"revert_snapshot/external":               "the test driver makes no external snapshots",
	"create_host_vlan":                       "the test driver has no host behind it",
	"guest_exec":                             "the test driver has no guests",
	"guest_write":                            "the test driver has no guests",
	"set_ssh_keys":                           "the test driver has no guests",
	"set_password":                           "the test driver has no guests",
	"migrate":                                "a node alone has nowhere to move to",
	"host_maintenance":                       "a node is taken out of service in the inventory",
	"host_activate":                          "a node is taken out of service in the inventory",
}

func TestContractOnTheTestDriver(t *testing.T) {
	virttest.Run(t, virttest.Setup{
		New: func(t *testing.T) virt.Platform {
			n := driverNode(t)
			makeCDs(t, n, "a.iso", "b.iso")
			return n
		},
		Prefix: "c-",
		VM: func(name string) virt.CreateVM {
			return virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", CPU: virt.CPU{Count: 1},
				Memory: virt.Memory{Current: 64 * virt.MiB}, NICs: []virt.NICSpec{{Name: "nic1", Network: "default"}}, LibvirtXML: foreign}
		},
		Kept: keptForeign,
		Disk: func(name string) virt.DiskSpec {
			return virt.DiskSpec{Name: name, Size: 8 * virt.MiB, Storage: "images", Format: "qcow2", Sparse: true}
		},
		Storage: "images",
		Pool: func(name string) virt.CreatePool {
			return virt.CreatePool{Type: "dir", Path: "/var/lib/" + name, Autostart: true}
		},
		Networks: [2]string{"default", "lan"},
		CDs:      [2]virt.Medium{{Storage: "images", Volume: "a.iso"}, {Storage: "images", Volume: "b.iso"}},
		Network: func(name string, vlan int) virt.CreateNetwork {
			return virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef(name)}, Type: "openvswitch", Bridge: "ovsbr0", VLAN: vlan}
		},
		Guest: func(t *testing.T, p virt.Platform) string {
			n := p.(*Node)
			if _, err := n.VM(t.Context(), "guest"); errors.Is(err, virt.ErrNotFound) {
				if _, err := n.Apply(t.Context(), virt.CreateVM{On: virt.On{Ref: virt.VMRef("guest")}, Run: "r1",
					CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: virt.MiB}}); err != nil {
					t.Fatal(err)
				}
				if _, err := n.Apply(t.Context(), virt.Start{On: seen(t, n, "guest")}); err != nil {
					t.Fatal(err)
				}
			}
			return "guest"
		},
		Writes:      func(p virt.Platform) int { return writes(p.(*Node)) },
		Unsupported: notOnNodes(driverUnsupported),
		Unpredicted: []string{"machine", "accel"},
	})
}

// makeCDs makes volumes that pass for CDs.
func makeCDs(t *testing.T, n *Node, names ...string) {
	t.Helper()
	for _, name := range names {
		var pool poolTarget
		err := n.read(t.Context(), "look at the pool", func(c *lv.Connect) (err error) {
			pool, err = lookPool(c, "images")
			return err
		})
		if err == nil {
			err = n.makeVolume(t.Context(), newVolume{pool: pool, name: name, format: "raw", size: virt.MiB, sparse: true}, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
