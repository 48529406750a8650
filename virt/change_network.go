package virt

// CreateNetwork makes a network, active and started with its host, on every host
// of the target or on those that Hosts names. On an existing network it adds the
// hosts that lack it.
type CreateNetwork struct {
	On
	converge
	VLAN   int    `json:"vlan,omitempty"`
	MTU    int    `json:"mtu,omitempty"`
	Type   string `json:"type"`             // nat, route, isolated, bridge, openvswitch; engine
	Bridge string `json:"bridge,omitempty"` // of openvswitch, empty = the host's only one; of nat, route and isolated, empty = libvirt's choice
	// IP is what nodes serve on it; of an existing network only what it says is
	// compared, and its DHCP is brought to it. Leases that it does not name stay,
	// unless ExactLeases.
	IP          NetworkIPSpec `json:"ip,omitzero"`
	ExactLeases bool          `json:"exact_leases,omitempty"`
	// Autostart, left out, is true for a new network.
	Autostart Opt[bool] `json:"autostart,omitzero"`
	Hosts     []string  `json:"hosts,omitempty"` // empty = all of the target, of the cluster on an engine
	// Unready are further hosts that are to have it and cannot be set up now: they
	// are pending, or with AllHosts an error.
	Unready  []HostState `json:"unready,omitempty"`
	AllHosts bool        `json:"all_hosts,omitempty"`
	// Cluster, HostNIC, Sync, Description and Comment are engines'. The cluster may be
	// left out where there is only one, the NIC where hosts do not get the network.
	Cluster     string `json:"cluster,omitempty"`
	HostNIC     string `json:"host_nic,omitempty"` // NIC or bond of each host
	Sync        bool   `json:"sync,omitempty"`     // hosts that have it otherwise than it is described get it anew
	Description string `json:"description,omitempty"`
	Comment     string `json:"comment,omitempty"`
}

// NetworkIPSpec is what is asked of a NetworkIP.
type NetworkIPSpec struct {
	Address    string        `json:"address,omitempty"`
	Forward    string        `json:"forward,omitempty"`
	Domain     string        `json:"domain,omitempty"`
	DNS        Opt[bool]     `json:"dns,omitzero"`
	Forwarders Opt[[]string] `json:"forwarders,omitzero"`
	Range      *DHCPRange    `json:"dhcp_range,omitempty"`
	Leases     []DHCPHost    `json:"dhcp_hosts,omitempty"` // by MAC
}

// IsZero tells whether nothing is asked.
func (s NetworkIPSpec) IsZero() bool {
	return s.Address == "" && s.Forward == "" && s.Domain == "" && !s.DNS.IsSet() && !s.Forwarders.IsSet() && s.Range == nil && len(s.Leases) == 0
}

// DeleteNetwork removes a network that no VM uses.
type DeleteNetwork struct {
	On
	converge
	Hosts []string `json:"hosts,omitempty"`
	// Unready are hosts that cannot be set up now: those that have it keep it, which
	// is pending, or with AllHosts an error.
	Unready  []HostState `json:"unready,omitempty"`
	AllHosts bool        `json:"all_hosts,omitempty"`
}

// HostState is a host and the state that it is in.
type HostState struct {
	Host  string `json:"host"`
	State string `json:"state"`
}
