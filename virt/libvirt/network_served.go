//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// networkXML writes the definition of a network: over an existing bridge, or one
// that the node serves on a bridge of its own.
func networkXML(c virt.CreateNetwork, bridge string) (string, error) {
	def := libvirtxml.Network{XMLName: xml.Name{Local: "network"}, Name: c.Ref.Name}
	if bridge != "" {
		def.Bridge = &libvirtxml.NetworkBridge{Name: bridge}
	}
	switch c.Type {
	case typeOVS:
		def.VirtualPort = &libvirtxml.NetworkVirtualPort{Params: &libvirtxml.NetworkVirtualPortParams{
			OpenVSwitch: &libvirtxml.NetworkVirtualPortParamsOpenVSwitch{}}}
		fallthrough
	case typeBridge:
		def.Forward = &libvirtxml.NetworkForward{Mode: "bridge"}
	case typeNAT, typeRoute:
		def.Forward = &libvirtxml.NetworkForward{Mode: c.Type, Dev: c.IP.Forward}
	}
	if c.VLAN != 0 {
		def.VLAN = &libvirtxml.NetworkVLAN{Tags: []libvirtxml.NetworkVLANTag{{ID: uint(c.VLAN)}}}
	}
	if c.MTU != 0 {
		def.MTU = &libvirtxml.NetworkMTU{Size: uint(c.MTU)}
	}
	if err := serveXML(c.IP, &def); err != nil {
		return "", err
	}
	return def.Marshal()
}

// serveXML adds what the node serves.
func serveXML(s virt.NetworkIPSpec, def *libvirtxml.Network) error {
	if s.Domain != "" {
		def.Domain = &libvirtxml.NetworkDomain{Name: s.Domain, LocalOnly: "yes"}
	}
	if dns, ok := s.DNS.Get(); ok && !dns {
		def.DNS = &libvirtxml.NetworkDNS{Enable: "no"}
	}
	if f, ok := s.Forwarders.Get(); ok && len(f) > 0 {
		if def.DNS == nil {
			def.DNS = &libvirtxml.NetworkDNS{}
		}
		for _, addr := range f {
			def.DNS.Forwarders = append(def.DNS.Forwarders, libvirtxml.NetworkDNSForwarder{Addr: addr})
		}
	}
	if s.Address == "" {
		return nil
	}
	prefix, err := netip.ParsePrefix(s.Address)
	if err != nil {
		return err
	}
	ip := libvirtxml.NetworkIP{Address: prefix.Addr().String(), Prefix: uint(prefix.Bits())}
	if prefix.Addr().Is6() {
		ip.Family = "ipv6"
	}
	if s.Range != nil || len(s.Leases) > 0 {
		ip.DHCP = &libvirtxml.NetworkDHCP{}
		if s.Range != nil {
			ip.DHCP.Ranges = []libvirtxml.NetworkDHCPRange{rangeXML(*s.Range)}
		}
		for _, h := range s.Leases {
			ip.DHCP.Hosts = append(ip.DHCP.Hosts, leaseXML(h))
		}
	}
	def.IPs = []libvirtxml.NetworkIP{ip}
	return nil
}

func rangeXML(r virt.DHCPRange) libvirtxml.NetworkDHCPRange {
	return libvirtxml.NetworkDHCPRange{Start: r.Start, End: r.End}
}

func leaseXML(h virt.DHCPHost) libvirtxml.NetworkDHCPHost {
	return libvirtxml.NetworkDHCPHost{MAC: h.MAC, IP: h.IP, Name: h.Name}
}

// parseServed reads what a network serves; nil where that is nothing. Of several
// addresses it is the one with DHCP, else the first.
func parseServed(root *etree.Element) *virt.NetworkIP {
	p := &virt.NetworkIP{Forward: attr(root, "forward", "dev"), Domain: attr(root, "domain", "name"), NoDNS: attr(root, "dns", "enable") == "no"}
	for _, f := range root.FindElements("./dns/forwarder") {
		if addr := f.SelectAttrValue("addr", ""); addr != "" {
			p.Forwarders = append(p.Forwarders, addr)
		}
	}
	ip := root.FindElement("./ip[dhcp]")
	if ip == nil {
		ip = root.SelectElement("ip")
	}
	if ip != nil {
		p.Address = prefixOf(ip)
		for _, r := range ip.FindElements("./dhcp/range") {
			p.Ranges = append(p.Ranges, virt.DHCPRange{Start: r.SelectAttrValue("start", ""), End: r.SelectAttrValue("end", "")})
		}
		for _, h := range ip.FindElements("./dhcp/host") {
			if mac := h.SelectAttrValue("mac", ""); mac != "" { // IPv6 may go by an id alone
				p.Leases = append(p.Leases, virt.DHCPHost{MAC: strings.ToLower(mac), IP: h.SelectAttrValue("ip", ""), Name: h.SelectAttrValue("name", "")})
			}
		}
		slices.SortFunc(p.Leases, func(a, b virt.DHCPHost) int { return cmp.Compare(a.MAC, b.MAC) })
	}
	if p.Address == "" && p.Forward == "" && p.Domain == "" && !p.NoDNS && p.Forwarders == nil {
		return nil
	}
	return p
}

// prefixOf gives the address of an <ip> with the length of its prefix, which may be
// written as a netmask.
func prefixOf(ip *etree.Element) string {
	addr, err := netip.ParseAddr(ip.SelectAttrValue("address", ""))
	if err != nil {
		return ""
	}
	bits := number(ip.SelectAttrValue("prefix", ""))
	if mask, err := netip.ParseAddr(ip.SelectAttrValue("netmask", "")); err == nil {
		bits = 0
		for _, b := range mask.AsSlice() {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
		}
	}
	return fmt.Sprintf("%s/%d", addr, bits)
}

// commonIP gives what all members of a cluster serve: a lease or a range that one
// of them lacks is none of the cluster's.
func commonIP(a, b *virt.NetworkIP) *virt.NetworkIP {
	if a == nil || b == nil {
		return nil
	}
	out := a.Clone()
	out.Leases = slices.DeleteFunc(out.Leases, func(h virt.DHCPHost) bool { return !slices.Contains(b.Leases, h) })
	out.Ranges = slices.DeleteFunc(out.Ranges, func(r virt.DHCPRange) bool { return !slices.Contains(b.Ranges, r) })
	return out
}

// updateLeases brings DHCP from what is there to what is wanted, in the running
// network and in its definition; its VMs stay attached. What is in the way goes
// first: no two leases may have one MAC or address.
func (n *Node) updateLeases(ctx context.Context, now, want *virt.Network) error {
	if want.IP == nil {
		return nil
	}
	have := now.IP
	if have == nil {
		have = &virt.NetworkIP{}
	}
	type update struct {
		what    lv.NetworkUpdateCommand
		section lv.NetworkUpdateSection
		body    any
	}
	var updates []update
	for _, r := range have.Ranges {
		if !slices.Contains(want.IP.Ranges, r) {
			updates = append(updates, update{lv.NETWORK_UPDATE_COMMAND_DELETE, lv.NETWORK_SECTION_IP_DHCP_RANGE, rangeXML(r)})
		}
	}
	for _, h := range have.Leases {
		if !slices.Contains(want.IP.Leases, h) {
			updates = append(updates, update{lv.NETWORK_UPDATE_COMMAND_DELETE, lv.NETWORK_SECTION_IP_DHCP_HOST, leaseXML(h)})
		}
	}
	for _, r := range want.IP.Ranges {
		if !slices.Contains(have.Ranges, r) {
			updates = append(updates, update{lv.NETWORK_UPDATE_COMMAND_ADD_LAST, lv.NETWORK_SECTION_IP_DHCP_RANGE, rangeXML(r)})
		}
	}
	for _, h := range want.IP.Leases {
		if !slices.Contains(have.Leases, h) {
			updates = append(updates, update{lv.NETWORK_UPDATE_COMMAND_ADD_LAST, lv.NETWORK_SECTION_IP_DHCP_HOST, leaseXML(h)})
		}
	}
	if len(updates) == 0 {
		return nil
	}
	err := n.do(ctx, "change the network's DHCP", func(c *lv.Connect) error {
		return lookUpNetwork(c, now.Name, func(net *lv.Network) error {
			for _, u := range updates {
				body, err := xml.Marshal(u.body)
				if err != nil {
					return err
				}
				if err := net.Update(u.what, u.section, -1, string(body), lv.NETWORK_UPDATE_AFFECT_LIVE|lv.NETWORK_UPDATE_AFFECT_CONFIG); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return aboutNetwork(err, now.Name)
}
