//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nactl/nactl/virt"
)

// Cluster is several nodes as one platform: the names of VMs are unique in it,
// and a change goes to the node that holds its object. It keeps no state of the
// VMs: the nodes are asked.
type Cluster struct {
	name    string
	members []*Node    // by name
	locks   virt.Locks // beside those of the nodes: a VM that moves is on two
	place   placement
}

var _ virt.Platform = (*Cluster)(nil)
var _ virt.Counter = (*Cluster)(nil)

// OpenCluster makes a cluster of nodes, which stay their owner's to close.
func OpenCluster(name string, members []*Node) (*Cluster, error) {
	if len(members) == 0 {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Summary: fmt.Sprintf("cluster %s has no nodes", name)}
	}
	c := &Cluster{name: name, members: slices.Clone(members)}
	slices.SortFunc(c.members, func(a, b *Node) int { return cmp.Compare(a.cfg.Name, b.cfg.Name) })
	for i, n := range c.members[1:] {
		if n.cfg.Name == c.members[i].cfg.Name {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Summary: fmt.Sprintf("cluster %s has the node %s twice", name, n.cfg.Name)}
		}
	}
	for i, n := range c.members {
		n.meet(slices.Concat(c.members[:i], c.members[i+1:]))
	}
	c.place.init()
	return c, nil
}

// Type is libvirt.
func (c *Cluster) Type() string { return "libvirt" }

// Name is what the inventory calls the cluster.
func (c *Cluster) Name() string { return c.name }

// Close does nothing: the nodes belong to whoever opened them.
func (c *Cluster) Close() error { return nil }

// Stats adds up what the members have sent.
func (c *Cluster) Stats() virt.Stats {
	sum := virt.Stats{Procedures: map[string]int{}}
	for _, n := range c.members {
		s := n.Stats()
		sum.Connections += s.Connections
		sum.Calls += s.Calls
		sum.Trips += s.Trips
		sum.Sent += s.Sent
		sum.Received += s.Received
		for name, k := range s.Procedures {
			sum.Procedures[name] += k
		}
	}
	return sum
}

// member gives the member of that name.
func (c *Cluster) member(host string) (*Node, error) {
	for _, n := range c.members {
		if n.cfg.Name == host {
			return n, nil
		}
	}
	return nil, &virt.Error{Kind: virt.ErrNotFound, Object: hostRef(host), Summary: "is not a member of cluster " + c.name,
		Found: strings.Join(c.names(), ", "), Hint: "name one of its members"}
}

func (c *Cluster) names() []string {
	var names []string
	for _, n := range c.members {
		names = append(names, n.cfg.Name)
	}
	return names
}

// reply is what one member answered.
type reply[T any] struct {
	node  *Node
	value T
	err   error
}

// ask asks all members side by side; the replies are in their order.
func ask[T any](ctx context.Context, members []*Node, question func(ctx context.Context, n *Node) (T, error)) []reply[T] {
	out := make([]reply[T], len(members))
	var wg sync.WaitGroup
	for i, n := range members {
		wg.Go(func() {
			v, err := question(ctx, n)
			out[i] = reply[T]{n, v, err}
		})
	}
	wg.Wait()
	return out
}

// isAway tells whether an error says that a member cannot be asked at all.
func isAway(err error) bool {
	return errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth)
}

// sighting is where an object is in the cluster.
type sighting[T any] struct {
	on   []reply[T] // the members that have it
	left *Node      // the member that a move which broke off has left something of a VM on
	away []reply[T] // the members that could not be asked
}

// find looks for an object on all members. Any other failure than a member's
// absence, or the object's, is the result.
func find[T any](ctx context.Context, c *Cluster, ref virt.Ref, look func(ctx context.Context, n *Node) (T, error)) (sighting[T], error) {
	var s sighting[T]
	var errs []error
	for _, r := range ask(ctx, c.members, look) {
		var e *virt.Error
		switch {
		case r.err == nil:
			s.on = append(s.on, r)
		case isAway(r.err):
			s.away = append(s.away, r)
		case errors.As(r.err, &e) && e.Kind == virt.ErrNotFound && (e.Object.Same(ref) || ref.Kind != virt.KindVM):
		default:
			errs = append(errs, r.err)
		}
	}
	if err := ctx.Err(); err != nil {
		return s, context.Cause(ctx)
	}
	return s, errors.Join(errs...)
}

// lost is the error for an object that was found nowhere: while a member is away
// nobody knows whether it has it.
func (s sighting[T]) lost(ref virt.Ref, hint string) error {
	if len(s.away) == 0 {
		return virt.NotFound(ref, hint)
	}
	var names []string
	var errs []error
	for _, r := range s.away {
		names = append(names, r.node.cfg.Name)
		errs = append(errs, r.err)
	}
	return &virt.Error{Kind: virt.ErrUnreachable, Object: ref,
		Summary: fmt.Sprintf("was not found, and %s cannot be asked", strings.Join(names, ", ")),
		Hint:    "bring the node back, or take it out of the cluster in the inventory", Err: errors.Join(errs...)}
}

// warnings tells of the members that could not be asked although the object was
// found.
func (s sighting[T]) warnings(ref virt.Ref) []string {
	var out []string
	for _, r := range s.away {
		out = append(out, fmt.Sprintf("%s was found on %s; member %s could not be asked (%v)", ref, s.on[0].node.cfg.Name, r.node.cfg.Name, r.err))
	}
	return out
}

// locate finds the member that holds a VM.
func (c *Cluster) locate(ctx context.Context, name string) (sighting[*virt.VM], error) {
	ref := virt.VMRef(name)
	s, err := find(ctx, c, ref, func(ctx context.Context, n *Node) (*virt.VM, error) { return n.VM(ctx, name) })
	switch {
	case err != nil:
		return s, err
	case len(s.on) == 0:
		return s, s.lost(ref, "make it with create_vm, or check its name")
	case len(s.on) == 2 && c.halfMoved(ctx, &s):
	case len(s.on) > 1:
		if host := c.onTheWay(ctx, s); host != "" {
			return s, &virt.Error{Kind: virt.ErrBusy, Object: ref, Summary: "is just being moved", Found: host, Hint: "wait until the move is over"}
		}
		var hosts []string
		for _, r := range s.on {
			hosts = append(hosts, fmt.Sprintf("%s (%s)", r.node.cfg.Name, r.value.State))
		}
		return s, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is on several members of cluster " + c.name,
			Found: strings.Join(hosts, ", "), Hint: "rename one of them, or remove it from its node"}
	}
	s.on[0].value.Cluster = c.name
	return s, nil
}

// halfMoved tells whether one of two members has of a VM only what a move has left
// that broke off; then the other one has the VM.
func (c *Cluster) halfMoved(ctx context.Context, s *sighting[*virt.VM]) bool {
	a, b := s.on[0], s.on[1]
	pa, pb := a.node.ask(ctx, a.value.Name), b.node.ask(ctx, b.value.Name)
	switch aLeft, bLeft := leftOver(pa, pb), leftOver(pb, pa); {
	case aLeft == bLeft: // both, when it is stopped: the mark of its arrival decides
		if !aLeft || (a.value.Arrived == b.node.cfg.Name) == (b.value.Arrived == a.node.cfg.Name) {
			return false
		}
		if aLeft = b.value.Arrived != ""; aLeft {
			s.on, s.left = s.on[1:], a.node
		} else {
			s.on, s.left = s.on[:1], b.node
		}
	case aLeft:
		s.on, s.left = s.on[1:], a.node
	default:
		s.on, s.left = s.on[:1], b.node
	}
	return true
}

// onTheWay names the members that are at work on moving a VM; empty when none is.
func (c *Cluster) onTheWay(ctx context.Context, s sighting[*virt.VM]) string {
	var hosts []string
	for _, r := range s.on {
		p := r.node.ask(ctx, r.value.Name)
		if p.moving() {
			hosts = append(hosts, p.String())
		}
	}
	return strings.Join(hosts, "; ")
}

// clear removes what a move that broke off has left of a VM on another member, now
// that something is to be done with the VM. The caller has the lock on it.
func (c *Cluster) clear(ctx context.Context, s sighting[*virt.VM]) (warnings []string, err error) {
	if s.left == nil {
		return nil, nil
	}
	vm := s.on[0].value
	if err := s.left.dropLeft(ctx, vm.Name, vm.ID.Or("")); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s is on %s: what a move that broke off had left of it on %s was removed", vm.Ref(), s.on[0].node.cfg.Name, s.left.cfg.Name)}, nil
}
