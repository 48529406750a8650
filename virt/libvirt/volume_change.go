//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// lookPoolOf reads the pool of a volume that is to be made.
func (n *Node) lookPoolOf(ctx context.Context, ref virt.Ref) (p poolTarget, err error) {
	err = n.read(ctx, "look at pool "+ref.Scope, func(c *lv.Connect) (err error) {
		p, err = lookPool(c, ref.Scope)
		return err
	})
	return p, err
}

// createVolume makes a blank volume.
func (n *Node) createVolume(ctx context.Context, c virt.CreateVolume) error {
	pool, err := n.lookPoolOf(ctx, c.Ref)
	if err != nil {
		return err
	}
	return n.makeVolume(ctx, newVolume{pool: pool, name: c.Ref.Name, format: c.Format, size: c.Size, sparse: c.Sparse}, false)
}

// cloneVolume copies a volume, on the node itself.
func (n *Node) cloneVolume(ctx context.Context, c virt.CloneVolume) error {
	pool, err := n.lookPoolOf(ctx, c.Ref)
	if err != nil {
		return err
	}
	from := &virt.Image{Source: virt.ImageSource{Name: c.From.Name, Storage: c.From.Scope, Volume: c.From.Name}}
	return n.makeVolume(ctx, newVolume{pool: pool, name: c.Ref.Name, format: c.Format, size: c.Size, sparse: c.Sparse, image: from}, false)
}

// resizeVolume grows a volume (virStorageVolResize).
func (n *Node) resizeVolume(ctx context.Context, c virt.ResizeVolume) error {
	err := n.long(ctx, "grow volume "+c.Ref.Name, func(conn *lv.Connect) error {
		return withVolume(conn, c.Ref.Scope, c.Ref.Name, func(_ *lv.StoragePool, v *lv.StorageVol) error {
			return v.Resize(uint64(c.Size), 0)
		})
	}, nil)
	if isCode(err, lv.ERR_OPERATION_INVALID) {
		err = busyVolume(c.Ref, err)
	}
	return about(err, c.Ref)
}

// removeVolume deletes a volume, and the marker of one that is half made.
func (n *Node) removeVolume(ctx context.Context, ref virt.Ref, e *edit) error {
	if err := n.deleteVolume(ctx, ref.Scope, ref.Name); err != nil {
		return err
	}
	if v, ok := e.now.(*virt.Volume); ok && v.Unfinished {
		return n.deleteVolume(ctx, ref.Scope, ref.Name+partSuffix)
	}
	return nil
}

// uploadVolume sends a file into a new volume, in place of one that is there.
func (n *Node) uploadVolume(ctx context.Context, c virt.UploadVolume, e *edit) error {
	pool, err := n.lookPoolOf(ctx, c.Ref)
	if err != nil {
		return err
	}
	var sent int64
	v := newVolume{pool: pool, name: c.Ref.Name, format: c.Source.Format, size: c.Source.Size, sparse: c.Sparse, file: &c.Source, replace: true, told: &sent}
	if err := n.makeVolume(ctx, v, false); err != nil {
		return err
	}
	e.out.Summary = fmt.Sprintf("%s of %s sent", virt.FormatSize(sent), virt.FormatSize(c.Source.Length))
	return nil
}

// checkNewVolume looks whether a volume can be made: its pool, its format, that
// nobody uses a half-made one, and the space that it takes at once.
func (n *Node) checkNewVolume(ctx context.Context, view virt.Reader, ref virt.Ref, format string, atOnce, size int64) error {
	pool, err := checkPool(ctx, view, ref.Scope)
	if err != nil {
		return err
	}
	var errs []error
	if !slices.Contains(filePools, pool.Type) && !slices.Contains(blockPools, pool.Type) {
		errs = append(errs, noVolumesIn(pool.Ref(), pool.Type))
	}
	block := slices.Contains(blockPools, pool.Type)
	switch {
	case block && format != "raw":
		errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: fmt.Sprintf("cannot be %s: logical volumes are raw", format),
			Hint: "write format: raw"})
	case format != "raw" && format != "qcow2":
		errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: fmt.Sprintf("cannot be made in format %q", format), Wanted: "raw or qcow2"})
	}
	if block {
		atOnce = size
	}
	errs = append(errs, checkSpace(pool, atOnce))
	return errors.Join(append(errs, n.checkIdle(ctx, view, ref, "replaced"))...)
}

// checkCreateVolume looks whether a blank volume can be made.
func (n *Node) checkCreateVolume(ctx context.Context, view virt.Reader, c virt.CreateVolume) error {
	return n.checkNewVolume(ctx, view, c.Ref, c.Format, atOnce(c.Sparse, 0, c.Size), c.Size)
}

func atOnce(sparse bool, used, size int64) int64 {
	if sparse {
		return used
	}
	return size
}

// checkCloneVolume looks whether a volume can be copied: as a whole, and while
// nobody writes it.
func (n *Node) checkCloneVolume(ctx context.Context, view virt.Reader, c virt.CloneVolume) error {
	from, err := view.Volume(ctx, c.From.Scope, c.From.Name)
	if err != nil {
		return err
	}
	errs := []error{n.checkNewVolume(ctx, view, c.Ref, c.Format, atOnce(c.Sparse, from.ActualSize, c.Size), c.Size)}
	if from.Unfinished {
		errs = append(errs, &virt.Error{Kind: virt.ErrConflict, Object: from.Ref(), Summary: "is half made: the run that was making it did not end",
			Hint: "let the step that makes it run again"})
	}
	if c.Size < from.Size {
		errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: "cannot be smaller than what it is a copy of",
			Wanted: virt.FormatSize(c.Size), Found: virt.FormatSize(from.Size), Hint: "leave size out, or write more"})
	}
	return errors.Join(append(errs, n.checkNotWritten(ctx, view, from, "be copied: the copy would hold half of what is being written",
		"stop the VM, or make a snapshot and clone that"))...)
}

// checkResizeVolume looks whether a volume can grow.
func (n *Node) checkResizeVolume(ctx context.Context, view virt.Reader, c virt.ResizeVolume) error {
	v, err := view.Volume(ctx, c.Ref.Scope, c.Ref.Name)
	if err != nil {
		return err
	}
	errs := []error{n.checkNotWritten(ctx, view, v, "grow behind its back", "use resize_disk, which grows the disk of a running VM")}
	pool, err := checkPool(ctx, view, c.Ref.Scope)
	errs = append(errs, err)
	if err == nil && slices.Contains(blockPools, pool.Type) {
		errs = append(errs, checkSpace(pool, c.Size-v.Size))
	}
	return errors.Join(errs...)
}

// checkNotWritten refuses what must not happen to a volume that a running VM
// writes.
func (n *Node) checkNotWritten(ctx context.Context, view virt.Reader, v *virt.Volume, what, hint string) error {
	vms, err := view.VMs(ctx)
	if err != nil {
		return err
	}
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if k.Backing != "" && k.Backing == v.Path.Or("") || !isOver(k, v) || k.ReadOnly || !vm.State.IsLive() {
				continue
			}
			return &virt.Error{Kind: virt.ErrConflict, Object: v.Ref(), Summary: "is in use by a running VM and cannot " + what,
				Found: vm.Ref().String() + ", disk " + k.Name, Hint: hint}
		}
	}
	return nil
}

// checkIdle refuses to take a volume away that somebody uses: a VM, running or
// not, on any member where the pool is shared, or a volume that lies over it. One
// that is not there is idle.
func (n *Node) checkIdle(ctx context.Context, view virt.Reader, ref virt.Ref, done string) error {
	v, err := view.Volume(ctx, ref.Scope, ref.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	shared := slices.Contains(n.cfg.SharedPools, ref.Scope)
	plan, planned := view.(memberView)
	all := view.VMs
	if planned && shared {
		all = plan.plan.VMs // on whichever member
	}
	vms, err := all(ctx)
	if err != nil {
		return err
	}
	user := ""
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if user == "" && isOver(k, v) {
				user = vm.Ref().String() + ", disk " + k.Name
			}
		}
	}
	if user == "" {
		if user, err = n.over(ctx, view, v); err != nil {
			return err
		}
	}
	if user == "" && shared && !planned {
		use, err := n.elsewhere(ctx)
		if err != nil {
			return err
		}
		user = use[v.Path.Or("")]
	}
	if user == "" {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is in use and cannot be " + done, Found: user,
		Hint: "detach it there first (detach_disk), or delete what uses it"}
}

// over gives a volume that lies over another one; empty for none.
func (n *Node) over(ctx context.Context, view virt.Reader, v *virt.Volume) (string, error) {
	path := v.Path.Or("")
	if path == "" {
		return "", nil
	}
	pools, err := view.Storages(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range pools {
		if !p.Active || p.Host != "" && p.Host != n.cfg.Name {
			continue
		}
		all, err := view.Volumes(ctx, p.Name)
		if err != nil {
			return "", err
		}
		for _, o := range all {
			if o.Backing == path {
				return o.Ref().String() + ", which lies over it", nil
			}
		}
	}
	return "", nil
}

// elsewhere gives who uses volumes of shared pools on the cluster's other members.
func (n *Node) elsewhere(ctx context.Context) (usedBy, error) {
	use := usedBy{}
	for _, peer := range n.others() {
		peer.Forget()
		vms, err := peer.VMs(ctx)
		if err != nil {
			return nil, &virt.Error{Kind: virt.ErrUnreachable, Object: hostRef(peer.cfg.Name), Err: err,
				Summary: "cannot be asked whether a VM there uses the volume", Hint: "bring it back, or keep the volume"}
		}
		for _, vm := range vms {
			use.add(vm, n.cfg.SharedPools)
		}
	}
	delete(use, "")
	return use, nil
}

// refresh lets a node look again at a pool that another one has changed
// (virStoragePoolRefresh). A pool that is busy with a volume looks at itself when
// that is done.
func (n *Node) refresh(ctx context.Context, pool string) error {
	err := n.do(ctx, "look again at pool "+pool, func(c *lv.Connect) error {
		return withPool(c, pool, func(p *lv.StoragePool) error { return p.Refresh(0) })
	})
	if isCode(err, lv.ERR_INTERNAL_ERROR) || errors.Is(err, virt.ErrNotFound) {
		return nil
	}
	return err
}

func busyVolume(ref virt.Ref, err error) error {
	return &virt.Error{Kind: virt.ErrBusy, Object: ref, Summary: "is still being written by the daemon", Hint: "wait until it is done", Err: message(err)}
}
