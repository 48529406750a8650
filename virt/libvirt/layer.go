//go:build cgo

package libvirt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// An external snapshot leaves a disk's image as it is and has the VM write into a
// further one, laid over it. To delete the snapshot is to write the upper image
// into the lower one.

// layer is what an external snapshot did to one disk.
type layer struct {
	snapshot string
	target   string // the disk, by its device
	over     string // path of the image that was made
	under    string // path of the one that the snapshot holds
}

// layersOf reads what a snapshot did, from its definition; none of an internal one.
func layersOf(definition string) ([]layer, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(definition); err != nil {
		return nil, fmt.Errorf("the definition of a snapshot: %w", err)
	}
	root := doc.Root()
	if root == nil {
		return nil, errors.New("the definition of a snapshot is empty")
	}
	under := map[string]string{}
	for _, k := range root.FindElements("./domain/devices/disk") {
		if s := k.SelectElement("source"); s != nil {
			under[attr(k, "target", "dev")] = s.SelectAttrValue("file", s.SelectAttrValue("dev", ""))
		}
	}
	var out []layer
	for _, k := range root.FindElements("./disks/disk") {
		target := k.SelectAttrValue("name", "")
		if k.SelectAttrValue("snapshot", "") == "external" {
			out = append(out, layer{snapshot: text(root, "name"), target: target, over: attr(k, "source", "file"), under: under[target]})
		}
	}
	return out, nil
}

// unsafeInName is what a file is not called after.
var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// layerFile gives the path of the image that a snapshot is to lay over a disk's.
func layerFile(vm string, k virt.Disk, snapshot string) string {
	short := strings.Trim(unsafeInName.ReplaceAllString(snapshot, "-"), "-")
	if short != snapshot {
		sum := sha256.Sum256([]byte(snapshot)) // so that two names stay two
		short = strings.TrimLeft(short+"-"+hex.EncodeToString(sum[:3]), "-")
	}
	return path.Join(path.Dir(k.Path.Or("")), vm+"-"+k.Name+"."+short+".qcow2")
}

// createExternal makes a snapshot beside the VM's images. The guest's file systems
// stand still for that moment when its agent can bring that about: without, they
// are as after a power cut.
func (n *Node) createExternal(ctx context.Context, c virt.CreateSnapshot, e *edit) error {
	n.Forget(virt.VMRef(c.Ref.Scope))
	vm, err := n.VM(ctx, c.Ref.Scope)
	if err != nil {
		return err
	}
	x := snapshotXML{Name: c.Ref.Name, Description: c.Description, Memory: &snapshotMemoryXML{"no"}}
	for _, k := range vm.Disks {
		d := snapshotDiskXML{Name: k.Target, Snapshot: "no"}
		if isKept(k) {
			d.Snapshot, d.Driver, d.Source = "external", &typeXML{"qcow2"}, &fileXML{layerFile(vm.Name, k, c.Ref.Name)}
		}
		x.Disks = append(x.Disks, d)
	}
	text, err := x.text()
	if err != nil {
		return err
	}
	defer n.seeLayers(ctx, vm)
	flags := lv.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | lv.DOMAIN_SNAPSHOT_CREATE_ATOMIC
	create := func(flags lv.DomainSnapshotCreateFlags) error {
		return n.longDomain(ctx, "make a snapshot", vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
			s, err := d.CreateSnapshotXML(text, flags)
			if err != nil {
				return err
			}
			return s.Free()
		}, nil)
	}
	if vm.Agent != virt.AgentConnected || vm.State != virt.Running || !c.Quiesce.Or(true) {
		return create(flags)
	}
	err = create(flags | lv.DOMAIN_SNAPSHOT_CREATE_QUIESCE)
	if err == nil || c.Quiesce.IsSet() || ctx.Err() != nil || errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	e.out.Warnings = append(e.out.Warnings, fmt.Sprintf("the guest's file systems could not be made to stand still, so the snapshot is as after a power cut: %v", err))
	return create(flags)
}

// seeLayers has the pools notice the images that were made in them past them. That
// nobody can look at a pool for now does no harm: what misses a volume looks again.
func (n *Node) seeLayers(ctx context.Context, vm *virt.VM) {
	n.Forget(vm.Ref())
	var seen []string
	for _, k := range vm.Disks {
		if k.Storage == "" || !isKept(k) || slices.Contains(seen, k.Storage) {
			continue
		}
		seen = append(seen, k.Storage)
		_ = n.do(ctx, "refresh pool "+k.Storage, func(c *lv.Connect) error {
			return withPool(c, k.Storage, func(p *lv.StoragePool) error { return p.Refresh(0) })
		})
	}
}

// isKept tells whether a snapshot holds a disk: what nobody writes to needs no way
// back.
func isKept(k virt.Disk) bool { return k.Device == "disk" && !k.ReadOnly }

// checkExternal looks whether a VM's disks can be laid over.
func (n *Node) checkExternal(vm *virt.VM, c virt.CreateSnapshot) []error {
	refuse := func(kind error, summary, hint string) error {
		return &virt.Error{Kind: kind, Object: c.Ref, Summary: "cannot be made: " + summary, Hint: hint}
	}
	var errs []error
	if n.addr.driver == "test" {
		errs = append(errs, refuse(virt.ErrUnsupported, "libvirt's test driver makes no external snapshots", "leave external out"))
	}
	if c.Memory.Or(false) {
		errs = append(errs, refuse(virt.ErrUnsupported, "an external snapshot is without memory", "leave memory out, or external"))
	}
	if c.Quiesce.Or(false) && vm.State.IsLive() && vm.Agent != virt.AgentConnected {
		errs = append(errs, refuse(virt.ErrAgent, "the guest agent does not answer, and nobody else makes its file systems stand still", "start qemu-guest-agent in the guest, or leave quiesce out"))
	}
	if vm.State == virt.Suspended {
		errs = append(errs, refuse(virt.ErrConflict, "the VM is suspended, and its saved memory belongs to its disks as they are", "start it, or stop it, before"))
	}
	holds := false
	for _, k := range vm.Disks {
		if !isKept(k) {
			continue
		}
		holds = true
		if k.Path.IsUnknown() {
			continue // in a plan that makes it
		}
		if p, ok := k.Path.Get(); !ok || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "/dev/") {
			errs = append(errs, refuse(virt.ErrUnsupported, fmt.Sprintf("disk %q is no file, and no image can be laid over it beside it", k.Name), "leave external out"))
		}
	}
	if !holds {
		errs = append(errs, refuse(virt.ErrUnsupported, "the VM has no disk that it could hold", "attach a disk"))
	}
	return errs
}

// layers reads what the external snapshots of a VM did, each snapshot's definition
// by its name beside it.
func (n *Node) layers(ctx context.Context, vm string) ([]layer, map[string]string, error) {
	var out []layer
	texts := map[string]string{}
	err := n.readDomain(ctx, "read the snapshots", vm, func(_ *lv.Connect, d *lv.Domain) error {
		out = nil // of a first try
		all, err := d.ListAllSnapshots(0)
		if err != nil {
			return ignoreUnsupported(err)
		}
		for i := range all {
			defer all[i].Free()
		}
		for i := range all {
			text, err := all[i].GetXMLDesc(lv.DOMAIN_SNAPSHOT_XML_SECURE)
			if err != nil {
				return err
			}
			of, err := layersOf(text)
			if err != nil {
				return err
			}
			if snapshot, err := all[i].GetName(); err == nil {
				texts[snapshot] = text
			}
			out = append(out, of...)
		}
		return nil
	})
	return out, texts, err
}

// layerDisks gives the images below a VM's disks that its external snapshots hold,
// as disks: they go with the VM's volumes.
func (n *Node) layerDisks(ctx context.Context, vm *virt.VM) ([]virt.Disk, error) {
	layers, _, err := n.layers(ctx, vm.Name)
	if err != nil || len(layers) == 0 {
		return nil, err
	}
	pools, err := n.pools(ctx)
	if err != nil {
		return nil, err
	}
	var out []virt.Disk
	for _, l := range layers {
		for _, file := range []string{l.under, l.over} {
			known := func(k virt.Disk) bool { return k.Path.Or("") == file }
			if file == "" || slices.ContainsFunc(vm.Disks, known) || slices.ContainsFunc(out, known) {
				continue
			}
			k := virt.Disk{Name: l.target, Device: "disk", Path: virt.Some(file)}
			if have := vm.Disk(l.target); have != nil {
				k.Name = have.Name
			}
			if k.Storage, k.Volume = pools.volumeOf(file); k.Volume != "" {
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// deleteExternal merges the images that a snapshot laid over a VM's disks into
// those below, then forgets the snapshot and removes the images. A VM that does not
// run is started for that with its CPUs halted: only QEMU merges images. A merge
// that was broken off is taken up again.
func (n *Node) deleteExternal(ctx context.Context, ref virt.Ref, e *edit) error {
	vm, err := n.VM(ctx, ref.Scope)
	if err != nil {
		return err
	}
	all, texts, err := n.layers(ctx, vm.Name)
	if err != nil {
		return err
	}
	var mine []layer
	for _, l := range all {
		if l.snapshot == ref.Name {
			mine = append(mine, l)
		}
	}
	if err := n.mayMerge(ctx, vm, ref, mine, all, texts); err != nil {
		return err
	}
	m := merge{node: n, vm: vm.Name, layers: mine}
	if err := n.longDomain(ctx, "merge the images of a snapshot", vm.Name, m.run(ctx), m.abort); err != nil {
		return about(err, ref)
	}
	n.Forget(virt.VMRef(vm.Name))
	err = n.withDomain(ctx, "forget a snapshot", vm.Name, func(_ *lv.Connect, d *lv.Domain) error {
		for snapshot, text := range texts {
			if edited := withoutLayers(text, mine); snapshot != ref.Name && edited != "" {
				s, err := d.CreateSnapshotXML(edited, lv.DOMAIN_SNAPSHOT_CREATE_REDEFINE)
				if err != nil {
					return fmt.Errorf("snapshot %q: %w", snapshot, err)
				}
				s.Free()
			}
		}
		s, err := d.SnapshotLookupByName(ref.Name, 0)
		if isCode(err, lv.ERR_NO_DOMAIN_SNAPSHOT) {
			return nil
		} else if err != nil {
			return err
		}
		defer s.Free()
		return s.Delete(lv.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
	})
	if err != nil {
		return err
	}
	return n.removeLayers(ctx, mine, e)
}

// mayMerge looks for what would be lost, or broken, by a merge.
func (n *Node) mayMerge(ctx context.Context, vm *virt.VM, ref virt.Ref, mine, all []layer, texts map[string]string) error {
	if vm.State == virt.Suspended {
		return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "cannot be deleted while its VM is suspended: the saved memory belongs to the disks as they are",
			Hint: "start the VM, or stop it, before"}
	}
	// What was made inside an image goes with it.
	snapshots, err := n.Snapshots(ctx, vm.Name)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if s.External || s.Name == ref.Name {
			continue
		}
		images, err := imagesIn(texts[s.Name])
		if err != nil {
			return err
		}
		for _, l := range mine {
			if slices.Contains(images, l.over) {
				return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("cannot be deleted: snapshot %q is kept inside the image that would go", s.Name),
					Hint: "delete that one first, with delete_snapshot"}
			}
		}
	}
	own := slices.Clone(vm.Disks)
	for _, l := range all {
		own = append(own, virt.Disk{Path: virt.Some(l.over)}, virt.Disk{Path: virt.Some(l.under)})
	}
	use, err := n.inUseAnywhere(ctx, vm.Name, own)
	if err != nil {
		return err
	}
	for _, l := range mine {
		for _, file := range []string{l.under, l.over} {
			if by := use[file]; by != "" {
				return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("cannot be deleted: %s builds upon %s", by, file),
					Hint: "detach or delete that one first"}
			}
		}
	}
	return nil
}

// imagesIn reads in which images an internal snapshot is kept.
func imagesIn(text string) ([]string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return nil, fmt.Errorf("the definition of a snapshot: %w", err)
	}
	var out []string
	for _, s := range doc.FindElements("./domainsnapshot/domain/devices/disk/source") {
		out = append(out, s.SelectAttrValue("file", ""))
	}
	return out, nil
}

// withoutLayers gives a snapshot's definition in which merged images are replaced
// by those that they were merged into; empty when it names none.
func withoutLayers(text string, merged []layer) string {
	doc := etree.NewDocument()
	if doc.ReadFromString(text) != nil {
		return ""
	}
	changed := false
	for _, place := range []string{"./domainsnapshot/domain//source", "./domainsnapshot/inactiveDomain//source"} {
		for _, s := range doc.FindElements(place) {
			for _, l := range merged {
				if a := s.SelectAttr("file"); a != nil && a.Value == l.over {
					a.Value, changed = l.under, true
				}
			}
		}
	}
	if !changed {
		return ""
	}
	out, err := doc.WriteToString()
	if err != nil {
		return ""
	}
	return out
}

// removeLayers deletes images that nobody uses any more.
func (n *Node) removeLayers(ctx context.Context, merged []layer, e *edit) error {
	pools, err := n.pools(ctx)
	if err != nil {
		return err
	}
	for _, l := range merged {
		storage, volume := pools.volumeOf(l.over)
		if volume == "" {
			e.out.Warnings = append(e.out.Warnings, fmt.Sprintf("%s is in no storage pool, and stays", l.over))
			continue
		}
		if err := n.deleteVolume(ctx, storage, volume); err != nil && !errors.Is(err, virt.ErrNotFound) {
			return err
		}
	}
	return nil
}

// merge is one merge of several disks, one after the other.
type merge struct {
	node   *Node
	vm     string
	layers []layer
}

// abort ends the jobs politely; what was written stays, and does no harm.
func (m *merge) abort(d *lv.Domain) {
	for _, l := range m.layers {
		_ = d.BlockJobAbort(l.target, 0) // where none runs, there is nothing to end
	}
}

// mergeLook is how often a merge is looked at.
const mergeLook = 250 * time.Millisecond

func (m *merge) run(ctx context.Context) func(*lv.Connect, *lv.Domain) error {
	return func(_ *lv.Connect, d *lv.Domain) error {
		on, err := d.IsActive()
		if err != nil {
			return err
		}
		if !on {
			// Should this connection end before the merge does, libvirt ends the domain.
			if err := d.CreateWithFlags(lv.DOMAIN_START_PAUSED | lv.DOMAIN_START_AUTODESTROY); err != nil {
				return fmt.Errorf("the VM has to be started, halted, to merge its images: %w", err)
			}
			defer func() { _ = d.Destroy() }()
		}
		for _, l := range m.layers {
			if err := m.one(ctx, d, l); err != nil {
				return err
			}
		}
		return nil
	}
}

// one merges one image into the one below it (virDomainBlockCommit).
func (m *merge) one(ctx context.Context, d *lv.Domain, l layer) error {
	chain, err := chainOf(d, l.target)
	if err != nil {
		return err
	}
	at := slices.Index(chain, l.over)
	switch {
	case at < 0 && slices.Contains(chain, l.under):
		return nil // it was merged before
	case at < 0 || at+1 == len(chain) || chain[at+1] != l.under:
		return &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(m.vm), Summary: fmt.Sprintf("the images of disk %s are not as the snapshot left them", l.target),
			Wanted: l.over + " over " + l.under, Found: strings.Join(chain, " over "),
			Hint: "merge them by hand: virsh blockcommit; then forget the snapshot: virsh snapshot-delete --metadata"}
	}
	flags := lv.DomainBlockCommitFlags(0)
	if at == 0 {
		flags = lv.DOMAIN_BLOCK_COMMIT_ACTIVE
	}
	// A job that is under way is one that was broken off here.
	if job, err := d.GetBlockJobInfo(l.target, 0); err != nil || job.Type == 0 {
		if err := d.BlockCommit(l.target, l.under, l.over, 0, flags); err != nil {
			return err
		}
	}
	for {
		if ctx.Err() != nil {
			m.abort(d)
			return context.Cause(ctx)
		}
		job, err := d.GetBlockJobInfo(l.target, lv.DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES)
		if err != nil {
			return err
		}
		if job.Type == 0 {
			break
		}
		virt.Report(ctx, virt.Progress{What: "merging " + path.Base(l.over), Done: int64(job.Cur), Total: int64(job.End), Unit: "bytes"})
		if at == 0 && job.Cur == job.End && job.End > 0 {
			if err := d.BlockJobAbort(l.target, lv.DOMAIN_BLOCK_JOB_ABORT_PIVOT); err != nil && !isCode(err, lv.ERR_BLOCK_COPY_ACTIVE) {
				return err
			}
		}
		if err := sleep(ctx, mergeLook); err != nil {
			m.abort(d)
			return context.Cause(ctx)
		}
	}
	if chain, err = chainOf(d, l.target); err == nil && slices.Contains(chain, l.over) {
		err = &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(m.vm), Summary: fmt.Sprintf("the images of disk %s could not be merged", l.target),
			Found: strings.Join(chain, " over "), Hint: "look into the log of QEMU on the node, and run this again"}
	}
	return err
}

// chainOf gives the images of a running VM's disk, from the one that it writes to
// downwards.
func chainOf(d *lv.Domain, target string) ([]string, error) {
	e, err := deviceIn(d, true, byTarget(target))
	if err != nil || e == nil {
		return nil, err
	}
	return chain(e), nil
}

// chain reads the images of a disk.
func chain(disk *etree.Element) []string {
	var out []string
	for at := disk; at != nil; at = child(at, "backingStore") {
		s := child(at, "source")
		if s == nil {
			break
		}
		out = append(out, s.SelectAttrValue("file", s.SelectAttrValue("dev", s.SelectAttrValue("name", ""))))
	}
	return out
}
