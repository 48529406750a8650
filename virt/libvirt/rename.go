//go:build cgo

package libvirt

import (
	"context"
	"fmt"

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
// in the definition go by the VM's.
func predictNames(before, after *virt.VM) {
	if before.Name == after.Name {
		return
	}
	root, err := domainElement(before.Native)
	if err != nil {
		return // of a VM that is only planned: its disks have names
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
