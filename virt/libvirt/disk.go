//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// byTarget finds a disk by its target device.
func byTarget(target string) finder {
	return func(root *etree.Element) *etree.Element { return findDisk(root, target) }
}

// attachDisk makes the volume of a further disk, or takes an existing one, and
// attaches it to the definition and to the running VM. A volume that was just
// made and cannot be attached is removed again.
func (n *Node) attachDisk(ctx context.Context, c virt.AttachDisk, e *edit) error {
	now := e.vm()
	if old := now.Disk(c.Disk.Name); old != nil {
		return n.present(ctx, now.Name, old.In, byTarget(old.Target))
	}
	k := *e.want().Disk(c.Disk.Name)
	var made *newVolume
	if c.Disk.Volume != "" {
		if err := n.adoptVolume(ctx, &k); err != nil {
			return err
		}
	} else {
		k.Path = virt.Opt[string]{}
	}
	var pool poolTarget
	err := n.read(ctx, "look at pool "+k.Storage, func(conn *lv.Connect) (err error) {
		pool, err = lookPool(conn, k.Storage)
		return err
	})
	if err != nil {
		return err
	}
	if c.Disk.Volume == "" {
		made = &newVolume{pool: pool, name: k.Volume, format: k.Format, size: k.Size, sparse: c.Disk.Sparse}
		if err := n.makeVolume(ctx, *made, false); err != nil {
			return err
		}
	}
	device, err := diskDevice(now.Name, k, map[string]poolTarget{k.Storage: pool})
	if err != nil {
		return err
	}
	text, err := device.Marshal()
	if err != nil {
		return err
	}
	err = n.withDomain(ctx, fmt.Sprintf("attach disk %q", k.Name), now.Name, func(conn *lv.Connect, d *lv.Domain) error {
		return plug(conn, d, text, virt.Presence{Config: true, Live: now.State.IsLive()})
	})
	if err == nil || made == nil || errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	// Nobody uses it, and nobody but this call has known of it.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	return errors.Join(err, n.deleteVolume(back, made.pool.name, made.name))
}

// fillAttached gives a disk that is attached later what created gives the disks
// of a new VM.
func (n *Node) fillAttached(vm *virt.VM, k *virt.Disk) { fillDisk(vm.Name, k, nil) }

// checkAttachDisk looks for everything that keeps a disk from being attached.
func (n *Node) checkAttachDisk(ctx context.Context, view virt.Reader, c virt.AttachDisk) error {
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil || vm.Disk(c.Disk.Name) != nil {
		return err
	}
	k := virt.Disk{Name: c.Disk.Name, Storage: c.Disk.Storage, Volume: c.Disk.Volume, Format: c.Disk.Format, Size: c.Disk.Size}
	n.fillAttached(vm, &k)
	var errs []error
	if !aliasPattern.MatchString(k.Name) {
		errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: vm.Ref(), Summary: fmt.Sprintf("a disk cannot be called %q", k.Name),
			Hint: "use letters, digits, hyphens and underscores"})
	}
	pool, err := checkPool(ctx, view, k.Storage)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	switch {
	case c.Disk.Volume != "":
		errs = append(errs, checkAdopted(ctx, view, vm.Name, k.Storage, k.Volume, c.Disk.ReadOnly))
	default:
		errs = append(errs, checkFree(ctx, view, vm.Name, k.Storage, k.Volume))
		if k.Size <= 0 {
			errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: vm.Ref(), Summary: fmt.Sprintf("disk %q has no size", k.Name)})
		}
		errs = append(errs, checkFormat(pool, k.Name, k.Format))
		if !c.Disk.Sparse || slices.Contains(blockPools, pool.Type) {
			errs = append(errs, checkSpace(pool, k.Size))
		}
	}
	return errors.Join(errs...)
}

// detachDisk takes a disk away and, when asked, its volume, unless anybody else
// uses that.
func (n *Node) detachDisk(ctx context.Context, c virt.DetachDisk, e *edit) error {
	k := e.vm().Disk(c.Disk)
	if err := canLetGo(e.vm(), fmt.Sprintf("disk %q", k.Name), k.In); err != nil {
		return err
	}
	if err := n.unplug(ctx, c.Ref.Name, fmt.Sprintf("disk %q", k.Name), k.In, byTarget(k.Target)); err != nil {
		return err
	}
	if !c.DeleteVolume {
		return nil
	}
	n.Forget(c.Ref)
	if k.Volume == "" {
		e.out.Warnings = append(e.out.Warnings, fmt.Sprintf("disk %q is in no storage pool; its file stays: %s", k.Name, k.Path.Or("")))
		return nil
	}
	inUse, err := n.inUseAnywhere(ctx, "", []virt.Disk{*k})
	if err != nil {
		return err
	}
	if by := inUse[k.Path.Or("")]; by != "" {
		e.out.Warnings = append(e.out.Warnings, fmt.Sprintf("volume %s/%s stays: %s uses it", k.Storage, k.Volume, by))
		return nil
	}
	return n.deleteVolume(ctx, k.Storage, k.Volume)
}

// resizeDisk grows a disk: through QEMU when it runs (virDomainBlockResize), for
// only QEMU may touch the image then, else in its pool (virStorageVolResize).
func (n *Node) resizeDisk(ctx context.Context, c virt.ResizeDisk, e *edit) error {
	k := e.vm().Disk(c.Disk)
	if k.In.Live {
		return n.withDomain(ctx, fmt.Sprintf("grow disk %q", k.Name), c.Ref.Name, func(_ *lv.Connect, d *lv.Domain) error {
			return d.BlockResize(k.Target, uint64(c.Size), lv.DOMAIN_BLOCK_RESIZE_BYTES)
		})
	}
	if k.Volume == "" {
		return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: fmt.Sprintf("cannot grow disk %q: its image is in no storage pool", k.Name),
			Found: k.Path.Or(""), Hint: "start the VM and run again, or make a pool of its folder"}
	}
	err := n.do(ctx, fmt.Sprintf("grow disk %q", k.Name), func(conn *lv.Connect) error {
		return withVolume(conn, k.Storage, k.Volume, func(_ *lv.StoragePool, v *lv.StorageVol) error {
			return v.Resize(uint64(c.Size), 0)
		})
	})
	return aboutVM(err, c.Ref.Name)
}

// checkResizeDisk looks whether a logical volume has room to grow.
func (n *Node) checkResizeDisk(ctx context.Context, view virt.Reader, c virt.ResizeDisk) error {
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	k := vm.Disk(c.Disk)
	if k == nil || k.Storage == "" {
		return nil // Predict has said so
	}
	pool, err := checkPool(ctx, view, k.Storage)
	if err != nil || !slices.Contains(blockPools, pool.Type) {
		return err
	}
	if err := view.DiskSizes(ctx, vm); err != nil {
		return err
	}
	return checkSpace(pool, c.Size-vm.Disk(c.Disk).Size)
}

// volumesInUse gives who on the node uses each path: a VM other than but, or a
// volume that lies over it.
// Those of disks do not count.
func (n *Node) volumesInUse(ctx context.Context, but string, disks ...virt.Disk) (usedBy, error) {
	n.Forget()
	vms, err := n.VMs(ctx)
	if err != nil {
		return nil, err
	}
	use := usedBy{}
	for _, vm := range vms {
		if vm.Name != but {
			use.add(vm, nil)
		}
	}
	pools, err := n.Storages(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		if !p.Active {
			continue
		}
		volumes, err := n.Volumes(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range volumes {
			if v.Backing != "" && !isDiskOf(vms, but, v.Path.Or("")) && !slices.ContainsFunc(disks, func(k virt.Disk) bool { return k.Path.Or("") == v.Path.Or("") }) {
				use[v.Backing] = cmp.Or(use[v.Backing], v.Ref().String())
			}
		}
	}
	delete(use, "")
	return use, nil
}

// inUseAnywhere is volumesInUse for what is to become of disks of the VM but: when
// one of them lies in a shared pool, the cluster's other members are asked, too.
// When one of those does not answer, nobody can tell.
func (n *Node) inUseAnywhere(ctx context.Context, but string, disks []virt.Disk) (usedBy, error) {
	use, err := n.volumesInUse(ctx, but, disks...)
	if err != nil || !n.isShared(disks) {
		return use, err
	}
	for _, peer := range n.others() {
		peer.Forget()
		vms, err := peer.VMs(ctx)
		if err != nil {
			return nil, &virt.Error{Kind: virt.ErrUnreachable, Object: hostRef(peer.cfg.Name), Err: err,
				Summary: "cannot be asked whether a VM there uses the volumes", Hint: "bring it back, or keep the volumes"}
		}
		for _, vm := range vms {
			use.add(vm, n.cfg.SharedPools)
		}
	}
	delete(use, "")
	return use, nil
}

// usedBy tells who uses a path.
type usedBy map[string]string

// add notes the disks of a VM; with pools, only those that lie in one of them.
func (u usedBy) add(vm *virt.VM, pools []string) {
	for _, k := range vm.Disks {
		if pools != nil && !slices.Contains(pools, k.Storage) {
			continue
		}
		for _, path := range []string{k.Path.Or(""), k.Backing} {
			u[path] = cmp.Or(u[path], vm.Ref().String())
		}
	}
}

// isShared tells whether one of a VM's disks lies in a pool that other nodes
// share.
func (n *Node) isShared(disks []virt.Disk) bool {
	return slices.ContainsFunc(disks, func(k virt.Disk) bool { return slices.Contains(n.cfg.SharedPools, k.Storage) })
}

// meet tells a node who the other members of its cluster are.
func (n *Node) meet(others []*Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers = others
}

func (n *Node) others() []*Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peers
}

// isDiskOf tells whether a path is a disk of the VM of that name.
func isDiskOf(vms []*virt.VM, name, path string) bool {
	return slices.ContainsFunc(vms, func(vm *virt.VM) bool {
		return vm.Name == name && slices.ContainsFunc(vm.Disks, func(k virt.Disk) bool { return k.Path.Or("") == path })
	})
}
