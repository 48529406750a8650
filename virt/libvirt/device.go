//go:build cgo

package libvirt

import (
	"context"
	"fmt"
	"time"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// detachPatience is how long a guest has to let go of a device. Only tests change
// it.
var detachPatience = 60 * time.Second

// How often a guest is asked: one that is just booting, or has no driver yet,
// loses the request.
const (
	detachRepeat = 10 * time.Second
	detachLook   = time.Second // where no event tells
)

// plug attaches a device to the running VM, to the stored definition, or to both
// (virDomainAttachDeviceFlags).
func plug(c *lv.Connect, d *lv.Domain, device string, in virt.Presence) error {
	flags := lv.DomainDeviceModifyFlags(0)
	if in.Live {
		flags |= lv.DOMAIN_DEVICE_MODIFY_LIVE
	}
	if in.Config {
		flags |= lv.DOMAIN_DEVICE_MODIFY_CONFIG
	}
	err := d.AttachDeviceFlags(device, flags)
	if !isCode(err, lv.ERR_NO_SUPPORT) || in.Live {
		return err
	}
	// The driver knows no device calls, only definitions.
	added, err := deviceTree(device)
	if err != nil {
		return err
	}
	_, err = redefine(c, d, func(root *etree.Element) error {
		addLike(ensureChild(root, "devices"), added)
		return nil
	})
	return err
}

func deviceTree(text string) (*etree.Element, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return nil, fmt.Errorf("device XML: %w", err)
	}
	return doc.Root(), nil
}

// finder finds a device below <domain>; nil when it is not there.
type finder func(root *etree.Element) *etree.Element

// deviceIn finds a device in the live XML or the stored definition.
func deviceIn(d *lv.Domain, live bool, find finder) (*etree.Element, error) {
	flags := lv.DOMAIN_XML_SECURE
	if !live {
		flags |= lv.DOMAIN_XML_INACTIVE
	}
	text, err := d.GetXMLDesc(flags)
	if err != nil {
		return nil, err
	}
	_, root, err := domainTree(text)
	if err != nil {
		return nil, err
	}
	return find(root), nil
}

// present brings a device that the VM has in one place only into the other.
func (n *Node) present(ctx context.Context, vm string, have virt.Presence, find finder) error {
	return n.withDomain(ctx, "attach the device", vm, func(c *lv.Connect, d *lv.Domain) error {
		e, err := deviceIn(d, have.Live, find)
		if err != nil || e == nil {
			return err
		}
		if have.Live {
			// What the running QEMU was given is not for the definition.
			for _, tag := range []string{"address", "backingStore", "target"} {
				if x := child(e, tag); x != nil && (tag != "target" || e.Tag == "interface") {
					e.RemoveChild(x)
				}
			}
			if s := child(e, "source"); s != nil {
				for _, runtime := range []string{"index", "portid", "bridge"} {
					if runtime != "bridge" || s.SelectAttr("network") != nil {
						s.RemoveAttr(runtime)
					}
				}
			}
		}
		text, err := elementText(e)
		if err != nil {
			return err
		}
		return plug(c, d, text, virt.Presence{Live: !have.Live, Config: !have.Config})
	})
}

// canLetGo refuses to take a device from a guest that stands still.
func canLetGo(vm *virt.VM, what string, in virt.Presence) error {
	if !in.Live || vm.State == virt.Running {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: vm.Ref(), Summary: "is " + string(vm.State) + ", so its guest cannot let go of " + what,
		Hint: "let it run, or stop it, and try again"}
}

// unplug takes a device away: first from the running VM, waiting until the guest
// has let go of it, then from the stored definition. When the guest does not let
// go, the definition keeps the device, and the error is ErrTimeout.
func (n *Node) unplug(ctx context.Context, vm, what string, in virt.Presence, find finder) error {
	if in.Live {
		if err := n.unplugLive(ctx, vm, what, find); err != nil {
			return err
		}
	}
	return n.withDomain(ctx, "detach "+what, vm, func(c *lv.Connect, d *lv.Domain) error {
		e, err := deviceIn(d, false, find)
		if err != nil || e == nil {
			return err
		}
		text, err := elementText(e)
		if err != nil {
			return err
		}
		err = d.DetachDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_CONFIG)
		if !isCode(err, lv.ERR_NO_SUPPORT) {
			return err
		}
		_, err = redefine(c, d, func(root *etree.Element) error {
			if e := find(root); e != nil {
				e.Parent().RemoveChild(e)
			}
			return nil
		})
		return err
	})
}

// unplugLive asks the guest to let go of a device, and waits until it has.
func (n *Node) unplugLive(ctx context.Context, vm, what string, find finder) error {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	events := n.Watch(watch, vm)
	look := time.NewTicker(detachLook)
	defer look.Stop()
	began := time.Now()
	var asked time.Time
	for {
		again := asked.IsZero() || time.Since(asked) > detachRepeat
		gone, err := n.askToLetGo(ctx, vm, what, again, !asked.IsZero(), find)
		if err != nil || gone {
			return err
		}
		if again {
			asked = time.Now()
		}
		if time.Since(began) > detachPatience {
			return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(vm), Summary: fmt.Sprintf("its guest did not let go of %s in %s", what, detachPatience),
				Hint: "see whether the guest uses it (unmount it there) and run again, or stop the VM first"}
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the guest to let go of " + what})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-events:
		case <-look.C:
		}
	}
}

// askToLetGo tells whether a device is gone, and asks for it when ask is set.
// again says that this was done before.
func (n *Node) askToLetGo(ctx context.Context, vm, what string, ask, again bool, find finder) (gone bool, err error) {
	err = n.withDomain(ctx, "detach "+what, vm, func(_ *lv.Connect, d *lv.Domain) error {
		on, err := d.IsActive()
		if err != nil {
			return err
		}
		if !on {
			gone = true // it was stopped meanwhile
			return nil
		}
		e, err := deviceIn(d, true, find)
		if err != nil {
			return err
		}
		if gone = e == nil; gone || !ask {
			return nil
		}
		text, err := elementText(e)
		if err != nil {
			return err
		}
		err = d.DetachDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_LIVE)
		if again || isCode(err, lv.ERR_DEVICE_MISSING) {
			return nil // QEMU refuses a second request while the first is under way
		}
		return err
	})
	return gone, err
}
