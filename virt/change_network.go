package virt

// CreateNetwork makes a network, active and started with its host, on every host
// of the target or on those that Hosts names. On an existing network it adds the
// hosts that lack it.
type CreateNetwork struct {
	On
	converge
	VLAN   int      `json:"vlan,omitempty"`
	MTU    int      `json:"mtu,omitempty"`
	Type   string   `json:"type"`             // openvswitch, bridge
	Bridge string   `json:"bridge,omitempty"` // empty = the host's only Open vSwitch bridge
	Hosts  []string `json:"hosts,omitempty"`  // empty = all of the target, of the cluster on an engine
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
