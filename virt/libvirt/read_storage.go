//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"golang.org/x/sync/errgroup"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// partSuffix marks the empty volume that stands beside one that is being made.
const partSuffix = ".nactl-part"

// pool is what a storage pool's XML tells.
type pool struct {
	name, kind, target, source string
}

// poolIndex finds the pool and volume of a path.
type poolIndex struct{ pools []pool }

// volumeOf gives the pool and volume that a path belongs to; empty when it is in
// no pool.
func (x *poolIndex) volumeOf(file string) (storage, volume string) {
	if x == nil {
		return "", ""
	}
	for _, p := range x.pools {
		if p.target != "" && path.Dir(file) == p.target {
			return p.name, path.Base(file)
		}
	}
	return "", ""
}

// pools gives the node's storage pools by their paths, from the snapshot when it
// has them.
func (n *Node) pools(ctx context.Context) (*poolIndex, error) {
	if x := n.snap.poolIndex(); x != nil {
		return x, nil
	}
	select {
	case n.snap.reading <- struct{}{}:
		defer func() { <-n.snap.reading }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if x := n.snap.poolIndex(); x != nil {
		return x, nil // read meanwhile
	}
	began := n.snap.begin()
	x := &poolIndex{}
	err := n.read(ctx, "read the storage pools", func(c *lv.Connect) error {
		x.pools = nil
		list, err := c.ListAllStoragePools(0)
		if err != nil {
			return ignoreUnsupported(err)
		}
		x.pools = make([]pool, len(list))
		var g errgroup.Group
		g.SetLimit(readsInFlight)
		for i := range list {
			g.Go(func() (err error) {
				defer list[i].Free()
				x.pools[i], err = readPool(&list[i])
				return err
			})
		}
		return g.Wait()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(x.pools, func(a, b pool) int { return cmp.Compare(a.name, b.name) })
	n.snap.storePools(x, began)
	return x, nil
}

func readPool(p *lv.StoragePool) (pool, error) {
	xml, err := p.GetXMLDesc(0)
	if err != nil {
		return pool{}, err
	}
	return parsePool(xml)
}

func parsePool(xml string) (pool, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(xml); err != nil {
		return pool{}, fmt.Errorf("pool XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "pool" {
		return pool{}, fmt.Errorf("pool XML from libvirt: there is no <pool> in it")
	}
	out := pool{name: text(root, "name"), kind: root.SelectAttrValue("type", "")}
	if e := root.FindElement("./target/path"); e != nil {
		out.target = path.Clean(e.Text())
	}
	if s := root.SelectElement("source"); s != nil {
		host, dir := attr(s, "host", "name"), attr(s, "dir", "path")
		switch {
		case host != "":
			out.source = host + ":" + dir
		case dir != "":
			out.source = dir
		default:
			out.source = cmp.Or(attr(s, "device", "path"), text(s, "name"))
		}
	}
	return out, nil
}

// Storages reads all storage pools, by name.
func (n *Node) Storages(ctx context.Context) ([]*virt.Storage, error) {
	var out []*virt.Storage
	err := n.read(ctx, "read the storage pools", func(c *lv.Connect) error {
		list, err := c.ListAllStoragePools(0)
		if err != nil {
			return ignoreUnsupported(err)
		}
		out = make([]*virt.Storage, len(list))
		var g errgroup.Group
		g.SetLimit(readsInFlight)
		for i := range list {
			g.Go(func() (err error) {
				defer list[i].Free()
				out[i], err = n.readStorage(&list[i])
				return err
			})
		}
		return g.Wait()
	})
	slices.SortFunc(out, func(a, b *virt.Storage) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// Storage reads one storage pool.
func (n *Node) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	var out *virt.Storage
	err := n.readPoolNamed(ctx, "read the storage pool", name, func(p *lv.StoragePool) (err error) {
		out, err = n.readStorage(p)
		return err
	})
	return out, err
}

func (n *Node) readStorage(p *lv.StoragePool) (*virt.Storage, error) {
	desc, err := readPool(p)
	if err != nil {
		return nil, err
	}
	info, err := p.GetInfo()
	if err != nil {
		return nil, err
	}
	autostart, err := p.GetAutostart()
	if err != nil {
		return nil, err
	}
	s := &virt.Storage{
		Autostart: autostart, Hosts: []string{n.cfg.Name},
		Name: desc.name, Type: desc.kind, Active: info.State == lv.STORAGE_POOL_RUNNING,
		Capacity: int64(info.Capacity), Available: int64(info.Available), Committed: int64(info.Allocation),
		Shared: slices.Contains(n.cfg.SharedPools, desc.name), Path: desc.target, Source: desc.source,
	}
	if !s.Shared {
		s.Host = n.cfg.Name
	}
	return s, nil
}

// readPoolNamed looks a pool up, hands it to fn, and frees it.
func (n *Node) readPoolNamed(ctx context.Context, op, name string, fn func(p *lv.StoragePool) error) error {
	ref := virt.Ref{Kind: virt.KindStorage, Name: name}
	err := n.read(ctx, op, func(c *lv.Connect) error {
		p, err := c.LookupStoragePoolByName(name)
		if err != nil {
			return err
		}
		defer p.Free()
		return fn(p)
	})
	if isCode(err, lv.ERR_NO_STORAGE_POOL) {
		return &virt.Error{Kind: virt.ErrNotFound, Object: ref, Summary: "is not there", Found: n.poolNames(ctx),
			Hint: "name one of the node's pools, or define it"}
	}
	return about(err, ref)
}

// poolNames lists the pools for a message.
func (n *Node) poolNames(ctx context.Context) string {
	x, err := n.pools(ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, p := range x.pools {
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return "no pools on " + n.cfg.Name
	}
	return strings.Join(names, ", ")
}

// about makes an error about the node one about an object on it.
func about(err error, ref virt.Ref) error {
	var e *virt.Error
	if !errors.As(err, &e) || e.Object.Kind != virt.KindHost || errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth) {
		return err
	}
	out := *e
	out.Object = ref
	return &out
}

// isMissing tells whether an error says that the very object ref is not there.
func isMissing(err error, ref virt.Ref) bool {
	var e *virt.Error
	return errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Same(ref)
}

// Volumes reads the volumes of a pool, by name, as the pool saw them when it was
// last refreshed. The markers of unfinished ones are not among them.
func (n *Node) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	var out []*virt.Volume
	err := n.readPoolNamed(ctx, "read the volumes", storage, func(p *lv.StoragePool) error {
		list, err := p.ListAllStorageVolumes(0)
		if err != nil {
			return err
		}
		names := map[string]bool{}
		for i := range list {
			if name, err := list[i].GetName(); err == nil { // known to the client
				names[name] = true
			}
		}
		found := make([]*virt.Volume, len(list))
		var g errgroup.Group
		g.SetLimit(readsInFlight)
		for i := range list {
			g.Go(func() (err error) {
				defer list[i].Free()
				found[i], err = readVolume(storage, &list[i])
				if isCode(err, lv.ERR_NO_STORAGE_VOL) {
					return nil // deleted meanwhile
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		out = nil
		for _, v := range found {
			if v == nil || strings.HasSuffix(v.Name, partSuffix) {
				continue
			}
			v.Unfinished = names[v.Name+partSuffix]
			out = append(out, v)
		}
		slices.SortFunc(out, func(a, b *virt.Volume) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return out, err
}

// Volume reads one volume.
func (n *Node) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	ref := virt.VolumeRef(storage, name)
	var out *virt.Volume
	err := n.readPoolNamed(ctx, "read the volume", storage, func(p *lv.StoragePool) error {
		v, err := p.LookupStorageVolByName(name)
		if err != nil {
			return err
		}
		defer v.Free()
		if out, err = readVolume(storage, v); err != nil {
			return err
		}
		part, err := p.LookupStorageVolByName(name + partSuffix)
		switch {
		case err == nil:
			part.Free()
			out.Unfinished = true
		case !isCode(err, lv.ERR_NO_STORAGE_VOL):
			return err
		}
		return nil
	})
	if isCode(err, lv.ERR_NO_STORAGE_VOL) {
		return nil, virt.NotFound(ref, "check its name, or refresh the pool if it was made by hand")
	}
	if err != nil {
		return nil, about(err, ref)
	}
	return out, nil
}

func readVolume(storage string, v *lv.StorageVol) (*virt.Volume, error) {
	xml, err := v.GetXMLDesc(0)
	if err != nil {
		return nil, err
	}
	return parseVolume(storage, xml)
}

func parseVolume(storage, xml string) (*virt.Volume, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(xml); err != nil {
		return nil, fmt.Errorf("volume XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "volume" {
		return nil, fmt.Errorf("volume XML from libvirt: there is no <volume> in it")
	}
	v := &virt.Volume{Storage: storage, Name: text(root, "name"),
		Size: readSize(withUnit(root.SelectElement("capacity"))), ActualSize: readSize(withUnit(root.SelectElement("allocation")))}
	if t := root.SelectElement("target"); t != nil {
		v.Path, v.Format = virt.Some(text(t, "path")), attr(t, "format", "type")
	}
	v.Format = cmp.Or(v.Format, "raw") // logical volumes name none
	v.Stored = v.Size
	if p := root.SelectElement("physical"); p != nil {
		v.Stored = readSize(withUnit(p))
	}
	if b := root.SelectElement("backingStore"); b != nil {
		v.Backing = text(b, "path")
	}
	return v, nil
}

// withUnit gives a volume's size the unit that it has by default, bytes.
func withUnit(e *etree.Element) *etree.Element {
	if e != nil && e.SelectAttr("unit") == nil {
		e.CreateAttr("unit", "bytes")
	}
	return e
}

// Image finds a VM image: on a node, a volume of a storage pool. An image that
// is a file of the controller is looked at there: making a VM of it uploads it.
func (n *Node) Image(ctx context.Context, src virt.ImageSource) (*virt.Image, error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	switch {
	case src.Template != "":
		return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: "is a template, which libvirt nodes do not have",
			Hint: "give the image a volume for this target in the inventory"}
	case src.File != "":
		return fileImage(src)
	case src.Volume == "":
		return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: "is not a volume of this node",
			Hint: "upload it to a pool first, and give the image storage and volume in the inventory"}
	}
	v, err := n.Volume(ctx, src.Storage, src.Volume)
	if errors.Is(err, virt.ErrNotFound) {
		return nil, &virt.Error{Kind: virt.ErrNotFound, Object: ref, Err: err,
			Summary: fmt.Sprintf("is not on %s: volume %q of pool %q", n.cfg.Name, src.Volume, src.Storage),
			Hint:    "upload it to the pool, or name another volume in the inventory"}
	}
	if err != nil {
		return nil, err
	}
	if v.Unfinished {
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("its volume %q is half made: the run that was making it did not end", src.Volume),
			Hint: "let the step that makes it run again, or delete the volume"}
	}
	return &virt.Image{Source: src, Format: v.Format, Size: v.Size, Path: v.Path.Or("")}, nil
}
