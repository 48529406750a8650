//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"slices"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

// refusePool says what kinds of pools nactl makes on no node.
func refusePool(c virt.CreatePool) error {
	bad := func(summary, hint string) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: summary, Hint: hint}
	}
	absolute := func(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }
	switch c.Type {
	case "dir":
		if !absolute(c.Path) {
			return bad(fmt.Sprintf("its folder %q is no absolute path", c.Path), "give path, as /var/lib/libvirt/images")
		}
	case "netfs":
		switch {
		case !absolute(c.Path):
			return bad(fmt.Sprintf("its mount point %q is no absolute path", c.Path), "give path, where it is to be mounted")
		case c.Source.Host == "" || !path.IsAbs(c.Source.Dir):
			return bad("does not say which network file system it is", "give source: {host: nfs.example, dir: /export}")
		}
	case "logical":
		if c.Source.Name == "" {
			return bad("does not say which volume group it is", "give source: {name: vg0}, with devices where it is to be made")
		}
	default:
		return bad(fmt.Sprintf("%q is no type of pool that nactl makes", c.Type), "use dir, netfs or logical")
	}
	return nil
}

// poolXML writes the definition of a pool.
func poolXML(c virt.CreatePool) (string, error) {
	p := libvirtxml.StoragePool{XMLName: xml.Name{Local: "pool"}, Type: c.Type, Name: c.Ref.Name, Target: &libvirtxml.StoragePoolTarget{Path: c.Path}}
	switch c.Type {
	case "netfs":
		p.Source = &libvirtxml.StoragePoolSource{Host: []libvirtxml.StoragePoolSourceHost{{Name: c.Source.Host}},
			Dir: &libvirtxml.StoragePoolSourceDir{Path: c.Source.Dir}, Format: &libvirtxml.StoragePoolSourceFormat{Type: cmp.Or(c.Source.Format, "auto")}}
	case "logical":
		p.Target.Path = cmp.Or(c.Path, "/dev/"+c.Source.Name)
		p.Source = &libvirtxml.StoragePoolSource{Name: c.Source.Name, Format: &libvirtxml.StoragePoolSourceFormat{Type: "lvm2"}}
		for _, d := range c.Source.Devices {
			p.Source.Device = append(p.Source.Device, libvirtxml.StoragePoolSourceDevice{Path: d})
		}
	}
	return p.Marshal()
}

// checkCreatePool looks whether another pool lies there.
func (n *Node) checkCreatePool(ctx context.Context, view virt.Reader, c virt.CreatePool) error {
	pools, err := view.Storages(ctx)
	if err != nil {
		return err
	}
	for _, p := range pools {
		_, name := virt.HostOf(p.Name)
		if name != c.Ref.Name && c.Path != "" && p.Path == c.Path && (p.Host == "" || p.Host == n.cfg.Name) {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "another pool lies there already",
				Wanted: c.Path, Found: p.Ref().String(), Hint: "use that pool, or another path"}
		}
	}
	return nil
}

// createPool defines, builds and starts a pool, or brings one that is there into
// force. One that cannot be started is not left behind; a folder that was made for
// it is.
func (n *Node) createPool(ctx context.Context, c virt.CreatePool, e *edit) error {
	if e.now != nil {
		return n.switchPool(ctx, e)
	}
	text, err := poolXML(c)
	if err != nil {
		return err
	}
	defer n.snap.forget() // paths belong to other pools now
	err = n.long(ctx, "make pool "+c.Ref.Name, func(conn *lv.Connect) error {
		p, err := conn.StoragePoolDefineXML(text, 0)
		if err != nil {
			return err
		}
		defer p.Free()
		if c.Build && (c.Type != "logical" || len(c.Source.Devices) > 0) {
			err = p.Build(lv.STORAGE_POOL_BUILD_NEW)
		}
		if err == nil {
			err = p.Create(0)
		}
		if err == nil {
			err = p.SetAutostart(c.Autostart)
		}
		if err != nil && !isLost(err) {
			_ = p.Destroy() // it may not have come up
			err = errors.Join(err, ignoreNoPool(p.Undefine()))
		}
		return err
	}, nil)
	return about(err, c.Ref)
}

func ignoreNoPool(err error) error {
	if isCode(err, lv.ERR_NO_STORAGE_POOL) {
		return nil
	}
	return err
}

// switchPool starts or stops a pool, and sets whether it starts with the node.
func (n *Node) switchPool(ctx context.Context, e *edit) error {
	now, want := e.now.(*virt.Storage), e.after.(*virt.Storage)
	err := n.do(ctx, "switch pool "+want.Name, func(c *lv.Connect) error {
		return withPool(c, want.Name, func(p *lv.StoragePool) error {
			if now.Autostart != want.Autostart {
				if err := p.SetAutostart(want.Autostart); err != nil {
					return err
				}
			}
			switch {
			case want.Active && !now.Active:
				return p.Create(0)
			case !want.Active && now.Active:
				return p.Destroy()
			}
			return nil
		})
	})
	return about(err, want.Ref())
}

// deletePool stops a pool and forgets its definition; what lies in it stays.
func (n *Node) deletePool(ctx context.Context, ref virt.Ref) error {
	defer n.snap.forget()
	err := n.do(ctx, "delete pool "+ref.Name, func(c *lv.Connect) error {
		return withPool(c, ref.Name, func(p *lv.StoragePool) error {
			active, err := p.IsActive()
			if err == nil && active {
				err = p.Destroy()
			}
			if err != nil {
				return err
			}
			persistent, err := p.IsPersistent()
			if err != nil || !persistent {
				return ignoreNoPool(err)
			}
			return p.Undefine()
		})
	})
	return about(ignoreNoPool(err), ref)
}

// checkPoolIdle refuses to stop a pool that a running VM has a disk in.
func (n *Node) checkPoolIdle(ctx context.Context, view virt.Reader, ref virt.Ref) error {
	vms, err := view.VMs(ctx)
	if err != nil {
		return err
	}
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if vm.State.IsLive() && k.Storage == ref.Name {
				return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is in use by a running VM",
					Found: fmt.Sprintf("%s, disk %s", vm.Ref(), k.Name), Hint: "stop the VM, or move its disk, first"}
			}
		}
	}
	return nil
}

// poolHosts gives the hosts that a change to a pool names.
func poolHosts(ch virt.Change) []string {
	switch ch := ch.(type) {
	case virt.CreatePool:
		return ch.Hosts
	case virt.StartPool:
		return ch.Hosts
	case virt.StopPool:
		return ch.Hosts
	case virt.DeletePool:
		return ch.Hosts
	}
	return nil
}

// keepers gives the members that a change to a pool is about: those that it names;
// else all for one that is made, and those that have it for another.
func (c *Cluster) keepers(ctx context.Context, view virt.Reader, ch virt.Change) ([]*Node, error) {
	hosts := poolHosts(ch)
	if _, create := ch.(virt.CreatePool); !create && len(hosts) == 0 {
		p, err := view.Storage(ctx, ch.Object().Name)
		if errors.Is(err, virt.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		hosts = p.Hosts
	}
	if len(hosts) == 0 {
		return c.members, nil
	}
	var nodes []*Node
	var errs []error
	for _, h := range slices.Compact(slices.Sorted(slices.Values(hosts))) {
		n, err := c.member(h)
		nodes = append(nodes, n)
		errs = append(errs, err)
	}
	return nodes, errors.Join(errs...)
}

// checkPool checks a change to a pool on its members.
func (c *Cluster) checkPool(ctx context.Context, view virt.Reader, ch virt.Change) error {
	nodes, err := c.keepers(ctx, view, ch)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range ask(ctx, nodes, func(ctx context.Context, n *Node) (struct{}, error) {
		return struct{}{}, n.Check(ctx, memberView{n, view}, ch)
	}) {
		errs = append(errs, r.err)
	}
	return errors.Join(errs...)
}

// applyPool makes a change to a pool on its members, side by side. What some of
// them did stays when another fails: the next run does the rest.
func (c *Cluster) applyPool(ctx context.Context, ch virt.Change) (virt.Outcome, error) {
	_, out, err := decided[*virt.Storage](ctx, c, ch)
	if err != nil || !out.Changed {
		return out, err
	}
	nodes, err := c.keepers(ctx, c, ch)
	if err == nil {
		err = c.checkPool(ctx, c, ch)
	}
	if err != nil {
		return virt.Outcome{}, err
	}
	var errs []error
	for _, r := range ask(ctx, nodes, func(ctx context.Context, n *Node) (virt.Outcome, error) {
		before, err := virt.Read(ctx, n, ch.Object())
		if err != nil {
			return virt.Outcome{}, err
		}
		on := virt.On{Ref: ch.Object(), Before: before}
		switch ch := ch.(type) {
		case virt.CreatePool:
			ch.On, ch.Hosts = on, nil
			return n.Apply(ctx, ch)
		case virt.StartPool:
			ch.On, ch.Hosts = on, nil
			return n.Apply(ctx, ch)
		case virt.StopPool:
			ch.On, ch.Hosts = on, nil
			return n.Apply(ctx, ch)
		case virt.DeletePool:
			ch.On, ch.Hosts = on, nil
			return n.Apply(ctx, ch)
		default:
			return virt.Outcome{}, virt.Unsupported("a libvirt cluster", ch, "")
		}
	}) {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("on %s: %w", r.node.cfg.Name, r.err))
		}
		out.Warnings = append(out.Warnings, r.value.Warnings...)
	}
	if err := errors.Join(errs...); err != nil {
		return virt.Outcome{}, err
	}
	return out, nil
}
