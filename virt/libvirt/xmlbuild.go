//go:build cgo

package libvirt

import (
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// guestKind is what sort of machine a node makes.
type guestKind struct {
	domain  string // kvm, qemu, test
	arch    string
	machine string // empty: the driver has none
	cpu     *libvirtxml.DomainCPU
}

// emulatedModels are the CPU models of an emulated x86 guest, best first. A named
// model is the same on every host, so that the VM migrates; Westmere has what
// today's distributions ask for (x86-64-v2).
var emulatedModels = []string{"Westmere", "Nehalem", "qemu64"}

// chooseGuest picks a machine among what the node's capabilities offer. accel is
// Config.Accel, machine what the playbook asks for; both may be empty.
func chooseGuest(caps *libvirtxml.Caps, accel, machine string) (guestKind, error) {
	var offered *libvirtxml.CapsGuest
	hostArch := ""
	if caps.Host.CPU != nil {
		hostArch = caps.Host.CPU.Arch
	}
	for i, g := range caps.Guests {
		if g.OSType == "hvm" && (offered == nil || g.Arch.Name == hostArch) {
			offered = &caps.Guests[i]
		}
	}
	if offered == nil {
		return guestKind{}, fmt.Errorf("the node offers no fully virtualized machines; install QEMU there")
	}
	k := guestKind{arch: offered.Arch.Name}
	machines := offered.Arch.Machines
	for _, d := range offered.Arch.Domains {
		if k.domain == "" || d.Type == "kvm" && accel != "qemu" {
			k.domain = d.Type
		}
		if d.Type == k.domain && len(d.Machines) > 0 {
			machines = d.Machines
		}
	}
	if accel == "kvm" && k.domain != "kvm" {
		return guestKind{}, fmt.Errorf("kvm is demanded, and the node offers only %s; look whether /dev/kvm is there", k.domain)
	}
	if machine != "" {
		if len(machines) > 0 && !slices.ContainsFunc(machines, func(m libvirtxml.CapsGuestMachine) bool { return m.Name == machine }) {
			return guestKind{}, fmt.Errorf("machine %q is not among those that the node offers: %s", machine, machineNames(machines))
		}
		k.machine = machine
		return k, nil
	}
	for _, want := range []string{"q35", "virt"} {
		for _, m := range machines {
			if m.Name == want {
				k.machine = want
				return k, nil
			}
		}
	}
	if len(machines) > 0 {
		k.machine = machines[0].Name
	}
	return k, nil
}

func machineNames(machines []libvirtxml.CapsGuestMachine) string {
	var names []string
	for _, m := range machines {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// chooseCPU picks what the guest sees as its CPU. caps are the capabilities of
// the chosen machine, nil where the driver cannot tell.
func chooseCPU(k guestKind, caps *libvirtxml.DomainCaps) *libvirtxml.DomainCPU {
	switch {
	case k.domain == "kvm":
		// As much of the host's CPU as libvirt can name, and so compare before a
		// migration.
		return &libvirtxml.DomainCPU{Mode: "host-model"}
	case caps == nil || caps.CPU == nil:
		return nil
	}
	for _, name := range emulatedModels {
		for _, mode := range caps.CPU.Modes {
			for _, m := range mode.Models {
				if mode.Name == "custom" && m.Name == name && m.Usable != "no" {
					return &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Model: &libvirtxml.DomainCPUModel{Fallback: "forbid", Value: name}}
				}
			}
		}
	}
	for _, mode := range caps.CPU.Modes {
		if mode.Name == "maximum" && mode.Supported == "yes" {
			return &libvirtxml.DomainCPU{Mode: "maximum"}
		}
	}
	return nil
}

// rootPorts is how many PCIe ports a machine has for devices that come later:
// nothing can be plugged into a running q35 machine beyond its empty ports.
const rootPorts = 14

// isPCIe tells whether a machine has PCI Express, and so no slots but its ports.
func isPCIe(machine string) bool {
	return strings.Contains(machine, "q35") || machine == "virt" || strings.HasPrefix(machine, "virt-")
}

// buildDomain writes the definition of a new VM. vm is the VM as it was
// predicted: it holds every name, target, format, volume and MAC address. uuid is
// that of the VM which an interrupted run left, else empty.
func buildDomain(c virt.CreateVM, vm *virt.VM, guest guestKind, pools map[string]poolTarget, uuid string) (string, error) {
	d := &libvirtxml.Domain{
		Type: guest.domain, Name: vm.Name, UUID: uuid, Title: vm.Title, Description: vm.Description,
		Metadata:      &libvirtxml.DomainMetadata{XML: vmMetadata{unfinished: vm.Unfinished, entries: vm.Metadata}.document()},
		Memory:        &libvirtxml.DomainMemory{Unit: "KiB", Value: kib(vm.Memory.Max)},
		CurrentMemory: &libvirtxml.DomainCurrentMemory{Unit: "KiB", Value: kib(vm.Memory.Current)},
		VCPU:          &libvirtxml.DomainVCPU{Placement: "static", Value: uint(vm.CPU.Max)},
		OS:            &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: guest.arch, Machine: guest.machine, Type: "hvm"}},
		Features:      &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}},
		Clock:         &libvirtxml.DomainClock{Offset: "utc"},
		OnPoweroff:    "destroy", OnReboot: "restart", OnCrash: "destroy",
		Devices: &libvirtxml.DomainDeviceList{},
	}
	if vm.CPU.Count != vm.CPU.Max {
		d.VCPU.Current = uint(vm.CPU.Count)
	}
	if guest.arch == "x86_64" || guest.arch == "i686" {
		d.Features.APIC = &libvirtxml.DomainFeatureAPIC{}
	}
	if vm.Firmware == "efi" {
		d.OS.Firmware = "efi"
	}
	for _, b := range vm.Boot {
		d.OS.BootDevices = append(d.OS.BootDevices, libvirtxml.DomainBootDevice{Dev: b})
	}
	if guest.cpu != nil {
		cpu := *guest.cpu
		d.CPU = &cpu
	}
	if t := vm.CPU.Topology; t != (virt.Topology{}) {
		if d.CPU == nil {
			d.CPU = &libvirtxml.DomainCPU{}
		}
		d.CPU.Topology = &libvirtxml.DomainCPUTopology{Sockets: t.Sockets, Dies: 1, Cores: t.Cores, Threads: t.Threads}
	}
	for _, k := range vm.Disks {
		disk, err := diskDevice(vm.Name, k, pools)
		if err != nil {
			return "", err
		}
		d.Devices.Disks = append(d.Devices.Disks, *disk)
	}
	for _, n := range vm.NICs {
		d.Devices.Interfaces = append(d.Devices.Interfaces, *nicDevice(n))
	}
	addStandardDevices(d.Devices, guest)
	return d.Marshal()
}

// kib rounds bytes up to whole KiB, libvirt's unit.
func kib(bytes int64) uint { return uint((bytes + virt.KiB - 1) / virt.KiB) }

// addStandardDevices gives a server what it needs without a screen: a serial
// console, the guest agent's channel, a balloon that reports, entropy, a SCSI
// controller for the seed and for disks on that bus, and room to plug more in.
func addStandardDevices(l *libvirtxml.DomainDeviceList, guest guestKind) {
	zero := uint(0)
	if isPCIe(guest.machine) {
		l.Controllers = append(l.Controllers, libvirtxml.DomainController{Type: "pci", Index: &zero, Model: "pcie-root"})
		for i := uint(1); i <= rootPorts; i++ {
			l.Controllers = append(l.Controllers, libvirtxml.DomainController{Type: "pci", Index: &i, Model: "pcie-root-port"})
		}
	}
	l.Controllers = append(l.Controllers, libvirtxml.DomainController{Type: "scsi", Index: &zero, Model: "virtio-scsi"})
	l.Serials = []libvirtxml.DomainSerial{{Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}, Target: &libvirtxml.DomainSerialTarget{Port: &zero}}}
	l.Consoles = []libvirtxml.DomainConsole{{Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}, Target: &libvirtxml.DomainConsoleTarget{Type: "serial", Port: &zero}}}
	l.Channels = []libvirtxml.DomainChannel{{
		Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{}},
		Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: agentChannel}},
	}}
	l.MemBalloon = &libvirtxml.DomainMemBalloon{Model: "virtio", Stats: &libvirtxml.DomainMemBalloonStats{Period: 5}}
	l.RNGs = []libvirtxml.DomainRNG{{Model: "virtio", Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}}}}
}

// diskDevice writes a disk as a device. cache none is what lets a VM migrate: no
// page of the image stays behind in the old host's memory.
func diskDevice(vm string, k virt.Disk, pools map[string]poolTarget) (*libvirtxml.DomainDisk, error) {
	pool, ok := pools[k.Storage]
	if !ok {
		return nil, fmt.Errorf("disk %q of vm %s: its pool %q was not looked at", k.Name, vm, k.Storage)
	}
	d := &libvirtxml.DomainDisk{
		Device: k.Device,
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: k.Format},
		Source: &libvirtxml.DomainDiskSource{},
		Target: &libvirtxml.DomainDiskTarget{Dev: k.Target, Bus: k.Bus},
		Serial: k.Serial,
		Alias:  &libvirtxml.DomainAlias{Name: aliasPrefix + k.Name},
	}
	path := pool.volumePath(k)
	if pool.isBlock() {
		d.Source.Block = &libvirtxml.DomainDiskSourceBlock{Dev: path}
	} else {
		d.Source.File = &libvirtxml.DomainDiskSourceFile{File: path}
	}
	if k.ReadOnly {
		d.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	if k.Device == "disk" {
		d.Driver.Cache, d.Driver.Discard = "none", "unmap"
	}
	return d, nil
}

// nicDevice writes a network interface as a device.
func nicDevice(n virt.NIC) *libvirtxml.DomainInterface {
	d := &libvirtxml.DomainInterface{
		MAC:    &libvirtxml.DomainInterfaceMAC{Address: n.MAC.Or("")},
		Source: &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: n.Network, PortGroup: n.Profile}},
		Model:  &libvirtxml.DomainInterfaceModel{Type: n.Model},
		Alias:  &libvirtxml.DomainAlias{Name: aliasPrefix + n.Name},
	}
	if !n.LinkUp {
		d.Link = &libvirtxml.DomainInterfaceLink{State: "down"}
	}
	return d
}
