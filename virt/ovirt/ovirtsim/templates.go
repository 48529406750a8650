package ovirtsim

import "strings"

// addTemplate is POST /templates: from a VM that is down.
func (e *Engine) addTemplate(c *call, _ *object) (*object, error) {
	cmd, in := command{"add", "Template"}, c.body
	for _, f := range []string{"name", "vm.id|name"} {
		if err := require(in, "add", f); err != nil {
			return nil, err
		}
	}
	found := e.col("vms").match(in.kid("vm"))
	if len(found) == 0 {
		return nil, entity("Vm", in.kid("vm"))
	}
	vm := found[0]
	if vm.lock != nil {
		return nil, cmd.refuse(vm.lock.key, vm.lock.args...)
	}
	if vm.status() != "down" {
		return nil, cmd.refuse("VMT_CANNOT_CREATE_TEMPLATE_FROM_DOWN_VM")
	}
	if l := e.lockedDisks(vm); len(l) > 0 {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", strings.Join(l, ", "))
	}
	dc := e.dcOf(vm.refID("cluster"))
	for _, t := range e.col("templates").list {
		if t.name() == in.get("name") && e.dcOf(t.refID("cluster")) == dc {
			return nil, cmd.refuse("ACTION_TYPE_FAILED_NAME_ALREADY_USED")
		}
	}
	x := el("template", tx("name", in.get("name")), tx("description", in.get("description")), tx("comment", in.get("comment")))
	x.kids = append(x.kids, vm.body.without("name", "description", "comment", "template", "original_template", "status", "stop_time",
		"stop_reason", "run_once", "next_run_configuration_exists", "start_time", "host", "fqdn", "creation_time").kids...)
	t := e.newObject(kindTemplate, x)
	t.put(date("creation_time", e.clock.now()))
	t.put(tx("status", "locked"))
	t.put(el("version", tx("version_name", "base version"), tx("version_number", "1"), ref("base_template", t.id)))
	var disks []*object
	for _, a := range vm.sub("diskattachments") {
		d := e.col("disks").add(e.newObject(kindDisk, e.col("disks").ids[a.id].body.with("image_id", e.newID())))
		d.set("status", "locked")
		disks = append(disks, d)
		t.adopt("diskattachments", attachment(d.id, a.body.without("disk", "vm"), ref("template", t.id)))
		e.useSpace(d.refID("storage_domains/storage_domain"), d.body.int("provisioned_size"))
	}
	for _, n := range vm.sub("nics") {
		e.newNIC(t, n.body.without("mac", "vm"))
	}
	e.col("templates").add(t)
	vm.set("status", "image_locked")
	vm.lock = &lock{key: "ACTION_TYPE_FAILED_OBJECT_LOCKED"}
	end := e.later(c, "Creating Template "+t.name()+" from VM "+vm.name())
	c.code = 202
	e.clock.after(e.time.DiskCopy, func() {
		vm.lock = nil
		vm.set("status", "down")
		t.set("status", "ok")
		for _, d := range disks {
			d.set("status", "ok")
		}
		end(true)
	})
	return t, nil
}

func (e *Engine) removeTemplate(c *call, t *object) error {
	cmd := command{"remove", "Template"}
	if t.id == blankID {
		return cmd.refuse("VMT_CANNOT_REMOVE_BLANK_TEMPLATE")
	}
	if t.status() == "locked" {
		return cmd.refuse("VM_TEMPLATE_IMAGE_IS_LOCKED")
	}
	var users []string
	for _, vm := range e.vms() {
		if vm.thin && vm.refID("template") == t.id {
			users = append(users, vm.name())
		}
	}
	if len(users) > 0 {
		return cmd.refuse("VMT_CANNOT_REMOVE_DETECTED_DERIVED_VM", "vmsList", strings.Join(users, ","))
	}
	t.set("status", "locked")
	end := e.later(c, "Removing Template "+t.name()+" from system")
	for _, d := range e.disksOf(t) {
		_ = e.dropDisk(d, nil) // without a call it is not refused
	}
	e.clock.after(e.time.DiskDrop, func() {
		e.col("templates").remove(t)
		end(true)
	})
	return nil
}
