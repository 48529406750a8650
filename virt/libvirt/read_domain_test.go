//go:build cgo

package libvirt

import (
	"testing"

	"github.com/nactl/nactl/virt"
)

const runningXML = `<domain type='kvm' id='3'><name>web</name><uuid>u</uuid><vcpu current='3'>4</vcpu>
<memory unit='KiB'>2097152</memory><currentMemory unit='KiB'>1048576</currentMemory>
<os firmware='efi'><type machine='pc-q35-7.2'>hvm</type></os><cpu><topology sockets='1' dies='2' cores='2' threads='1'/></cpu>
<devices>
<disk type='file' device='disk'><driver type='raw'/><source file='/pool/web-data.raw'/><backingStore type='file'><source file='/pool/base.raw'/></backingStore><target dev='vdb' bus='virtio'/><serial>D1</serial><alias name='ua-extra'/></disk>
<disk type='file' device='disk'><driver type='qcow2'/><source file='/pool/web-root.qcow2'/><target dev='vda' bus='virtio'/><boot order='1'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/><boot order='2'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/><link state='down'/><model type='e1000'/><vlan><tag id='7'/></vlan></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
</devices></domain>`

func TestParseDomain(t *testing.T) {
	pools := &poolIndex{pools: []pool{{name: "p", target: "/pool"}}}
	// A NIC and a disk were plugged into the running VM alone.
	stored := `<domain type='kvm'><name>web</name><vcpu>4</vcpu><memory>2097152</memory><metadata><nactl:vm xmlns:nactl='https://nactl.dev/xmlns/1'><nactl:unfinished run='r7'/><nactl:entry key='k'>v</nactl:entry></nactl:vm></metadata>
<os><type>hvm</type><loader type='pflash'>/x</loader><boot dev='hd'/><boot dev='network'/></os>
<devices><disk type='volume' device='disk'><driver type='qcow2'/><source pool='other' volume='v'/><target dev='vdc'/></disk>
<disk type='file' device='disk'><driver type='qcow2'/><source file='/pool/web-root.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>`
	vm, err := parseDomain(stored, runningXML, domainFacts{state: virt.Running, pools: pools})
	if err != nil {
		t.Fatal(err)
	}
	if vm.CPU != (virt.CPU{Count: 4, Max: 4}) || vm.Live.CPU != (virt.CPU{Count: 3, Max: 4, Topology: virt.Topology{Sockets: 2, Cores: 2, Threads: 1}}) {
		t.Errorf("CPU %+v, live %+v", vm.CPU, vm.Live.CPU)
	}
	if vm.Memory != (virt.Memory{Current: 2 * virt.GiB, Max: 2 * virt.GiB}) || vm.Live.Memory.Current != virt.GiB {
		t.Errorf("memory %+v, live %+v", vm.Memory, vm.Live.Memory)
	}
	if vm.Unfinished != "r7" || vm.Metadata["k"] != "v" || vm.Firmware != "efi" || vm.Agent != virt.AgentConnected {
		t.Errorf("%+v", vm)
	}
	if len(vm.Boot) != 2 || vm.Boot[0] != "hd" || vm.BootDisk() == nil || vm.BootDisk().Target != "vdc" {
		t.Errorf("boot %v, disk %+v", vm.Boot, vm.BootDisk())
	}
	root := vm.Disk("root")
	if root == nil || root.Storage != "p" || root.Volume != "web-root.qcow2" || root.In != (virt.Presence{Live: true, Config: true}) {
		t.Errorf("root %+v", root)
	}
	extra := vm.Disk("extra")
	if extra == nil || extra.In != (virt.Presence{Live: true}) || extra.Backing != "/pool/base.raw" || extra.Serial != "D1" || extra.Sparse {
		t.Errorf("extra %+v", extra)
	}
	nic := vm.NIC("nic1")
	if nic == nil || nic.Bridge != "br0" || nic.LinkUp || nic.VLAN != 7 || nic.In != (virt.Presence{Live: true}) {
		t.Errorf("NIC %+v", nic)
	}
}

func FuzzParseDomain(f *testing.F) {
	f.Add(runningXML)
	f.Add("<domain><vcpu current='x'>-1</vcpu><memory unit='furlong'>9</memory></domain>")
	f.Fuzz(func(t *testing.T, xml string) {
		// Whatever comes, it must not panic, and an error gives no VM.
		if vm, err := parseDomain(xml, xml, domainFacts{state: virt.Running}); err != nil && vm != nil {
			t.Error("both a VM and an error")
		}
	})
}

func FuzzParseStorage(f *testing.F) {
	f.Add("<pool type='dir'><name>p</name><target><path>/p</path></target></pool>")
	f.Add("<volume><name>v</name><capacity unit='bytes'>1</capacity></volume>")
	f.Add("<network><name>n</name><vlan><tag id='5'/></vlan></network>")
	f.Fuzz(func(_ *testing.T, xml string) {
		_, _ = parsePool(xml)
		_, _ = parseVolume("p", xml)
		_ = parseNetwork(xml, &virt.Network{})
	})
}
