//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// The types of networks that nodes can be given.
const (
	typeOVS      = "openvswitch"
	typeBridge   = "bridge"
	typeNAT      = "nat"
	typeRoute    = "route"
	typeIsolated = "isolated"
)

// servedTypes are those that the node itself serves, on a bridge that libvirt makes.
var servedTypes = map[string]bool{typeNAT: true, typeRoute: true, typeIsolated: true}

const lastVLAN = 4094

// refuseNetwork says what kinds of networks no node can be given.
func refuseNetwork(c virt.CreateNetwork) error {
	bad := func(kind error, summary, hint string) error {
		return &virt.Error{Kind: kind, Object: c.Ref, Summary: summary, Hint: hint}
	}
	switch {
	case c.Ref.Name == "" || strings.ContainsFunc(c.Ref.Name, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }):
		return bad(virt.ErrInvalid, "has a name that libvirt refuses", "leave slashes and control characters out of it")
	case c.Bridge != "":
		if err := validInterface(c.Ref, c.Bridge); err != nil {
			return err
		}
	}
	switch {
	case c.Type != typeOVS && c.Type != typeBridge && !servedTypes[c.Type]:
		return bad(virt.ErrInvalid, fmt.Sprintf("%q is no type of network that nactl makes", c.Type), "use nat, route, isolated, bridge or openvswitch")
	case c.VLAN < 0 || c.VLAN > lastVLAN:
		return bad(virt.ErrInvalid, fmt.Sprintf("%d is no VLAN id", c.VLAN), fmt.Sprintf("use 1 to %d", lastVLAN))
	case c.Type != typeOVS && c.VLAN != 0:
		return bad(virt.ErrUnsupported, "libvirt tags no VLAN on a Linux bridge", "use type openvswitch, or create_vlan with the NIC that carries it")
	case c.Type == typeBridge && c.Bridge == "":
		return bad(virt.ErrInvalid, "needs the name of a bridge", "give bridge, as br0")
	case c.MTU != 0 && !servedTypes[c.Type]:
		return bad(virt.ErrUnsupported, "its MTU is that of the node's bridge, which libvirt does not set", "leave mtu out, and set it on the bridge")
	case (c.Type == typeNAT || c.Type == typeRoute) && c.IP.Address == "" && isNil(c.Before):
		return bad(virt.ErrInvalid, "needs an address: the node leads out of it", "give address, as 192.168.50.1/24, or make it isolated")
	default:
		return nil
	}
}

// isNil tells whether a step saw no network.
func isNil(o virt.Object) bool {
	n, ok := o.(*virt.Network)
	return !ok || n == nil
}

// maxInterface is how long the kernel lets the name of an interface be.
const maxInterface = 15

// validInterface refuses what no interface can be called.
func validInterface(ref virt.Ref, name string) error {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == ':' || r > 0x7e }
	if len(name) <= maxInterface && name != "." && name != ".." && name != "" && !strings.ContainsFunc(name, bad) {
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: fmt.Sprintf("no interface of a host can be called %q", name),
		Hint: fmt.Sprintf("use at most %d characters, without slashes, colons and spaces", maxInterface)}
}

// checkCreateNetwork looks whether the bridge is there, or of a network that the
// node serves whether it would be in the way of another.
func (n *Node) checkCreateNetwork(ctx context.Context, view virt.Reader, c virt.CreateNetwork) error {
	if err := refuseNetwork(c); err != nil {
		return err
	}
	if servedTypes[c.Type] {
		return n.checkServed(ctx, view, c)
	}
	_, err := n.bridge(ctx, view, c)
	return err
}

// checkServed refuses the bridge, or the addresses, of another network.
func (n *Node) checkServed(ctx context.Context, view virt.Reader, c virt.CreateNetwork) error {
	all, err := view.Networks(ctx)
	if err != nil {
		return err
	}
	own, ownErr := netip.ParsePrefix(c.IP.Address)
	for _, other := range all {
		if other.Name == c.Ref.Name || !slices.Contains(other.Hosts, n.cfg.Name) {
			continue
		}
		if c.Bridge != "" && other.Bridge == c.Bridge {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: fmt.Sprintf("bridge %q is that of another network", c.Bridge),
				Found: "network " + other.Name, Hint: "leave bridge out, or name another"}
		}
		if other.IP == nil || ownErr != nil {
			continue
		}
		theirs, err := netip.ParsePrefix(other.IP.Address)
		if err == nil && own.Overlaps(theirs) {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "has addresses that another network of the node has",
				Wanted: c.IP.Address, Found: fmt.Sprintf("network %s with %s", other.Name, other.IP.Address), Hint: "choose another address"}
		}
	}
	return nil
}

// bridge gives the node's bridge for a network: the one that is named, which has
// to be there, or the only Open vSwitch bridge.
func (n *Node) bridge(ctx context.Context, view virt.Reader, c virt.CreateNetwork) (string, error) {
	if n.addr.driver == "test" {
		// Its networks have no host behind them.
		if c.Bridge == "" {
			return "", &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "libvirt's test driver has no bridges to choose from",
				Hint: "give bridge"}
		}
		return c.Bridge, nil
	}
	if c.Type == typeBridge {
		return c.Bridge, n.linuxBridge(ctx, view, c)
	}
	have, err := n.ovsBridges(ctx, c.Ref)
	if err != nil {
		return "", err
	}
	found := "bridges " + strings.Join(have, ", ")
	switch {
	case len(have) == 0:
		return "", &virt.Error{Kind: virt.ErrNotFound, Object: c.Ref, Summary: n.cfg.Name + " has no Open vSwitch bridge",
			Hint: "make one with its uplink: ovs-vsctl add-br ovsbr0 -- add-port ovsbr0 NIC"}
	case c.Bridge != "" && !slices.Contains(have, c.Bridge):
		return "", &virt.Error{Kind: virt.ErrNotFound, Object: c.Ref, Summary: fmt.Sprintf("%s has no Open vSwitch bridge %q", n.cfg.Name, c.Bridge),
			Found: found, Hint: "name one of them, or make it with ovs-vsctl add-br"}
	case c.Bridge != "":
		return c.Bridge, nil
	case len(have) > 1:
		return "", &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: n.cfg.Name + " has several Open vSwitch bridges",
			Found: found, Hint: "say which, with bridge"}
	default:
		return have[0], nil
	}
}

// ovsBridges lists the node's Open vSwitch bridges (ovs-vsctl list-br).
func (n *Node) ovsBridges(ctx context.Context, ref virt.Ref) ([]string, error) {
	r, err := n.hostExec(ctx, ssh.Command{Argv: []string{"ovs-vsctl", "--timeout=10", "list-br"}, Become: true})
	if err != nil {
		return nil, about(n.mapError("list the Open vSwitch bridges", err), ref)
	}
	switch {
	case r.RC == 127 || r.RC == 1 && strings.Contains(string(r.Stderr), "command not found"):
		return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: n.cfg.Name + " has no Open vSwitch: ovs-vsctl is missing",
			Hint: "install openvswitch-switch on the node"}
	case r.RC != 0:
		return nil, &virt.Error{Object: ref, Summary: "cannot list the Open vSwitch bridges of " + n.cfg.Name,
			Err: errors.New(strings.TrimSpace(string(r.Stderr))), Hint: "is ovs-vswitchd running on the node, and may the login user talk to it?"}
	}
	return strings.Fields(string(r.Stdout)), nil
}

// linuxBridge looks whether the node has a Linux bridge of that name.
func (n *Node) linuxBridge(ctx context.Context, view virt.Reader, c virt.CreateNetwork) error {
	r, err := n.hostExec(ctx, ssh.Command{Argv: []string{"test", "-d", "/sys/class/net/" + c.Bridge + "/bridge"}})
	if err != nil {
		return about(n.mapError("look for the bridge", err), c.Ref)
	}
	if r.RC != 0 {
		// A plan may be about to make it.
		vlans, err := view.HostVLANs(ctx, n.cfg.Name)
		if err != nil || slices.ContainsFunc(vlans, func(v *virt.HostVLAN) bool { return v.Bridge == c.Bridge && v.Live }) {
			return err
		}
		return &virt.Error{Kind: virt.ErrNotFound, Object: c.Ref, Summary: fmt.Sprintf("%s has no Linux bridge %q", n.cfg.Name, c.Bridge),
			Hint: "make it in the node's network configuration first; for a VLAN, create_vlan makes it with nic"}
	}
	return nil
}

// hostExec runs a command on the node.
func (n *Node) hostExec(ctx context.Context, cmd ssh.Command) (ssh.Result, error) {
	h, err := n.host(ctx)
	if err != nil {
		return ssh.Result{}, err
	}
	return h.Exec(ctx, cmd)
}

// createNetwork defines a network over a bridge, or brings one that is there
// into force. A network that cannot be started is taken back.
func (n *Node) createNetwork(ctx context.Context, c virt.CreateNetwork, e *edit) error {
	autostart := e.after.(*virt.Network).Autostart
	if now, ok := e.now.(*virt.Network); ok && now != nil {
		if err := n.activateNetwork(ctx, c.Ref.Name, autostart); err != nil {
			return err
		}
		return n.updateLeases(ctx, now, e.after.(*virt.Network))
	}
	bridge := c.Bridge
	if !servedTypes[c.Type] {
		var err error
		if bridge, err = n.bridge(ctx, n, c); err != nil {
			return err
		}
	}
	body, err := networkXML(c, bridge)
	if err != nil {
		return err
	}
	err = n.do(ctx, "make the network", func(conn *lv.Connect) error {
		net, err := conn.NetworkDefineXML(body)
		if err != nil {
			return err
		}
		defer net.Free()
		err = net.Create()
		if err == nil && autostart {
			err = net.SetAutostart(true)
		}
		if err != nil && !isLost(err) {
			_ = net.Destroy() // it may not have come up
			err = errors.Join(err, ignoreMissing(net.Undefine()))
		}
		return err
	})
	return aboutNetwork(err, c.Ref.Name)
}

func ignoreMissing(err error) error {
	if isCode(err, lv.ERR_NO_NETWORK) {
		return nil
	}
	return err
}

// activateNetwork starts a network, now and, if wanted, with its host.
func (n *Node) activateNetwork(ctx context.Context, name string, autostart bool) error {
	err := n.do(ctx, "start the network", func(c *lv.Connect) error {
		return lookUpNetwork(c, name, func(net *lv.Network) error {
			active, err := net.IsActive()
			if err != nil {
				return err
			}
			if !active {
				if err := net.Create(); err != nil {
					return err
				}
			}
			return net.SetAutostart(autostart)
		})
	})
	return aboutNetwork(err, name)
}

// checkDeleteNetwork refuses to take away a network that VMs are attached to.
func (n *Node) checkDeleteNetwork(ctx context.Context, view virt.Reader, c virt.DeleteNetwork) error {
	vms, err := view.VMs(ctx)
	if err != nil {
		return err
	}
	var users []string
	for _, vm := range vms {
		if slices.ContainsFunc(vm.NICs, func(nic virt.NIC) bool { return nic.Network == c.Ref.Name }) {
			users = append(users, vm.Name)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "is in use", Found: "NICs of " + strings.Join(users, ", "),
		Hint: "detach them first, with detach_nic"}
}

// deleteNetwork stops a network and removes its definition. The bridge stays: it
// is the node's.
func (n *Node) deleteNetwork(ctx context.Context, e *edit) error {
	name := e.now.Ref().Name
	err := n.do(ctx, "delete the network", func(c *lv.Connect) error {
		return lookUpNetwork(c, name, func(net *lv.Network) error {
			if err := net.Destroy(); err != nil && !isCode(err, lv.ERR_OPERATION_INVALID) {
				return err
			}
			return ignoreMissing(net.Undefine()) // a transient one is gone by now
		})
	})
	return aboutNetwork(err, name)
}
