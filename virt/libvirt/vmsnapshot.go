//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// Snapshots reads the snapshots of a VM. libvirt's have no id: their names are
// unique.
func (n *Node) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	now, err := n.VM(ctx, vm)
	if err != nil {
		return nil, err
	}
	var out []*virt.Snapshot
	err = n.readDomain(ctx, "read the snapshots", vm, func(_ *lv.Connect, d *lv.Domain) error {
		out = nil // of a first try
		all, err := d.ListAllSnapshots(0)
		if err != nil {
			return err
		}
		for i := range all {
			defer all[i].Free()
		}
		for i := range all {
			s, err := readSnapshot(&all[i], now)
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b *virt.Snapshot) int {
		return cmp.Or(a.Created.Or(time.Time{}).Compare(b.Created.Or(time.Time{})), cmp.Compare(a.Name, b.Name))
	})
	return out, err
}

func readSnapshot(from *lv.DomainSnapshot, vm *virt.VM) (*virt.Snapshot, error) {
	text, err := from.GetXMLDesc(0)
	if err != nil {
		return nil, err
	}
	current, err := from.IsCurrent(0)
	if err != nil {
		return nil, err
	}
	s, err := convSnapshot(text, vm)
	if err == nil {
		s.Current = current
	}
	return s, err
}

func convSnapshot(text string, vm *virt.VM) (*virt.Snapshot, error) {
	var x libvirtxml.DomainSnapshot
	if err := x.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("the definition of a snapshot: %w", err)
	}
	s := &virt.Snapshot{VM: vm.Name, Name: x.Name, Description: x.Description, State: virt.SnapshotOK, Memory: virt.Some(false), Parent: virt.Some("")}
	if x.Memory != nil {
		s.Memory = virt.Some(x.Memory.Snapshot != "no")
	}
	if x.Parent != nil {
		s.Parent = virt.Some(x.Parent.Name)
	}
	if at, err := strconv.ParseInt(x.CreationTime, 10, 64); err == nil {
		s.Created = virt.Some(time.Unix(at, 0).UTC())
	}
	disks := []string{}
	if x.Disks != nil {
		for _, k := range x.Disks.Disks {
			if k.Snapshot == "no" {
				continue
			}
			s.External = s.External || k.Snapshot == "external"
			name := k.Name
			if have := vm.Disk(name); have != nil {
				name = have.Name
			}
			disks = append(disks, name)
		}
	}
	s.Disks = virt.Some(disks)
	return s, nil
}

// snapshotXML is what a new snapshot is asked for with; what it leaves out is
// libvirt's default: inside the disks' own images, of a running VM with memory.
type snapshotXML struct {
	XMLName     xml.Name           `xml:"domainsnapshot"`
	Name        string             `xml:"name"`
	Description string             `xml:"description,omitempty"`
	Memory      *snapshotMemoryXML `xml:"memory"`
	Disks       []snapshotDiskXML  `xml:"disks>disk"`
}

type snapshotMemoryXML struct {
	Snapshot string `xml:"snapshot,attr"`
}

type snapshotDiskXML struct {
	Name     string   `xml:"name,attr"`
	Snapshot string   `xml:"snapshot,attr"`
	Driver   *typeXML `xml:"driver"`
	Source   *fileXML `xml:"source"`
}

type typeXML struct {
	Type string `xml:"type,attr"`
}

type fileXML struct {
	File string `xml:"file,attr"`
}

func (x snapshotXML) text() (string, error) {
	out, err := xml.Marshal(x)
	return string(out), err
}

// createSnapshot makes a snapshot inside the VM's images. The guest of a running
// VM stands still while its memory is written.
func (n *Node) createSnapshot(ctx context.Context, c virt.CreateSnapshot, e *edit) error {
	if c.External {
		return n.createExternal(ctx, c, e)
	}
	text, err := snapshotXML{Name: c.Ref.Name, Description: c.Description}.text()
	if err != nil {
		return err
	}
	return n.longDomain(ctx, "make a snapshot", c.Ref.Scope, func(_ *lv.Connect, d *lv.Domain) error {
		s, err := d.CreateSnapshotXML(text, 0)
		if err != nil {
			return err
		}
		return s.Free()
	}, nil)
}

// deleteSnapshot removes a snapshot; those made after it stay.
func (n *Node) deleteSnapshot(ctx context.Context, ref virt.Ref, e *edit) error {
	if s, ok := e.now.(*virt.Snapshot); ok && s.External {
		return n.deleteExternal(ctx, ref, e)
	}
	err := n.longSnapshot(ctx, "delete a snapshot", ref, func(s *lv.DomainSnapshot) error { return s.Delete(0) })
	switch {
	case isMissing(err, ref):
		return nil
	case isCode(err, lv.ERR_OPERATION_INVALID, lv.ERR_OPERATION_UNSUPPORTED, lv.ERR_CONFIG_UNSUPPORTED, lv.ERR_OPERATION_FAILED, lv.ERR_INTERNAL_ERROR):
		all, _, layersErr := n.layers(ctx, ref.Scope)
		if layersErr == nil && len(all) > 0 {
			return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("cannot be deleted while snapshot %q lies over the images that hold it", all[len(all)-1].snapshot),
				Err: message(err), Hint: "delete that one first, with delete_snapshot"}
		}
	}
	return err
}

// revertSnapshot brings a VM back to a snapshot. With memory it then runs, or is
// paused, as it did; without, it is stopped, unless it is to be started.
func (n *Node) revertSnapshot(ctx context.Context, c virt.RevertSnapshot) error {
	ref := virt.SnapshotRef(c.Ref.Name, c.Snapshot)
	err := n.longSnapshot(ctx, "go back to a snapshot", ref, func(s *lv.DomainSnapshot) error { return s.RevertToSnapshot(0) })
	if err != nil || !c.Start {
		return err
	}
	n.Forget(c.Ref)
	vm, err := n.VM(ctx, c.Ref.Name)
	if err != nil || vm.State == virt.Running {
		return err
	}
	return n.start(ctx, &edit{now: vm})
}

func (n *Node) longSnapshot(ctx context.Context, op string, ref virt.Ref, fn func(s *lv.DomainSnapshot) error) error {
	err := n.longDomain(ctx, op, ref.Scope, func(_ *lv.Connect, d *lv.Domain) error {
		s, err := d.SnapshotLookupByName(ref.Name, 0)
		if err != nil {
			return err
		}
		defer s.Free()
		return fn(s)
	}, nil)
	switch {
	case isCode(err, lv.ERR_NO_DOMAIN_SNAPSHOT):
		return virt.NotFound(ref, "make it with create_snapshot, or check its name")
	case isCode(err, lv.ERR_SNAPSHOT_REVERT_RISKY):
		return &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(ref.Scope), Summary: "cannot go back to a snapshot while it runs: it is too different",
			Err: err, Hint: "stop it before, with power: {vm: " + ref.Scope + ", state: stopped}"}
	}
	return err
}

// checkCreateSnapshot looks whether a VM's disks can hold a snapshot.
func (n *Node) checkCreateSnapshot(ctx context.Context, view virt.Reader, c virt.CreateSnapshot) error {
	vm, err := view.VM(ctx, c.Ref.Scope)
	if err != nil {
		return err
	}
	if c.External {
		return errors.Join(n.checkExternal(vm, c)...)
	}
	var errs []error
	if c.Quiesce.Or(false) {
		errs = append(errs, &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "cannot be made with quiesce: a snapshot inside the images holds the guest still by itself",
			Hint: "leave quiesce out, or write external: true"})
	}
	if with, ok := c.Memory.Get(); ok && !with && vm.State.IsLive() {
		errs = append(errs, &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "cannot be made without memory on a node while the VM is " + string(vm.State),
			Hint: "leave memory out, write external: true, or stop the VM before"})
	}
	holds := false
	for _, k := range vm.Disks {
		if k.Device != "disk" || k.ReadOnly {
			continue // what nobody writes to needs no way back
		}
		holds = true
		if k.Format != "" && k.Format != "qcow2" {
			errs = append(errs, &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref,
				Summary: fmt.Sprintf("cannot be made: disk %q is %s, which holds no snapshots", k.Name, k.Format), Wanted: "qcow2", Found: k.Format,
				Hint: "make the VM's disks as qcow2; one that is there is converted with qemu-img while the VM is stopped"})
		}
	}
	if !holds {
		errs = append(errs, &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "cannot be made: the VM has no disk that could hold it",
			Hint: "attach a disk of format qcow2"})
	}
	return errors.Join(errs...)
}

func (n *Node) checkRevertSnapshot(ctx context.Context, view virt.Reader, c virt.RevertSnapshot) error {
	all, err := view.Snapshots(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	s, err := virt.FindSnapshot(all, c.Ref.Name, c.Snapshot)
	if err != nil || !s.External {
		return err
	}
	var version uint32
	err = n.read(ctx, "ask for libvirt's version", func(conn *lv.Connect) (err error) {
		version, err = conn.GetLibVersion()
		return err
	})
	if err != nil || version >= revertsExternal {
		return err
	}
	return &virt.Error{Kind: virt.ErrUnsupported, Object: s.Ref(), Summary: "cannot be gone back to: it is external, and only libvirt 9.9 and later go back to those",
		Found: fmt.Sprintf("libvirt %d.%d.%d", version/1e6, version/1e3%1e3, version%1e3),
		Hint:  "stop the VM, note its disks with vm_facts, and have each start from the image below: detach_disk, then attach_disk with that volume; the next time make a snapshot without external"}
}

// revertsExternal is the first version of libvirt that goes back to external
// snapshots, as it counts them.
const revertsExternal = 9_009_000
