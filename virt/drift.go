package virt

import (
	"cmp"
	"slices"
	"strings"
)

// Medium is where the content of a disk is: an image, or the CD in a drive. The
// zero value is an empty drive.
type Medium struct {
	Storage string      `json:"storage,omitempty"`
	Volume  string      `json:"volume,omitempty"`
	Path    Opt[string] `json:"path,omitzero"`
}

// String is for messages and diffs.
func (m Medium) String() string {
	if m.Volume != "" {
		return strings.TrimPrefix(m.Storage+"/"+m.Volume, "/")
	}
	return m.Path.Or("")
}

// any gives the medium as a field of a diff; nil for none.
func (m Medium) any() any {
	if s := m.String(); s != "" {
		return s
	}
	return nil
}

// is tells whether both are the same image.
func (m Medium) is(o Medium) bool {
	if m.Volume != "" && o.Volume != "" {
		return m.Storage == o.Storage && m.Volume == o.Volume
	}
	return m.Path.Or("") == o.Path.Or("") && m.Volume == o.Volume
}

// Medium gives what the stored configuration has in a disk.
func (k *Disk) Medium() Medium { return Medium{Storage: k.Storage, Volume: k.Volume, Path: k.Path} }

// running gives what the running VM has in it.
func (k *Disk) running() Medium {
	if k.Live != nil {
		return *k.Live
	}
	return k.Medium()
}

// SetRunning says what the running VM has in a disk, and keeps that where it is
// another one than the stored configuration has.
func (k *Disk) SetRunning(m Medium) {
	k.Live = nil
	if !m.is(k.Medium()) {
		k.Live = &m
	}
}

// NICState is how a network interface is connected.
type NICState struct {
	Network string `json:"network,omitempty"`
	Profile string `json:"profile,omitempty"`
	Bridge  string `json:"bridge,omitempty"`
	Model   string `json:"model,omitempty"`
	LinkUp  bool   `json:"link_up"`
}

// State gives how the stored configuration connects an interface.
func (n *NIC) State() NICState {
	s := NICState{Network: n.Network, Profile: n.Profile, Model: n.Model, LinkUp: n.LinkUp}
	if n.Network == "" {
		s.Bridge = n.Bridge // else it is the network's
	}
	return s
}

// running gives how the running VM has it.
func (n *NIC) running() NICState {
	if n.Live != nil {
		return *n.Live
	}
	return n.State()
}

// SetRunning says how the running VM has an interface, and keeps that where the
// stored configuration has it otherwise.
func (n *NIC) SetRunning(s NICState) {
	if s.Network != "" {
		s.Bridge = ""
	}
	n.Live = nil
	if s != n.State() {
		n.Live = &s
	}
}

// wire names what an interface is connected to.
func (s NICState) wire() string {
	if s.Network != "" && s.Profile != "" && !strings.Contains(s.Network, "/") {
		return s.Network + "/" + s.Profile
	}
	return cmp.Or(s.Network, s.Bridge)
}

// configuredAlone is why most of what differs does.
const configuredAlone = "it was changed in the configuration alone"

// DevicesPending says in which devices, and in which boot order, a running VM
// differs from its stored configuration. reason may know more of a field than that
// it was changed in the configuration alone; it gives empty where it does not.
func DevicesPending(vm *VM, reason func(field string) string) []Pending {
	if vm.Live == nil {
		return nil
	}
	var out []Pending
	add := func(field string, live, configured any, why string) {
		if reason != nil {
			why = cmp.Or(reason(field), why)
		}
		out = append(out, Pending{Field: field, Live: live, Configured: configured, Reason: why})
	}
	presence := func(field string, in Presence) bool {
		switch {
		case in.Config && !in.Live:
			add(field, false, true, configuredAlone)
		case in.Live && !in.Config:
			add(field, true, false, "it is in the running VM alone, and gone after a restart")
		}
		return in.Config && in.Live
	}
	for i := range vm.Disks {
		k := &vm.Disks[i]
		if presence("disks."+k.Name, k.In) && k.Live != nil {
			add("disks."+k.Name+".medium", k.Live.any(), k.Medium().any(), configuredAlone)
		}
	}
	for i := range vm.NICs {
		n := &vm.NICs[i]
		if !presence("nics."+n.Name, n.In) || n.Live == nil {
			continue
		}
		path, want := "nics."+n.Name, n.State()
		if n.Live.wire() != want.wire() {
			add(path+".network", n.Live.wire(), want.wire(), configuredAlone)
		}
		if n.Live.Model != want.Model {
			add(path+".model", n.Live.Model, want.Model, configuredAlone)
		}
		if n.Live.LinkUp != want.LinkUp {
			add(path+".link_up", n.Live.LinkUp, want.LinkUp, configuredAlone)
		}
	}
	if vm.Live.Boot != nil {
		add("boot", vm.Live.Boot, vm.Boot, afterRestart)
	}
	return out
}

// isDeviceField tells whether DevicesPending is who speaks of a field.
func isDeviceField(field string) bool {
	return field == "boot" || strings.HasPrefix(field, "disks.") || strings.HasPrefix(field, "nics.")
}

// SetDevicesPending has a VM's Pending say what DevicesPending does, after all
// else.
func SetDevicesPending(vm *VM, reason func(field string) string) {
	vm.Pending = slices.DeleteFunc(vm.Pending, func(p Pending) bool { return isDeviceField(p.Field) })
	vm.Pending = append(vm.Pending, DevicesPending(vm, reason)...)
	if len(vm.Pending) == 0 {
		vm.Pending = nil
	}
}

// device notes a field of a device that has a stored and a live value. reason tells
// why the live value cannot follow; whether it does is told.
func (d *diff) device(vm *VM, path string, stored, want, live any, isLive bool, reason string) (follows bool) {
	switch {
	case stored == want && (!isLive || live == want):
	case !isLive:
		d.set(path, stored, want, where(vm))
	case live == want:
		d.set(path, stored, want, "configured")
	case reason != "":
		if stored != want {
			d.set(path, stored, want, "pending: "+reason)
		}
		d.pending(Pending{Field: path, Live: live, Configured: want, Reason: reason})
		return false
	case stored == want:
		d.set(path, live, want, "live")
	default:
		d.set(path, stored, want, where(vm))
	}
	return true
}
