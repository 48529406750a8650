package ovirtsim

import (
	"fmt"
	"strings"
)

// migrateVM is the action migrate.
func (e *Engine) migrateVM(c *call, vm *object) error {
	cmd := command{"migrate", "VM"}
	if err := cmd.runnable(vm); err != nil {
		return err
	}
	switch vm.status() {
	case "down", "suspended":
		return cmd.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_RUNNING")
	case "migrating":
		return cmd.refuse("ACTION_TYPE_FAILED_MIGRATION_IN_PROGRESS")
	case "up", "powering_up", "paused":
	default:
		return cmd.badStatus(vm)
	}
	source := e.col("hosts").ids[vm.refID("host")]
	target, err := e.migrationTarget(c.body, vm, source, cmd)
	if err != nil {
		return err
	}
	c.reply = []*elem{ref("vm", vm.id)}
	e.migrate(c, vm, source, target)
	return nil
}

func (e *Engine) migrationTarget(in *elem, vm, source *object, cmd command) (*object, error) {
	switch affinity := vm.get("placement_policy/affinity"); {
	case affinity == "pinned":
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST")
	case affinity == "user_migratable" && !in.bool("force") && !in.has("host"):
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VM_IS_NON_MIGRTABLE_AND_IS_NOT_FORCED_BY_USER_TO_MIGRATE")
	}
	body := vm.body
	if in.has("cluster") {
		found := e.col("clusters").match(in.kid("cluster"))
		if len(found) == 0 {
			return nil, entity("Cluster", in.kid("cluster"))
		}
		if err := e.canChangeCluster(vm, found[0], cmd); err != nil {
			return nil, err
		}
		body = body.put(ref("cluster", found[0].id))
	}
	if !in.has("host") {
		return e.schedule(vm, body, func(h *object) bool { return h != source }, cmd)
	}
	found := e.col("hosts").match(in.kid("host"))
	if len(found) == 0 {
		return nil, entity("Host", in.kid("host"))
	}
	h := found[0]
	switch {
	case h == source:
		return nil, cmd.refuse("ACTION_TYPE_FAILED_MIGRATION_TO_SAME_HOST")
	case h.status() != "up":
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", "hostStatus", "Up")
	case h.refID("cluster") != body.refID("cluster"):
		return nil, cmd.refuse("ACTION_TYPE_FAILED_MIGRATE_BETWEEN_TWO_CLUSTERS")
	}
	if free := h.body.int("max_scheduling_memory") - e.committed(h); free < vm.body.int("memory_policy/guaranteed") {
		f := cmd.refuse("SCHEDULING_ALL_HOSTS_FILTERED_OUT")
		f.detail = f.detail[:len(f.detail)-1] + fmt.Sprintf(", The host %s did not satisfy internal filter Memory because its available memory is too low (%d MB) to run the VM.]",
			h.name(), max(0, free/mib))
		return nil, f
	}
	if filter := e.unfit(vm, h); filter != "" {
		f := cmd.refuse("SCHEDULING_ALL_HOSTS_FILTERED_OUT")
		f.detail = f.detail[:len(f.detail)-1] + fmt.Sprintf(", The host %s did not satisfy internal filter %s.]", h.name(), filter)
		return nil, f
	}
	return h, nil
}

// canChangeCluster is the validation of a VM's move to another cluster.
func (e *Engine) canChangeCluster(vm, to *object, cmd command) error {
	if e.dcOf(vm.refID("cluster")) != to.refID("data_center") {
		return cmd.refuse("VM_CANNOT_MOVE_TO_CLUSTER_IN_OTHER_STORAGE_POOL")
	}
	var missing []string
	for _, n := range vm.sub("nics") {
		p := e.col("vnicprofiles").ids[n.refID("vnic_profile")]
		if p != nil && to.find("networks", p.refID("network")) == nil {
			missing = append(missing, e.col("networks").ids[p.refID("network")].name())
		}
	}
	if len(missing) > 0 {
		return cmd.refuse("MOVE_VM_CLUSTER_MISSING_NETWORK", "networks", strings.Join(missing, ","))
	}
	return nil
}

// migrate moves a running VM.
func (e *Engine) migrate(c *call, vm, source, target *object) {
	end := e.later(c, "Migrating VM "+vm.name())
	was := vm.status()
	vm.lock = &lock{"ACTION_TYPE_FAILED_VM_IS_BEING_MIGRATED", []string{"VmName", vm.name()}}
	corr := c.corr
	e.event(corr, evMigrating, "normal", fmt.Sprintf("Migration started (VM: %s, Source: %s, Destination: %s, User: %s).",
		vm.name(), source.name(), target.name(), e.opts.User), vm, source)
	finish := func(ok bool) {
		vm.lock, vm.moving = nil, nil
		vm.set("status", was)
		if ok {
			vm.put(ref("host", target.id))
			vm.put(ref("cluster", target.refID("cluster")))
			e.event(corr, evMigrated, "normal", fmt.Sprintf("Migration completed (VM: %s, Source: %s, Destination: %s).",
				vm.name(), source.name(), target.name()), vm, target)
		} else {
			e.event(corr, evMigrateFailed, "error", fmt.Sprintf("Migration failed (VM: %s, Source: %s, Destination: %s).",
				vm.name(), source.name(), target.name()), vm, source)
		}
		end(ok)
	}
	vm.moving = finish
	// The status follows with the host's first report, not with the call.
	e.vmAfter(vm, e.time.Migrate/8, func() {
		vm.set("status", "migrating")
		e.vmAfter(vm, e.time.Migrate, func() {
			finish(!e.rules["nomigrate "+vm.name()] && target.status() == "up")
		})
	})
}

// cancelMigration is the action cancelmigration.
func (e *Engine) cancelMigration(_ *call, vm *object) error {
	if vm.moving == nil {
		return command{"cancel migration", "VM"}.refuse("VM_CANNOT_CANCEL_MIGRATION_WHEN_VM_IS_NOT_MIGRATING")
	}
	vm.gen++
	vm.moving(false)
	return nil
}
