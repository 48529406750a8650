//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// setCPU changes the number of CPUs (virDomainSetVcpusFlags), and the topology
// in the definition, since no call changes that.
func (n *Node) setCPU(ctx context.Context, e *edit) error {
	now, want := e.vm(), e.want()
	if e.changes("cpu.topology") && now.CPU.Topology != want.CPU.Topology {
		if err := n.redefine(ctx, "set the CPU topology", now.Name, func(xml string) (string, error) {
			return withCPU(xml, want.CPU)
		}); err != nil {
			return err
		}
	} else if err := n.configureCPU(ctx, now, want); err != nil {
		return err
	}
	if now.Live == nil || now.Live.CPU.Count == want.Live.CPU.Count {
		return nil
	}
	err := n.longDomain(ctx, "set the running VM's CPUs", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.SetVcpusFlags(uint(want.Live.CPU.Count), lv.DOMAIN_VCPU_LIVE)
	}, nil)
	if err != nil && want.Live.CPU.Count < now.Live.CPU.Count && refused(err) {
		notYet(e, "cpu.count", now.Live.CPU.Count, want.CPU.Count, "after a restart: the guest did not give a CPU back", err)
		return nil
	}
	return err
}

// configureCPU sets count and maximum in the stored configuration, in the order
// that keeps the count below the maximum all the time.
func (n *Node) configureCPU(ctx context.Context, now, want *virt.VM) error {
	return n.withDomain(ctx, "set the CPUs", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		setMax := func() error {
			if now.CPU.Max == want.CPU.Max {
				return nil
			}
			return d.SetVcpusFlags(uint(want.CPU.Max), lv.DOMAIN_VCPU_CONFIG|lv.DOMAIN_VCPU_MAXIMUM)
		}
		if want.CPU.Max > now.CPU.Max {
			if err := setMax(); err != nil {
				return err
			}
		}
		if now.CPU.Count != want.CPU.Count {
			if err := d.SetVcpusFlags(uint(want.CPU.Count), lv.DOMAIN_VCPU_CONFIG); err != nil {
				return err
			}
		}
		if want.CPU.Max < now.CPU.Max {
			return setMax()
		}
		return nil
	})
}

// setMemory changes the memory (virDomainSetMemoryFlags). The running guest
// gives or takes memory by its balloon driver, in its own time.
func (n *Node) setMemory(ctx context.Context, e *edit) error {
	now, want := e.vm(), e.want()
	err := n.withDomain(ctx, "set the memory", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		setMax := func() error {
			if now.Memory.Max == want.Memory.Max {
				return nil
			}
			return d.SetMemoryFlags(uint64(want.Memory.Max/virt.KiB), lv.DOMAIN_MEM_CONFIG|lv.DOMAIN_MEM_MAXIMUM)
		}
		if want.Memory.Max > now.Memory.Max {
			if err := setMax(); err != nil {
				return err
			}
		}
		if now.Memory.Current != want.Memory.Current {
			if err := d.SetMemoryFlags(uint64(want.Memory.Current/virt.KiB), lv.DOMAIN_MEM_CONFIG); err != nil {
				return err
			}
		}
		if want.Memory.Max < now.Memory.Max {
			return setMax()
		}
		return nil
	})
	if err != nil || now.Live == nil || now.Live.Memory.Current == want.Live.Memory.Current {
		return err
	}
	target := want.Live.Memory.Current
	err = n.withDomain(ctx, "set the running VM's memory", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.SetMemoryFlags(uint64(target/virt.KiB), lv.DOMAIN_MEM_LIVE)
	})
	if err != nil {
		return err
	}
	return n.waitBalloon(ctx, e, target)
}

// notYet makes a field of the outcome pending.
func notYet(e *edit, field string, live, configured any, reason string, err error) {
	if err != nil {
		var le lv.Error
		if errors.As(err, &le) {
			reason = fmt.Sprintf("%s (%s)", reason, le.Message)
		}
	}
	e.out.Pending = append(e.out.Pending, virt.Pending{Field: field, Live: live, Configured: configured, Reason: reason})
}

// refused tells whether libvirt answered, and the answer was no.
func refused(err error) bool {
	var le lv.Error
	return errors.As(err, &le) && !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrUnreachable)
}

// setVM changes descriptive settings: title, description and metadata by typed
// calls (virDomainSetMetadata, virDomainSetAutostart), the rest in the
// definition.
func (n *Node) setVM(ctx context.Context, c virt.SetVM, e *edit) error {
	now, want := e.vm(), e.want()
	err := n.withDomain(ctx, "change the VM's settings", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		if now.Title != want.Title {
			if err := d.SetMetadata(lv.DOMAIN_METADATA_TITLE, want.Title, "", "", impact(now)); err != nil {
				return err
			}
		}
		if now.Description != want.Description {
			if err := d.SetMetadata(lv.DOMAIN_METADATA_DESCRIPTION, want.Description, "", "", impact(now)); err != nil {
				return err
			}
		}
		if now.Autostart != want.Autostart {
			if err := d.SetAutostart(want.Autostart); err != nil {
				return err
			}
		}
		for k := range c.Metadata {
			if e.changes("metadata." + k) {
				return setOwnMetadata(d, now, vmMetadata{unfinished: now.Unfinished, entries: want.Metadata})
			}
		}
		return nil
	})
	if err != nil || !e.changes("boot") && !e.changes("libvirt") {
		return err
	}
	return n.redefine(ctx, "define the VM", now.Name, func(xml string) (string, error) {
		if e.changes("boot") {
			var err error
			if xml, err = withBoot(xml, want.Boot); err != nil {
				return "", err
			}
		}
		overlay, ok := c.LibvirtXML.Get()
		if !ok {
			return xml, nil
		}
		merged, _, err := mergeOverlay(xml, overlay)
		return merged, err
	})
}

// finishVM takes the unfinished mark off.
func (n *Node) finishVM(ctx context.Context, e *edit) error {
	now := e.vm()
	return n.withDomain(ctx, "finish the VM", now.Name, func(_ *lv.Connect, d *lv.Domain) error {
		return setOwnMetadata(d, now, vmMetadata{entries: now.Metadata})
	})
}

// setOwnMetadata writes what nactl keeps in a domain; the metadata of others is
// not touched.
func setOwnMetadata(d *lv.Domain, now *virt.VM, m vmMetadata) error {
	body := ""
	if m.unfinished != "" || len(m.entries) > 0 {
		body = m.element()
	}
	return d.SetMetadata(lv.DOMAIN_METADATA_ELEMENT, body, metadataPrefix, metadataNS, impact(now))
}

// impact is where a typed call has to make its change.
func impact(vm *virt.VM) lv.DomainModificationImpact {
	if vm.State.IsLive() {
		return lv.DOMAIN_AFFECT_LIVE | lv.DOMAIN_AFFECT_CONFIG
	}
	return lv.DOMAIN_AFFECT_CONFIG
}
