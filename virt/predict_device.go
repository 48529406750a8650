package virt

import (
	"fmt"
	"slices"
	"strings"
)

func newDisk(vm *VM, s DiskSpec, img *Image) Disk {
	k := Disk{Name: s.Name, Target: s.Target, Device: "disk", Bus: s.Bus, Size: s.Size, Format: s.Format, Sparse: s.Sparse,
		Boot: s.Boot, ReadOnly: s.ReadOnly, Storage: s.Storage, Volume: s.Volume, Serial: s.Serial,
		Path: Unknown[string](), In: Presence{Config: true, Live: vm.State.IsLive()}}
	if s.Boot && img != nil {
		k.Size = max(k.Size, img.Size)
		if k.Format == "" {
			k.Format = img.Format
		}
	}
	if k.Bus == "" {
		k.Bus = "virtio"
	}
	if k.Target == "" {
		k.Target = NextTarget(vm.Disks, k.Bus)
	}
	return k
}

// NextTarget gives the first free device name for a disk on a bus: vda, vdb, …
// for virtio, sda… for scsi, sata and usb, hda… for ide.
func NextTarget(disks []Disk, bus string) string {
	prefix := map[string]string{"virtio": "vd", "ide": "hd", "fdc": "fd", "xen": "xvd"}[bus]
	if prefix == "" {
		prefix = "sd"
	}
	for i := 0; ; i++ {
		name := prefix + letters(i)
		if !slices.ContainsFunc(disks, func(d Disk) bool { return d.Target == name }) {
			return name
		}
	}
}

// letters counts a, b, …, z, aa, ab, … as the kernel names disks.
func letters(i int) string {
	s := ""
	for ; i >= 0; i = i/26 - 1 {
		s = string(rune('a'+i%26)) + s
	}
	return s
}

func (r Rules) newNIC(s NICSpec, n int) NIC {
	nic := NIC{Name: s.Name, Network: s.Network, Model: s.Model, LinkUp: true, MAC: Unknown[string](), In: Presence{Config: true}}
	if nic.Name == "" {
		nic.Name = fmt.Sprintf("nic%d", n)
	}
	if s.MAC != "" {
		nic.MAC = Some(s.MAC)
	}
	if nic.Model == "" {
		nic.Model = "virtio"
	}
	if r.Portgroups {
		nic.Network, nic.Profile, _ = strings.Cut(nic.Network, "/")
	}
	return nic
}

func (r Rules) attachDisk(vm, after *VM, c AttachDisk, d *diff) error {
	path := "disks." + c.Disk.Name
	if k := after.Disk(c.Disk.Name); k != nil && k.Broken != "" {
		return &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: fmt.Sprintf("has a disk %q that cannot be used", k.Name), Found: k.Broken,
			Hint: "take it away with detach_disk, delete_volume: true, and attach it again"}
	}
	if k := after.Disk(c.Disk.Name); k != nil {
		if c.Disk.Volume != "" && (k.Volume != c.Disk.Volume || c.Disk.Storage != "" && k.Storage != c.Disk.Storage) {
			return &Error{Kind: ErrConflict, Object: vm.Ref(),
				Summary: fmt.Sprintf("has another disk called %q", c.Disk.Name),
				Wanted:  "volume " + c.Disk.Storage + "/" + c.Disk.Volume, Found: "volume " + k.Storage + "/" + k.Volume,
				Hint: "choose another name for the disk, or detach that one first"}
		}
		d.present(path, &k.In, vm.State.IsLive())
		return nil
	}
	k := newDisk(after, c.Disk, nil)
	if r.Attached != nil {
		r.Attached(after, &k)
	}
	d.field(FieldChange{Path: path, After: k.Size, Unit: "bytes", Note: where(vm)})
	after.Disks = append(after.Disks, k)
	return nil
}

// present notes a device that is wanted both in the stored and in the live
// configuration.
func (d *diff) present(path string, in *Presence, live bool) {
	if !in.Config {
		d.set(path+".configured", false, true, "")
	}
	if live && !in.Live {
		d.set(path+".live", false, true, "")
	}
	*in = Presence{Config: true, Live: live}
}

func where(vm *VM) string {
	if vm.State.IsLive() {
		return "live and configured"
	}
	return "configured"
}

func detachDisk(vm, after *VM, c DetachDisk, d *diff) {
	k := after.Disk(c.Disk)
	if k == nil {
		return
	}
	name, target := k.Name, k.Target
	d.field(FieldChange{Path: "disks." + name, Before: k.Size, Unit: "bytes", Note: where(vm)})
	after.Disks = slices.DeleteFunc(after.Disks, func(x Disk) bool { return x.Name == name && x.Target == target })
}

func resizeDisk(vm, after *VM, c ResizeDisk, d *diff) error {
	k := after.Disk(c.Disk)
	if k == nil {
		return &Error{Kind: ErrNotFound, Object: vm.Ref(), Summary: fmt.Sprintf("has no disk %q", c.Disk),
			Found: diskNames(vm), Hint: "attach it with attach_disk, or check its name"}
	}
	switch {
	case k.Size == c.Size:
	case k.Size > c.Size:
		d.out.Warnings = append(d.out.Warnings, fmt.Sprintf("disk %q has %s; disks never shrink, so %s changes nothing",
			k.Name, FormatSize(k.Size), FormatSize(c.Size)))
	default:
		d.bytes("disks."+k.Name+".size", k.Size, c.Size, where(vm))
		k.Size = c.Size
	}
	return nil
}

func diskNames(vm *VM) string {
	s := ""
	for i, k := range vm.Disks {
		if i > 0 {
			s += ", "
		}
		s += k.Name
		if k.Target != k.Name {
			s += " (" + k.Target + ")"
		}
	}
	return s
}

func (r Rules) attachNIC(vm, after *VM, c AttachNIC, d *diff) error {
	want := r.newNIC(c.NIC, len(vm.NICs)+1)
	if n := after.NIC(want.Name); n != nil {
		if !n.IsOn(c.NIC.Network) {
			return &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: fmt.Sprintf("has a NIC %q on another network", n.Name),
				Wanted: "network " + c.NIC.Network, Found: "network " + n.Network,
				Hint: "connect it there with change_nic, or choose another name"}
		}
		d.present("nics."+n.Name, &n.In, vm.State.IsLive())
		return nil
	}
	if mac, ok := want.MAC.Get(); ok && after.NIC(mac) != nil {
		return &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: "has that MAC address at another NIC",
			Wanted: mac + " at " + want.Name, Found: mac + " at " + after.NIC(mac).Name}
	}
	want.In.Live = vm.State.IsLive()
	d.set("nics."+want.Name, nil, c.NIC.Network, where(vm))
	after.NICs = append(after.NICs, want)
	return nil
}

func detachNIC(vm, after *VM, c DetachNIC, d *diff) {
	n := after.NIC(c.NIC)
	if n == nil {
		return
	}
	name := n.Name
	d.set("nics."+name, n.Network, nil, where(vm))
	after.NICs = slices.DeleteFunc(after.NICs, func(x NIC) bool { return x.Name == name })
}

func (r Rules) changeNIC(vm, after *VM, c ChangeNIC, d *diff) error {
	n := after.NIC(c.NIC)
	if n == nil {
		return &Error{Kind: ErrNotFound, Object: vm.Ref(), Summary: fmt.Sprintf("has no NIC %q", c.NIC),
			Hint: "attach it with attach_nic, or check its name"}
	}
	path := "nics." + n.Name
	network := afterwards(d, path+".network", n.Network, c.Network)
	model := afterwards(d, path+".model", n.Model, c.Model)
	if link := afterwards(d, path+".link_up", n.LinkUp, c.LinkUp); network || model || link {
		return nil
	}
	stored, live := n.State(), n.running()
	want := stored
	want.LinkUp, want.Model = c.LinkUp.Or(stored.LinkUp), c.Model.Or(stored.Model)
	on := func(s NICState, network string) bool {
		nic := NIC{Network: s.Network, Profile: s.Profile}
		return nic.IsOn(network)
	}
	if v, ok := c.Network.Get(); ok && !on(stored, v) {
		want.Network, want.Profile, want.Bridge = v, "", ""
		if r.Portgroups {
			want.Network, want.Profile, _ = strings.Cut(v, "/")
		}
	}
	reason := ""
	if r.LiveNIC != nil {
		reason = r.LiveNIC(vm, n.Name, want)
	}
	running := live
	if c.Network.IsSet() && d.device(vm, path+".network", stored.wire(), want.wire(), live.wire(), n.In.Live, reason) {
		running.Network, running.Profile, running.Bridge = want.Network, want.Profile, want.Bridge
	}
	if c.Model.IsSet() && d.device(vm, path+".model", stored.Model, want.Model, live.Model, n.In.Live, reason) {
		running.Model = want.Model
	}
	if c.LinkUp.IsSet() && d.device(vm, path+".link_up", stored.LinkUp, want.LinkUp, live.LinkUp, n.In.Live, "") {
		running.LinkUp = want.LinkUp
	}
	n.Network, n.Profile, n.Model, n.LinkUp = want.Network, want.Profile, want.Model, want.LinkUp
	if want.Network != stored.Network || want.Profile != stored.Profile {
		n.Bridge = want.Bridge
	}
	if n.In.Live {
		n.SetRunning(running)
	}
	return nil
}
