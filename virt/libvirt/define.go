//go:build cgo

package libvirt

import (
	"context"
	"strconv"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// redefine edits a domain's stored definition: change gets the XML with its
// secrets and returns it edited. What it does not touch stays as it is. libvirt
// checks the result against its schema (virDomainDefineXMLFlags).
func (n *Node) redefine(ctx context.Context, op, vm string, change func(xml string) (string, error)) error {
	return n.withDomain(ctx, op, vm, func(c *lv.Connect, d *lv.Domain) error {
		xml, err := storedXML(d)
		if err != nil {
			return err
		}
		edited, err := change(xml)
		if err != nil {
			return &virt.Error{Kind: virt.ErrInvalid, Object: virt.VMRef(vm), Summary: "cannot " + op, Err: err}
		}
		return define(c, edited)
	})
}

// withCPU writes number and topology of the CPUs into a definition.
func withCPU(xml string, cpu virt.CPU) (string, error) {
	doc, root, err := domainTree(xml)
	if err != nil {
		return "", err
	}
	vcpu := ensureChild(root, "vcpu")
	vcpu.SetText(strconv.Itoa(cpu.Max))
	vcpu.RemoveAttr("current")
	if cpu.Count != cpu.Max {
		vcpu.CreateAttr("current", strconv.Itoa(cpu.Count))
	}
	if list := child(root, "vcpus"); list != nil {
		// It says the same of each CPU; libvirt makes it anew from the numbers.
		root.RemoveChild(list)
	}
	if cpu.Topology == (virt.Topology{}) {
		if t := child(root, "cpu", "topology"); t != nil {
			t.Parent().RemoveChild(t)
		}
		return doc.WriteToString()
	}
	t := ensureChild(root, "cpu", "topology")
	for _, a := range []string{"dies", "clusters"} {
		t.RemoveAttr(a)
	}
	t.CreateAttr("sockets", strconv.Itoa(cpu.Topology.Sockets))
	t.CreateAttr("cores", strconv.Itoa(cpu.Topology.Cores))
	t.CreateAttr("threads", strconv.Itoa(cpu.Topology.Threads))
	return doc.WriteToString()
}

// withBoot writes the order of boot devices into a definition: by classes, as
// virt has it. An order that single devices had gives way, for libvirt takes
// only one of the two.
func withBoot(xml string, boot []string) (string, error) {
	doc, root, err := domainTree(xml)
	if err != nil {
		return "", err
	}
	if list := child(root, "devices"); list != nil {
		for _, d := range list.ChildElements() {
			if b := child(d, "boot"); b != nil {
				d.RemoveChild(b)
			}
		}
	}
	os := ensureChild(root, "os")
	for _, b := range os.SelectElements("boot") {
		os.RemoveChild(b)
	}
	for _, class := range boot {
		os.CreateElement("boot").CreateAttr("dev", class)
	}
	return doc.WriteToString()
}
