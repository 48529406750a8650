//go:build cgo

package libvirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// The types of networks that nodes can be given.
const (
	typeOVS    = "openvswitch"
	typeBridge = "bridge"
)

const lastVLAN = 4094

// refuseNetwork says what kinds of networks no node can be given.
func refuseNetwork(c virt.CreateNetwork) error {
	bad := func(kind error, summary, hint string) error {
		return &virt.Error{Kind: kind, Object: c.Ref, Summary: summary, Hint: hint}
	}
	switch {
	case c.Type != typeOVS && c.Type != typeBridge:
		return bad(virt.ErrInvalid, fmt.Sprintf("%q is no type of network that nactl makes", c.Type), "use openvswitch or bridge")
	case c.VLAN < 0 || c.VLAN > lastVLAN:
		return bad(virt.ErrInvalid, fmt.Sprintf("%d is no VLAN id", c.VLAN), fmt.Sprintf("use 1 to %d", lastVLAN))
	case c.Type == typeBridge && c.VLAN != 0:
		return bad(virt.ErrUnsupported, "libvirt tags no VLAN on a Linux bridge", "use type openvswitch, or a bridge over a VLAN interface of the node")
	case c.Type == typeBridge && c.Bridge == "":
		return bad(virt.ErrInvalid, "needs the name of a bridge", "give bridge, as br0")
	case c.MTU != 0:
		return bad(virt.ErrUnsupported, "its MTU is that of the node's bridge, which libvirt does not set", "leave mtu out, and set it on the bridge")
	default:
		return nil
	}
}

// checkCreateNetwork looks whether the bridge is there.
func (n *Node) checkCreateNetwork(ctx context.Context, c virt.CreateNetwork) error {
	if err := refuseNetwork(c); err != nil {
		return err
	}
	_, err := n.bridge(ctx, c)
	return err
}

// bridge gives the node's bridge for a network: the one that is named, which has
// to be there, or the only Open vSwitch bridge.
func (n *Node) bridge(ctx context.Context, c virt.CreateNetwork) (string, error) {
	if n.addr.driver == "test" {
		// Its networks have no host behind them.
		if c.Bridge == "" {
			return "", &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "libvirt's test driver has no bridges to choose from",
				Hint: "give bridge"}
		}
		return c.Bridge, nil
	}
	if c.Type == typeBridge {
		return c.Bridge, n.linuxBridge(ctx, c)
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
func (n *Node) linuxBridge(ctx context.Context, c virt.CreateNetwork) error {
	r, err := n.hostExec(ctx, ssh.Command{Argv: []string{"test", "-d", "/sys/class/net/" + c.Bridge + "/bridge"}})
	if err != nil {
		return about(n.mapError("look for the bridge", err), c.Ref)
	}
	if r.RC != 0 {
		return &virt.Error{Kind: virt.ErrNotFound, Object: c.Ref, Summary: fmt.Sprintf("%s has no Linux bridge %q", n.cfg.Name, c.Bridge),
			Hint: "make it in the node's network configuration first"}
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
	if e.now != nil {
		return n.activateNetwork(ctx, c.Ref.Name)
	}
	bridge, err := n.bridge(ctx, c)
	if err != nil {
		return err
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
		if err == nil {
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

// networkXML writes the definition of a network over an existing bridge.
func networkXML(c virt.CreateNetwork, bridge string) (string, error) {
	def := libvirtxml.Network{
		XMLName: xml.Name{Local: "network"},
		Name:    c.Ref.Name,
		Forward: &libvirtxml.NetworkForward{Mode: "bridge"},
		Bridge:  &libvirtxml.NetworkBridge{Name: bridge},
	}
	if c.Type == typeOVS {
		def.VirtualPort = &libvirtxml.NetworkVirtualPort{Params: &libvirtxml.NetworkVirtualPortParams{
			OpenVSwitch: &libvirtxml.NetworkVirtualPortParamsOpenVSwitch{}}}
	}
	if c.VLAN != 0 {
		def.VLAN = &libvirtxml.NetworkVLAN{Tags: []libvirtxml.NetworkVLANTag{{ID: uint(c.VLAN)}}}
	}
	return def.Marshal()
}

// activateNetwork starts a network, now and with its host.
func (n *Node) activateNetwork(ctx context.Context, name string) error {
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
			return net.SetAutostart(true)
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
