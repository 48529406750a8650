package virt

// HostFacts is what is known of a host. What could not be found out is left out.
// Sizes are bytes.
type HostFacts struct {
	Name     string      `json:"name"` // as the inventory, or the engine, calls it
	State    string      `json:"state,omitempty"`
	Address  string      `json:"address,omitempty"` // by which it is managed
	Hostname Opt[string] `json:"hostname,omitzero"` // as it calls itself
	OS       *HostOS     `json:"os,omitempty"`
	Kernel   Opt[string] `json:"kernel,omitzero"` // its release, as 6.1.0-18-amd64
	Arch     Opt[string] `json:"arch,omitzero"`   // as x86_64
	CPU      HostCPU     `json:"cpu"`
	Memory   HostMemory  `json:"memory"`
	Uptime   Opt[int64]  `json:"uptime,omitzero"` // seconds
	VMs      Opt[int]    `json:"vms,omitzero"`    // running
	// Versions of what runs VMs there, as 9.0.0.
	Libvirt    Opt[string] `json:"libvirt,omitzero"`
	Hypervisor Opt[string] `json:"hypervisor,omitzero"` // its name: qemu
	QEMU       Opt[string] `json:"qemu,omitzero"`
	// NetworkTool is what configures its network: networkmanager, systemd-networkd,
	// ifupdown.
	NetworkTool Opt[string]     `json:"network_tool,omitzero"`
	Interfaces  []HostInterface `json:"interfaces,omitempty"` // by name
	Bridges     []string        `json:"bridges,omitempty"`    // those of Interfaces that are bridges
	Storage     []HostStorage   `json:"storage,omitempty"`    // by name
}

// HostOS is a host's system, as /etc/os-release has it.
type HostOS struct {
	ID      string `json:"id"`      // debian, rhel
	Version string `json:"version"` // 12, 9.4
	Name    string `json:"name"`    // for people
}

// HostCPU is a host's processor.
type HostCPU struct {
	Count int         `json:"count"` // logical CPUs
	Model Opt[string] `json:"model,omitzero"`
	KVM   Opt[bool]   `json:"kvm,omitzero"` // it can run VMs without emulating them
	Flags []string    `json:"flags,omitempty"`
}

// HostMemory is a host's memory.
type HostMemory struct {
	Total int64 `json:"total"`
	Free  int64 `json:"free"` // for new VMs: caches count as free
}

// HostInterface is a network interface of a host.
type HostInterface struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind,omitempty"` // bridge, vlan, bond, tun, …; empty for a real one
	MAC       string   `json:"mac,omitempty"`
	MTU       int      `json:"mtu,omitempty"`
	Up        bool     `json:"up"`
	Master    string   `json:"master,omitempty"`    // the bridge or bond that it is a port of
	Under     string   `json:"under,omitempty"`     // of a VLAN: the interface that carries it
	VLAN      int      `json:"vlan,omitempty"`      // of a VLAN: its id
	Addresses []string `json:"addresses,omitempty"` // with prefix length, as 10.0.0.5/24
}

// HostStorage is a storage pool, as far as facts go.
type HostStorage struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	State     string `json:"state"`
	Capacity  int64  `json:"capacity"`
	Available int64  `json:"available"`
}
