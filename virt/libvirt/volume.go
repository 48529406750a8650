//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// newVolume is a volume that is to be made: blank, a copy of an image, over an
// image, or with given content.
type newVolume struct {
	pool   poolTarget
	name   string
	format string
	size   int64 // bytes that the guest sees; at least the image's
	sparse bool
	image  *virt.Image     // nil: blank
	backed bool            // over the image instead of a copy
	data   []byte          // content of a raw volume
	file   *virt.ImageFile // whose content it gets; nil: the image's file, if it is one
	// replace says that a whole volume of that name gives way.
	replace bool
	told    *int64 // gets the bytes of content that were sent; may be nil
}

// path is the file of this machine that the volume is made of; empty: of none.
func (v newVolume) path() string {
	switch {
	case v.file != nil:
		return v.file.Path
	case v.image != nil:
		return v.image.Source.File
	}
	return ""
}

func (v newVolume) ref() virt.Ref { return virt.VolumeRef(v.pool.name, v.name) }

// xml describes the volume to libvirt. Space is given at once unless the volume
// is sparse; a logical volume always has all of it, for nobody would see a thin
// one fill up.
func (v newVolume) xml() (string, error) {
	x := &libvirtxml.StorageVolume{
		Name:       v.name,
		Capacity:   &libvirtxml.StorageVolumeSize{Unit: "bytes", Value: uint64(v.size)},
		Allocation: &libvirtxml.StorageVolumeSize{Unit: "bytes"},
		Target:     &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: v.format}},
	}
	if !v.sparse || v.pool.isBlock() {
		x.Allocation.Value = x.Capacity.Value
	}
	if v.backed {
		x.BackingStore = &libvirtxml.StorageVolumeBackingStore{Path: v.image.Path, Format: &libvirtxml.StorageVolumeTargetFormat{Type: v.image.Format}}
	}
	return x.Marshal()
}

// flags ask for a qcow2 file whose space is taken at once.
func (v newVolume) flags() lv.StorageVolCreateFlags {
	if v.format == "qcow2" && !v.sparse && !v.backed {
		return lv.STORAGE_VOL_CREATE_PREALLOC_METADATA
	}
	return 0
}

// A volume cannot be renamed, so that it could appear only when it is complete.
// Instead an empty volume, its marker, stands beside it for as long as it is
// being made. What a killed run left is known by the marker, and made anew.

// makeVolume makes a volume. A half-made one of that name is removed first; a
// complete one is in the way, unless keep says that it is this VM's own: then it
// stays as it is. The caller holds the VM's lock.
//
// When libvirt refuses, what was begun is removed. When ctx ends or the connection
// is lost, nobody knows what the daemon still does: the marker stays.
func (n *Node) makeVolume(ctx context.Context, v newVolume, keep bool) error {
	exists, marked, err := n.volumeState(ctx, v.pool.name, v.name)
	if err != nil {
		return err
	}
	switch {
	case exists && !marked && keep:
		return nil
	case exists && !marked && !v.replace:
		return leftover(v.ref())
	}
	if !marked {
		if err := n.makeMarker(ctx, v); err != nil {
			return err
		}
	}
	if exists {
		if err := n.deleteVolume(ctx, v.pool.name, v.name); err != nil {
			return err
		}
	}
	err = n.fillVolume(ctx, v)
	switch {
	case err == nil:
		return n.deleteVolume(ctx, v.pool.name, v.name+partSuffix)
	case ctx.Err() != nil || errors.Is(err, virt.ErrOutcomeUnknown) || errors.Is(err, virt.ErrUnreachable):
		return err
	}
	err = fullPool(v, err)
	for _, name := range []string{v.name, v.name + partSuffix} {
		if failed := n.deleteVolume(ctx, v.pool.name, name); failed != nil {
			return errors.Join(err, failed) // the marker goes last, and so stays
		}
	}
	return err
}

// leftover says that nobody knows whose volume it is.
func leftover(ref virt.Ref) error {
	return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is there already, and no VM uses it",
		Hint: "look what it is: attach it as it is with volume, or delete it"}
}

// fullPool says what to do where the cause is missing space.
func fullPool(v newVolume, err error) error {
	if !strings.Contains(err.Error(), "No space left on device") {
		return err
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: virt.Ref{Kind: virt.KindStorage, Name: v.pool.name}, Summary: "is full",
		Wanted: fmt.Sprintf("room for %s of %s", v.name, virt.FormatSize(v.size)), Hint: "free space in the pool, or name another with storage", Err: err}
}

// volumeState tells whether a volume and its marker are there.
func (n *Node) volumeState(ctx context.Context, pool, name string) (exists, marked bool, err error) {
	err = n.read(ctx, "look for volume "+name, func(c *lv.Connect) error {
		return withPool(c, pool, func(p *lv.StoragePool) error {
			for _, look := range []struct {
				name  string
				found *bool
			}{{name, &exists}, {name + partSuffix, &marked}} {
				*look.found = false
				v, err := p.LookupStorageVolByName(look.name)
				switch {
				case err == nil:
					v.Free()
					*look.found = true
				case !isCode(err, lv.ERR_NO_STORAGE_VOL):
					return err
				}
			}
			return nil
		})
	})
	return exists, marked, err
}

// makeMarker makes the empty volume that marks v as half made.
func (n *Node) makeMarker(ctx context.Context, v newVolume) error {
	marker := newVolume{pool: v.pool, name: v.name + partSuffix, format: "raw", sparse: true}
	if v.pool.isBlock() {
		marker.size = virt.MiB // there is no logical volume of nothing
	}
	text, err := marker.xml()
	if err != nil {
		return err
	}
	err = n.do(ctx, "make the marker of volume "+v.name, func(c *lv.Connect) error {
		return withPool(c, v.pool.name, func(p *lv.StoragePool) error {
			made, err := p.StorageVolCreateXML(text, 0)
			if err != nil {
				return err
			}
			return made.Free()
		})
	})
	return about(err, v.ref())
}

// fillVolume makes the volume itself, on a connection of its own: copying an
// image can take minutes. libvirt cannot break a copy off; when ctx ends the
// daemon goes on for a while, and the marker tells.
func (n *Node) fillVolume(ctx context.Context, v newVolume) error {
	if v.path() != "" {
		return n.uploadFile(ctx, v)
	}
	if v.image != nil && !v.backed {
		defer n.reportCopy(ctx, v)()
	}
	text, err := v.xml()
	if err != nil {
		return err
	}
	err = n.long(ctx, "make volume "+v.name, func(c *lv.Connect) error {
		made, err := v.create(c, text)
		if err != nil {
			return err
		}
		defer made.Free()
		if v.data != nil {
			return uploadData(ctx, c, made, v.data)
		}
		return v.grow(made)
	}, nil)
	return about(err, v.ref())
}

// create makes the volume (virStorageVolCreateXML, virStorageVolCreateXMLFrom).
func (v newVolume) create(c *lv.Connect, text string) (made *lv.StorageVol, err error) {
	err = withPool(c, v.pool.name, func(p *lv.StoragePool) error {
		if v.image == nil || v.backed || v.path() != "" {
			made, err = p.StorageVolCreateXML(text, v.flags())
			return err
		}
		return withVolume(c, v.image.Source.Storage, v.image.Source.Volume, func(_ *lv.StoragePool, source *lv.StorageVol) error {
			made, err = p.StorageVolCreateXMLFrom(text, source, v.flags())
			return err
		})
	})
	return made, err
}

// grow brings a copy to its size: it comes out as large as its image.
func (v newVolume) grow(made *lv.StorageVol) error {
	if v.image == nil && v.file == nil {
		return nil
	}
	info, err := made.GetInfo()
	if err != nil || int64(info.Capacity) >= v.size {
		return err
	}
	flags := lv.StorageVolResizeFlags(0)
	if !v.sparse && v.format == "raw" && !v.pool.isBlock() {
		flags = lv.STORAGE_VOL_RESIZE_ALLOCATE
	}
	return made.Resize(uint64(v.size), flags)
}

// copyInterval is how often a copy under way is looked at.
const copyInterval = time.Second

// reportCopy tells the listener how far a copy has come. The result ends that.
func (n *Node) reportCopy(ctx context.Context, v newVolume) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(copyInterval)
		defer ticker.Stop()
		var total int64
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			// Progress is a comfort: what cannot be read is not reported.
			_ = n.read(ctx, "look at the copy", func(c *lv.Connect) error {
				if total == 0 {
					image, err := volumeInfo(c, v.image.Source.Storage, v.image.Source.Volume, "")
					if err != nil {
						return err
					}
					total = int64(image.Allocation)
				}
				info, err := volumeInfo(c, v.pool.name, v.name, "")
				if err == nil {
					virt.Report(ctx, virt.Progress{What: "copying image " + v.image.Source.Name, Done: min(int64(info.Allocation), total), Total: total, Unit: "bytes"})
				}
				return err
			})
		}
	}()
	return func() { cancel(); <-done }
}

// deleteVolume removes a volume (virStorageVolDelete); one that is not there is
// gone already. One that the daemon is still writing is ErrBusy.
func (n *Node) deleteVolume(ctx context.Context, pool, name string) error {
	ref := virt.VolumeRef(pool, name)
	err := n.do(ctx, "delete volume "+name, func(c *lv.Connect) error {
		return withVolume(c, pool, name, func(_ *lv.StoragePool, v *lv.StorageVol) error {
			return v.Delete(lv.STORAGE_VOL_DELETE_NORMAL)
		})
	})
	switch {
	case isCode(err, lv.ERR_NO_STORAGE_VOL):
		return nil
	case isCode(err, lv.ERR_OPERATION_INVALID):
		return busyVolume(ref, err)
	}
	return about(err, ref)
}
