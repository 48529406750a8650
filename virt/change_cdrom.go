package virt

import (
	"fmt"
	"strings"
)

// ChangeCdrom puts a CD, which is an ISO image, into a VM's drive in place of what
// is there, or takes it out; in the stored configuration and, when the VM runs, at
// once. A VM without a drive is given one.
type ChangeCdrom struct {
	On
	converge
	Drive string `json:"drive,omitempty"` // name or target; empty = the only one beside that of cloud-init
	// Storage and Volume, or Path, name the image; none of them: the drive is emptied.
	Storage string `json:"storage,omitempty"`
	Volume  string `json:"volume,omitempty"`
	Path    string `json:"path,omitempty"`  // absolute, on the node
	Force   bool   `json:"force,omitempty"` // out of a drive that the guest has locked, too
}

// SeedDrive is what the drive is called that holds what cloud-init reads.
const SeedDrive = "seed"

// drive finds the drive that a change means; nil where the VM has none.
func (c ChangeCdrom) drive(vm *VM) (*Disk, error) {
	if c.Drive != "" {
		k := vm.Disk(c.Drive)
		if k != nil && k.Device != "cdrom" {
			return nil, &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: fmt.Sprintf("has a disk %q, which is no CD drive", c.Drive),
				Found: k.Device, Hint: "name another drive"}
		}
		return k, nil
	}
	var found *Disk
	var names []string
	for i := range vm.Disks {
		if k := &vm.Disks[i]; k.Device == "cdrom" && k.Name != SeedDrive {
			found = k
			names = append(names, k.Name)
		}
	}
	if len(names) > 1 {
		return nil, &Error{Kind: ErrInvalid, Object: vm.Ref(), Summary: "has several CD drives", Found: strings.Join(names, ", "),
			Hint: "say which one with drive"}
	}
	return found, nil
}

// medium gives the image that is wanted.
func (c ChangeCdrom) medium(r Rules, vm *VM) Medium {
	m := Medium{Storage: c.Storage, Volume: c.Volume}
	switch {
	case c.Path != "":
		m.Path = Some(c.Path)
		if r.VolumeAt != nil {
			m.Storage, m.Volume = r.VolumeAt(c.Path)
		}
	case c.Volume != "":
		m.Path = Unknown[string]()
		if m.Storage == "" {
			if boot := vm.BootDisk(); boot != nil {
				m.Storage = boot.Storage
			}
		}
	}
	return m
}

func (r Rules) changeCdrom(vm, after *VM, c ChangeCdrom, d *diff) error {
	k, err := c.drive(after)
	if err != nil {
		return err
	}
	want := c.medium(r, vm)
	if k == nil {
		if want == (Medium{}) {
			return nil // no drive holds no CD
		}
		k := Disk{Name: c.Drive, Device: "cdrom", Bus: "sata", Format: "raw", ReadOnly: true,
			Storage: want.Storage, Volume: want.Volume, Path: want.Path, In: Presence{Config: true}}
		if k.Name == "" {
			k.Name = "cdrom"
		}
		reason := ""
		if r.NewDrive != nil {
			reason = r.NewDrive(vm, &k)
		}
		if k.Target == "" {
			k.Target = NextTarget(vm.Disks, k.Bus)
		}
		note := where(vm)
		switch {
		case vm.Live == nil:
		case reason == "":
			k.In.Live = true
		default:
			note = "pending: " + reason
			d.pending(Pending{Field: "disks." + k.Name, Live: false, Configured: true, Reason: reason})
		}
		d.set("disks."+k.Name, nil, want.String(), note)
		after.Disks = append(after.Disks, k)
		return nil
	}
	path := "disks." + k.Name + ".medium"
	stored, live := k.Medium(), k.running()
	if stored.is(want) {
		want = stored // with its path
	} else if live.is(want) {
		want = live
	}
	follows := d.device(after, path, stored.any(), want.any(), live.any(), k.In.Live, "")
	k.Storage, k.Volume, k.Path = want.Storage, want.Volume, want.Path
	k.Size, k.ActualSize = 0, 0
	if stored.is(want) {
		k.Size, k.ActualSize = vm.Disk(k.Name).Size, vm.Disk(k.Name).ActualSize
	}
	if follows {
		k.Live = nil
	} else {
		k.SetRunning(live)
	}
	return nil
}
