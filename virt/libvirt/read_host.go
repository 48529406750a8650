//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// Hosts gives the one host that a node is.
func (n *Node) Hosts(ctx context.Context) ([]*virt.Host, error) {
	h, err := n.Host(ctx, n.cfg.Name)
	if err != nil {
		return nil, err
	}
	return []*virt.Host{h}, nil
}

// Host reads the node itself; another name is not found.
func (n *Node) Host(ctx context.Context, name string) (*virt.Host, error) {
	if name != n.cfg.Name {
		return nil, virt.NotFound(hostRef(name), "this target is the node "+n.cfg.Name+" alone")
	}
	h := &virt.Host{Name: name, State: "up", Maintenance: n.cfg.Maintenance, Address: n.address()}
	if h.Maintenance {
		h.State = "maintenance"
	}
	err := n.read(ctx, "read the host", func(c *lv.Connect) error {
		var g errgroup.Group
		g.Go(func() error {
			info, err := c.GetNodeInfo()
			if err == nil {
				h.CPUs, h.Memory = int(info.Cpus), int64(info.Memory)*virt.KiB
			}
			return err
		})
		g.Go(func() (err error) { h.FreeMemory, err = freeMemory(c); return })
		g.Go(func() (err error) { h.VMs, err = c.NumOfDomains(); return })
		return g.Wait()
	})
	if err != nil {
		return nil, err
	}
	h.Hypervisor = n.addr.driver
	return h, nil
}

// freeMemory gives the memory that a new VM could have, in bytes: what is free
// and what the kernel would give up of its caches. libvirt's own "free" leaves
// the caches out, so that a node that has run for a day looks full.
func freeMemory(c *lv.Connect) (int64, error) {
	s, err := c.GetMemoryStats(lv.NODE_MEMORY_STATS_ALL_CELLS, 0)
	if err == nil && s.FreeSet {
		return int64(s.Free+s.Buffers+s.Cached) * virt.KiB, nil
	}
	if isLost(err) {
		return 0, err
	}
	// A driver without these numbers says so with an error that has no code.
	free, err := c.GetFreeMemory()
	var le lv.Error
	if errors.As(err, &le) && le.Domain == lv.FROM_NONE {
		err = nil // nothing failed: it is 0 bytes, which the call cannot tell from a failure
	}
	return int64(free), err
}

// address is where other nodes reach this one.
func (n *Node) address() string {
	if n.cfg.SSH == nil {
		return n.cfg.Address
	}
	return cmp.Or(n.cfg.Address, n.cfg.SSH.Address, n.cfg.SSH.Name)
}
