package ovirtsim

import (
	"slices"
	"strings"
)

const snapType = "Snapshot"

// activeSnapshot makes the snapshot that every VM has.
func (e *Engine) activeSnapshot(vm *object) {
	vm.adopt("snapshots", e.newObject(kindSnap, el("snapshot", tx("description", "Active VM"), date("date", e.clock.now()),
		boolean("persist_memorystate", false), tx("snapshot_status", "ok"), tx("snapshot_type", "active"))))
}

// during is the check of an operation on snapshots while another runs.
func (c command) during(vm *object) error {
	if err := c.runnable(vm); err != nil {
		return err
	}
	for _, s := range vm.sub("snapshots") {
		if s.get("snapshot_status") == "locked" {
			return c.refuse("ACTION_TYPE_FAILED_VM_IS_DURING_SNAPSHOT")
		}
	}
	return nil
}

// stable is during, for what is refused while a snapshot is tried out.
func (c command) stable(vm *object) error {
	if err := c.during(vm); err != nil {
		return err
	}
	for _, s := range vm.sub("snapshots") {
		if s.get("snapshot_status") == "in_preview" {
			return c.refuse("ACTION_TYPE_FAILED_VM_IN_PREVIEW")
		}
	}
	return nil
}

// addSnapshot is POST /vms/{id}/snapshots.
func (e *Engine) addSnapshot(c *call, vm *object) (*object, error) {
	cmd := command{"create", snapType}
	if err := require(c.body, "add", "description"); err != nil {
		return nil, err
	}
	if err := cmd.stable(vm); err != nil {
		return nil, err
	}
	if l := e.lockedDisks(vm); len(l) > 0 {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", strings.Join(l, ", "))
	}
	switch vm.status() {
	case "migrating":
		return nil, cmd.refuse("ACTION_TYPE_FAILED_MIGRATION_IN_PROGRESS")
	case "suspended", "saving_state", "restoring_state":
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VM_IS_SAVING_RESTORING")
	}
	memory := running(vm) && (c.body.bool("persist_memorystate") || !c.body.has("persist_memorystate"))
	saved := vm.body.without("status", "host", "start_time", "stop_time", "stop_reason", "fqdn", "next_run_configuration_exists", "run_once")
	s := e.newObject(kindSnap, el("snapshot", tx("description", c.body.get("description")), date("date", e.clock.now()),
		boolean("persist_memorystate", memory), tx("snapshot_status", "locked"), tx("snapshot_type", "regular"),
		&elem{name: "vm", id: vm.id, href: bare, kids: saved.kids}))
	vm.adopt("snapshots", s)
	for _, a := range vm.sub("diskattachments") {
		d := e.col("disks").ids[a.id]
		copied := &object{kind: kindDisk, id: d.id, noHref: true, body: d.body.put(&elem{name: "snapshot", id: s.id, href: bare})}
		s.adopt("disks", copied)
		s.savedAt = append(s.savedAt, &object{kind: kindAtt, id: a.id, body: a.body})
	}
	for _, n := range vm.sub("nics") {
		s.adopt("nics", &object{kind: kindNIC, id: n.id, body: n.body, noHref: true})
	}
	vm.lock = &lock{"ACTION_TYPE_FAILED_SNAPSHOT_IS_BEING_TAKEN_FOR_VM", []string{"VmName", vm.name()}}
	if !running(vm) {
		vm.set("status", "image_locked")
	}
	end := e.later(c, "Creating VM Snapshot "+c.body.get("description")+" for VM "+vm.name())
	c.code = 202
	corr := c.corr
	e.clock.after(e.time.Snapshot, func() {
		vm.lock = nil
		if vm.status() == "image_locked" {
			vm.set("status", "down")
		}
		if e.rules["nosnapshot "+vm.name()] {
			vm.disown(s)
			e.event(corr, evSnapshotFailed, "error", "Failed to complete snapshot '"+s.get("description")+"' creation for VM '"+vm.name()+"'.", vm)
			end(false)
			return
		}
		s.set("snapshot_status", "ok")
		e.event(corr, evSnapshot, "normal", "Snapshot '"+s.get("description")+"' creation for VM '"+vm.name()+"' has been completed.", vm)
		end(true)
	})
	return s, nil
}

// removeSnapshot is DELETE: a merge, live or not.
func (e *Engine) removeSnapshot(c *call, s *object) error {
	cmd, vm := command{"remove", snapType}, s.parent
	if err := cmd.stable(vm); err != nil {
		return err
	}
	if s.get("snapshot_type") != "regular" {
		return cmd.refuse("ACTION_TYPE_FAILED_OBJECT_LOCKED")
	}
	s.set("snapshot_status", "locked")
	vm.lock = &lock{key: "ACTION_TYPE_FAILED_VM_IS_DURING_SNAPSHOT"}
	end := e.later(c, "Removing Snapshot "+s.get("description")+" of VM "+vm.name())
	corr := c.corr
	e.clock.after(e.time.Merge, func() {
		vm.lock = nil
		if e.rules["nosnapshot "+vm.name()] {
			s.set("snapshot_status", "ok")
			e.event(corr, evMergeFailed, "error", "Failed to delete snapshot '"+s.get("description")+"' for VM '"+vm.name()+"'.", vm)
			end(false)
			return
		}
		vm.disown(s)
		e.event(corr, evMerged, "normal", "Snapshot '"+s.get("description")+"' deletion for VM '"+vm.name()+"' has been completed.", vm)
		end(true)
	})
	return nil
}

// restorable is the check of going back to a snapshot.
func (c command) restorable(vm, s *object) error {
	if err := c.stable(vm); err != nil {
		return err
	}
	if vm.status() != "down" {
		return c.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_DOWN")
	}
	if s.get("snapshot_type") != "regular" {
		return c.refuse("CANNOT_PREVIEW_ACTIVE_SNAPSHOT")
	}
	return nil
}

// restoreSnapshot is the action restore: a preview that is committed at once. Its
// work does not bear the request's correlation id but one of its own.
func (e *Engine) restoreSnapshot(c *call, s *object) error {
	vm := s.parent
	if err := (command{"revert to", snapType}).restorable(vm, s); err != nil {
		return err
	}
	c.corr = "RestoreSnapshot"
	e.revert(c, vm, s, "ok")
	return nil
}

// back makes a VM's document and NICs those of a snapshot. What is newer than the
// snapshot goes.
func (e *Engine) back(vm, s *object, memory bool) {
	vm.subs["nics"] = nil
	for _, n := range s.sub("nics") {
		vm.adopt("nics", &object{kind: kindNIC, id: n.id, body: n.body})
	}
	if all := vm.sub("snapshots"); s.get("snapshot_type") == "regular" {
		at := slices.Index(all, s)
		vm.subs["snapshots"] = slices.DeleteFunc(slices.Clone(all), func(o *object) bool {
			return o.get("snapshot_type") == "regular" && slices.Index(all, o) > at
		})
	}
	if memory && s.body.bool("persist_memorystate") {
		vm.set("status", "suspended")
	}
}

// revert brings the configuration and the disks of a snapshot back.
func (e *Engine) revert(c *call, vm, s *object, status string) {
	end := e.later(c, "Restoring VM "+vm.name()+" snapshot "+s.get("description"))
	vm.set("status", "image_locked")
	s.set("snapshot_status", "locked")
	c.code = 202
	corr, memory := c.corr, c.body.bool("restore_memory")
	e.clock.after(e.time.Snapshot, func() {
		if e.rules["nosnapshot "+vm.name()] {
			vm.set("status", "down")
			s.set("snapshot_status", "ok")
			e.event(corr, evRestoreFailed, "error", "Failed to complete restoring from Snapshot of VM "+vm.name()+".", vm)
			end(false)
			return
		}
		old := vm.body
		if saved := s.body.kid("vm"); saved != nil {
			vm.body = el("vm", saved.kids...)
			for _, f := range []string{"stop_time", "stop_reason", "run_once", "next_run_configuration_exists"} {
				if k := old.kid(f); k != nil {
					vm.put(k)
				}
			}
		}
		vm.set("status", "down")
		s.set("snapshot_status", status)
		if status == "ok" {
			e.back(vm, s, memory)
			e.event(corr, evRestored, "normal", "VM "+vm.name()+" restoring from Snapshot has been completed.", vm)
		}
		for _, d := range s.sub("disks") {
			if now := e.col("disks").ids[d.id]; now != nil {
				now.set("actual_size", d.get("actual_size"))
			}
		}
		end(true)
	})
}

// previewSnapshot is the VM's action previewsnapshot.
func (e *Engine) previewSnapshot(c *call, vm *object) error {
	cmd := command{"preview", snapType}
	if err := require(c.body, "previewSnapshot", "snapshot.id"); err != nil {
		return err
	}
	s := vm.find("snapshots", c.body.refID("snapshot"))
	if s == nil {
		return entity("Snapshot", c.body.kid("snapshot"))
	}
	if err := cmd.restorable(vm, s); err != nil {
		return err
	}
	before := vm.body
	vm.preview = func(keep bool) {
		s.set("snapshot_status", "ok")
		if !keep {
			vm.body = before
		}
		vm.preview = nil
	}
	e.revert(c, vm, s, "in_preview")
	return nil
}

func (e *Engine) commitSnapshot(_ *call, vm *object) error { return e.endPreview(vm, true) }
func (e *Engine) undoSnapshot(_ *call, vm *object) error   { return e.endPreview(vm, false) }

func (e *Engine) endPreview(vm *object, keep bool) error {
	cmd := command{"revert to", snapType}
	if err := cmd.during(vm); err != nil {
		return err
	}
	if vm.preview == nil {
		return cmd.refuse("ACTION_TYPE_FAILED_VM_SNAPSHOT_NOT_IN_PREVIEW")
	}
	vm.preview(keep)
	return nil
}
