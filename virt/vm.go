package virt

import (
	"maps"
	"slices"
	"strings"
)

// PowerState is whether a VM runs.
type PowerState string

// The power states that a playbook can ask for.
const (
	Running   PowerState = "running"
	Stopped   PowerState = "stopped"
	Paused    PowerState = "paused"    // in memory, CPUs halted
	Suspended PowerState = "suspended" // saved to disk (libvirt: managed save)
)

// The power states that only a platform can bring about.
const (
	Crashed     PowerState = "crashed"
	InMigration PowerState = "migrating"
	Starting    PowerState = "starting" // powering up, not yet running
	Stopping    PowerState = "stopping"
	Unreachable PowerState = "unreachable" // its host does not answer: it may run, or not
)

// IsLive tells whether a VM in this state has a live configuration beside the
// stored one.
func (s PowerState) IsLive() bool {
	switch s {
	case Running, Paused, InMigration, Starting, Stopping, Unreachable:
		return true
	default:
		return false
	}
}

// VM is a virtual machine: what libvirt calls a domain.
//
// CPU, Memory, Disks and NICs are the stored configuration, which the next start
// uses. Live is what runs now, nil for a VM that does not run. Pending lists
// where the two differ.
type VM struct {
	Name        string            `json:"name"`
	ID          Opt[string]       `json:"id,omitzero"` // UUID
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Comment     string            `json:"comment,omitempty"`
	State       PowerState        `json:"state"`
	CPU         CPU               `json:"cpu"`
	Memory      Memory            `json:"memory"`
	Live        *Live             `json:"live,omitempty"`
	Disks       []Disk            `json:"disks,omitempty"`
	NICs        []NIC             `json:"nics,omitempty"`
	Boot        []string          `json:"boot,omitempty"` // device classes in order: hd, cdrom, network
	Firmware    string            `json:"firmware,omitempty"`
	Machine     string            `json:"machine,omitempty"` // machine type, as pc-q35-7.2
	Accel       string            `json:"accel,omitempty"`   // kvm, qemu (emulated), test
	Autostart   bool              `json:"autostart"`
	Host        Opt[string]       `json:"host,omitzero"`
	Cluster     string            `json:"cluster,omitempty"`
	DataCentre  string            `json:"data_centre,omitempty"`
	Agent       AgentState        `json:"agent,omitempty"`
	FQDN        string            `json:"fqdn,omitempty"`      // as the guest's agent reports it; engines only
	Addresses   []string          `json:"addresses,omitempty"` // likewise, without prefix length; the first NIC's first
	Tags        []string          `json:"tags,omitempty"`
	Ovirt       *OvirtSettings    `json:"ovirt,omitempty"` // nil where there is no engine
	Metadata    map[string]string `json:"metadata,omitempty"`
	Pending     []Pending         `json:"pending,omitempty"`
	Locked      string            `json:"locked,omitempty"` // why, empty when free

	// Unfinished holds the id of the run that made the VM and did not end; empty
	// for a whole VM.
	Unfinished string `json:"unfinished,omitempty"`
	// Arrived is the host that the VM was moved from by a run that did not end: copies
	// of its disks are left there. Empty where there is nothing to be cleared away.
	Arrived string `json:"arrived_from,omitempty"`
	// Native is the platform's own stored form (domain XML, secrets left out);
	// empty where there is none.
	Native string `json:"-"`
}

// CPU is the number of virtual CPUs and how the guest sees them.
type CPU struct {
	Count    int      `json:"count"`         // plugged in
	Max      int      `json:"max,omitempty"` // can be plugged in without a restart
	Topology Topology `json:"topology,omitzero"`
}

// Topology is how CPUs are laid out; the zero value leaves it to the platform.
type Topology struct {
	Sockets int `json:"sockets,omitempty"`
	Cores   int `json:"cores,omitempty"`
	Threads int `json:"threads,omitempty"`
}

// Memory is a VM's memory in bytes.
type Memory struct {
	Current    int64 `json:"current"`              // what the guest has (balloon)
	Max        int64 `json:"max"`                  // what it can have without a restart
	Guaranteed int64 `json:"guaranteed,omitempty"` // engines only
}

// Live is the part of a running VM's configuration that can differ from the
// stored one.
type Live struct {
	CPU    CPU    `json:"cpu"`
	Memory Memory `json:"memory"`
	// Boot is the order that it started with, where the stored one is another; else
	// nil.
	Boot []string `json:"boot,omitzero"`
}

// AgentState tells whether the guest agent answers.
type AgentState string

// The states of a guest agent.
const (
	AgentConnected    AgentState = "connected"
	AgentDisconnected AgentState = "disconnected" // has a channel, nobody listens
	AgentAbsent       AgentState = "absent"       // the VM has no agent channel
)

// Pending is a field whose stored value is right and whose live value is not,
// and why it could not be changed at once.
type Pending struct {
	Field      string `json:"field"`
	Live       any    `json:"live"`
	Configured any    `json:"configured"`
	Reason     string `json:"reason"`
}

// Presence tells where a device is: in the running VM, in the stored
// configuration, or both.
type Presence struct {
	Live   bool `json:"live"`
	Config bool `json:"config"`
}

// Disk is a block device of a VM.
type Disk struct {
	Name       string      `json:"name"`             // as the playbook calls it; else the target
	Target     string      `json:"target,omitempty"` // device name as libvirt gives it: vda, sda
	Device     string      `json:"device,omitempty"` // disk, cdrom, floppy, lun
	Bus        string      `json:"bus,omitempty"`
	Size       int64       `json:"size,omitempty"`        // bytes that the guest sees
	ActualSize int64       `json:"actual_size,omitempty"` // bytes taken from the storage
	Format     string      `json:"format,omitempty"`
	Sparse     bool        `json:"sparse,omitempty"`
	Boot       bool        `json:"boot,omitempty"`
	ReadOnly   bool        `json:"read_only,omitempty"`
	Storage    string      `json:"storage,omitempty"` // pool or storage domain
	Volume     string      `json:"volume,omitempty"`
	Path       Opt[string] `json:"path,omitzero"`
	Serial     string      `json:"serial,omitempty"`
	Backing    string      `json:"backing,omitempty"`
	Chain      []string    `json:"chain,omitempty"`  // of a running VM: all images below, the nearest first, where there are several
	Broken     string      `json:"broken,omitempty"` // why it cannot be used; empty for a whole disk
	Live       *Medium     `json:"live,omitempty"`   // what the running VM has in it, where that is another
	In         Presence    `json:"in"`
}

// NIC is a network interface of a VM.
type NIC struct {
	Name    string      `json:"name"` // nic1, nic2, …
	MAC     Opt[string] `json:"mac,omitzero"`
	Network string      `json:"network,omitempty"` // on an engine NETWORK/PROFILE, when its profile is not the usual one
	Profile string      `json:"profile,omitempty"` // vNIC profile; on a node portgroup
	Bridge  string      `json:"bridge,omitempty"`  // when attached to a bridge without a network
	Model   string      `json:"model,omitempty"`
	LinkUp  bool        `json:"link_up"`
	VLAN    int         `json:"vlan,omitempty"`
	Live    *NICState   `json:"live,omitempty"` // how the running VM has it, where that is otherwise
	In      Presence    `json:"in"`
}

// IsOn tells whether the interface is connected to a network, written as NETWORK or
// as NETWORK/PROFILE.
func (n *NIC) IsOn(network string) bool {
	name, _, _ := strings.Cut(n.Network, "/")
	return network == n.Network || n.Profile != "" && network == name+"/"+n.Profile
}

// Ref names the VM.
func (v *VM) Ref() Ref { return Ref{Kind: KindVM, Name: v.Name, ID: v.ID.Or("")} }

// Clone returns a deep copy.
func (v *VM) Clone() Object {
	c := *v
	if v.Live != nil {
		l := *v.Live
		l.Boot = slices.Clone(l.Boot)
		c.Live = &l
	}
	c.Disks = slices.Clone(v.Disks)
	for i := range c.Disks {
		c.Disks[i].Chain = slices.Clone(c.Disks[i].Chain)
		if m := c.Disks[i].Live; m != nil {
			medium := *m
			c.Disks[i].Live = &medium
		}
	}
	c.NICs = slices.Clone(v.NICs)
	for i := range c.NICs {
		if s := c.NICs[i].Live; s != nil {
			state := *s
			c.NICs[i].Live = &state
		}
	}
	c.Boot = slices.Clone(v.Boot)
	c.Addresses = slices.Clone(v.Addresses)
	c.Tags = slices.Clone(v.Tags)
	c.Ovirt = v.Ovirt.clone()
	c.Metadata = maps.Clone(v.Metadata)
	c.Pending = slices.Clone(v.Pending)
	return &c
}

// Disk finds a disk by its name, its target device or its volume; nil when there
// is none.
func (v *VM) Disk(name string) *Disk {
	for i := range v.Disks {
		if v.Disks[i].Name == name {
			return &v.Disks[i]
		}
	}
	for i := range v.Disks {
		if v.Disks[i].Target == name {
			return &v.Disks[i]
		}
	}
	for i := range v.Disks {
		if v.Disks[i].Volume == name && name != "" {
			return &v.Disks[i]
		}
	}
	return nil
}

// BootDisk gives the disk that the VM starts from; nil when there is none.
func (v *VM) BootDisk() *Disk {
	for i := range v.Disks {
		if v.Disks[i].Boot {
			return &v.Disks[i]
		}
	}
	return nil
}

// NIC finds an interface by its name or, failing that, its MAC address; nil when
// there is none.
func (v *VM) NIC(name string) *NIC {
	for i := range v.NICs {
		if v.NICs[i].Name == name {
			return &v.NICs[i]
		}
	}
	for i := range v.NICs {
		if mac, ok := v.NICs[i].MAC.Get(); ok && mac == name {
			return &v.NICs[i]
		}
	}
	return nil
}
