//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// A VM whose disks are copied arrives with a mark in its definition that says
// where from. It goes when the originals and the markers of the copies are gone;
// so a run that dies in between is finished by a later one.
const (
	arrivalNS     = "https://nactl.dev/xmlns/move/1"
	arrivalPrefix = "nactlmove"
	arrivalTag    = "arrived"
)

// markArrival marks a domain that is to arrive from a node.
func markArrival(text, from string) (string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return "", fmt.Errorf("domain XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "domain" {
		return "", errors.New("domain XML from libvirt: there is no <domain> in it")
	}
	meta := root.SelectElement("metadata")
	if meta == nil {
		meta = root.CreateElement("metadata")
	}
	for _, old := range meta.ChildElements() {
		if old.Tag == arrivalTag && old.NamespaceURI() == arrivalNS {
			meta.RemoveChild(old)
		}
	}
	mark := meta.CreateElement(arrivalPrefix + ":" + arrivalTag)
	mark.CreateAttr("xmlns:"+arrivalPrefix, arrivalNS)
	mark.CreateAttr("from", from)
	return doc.WriteToString()
}

// unmarkArrival takes the mark off.
func (n *Node) unmarkArrival(ctx context.Context, vm string) error {
	defer n.Forget(virt.VMRef(vm))
	return n.withDomain(ctx, "note that the move is over", vm, func(_ *lv.Connect, d *lv.Domain) error {
		var impact lv.DomainModificationImpact
		active, err := d.IsActive()
		if err != nil {
			return err
		}
		persistent, err := d.IsPersistent()
		if err != nil {
			return err
		}
		if active {
			impact |= lv.DOMAIN_AFFECT_LIVE
		}
		if persistent {
			impact |= lv.DOMAIN_AFFECT_CONFIG
		}
		err = d.SetMetadata(lv.DOMAIN_METADATA_ELEMENT, "", arrivalPrefix, arrivalNS, impact)
		if isCode(err, lv.ERR_NO_DOMAIN_METADATA) {
			return nil
		}
		return err
	})
}

// tidy makes the copies the VM's only volumes, and takes the mark off. Where it
// fails, the mark stays and a later run goes on from there.
func (m *move) tidy(ctx context.Context, copies *diskCopies) error {
	if err := copies.keep(ctx); err != nil {
		return err
	}
	return m.to.unmarkArrival(ctx, m.vm.Name)
}

// finishArrival ends a move of which a run that broke off has left the originals
// or the markers. The caller has the lock on the VM, which is on node to.
func finishArrival(ctx context.Context, from, to *Node, vm *virt.VM) error {
	m := &move{from: from, to: to, vm: vm}
	copies := &diskCopies{from: from, to: to, vm: vm.Name}
	for _, k := range vm.Disks {
		if k.Storage == "" || k.Volume == "" {
			continue
		}
		exists, marked, err := to.volumeState(ctx, k.Storage, k.Volume)
		if err != nil {
			return err
		}
		if exists && marked {
			copies.disks = append(copies.disks, k)
		}
	}
	m.plan.copied = copies.disks
	defer m.forget()
	return m.tidy(ctx, copies)
}
