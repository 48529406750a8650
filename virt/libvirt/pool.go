//go:build cgo

package libvirt

import (
	"fmt"
	"path"
	"slices"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// poolTarget is what has to be known of a storage pool to make volumes in it.
type poolTarget struct {
	name string
	typ  string // dir, fs, netfs, logical
	path string
}

// The pool types whose volumes nactl makes: files in a directory, and logical
// volumes.
var (
	filePools  = []string{"dir", "fs", "netfs"}
	blockPools = []string{"logical"}
)

func (p poolTarget) isBlock() bool { return slices.Contains(blockPools, p.typ) }

// volumePath is where a disk's volume lies; an existing one has its own path.
func (p poolTarget) volumePath(k virt.Disk) string {
	if at, ok := k.Path.Get(); ok {
		return at
	}
	return path.Join(p.path, k.Volume)
}

// lookPool reads a pool. One of a type in which nactl makes no volumes is an
// ErrUnsupported.
func lookPool(c *lv.Connect, name string) (poolTarget, error) {
	pool, err := c.LookupStoragePoolByName(name)
	if err != nil {
		return poolTarget{}, mapError("look at it", virt.Ref{Kind: virt.KindStorage, Name: name}, err)
	}
	defer pool.Free()
	text, err := pool.GetXMLDesc(0)
	if err != nil {
		return poolTarget{}, err
	}
	var x libvirtxml.StoragePool
	if err := x.Unmarshal(text); err != nil {
		return poolTarget{}, fmt.Errorf("storage %s: %w", name, err)
	}
	p := poolTarget{name: name, typ: x.Type}
	if x.Target != nil {
		p.path = x.Target.Path
	}
	if !slices.Contains(filePools, p.typ) && !p.isBlock() || p.path == "" {
		return poolTarget{}, noVolumesIn(virt.StorageRef(name), p.typ)
	}
	return p, nil
}

// noVolumesIn says that nactl makes no volumes in a pool of a type.
func noVolumesIn(ref virt.Ref, typ string) error {
	return &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: "no volumes are made in a pool of type " + typ, Wanted: "dir, fs, netfs or logical",
		Hint: "make the volume yourself and attach it with volume, or name another pool with storage"}
}

// withVolume looks a volume up and hands it on. A missing one is an ErrNotFound,
// after the pool was refreshed: a daemon does not know of what another host has
// made in a pool that they share.
func withVolume(c *lv.Connect, pool, name string, fn func(p *lv.StoragePool, v *lv.StorageVol) error) error {
	ref := virt.VolumeRef(pool, name)
	return withPool(c, pool, func(p *lv.StoragePool) error {
		v, err := p.LookupStorageVolByName(name)
		if isCode(err, lv.ERR_NO_STORAGE_VOL) {
			if err := p.Refresh(0); err != nil {
				return mapError("look for it again", ref, err)
			}
			v, err = p.LookupStorageVolByName(name)
		}
		if err != nil {
			return mapError("find it", ref, err)
		}
		defer v.Free()
		return fn(p, v)
	})
}

func withPool(c *lv.Connect, pool string, fn func(p *lv.StoragePool) error) error {
	p, err := c.LookupStoragePoolByName(pool)
	if err != nil {
		return mapError("find it", virt.Ref{Kind: virt.KindStorage, Name: pool}, err)
	}
	defer p.Free()
	return fn(p)
}
