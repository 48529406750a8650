package virt

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// serves tells whether nodes serve a network of a type themselves.
func serves(typ string) bool { return typ == "nat" || typ == "route" || typ == "isolated" }

// check refuses what no node can serve, whatever is there.
func (s NetworkIPSpec) check(ref Ref, typ string) error {
	bad := func(summary, hint string) error {
		return &Error{Kind: ErrInvalid, Object: ref, Summary: summary, Hint: hint}
	}
	if s.IsZero() {
		return nil
	}
	if !serves(typ) {
		return bad(fmt.Sprintf("of type %s has no address, DHCP or DNS of its own: its bridge leads to others that serve it", typ), "leave them out, or make it of type nat, route or isolated")
	}
	if s.Forward != "" && typ == "isolated" {
		return bad("leads out of no NIC: it is isolated", "leave forward out, or make it of type nat or route")
	}
	if s.Address == "" {
		if s.Range != nil && (!isAddr(s.Range.Start) || !isAddr(s.Range.End)) {
			return bad(fmt.Sprintf("has a DHCP range that is none: %s", s.Range), "give start and end as addresses")
		}
		return s.checkLeases(bad, netip.Prefix{})
	}
	prefix, err := netip.ParsePrefix(s.Address)
	if err != nil {
		return bad(fmt.Sprintf("has an address that is none: %q", s.Address), "give the node's own address with its prefix length, as 192.168.50.1/24")
	}
	if own := prefix.Addr(); own == prefix.Masked().Addr() && prefix.Bits() < own.BitLen()-1 {
		return bad(fmt.Sprintf("is given the network itself as the node's address: %s", s.Address), "give the address of the node in it, as "+own.Next().String()+fmt.Sprintf("/%d", prefix.Bits()))
	}
	if s.Range != nil {
		if err := s.Range.check(bad, prefix); err != nil {
			return err
		}
	}
	return s.checkLeases(bad, prefix)
}

func isAddr(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

func (r DHCPRange) check(bad func(summary, hint string) error, prefix netip.Prefix) error {
	start, err1 := netip.ParseAddr(r.Start)
	end, err2 := netip.ParseAddr(r.End)
	switch {
	case err1 != nil || err2 != nil:
		return bad(fmt.Sprintf("has a DHCP range that is none: %s", r), "give start and end as addresses")
	case end.Less(start):
		return bad(fmt.Sprintf("has a DHCP range that ends before it starts: %s", r), "give the lower address as start")
	case !prefix.Contains(start) || !prefix.Contains(end):
		return bad(fmt.Sprintf("has a DHCP range outside of %s: %s", prefix.Masked(), r), "give a range within the network, or another address")
	case !prefix.Addr().Less(start) && !end.Less(prefix.Addr()):
		return bad(fmt.Sprintf("has a DHCP range with the node's own address %s in it: %s", prefix.Addr(), r), "leave that address out of the range")
	}
	return nil
}

// checkLeases looks at each lease, and that no two are for one MAC or address. With
// no valid prefix it is not known what they have to be in.
func (s NetworkIPSpec) checkLeases(bad func(summary, hint string) error, prefix netip.Prefix) error {
	seen := map[string]bool{}
	for _, h := range s.Leases {
		ip, err := netip.ParseAddr(h.IP)
		mac, macErr := net.ParseMAC(h.MAC)
		switch {
		case macErr != nil || len(mac) != 6 || mac[0]&1 != 0:
			return bad(fmt.Sprintf("has a DHCP host whose MAC is none: %q", h.MAC), "write it as 52:54:00:12:34:56")
		case err != nil:
			return bad(fmt.Sprintf("has a DHCP host whose address is none: %q", h.IP), "give an address of the network")
		case prefix.IsValid() && !prefix.Contains(ip):
			return bad(fmt.Sprintf("has a DHCP host outside of %s: %s", prefix.Masked(), h.IP), "give an address within the network")
		case strings.ContainsFunc(h.Name, func(r rune) bool {
			return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}):
			return bad(fmt.Sprintf("has a DHCP host whose name is none: %q", h.Name), "use letters, digits, dots and dashes")
		case seen[h.MAC] || seen[h.IP]:
			return bad(fmt.Sprintf("has two DHCP hosts with %s or %s", h.MAC, h.IP), "keep one of them")
		}
		seen[h.MAC], seen[h.IP] = true, true
	}
	return nil
}

// made gives what a new network serves; nil for nothing.
func (s NetworkIPSpec) made() *NetworkIP {
	if s.IsZero() {
		return nil
	}
	p := &NetworkIP{Address: s.Address, Forward: s.Forward, Domain: s.Domain, NoDNS: !s.DNS.Or(true), Forwarders: slices.Clone(s.Forwarders.Or(nil)),
		Leases: slices.Clone(s.Leases)}
	if s.Range != nil {
		p.Ranges = []DHCPRange{*s.Range}
	}
	sortLeases(p.Leases)
	return p
}

func sortLeases(leases []DHCPHost) {
	slices.SortFunc(leases, func(a, b DHCPHost) int { return strings.Compare(a.MAC, b.MAC) })
}

// served notes the DHCP of a network before and after.
func (d *diff) served(before, after *NetworkIP) {
	if before == nil {
		before = &NetworkIP{}
	}
	if after == nil {
		return
	}
	if before.Address == "" && after.Address != "" {
		d.set("address", nil, after.Address, "")
	}
	if !slices.Equal(before.Ranges, after.Ranges) {
		d.set("dhcp.range", ranges(before.Ranges), ranges(after.Ranges), "")
	}
	had := map[string]DHCPHost{}
	for _, h := range before.Leases {
		had[h.MAC] = h
	}
	for _, h := range after.Leases {
		if old, ok := had[h.MAC]; !ok {
			d.set("dhcp.hosts."+h.MAC, nil, h.String(), "")
		} else if old != h {
			d.set("dhcp.hosts."+h.MAC, old.String(), h.String(), "")
		}
		delete(had, h.MAC)
	}
	for _, h := range before.Leases {
		if _, gone := had[h.MAC]; gone {
			d.set("dhcp.hosts."+h.MAC, h.String(), nil, "")
		}
	}
}

// ranges gives ranges for people; nil for none.
func ranges(rs []DHCPRange) any {
	var out []string
	for _, r := range rs {
		out = append(out, r.String())
	}
	if out == nil {
		return nil
	}
	return strings.Join(out, ", ")
}

// serve compares what an existing network serves with what is asked. DHCP follows;
// what else differs cannot be changed under the VMs that are attached.
func serve(n, after *Network, c CreateNetwork, d *diff) error {
	if c.IP.IsZero() {
		return nil
	}
	have := n.IP.Clone()
	if have == nil {
		have = &NetworkIP{}
	}
	var wanted, found []string
	differs := func(what, want, is string) {
		if want != is {
			wanted, found = append(wanted, what+" "+want), append(found, strings.TrimSpace(what+" "+is))
		}
	}
	if c.IP.Address != "" {
		differs("address", c.IP.Address, have.Address)
	}
	if c.IP.Forward != "" {
		differs("forward", c.IP.Forward, have.Forward)
	}
	if c.IP.Domain != "" {
		differs("domain", c.IP.Domain, have.Domain)
	}
	if dns, ok := c.IP.DNS.Get(); ok {
		differs("dns", fmt.Sprint(dns), fmt.Sprint(!have.NoDNS))
	}
	if f, ok := c.IP.Forwarders.Get(); ok {
		differs("forwarders", strings.Join(f, " "), strings.Join(have.Forwarders, " "))
	}
	if len(wanted) > 0 {
		return &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is there, and libvirt does not change this of a network that VMs may be attached to",
			Wanted: strings.Join(wanted, ", "), Found: strings.Join(found, ", "),
			Hint: "detach its VMs, delete it with delete_network, and make it again; or leave this out"}
	}
	prefix, err := netip.ParsePrefix(have.Address)
	if err == nil { // what is asked has to fit to the address that is there
		fits := c.IP
		fits.Address = have.Address
		if err := fits.check(c.Ref, c.Type); err != nil {
			return err
		}
	} else if !prefix.IsValid() && (c.IP.Range != nil || len(c.IP.Leases) > 0) {
		return &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is there, and has no address on which DHCP could be served",
			Hint: "detach its VMs, delete it with delete_network, and make it again with an address"}
	}
	wantedIP := have.Clone()
	if c.IP.Range != nil {
		wantedIP.Ranges = []DHCPRange{*c.IP.Range}
	}
	if c.ExactLeases {
		wantedIP.Leases = nil
	}
	for _, h := range c.IP.Leases {
		// One that has the MAC, or the address, of another takes its place.
		wantedIP.Leases = slices.DeleteFunc(wantedIP.Leases, func(o DHCPHost) bool { return o.MAC == h.MAC || o.IP == h.IP })
		wantedIP.Leases = append(wantedIP.Leases, h)
	}
	sortLeases(wantedIP.Leases)
	d.served(have, wantedIP)
	if n.IP != nil || len(d.out.Fields) > 0 {
		after.IP = wantedIP
	}
	return nil
}
