//go:build cgo

package libvirt

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/cloudinit"
)

// seed is what a NoCloud data source says to cloud-init: file name to content.
type seed map[string][]byte

// The files of a NoCloud seed.
const (
	seedMetaData      = "meta-data"
	seedUserData      = "user-data"
	seedNetworkConfig = "network-config"
)

// needsSeed tells whether a new VM is told anything that only its guest can do.
func needsSeed(c virt.CreateVM) bool {
	return cloudinit.Needed(c) || slices.ContainsFunc(c.NICs, nicSaysGuest)
}

// nicSaysGuest tells whether a NIC is to be set up in some way that a guest does
// not choose by itself.
func nicSaysGuest(n virt.NICSpec) bool {
	return n.Address != "" || n.Gateway != "" || n.GuestName != "" || len(n.DNS) > 0 || len(n.Search) > 0
}

// makeSeed writes the seed of a VM. instance identifies this creation of the VM:
// a guest that sees another one sets itself up anew. vm holds the names, serials
// and MAC addresses that the VM was given.
func makeSeed(c virt.CreateVM, vm *virt.VM, instance string) (seed, error) {
	ci := c.CloudInit
	if ci == nil {
		ci = &virt.CloudInit{}
	}
	hostname, err := cloudinit.Hostname(c)
	if err != nil {
		return nil, err
	}
	sections, err := cloudinit.UserData(c, hostname, ci.SSHKeys, func(spec virt.DiskSpec) (string, string, error) {
		k := vm.Disk(spec.Name)
		if k == nil {
			return "", "", fmt.Errorf("disk %q of %s has no device", spec.Name, c.Ref)
		}
		device, err := guestDevice(c.Ref, k)
		return device, k.Serial, err
	})
	if err != nil {
		return nil, err
	}
	user, err := cloudinit.WriteYAML("#cloud-config\n", sections)
	if err != nil {
		return nil, err
	}
	s := seed{seedUserData: user}
	meta := "instance-id: " + instance + "\n"
	if hostname != "" {
		meta += "local-hostname: " + hostname + "\n"
	}
	s[seedMetaData] = []byte(meta)
	network, err := networkConfig(c, vm)
	if err != nil {
		return nil, err
	}
	if network != nil {
		s[seedNetworkConfig] = network
	}
	return s, nil
}

// guestDevice is the path under which a Linux guest finds a disk by its serial,
// whatever order it sees its disks in.
func guestDevice(vm virt.Ref, k *virt.Disk) (string, error) {
	if k.Serial == "" || !serialPattern.MatchString(k.Serial) {
		return "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q cannot be mounted by serial %q", k.Name, k.Serial),
			Hint: "use up to 20 letters, digits, hyphens and underscores, or leave serial out"}
	}
	switch k.Bus {
	case "virtio":
		return "/dev/disk/by-id/virtio-" + k.Serial, nil
	case "scsi":
		return "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_" + k.Serial, nil
	case "sata":
		return "/dev/disk/by-id/ata-QEMU_HARDDISK_" + k.Serial, nil
	}
	return "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q on bus %s cannot have a mount point", k.Name, k.Bus),
		Hint: "use bus virtio, scsi or sata"}
}

// serialPattern is what a guest sees whole (20 characters on virtio) and what
// cloud-init does not take apart: it reads a dot as the beginning of a partition.
var serialPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)

// networkConfig writes network-config version 2; nil when the guest's own way,
// DHCP on its only interface, is what is wanted.
func networkConfig(c virt.CreateVM, vm *virt.VM) ([]byte, error) {
	if len(c.NICs) < 2 && !slices.ContainsFunc(c.NICs, nicSaysGuest) {
		return nil, nil
	}
	ethernets := map[string]any{}
	for i, spec := range c.NICs {
		mac, ok := vm.NICs[i].MAC.Get()
		if !ok {
			return nil, fmt.Errorf("NIC %q of %s has no MAC address yet", vm.NICs[i].Name, c.Ref)
		}
		// Not every renderer of cloud-init matches by address alone: some write the
		// section's key as the interface's name. So the interface is given that name.
		name := spec.GuestName
		if name == "" {
			name = fmt.Sprintf("eth%d", i)
		}
		if !guestNamePattern.MatchString(name) {
			return nil, nicInvalid(c.Ref, vm.NICs[i].Name, "guest_name %q is not an interface name", name)
		}
		if _, taken := ethernets[name]; taken {
			return nil, nicInvalid(c.Ref, vm.NICs[i].Name, "guest_name %q is another NIC's too", name)
		}
		e, err := ethernet(c.Ref, vm.NICs[i].Name, spec, i == 0)
		if err != nil {
			return nil, err
		}
		e["match"], e["set-name"] = map[string]any{"macaddress": strings.ToLower(mac)}, name
		ethernets[name] = e
	}
	out := []cloudinit.Section{{Key: "version", Value: 2}}
	var b bytes.Buffer
	head, err := cloudinit.WriteYAML("", out)
	if err != nil {
		return nil, err
	}
	b.Write(head)
	b.WriteString("ethernets:\n")
	for _, name := range slices.Sorted(maps.Keys(ethernets)) {
		text, err := cloudinit.OneLine(ethernets[name])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, text)
	}
	return b.Bytes(), nil
}

var guestNamePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)

func nicInvalid(vm virt.Ref, nic, format string, args ...any) error {
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("NIC %q: ", nic) + fmt.Sprintf(format, args...)}
}

func ethernet(vm virt.Ref, nic string, spec virt.NICSpec, first bool) (map[string]any, error) {
	e := map[string]any{}
	if spec.Address == "" {
		e["dhcp4"] = true
		if !first {
			e["optional"] = true // no boot waits for it
		}
	} else {
		prefix, err := netip.ParsePrefix(spec.Address)
		if err != nil {
			return nil, nicInvalid(vm, nic, "address %q is not one with a prefix length, as 10.0.0.5/24", spec.Address)
		}
		e["addresses"] = []string{prefix.String()}
	}
	if spec.Gateway != "" {
		gateway, err := netip.ParseAddr(spec.Gateway)
		if err != nil {
			return nil, nicInvalid(vm, nic, "gateway %q is not an address", spec.Gateway)
		}
		// Written out, for older renderers do not know "default".
		to := "0.0.0.0/0"
		if gateway.Is6() {
			to = "::/0"
		}
		e["routes"] = []any{map[string]any{"to": to, "via": gateway.String()}}
	}
	names := map[string]any{}
	if len(spec.DNS) > 0 {
		for _, s := range spec.DNS {
			if _, err := netip.ParseAddr(s); err != nil {
				return nil, nicInvalid(vm, nic, "dns %q is not an address", s)
			}
		}
		names["addresses"] = spec.DNS
	}
	if len(spec.Search) > 0 {
		names["search"] = spec.Search
	}
	if len(names) > 0 {
		e["nameservers"] = names
	}
	return e, nil
}
