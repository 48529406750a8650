package virt

import (
	"errors"
	"fmt"
	"slices"
)

// The states of a host that changes lead to.
const (
	hostUp          = "up"
	hostMaintenance = "maintenance"
)

// changeHost predicts what takes a host out of service, and what brings it back.
func changeHost(before Object, c Change) (Object, Outcome, error) {
	h, ok := before.(*Host)
	if !ok || h == nil {
		return nil, Outcome{}, NotFound(c.Object(), "check the name of the host")
	}
	after := h.Clone().(*Host)
	var d diff
	want, note := hostUp, ""
	if _, ok := c.(HostMaintenance); ok {
		want = hostMaintenance
		switch h.VMs {
		case 0:
		case 1:
			note = "the VM on it moves to another host"
		default:
			note = fmt.Sprintf("the %d VMs on it move to other hosts", h.VMs)
		}
	}
	if h.State == want {
		return after, d.out, nil
	}
	d.set("state", h.State, want, note)
	after.State, after.Maintenance = want, want == hostMaintenance
	if after.Maintenance {
		after.VMs = 0
	}
	return after, d.out, nil
}

// waitFor notes the hosts that are to get a network and cannot now, or refuses
// when all have to. has tells whether a host is as it shall be already.
func (d *diff) waitFor(ref Ref, unready []HostState, all bool, has func(host string) bool, wants func(h HostState) Pending) error {
	var errs []error
	for _, h := range unready {
		switch {
		case has(h.Host):
		case all:
			errs = append(errs, h.refuse(ref))
		default:
			d.pending(wants(h))
		}
	}
	return errors.Join(errs...)
}

// refuse is the error of a host that cannot be set up and has to be.
func (h HostState) refuse(network Ref) error {
	return &Error{Kind: ErrConflict, Object: Ref{Kind: KindHost, Name: h.Host}, Summary: "cannot have its networks set up now, as " + network.String() + " needs",
		Wanted: "a host that is up, in maintenance or non-operational", Found: "it is " + h.State,
		Hint: "bring the host up, or leave it out with unreachable_hosts: skip"}
}

// onHosts completes the prediction of a network that is made by what has to wait
// for its hosts.
func (d *diff) onHosts(n *Network, c CreateNetwork) (Object, Outcome, error) {
	if n.Type == "engine" && c.HostNIC == "" {
		return n, d.out, nil // it is the cluster's then, and no host lacks it
	}
	var configured any = true
	if c.HostNIC != "" {
		configured = c.HostNIC
	}
	err := d.waitFor(c.Ref, c.Unready, c.AllHosts, n.on, func(h HostState) Pending {
		return Pending{Field: "hosts." + h.Host, Configured: configured, Reason: fmt.Sprintf("the host is %s; play again when its networks can be set up", h.State)}
	})
	if err != nil {
		return nil, Outcome{}, err
	}
	return n, d.out, nil
}

// on tells whether a host has the network.
func (n *Network) on(host string) bool { return slices.Contains(n.Hosts, host) }

// keeps is what is pending of a host that keeps the network for now.
func (n *Network) keeps(h HostState) Pending {
	p := Pending{Field: "hosts." + h.Host, Live: true, Reason: fmt.Sprintf("the host is %s, and keeps it until its networks are set up anew", h.State)}
	for _, a := range n.Attachments {
		if a.Host == h.Host && a.NIC != "" {
			p.Live = a.NIC
		}
	}
	return p
}
