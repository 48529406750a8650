package createvlan

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Among says which of a target's hosts a network is about.
type Among struct {
	Host    string // only this one; empty = all
	Cluster string // only of this cluster; empty = of all
	// Unreachable is what becomes of hosts that cannot be set up now: skip, fail, or
	// empty, which is skip.
	Unreachable string
}

// Hosts tells apart the hosts that can be set up from those that cannot now. all
// says that the latter are an error: they were named, or nobody may be left out.
func (a Among) Hosts(ctx context.Context, env *step.Env) (ready []string, unready []virt.HostState, all bool, err error) {
	hosts, err := env.Platform.Hosts(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	for _, h := range hosts {
		switch {
		case a.Host != "" && h.Name != a.Host, a.Cluster != "" && h.Cluster != a.Cluster:
		case env.Platform.Type() == "ovirt" && !h.Settable():
			unready = append(unready, virt.HostState{Host: h.Name, State: h.State})
		default:
			ready = append(ready, h.Name)
		}
	}
	if a.Host != "" && len(ready)+len(unready) == 0 {
		return nil, nil, false, virt.NotFound(virt.Ref{Kind: virt.KindHost, Name: a.Host}, "check the name of the host")
	}
	return ready, unready, a.Host != "" || a.Unreachable == "fail", nil
}

// HostReport says what became of a network on one host.
type HostReport struct {
	Host   string `json:"host"`
	Result string `json:"result"`           // attached, synchronized, already, out of sync, skipped, removed
	NIC    string `json:"nic,omitempty"`    // that carries it, or did
	Reason string `json:"reason,omitempty"` // why it was skipped
}

// Report compares where a network was with where it is, and tells of every host
// that the step was about. before and after are nil where there was none.
func Report(before, after *virt.Network, ready []string, unready []virt.HostState) []HostReport {
	out := []HostReport{}
	for _, h := range ready {
		had, was := carried(before, h)
		has, is := carried(after, h)
		r := HostReport{Host: h, NIC: is.NIC}
		switch {
		case has && !had:
			r.Result = "attached"
		case has && !is.InSync:
			r.Result = "out of sync"
		case has && !was.InSync:
			r.Result = "synchronized"
		case has:
			r.Result = "already"
		case had:
			r.Result, r.NIC = "removed", was.NIC
		default:
			continue
		}
		out = append(out, r)
	}
	for _, h := range unready {
		had, was := carried(before, h.Host)
		r := HostReport{Host: h.Host, Result: "skipped", NIC: was.NIC, Reason: "the host is " + h.State}
		if still, is := carried(after, h.Host); had && still && is.InSync {
			r.Result, r.Reason = "already", ""
		}
		out = append(out, r)
	}
	return out
}

// carried tells how a host has a network. Where nobody keeps attachments, it has
// it as it shall be.
func carried(n *virt.Network, host string) (bool, virt.Attachment) {
	if n == nil {
		return false, virt.Attachment{}
	}
	for _, a := range n.Attachments {
		if a.Host == host {
			return true, a
		}
	}
	for _, h := range n.Hosts {
		if h == host {
			return true, virt.Attachment{Host: host, InSync: true}
		}
	}
	return false, virt.Attachment{}
}
