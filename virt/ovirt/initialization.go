package ovirt

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/cloudinit"
)

// nicSaysGuest tells whether a NIC is to be set up inside the guest.
func nicSaysGuest(n virt.NICSpec) bool { return n.Address != "" || n.Gateway != "" }

// initialization gives what the guest is told at its first boot: host name, keys,
// addresses and name servers by the engine's own words, the rest as user data.
// nil when there is nothing to tell. Without m it only checks.
func initialization(c virt.CreateVM, m *machine) (*initializationXML, error) {
	init := &initializationXML{}
	empty := true
	if c.CloudInit != nil {
		host, err := cloudinit.Hostname(plain(c))
		if err != nil {
			return nil, err
		}
		if host != "" {
			init.HostName, empty = textOf(host), false
		}
		if len(c.CloudInit.SSHKeys) > 0 {
			init.AuthorizedSSHKeys, empty = textOf(strings.Join(c.CloudInit.SSHKeys, "\n")), false
		}
	}
	nics, err := guestNICs(c)
	if err != nil {
		return nil, err
	}
	if len(nics) > 0 {
		init.NICs, empty = &nics, false
	}
	var servers, search []string
	for _, n := range c.NICs {
		servers, search = append(servers, n.DNS...), append(search, n.Search...)
	}
	for _, s := range servers {
		if _, err := netip.ParseAddr(s); err != nil {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("dns %q is not an address", s)}
		}
	}
	if len(servers) > 0 {
		init.DNSServers, empty = textOf(strings.Join(unique(servers), " ")), false
	}
	if len(search) > 0 {
		init.DNSSearch, empty = textOf(strings.Join(unique(search), " ")), false
	}
	script, err := customScript(c, m)
	if err != nil {
		return nil, err
	}
	if script != "" {
		init.CustomScript, empty = textOf(script), false
	}
	if empty {
		return nil, nil
	}
	return init, nil
}

// plain gives the change with the VM's name alone.
func plain(c virt.CreateVM) virt.CreateVM {
	c.Ref.Name = plainName(c.Ref.Name)
	return c
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// customScript gives the user data that the engine adds to its own.
func customScript(c virt.CreateVM, m *machine) (string, error) {
	sections, err := cloudinit.UserData(c, "", nil, func(spec virt.DiskSpec) (string, string, error) {
		if m == nil {
			return "/dev/null", "check", nil
		}
		k := m.disk(diskName(plainName(c.Ref.Name), spec.Name))
		if k == nil {
			return "", "", fmt.Errorf("disk %q of %s is not there", spec.Name, c.Ref)
		}
		device, err := guestDevice(c.Ref, k)
		return device, k.id, err
	})
	if err != nil || len(sections) == 0 {
		return "", err
	}
	text, err := cloudinit.WriteYAML("", sections)
	return string(text), err
}

// guestDevice is the path under which a Linux guest finds a disk: by its serial,
// which is its id, of which virtio and SATA show the beginning.
func guestDevice(vm virt.Ref, k *attachment) (string, error) {
	switch k.disk.Bus {
	case "virtio":
		return "/dev/disk/by-id/virtio-" + k.disk.Serial, nil
	case "scsi":
		return "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_" + k.id, nil
	case "sata":
		return "/dev/disk/by-id/ata-QEMU_HARDDISK_" + k.disk.Serial, nil
	}
	return "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q on bus %s cannot have a mount point", k.disk.Name, k.disk.Bus),
		Hint: "use bus virtio, scsi or sata"}
}

// guestNICs gives the interfaces that are set up inside the guest. Those of which
// nothing is said the guest sets up by itself.
func guestNICs(c virt.CreateVM) ([]nicConfigurationXML, error) {
	var out []nicConfigurationXML
	for _, n := range c.NICs {
		if n.GuestName == "" {
			continue
		}
		invalid := func(what, text string) error {
			return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("NIC %q: %s %q is not one", n.Name, what, text)}
		}
		k := nicConfigurationXML{Name: Text(n.GuestName), OnBoot: true}
		if n.Address == "" {
			k.BootProtocol = textOf("dhcp")
			out = append(out, k)
			continue
		}
		prefix, err := netip.ParsePrefix(n.Address)
		if err != nil {
			return nil, invalid("address", n.Address)
		}
		ip := &ipXML{Address: Text(prefix.Addr().String())}
		if n.Gateway != "" {
			g, err := netip.ParseAddr(n.Gateway)
			if err != nil {
				return nil, invalid("gateway", n.Gateway)
			}
			ip.Gateway = textOf(g.String())
		}
		if prefix.Addr().Is4() {
			mask := net.IP(net.CIDRMask(prefix.Bits(), 32)).String()
			ip.Netmask, ip.Version = textOf(mask), textOf("v4")
			k.BootProtocol, k.IP = textOf("static"), ip
		} else {
			ip.Netmask, ip.Version = textOf(fmt.Sprint(prefix.Bits())), textOf("v6")
			k.BootProtocol, k.IPv6Protocol, k.IPv6 = textOf("none"), textOf("static"), ip
		}
		out = append(out, k)
	}
	return out, nil
}
