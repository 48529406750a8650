//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nactl/nactl/virt"
)

// VM finds a VM on the member that holds it.
func (c *Cluster) VM(ctx context.Context, name string) (*virt.VM, error) {
	s, err := c.locate(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.on[0].value, nil
}

// gather puts the lists of all members together; a member that cannot be asked
// is an error, for the list would look complete and not be.
func gather[T any](ctx context.Context, c *Cluster, list func(ctx context.Context, n *Node) ([]T, error)) ([]T, error) {
	var out []T
	var errs []error
	for _, r := range ask(ctx, c.members, list) {
		out = append(out, r.value...)
		errs = append(errs, r.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// VMs reads the VMs of all members, by name.
func (c *Cluster) VMs(ctx context.Context) ([]*virt.VM, error) {
	vms, err := gather(ctx, c, func(ctx context.Context, n *Node) ([]*virt.VM, error) { return n.VMs(ctx) })
	for _, vm := range vms {
		vm.Cluster = c.name
	}
	slices.SortStableFunc(vms, func(a, b *virt.VM) int { return cmp.Compare(a.Name, b.Name) })
	return vms, err
}

// Drives has nothing to do: they come with the VM.
func (c *Cluster) Drives(context.Context, *virt.VM) error { return nil }

// DiskSizes reads the sizes of a VM's disks where the VM is; of one that is only
// planned, wherever its volumes are.
func (c *Cluster) DiskSizes(ctx context.Context, vm *virt.VM) error {
	if host, ok := vm.Host.Get(); ok {
		n, err := c.member(host)
		if err != nil {
			return err
		}
		return n.DiskSizes(ctx, vm)
	}
	var errs []error
	for _, n := range c.members {
		err := n.DiskSizes(ctx, vm)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Network finds a network: its Hosts are the members that have it. Members that
// mean different things by its name are an ErrConflict.
func (c *Cluster) Network(ctx context.Context, name string) (*virt.Network, error) {
	ref := virt.NetworkRef(name)
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.Network, error) { return n.Network(ctx, name) })
	if err != nil {
		return nil, err
	}
	if len(s.on) == 0 {
		return nil, s.lost(ref, "make it with create_vlan, or check its name")
	}
	nets := make([]*virt.Network, len(s.on))
	for i, r := range s.on {
		nets[i] = r.value
	}
	return mergeNetworks(nets)
}

// mergeNetworks makes one of the members' networks of one name.
func mergeNetworks(nets []*virt.Network) (*virt.Network, error) {
	out := nets[0]
	for _, n := range nets[1:] {
		if n.Type != out.Type || n.VLAN != out.VLAN {
			describe := func(n *virt.Network) string {
				return fmt.Sprintf("%s, VLAN %d on %s", n.Type, n.VLAN, n.Hosts[0])
			}
			return nil, &virt.Error{Kind: virt.ErrConflict, Object: out.Ref(), Summary: "is another network on another member",
				Found: describe(out) + "; " + describe(n), Hint: "delete the wrong one with delete_vlan and its hosts"}
		}
		out.Active = out.Active && n.Active
		out.IP = commonIP(out.IP, n.IP)
		out.Autostart = out.Autostart && n.Autostart
		out.Hosts = append(out.Hosts, n.Hosts...)
	}
	return out, nil
}

// Networks reads the networks of all members, by name.
func (c *Cluster) Networks(ctx context.Context) ([]*virt.Network, error) {
	all, err := gather(ctx, c, func(ctx context.Context, n *Node) ([]*virt.Network, error) { return n.Networks(ctx) })
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b *virt.Network) int { return cmp.Compare(a.Name, b.Name) })
	var out []*virt.Network
	for len(all) > 0 {
		same := 1
		for same < len(all) && all[same].Name == all[0].Name {
			same++
		}
		merged, err := mergeNetworks(all[:same])
		if err != nil {
			return nil, err
		}
		out = append(out, merged)
		all = all[same:]
	}
	return out, nil
}

// Storage finds a pool. Where several members have a pool of that name of their
// own, it is the one with the most room; its Host says whose.
func (c *Cluster) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	if p, named, err := onHost(ctx, c, name, func(n *Node, pool string) (*virt.Storage, error) { return n.Storage(ctx, pool) }); named {
		if err == nil {
			p.Name = name
		}
		return p, err
	}
	ref := virt.Ref{Kind: virt.KindStorage, Name: name}
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.Storage, error) { return n.Storage(ctx, name) })
	if err != nil {
		return nil, err
	}
	if len(s.on) == 0 {
		return nil, s.lost(ref, "name a pool of a member, or define it")
	}
	best := s.on[0].value
	for _, r := range s.on[1:] {
		if !best.Shared && r.value.Available > best.Available {
			best = r.value
		}
	}
	hosts, active, autostart := []string{}, true, true
	for _, r := range s.on {
		hosts = append(hosts, r.node.cfg.Name)
		active, autostart = active && r.value.Active, autostart && r.value.Autostart
	}
	best.Hosts, best.Active, best.Autostart = hosts, active, autostart
	return best, nil
}

// Storages reads the pools of all members, by name: shared ones once.
func (c *Cluster) Storages(ctx context.Context) ([]*virt.Storage, error) {
	all, err := gather(ctx, c, func(ctx context.Context, n *Node) ([]*virt.Storage, error) { return n.Storages(ctx) })
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b *virt.Storage) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b *virt.Storage) bool { return a.Name == b.Name && a.Shared && b.Shared }), nil
}

// Volume finds a volume: of a shared pool on any member, else on the member that
// has it.
func (c *Cluster) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	if v, named, err := onHost(ctx, c, storage, func(n *Node, pool string) (*virt.Volume, error) { return n.Volume(ctx, pool, name) }); named {
		if err == nil {
			v.Storage = storage
		}
		return v, err
	}
	ref := virt.VolumeRef(storage, name)
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.Volume, error) { return n.Volume(ctx, storage, name) })
	if err != nil {
		return nil, err
	}
	if len(s.on) == 0 {
		if _, err := c.Storage(ctx, storage); err != nil {
			return nil, err
		}
		return nil, s.lost(ref, "check its name, or refresh the pool if it was made by hand")
	}
	return s.on[0].value, nil
}

// Volumes reads the volumes of a pool on all members that have it: each name
// once.
func (c *Cluster) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	if all, named, err := onHost(ctx, c, storage, func(n *Node, pool string) ([]*virt.Volume, error) { return n.Volumes(ctx, pool) }); named {
		for _, v := range all {
			v.Storage = storage
		}
		return all, err
	}
	ref := virt.Ref{Kind: virt.KindStorage, Name: storage}
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) ([]*virt.Volume, error) { return n.Volumes(ctx, storage) })
	if err != nil {
		return nil, err
	}
	if len(s.on) == 0 || len(s.away) > 0 {
		return nil, s.lost(ref, "name a pool of a member, or define it")
	}
	var all []*virt.Volume
	for _, r := range s.on {
		all = append(all, r.value...)
	}
	slices.SortStableFunc(all, func(a, b *virt.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b *virt.Volume) bool { return a.Name == b.Name }), nil
}

// Image finds an image on any member.
func (c *Cluster) Image(ctx context.Context, src virt.ImageSource) (*virt.Image, error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.Image, error) { return n.Image(ctx, src) })
	if err != nil {
		return nil, err
	}
	if len(s.on) == 0 {
		if len(s.away) > 0 {
			return nil, s.lost(ref, "")
		}
		return nil, &virt.Error{Kind: virt.ErrNotFound, Object: ref,
			Summary: fmt.Sprintf("is on no member of cluster %s: volume %q of pool %q", c.name, src.Volume, src.Storage),
			Hint:    "upload it to the pool, or name another volume in the inventory"}
	}
	return s.on[0].value, nil
}

// Host reads a member; one that does not answer has the state unreachable.
func (c *Cluster) Host(ctx context.Context, name string) (*virt.Host, error) {
	n, err := c.member(name)
	if err != nil {
		return nil, err
	}
	h, err := n.Host(ctx, name)
	if isAway(err) && ctx.Err() == nil {
		h, err = &virt.Host{Name: name, State: "unreachable", Address: n.address(), Maintenance: n.cfg.Maintenance}, nil
	}
	if err != nil {
		return nil, err
	}
	h.Cluster = c.name
	return h, nil
}

// Hosts reads all members, by name.
func (c *Cluster) Hosts(ctx context.Context) ([]*virt.Host, error) {
	return gather(ctx, c, func(ctx context.Context, n *Node) ([]*virt.Host, error) {
		h, err := c.Host(ctx, n.cfg.Name)
		return []*virt.Host{h}, err
	})
}

// holder gives the member that a VM is on.
func (c *Cluster) holder(ctx context.Context, vm string) (*Node, error) {
	s, err := c.locate(ctx, vm)
	if err != nil {
		return nil, err
	}
	return s.on[0].node, nil
}

// Snapshots reads the snapshots of a VM.
func (c *Cluster) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.Snapshots(ctx, vm)
}

// GuestInfo asks the agent in a VM.
func (c *Cluster) GuestInfo(ctx context.Context, vm string) (*virt.GuestInfo, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.GuestInfo(ctx, vm)
}

// GuestFile looks at a file in a VM.
func (c *Cluster) GuestFile(ctx context.Context, vm, path string, limit int64) (*virt.GuestFile, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.GuestFile(ctx, vm, path, limit)
}

// SSHKeys reads the keys of a user in a VM.
func (c *Cluster) SSHKeys(ctx context.Context, vm, user string) (*virt.SSHKeys, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.SSHKeys(ctx, vm, user)
}

// GuestProbe runs a read-only command in a VM.
func (c *Cluster) GuestProbe(ctx context.Context, vm string, cmd virt.Command) (*virt.CommandResult, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return nil, err
	}
	return n.GuestProbe(ctx, vm, cmd)
}

// GuestPort connects to a port of a VM from its node.
func (c *Cluster) GuestPort(ctx context.Context, vm string, port int) (string, error) {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return "", err
	}
	return n.GuestPort(ctx, vm, port)
}

// HostProbe runs a read-only command on a member.
func (c *Cluster) HostProbe(ctx context.Context, cmd virt.HostExec) (*virt.CommandResult, error) {
	n, err := c.member(cmd.Ref.Name)
	if err != nil {
		return nil, err
	}
	return n.HostProbe(ctx, cmd)
}

// HostVLANs reads the VLAN interfaces that nactl made on a member.
func (c *Cluster) HostVLANs(ctx context.Context, host string) ([]*virt.HostVLAN, error) {
	n, err := c.member(host)
	if err != nil {
		return nil, err
	}
	return n.HostVLANs(ctx, host)
}

// HostFacts asks a member what it is.
func (c *Cluster) HostFacts(ctx context.Context, host string) (*virt.HostFacts, error) {
	n, err := c.member(host)
	if err != nil {
		return nil, err
	}
	return n.HostFacts(ctx, host)
}

// Forget makes the next read of these objects a fresh one on all members.
func (c *Cluster) Forget(refs ...virt.Ref) {
	for _, n := range c.members {
		n.Forget(refs...)
	}
}

// Watch gives a signal when any member tells that something about the VM
// changed.
func (c *Cluster) Watch(ctx context.Context, vm string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	for _, n := range c.members {
		n.hub.add(ctx, vm, ch)
	}
	return ch
}

// memberView is what one member sees of a plan that is made for its cluster: the
// plan's VMs and networks as far as they are the member's, and its own storage.
type memberView struct {
	*Node
	plan virt.Reader
}

// VM gives the plan's VM, wherever it is: its name is unique in the cluster.
func (v memberView) VM(ctx context.Context, name string) (*virt.VM, error) {
	return v.plan.VM(ctx, name)
}

// VMs gives those VMs of the plan that are on the member or may come to be.
func (v memberView) VMs(ctx context.Context) ([]*virt.VM, error) {
	vms, err := v.plan.VMs(ctx)
	return slices.DeleteFunc(vms, func(vm *virt.VM) bool {
		host, known := vm.Host.Get()
		return known && host != v.cfg.Name
	}), err
}

// HostVLANs gives the plan's VLAN interfaces on a host.
func (v memberView) HostVLANs(ctx context.Context, host string) ([]*virt.HostVLAN, error) {
	return v.plan.HostVLANs(ctx, host)
}

// Network gives the plan's network where the member has it.
func (v memberView) Network(ctx context.Context, name string) (*virt.Network, error) {
	n, err := v.plan.Network(ctx, name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(n.Hosts, v.cfg.Name) {
		return nil, &virt.Error{Kind: virt.ErrNotFound, Object: n.Ref(), Summary: "is not on " + v.cfg.Name,
			Hint: "make it there with create_vlan"}
	}
	return n, nil
}

var _ virt.Grouped = (*Cluster)(nil)

// Clusters gives the cluster itself.
func (c *Cluster) Clusters(context.Context) ([]*virt.Cluster, error) {
	return []*virt.Cluster{{Name: c.name}}, nil
}

// DataCentres gives none: nodes have no such thing.
func (c *Cluster) DataCentres(context.Context) ([]*virt.DataCentre, error) { return nil, nil }

// Snapshots gives the plan's snapshots of the plan's VM.
func (v memberView) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	return v.plan.Snapshots(ctx, vm)
}
