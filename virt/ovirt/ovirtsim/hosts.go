package ovirtsim

import (
	"slices"
	"strings"
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

// activateHost is the action activate.
func (e *Engine) activateHost(c *call, h *object) error {
	switch h.status() {
	case "up":
		return command{"activate", hostType}.refuse("VDS_ALREADY_UP")
	case "non_responsive":
		return command{"activate", hostType}.refuse("VDS_NON_RESPONSIVE")
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
			if h.gen != gen {
				return
			}
			h.set("status", "up")
			if e.rules["noactivate "+h.name()] {
				h.set("status", "install_failed")
			}
			e.checkHost(h)
			end(h.status() == "up")
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
	var missing []string
	for _, k := range cl.sub("networks") {
		if k.body.bool("required") && e.attachedNet(h, k.id) == nil {
			missing = append(missing, k.actual.name())
		}
	}
	switch {
	case len(missing) > 0 && h.status() == "up":
		h.set("status", "non_operational")
		e.event("", evNonOperational, "warning", "Host "+h.name()+" does not comply with the cluster "+cl.name()+
			" networks, the following networks are missing on host: '"+strings.Join(missing, ",")+"'", h)
	case len(missing) == 0 && h.status() == "non_operational":
		h.set("status", "up")
	}
}

// SetHostState puts a host into a state that it got into by itself, as down or
// installing. Its VMs stay as they are. False means there is no such host.
func (e *Engine) SetHostState(name, status string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	h := named(e.col("hosts").list, name)
	if h != nil {
		h.gen++
		h.set("status", status)
	}
	return h != nil
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
