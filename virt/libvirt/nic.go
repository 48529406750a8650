//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// nicModels are the models of interfaces that QEMU has for guests of today.
var nicModels = []string{"virtio", "e1000", "e1000e", "rtl8139"}

// checkChangeNIC looks for the network that a NIC is to be moved to.
func (n *Node) checkChangeNIC(ctx context.Context, view virt.Reader, c virt.ChangeNIC) error {
	if model, ok := c.Model.Get(); ok && !slices.Contains(nicModels, model) {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("%q is no model of network interfaces that nactl gives", model),
			Wanted: strings.Join(nicModels, ", ")}
	}
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
		if want.Network != "" && !isConnected(device, want.Network, want.Profile) {
			connectTo(device, want.Network, want.Profile)
		}
		setModel(device, want.Model)
		setLink(device, want.LinkUp)
	}
	if nic.In.Live {
		live := edit
		if kept := want.Live; kept != nil { // what waits for a restart stays as it is
			live = func(device *etree.Element) { setLink(device, kept.LinkUp) }
		}
		if err := n.changeLive(ctx, e, *nic, *want, live); err != nil {
			return err
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

// changeLive changes an interface of the running VM. What the guest does not let go
// of is pending.
func (n *Node) changeLive(ctx context.Context, e *edit, nic, want virt.NIC, edit func(*etree.Element)) error {
	vm, mac, what := e.vm().Name, nic.MAC.Or(""), fmt.Sprintf("NIC %q", nic.Name)
	before, replug, err := n.updateLive(ctx, vm, nic.Name, mac, edit)
	if err != nil || replug == "" {
		return err
	}
	err = n.unplugLive(ctx, vm, what, byMAC(mac))
	if errors.Is(err, virt.ErrTimeout) {
		n.holding.remember(e.vm(), "nics."+nic.Name, want.State())
		n.notLive(e, "nics."+nic.Name)
		return nil
	}
	if err != nil {
		return err
	}
	attach := func(ctx context.Context, device string) error {
		return n.withDomain(ctx, "attach "+what+" again", vm, func(_ *lv.Connect, d *lv.Domain) error {
			return d.AttachDeviceFlags(device, lv.DOMAIN_DEVICE_MODIFY_LIVE)
		})
	}
	err = attach(ctx, replug)
	if err == nil || errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	// Better the old connection than none.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	if again := attach(back, before); again != nil {
		return fmt.Errorf("%w (and it could not be attached as before: %w)", err, again)
	}
	return err
}

// notLive makes pending what was to change in a device of the running VM. Where
// nothing else was to be done, nothing was changed.
func (n *Node) notLive(e *edit, device string) {
	var fields []virt.FieldChange
	for _, f := range e.out.Fields {
		if !strings.HasPrefix(f.Path, device+".") {
			fields = append(fields, f)
			continue
		}
		e.out.Pending = append(e.out.Pending, virt.Pending{Field: f.Path, Live: f.Before, Configured: f.After, Reason: guestHolds})
		if f.Note == "live" {
			continue // the definition is right already
		}
		f.Note = "pending: " + guestHolds
		fields = append(fields, f)
	}
	e.out.Fields = fields
	e.out.Changed = len(fields) > 0
}

// updateLive changes an interface of the running VM (virDomainUpdateDeviceFlags).
// When libvirt cannot, replug is the device to plug in anew, and before what it was.
func (n *Node) updateLive(ctx context.Context, vm, name, mac string, edit func(*etree.Element)) (before, replug string, err error) {
	err = n.withDomain(ctx, fmt.Sprintf("change NIC %q", name), vm, func(_ *lv.Connect, d *lv.Domain) error {
		device, err := deviceIn(d, true, byMAC(mac))
		if err != nil || device == nil {
			return err
		}
		old := device.Copy()
		edit(device)
		if sameXML(old, device) {
			return nil
		}
		text, err := elementText(device)
		if err != nil {
			return err
		}
		err = d.UpdateDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_LIVE)
		if isCode(err, lv.ERR_CONFIG_UNSUPPORTED, lv.ERR_OPERATION_UNSUPPORTED, lv.ERR_ARGUMENT_UNSUPPORTED) {
			asDefined(old)
			asDefined(device)
			if before, err = elementText(old); err != nil {
				return err
			}
			replug, err = elementText(device)
		}
		return err
	})
	return before, replug, err
}

// asDefined makes an interface of a running VM, which shows what its network came
// to, one that names the network again.
func asDefined(device *etree.Element) {
	if s := child(device, "source"); s != nil && s.SelectAttrValue("network", "") != "" {
		connectTo(device, s.SelectAttrValue("network", ""), s.SelectAttrValue("portgroup", ""))
	}
}

// isConnected tells whether an interface is on a libvirt network, and in a
// portgroup of it.
func isConnected(device *etree.Element, network, group string) bool {
	s := child(device, "source")
	return s != nil && s.SelectAttrValue("network", "") == network && s.SelectAttrValue("portgroup", "") == group
}

// connectTo puts an interface on a libvirt network. What belongs to the old
// connection goes; libvirt fills in what belongs to the new one.
func connectTo(device *etree.Element, network, group string) {
	device.CreateAttr("type", "network")
	for _, tag := range []string{"source", "target", "virtualport", "vlan", "actual"} {
		if old := child(device, tag); old != nil {
			device.RemoveChild(old)
		}
	}
	source := device.CreateElement("source")
	source.CreateAttr("network", network)
	if group != "" {
		source.CreateAttr("portgroup", group)
	}
}

// setModel makes an interface another model, which may want another slot.
func setModel(device *etree.Element, model string) {
	m := child(device, "model")
	if model == "" || m != nil && m.SelectAttrValue("type", "") == model {
		return
	}
	if m == nil {
		m = device.CreateElement("model")
	}
	m.CreateAttr("type", model)
	if address := child(device, "address"); address != nil {
		device.RemoveChild(address)
	}
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
