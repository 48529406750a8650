//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// createVM makes a VM, or completes what an interrupted run left of one. It is
// defined first, with the unfinished mark and with the paths of the volumes to
// come: from then on everything that is made belongs to a definition, and a run
// that comes after can tell what is whose. A failure leaves the mark.
func (n *Node) createVM(ctx context.Context, c virt.CreateVM, e *edit) error {
	before, vm := e.vm(), e.want().Clone().(*virt.VM)
	if before != nil && (before.State.IsLive() || before.State == virt.Suspended) {
		return &virt.Error{Kind: virt.ErrConflict, Object: vm.Ref(), Summary: "is unfinished, and " + string(before.State) + " already",
			Wanted: "a stopped VM", Hint: "stop it and run this again, or delete it with delete_vm"}
	}
	m, err := n.makings(ctx, c, vm, before)
	if err != nil {
		return err
	}
	noteUnwanted(e.out, before, vm)
	text, err := buildDomain(c, vm, m.guest, m.pools, m.uuid)
	if err != nil {
		return err
	}
	if c.LibvirtXML != "" {
		if text, _, err = mergeOverlay(text, c.LibvirtXML); err != nil {
			return overlayError(vm.Ref(), err)
		}
	}
	uuid := ""
	err = n.do(ctx, "define the VM", func(conn *lv.Connect) error {
		d, err := conn.DomainDefineXMLFlags(text, lv.DOMAIN_DEFINE_VALIDATE)
		if err != nil {
			return err
		}
		defer d.Free()
		uuid, err = d.GetUUIDString()
		return err
	})
	if err != nil {
		return aboutVM(err, vm.Name)
	}
	if err := n.furnish(ctx, c, vm, before, m, uuid); err != nil {
		return unfinished(vm.Ref(), err)
	}
	return nil
}

// noteUnwanted warns of volumes that an interrupted run named and that the
// playbook does not want any more.
func noteUnwanted(out *virt.Outcome, before, vm *virt.VM) {
	if before == nil {
		return
	}
	for _, k := range before.Disks {
		if k.Volume != "" && !hasVolume(vm, k.Storage, k.Volume) {
			out.Warnings = append(out.Warnings, fmt.Sprintf("disk %q of the interrupted run is not wanted any more; if its volume %s/%s is there, it stays", k.Name, k.Storage, k.Volume))
		}
	}
}

// overlayError says that a playbook's own domain XML cannot be used.
func overlayError(vm virt.Ref, err error) error {
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: "cannot merge the playbook's libvirt XML", Err: err,
		Hint: "give <domain> with only what is to be different"}
}

// unfinished says that a VM is there, but not whole.
func unfinished(vm virt.Ref, err error) error {
	return fmt.Errorf("%s is left marked as unfinished, and running the step again completes it: %w", vm, err)
}

// furnish makes what the definition names: the volumes and the seed.
func (n *Node) furnish(ctx context.Context, c virt.CreateVM, vm, before *virt.VM, m *makings, uuid string) error {
	for _, k := range vm.Disks {
		spec := specOf(c.Disks, k.Name)
		if spec.Volume != "" {
			continue
		}
		v := newVolume{pool: m.pools[k.Storage], name: k.Volume, format: k.Format, size: k.Size, sparse: spec.Sparse}
		switch {
		case k.Name == seedDisk && k.Device == "cdrom":
			s, err := makeSeed(c, vm, uuid)
			if err != nil {
				return err
			}
			if v.data, err = s.iso(); err != nil {
				return err
			}
			v.size, v.sparse = int64(len(v.data)), true
		case k.Boot && c.Image != nil:
			v.image, v.backed = c.Image, spec.Backed
		}
		if err := n.makeVolume(ctx, v, hasVolume(before, k.Storage, k.Volume)); err != nil {
			return err
		}
	}
	err := n.withDomain(ctx, "set autostart", vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		on, err := d.GetAutostart()
		if err != nil || on == vm.Autostart {
			return err
		}
		return d.SetAutostart(vm.Autostart)
	})
	return err
}

// hasVolume tells whether a VM's definition names a volume.
func hasVolume(vm *virt.VM, pool, volume string) bool {
	return vm != nil && slices.ContainsFunc(vm.Disks, func(k virt.Disk) bool { return k.Storage == pool && k.Volume == volume })
}

// makings is what has to be known before a VM can be defined.
type makings struct {
	guest guestKind
	pools map[string]poolTarget
	uuid  string // of the VM that an interrupted run left; else empty
}

// makings looks at the node, and fills in what vm still lacks: its MAC addresses,
// those of the VM that an interrupted run left where there is one, and the paths
// and formats of volumes that it takes as they are.
func (n *Node) makings(ctx context.Context, c virt.CreateVM, vm, before *virt.VM) (*makings, error) {
	m := &makings{pools: map[string]poolTarget{}}
	if before != nil {
		m.uuid = before.ID.Or("")
	}
	for i := range vm.NICs {
		nic := &vm.NICs[i]
		if nic.MAC.IsUnknown() && before != nil {
			if old := before.NIC(nic.Name); old != nil {
				nic.MAC = old.MAC
			}
		}
		if _, ok := nic.MAC.Get(); !ok {
			nic.MAC = virt.Some(newMAC())
		}
	}
	for i := range vm.Disks {
		if specOf(c.Disks, vm.Disks[i].Name).Volume != "" {
			if err := n.adoptVolume(ctx, &vm.Disks[i]); err != nil {
				return nil, err
			}
		} else {
			vm.Disks[i].Path = virt.Opt[string]{} // in its pool, by its name
		}
	}
	err := n.read(ctx, "look at what the node offers", func(conn *lv.Connect) error {
		for _, k := range vm.Disks {
			if _, known := m.pools[k.Storage]; known {
				continue
			}
			p, err := lookPool(conn, k.Storage)
			if err != nil {
				return err
			}
			m.pools[k.Storage] = p
		}
		var err error
		m.guest, err = lookGuest(conn, n.cfg.Accel, c.Machine)
		return err
	})
	return m, aboutVM(err, vm.Name)
}

// newMAC makes a random address in the range that QEMU and KVM use.
func newMAC() string {
	var b [3]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", b[0], b[1], b[2])
}

// lookGuest picks a machine for a new VM (virConnectGetCapabilities,
// virConnectGetDomainCapabilities).
func lookGuest(c *lv.Connect, accel, machine string) (guestKind, error) {
	text, err := c.GetCapabilities()
	if err != nil {
		return guestKind{}, err
	}
	var caps libvirtxml.Caps
	if err := caps.Unmarshal(text); err != nil {
		return guestKind{}, fmt.Errorf("capabilities: %w", err)
	}
	k, err := chooseGuest(&caps, accel, machine)
	if err != nil {
		return k, &virt.Error{Kind: virt.ErrUnsupported, Summary: "cannot choose a machine", Err: err}
	}
	var domain *libvirtxml.DomainCaps
	if k.domain == "qemu" {
		text, err := c.GetDomainCapabilities("", k.arch, k.machine, k.domain, 0)
		if err != nil {
			return k, err
		}
		domain = &libvirtxml.DomainCaps{}
		if err := domain.Unmarshal(text); err != nil {
			return k, fmt.Errorf("domain capabilities: %w", err)
		}
	}
	k.cpu = chooseCPU(k, domain)
	return k, nil
}

// adoptVolume fills in where an existing volume lies and what format it has.
func (n *Node) adoptVolume(ctx context.Context, k *virt.Disk) error {
	v, err := n.Volume(ctx, k.Storage, k.Volume)
	if err != nil {
		return err
	}
	k.Path = v.Path
	k.Format = cmp.Or(k.Format, v.Format, "raw")
	k.Size = v.Size
	return nil
}
