package ovirtsim

import (
	"slices"
)

const hostType = "Host"

// hostDocument adds what is counted when it is asked for.
func (e *Engine) hostDocument(h *object) *elem {
	if h.get("summary/active") != "" && h.recorded {
		return h.body
	}
	active, moving := 0, 0
	for _, vm := range e.vms() {
		if vm.refID("host") == h.id {
			active++
			if vm.status() == "migrating" {
				moving++
			}
		}
	}
	return h.body.put(el("summary", num("active", active), num("migrating", moving), num("total", active)))
}

// deactivateHost is the action deactivate: the VMs leave first.
func (e *Engine) deactivateHost(c *call, h *object) error {
	cmd := command{"switch", hostType}
	switch h.status() {
	case "maintenance", "preparing_for_maintenance":
		return cmd.refuse("VDS_CANNOT_MAINTENANCE_VDS_IS_IN_MAINTENANCE")
	case "non_responsive":
		for _, vm := range e.vms() {
			if vm.refID("host") == h.id {
				return cmd.refuse("VDS_CANNOT_MAINTENANCE_VDS_IS_NOT_RESPONDING_WITH_VMS")
			}
		}
	}
	for _, vm := range e.vms() {
		if vm.refID("host") != h.id {
			continue
		}
		if vm.get("placement_policy/affinity") != "migratable" {
			return cmd.refuse("VDS_CANNOT_MAINTENANCE_IT_INCLUDES_NON_MIGRATABLE_VM", "HostsList", h.name(), "VmsList", vm.name())
		}
	}
	end := e.later(c, "Moving Host "+h.name()+" to Maintenance")
	h.set("status", "preparing_for_maintenance")
	h.gen++
	gen := h.gen
	var check func()
	check = func() {
		if h.gen != gen {
			end(false)
			return
		}
		if e.evacuate(c, h) {
			e.clock.after(e.time.Host, check)
			return
		}
		h.set("status", "maintenance")
		end(true)
	}
	e.evacuate(c, h)
	e.clock.after(e.time.Host, check)
	return nil
}

// evacuate migrates the VMs of a host away, as far as they can move now; it
// tells whether any is left.
func (e *Engine) evacuate(c *call, h *object) (left bool) {
	for _, vm := range e.vms() {
		if vm.refID("host") != h.id {
			continue
		}
		left = true
		if vm.lock != nil || (vm.status() != "up" && vm.status() != "powering_up") {
			continue
		}
		target, err := e.schedule(vm, vm.body, func(to *object) bool { return to != h }, command{"migrate", "VM"})
		if err != nil {
			e.event(c.corr, evMigrateFailed, "error", "Migration failed due to no available host found (VM: "+vm.name()+", Source: "+h.name()+").", vm, h)
			continue
		}
		e.migrate(c, vm, h, target)
	}
	return left
}

// activateHost is the action activate.
func (e *Engine) activateHost(c *call, h *object) error {
	if h.status() == "up" {
		return command{"activate", hostType}.refuse("VDS_ALREADY_UP")
	}
	end := e.later(c, "Activating Host "+h.name())
	h.gen++
	gen := h.gen
	h.set("status", "unassigned")
	e.clock.after(e.time.Host/2, func() {
		if h.gen != gen {
			return
		}
		h.set("status", "initializing")
		e.clock.after(e.time.Host/2, func() {
			if h.gen == gen {
				h.set("status", "up")
				e.checkHost(h)
				end(true)
			}
		})
	})
	return nil
}

func (e *Engine) refreshHost(_ *call, h *object) error {
	if h.status() != "up" {
		return command{"refresh", hostType}.refuse("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", "hostStatus", "Up")
	}
	return nil
}

// checkHosts checks the hosts of a cluster.
func (e *Engine) checkHosts(cluster string) {
	for _, h := range e.filter("hosts", "cluster", cluster) {
		e.checkHost(h)
	}
}

// checkHost makes a host without a required network non-operational, and one
// that has them all up again.
func (e *Engine) checkHost(h *object) {
	cl := e.col("clusters").ids[h.refID("cluster")]
	missing := slices.ContainsFunc(cl.sub("networks"), func(k *object) bool {
		return k.body.bool("required") && e.attachedNet(h, k.id) == nil
	})
	switch {
	case missing && h.status() == "up":
		h.set("status", "non_operational")
	case !missing && h.status() == "non_operational":
		h.set("status", "up")
	}
}

// LoseHost cuts a host from the engine: it becomes non-responsive, its VMs
// unknown. False means there is no such host.
func (e *Engine) LoseHost(name string) bool { return e.hostState(name, "non_responsive", "unknown") }

// FindHost brings a lost host back.
func (e *Engine) FindHost(name string) bool { return e.hostState(name, "up", "up") }

func (e *Engine) hostState(name, status, vms string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	h := named(e.col("hosts").list, name)
	if h == nil {
		return false
	}
	h.gen++
	h.set("status", status)
	e.event("", evHostLost, "error", "Host "+name+" is "+status+".", h)
	for _, vm := range e.vms() {
		if vm.refID("host") == h.id {
			vm.gen++
			vm.lock, vm.moving = nil, nil
			vm.set("status", vms)
		}
	}
	return true
}

// RebootHost loses the network configuration that was not committed. False
// means there is no such host.
func (e *Engine) RebootHost(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	h := named(e.col("hosts").list, name)
	if h == nil {
		return false
	}
	h.subs["networkattachments"] = slices.Clone(h.persist)
	h.subs["nics"] = slices.Clone(h.nics)
	e.wire(h)
	e.checkHost(h)
	return true
}

// Dirty tells whether a host has a network configuration that is not committed.
func (e *Engine) Dirty(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := named(e.col("hosts").list, name)
	return h != nil && !slices.Equal(h.persist, h.subs["networkattachments"])
}

// Desync makes a host carry a network with another MTU than it should have.
func (e *Engine) Desync(host, network string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := named(e.col("hosts").list, host)
	if h == nil {
		return false
	}
	for _, a := range h.sub("networkattachments") {
		if n := e.col("networks").ids[a.refID("network")]; n != nil && n.name() == network {
			a.hidden = expected(n.body).with("mtu", "1280")
			e.wire(h)
			return true
		}
	}
	return false
}
