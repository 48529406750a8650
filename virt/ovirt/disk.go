package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// attachments gives the disks of a VM as they are now.
func (e *Engine) attachments(ctx context.Context, vm string) ([]attachment, error) {
	return list(ctx, e.Client, kindDiskAttachment, path("vms", vm, "diskattachments"), query{Follow: []string{"disk"}}, convAttachment)
}

// attachmentID is all that is wanted of the answer to a change of an attachment:
// what it says of the disk is a reference.
func attachmentID(a *ovirtsdk.DiskAttachment) (string, error) { return value(a.Id()), nil }

// attachDisk gives a VM a disk: one that is made, one that is there, or one that
// it has and that is not plugged in.
func (e *Engine) attachDisk(ctx context.Context, c virt.AttachDisk, d *edit) error {
	name := diskName(plainName(d.vm().Name), c.Disk.Name)
	if k := d.m.disk(name); k != nil {
		return e.plug(ctx, d.m.id, k.id, true)
	}
	k := d.want().Disk(name)
	if k == nil {
		return fmt.Errorf("disk %q was decided upon and is not there", name)
	}
	return e.addDisk(ctx, d.m.id, d.m.centre, c.Disk, *k)
}

// addDisk makes or attaches a disk, and waits until it can be used. After a lost
// answer the VM's disks tell whether it was made.
func (e *Engine) addDisk(ctx context.Context, vm, centre string, spec virt.DiskSpec, k virt.Disk) error {
	yes := true
	body := diskAttachmentXML{Active: &yes, Bootable: &spec.Boot, Interface: textOf(buses.theirs(k.Bus))}
	if spec.ReadOnly {
		body.ReadOnly = &yes
	}
	if spec.Volume != "" {
		have, err := e.floating(ctx, spec.Storage, spec.Volume)
		if err != nil {
			return err
		}
		body.Disk = &diskXML{ID: Text(have.id)}
	} else {
		dom, err := e.domain(ctx, k.Storage, centre)
		if err != nil {
			return err
		}
		body.Disk = &diskXML{Name: textOf(k.Volume), Format: textOf(formats.theirs(k.Format)), ProvisionedSize: &k.Size, Sparse: &spec.Sparse,
			StorageDomains: &[]refXML{*byID(dom.id)}}
	}
	var id string
	err := e.whileBusy(ctx, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindDiskAttachment, path("vms", vm, "diskattachments"), nil, body, attachmentID)
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		id, err = e.madeDisk(ctx, vm, k.Volume, err)
	}
	if err != nil {
		return err
	}
	if err := e.waitDisk(ctx, id, goalDiskOK()); err != nil {
		return e.unmade(ctx, vm, id, spec, err)
	}
	return e.plugged(ctx, vm, id)
}

// unmade takes a disk away whose making failed, so that it is not taken for whole
// by the next who finds it.
func (e *Engine) unmade(ctx context.Context, vm, id string, spec virt.DiskSpec, failed error) error {
	var state *stateError
	if !errors.As(failed, &state) || spec.Volume != "" {
		return failed
	}
	if err := e.removeDisk(ctx, vm, id, true); err != nil {
		return fmt.Errorf("%w; the failed disk %q is still there, delete it on the engine: %w", failed, spec.Name, err)
	}
	state.why += "; what there was of it is deleted"
	return failed
}

// madeDisk looks for a disk whose making was not answered.
func (e *Engine) madeDisk(ctx context.Context, vm, alias string, lost error) (string, error) {
	all, err := e.attachments(ctx, vm)
	if err != nil {
		return "", errors.Join(lost, err)
	}
	for _, k := range all {
		if k.alias == alias {
			return k.id, nil
		}
	}
	return "", lost
}

// plugged waits until a new disk is plugged in: on a running VM that happens after
// it was made, and its failure is nothing but an event.
func (e *Engine) plugged(ctx context.Context, vm, id string) error {
	active := func() (bool, error) {
		return get(ctx, e.Client, kindDiskAttachment, path("vms", vm, "diskattachments", id), query{}, func(a *ovirtsdk.DiskAttachment) (bool, error) {
			return value(a.Active()), nil
		})
	}
	for range plugLooks {
		if ok, err := active(); ok || err != nil {
			return err
		}
		if err := e.cfg.Sleep(ctx, e.cfg.Poll); err != nil {
			return err
		}
	}
	return &stateError{status: "inactive", why: "the disk was made, and the running VM did not take it"}
}

// plugLooks is how often a new disk is looked at until it should be plugged in.
const plugLooks = 5

// plug plugs a disk that a VM has in or out.
func (e *Engine) plug(ctx context.Context, vm, disk string, in bool) error {
	return e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindDiskAttachment, path("vms", vm, "diskattachments", disk), nil, diskAttachmentXML{Active: &in}, attachmentID)
		return err
	})
}

// detachDisk takes a disk away from a VM; a running guest lets go of it first.
func (e *Engine) detachDisk(ctx context.Context, c virt.DetachDisk, d *edit) error {
	was := d.vm().Disk(c.Disk)
	if was == nil {
		return fmt.Errorf("disk %q was decided upon and is not there", c.Disk)
	}
	k := d.m.disk(was.Name)
	if d.vm().State.IsLive() && was.In.Live {
		if err := e.plug(ctx, d.m.id, k.id, false); err != nil {
			return err
		}
	}
	return e.removeDisk(ctx, d.m.id, k.id, c.DeleteVolume)
}

// removeDisk takes a disk that is not in use away from a VM; deleted, it is waited
// for until it has gone.
func (e *Engine) removeDisk(ctx context.Context, vm, disk string, deleted bool) error {
	q := url.Values{"detach_only": {fmt.Sprint(!deleted)}}
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("vms", vm, "diskattachments", disk), q)
		return err
	})
	if err != nil && !isGone(err) {
		return err
	}
	if deleted {
		return e.waitDisk(ctx, disk, goalGone())
	}
	return nil
}

// resizeDisk grows a disk. The engine answers with the old size, and works on.
func (e *Engine) resizeDisk(ctx context.Context, c virt.ResizeDisk, d *edit) error {
	was := d.vm().Disk(c.Disk)
	if was == nil {
		return fmt.Errorf("disk %q was decided upon and is not there", c.Disk)
	}
	return e.grow(ctx, d.m.id, d.m.disk(was.Name).id, c.Size)
}

func (e *Engine) grow(ctx context.Context, vm, disk string, size int64) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindDiskAttachment, path("vms", vm, "diskattachments", disk), nil,
			diskAttachmentXML{Disk: &diskXML{ProvisionedSize: &size}}, attachmentID)
		return err
	})
	if err != nil {
		return err
	}
	if err := e.waitDisk(ctx, disk, goalDiskOK()); err != nil {
		return err
	}
	now, err := get(ctx, e.Client, kindDisk, path("disks", disk), query{}, convDisk)
	if err == nil && now.disk.Size < size {
		return &stateError{status: string(now.status), why: "the disk still has " + virt.FormatSize(now.disk.Size)}
	}
	return err
}

// checkAttachDisk looks whether a disk can be made or taken.
func (e *Engine) checkAttachDisk(ctx context.Context, view virt.Reader, c virt.AttachDisk) error {
	if c.Disk.Volume != "" {
		_, err := view.Volume(ctx, c.Disk.Storage, c.Disk.Volume)
		return err
	}
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	if vm.Disk(diskName(plainName(vm.Name), c.Disk.Name)) != nil {
		return nil
	}
	centre := "" // of a VM that only a dry run has, it is not known
	if m, err := e.machine(ctx, c.Ref.Name); err == nil {
		centre = m.centre
	}
	return e.checkStorage(ctx, c.Ref, centre, c.Disk)
}

// checkStorage looks whether a storage domain takes a disk. centre is the id of the
// data centre that has to have it; empty = any. That it is full only the engine
// knows: it counts what others are about to use.
func (e *Engine) checkStorage(ctx context.Context, vm virt.Ref, centre string, d virt.DiskSpec) error {
	if d.Storage == "" {
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q does not say on which storage domain it is to be", d.Name),
			Hint: "write storage"}
	}
	dom, err := e.domain(ctx, d.Storage, centre)
	if err != nil {
		return err
	}
	format := d.Format
	if format == "" {
		format = defaultFormat(d.Sparse)
	}
	switch {
	case !dom.data:
		return &virt.Error{Kind: virt.ErrConflict, Object: dom.storage.Ref(), Summary: fmt.Sprintf("cannot hold disk %q: it is no data domain", d.Name)}
	case dom.block && format == "raw" && d.Sparse:
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q cannot be raw and sparse: %s is block storage", d.Name, dom.storage.Ref()),
			Hint: "write format: qcow2, or sparse: false"}
	}
	return nil
}

// plainName gives a name without its data centre.
func plainName(name string) string {
	_, plain := qualified(name)
	return plain
}
