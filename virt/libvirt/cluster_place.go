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

// mostFreeMemory is the only way of choosing a host, and the default.
const mostFreeMemory = "most_free_memory"

// placement remembers what this run has put on the members and not yet started:
// its memory is as good as taken, and no member shows it.
type placement struct {
	choosing chan struct{} // held by whoever chooses
	placed   map[string]promise
}

// promise is memory of a member that a VM will take when it starts.
type promise struct {
	host   string
	memory int64
}

func (p *placement) init() {
	p.choosing = make(chan struct{}, 1)
	p.placed = map[string]promise{}
}

// lock waits for the right to choose.
func (p *placement) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case p.choosing <- struct{}{}:
		return func() { <-p.choosing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// settle drops a VM's promise and says whether there was one: it was started,
// deleted, or could not be made.
func (p *placement) settle(vm string) bool {
	p.choosing <- struct{}{}
	defer func() { <-p.choosing }()
	_, ok := p.placed[vm]
	delete(p.placed, vm)
	return ok
}

// free gives what a member has for further VMs. The right to choose is held.
func (p *placement) free(h *virt.Host, but string) int64 {
	free := h.FreeMemory
	for vm, x := range p.placed {
		if x.host == h.Name && vm != but {
			free -= x.memory
		}
	}
	return free
}

// rank puts those members that may take a VM in order: the one with the most
// free memory first, equal ones by name. Members in maintenance and those that
// cannot be asked are left out; fits gives the reasons why a member cannot.
func (c *Cluster) rank(ctx context.Context, vm string, fits func(ctx context.Context, n *Node) error) ([]*Node, error) {
	type candidate struct {
		node *Node
		free int64
	}
	var out []candidate
	var reasons []error
	for _, r := range ask(ctx, c.members, func(ctx context.Context, n *Node) (*virt.Host, error) {
		h, err := c.Host(ctx, n.cfg.Name)
		if err == nil && h.State == "up" {
			err = fits(ctx, n)
		}
		return h, err
	}) {
		name := r.node.cfg.Name
		switch {
		case r.err != nil:
			reasons = append(reasons, fmt.Errorf("%s: %w", name, r.err))
		case r.value.State != "up":
			reasons = append(reasons, fmt.Errorf("%s: is %s", name, r.value.State))
		default:
			out = append(out, candidate{r.node, c.place.free(r.value, vm)})
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if len(out) == 0 {
		// Without a kind of its own: that of the reasons is what counts.
		return nil, &virt.Error{Object: virt.VMRef(vm), Summary: "no member of cluster " + c.name + " can take it", Err: errors.Join(reasons...)}
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.free, a.free), cmp.Compare(a.node.cfg.Name, b.node.cfg.Name))
	})
	nodes := make([]*Node, len(out))
	for i, k := range out {
		nodes[i] = k.node
	}
	return nodes, nil
}

// hosts gives the members that a new VM may be put on, the best first: the one
// that is named, or all that have what it needs.
func (c *Cluster) hosts(ctx context.Context, view virt.Reader, ch virt.CreateVM) ([]*Node, error) {
	if p := ch.Placement; p != "" && p != mostFreeMemory {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: ch.Ref, Summary: fmt.Sprintf("%q is no way of placing a VM", p),
			Hint: "use " + mostFreeMemory + ", or name a host"}
	}
	fits := func(ctx context.Context, n *Node) error {
		ch := ch
		ch.Host = virt.Some(n.cfg.Name)
		return n.Check(ctx, memberView{n, view}, ch)
	}
	host, named := ch.Host.Get()
	if !named {
		return c.rank(ctx, ch.Ref.Name, fits)
	}
	n, err := c.member(host)
	if err != nil {
		return nil, err
	}
	if n.cfg.Maintenance {
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: hostRef(host), Summary: "is in maintenance",
			Hint: "choose another host, or end the maintenance in the inventory"}
	}
	return []*Node{n}, fits(ctx, n)
}

// createVM makes a VM on the best member. One that an interrupted run has begun
// is finished where it is.
func (c *Cluster) createVM(ctx context.Context, ch virt.CreateVM, begun *virt.VM) (virt.Outcome, error) {
	if begun != nil {
		ch.Host = begun.Host
	}
	n, err := c.promise(ctx, ch)
	if err != nil {
		return virt.Outcome{}, err
	}
	ch.Host = virt.Some(n.cfg.Name)
	ch.Before = nil
	if begun != nil {
		ch.Before = begun
	}
	out, err := n.Apply(ctx, ch)
	if err != nil {
		c.place.settle(ch.Ref.Name)
	}
	return out, err
}

// promise chooses the member for a VM, and counts its memory as taken there.
func (c *Cluster) promise(ctx context.Context, ch virt.CreateVM) (*Node, error) {
	unlock, err := c.place.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	nodes, err := c.hosts(ctx, c, ch)
	if err != nil {
		return nil, err
	}
	c.place.placed[ch.Ref.Name] = promise{nodes[0].cfg.Name, ch.Memory.Current}
	return nodes[0], nil
}

// start starts a VM. Where the member that this run has put it on refuses, it is
// moved to the next one that can take it, and started there.
func (c *Cluster) start(ctx context.Context, on *Node, vm *virt.VM, ch virt.Start) (virt.Outcome, error) {
	out, err := on.Apply(ctx, ch)
	ours := c.place.settle(vm.Name)
	if err == nil || !ours || vm.Unfinished == "" || !refused(err) || ctx.Err() != nil {
		return out, err
	}
	move := virt.Migrate{On: virt.OnVM(vm), CopyStorage: true}
	unlock, lockErr := c.place.lock(ctx)
	if lockErr != nil {
		return out, lockErr
	}
	next, rankErr := c.rank(ctx, vm.Name, func(ctx context.Context, n *Node) error {
		if n == on {
			return err
		}
		move := move
		move.Host = n.cfg.Name
		return checkMigrate(ctx, on, n, c, vm, move, c.moveOptions())
	})
	unlock()
	if rankErr != nil {
		return out, rankErr
	}
	for _, n := range next {
		move.Host = n.cfg.Name
		if _, moveErr := migrate(ctx, on, n, vm, move, c.moveOptions()); moveErr != nil {
			return out, errors.Join(err, moveErr)
		}
		c.Forget(vm.Ref())
		refusal := fmt.Sprintf("%s refused to start it (%v): it was put on %s instead", on.cfg.Name, err, n.cfg.Name)
		if out, err = n.Apply(ctx, ch); err == nil {
			out.Warnings = append(out.Warnings, refusal)
			return out, nil
		}
		on = n
	}
	return out, err
}

func (c *Cluster) moveOptions() migrateOptions {
	shared := slices.Clone(c.members[0].cfg.SharedPools)
	for _, n := range c.members[1:] {
		shared = slices.DeleteFunc(shared, func(p string) bool { return !slices.Contains(n.cfg.SharedPools, p) })
	}
	return migrateOptions{SharedPools: shared}
}
