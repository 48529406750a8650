//go:build cgo

package libvirt

import (
	"context"
	"fmt"
	"path"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// renameVM gives a stopped VM another name (virDomainRename). Its volumes and the file
// of its UEFI variables keep theirs, for the definition names each of them.
func (n *Node) renameVM(ctx context.Context, c virt.RenameVM) error {
	return n.withDomain(ctx, "rename it", c.Ref.Name, func(_ *lv.Connect, d *lv.Domain) error {
		return d.Rename(c.To, 0)
	})
}

// checkRename looks for what libvirt renames no VM for: a VM of that name, and
// snapshots, whose files and descriptions go by the VM's.
func (n *Node) checkRename(ctx context.Context, view virt.Reader, c virt.RenameVM) error {
	if err := virt.CheckRename(ctx, view, c); err != nil {
		return err
	}
	all, err := view.Snapshots(ctx, c.Ref.Name)
	if err != nil || len(all) == 0 {
		return err
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "cannot be renamed on a libvirt node while it has snapshots",
		Wanted: "no snapshots", Found: fmt.Sprintf("%d, among them %q", len(all), all[0].Name), Hint: "delete them before, with delete_snapshot"}
}

// predictNames names the disks of a renamed VM as a read would: those without a name
// in the definition go by the VM's. The file with its UEFI variables goes on by the
// old name, which a new VM would give its own.
func predictNames(before, after *virt.VM, out *virt.Outcome) {
	if before.Name == after.Name {
		return
	}
	root, err := domainElement(before.Native)
	if err != nil {
		return // of a VM that is only planned: its disks have names
	}
	if file := variablesOf(root); path.Base(file) == variablesFile(before.Name) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("its UEFI variables stay in %s: no VM with UEFI can be called %s on this node any more", file, before.Name))
	}
	named := map[string]bool{}
	for _, e := range root.FindElements("./devices/disk") {
		named[attr(e, "target", "dev")] = deviceName(e) != ""
	}
	for i := range after.Disks {
		if k := &after.Disks[i]; !named[k.Target] {
			k.Name = diskName(after.Name, *k)
		}
	}
}

// variablesOf gives the file with a domain's UEFI variables; empty where it has none.
func variablesOf(domain *etree.Element) string {
	if n := child(domain, "os", "nvram"); n != nil {
		return n.Text()
	}
	return ""
}

// variablesFile is what libvirt calls the file with the UEFI variables of a VM that it
// gives some.
func variablesFile(vm string) string { return vm + "_VARS.fd" }

// variables refuses a name whose UEFI variables another VM has, which was called
// so once: both would write to one file.
func (k *creationCheck) variables() {
	if k.vm.Firmware != "efi" {
		return
	}
	vms, err := k.view.VMs(k.ctx)
	if err != nil {
		k.add(err)
		return
	}
	for _, other := range vms {
		root, err := domainElement(other.Native)
		if err != nil || other.Name == k.vm.Name {
			continue
		}
		if file := variablesOf(root); path.Base(file) == variablesFile(k.vm.Name) {
			k.add(&virt.Error{Kind: virt.ErrConflict, Object: k.vm.Ref(), Summary: "cannot be called so with UEFI: another VM has the variables that it would get",
				Found: other.Ref().String() + ", " + file, Hint: "choose another name; that VM was called so once"})
		}
	}
}
