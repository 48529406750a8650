package virt

import (
	"fmt"
	"time"
)

// CreateHostVLAN makes a VLAN interface over a NIC or bond of a host, and a Linux
// bridge with it as a port: at once and for good, by what configures the host's
// network. The host takes the change back by itself unless a new login to it
// succeeds afterwards.
type CreateHostVLAN struct {
	On
	converge
	NIC     string `json:"nic"` // or bond
	ID      int    `json:"id"`
	Bridge  string `json:"bridge"`
	MTU     int    `json:"mtu,omitempty"` // 0 = the NIC's
	Network string `json:"network"`       // that it is made for
	// Confirm is how long the host waits for the login; 0 = 30 s.
	Confirm time.Duration `json:"confirm,omitempty"`
}

// DeleteHostVLAN removes what CreateHostVLAN made, and nothing else.
type DeleteHostVLAN struct {
	On
	converge
	Confirm time.Duration `json:"confirm,omitempty"`
}

// HostVLAN is a VLAN interface that nactl made on a host, and its bridge.
type HostVLAN struct {
	Host       string      `json:"host"`
	Name       string      `json:"name"` // of the interface
	NIC        string      `json:"nic"`
	ID         int         `json:"id"`
	Bridge     string      `json:"bridge"`
	MTU        int         `json:"mtu,omitempty"`
	Network    string      `json:"network"`
	Tool       Opt[string] `json:"tool,omitzero"` // ifupdown, systemd-networkd, networkmanager
	Live       bool        `json:"live"`
	Persistent bool        `json:"persistent"` // it is there after a restart of the host, too
}

// Ref names the interface.
func (v *HostVLAN) Ref() Ref { return HostVLANRef(v.Host, v.Name) }

// Clone returns a copy.
func (v *HostVLAN) Clone() Object { c := *v; return &c }

// HostVLANRef names a VLAN interface of a host.
func HostVLANRef(host, name string) Ref { return Ref{Kind: KindHostVLAN, Scope: host, Name: name} }

// maxInterface is how long Linux lets the name of an interface be.
const maxInterface = 15

// VLANInterface names the interface for a VLAN on a NIC: NIC.ID, or where that
// would be too long vlanID.
func VLANInterface(nic string, id int) string {
	if name := fmt.Sprintf("%s.%d", nic, id); len(name) <= maxInterface {
		return name
	}
	return fmt.Sprintf("vlan%d", id)
}

// createHostVLAN predicts what becomes of a VLAN interface.
func createHostVLAN(before Object, c CreateHostVLAN) (Object, Outcome, error) {
	var d diff
	v, _ := before.(*HostVLAN)
	if v == nil {
		after := &HostVLAN{Host: c.Ref.Scope, Name: c.Ref.Name, NIC: c.NIC, ID: c.ID, Bridge: c.Bridge, MTU: c.MTU, Network: c.Network,
			Tool: Unknown[string](), Live: true, Persistent: true}
		d.set("vlan", nil, c.ID, "")
		d.set("nic", nil, c.NIC, "")
		d.set("bridge", nil, c.Bridge, "")
		return after, d.out, nil
	}
	if v.NIC != c.NIC || v.ID != c.ID || v.Bridge != c.Bridge || v.Network != c.Network || c.MTU != 0 && v.MTU != c.MTU {
		describe := func(nic string, id int, bridge, network string) string {
			return describeNetwork(nic, bridge, id) + ", for network " + network
		}
		return nil, Outcome{}, &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is there, and is another VLAN",
			Wanted: describe(c.NIC, c.ID, c.Bridge, c.Network), Found: describe(v.NIC, v.ID, v.Bridge, v.Network),
			Hint: "delete it with delete_vlan: {name: " + v.Network + "}"}
	}
	after := v.Clone().(*HostVLAN)
	d.set("live", v.Live, true, "")
	d.set("persistent", v.Persistent, true, "")
	after.Live, after.Persistent = true, true
	return after, d.out, nil
}
