package ovirtsim

import (
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// attachedNet is a host's attachment of a network, or nil.
func (e *Engine) attachedNet(h *object, network string) *object {
	for _, a := range h.sub("networkattachments") {
		if a.refID("network") == network {
			return a
		}
	}
	return nil
}

// expected is what a host should carry for a network.
func expected(n *elem) *elem {
	return el("actual", num("mtu", mtuOf(n)), boolean("bridged", isVMNetwork(n)), tx("vlan", n.refID("vlan")))
}

// inSync compares what a host carries with the network. Recorded attachments
// are as they were recorded.
func (e *Engine) inSync(a *object) bool {
	n := e.col("networks").ids[a.refID("network")]
	if a.hidden == nil || n == nil {
		return !a.body.has("in_sync") || a.body.bool("in_sync")
	}
	return equal(a.hidden, expected(n.body))
}

// attachmentDocument adds whether the attachment is in sync, and why not.
func (e *Engine) attachmentDocument(a *object) *elem {
	n := e.col("networks").ids[a.refID("network")]
	if a.hidden == nil || n == nil {
		return a.body
	}
	want := expected(n.body)
	conf := el("reported_configurations")
	for _, k := range want.kids {
		r := el("reported_configuration")
		if got := a.hidden.get(k.name); got != "" {
			r.kids = append(r.kids, tx("actual_value", got))
		}
		if k.text != "" {
			r.kids = append(r.kids, tx("expected_value", k.text))
		}
		r.kids = append(r.kids, boolean("in_sync", a.hidden.get(k.name) == k.text), tx("name", k.name))
		conf.kids = append(conf.kids, r)
	}
	x := el(a.body.name, boolean("in_sync", e.inSync(a)))
	return x.merge(a.body.without("in_sync")).put(conf)
}

// newAttachment makes an attachment of a network to a NIC.
func (e *Engine) newAttachment(h, n, nic *object, ips *elem) *object {
	if ips == nil {
		ip := func(method, version string) *elem {
			return el("ip_address_assignment", tx("assignment_method", method), el("ip", tx("version", version)))
		}
		ips = el("ip_address_assignments", ip("none", "v4"), ip("none", "v6"))
	}
	return &object{kind: kindNetAtt, id: e.newID(), parent: h, home: "networkattachments", hidden: expected(n.body),
		body: el("network_attachment", ips, ref("host", h.id), nicRef(h, nic), ref("network", n.id))}
}

func nicRef(h, nic *object) *elem {
	return &elem{name: "host_nic", id: nic.id, href: h.href() + "/nics/" + nic.id}
}

// hostNIC makes a network interface of a host.
func (e *Engine) hostNIC(h *object, name string) *object {
	e.macs++
	return &object{kind: kindHostNIC, id: e.derive(h.id + name), parent: h, home: "nics", body: el("host_nic", tx("name", name),
		tx("boot_protocol", "none"), boolean("bridged", false), boolean("custom_configuration", false),
		el("ip", tx("version", "v4")), el("ipv6", tx("version", "v6")), tx("ipv6_boot_protocol", "none"),
		el("mac", tx("address", "52:54:00:"+macTail(e.macs))), tx("mtu", "1500"), el("properties"), tx("speed", "10000000000"),
		tx("status", "up"), ref("host", h.id))}
}

func macTail(n int) string {
	const hex = "0123456789abcdef"
	b := []byte("00:00:00")
	for i, shift := range []int{20, 16, 12, 8, 4, 0} {
		b[i+i/2] = hex[n>>shift&15]
	}
	return string(b)
}

// derive makes an id that depends on text alone.
func (e *Engine) derive(text string) string { return uuid.NewSHA1(e.space, []byte(text)).String() }

// wire makes the host's interfaces agree with its attachments: networks, MTU
// and the VLAN devices.
func (e *Engine) wire(h *object) {
	nics := slices.DeleteFunc(slices.Clone(h.sub("nics")), func(n *object) bool { return n.body.has("vlan") })
	for i, n := range nics {
		if n.body.has("network") {
			c := *n
			c.drop("network")
			c.set("bridged", "false")
			c.set("mtu", "1500")
			nics[i] = &c
		}
	}
	for _, a := range h.sub("networkattachments") {
		n := e.col("networks").ids[a.refID("network")]
		i := slices.IndexFunc(nics, func(k *object) bool { return k.id == a.refID("host_nic") })
		if n == nil || i < 0 || a.hidden == nil {
			continue
		}
		port := *nics[i]
		if v := a.hidden.get("vlan"); v != "" {
			dev := e.hostNIC(h, port.name()+"."+v)
			e.macs--
			dev.put(port.body.kid("mac"))
			dev.put(&elem{name: "vlan", id: v})
			dev.put(tx("base_interface", port.name()))
			port = *dev
			nics = append(nics, &port)
		} else {
			nics[i] = &port
		}
		port.put(ref("network", n.id))
		port.set("bridged", a.hidden.get("bridged"))
		port.set("mtu", a.hidden.get("mtu"))
		for _, ip := range a.body.list("ip_address_assignments") {
			if ip.get("ip/version") == "v6" {
				continue
			}
			port.set("boot_protocol", ip.get("assignment_method"))
			if ip.has("ip/address") {
				port.put(ip.kid("ip").with("version", "v4"))
			}
		}
	}
	h.subs["nics"] = nics
}

// commit makes a host's network configuration survive a reboot.
func (h *object) commit() {
	h.persist = slices.Clone(h.subs["networkattachments"])
	h.nics = slices.Clone(h.subs["nics"])
}

// bondNIC makes or changes a bond; slaves are NICs of the host.
func (e *Engine) bondNIC(h, old *object, name string, slaves []*object, options *elem) *object {
	b := old
	if b == nil {
		b = e.hostNIC(h, name)
	} else {
		c := *b
		b = &c
	}
	if options == nil || len(options.kids) == 0 {
		options = el("options")
		for _, o := range [][2]string{{"mode", "4"}, {"miimon", "100"}, {"xmit_hash_policy", "2"}} {
			options.kids = append(options.kids, el("option", tx("name", o[0]), tx("value", o[1])))
		}
	}
	list := el("slaves")
	speed := int64(0)
	for _, s := range slaves {
		list.kids = append(list.kids, nicRef(h, s))
		speed += s.body.int("speed")
	}
	b.put(el("bonding", tx("ad_partner_mac", ""), options, list))
	b.set("speed", strconv.FormatInt(speed, 10))
	return b
}
