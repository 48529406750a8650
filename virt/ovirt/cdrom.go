package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

const (
	// driveName is what the one CD drive of a VM is called.
	driveName = "cdrom"
	// isoSuffix ends the names of images that are for drives.
	isoSuffix = ".iso"
)

// currently asks for, or changes, what the running VM has.
var currently = url.Values{"current": {"true"}}

// drive is the CD drive of a VM.
type drive struct{ id, file string }

func convDrive(c *ovirtsdk.Cdrom) (drive, error) {
	d := drive{id: value(c.Id())}
	if f, ok := c.File(); ok && f != nil {
		d.file = value(f.Id())
	}
	return d, nil
}

// driveOf reads the drive of a VM; ok is false where an administrator took it away.
func (e *Engine) driveOf(ctx context.Context, vm string) (d drive, ok bool, err error) {
	all, err := list(ctx, e.Client, kindCdrom, path("vms", vm, "cdroms"), query{}, convDrive)
	if err != nil || len(all) == 0 {
		return drive{}, false, err
	}
	return all[0], true, nil
}

// Drives implements virt.Reader. Each time that it is asked, the engine is: for the
// drive, and of a running VM for what is in it now.
func (e *Engine) Drives(ctx context.Context, vm *virt.VM) error {
	if vm.Disk(driveName) != nil {
		return nil // a change has decided what is in it
	}
	id, ok := vm.ID.Get()
	if !ok {
		// A VM that is only planned gets an empty one.
		vm.Disks = append(vm.Disks, emptyDrive(vm))
		settleDisks(vm)
		return nil
	}
	d, ok, err := e.driveOf(ctx, id)
	if err != nil {
		return explain("read its drive", vm.Ref(), err)
	}
	if !ok {
		return nil
	}
	k := emptyDrive(vm)
	stored, err := e.mediumOf(ctx, d.file)
	if err != nil {
		return err
	}
	k.Storage, k.Volume = stored.Storage, stored.Volume
	if vm.State.IsLive() {
		now, err := get(ctx, e.Client, kindCdrom, path("vms", id, "cdroms", d.id), query{Current: true}, convDrive)
		if err != nil {
			return explain("read its drive", vm.Ref(), err)
		}
		live, err := e.mediumOf(ctx, now.file)
		if err != nil {
			return err
		}
		k.SetRunning(live)
	}
	vm.Disks = append(vm.Disks, k)
	settleDisks(vm)
	return nil
}

func emptyDrive(vm *virt.VM) virt.Disk {
	return virt.Disk{Name: driveName, Device: "cdrom", Bus: "sata", Format: "raw", ReadOnly: true, In: virt.Presence{Config: true, Live: vm.State.IsLive()}}
}

// settleDisks puts the disks in the order in which a VM shows them.
func settleDisks(vm *virt.VM) {
	sortBy(vm.Disks, func(k virt.Disk) string {
		if k.Boot {
			return "0"
		}
		return "1" + k.Volume
	})
}

// mediumOf says where the image is that a drive has: a disk of a data domain, by its
// id, or a file of an ISO domain, by its name.
func (e *Engine) mediumOf(ctx context.Context, file string) (virt.Medium, error) {
	if file == "" {
		return virt.Medium{}, nil
	}
	domains, err := e.domainMap(ctx, "")
	if err != nil {
		return virt.Medium{}, err
	}
	if uuid.Validate(file) == nil {
		k, err := get(ctx, e.Client, kindDisk, path("disks", file), query{}, convDisk)
		switch {
		case err == nil:
			return virt.Medium{Storage: domains[k.domain].storage.Name, Volume: k.alias}, nil
		case !isGone(err):
			return virt.Medium{}, explain("read the disk in its drive", virt.VolumeRef("", file), err)
		}
	}
	for _, d := range domains {
		if d.iso {
			names, err := e.isoFiles(ctx, d)
			if err != nil {
				return virt.Medium{}, err
			}
			if slices.Contains(names, file) {
				return virt.Medium{Storage: d.storage.Name, Volume: file}, nil
			}
		}
	}
	return virt.Medium{Volume: file}, nil // wherever it is
}

// isoFiles gives the images of an ISO domain.
func (e *Engine) isoFiles(ctx context.Context, d domainInfo) ([]string, error) {
	names, err := list(ctx, e.Client, kindFile, path("storagedomains", d.id, "files"), query{}, func(f *ovirtsdk.File) (string, error) {
		if name := value(f.Name()); name != "" {
			return name, nil
		}
		return value(f.Id()), nil
	})
	if err != nil {
		return nil, explain("list its files", d.storage.Ref(), err)
	}
	slices.Sort(names)
	return names, nil
}

// fileOf gives the engine's word for an image.
func (e *Engine) fileOf(ctx context.Context, m virt.Medium) (string, error) {
	if m.Volume == "" {
		return "", nil
	}
	d, err := e.domain(ctx, m.Storage, "")
	if err != nil {
		return "", err
	}
	ref := virt.VolumeRef(m.Storage, m.Volume)
	if d.iso {
		names, err := e.isoFiles(ctx, d)
		if err != nil {
			return "", err
		}
		if !slices.Contains(names, m.Volume) {
			return "", &virt.Error{Kind: virt.ErrNotFound, Object: ref, Summary: "is not there", Found: strings.Join(names, ", "),
				Hint: "put the image into the ISO domain, or check its name"}
		}
		return m.Volume, nil
	}
	k, err := e.floating(ctx, m.Storage, m.Volume)
	if err != nil {
		return "", err
	}
	if !k.iso {
		return "", &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is no CD to the engine", Wanted: "an ISO image", Found: "a disk with data",
			Hint: "upload it with upload_volume under a name that ends in " + isoSuffix}
	}
	return k.id, nil
}

// checkChangeCdrom looks for the image.
func (e *Engine) checkChangeCdrom(ctx context.Context, view virt.Reader, c virt.ChangeCdrom) error {
	if c.Volume == "" {
		return nil
	}
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	storage := c.Storage
	if boot := vm.BootDisk(); storage == "" && boot != nil {
		storage = boot.Storage
	}
	if storage == "" {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("nobody can tell in which storage domain %s is", c.Volume), Hint: "write storage"}
	}
	_, err = e.fileOf(ctx, virt.Medium{Storage: storage, Volume: c.Volume})
	if errors.Is(err, virt.ErrNotFound) {
		if v, planned := view.Volume(ctx, storage, c.Volume); planned == nil && v.Path.IsUnknown() {
			return nil // an earlier step uploads it
		}
	}
	return err
}

// changeCdrom changes what is in the drive: of a running VM now, and what it will
// have at its next start. An engine keeps the two apart.
func (e *Engine) changeCdrom(ctx context.Context, d *edit) error {
	k := d.want().Disk(driveName)
	if k == nil {
		return fmt.Errorf("drive %q was decided upon and is not there", driveName)
	}
	have, ok, err := e.driveOf(ctx, d.m.id)
	if err != nil {
		return err
	}
	if !ok {
		return &virt.Error{Kind: virt.ErrNotFound, Object: d.vm().Ref(), Summary: "has no CD drive", Hint: "give it one in the engine's own pages"}
	}
	file, err := e.fileOf(ctx, k.Medium())
	if err != nil {
		return err
	}
	put := func(q url.Values) error {
		return e.whileBusy(ctx, func(ctx context.Context) error {
			_, err := update(ctx, e.Client, kindCdrom, path("vms", d.m.id, "cdroms", have.id), q, cdromXML{File: fileXML{Text(file)}}, convDrive)
			return err
		})
	}
	if d.vm().State.IsLive() {
		if err := put(currently); err != nil {
			return err
		}
	}
	if have.file == file {
		return nil
	}
	return put(nil)
}
