package ovirtsim

import "github.com/google/uuid"

// cdroms are the CD drives of a VM: one, which is always there.
func (e *Engine) cdroms(vm *object) []*object {
	if len(vm.sub("cdroms")) == 0 {
		vm.adopt("cdroms", &object{kind: kindCdrom, id: blankID, body: el("cdrom", ref("vm", vm.id))})
	}
	return vm.sub("cdroms")
}

// cdromDocument shows what is in a drive: what the next start puts there or, where
// that is asked for, what the running VM has.
func cdromDocument(o *object, v view) *elem {
	if !v.current {
		return o.body
	}
	x := o.body.without("file")
	if o.inDrive != nil && running(o.parent) {
		x = x.put(o.inDrive)
	}
	return x
}

// updateCdrom is PUT /vms/{id}/cdroms/{id}: with current=true of the running VM
// alone, else of what is stored.
func (e *Engine) updateCdrom(c *call, o *object) error {
	vm, cmd := o.parent, command{"edit", "VM"}
	if vm.kind != kindVM {
		return notFound
	}
	if vm.lock != nil {
		return cmd.refuse(vm.lock.key, vm.lock.args...)
	}
	current := c.param("current")
	if current && !running(vm) {
		return command{"change CD of", "VM"}.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_RUNNING")
	}
	var file *elem
	if f := c.body.kid("file"); f != nil && f.id != "" {
		if !e.isISO(f.id) {
			return cmd.refuse("ERROR_CANNOT_FIND_ISO_IMAGE_PATH")
		}
		file = &elem{name: "file", id: f.id, href: bare}
	}
	switch {
	case current:
		o.inDrive = file
	case file == nil:
		o.drop("file")
	default:
		o.put(file)
	}
	return nil
}

// isISO tells whether there is an image that a drive can hold: a disk that is one, or
// a file of an ISO domain.
func (e *Engine) isISO(id string) bool {
	if uuid.Validate(id) == nil {
		d := e.col("disks").ids[id]
		return d != nil && d.get("content_type") == "iso" && d.status() == "ok"
	}
	for _, s := range e.col("storagedomains").list {
		for _, f := range s.sub("files") {
			if f.id == id || f.name() == id {
				return true
			}
		}
	}
	return false
}
