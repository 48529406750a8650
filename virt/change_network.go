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
	Hosts  []string `json:"hosts,omitempty"`  // empty = all of the target
}

// DeleteNetwork removes a network that no VM uses.
type DeleteNetwork struct {
	On
	converge
	Hosts []string `json:"hosts,omitempty"`
}
