//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
)

// aboutVolume tells whether a change is one to a volume.
func aboutVolume(ch virt.Change) bool { return ch.Object().Kind == virt.KindVolume }

// keeper gives the member that works on the volumes of a pool, and what that calls
// the pool: the one that is named, as HOST/POOL, or the only one that has it. Of a
// shared pool it is the first that answers.
func (c *Cluster) keeper(ctx context.Context, storage string) (*Node, string, error) {
	host, pool := virt.HostOf(storage)
	if host != "" {
		n, err := c.member(host)
		return n, pool, err
	}
	ref := virt.StorageRef(pool)
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.Storage, error) { return n.Storage(ctx, pool) })
	switch {
	case err != nil:
		return nil, "", err
	case len(s.on) == 0:
		return nil, "", s.lost(ref, "name a pool of a member, or make it with create_pool")
	case s.on[0].value.Shared || len(s.on) == 1 && len(s.away) == 0:
		return s.on[0].node, pool, nil
	case len(s.on) == 1:
		return nil, "", s.lost(ref, "")
	}
	var hosts []string
	for _, r := range s.on {
		hosts = append(hosts, r.node.cfg.Name)
	}
	return nil, "", c.ownPools(ref, hosts)
}

// ownPools says that several members have a pool of that name.
func (c *Cluster) ownPools(ref virt.Ref, hosts []string) error {
	return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is a pool of their own on several members of cluster " + c.name,
		Found: strings.Join(hosts, ", "), Hint: "say with host whose is meant; if they are one and the same, name it in shared_pools of the cluster"}
}

// onMember gives a change to a volume as the member is asked for it.
func onMember(ch virt.Change, pool string, before virt.Object) virt.Change {
	on := virt.On{Ref: virt.VolumeRef(pool, ch.Object().Name), Before: before}
	switch ch := ch.(type) {
	case virt.CreateVolume:
		ch.On = on
		return ch
	case virt.CloneVolume:
		ch.On = on
		_, ch.From.Scope = virt.HostOf(ch.From.Scope)
		return ch
	case virt.ResizeVolume:
		ch.On = on
		return ch
	case virt.DeleteVolume:
		ch.On = on
		return ch
	case virt.UploadVolume:
		ch.On = on
		return ch
	}
	return ch
}

// checkVolume checks a change to a volume on the member that is asked for it.
func (c *Cluster) checkVolume(ctx context.Context, view virt.Reader, ch virt.Change) error {
	host, pool := virt.HostOf(ch.Object().Scope)
	if host == "" {
		p, err := view.Storage(ctx, pool)
		switch {
		case err != nil:
			return err
		case len(p.Hosts) == 0 || !p.Shared && len(p.Hosts) > 1:
			return c.ownPools(p.Ref(), p.Hosts)
		}
		host = p.Hosts[0]
	}
	if clone, ok := ch.(virt.CloneVolume); ok {
		if from, _ := virt.HostOf(clone.From.Scope); from != host && from != "" {
			return &virt.Error{Kind: virt.ErrUnsupported, Object: ch.Object(), Summary: "cannot be a copy of a volume of another member",
				Found: clone.From.String(), Hint: "use download_volume and upload_volume"}
		}
	}
	n, err := c.member(host)
	if err != nil {
		return err
	}
	return n.Check(ctx, memberView{n, view}, onMember(ch, pool, nil))
}

// applyVolume makes a change to a volume on the member that keeps it. The others
// that share the pool look at it again.
func (c *Cluster) applyVolume(ctx context.Context, ch virt.Change) (virt.Outcome, error) {
	_, out, err := decided[*virt.Volume](ctx, c, ch)
	if err != nil || !out.Changed {
		return out, err
	}
	n, pool, err := c.keeper(ctx, ch.Object().Scope)
	if err != nil {
		return virt.Outcome{}, err
	}
	if err := c.checkVolume(ctx, c, ch); err != nil {
		return virt.Outcome{}, err
	}
	on := onMember(ch, pool, nil)
	now, err := virt.ReadFor(ctx, n, on)
	if err != nil {
		return virt.Outcome{}, err
	}
	done, err := n.Apply(ctx, onMember(ch, pool, now))
	out.Summary, out.Warnings = done.Summary, append(out.Warnings, done.Warnings...)
	if !done.Changed {
		out = done
	}
	if slices.Contains(n.cfg.SharedPools, pool) {
		for _, r := range ask(ctx, n.others(), func(ctx context.Context, n *Node) (struct{}, error) { return struct{}{}, n.refresh(ctx, pool) }) {
			if r.err != nil && err == nil && ctx.Err() == nil {
				out.Warnings = append(out.Warnings, r.node.String()+" could not look at the pool again: "+r.err.Error())
			}
		}
	}
	return out, err
}

// onHost reads what belongs to a pool of one member, which HOST/POOL names. What is
// given bears the name that it was asked for by.
func onHost[T any](ctx context.Context, c *Cluster, storage string, read func(n *Node, pool string) (T, error)) (v T, named bool, err error) {
	host, pool := virt.HostOf(storage)
	if host == "" {
		return v, false, nil
	}
	n, err := c.member(host)
	if err == nil {
		v, err = read(n, pool)
	}
	var e *virt.Error
	if errors.As(err, &e) && (e.Object.Kind == virt.KindVolume && e.Object.Scope == pool || e.Object.Same(virt.StorageRef(pool))) {
		renamed := *e
		if e.Object.Kind == virt.KindVolume {
			renamed.Object.Scope = storage
		} else {
			renamed.Object.Name = storage
		}
		err = &renamed
	}
	return v, true, err
}

// VolumeSum takes a volume's checksum on the member that has it.
func (c *Cluster) VolumeSum(ctx context.Context, v *virt.Volume, length int64) error {
	n, pool, err := c.keeper(ctx, v.Storage)
	if err != nil {
		return err
	}
	there := *v
	there.Storage = pool
	if err := n.VolumeSum(ctx, &there, length); err != nil {
		return err
	}
	v.SHA256, v.Summed = there.SHA256, there.Summed
	return nil
}

// ReadVolume reads a volume from the member that has it.
func (c *Cluster) ReadVolume(ctx context.Context, storage, name string, into virt.Sink) error {
	n, pool, err := c.keeper(ctx, storage)
	if err != nil {
		return err
	}
	return n.ReadVolume(ctx, pool, name, into)
}

// Storage gives the plan's pool as the member has it.
func (v memberView) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	p, err := v.plan.Storage(ctx, virt.StorageOn(v.cfg.Name, name))
	if err == nil {
		_, p.Name = virt.HostOf(p.Name)
		p.Host, p.Hosts = v.cfg.Name, []string{v.cfg.Name}
	}
	return p, plainName(err)
}

// Volume gives the plan's volume of a pool of the member.
func (v memberView) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	k, err := v.plan.Volume(ctx, virt.StorageOn(v.cfg.Name, storage), name)
	if err == nil {
		_, k.Storage = virt.HostOf(k.Storage)
	}
	return k, plainName(err)
}

// Volumes gives the plan's volumes of a pool of the member.
func (v memberView) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	all, err := v.plan.Volumes(ctx, virt.StorageOn(v.cfg.Name, storage))
	for _, k := range all {
		_, k.Storage = virt.HostOf(k.Storage)
	}
	return all, plainName(err)
}

// plainName makes an error about a pool or volume of a member one of the member
// itself.
func plainName(err error) error {
	var e *virt.Error
	if !errors.As(err, &e) {
		return err
	}
	renamed := *e
	switch e.Object.Kind {
	case virt.KindVolume:
		_, renamed.Object.Scope = virt.HostOf(e.Object.Scope)
	case virt.KindStorage:
		_, renamed.Object.Name = virt.HostOf(e.Object.Name)
	default:
		return err
	}
	return &renamed
}
