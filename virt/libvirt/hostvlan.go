//go:build cgo

package libvirt

import (
	"context"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/hostnet"
	"github.com/nactl/nactl/virt/ssh"
)

// HostVLANs reads the VLAN interfaces that nactl made on the node. libvirt's test
// driver has no host behind it.
func (n *Node) HostVLANs(ctx context.Context, host string) ([]*virt.HostVLAN, error) {
	if host != n.cfg.Name {
		return nil, virt.NotFound(hostRef(host), "this target is the node "+n.cfg.Name+" alone")
	}
	if n.addr.driver == "test" {
		return nil, nil
	}
	s, err := n.hostNetwork(ctx, hostRef(host), "")
	if err != nil {
		return nil, err
	}
	var out []*virt.HostVLAN
	for _, f := range s.Made() {
		out = append(out, &virt.HostVLAN{Host: host, Name: f.Interface, NIC: f.NIC, ID: f.ID, Bridge: f.Bridge, MTU: f.MTU, Network: f.Network,
			Tool: virt.Some(string(f.Tool)), Live: f.Live, Persistent: f.Persistent})
	}
	return out, nil
}

// hostNetwork looks at the node's network.
func (n *Node) hostNetwork(ctx context.Context, ref virt.Ref, nic string) (*hostnet.State, error) {
	h, err := n.host(ctx)
	if err != nil {
		return nil, err
	}
	s, err := hostnet.Look(ctx, h, nic)
	return s, about(n.mapError("look at the host's network", err), ref)
}

// vlanOf gives a change as the host's network knows it.
func vlanOf(c virt.CreateHostVLAN) hostnet.VLAN {
	return hostnet.VLAN{Interface: c.Ref.Name, NIC: c.NIC, ID: c.ID, Bridge: c.Bridge, MTU: c.MTU, Network: c.Network}
}

// vlanState looks at the node's network, and refuses what cannot be made there.
func (n *Node) vlanState(ctx context.Context, c virt.CreateHostVLAN) (*hostnet.State, error) {
	if c.Ref.Scope != n.cfg.Name {
		return nil, virt.NotFound(hostRef(c.Ref.Scope), "this target is the node "+n.cfg.Name+" alone")
	}
	v := vlanOf(c)
	if err := v.Check(c.Ref); err != nil {
		return nil, err // its names go into a command
	}
	s, err := n.hostNetwork(ctx, c.Ref, c.NIC)
	if err != nil {
		return nil, err
	}
	return s, s.Obstacle(c.Ref, v)
}

func (n *Node) createHostVLAN(ctx context.Context, c virt.CreateHostVLAN) error {
	s, err := n.vlanState(ctx, c)
	if err != nil {
		return err
	}
	return n.changeHostNetwork(ctx, c.Ref, hostnet.Create(s, vlanOf(c)), c)
}

// vlanToDelete finds a VLAN interface of nactl's that nobody uses. In a plan, who
// uses it may be on the way out: there only VMs count that the view has.
func (n *Node) vlanToDelete(ctx context.Context, view virt.Reader, c virt.DeleteHostVLAN) (*hostnet.State, hostnet.Found, error) {
	s, err := n.hostNetwork(ctx, c.Ref, "")
	if err != nil {
		return nil, hostnet.Found{}, err
	}
	for _, f := range s.Made() {
		if f.Interface != c.Ref.Name {
			continue
		}
		if _, plan := view.(*Node); plan { // it is the node itself, and no plan
			if ports := s.InUse(f.VLAN); ports != "" {
				return s, f, &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "its bridge " + f.Bridge + " is in use", Found: "ports " + ports,
					Hint: "detach the NICs of VMs that are on it, with detach_nic"}
			}
		}
		return s, f, nil
	}
	return s, hostnet.Found{}, virt.NotFound(c.Ref, "it is gone already")
}

func (n *Node) deleteHostVLAN(ctx context.Context, c virt.DeleteHostVLAN) error {
	s, f, err := n.vlanToDelete(ctx, n, c)
	if err != nil {
		return err
	}
	return n.changeHostNetwork(ctx, c.Ref, hostnet.Delete(s, f), c)
}

// changeHostNetwork makes a change to the node's network, which the node takes back
// by itself unless it can be logged in to anew. For a node that is this machine
// there is nothing to be cut off from.
func (n *Node) changeHostNetwork(ctx context.Context, ref virt.Ref, change hostnet.Change, c virt.Change) error {
	h, err := n.host(ctx)
	if err != nil {
		return err
	}
	n.networking.Lock() // one at a time: each puts back what it found
	defer n.networking.Unlock()
	confirm := hostnet.DefaultConfirm
	switch c := c.(type) {
	case virt.CreateHostVLAN:
		confirm = max(c.Confirm, 0)
	case virt.DeleteHostVLAN:
		confirm = max(c.Confirm, 0)
	}
	err = hostnet.Apply(ctx, ref, h, change, confirm, func(ctx context.Context) (hostnet.Runner, func(), error) {
		if n.cfg.SSH == nil {
			return localRunner{}, func() {}, nil
		}
		var client *ssh.Client
		client, err := n.cfg.Dialer.Dial(ctx, *n.cfg.SSH)
		if err != nil {
			return nil, nil, err
		}
		return client, func() { go client.Close() }, nil
	})
	n.Forget()
	return about(n.mapError("change the host's network", err), ref)
}
