package virt

import "slices"

// Network is a layer-2 network that NICs attach to: a libvirt network, an
// engine's logical network.
type Network struct {
	Name      string   `json:"name"`
	VLAN      int      `json:"vlan,omitempty"` // 0 = none
	MTU       int      `json:"mtu,omitempty"`  // 0 = the platform's default
	Type      string   `json:"type"`           // nat, route, bridge, openvswitch, isolated, engine
	Bridge    string   `json:"bridge,omitempty"`
	Active    bool     `json:"active"`
	Autostart bool     `json:"autostart"`
	Hosts     []string `json:"hosts,omitempty"` // where it is usable, sorted; on a node: the node itself
	// DataCentre, Comment, Clusters and Attachments are engines'.
	DataCentre  string       `json:"data_centre,omitempty"`
	Comment     string       `json:"comment,omitempty"`
	Clusters    []string     `json:"clusters,omitempty"` // sorted
	Attachments []Attachment `json:"attachments,omitempty"`
	Native      string       `json:"-"`
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
