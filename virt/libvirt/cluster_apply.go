//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nactl/nactl/virt"
)

// Supports tells whether a cluster knows the change: what a node does, and moves.
func (c *Cluster) Supports(ch virt.Change) error {
	if _, ok := ch.(virt.Migrate); ok {
		return nil
	}
	return c.members[0].Supports(ch)
}

// Predict says what a change would do by libvirt's rules. The host of a new VM
// is known only afterwards, unless it is named.
func (c *Cluster) Predict(before virt.Object, ch virt.Change) (virt.Object, virt.Outcome, error) {
	if net, ok := ch.(virt.CreateNetwork); ok && len(net.Hosts) == 0 {
		net.Hosts = c.names()
		ch = net
	}
	if p, ok := ch.(virt.CreatePool); ok && len(p.Hosts) == 0 {
		p.Hosts = c.names()
		ch = p
	}
	after, out, err := c.members[0].predict(before, ch)
	if vm, ok := after.(*virt.VM); ok && vm != nil {
		vm.Cluster = c.name
	}
	return after, out, err
}

// Check looks for what stands in the way of a change, on the members that it is
// about.
func (c *Cluster) Check(ctx context.Context, view virt.Reader, ch virt.Change) error {
	if err := c.Supports(ch); err != nil {
		return err
	}
	switch ch := ch.(type) {
	case virt.CreateVM:
		unlock, err := c.place.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		_, err = c.hosts(ctx, view, ch)
		return err
	case virt.Migrate:
		vm, err := view.VM(ctx, ch.Ref.Name)
		if err != nil {
			return err
		}
		_, _, err = c.destinations(ctx, view, vm, ch)
		return err
	case virt.RenameVM:
		if err := virt.CheckRename(ctx, view, ch); err != nil {
			return err
		}
		return c.checkVM(ctx, view, ch)
	case virt.HostExec, virt.CreateHostVLAN, virt.DeleteHostVLAN:
		n, err := c.member(hostOf(ch))
		if err != nil {
			return err
		}
		return n.Check(ctx, memberView{n, view}, ch)
	case virt.CreateNetwork, virt.DeleteNetwork:
		nodes, err := c.concerned(ctx, view, ch)
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
	case virt.CreatePool, virt.StartPool, virt.StopPool, virt.DeletePool:
		return c.checkPool(ctx, view, ch)
	default:
		if aboutVolume(ch) {
			return c.checkVolume(ctx, view, ch)
		}
		return c.checkVM(ctx, view, ch)
	}
}

// hostOf names the member that a change to a host itself is about; empty for other
// changes.
func hostOf(ch virt.Change) string {
	switch ch := ch.(type) {
	case virt.HostExec:
		return ch.Ref.Name
	case virt.CreateHostVLAN:
		return ch.Ref.Scope
	case virt.DeleteHostVLAN:
		return ch.Ref.Scope
	}
	return ""
}

// checkVM checks a change to a VM on its member. Where a planned VM will be is
// not known: any member will do.
func (c *Cluster) checkVM(ctx context.Context, view virt.Reader, ch virt.Change) error {
	vm, err := view.VM(ctx, subject(ch))
	if errors.Is(err, virt.ErrNotFound) {
		return nil // that is Predict's to say
	} else if err != nil {
		return err
	}
	if host, ok := vm.Host.Get(); ok {
		n, err := c.member(host)
		if err != nil {
			return err
		}
		return n.Check(ctx, memberView{n, view}, ch)
	}
	var errs []error
	for _, r := range ask(ctx, c.members, func(ctx context.Context, n *Node) (struct{}, error) {
		return struct{}{}, n.Check(ctx, memberView{n, view}, ch)
	}) {
		if r.err == nil {
			return nil
		}
		errs = append(errs, r.err)
	}
	return errors.Join(errs...)
}

// subject names the VM that a change is about.
func subject(ch virt.Change) string {
	return ch.Object().Owner().Name
}

// Apply makes a change on the members that it is about.
func (c *Cluster) Apply(ctx context.Context, ch virt.Change) (virt.Outcome, error) {
	if err := c.Supports(ch); err != nil {
		return virt.Outcome{}, err
	}
	ref := ch.Object()
	if host := hostOf(ch); host != "" {
		n, err := c.member(host)
		if err != nil {
			return virt.Outcome{}, err
		}
		return n.Apply(ctx, ch)
	}
	refs := virt.Touched(ch)
	unlock, err := c.locks.Lock(ctx, refs...)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	c.Forget(refs...)
	switch ch := ch.(type) {
	case virt.CreateVM:
		now, out, err := decided[*virt.VM](ctx, c, ch)
		if err != nil || !out.Changed {
			return out, err
		}
		return c.createVM(ctx, ch, now)
	case virt.Migrate:
		return c.migrate(ctx, ch)
	case virt.RenameVM:
		// Its member knows its own VMs only: that another one has the name is seen here.
		_, out, err := decided[*virt.VM](ctx, c, ch)
		if err == nil && out.Changed {
			err = virt.CheckRename(ctx, c, ch)
		}
		if err != nil || !out.Changed {
			return out, err
		}
	case virt.CreateNetwork, virt.DeleteNetwork:
		return c.applyNetwork(ctx, ch)
	case virt.CreatePool, virt.StartPool, virt.StopPool, virt.DeletePool:
		return c.applyPool(ctx, ch)
	}
	if aboutVolume(ch) {
		return c.applyVolume(ctx, ch)
	}
	s, err := c.locate(ctx, subject(ch))
	if isMissing(err, ref) {
		_, out, err := virt.Decide(c, nil, ch) // some changes are done when it is not there
		return out, err
	}
	if err != nil {
		return virt.Outcome{}, err
	}
	n := s.on[0].node
	cleared, err := c.clear(ctx, s)
	if err != nil {
		return virt.Outcome{}, err
	}
	var out virt.Outcome
	if start, ok := ch.(virt.Start); ok {
		out, err = c.start(ctx, n, s.on[0].value, start)
	} else {
		out, err = n.Apply(ctx, ch)
	}
	if _, ok := ch.(virt.DeleteVM); ok && err == nil {
		c.place.settle(ref.Name)
	}
	out.Warnings = append(append(out.Warnings, cleared...), s.warnings(ref)...)
	return out, err
}

// decided reads the object of a change and decides on it.
func decided[T virt.Object](ctx context.Context, c *Cluster, ch virt.Change) (now T, out virt.Outcome, err error) {
	o, err := virt.ReadFor(ctx, c, ch)
	if err != nil {
		return now, out, err
	}
	_, out, err = virt.Decide(c, o, ch)
	now, _ = o.(T) // nil where it is not there
	return now, out, err
}

// concerned gives the members that a change to a network is about.
func (c *Cluster) concerned(ctx context.Context, view virt.Reader, ch virt.Change) ([]*Node, error) {
	var hosts []string
	switch ch := ch.(type) {
	case virt.CreateNetwork:
		hosts = ch.Hosts
	case virt.DeleteNetwork:
		if hosts = ch.Hosts; len(hosts) == 0 {
			net, err := view.Network(ctx, ch.Ref.Name)
			if errors.Is(err, virt.ErrNotFound) {
				return nil, nil
			} else if err != nil {
				return nil, err
			}
			hosts = net.Hosts
		}
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

// applyNetwork makes a change to a network on its members, side by side. What
// some of them did stays when another fails: the next run does the rest.
func (c *Cluster) applyNetwork(ctx context.Context, ch virt.Change) (virt.Outcome, error) {
	_, out, err := decided[*virt.Network](ctx, c, ch)
	if err != nil || !out.Changed {
		return out, err
	}
	nodes, err := c.concerned(ctx, c, ch)
	if err == nil {
		err = c.Check(ctx, c, ch)
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
		case virt.CreateNetwork:
			ch.On, ch.Hosts = on, nil
			return n.Apply(ctx, ch)
		case virt.DeleteNetwork:
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

// destinations gives the member that a VM is to leave, and those that it may go
// to, the best first.
func (c *Cluster) destinations(ctx context.Context, view virt.Reader, vm *virt.VM, ch virt.Migrate) (from *Node, to []*Node, err error) {
	host, ok := vm.Host.Get()
	if !ok {
		return nil, nil, &virt.Error{Kind: virt.ErrUndecided, Object: vm.Ref(), Summary: "its host is known only afterwards"}
	}
	if from, err = c.member(host); err != nil {
		return nil, nil, err
	}
	check := func(ctx context.Context, n *Node) error {
		return checkMigrate(ctx, from, n, view, vm, ch, c.moveOptions())
	}
	if ch.Host != "" {
		n, err := c.member(ch.Host)
		if err != nil {
			return nil, nil, err
		}
		if n == from {
			return from, nil, nil
		}
		return from, []*Node{n}, check(ctx, n)
	}
	if ch.AwayFrom != host {
		return from, nil, nil // it is elsewhere already
	}
	unlock, err := c.place.lock(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	to, err = c.rank(ctx, vm.Name, func(ctx context.Context, n *Node) error {
		if n == from {
			return errors.New("it is to leave this one")
		}
		return check(ctx, n)
	})
	return from, to, err
}

// migrate moves a VM to another member, or ends a move that broke off.
func (c *Cluster) migrate(ctx context.Context, ch virt.Migrate) (virt.Outcome, error) {
	if err := c.choose(ctx, &ch); err != nil {
		return virt.Outcome{}, err
	}
	s, err := c.locate(ctx, ch.Ref.Name)
	if err != nil {
		return virt.Outcome{}, err
	}
	vm := s.on[0].value
	_, out, err := virt.Decide(c, vm, ch)
	if err != nil || !out.Changed && s.left == nil {
		return out, err
	}
	from := s.on[0].node
	unlock, err := from.locks.Lock(ctx, ch.Ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	cleared, err := c.clear(ctx, s)
	if err == nil && vm.Arrived != "" {
		err = c.finishArrival(ctx, from, vm)
	}
	if err != nil {
		return virt.Outcome{}, err
	}
	warnings := append(cleared, s.warnings(ch.Ref)...)
	_, to, err := c.destinations(ctx, c, vm, ch)
	if err != nil || len(to) == 0 {
		out.Warnings = append(out.Warnings, warnings...)
		return out, err
	}
	// No other change to the VM may run on either side.
	there, err := to[0].locks.Lock(ctx, ch.Ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer there()
	if vm.State == virt.InMigration && len(s.away) > 0 && from.ask(ctx, vm.Name).stranded() {
		return virt.Outcome{}, s.lost(ch.Ref, "it stands still on "+from.cfg.Name+" after a move that broke off, and may run on a member that cannot be asked: bring that back")
	}
	ch.Host, ch.AwayFrom = to[0].cfg.Name, ""
	moved, err := migrate(ctx, from, to[0], vm, ch, c.moveOptions())
	c.Forget(ch.Ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	moved.Warnings = append(moved.Warnings, warnings...)
	return moved, nil
}

// choose settles where a VM goes that is on several members stopped: a move of its
// definition broke off between them, and the member that it is to be on has it.
func (c *Cluster) choose(ctx context.Context, ch *virt.Migrate) error {
	if ch.Host == "" {
		return nil
	}
	to, err := c.member(ch.Host)
	if err != nil {
		return nil // that is told where the destination is looked for
	}
	s, err := find(ctx, c, ch.Ref, func(ctx context.Context, n *Node) (*virt.VM, error) { return n.VM(ctx, ch.Ref.Name) })
	if err != nil || len(s.on) != 2 {
		return nil // likewise
	}
	for i, r := range s.on {
		other := s.on[1-i]
		if r.node != to || other.node == to {
			continue
		}
		left, real := other.node.ask(ctx, ch.Ref.Name), to.ask(ctx, ch.Ref.Name)
		if !left.active && !real.active && leftOver(left, real) {
			return other.node.dropLeft(ctx, ch.Ref.Name, real.uuid)
		}
	}
	return nil
}

// finishArrival ends a move whose run did not: its VM is here, and copies are left
// where it came from.
func (c *Cluster) finishArrival(ctx context.Context, here *Node, vm *virt.VM) error {
	from, err := c.member(vm.Arrived)
	if errors.Is(err, virt.ErrNotFound) {
		return here.unmarkArrival(ctx, vm.Name) // that node is no member any more
	} else if err != nil {
		return err
	}
	return finishArrival(ctx, from, here, vm)
}
