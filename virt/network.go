package virt

import "slices"

// Network is a layer-2 network that NICs attach to: a libvirt network, an
// engine's logical network.
type Network struct {
	Name      string     `json:"name"`
	VLAN      int        `json:"vlan,omitempty"` // 0 = none
	MTU       int        `json:"mtu,omitempty"`  // 0 = the platform's default
	Type      string     `json:"type"`           // nat, route, bridge, openvswitch, isolated, engine
	Bridge    string     `json:"bridge,omitempty"`
	Active    bool       `json:"active"`
	Autostart bool       `json:"autostart"`
	IP        *NetworkIP `json:"ip,omitempty"`    // of libvirt networks that nodes serve themselves
	Hosts     []string   `json:"hosts,omitempty"` // where it is usable, sorted; on a node: the node itself
	// DataCentre, Comment, Clusters and Attachments are engines'.
	DataCentre  string       `json:"data_centre,omitempty"`
	Comment     string       `json:"comment,omitempty"`
	Clusters    []string     `json:"clusters,omitempty"` // sorted
	Attachments []Attachment `json:"attachments,omitempty"`
	Native      string       `json:"-"`
}

// NetworkIP is what a node serves on a libvirt network: its own address there,
// DHCP and DNS.
type NetworkIP struct {
	Address    string      `json:"address,omitempty"` // the node's own, with prefix length: 192.168.50.1/24
	Forward    string      `json:"forward,omitempty"` // the only NIC of the node that it leads out of
	Domain     string      `json:"domain,omitempty"`
	NoDNS      bool        `json:"no_dns,omitempty"`     // no DNS server answers on it
	Forwarders []string    `json:"forwarders,omitempty"` // DNS servers that are asked for other names
	Ranges     []DHCPRange `json:"dhcp_ranges,omitempty"`
	Leases     []DHCPHost  `json:"dhcp_hosts,omitempty"` // by MAC
}

// DHCPRange is a range of addresses that DHCP gives away, both ends included.
type DHCPRange struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// String gives the range as people write it.
func (r DHCPRange) String() string { return r.Start + "-" + r.End }

// DHCPHost is an address that DHCP keeps for one MAC.
type DHCPHost struct {
	MAC  string `json:"mac"` // in lower case
	IP   string `json:"ip"`
	Name string `json:"name,omitempty"`
}

// String gives the address and the name.
func (h DHCPHost) String() string {
	if h.Name == "" {
		return h.IP
	}
	return h.IP + " " + h.Name
}

// Clone returns a deep copy.
func (p *NetworkIP) Clone() *NetworkIP {
	if p == nil {
		return nil
	}
	c := *p
	c.Forwarders, c.Ranges, c.Leases = slices.Clone(p.Forwarders), slices.Clone(p.Ranges), slices.Clone(p.Leases)
	return &c
}

// Attachment is where a host carries a network.
type Attachment struct {
	Host   string `json:"host"`
	NIC    string `json:"nic"`     // or bond
	InSync bool   `json:"in_sync"` // the host has it as the engine describes it
}

// Ref names the network.
func (n *Network) Ref() Ref { return NetworkRef(n.Name) }

// Clone returns a deep copy.
func (n *Network) Clone() Object {
	c := *n
	c.Hosts = slices.Clone(n.Hosts)
	c.IP = n.IP.Clone()
	c.Clusters = slices.Clone(n.Clusters)
	c.Attachments = slices.Clone(n.Attachments)
	return &c
}

// Host is a hypervisor.
type Host struct {
	Name        string `json:"name"`
	ID          string `json:"id,omitempty"`      // engines only
	State       string `json:"state"`             // up, maintenance, unreachable; on engines also what else they call it
	Address     string `json:"address,omitempty"` // by which it is managed: a name or an IP
	IP          string `json:"ip,omitempty"`      // of the NIC or bond on the management network; engines only
	Cluster     string `json:"cluster,omitempty"`
	DataCentre  string `json:"data_centre,omitempty"`
	CPUs        int    `json:"cpus"`
	Memory      int64  `json:"memory"`
	FreeMemory  int64  `json:"free_memory"`
	VMs         int    `json:"vms"` // running
	Hypervisor  string `json:"hypervisor,omitempty"`
	Maintenance bool   `json:"maintenance,omitempty"`
}

// Ref names the host.
func (h *Host) Ref() Ref { return Ref{Kind: KindHost, Name: h.Name} }

// Clone returns a copy.
func (h *Host) Clone() Object { c := *h; return &c }

// Settable tells whether the host's networks can be set up in the state that it is
// in.
func (h *Host) Settable() bool {
	return h.State == hostUp || h.State == hostMaintenance || h.State == "non_operational"
}
