package ovirtsim

import (
	"slices"
	"strings"
	"time"
)

// retryEvacuation is when the engine tries again to empty a host that prepares for
// maintenance (HostPreparingForMaintenanceIdleTime).
const retryEvacuation = 300 * time.Second

// retirable are the states in which a host can be sent into maintenance.
var retirable = []string{"maintenance", "non_responsive", "up", "error", "preparing_for_maintenance", "down", "non_operational", "install_failed"}

// vmsOn gives the VMs that run on a host.
func (e *Engine) vmsOn(h *object) []*object {
	return slices.DeleteFunc(slices.Clone(e.vms()), func(vm *object) bool { return vm.refID("host") != h.id })
}

// deactivateHost is the action deactivate: the VMs leave first.
func (e *Engine) deactivateHost(c *call, h *object) error {
	cmd := command{"maintenance", hostType}
	if err := e.checkRetire(c, h, cmd); err != nil {
		return err
	}
	end := e.later(c, "Moving Host "+h.name()+" to Maintenance")
	h.gen++
	switch h.status() {
	case "non_responsive", "down":
		h.set("status", "maintenance")
		end(true)
		return nil
	}
	h.set("status", "preparing_for_maintenance")
	refused := e.evacuate(c, h)
	e.untilEmpty(c, h, end)
	if refused != nil { // the host stays as it is, all the same
		e.event(c.corr, evStuck, "warning", "Host "+h.name()+" cannot change into maintenance mode - not all Vms have been migrated successfully. "+
			"Consider manual intervention: stopping/migrating Vms running on this host. (User: "+e.opts.User+").", h)
		return refused
	}
	reason := ""
	if r := c.body.get("reason"); r != "" {
		reason = " (Reason: " + r + ")"
	}
	e.event(c.corr, evMaintenance, "normal", "Host "+h.name()+" was switched to Maintenance mode by "+e.opts.User+reason+".", h)
	return nil
}

// checkRetire is the validation of deactivate.
func (e *Engine) checkRetire(c *call, h *object, cmd command) error {
	cl := e.col("clusters").ids[h.refID("cluster")]
	if c.param("stop_gluster_service") && !cl.body.bool("gluster_service") {
		return cmd.refuse("ACTION_TYPE_FAILED_GLUSTER_SERVICE_MAINTENANCE_NOT_SUPPORTED_FOR_CLUSTER")
	}
	if !slices.Contains(retirable, h.status()) {
		return cmd.refuse("VDS_CANNOT_MAINTENANCE_VDS_IS_NOT_OPERATIONAL")
	}
	vms := e.vmsOn(h)
	var pinned []string
	for _, vm := range vms {
		if vm.get("placement_policy/affinity") == "pinned" {
			pinned = append(pinned, vm.name())
		}
	}
	switch {
	case len(pinned) > 0:
		return cmd.refuse("VDS_CANNOT_MAINTENANCE_IT_INCLUDES_NON_MIGRATABLE_VM", "HostsList", h.name(), "VmsList", strings.Join(pinned, " , "))
	case h.status() == "maintenance":
		return cmd.refuse("VDS_CANNOT_MAINTENANCE_VDS_IS_IN_MAINTENANCE")
	case h.status() == "non_responsive" && len(vms) > 0:
		return cmd.refuse("VDS_CANNOT_MAINTENANCE_VDS_IS_NOT_RESPONDING_WITH_VMS")
	}
	other := slices.ContainsFunc(e.filter("hosts", "cluster", cl.id), func(o *object) bool { return o != h && o.status() == "up" })
	if len(vms) > 0 && !other {
		return cmd.refuse("CANNOT_MAINTENANCE_VDS_RUN_VMS_NO_OTHER_RUNNING_VDS", "HostsList", h.name(), "ClustersList", cl.name())
	}
	return nil
}

// untilEmpty waits for the last VM to leave a host, and tries again now and then.
func (e *Engine) untilEmpty(c *call, h *object, end func(bool)) {
	gen, again := h.gen, e.clock.now().Add(retryEvacuation)
	var check func()
	check = func() {
		switch {
		case h.gen != gen:
			end(false)
			return
		case len(e.vmsOn(h)) == 0:
			h.set("status", "maintenance")
			end(true)
			return
		case !e.clock.now().Before(again):
			_ = e.evacuate(c, h) // what it refuses stands in the events
			again = e.clock.now().Add(retryEvacuation)
		}
		e.clock.after(e.time.Host, check)
	}
	e.clock.after(e.time.Host, check)
}

// evacuate migrates the VMs of a host away, and gives the last refusal.
func (e *Engine) evacuate(c *call, h *object) (refused error) {
	for _, vm := range e.vmsOn(h) {
		if vm.lock != nil || vm.status() != "up" && vm.status() != "powering_up" && vm.status() != "paused" {
			continue
		}
		target, err := e.schedule(vm, vm.body, func(to *object) bool { return to != h }, command{"migrate", "VM"})
		if err != nil {
			refused = err
			e.event(c.corr, evNowhere, "error", "Migration failed while Source Host is in 'preparing for maintenance' state.\n"+
				"  Consider manual intervention: stopping/migrating Vms as Host's state will not\n  turn to maintenance while VMs are still running on it.(VM: "+
				vm.name()+", Source: "+h.name()+").", vm, h)
			continue
		}
		e.migrate(c, vm, h, target)
	}
	return refused
}
