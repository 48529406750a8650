//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// newDrive says where a CD drive goes: on the SCSI controller that VMs of nactl
// have, where it can be plugged in, else where the machine has its drives.
func newDrive(vm *virt.VM, k *virt.Disk) string {
	k.Bus = "sata"
	if strings.HasPrefix(vm.Machine, "pc-i440fx") || vm.Machine == "pc" {
		k.Bus = "ide"
	}
	if root, err := domainElement(vm.Native); err == nil {
		for _, c := range root.FindElements("./devices/controller") {
			if c.SelectAttrValue("type", "") == "scsi" {
				k.Bus = "scsi"
			}
		}
	}
	return plugsNoDrive(k.Bus)
}

// volumeAt gives the volume that has a path, as far as the pools are known.
func (n *Node) volumeAt(path string) (storage, volume string) {
	return n.snap.poolIndex().volumeOf(path)
}

// checkChangeCdrom looks for the image.
func (n *Node) checkChangeCdrom(ctx context.Context, view virt.Reader, c virt.ChangeCdrom) error {
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("%q is not an absolute path on the node", c.Path)}
	}
	if c.Drive != "" && !aliasPattern.MatchString(c.Drive) {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("a drive cannot be called %q", c.Drive),
			Hint: "use letters, digits, hyphens and underscores"}
	}
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
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("nobody can tell in which pool %s is", c.Volume), Hint: "write storage"}
	}
	if _, err := checkPool(ctx, view, storage); err != nil {
		return err
	}
	_, err = view.Volume(ctx, storage, c.Volume)
	if errors.Is(err, virt.ErrNotFound) {
		missing := &virt.Error{Kind: virt.ErrNotFound, Object: virt.VolumeRef(storage, c.Volume), Summary: "is not there", Hint: "put the image into the pool, or check its name"}
		if all, err := view.Volumes(ctx, storage); err == nil {
			var images []string
			for _, v := range all {
				if strings.HasSuffix(v.Name, ".iso") {
					images = append(images, v.Name)
				}
			}
			missing.Found = strings.Join(images, ", ")
		}
		return missing
	}
	return err
}

// changeCdrom changes what is in a drive, in the running VM first, so that a
// failure leaves the definition different and the change is made again; or gives
// the VM a drive.
func (n *Node) changeCdrom(ctx context.Context, c virt.ChangeCdrom, e *edit) error {
	now, want := e.vm(), e.want()
	for _, k := range want.Disks {
		if k.Device != "cdrom" {
			continue
		}
		if k.Volume != "" && k.Path.IsUnknown() {
			err := n.read(ctx, "find volume "+k.Volume, func(conn *lv.Connect) error {
				return withVolume(conn, k.Storage, k.Volume, func(_ *lv.StoragePool, v *lv.StorageVol) error {
					path, err := v.GetPath()
					k.Path = virt.Some(path)
					return err
				})
			})
			if err != nil {
				return err
			}
		}
		old := now.Disk(k.Target)
		what := fmt.Sprintf("drive %q", k.Name)
		if old == nil {
			text, err := driveDevice(k).Marshal()
			if err != nil {
				return err
			}
			return n.withDomain(ctx, "attach "+what, now.Name, func(conn *lv.Connect, d *lv.Domain) error {
				return plug(conn, d, text, k.In)
			})
		}
		if e.changes("disks." + k.Name + ".medium") {
			return n.insert(ctx, now.Name, *old, k.Path.Or(""), c.Force)
		}
	}
	return nil
}

// insert changes the image in a drive; an empty path takes it out.
func (n *Node) insert(ctx context.Context, vm string, old virt.Disk, path string, force bool) error {
	op := fmt.Sprintf("change the CD in drive %q", old.Name)
	change := func(conn *lv.Connect, d *lv.Domain, live bool) error {
		device, err := deviceIn(d, live, byTarget(old.Target))
		if err != nil || device == nil {
			return err
		}
		setMedium(device, path)
		text, err := elementText(device)
		if err != nil {
			return err
		}
		flags := lv.DOMAIN_DEVICE_MODIFY_CONFIG
		if live {
			flags = lv.DOMAIN_DEVICE_MODIFY_LIVE
		}
		if force {
			flags |= lv.DOMAIN_DEVICE_MODIFY_FORCE
		}
		err = d.UpdateDeviceFlags(text, flags)
		if live || !isCode(err, lv.ERR_NO_SUPPORT) {
			return err
		}
		_, err = redefine(conn, d, func(root *etree.Element) error {
			if device := findDisk(root, old.Target); device != nil {
				setMedium(device, path)
			}
			return nil
		})
		return err
	}
	if old.In.Live {
		// The guest is asked to open the drive, and has its time.
		err := n.longDomain(ctx, op, vm, func(conn *lv.Connect, d *lv.Domain) error { return change(conn, d, true) }, nil)
		var le lv.Error
		if errors.As(err, &le) && !force && (strings.Contains(le.Message, "tray") || strings.Contains(le.Message, "locked")) {
			return &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(vm), Summary: fmt.Sprintf("its guest does not open drive %q", old.Name), Err: message(err),
				Hint: "unmount the CD in the guest, or write force: true"}
		}
		if err != nil {
			return err
		}
	}
	if !old.In.Config {
		return nil
	}
	return n.withDomain(ctx, op, vm, func(conn *lv.Connect, d *lv.Domain) error { return change(conn, d, false) })
}

// setMedium writes the image of a drive into its definition.
func setMedium(device *etree.Element, path string) {
	for _, tag := range []string{"source", "backingStore"} {
		if old := child(device, tag); old != nil {
			device.RemoveChild(old)
		}
	}
	if path == "" {
		return
	}
	kind, attribute := "file", "file"
	if strings.HasPrefix(path, "/dev/") {
		kind, attribute = "block", "dev"
	}
	device.CreateAttr("type", kind)
	driver := child(device, "driver")
	if driver == nil {
		driver = etree.NewElement("driver")
		driver.CreateAttr("name", "qemu")
		device.InsertChildAt(0, driver)
	}
	driver.CreateAttr("type", "raw")
	source := etree.NewElement("source")
	source.CreateAttr(attribute, path)
	device.InsertChildAt(driver.Index()+1, source)
}

// driveDevice writes a CD drive as a device.
func driveDevice(k virt.Disk) *libvirtxml.DomainDisk {
	d := &libvirtxml.DomainDisk{
		Device: "cdrom", ReadOnly: &libvirtxml.DomainDiskReadOnly{},
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "raw"},
		Source: &libvirtxml.DomainDiskSource{},
		Target: &libvirtxml.DomainDiskTarget{Dev: k.Target, Bus: k.Bus},
		Alias:  &libvirtxml.DomainAlias{Name: aliasPrefix + k.Name},
	}
	path := k.Path.Or("")
	if strings.HasPrefix(path, "/dev/") {
		d.Source.Block = &libvirtxml.DomainDiskSourceBlock{Dev: path}
	} else {
		d.Source.File = &libvirtxml.DomainDiskSourceFile{File: path}
	}
	return d
}
