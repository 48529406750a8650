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

// diskCopies are the volumes that a move makes on the destination. Until the VM
// is there, a marker stands beside each, so that no later run takes one that was
// half copied for whole.
type diskCopies struct {
	from, to *Node
	vm       string
	disks    []virt.Disk // begun
	bytes    int64       // sent by this process
}

// copyDisks makes room on the destination for the disks that have to be copied,
// and copies those that QEMU does not: all of a stopped VM, and what a running
// one can only read.
func (m *move) copyDisks(ctx context.Context) (*diskCopies, error) {
	d := &diskCopies{from: m.from, to: m.to, vm: m.vm.Name}
	for _, k := range m.plan.copied {
		if err := d.mark(ctx, k); err != nil {
			return d, err
		}
		if m.active && !isReadOnly(k) {
			continue // libvirt makes the volume
		}
		if err := d.copy(ctx, k); err != nil {
			return d, err
		}
	}
	return d, nil
}

// mark makes the marker of one volume. What an interrupted move has left under
// that name is removed; a whole volume is in the way.
func (d *diskCopies) mark(ctx context.Context, k virt.Disk) error {
	exists, marked, err := d.to.volumeState(ctx, k.Storage, k.Volume)
	switch {
	case err != nil:
		return err
	case exists && !marked:
		return &virt.Error{Kind: virt.ErrConflict, Object: virt.VolumeRef(k.Storage, k.Volume), Summary: "is on " + d.to.cfg.Name + " already",
			Hint: "look whether anything needs it, and delete it"}
	}
	if !marked {
		v := newVolume{name: k.Volume}
		err := d.to.read(ctx, "look at the pool", func(c *lv.Connect) (err error) {
			v.pool, err = lookPool(c, k.Storage)
			return err
		})
		if err == nil {
			err = d.to.makeMarker(ctx, v)
		}
		if err != nil {
			return err
		}
	}
	d.disks = append(d.disks, k)
	if exists {
		return d.to.deleteVolume(ctx, k.Storage, k.Volume)
	}
	return nil
}

// copyChunk is how much of a volume goes in one piece, in bytes: the size at
// which libvirt's streams are fastest.
const copyChunk = 256 << 10

// copy sends a volume from node to node through this process. Holes stay holes.
func (d *diskCopies) copy(ctx context.Context, k virt.Disk) error {
	ref := virt.VolumeRef(k.Storage, k.Volume)
	err := onBoth(ctx, "copy a volume", d.from, d.to, func(a, b *conn) error {
		from, to := a.c, b.c
		return withVolume(from, k.Storage, k.Volume, func(_ *lv.StoragePool, src *lv.StorageVol) error {
			text, err := src.GetXMLDesc(0)
			if err != nil {
				return err
			}
			wanted, err := volumeLike(text)
			if err != nil {
				return err
			}
			return withPool(to, k.Storage, func(p *lv.StoragePool) error {
				dst, err := p.StorageVolCreateXML(wanted, 0)
				if err != nil {
					return err
				}
				defer dst.Free()
				return d.pump(ctx, from, to, src, dst, k)
			})
		})
	}, nil)
	return about(err, ref)
}

// volumeLike makes the definition of a volume that can take the content of
// another: libvirt chooses the place.
func volumeLike(text string) (string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return "", fmt.Errorf("volume XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "volume" {
		return "", errors.New("volume XML from libvirt: there is no <volume> in it")
	}
	for _, tag := range []string{"key", "allocation", "physical"} {
		if e := root.SelectElement(tag); e != nil {
			root.RemoveChild(e)
		}
	}
	root.CreateElement("allocation").SetText("0")
	if target := root.SelectElement("target"); target != nil {
		for _, tag := range []string{"path", "permissions", "timestamps"} {
			if e := target.SelectElement(tag); e != nil {
				target.RemoveChild(e)
			}
		}
	}
	return doc.WriteToString()
}

// pump moves the content of one volume into another.
func (d *diskCopies) pump(ctx context.Context, from, to *lv.Connect, src, dst *lv.StorageVol, k virt.Disk) (err error) {
	info, err := src.GetInfo()
	if err != nil {
		return err
	}
	in, err := from.NewStream(0)
	if err != nil {
		return err
	}
	defer in.Free()
	out, err := to.NewStream(0)
	if err != nil {
		return err
	}
	defer out.Free()
	if err := src.Download(in, 0, 0, lv.STORAGE_VOL_DOWNLOAD_SPARSE_STREAM); err != nil {
		return err
	}
	if err := dst.Upload(out, 0, 0, lv.STORAGE_VOL_UPLOAD_SPARSE_STREAM); err != nil {
		return errors.Join(err, in.Abort())
	}
	done := int64(0)
	err = in.SparseRecvAll(func(_ *lv.Stream, b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := out.Send(b[:min(len(b), copyChunk)])
		done += int64(n)
		virt.Report(ctx, virt.Progress{What: "copying volume " + k.Volume, Done: done, Total: int64(info.Allocation), Unit: "bytes"})
		return n, err
	}, func(_ *lv.Stream, length int64) error {
		return out.SendHole(length, 0)
	})
	d.bytes += done
	if err != nil {
		// The first error is the one that tells; a stream in error aborts badly.
		_, _ = in.Abort(), out.Abort()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return errors.Join(in.Finish(), out.Finish())
}

// keep makes the copies the VM's only volumes: originals and markers go. An
// original that something else uses stays.
func (d *diskCopies) keep(ctx context.Context) error {
	if len(d.disks) == 0 {
		return nil
	}
	used, err := d.from.volumesInUse(ctx, d.vm)
	errs := []error{err}
	for _, k := range d.disks {
		var kept error
		switch by := used[k.Path.Or("")]; {
		case err != nil:
			continue
		case by != "":
			errs = append(errs, fmt.Errorf("volume %s/%s stays on %s, for %s uses it", k.Storage, k.Volume, d.from.cfg.Name, by))
		default:
			kept = d.from.deleteVolume(ctx, k.Storage, k.Volume)
		}
		if kept == nil { // the marker goes last: by it a later run knows what is left to do
			kept = d.to.deleteVolume(ctx, k.Storage, k.Volume+partSuffix)
		}
		errs = append(errs, kept)
	}
	return errors.Join(errs...)
}

// drop removes the copies and their markers: the VM has stayed where it was.
func (d *diskCopies) drop(ctx context.Context) error {
	var errs []error
	for _, k := range d.disks {
		err := d.to.deleteVolume(ctx, k.Storage, k.Volume)
		if err == nil { // the marker goes last
			err = d.to.deleteVolume(ctx, k.Storage, k.Volume+partSuffix)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
