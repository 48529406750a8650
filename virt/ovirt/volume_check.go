package ovirt

import (
	"context"
	"errors"
	"fmt"

	"github.com/nactl/nactl/virt"
)

// sector is what the sizes of disks are multiples of.
const sector = 512

// checkNewVolume looks whether a storage domain takes a disk.
func (e *Engine) checkNewVolume(ctx context.Context, ref virt.Ref, format string, sparse bool, size int64) error {
	spec := virt.DiskSpec{Name: ref.Name, Storage: ref.Scope, Format: format, Sparse: sparse, Size: size}
	if err := refuseDisk(ref, spec); err != nil {
		return err
	}
	if size%sector != 0 {
		return &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: fmt.Sprintf("a disk of %d bytes has no whole number of sectors", size),
			Hint: "make it a multiple of 512 bytes: truncate -s %512 FILE rounds a raw image up"}
	}
	return e.checkStorage(ctx, ref, "", spec)
}

// checkUploadVolume looks whether a disk can be made of a file, and take the place
// of the one that is there.
func (e *Engine) checkUploadVolume(ctx context.Context, view virt.Reader, c virt.UploadVolume) error {
	return errors.Join(e.checkNewVolume(ctx, c.Ref, c.Source.Format, c.Sparse, c.Source.Size),
		e.checkIdle(ctx, view, c.Ref, "replaced", func(*virt.VM) bool { return true }, "detach it there first (detach_disk), or delete what uses it"))
}

// checkCloneVolume looks whether a disk can be copied: as a whole, and while no VM
// writes it.
func (e *Engine) checkCloneVolume(ctx context.Context, view virt.Reader, c virt.CloneVolume) error {
	from, err := view.Volume(ctx, c.From.Scope, c.From.Name)
	if err != nil {
		return err
	}
	var errs []error
	if from.Unfinished {
		errs = append(errs, &virt.Error{Kind: virt.ErrConflict, Object: from.Ref(), Summary: "is half made: the run that was making it did not end",
			Hint: "let the step that makes it run again"})
	}
	if c.Size < from.Size {
		errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "cannot be smaller than what it is a copy of",
			Wanted: virt.FormatSize(c.Size), Found: virt.FormatSize(from.Size), Hint: "leave size out, or write more"})
	}
	if c.Format != from.Format {
		errs = append(errs, &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "cannot have another format than what it is a copy of, on an engine",
			Wanted: c.Format, Found: from.Format, Hint: "leave format out"})
	}
	if _, err := e.domain(ctx, c.Ref.Scope, ""); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, e.checkIdle(ctx, view, c.From, "copied", running, "stop the VM, or make a snapshot and clone the VM"))...)
}

// checkResizeVolume looks whether a disk can grow.
func (e *Engine) checkResizeVolume(ctx context.Context, view virt.Reader, c virt.ResizeVolume) error {
	if c.Size%sector != 0 || c.Size > maxDiskSize {
		return e.checkNewVolume(ctx, c.Ref, "raw", false, c.Size)
	}
	return e.checkIdle(ctx, view, c.Ref, "grown behind its back", running, "use resize_disk, which grows the disk of a running VM")
}

func running(vm *virt.VM) bool { return vm.State.IsLive() }

// checkIdle refuses what must not happen to a disk that a VM has, if the VM is one of
// those that matter.
func (e *Engine) checkIdle(ctx context.Context, view virt.Reader, ref virt.Ref, done string, matters func(*virt.VM) bool, hint string) error {
	vms, err := view.VMs(ctx)
	if err != nil {
		return err
	}
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if k.Storage == ref.Scope && k.Volume == ref.Name && matters(vm) {
				return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is in use and cannot be " + done, Found: vm.Ref().String() + ", disk " + k.Name, Hint: hint}
			}
		}
	}
	return nil
}
