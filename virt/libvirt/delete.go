//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// undefineFlags take along what belongs to a definition: UEFI variables, saved
// memory, the descriptions of snapshots and checkpoints.
const undefineFlags = lv.DOMAIN_UNDEFINE_NVRAM | lv.DOMAIN_UNDEFINE_MANAGED_SAVE |
	lv.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | lv.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA

// deleteVM removes a VM: its power, then what it leaves behind, its definition
// last. So a run that is broken off leaves the definition, which tells the next
// one what is still to be removed.
//
// The seed and the markers of half-made volumes always go: nactl made them. Other
// volumes go when that was asked for and nobody else uses them.
func (n *Node) deleteVM(ctx context.Context, c virt.DeleteVM, e *edit) error {
	vm := e.vm()
	var inUse usedBy
	if c.Volumes {
		layers, err := n.layerDisks(ctx, vm)
		if err != nil {
			return err
		}
		vm.Disks = append(vm.Disks, layers...)
		if inUse, err = n.inUseAnywhere(ctx, vm.Name, vm.Disks); err != nil {
			return err
		}
	}
	err := n.withDomain(ctx, "power it off", vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		err := d.DestroyFlags(lv.DOMAIN_DESTROY_DEFAULT)
		if isCode(err, lv.ERR_OPERATION_INVALID) {
			return nil // it does not run
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := n.deleteDisks(ctx, c, vm, inUse, e.out); err != nil {
		return err
	}
	return n.withDomain(ctx, "undefine the VM", vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		// A transient one went with its power.
		if lasting, err := d.IsPersistent(); err != nil || !lasting {
			return ignoreGone(err)
		}
		err := d.UndefineFlags(undefineFlags)
		if isCode(err, lv.ERR_INVALID_ARG, lv.ERR_NO_SUPPORT) {
			err = d.UndefineFlags(lv.DOMAIN_UNDEFINE_MANAGED_SAVE | lv.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA) // a driver that knows none of the others
		}
		return ignoreGone(err)
	})
}

func ignoreGone(err error) error {
	if isCode(err, lv.ERR_NO_DOMAIN) {
		return nil
	}
	return err
}

// deleteDisks removes the volumes of a VM that is being deleted, and says which
// of them stay, and why.
func (n *Node) deleteDisks(ctx context.Context, c virt.DeleteVM, vm *virt.VM, inUse usedBy, out *virt.Outcome) error {
	for _, k := range vm.Disks {
		if k.Storage == "" || k.Volume == "" {
			if c.Volumes && k.Device == "disk" && k.Path.Or("") != "" {
				out.Warnings = append(out.Warnings, fmt.Sprintf("disk %q is in no storage pool; its file stays: %s", k.Name, k.Path.Or("")))
			}
			continue
		}
		isSeed := k.Device == "cdrom" && k.Volume == seedVolume(vm.Name)
		_, marked, err := n.volumeState(ctx, k.Storage, k.Volume)
		if errors.Is(err, virt.ErrNotFound) {
			continue // the pool itself is gone
		} else if err != nil {
			return err
		}
		half := marked && vm.Unfinished != ""
		switch {
		case isSeed, half:
		case !c.Volumes || k.Device != "disk" || k.ReadOnly:
			continue
		default:
			if by := inUse[k.Path.Or("")]; by != "" {
				out.Warnings = append(out.Warnings, fmt.Sprintf("volume %s/%s stays: %s uses it", k.Storage, k.Volume, by))
				continue
			}
		}
		if err := n.deleteVolume(ctx, k.Storage, k.Volume); err != nil {
			return err
		}
		if marked {
			if err := n.deleteVolume(ctx, k.Storage, k.Volume+partSuffix); err != nil {
				return err
			}
		}
	}
	return nil
}
