//go:build cgo

package libvirt

import (
	"context"
	"fmt"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// byMAC finds an interface by its MAC address.
func byMAC(mac string) finder {
	return func(root *etree.Element) *etree.Element { return findNIC(root, mac) }
}

// attachNIC gives a VM a further network interface, in its definition and in the
// running VM.
func (n *Node) attachNIC(ctx context.Context, e *edit) error {
	now, want := e.vm(), e.want()
	for _, nic := range want.NICs {
		old := now.NIC(nic.Name)
		if old != nil && old.In == nic.In {
			continue
		}
		if old != nil {
			return n.present(ctx, now.Name, old.In, byMAC(old.MAC.Or("")))
		}
		if _, ok := nic.MAC.Get(); !ok {
			nic.MAC = virt.Some(newMAC())
		}
		text, err := nicDevice(nic).Marshal()
		if err != nil {
			return err
		}
		return n.withDomain(ctx, fmt.Sprintf("attach NIC %q", nic.Name), now.Name, func(c *lv.Connect, d *lv.Domain) error {
			return plug(c, d, text, nic.In)
		})
	}
	return nil
}

// checkAttachNIC looks for the network.
func (n *Node) checkAttachNIC(ctx context.Context, view virt.Reader, c virt.AttachNIC) error {
	if c.NIC.Name != "" && !aliasPattern.MatchString(c.NIC.Name) {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("a NIC cannot be called %q", c.NIC.Name),
			Hint: "use letters, digits, hyphens and underscores"}
	}
	return checkNetwork(ctx, view, c.Ref, c.NIC.Name, c.NIC.Network)
}

// checkChangeNIC looks for the network that a NIC is to be moved to.
func (n *Node) checkChangeNIC(ctx context.Context, view virt.Reader, c virt.ChangeNIC) error {
	network, ok := c.Network.Get()
	if !ok {
		return nil
	}
	return checkNetwork(ctx, view, c.Ref, c.NIC, network)
}

// detachNIC takes a network interface away.
func (n *Node) detachNIC(ctx context.Context, c virt.DetachNIC, e *edit) error {
	nic := e.vm().NIC(c.NIC)
	if err := canLetGo(e.vm(), fmt.Sprintf("NIC %q", nic.Name), nic.In); err != nil {
		return err
	}
	return n.unplug(ctx, c.Ref.Name, fmt.Sprintf("NIC %q", nic.Name), nic.In, byMAC(nic.MAC.Or("")))
}

// changeNIC connects an interface to another network or switches its link: the
// running VM first, then the definition, so that a failure leaves the definition
// different and the change is made again. What libvirt does not change in a
// running VM is unplugged and plugged in again, with the same MAC address, name
// and slot.
func (n *Node) changeNIC(ctx context.Context, c virt.ChangeNIC, e *edit) error {
	nic, want := e.vm().NIC(c.NIC), e.want().NIC(c.NIC)
	mac := nic.MAC.Or("")
	edit := func(device *etree.Element) {
		if want.Network != nic.Network {
			connectTo(device, want.Network)
		}
		setLink(device, want.LinkUp)
	}
	if nic.In.Live {
		replug, err := n.updateLive(ctx, c.Ref.Name, nic.Name, mac, edit)
		if err != nil {
			return err
		}
		if replug != "" {
			if err := n.unplugLive(ctx, c.Ref.Name, fmt.Sprintf("NIC %q", nic.Name), byMAC(mac)); err != nil {
				return err
			}
			err := n.withDomain(ctx, fmt.Sprintf("attach NIC %q again", nic.Name), c.Ref.Name, func(_ *lv.Connect, d *lv.Domain) error {
				return d.AttachDeviceFlags(replug, lv.DOMAIN_DEVICE_MODIFY_LIVE)
			})
			if err != nil {
				return err
			}
		}
	}
	if !nic.In.Config {
		return nil
	}
	return n.withDomain(ctx, fmt.Sprintf("change NIC %q", nic.Name), c.Ref.Name, func(conn *lv.Connect, d *lv.Domain) error {
		device, err := deviceIn(d, false, byMAC(mac))
		if err != nil || device == nil {
			return err
		}
		edit(device)
		text, err := elementText(device)
		if err != nil {
			return err
		}
		err = d.UpdateDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_CONFIG)
		if !isCode(err, lv.ERR_NO_SUPPORT) {
			return err
		}
		_, err = redefine(conn, d, func(root *etree.Element) error {
			if device := findNIC(root, mac); device != nil {
				edit(device)
			}
			return nil
		})
		return err
	})
}

// updateLive changes an interface of the running VM (virDomainUpdateDeviceFlags).
// When libvirt cannot, replug is the device to plug in anew.
func (n *Node) updateLive(ctx context.Context, vm, name, mac string, edit func(*etree.Element)) (replug string, err error) {
	err = n.withDomain(ctx, fmt.Sprintf("change NIC %q", name), vm, func(_ *lv.Connect, d *lv.Domain) error {
		device, err := deviceIn(d, true, byMAC(mac))
		if err != nil || device == nil {
			return err
		}
		before := device.Copy()
		edit(device)
		if sameXML(before, device) {
			return nil
		}
		text, err := elementText(device)
		if err != nil {
			return err
		}
		err = d.UpdateDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_LIVE)
		if isCode(err, lv.ERR_CONFIG_UNSUPPORTED, lv.ERR_OPERATION_UNSUPPORTED, lv.ERR_ARGUMENT_UNSUPPORTED) {
			replug = text
			return nil
		}
		return err
	})
	return replug, err
}

// connectTo puts an interface on a libvirt network. What belongs to the old
// connection goes; libvirt fills in what belongs to the new one.
func connectTo(device *etree.Element, network string) {
	device.CreateAttr("type", "network")
	for _, tag := range []string{"source", "target", "virtualport", "vlan", "actual"} {
		if old := child(device, tag); old != nil {
			device.RemoveChild(old)
		}
	}
	device.CreateElement("source").CreateAttr("network", network)
}

// setLink switches the link. A link that is up is said only where it was down:
// it is so by itself.
func setLink(device *etree.Element, up bool) {
	link := child(device, "link")
	switch state := map[bool]string{true: "up", false: "down"}[up]; {
	case link != nil:
		link.CreateAttr("state", state)
	case !up:
		device.CreateElement("link").CreateAttr("state", state)
	}
}
