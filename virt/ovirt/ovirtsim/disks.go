package ovirtsim

import (
	"slices"
	"strings"
)

const diskType = "Virtual Disk"

var (
	addDisks    = command{"add", diskType}
	editDisks   = command{"edit", diskType}
	removeDisks = command{"remove", diskType}
	attachDisks = command{"attach", diskType}
	detachDisks = command{"detach", diskType}
)

// attachment makes the document of a disk attachment.
func attachment(disk string, flags *elem, owner *elem) *object {
	x := el("disk_attachment", boolean("active", true), boolean("bootable", false), tx("interface", "virtio"),
		boolean("pass_discard", false), boolean("read_only", false), boolean("uses_scsi_reservation", false))
	x = x.merge(flags)
	x.kids = append(x.kids, ref("disk", disk), owner)
	return &object{kind: kindAtt, id: disk, body: x}
}

// diskBody makes the document of a new image.
func (e *Engine) diskBody(name string, size int64, format string, sparse bool, sd string) *elem {
	actual := size
	if sparse {
		actual = min(size, 200*mib)
	}
	x := el("disk", tx("name", name), tx("description", ""), num("actual_size", actual), tx("alias", name), tx("backup", "none"),
		tx("content_type", "data"), tx("format", format), tx("image_id", e.newID()), boolean("propagate_errors", false),
		num("provisioned_size", size))
	if format == "cow" {
		x.kids = append(x.kids, tx("qcow_version", "qcow2_v3"))
	}
	x.kids = append(x.kids, boolean("shareable", false), boolean("sparse", sparse), tx("status", "ok"), tx("storage_type", "image"),
		num("total_size", actual), boolean("wipe_after_delete", false), el("storage_domains", ref("storage_domain", sd)))
	return x
}

// attachedTo are the VMs that a disk is attached to.
func (e *Engine) attachedTo(disk string) []*object {
	var out []*object
	for _, v := range e.vms() {
		if v.find("diskattachments", disk) != nil {
			out = append(out, v)
		}
	}
	return out
}

// checkSpace is the validation of a storage domain for an image.
func (e *Engine) checkSpace(sd string, size int64, cmd command) error {
	o := e.col("storagedomains").ids[sd]
	switch {
	case o == nil:
		return cmd.refuse("ACTION_TYPE_FAILED_STORAGE_DOMAIN_NOT_EXIST")
	case o.status() != "active" && o.status() != "":
		return cmd.refuse("ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL")
	case o.body.int("available")-size < o.body.int("critical_space_action_blocker")<<30:
		return cmd.refuse("ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_STORAGE_DOMAIN", "storageName", o.name())
	}
	return nil
}

// canStore is the validation that a host of the data center can work on its
// storage.
func (e *Engine) canStore(dc string, cmd command) error {
	for _, h := range e.col("hosts").list {
		if h.status() == "up" && e.dcOf(h.refID("cluster")) == dc {
			return nil
		}
	}
	return cmd.refuse("ACTION_TYPE_FAILED_NO_VDS_IN_POOL")
}

// useSpace moves bytes from a domain's free space to its used; it changes the
// domain in all the collections that show it.
func (e *Engine) useSpace(sd string, n int64) {
	change := func(o *object) {
		if o != nil {
			o.set("available", num("", o.body.int("available")-n).text)
			o.set("used", num("", o.body.int("used")+n).text)
			o.set("committed", num("", o.body.int("committed")+n).text)
		}
	}
	change(e.col("storagedomains").ids[sd])
	for _, d := range e.col("datacenters").list {
		change(d.find("storagedomains", sd))
	}
}

// storageFor finds the storage domain that a new disk's body names.
func (e *Engine) storageFor(in *elem, dc string, cmd command) (*object, error) {
	want := in.at("storage_domains/storage_domain")
	if want == nil {
		want = in.kid("storage_domain")
	}
	if want != nil {
		for _, s := range e.col("storagedomains").match(want) {
			if dc == "" || s.refID("data_centers/data_center") == dc {
				return s, nil
			}
		}
		return nil, cmd.refuse("ACTION_TYPE_FAILED_STORAGE_DOMAIN_NOT_EXIST")
	}
	var only *object
	for _, s := range e.col("storagedomains").list {
		if dc == "" || s.refID("data_centers/data_center") != dc || s.get("type") != "data" {
			continue
		}
		if only != nil {
			only = nil
			break
		}
		only = s
	}
	if only == nil {
		return nil, cmd.refuse("ACTION_TYPE_DISK_PROFILE_STORAGE_DOMAIN_NOT_PROVIDED")
	}
	return only, nil
}

// newDisk validates and makes a disk; it stays locked until then is called.
func (e *Engine) newDisk(c *call, in *elem, name, dc string, then func(d *object, ok bool)) (*object, error) {
	if err := require(in, "add", "provisioned_size|size", "format"); err != nil {
		return nil, err
	}
	sd, err := e.storageFor(in, dc, addDisks)
	if err != nil {
		return nil, err
	}
	if err := e.canStore(sd.refID("data_centers/data_center"), addDisks); err != nil {
		return nil, err
	}
	size := in.int("provisioned_size")
	sparse := in.bool("sparse") || (!in.has("sparse") && in.get("format") == "cow")
	block := sd.get("storage/type") == "iscsi" || sd.get("storage/type") == "fcp"
	if bad := in.get("format") == "cow" && !sparse || block && in.get("format") == "raw" && sparse; bad {
		words := map[bool]string{true: "Sparse", false: "Preallocated"}
		return nil, addDisks.refuse("ACTION_TYPE_FAILED_DISK_CONFIGURATION_NOT_SUPPORTED",
			"volumeFormat", strings.ToUpper(in.get("format")), "volumeType", words[sparse], "backup", "None")
	}
	if err := e.checkSpace(sd.id, size, addDisks); err != nil {
		return nil, err
	}
	for _, n := range []string{"name", "alias"} {
		if v := in.get(n); v != "" {
			name = v
			break
		}
	}
	body := e.diskBody(name, size, in.get("format"), sparse, sd.id)
	body = body.merge(in.only("description", "shareable", "wipe_after_delete", "propagate_errors", "backup", "content_type", "initial_size"))
	d := e.col("disks").add(e.newObject(kindDisk, body))
	d.set("status", "locked")
	e.useSpace(sd.id, size)
	end := e.later(c, "Adding Disk "+name)
	c.code = 202
	e.clock.after(e.time.DiskAdd, func() {
		ok := !e.rules["nodisk "+name]
		d.set("status", map[bool]string{true: "ok", false: "illegal"}[ok])
		if then != nil {
			then(d, ok)
		}
		e.event(c.corr, evDiskAdded, "normal", "The disk '"+name+"' was successfully added.", d)
		end(ok)
	})
	return d, nil
}

// addDisk is POST /disks: a floating disk.
func (e *Engine) addDisk(c *call, _ *object) (*object, error) {
	return e.newDisk(c, c.body, "Disk", "", nil)
}

// addAttachment is POST /vms/{id}/diskattachments.
func (e *Engine) addAttachment(c *call, vm *object) (*object, error) {
	in := c.body
	if err := require(in, "add", "interface"); err != nil {
		return nil, err
	}
	disk := in.kid("disk")
	if disk == nil {
		return nil, require(in, "add", "disk")
	}
	cmd := addDisks
	if disk.id != "" {
		cmd = attachDisks
	}
	if err := cmd.pluggable(vm); err != nil {
		return nil, err
	}
	if in.bool("bootable") {
		for _, a := range vm.sub("diskattachments") {
			if d := e.col("disks").ids[a.id]; a.body.bool("bootable") && d != nil {
				return nil, cmd.refuse("ACTION_TYPE_FAILED_DISK_BOOT_IN_USE", "DiskName", d.get("alias"), "VmName", vm.name())
			}
		}
	}
	active := in.bool("active") || (!in.has("active") && vm.status() == "down")
	hot := active && running(vm)
	if hot && in.get("interface") == "ide" {
		return nil, command{"hot plug", diskType}.refuse("HOT_PLUG_IDE_DISK_IS_NOT_SUPPORTED", "diskAlias", disk.get("name"), "vmName", vm.name())
	}
	flags := in.only("bootable", "interface", "pass_discard", "read_only", "uses_scsi_reservation").put(boolean("active", active))
	if disk.id != "" {
		return e.attachDisk(c, vm, disk.id, flags, hot)
	}
	if hot {
		flags = flags.with("active", "false")
	}
	name := vm.name() + "_Disk" + num("", len(vm.sub("diskattachments"))+1).text
	d, err := e.newDisk(c, disk, name, e.dcOf(vm.refID("cluster")), func(d *object, ok bool) {
		if a := vm.find("diskattachments", d.id); hot && ok && a != nil {
			e.hotPlug(c.corr, vm, a, d)
		}
	})
	if err != nil {
		return nil, err
	}
	return vm.adopt("diskattachments", attachment(d.id, flags, ref("vm", vm.id))), nil
}

// pluggable is the check of a VM that a disk is added to.
func (c command) pluggable(vm *object) error {
	switch {
	case vm.lock != nil:
		return c.refuse(vm.lock.key, vm.lock.args...)
	case vm.status() == "image_locked":
		return c.badStatus(vm)
	case vm.status() != "down" && vm.status() != "up" && vm.status() != "paused" && vm.status() != "powering_up":
		return c.badStatus(vm)
	}
	return nil
}

// attachDisk attaches a disk that exists.
func (e *Engine) attachDisk(c *call, vm *object, id string, flags *elem, hot bool) (*object, error) {
	d := e.col("disks").ids[id]
	switch {
	case d == nil:
		return nil, attachDisks.refuse("ACTION_TYPE_FAILED_DISK_NOT_EXIST")
	case vm.find("diskattachments", id) != nil:
		return nil, attachDisks.refuse("ACTION_TYPE_FAILED_DISK_ALREADY_ATTACHED")
	case d.lock != nil:
		return nil, attachDisks.refuse(d.lock.key, d.lock.args...)
	case d.status() == "locked":
		return nil, attachDisks.refuse("ACTION_TYPE_FAILED_DISK_IS_LOCKED")
	case d.status() == "illegal":
		return nil, attachDisks.refuse("ACTION_TYPE_FAILED_ILLEGAL_DISK_OPERATION")
	case !d.body.bool("shareable") && len(e.attachedTo(id)) > 0:
		return nil, attachDisks.refuse("ACTION_TYPE_FAILED_NOT_SHAREABLE_DISK_ALREADY_ATTACHED")
	}
	if hot && e.rules["hotplug "+vm.name()] {
		return nil, failed("Failed to hot-plug disk")
	}
	e.job(c, "Attaching Disk "+d.get("alias")+" to VM "+vm.name())
	return vm.adopt("diskattachments", attachment(id, flags, ref("vm", vm.id))), nil
}

// hotPlug plugs a disk that was just made; a failure is only an event.
func (e *Engine) hotPlug(corr string, vm, a, d *object) {
	if running(vm) && e.rules["hotplug "+vm.name()] {
		e.event(corr, evHotPlugFailed, "error", "VM "+vm.name()+" Virtual Disk "+d.get("alias")+" has failed to be plugged.", vm, d)
		return
	}
	a.set("active", "true")
}

// updateAttachment is PUT /vms/{id}/diskattachments/{id}.
func (e *Engine) updateAttachment(c *call, a *object) error {
	vm, in := a.parent, c.body
	d := e.col("disks").ids[a.id]
	if d == nil || vm.kind != kindVM {
		return notFound
	}
	if want := in.get("active"); want != "" && truth(want) != a.body.bool("active") {
		cmd := command{map[bool]string{true: "hot plug", false: "hot unplug"}[truth(want)], diskType}
		if err := cmd.pluggable(vm); err != nil {
			return err
		}
		if running(vm) && a.get("interface") == "ide" {
			return cmd.refuse("HOT_PLUG_IDE_DISK_IS_NOT_SUPPORTED", "diskAlias", d.get("alias"), "vmName", vm.name())
		}
		if running(vm) && e.rules["hotplug "+vm.name()] {
			return failed("Failed to " + strings.Replace(cmd.action, " ", "-", 1) + " disk")
		}
		a.set("active", boolean("", truth(want)).text)
	}
	if disk := in.kid("disk"); disk != nil {
		if err := e.changeDisk(c, d, disk); err != nil {
			return err
		}
	}
	rest := in.only("bootable", "interface", "pass_discard", "read_only", "uses_scsi_reservation")
	changed := !equal(a.body.merge(rest), a.body)
	switch {
	case changed && running(vm) && a.body.bool("active"):
		return editDisks.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_DOWN")
	case changed:
		if in.bool("bootable") {
			for _, o := range vm.sub("diskattachments") {
				if od := e.col("disks").ids[o.id]; o != a && o.body.bool("bootable") && od != nil {
					return editDisks.refuse("ACTION_TYPE_FAILED_DISK_BOOT_IN_USE", "DiskName", od.get("alias"), "VmName", vm.name())
				}
			}
		}
		a.body = a.body.merge(rest)
	}
	return nil
}

// updateDisk is PUT /disks/{id}.
func (e *Engine) updateDisk(c *call, d *object) error { return e.changeDisk(c, d, c.body) }

func (e *Engine) changeDisk(c *call, d *object, in *elem) error {
	switch {
	case d.lock != nil:
		return editDisks.refuse(d.lock.key, d.lock.args...)
	case d.status() == "locked":
		return editDisks.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", d.get("alias"))
	case d.status() == "illegal":
		return editDisks.refuse("ACTION_TYPE_FAILED_ILLEGAL_DISK_OPERATION")
	}
	rest := in.only("description", "shareable", "wipe_after_delete", "propagate_errors", "backup")
	if n := in.get("name") + in.get("alias"); n != "" {
		if in.has("name") {
			n = in.get("name")
		}
		d.set("name", n)
		d.set("alias", n)
	}
	d.body = d.body.merge(rest)
	if !in.has("provisioned_size") {
		return nil
	}
	size, old := in.int("provisioned_size"), d.body.int("provisioned_size")
	if size == old {
		return nil
	}
	if size < old {
		return editDisks.refuse("ACTION_TYPE_FAILED_REQUESTED_DISK_SIZE_IS_TOO_SMALL")
	}
	extend := command{"extend", diskType}
	for _, vm := range e.attachedTo(d.id) {
		if vm.lock != nil {
			return extend.refuse(vm.lock.key, vm.lock.args...)
		}
		if s := vm.status(); s != "up" && s != "down" && s != "suspended" {
			return extend.badStatus(vm)
		}
	}
	sd := d.refID("storage_domains/storage_domain")
	if err := e.checkSpace(sd, size-old, extend); err != nil {
		return err
	}
	end := e.later(c, "Extending Disk "+d.get("alias"))
	d.set("status", "locked")
	e.useSpace(sd, size-old)
	e.clock.after(e.time.DiskGrow, func() {
		d.set("provisioned_size", num("", size).text)
		d.set("status", "ok")
		end(true)
	})
	return nil
}

// removeAttachment is DELETE /vms/{id}/diskattachments/{id}: it detaches, and
// removes the disk only with detach_only=false.
func (e *Engine) removeAttachment(c *call, a *object) error {
	vm := a.parent
	d := e.col("disks").ids[a.id]
	cmd := detachDisks
	drop := c.params.Get("detach_only") != "" && !c.param("detach_only")
	if drop {
		cmd = removeDisks
	}
	if vm.kind != kindVM {
		return notFound
	}
	if err := cmd.pluggable(vm); err != nil {
		return err
	}
	if drop {
		if err := e.dropDisk(d, c); err != nil {
			return err
		}
	} else {
		if d.status() == "locked" {
			return cmd.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", d.get("alias"))
		}
		if running(vm) && a.body.bool("active") && e.rules["hotplug "+vm.name()] {
			return failed("Failed to hot-unplug disk")
		}
	}
	vm.disown(a)
	return nil
}

// removeDisk is DELETE /disks/{id}.
func (e *Engine) removeDisk(c *call, d *object) error {
	for _, t := range e.col("templates").list {
		if t.find("diskattachments", d.id) != nil {
			return removeDisks.refuse("ACTION_TYPE_FAILED_OBJECT_LOCKED")
		}
	}
	if err := e.dropDisk(d, c); err != nil {
		return err
	}
	for _, vm := range e.attachedTo(d.id) {
		vm.disown(vm.find("diskattachments", d.id))
	}
	return nil
}

// dropDisk removes a disk: locked for a while, then gone. Without a call it is
// the end of its VM, which has been checked.
func (e *Engine) dropDisk(d *object, c *call) error {
	end := func(bool) {}
	if c != nil {
		switch {
		case d.lock != nil:
			return removeDisks.refuse(d.lock.key, d.lock.args...)
		case d.status() == "locked":
			return removeDisks.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", d.get("alias"))
		}
		if i := slices.IndexFunc(e.attachedTo(d.id), running); i >= 0 {
			vm := e.attachedTo(d.id)[i]
			if vm.find("diskattachments", d.id).body.bool("active") {
				return removeDisks.refuse("ACTION_TYPE_FAILED_DISK_PLUGGED_TO_NON_DOWN_VMS", "DiskName", d.get("alias"), "VmList", vm.name())
			}
		}
		end = e.later(c, "Removing Disk "+d.get("alias"))
	}
	d.set("status", "locked")
	d.lock = &lock{"ACTION_TYPE_FAILED_DISK_IS_BEING_REMOVED", []string{"DiskName", d.get("alias")}}
	e.clock.after(e.time.DiskDrop, func() {
		e.col("disks").remove(d)
		delete(e.contents, d.id)
		e.useSpace(d.refID("storage_domains/storage_domain"), -d.body.int("provisioned_size"))
		end(true)
	})
	return nil
}
