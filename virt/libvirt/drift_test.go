//go:build cgo

package libvirt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// What differs between a running VM and its definition is told field by field, each
// with its reason.
func TestDrift(t *testing.T) {
	const stored = `<domain type='qemu'><name>v</name><uuid>1</uuid><title>new</title><memory>1024</memory><vcpu>2</vcpu>
<os><type machine='pc-q35-7.2'>hvm</type><boot dev='network'/></os><cpu mode='custom'><model>Westmere</model></cpu><devices>
<disk type='file' device='disk'><source file='/p/v-a.qcow2'/><target dev='vda' bus='virtio'/><alias name='ua-a'/></disk>
<disk type='file' device='disk'><source file='/p/v-b.qcow2'/><target dev='vdb' bus='virtio'/><alias name='ua-b'/></disk>
<disk type='file' device='cdrom'><source file='/p/new.iso'/><target dev='sda' bus='scsi'/><alias name='ua-cd'/></disk>
<disk type='file' device='cdrom'><source file='/p/x.iso'/><target dev='sdb' bus='sata'/><alias name='ua-late'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan' portgroup='five'/><model type='virtio'/><alias name='ua-nic1'/></interface>
<interface type='network'><mac address='52:54:00:00:00:02'/><source network='lan'/><model type='virtio'/><link state='down'/><alias name='ua-nic2'/></interface>
<interface type='network'><mac address='52:54:00:00:00:03'/><source network='lan'/><model type='virtio'/><alias name='ua-nic3'/></interface>
</devices></domain>`
	live := strings.NewReplacer("<title>new</title>", "<title>old</title>", "<boot dev='network'/>", "<boot dev='hd'/>", "Westmere", "Nehalem", "pc-q35-7.2", "pc-q35-7.1",
		"/p/new.iso", "/p/old.iso", "portgroup='five'", "portgroup='six' portid='x' bridge='ovsbr0'", "<link state='down'/>", "",
		"<interface type='network'><mac address='52:54:00:00:00:03'/><source network='lan'/><model type='virtio'/>", "<interface type='network'><mac address='52:54:00:00:00:03'/><source network='lan'/><model type='e1000'/>",
		"<disk type='file' device='cdrom'><source file='/p/x.iso'/><target dev='sdb' bus='sata'/><alias name='ua-late'/></disk>", "",
		"<disk type='file' device='disk'><source file='/p/v-b.qcow2'/><target dev='vdb' bus='virtio'/><alias name='ua-b'/></disk>", "<disk type='file' device='disk'><source file='/p/v-c.qcow2'/><target dev='vdc' bus='virtio'/><alias name='ua-c'/></disk>",
	).Replace(stored)
	n := &Node{}
	n.rules = n.nodeRules()
	vm, err := n.assemble(stored, live, domainFacts{state: virt.Running})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"machine":           "pc-q35-7.1>pc-q35-7.2 after a restart",
		"cpu.model":         "Nehalem>Westmere after a restart",
		"title":             "old>new after a restart",
		"boot":              "[hd]>[network] after a restart",
		"disks.b":           "false>true it was changed in the configuration alone",
		"disks.c":           "true>false it is in the running VM alone, and gone after a restart",
		"disks.cd.medium":   "/p/old.iso>/p/new.iso it was changed in the configuration alone",
		"disks.late":        "false>true after a restart: no drive is plugged into a running VM on bus sata",
		"nics.nic1.network": "lan/six>lan/five it was changed in the configuration alone",
		"nics.nic2.link_up": "true>false it was changed in the configuration alone",
		"nics.nic3.model":   "e1000>virtio it was changed in the configuration alone",
	}
	for _, p := range vm.Pending {
		if got := fmt.Sprintf("%v>%v %s", p.Live, p.Configured, p.Reason); want[p.Field] != got {
			t.Errorf("%s: %s, want %s", p.Field, got, want[p.Field])
		}
		delete(want, p.Field)
	}
	for field := range want {
		t.Errorf("%s: nothing is told", field)
	}
	// What is told is what a step mends, and nothing is left of it then.
	for _, c := range []virt.Change{
		virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic1", Network: virt.Some("lan/five")},
		virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic2", LinkUp: virt.Some(false)},
		virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic3", Model: virt.Some("virtio")},
		virt.ChangeCdrom{On: virt.OnVM(vm), Drive: "cd", Path: "/p/new.iso"},
	} {
		after, out, err := n.Predict(vm, c)
		if err != nil || len(out.Fields) != 1 || out.Fields[0].Note != "live" {
			t.Errorf("%+v: %+v, %v", c, out, err)
			continue
		}
		for _, p := range after.(*virt.VM).Pending {
			if p.Field == out.Fields[0].Path {
				t.Errorf("%s is still pending", p.Field)
			}
		}
	}
	same, err := n.assemble(stored, stored, domainFacts{state: virt.Running})
	if err != nil || len(same.Pending) != 0 {
		t.Errorf("of a VM that is as defined: %+v, %v", same.Pending, err)
	}
}

// A VM that does not take part has what was wanted after its restart.
func TestPausedNIC(t *testing.T) {
	n := &Node{}
	n.rules = n.nodeRules()
	vm := &virt.VM{Name: "v", State: virt.Paused, Live: &virt.Live{}, NICs: []virt.NIC{{Name: "nic1", Network: "a", Model: "virtio", LinkUp: true, In: virt.Presence{Live: true, Config: true}}}}
	after, out, err := n.Predict(vm, virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic1", Network: virt.Some("b/group"), LinkUp: virt.Some(false)})
	if err != nil || len(out.Pending) != 1 || !strings.Contains(out.Pending[0].Reason, "paused") || out.Pending[0].Configured != "b/group" {
		t.Fatalf("%+v, %v", out, err)
	}
	nic := after.(*virt.VM).NICs[0]
	if nic.Network != "b" || nic.Profile != "group" || nic.Live == nil || nic.Live.Network != "a" || nic.Live.LinkUp || nic.LinkUp {
		t.Errorf("%+v, live %+v", nic, nic.Live)
	}
}
