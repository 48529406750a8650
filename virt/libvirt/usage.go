//go:build cgo

package libvirt

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

var (
	_ virt.Metered = (*Node)(nil)
	_ virt.Metered = (*Cluster)(nil)
)

// Usage gives what VMs use now (virDomainListGetStats). The binding asks for each
// VM's CPUs besides, so VMs are asked about side by side.
func (n *Node) Usage(ctx context.Context, names ...string) ([]virt.Usage, error) {
	var out []virt.Usage
	err := n.read(ctx, "read what VMs use", func(c *lv.Connect) error {
		domains, err := activeDomains(c, names)
		defer func() {
			for _, d := range domains {
				d.Free()
			}
		}()
		if err != nil {
			return err
		}
		out = make([]virt.Usage, len(domains))
		var g errgroup.Group
		g.SetLimit(readsInFlight)
		for i := range domains {
			g.Go(func() (err error) {
				out[i], err = usage(c, &domains[i])
				return err
			})
		}
		return g.Wait()
	})
	if err != nil {
		return nil, err
	}
	running := out[:0]
	for _, u := range out {
		if u.VM != "" {
			u.Host = n.cfg.Name
			running = append(running, u)
		}
	}
	return running, nil
}

// activeDomains gives the domains of these names, or all that run. They are to be
// freed even when there is an error.
func activeDomains(c *lv.Connect, names []string) ([]lv.Domain, error) {
	if len(names) == 0 {
		return c.ListAllDomains(lv.CONNECT_LIST_DOMAINS_ACTIVE)
	}
	var out []lv.Domain
	for _, name := range names {
		d, err := c.LookupDomainByName(name)
		if isCode(err, lv.ERR_NO_DOMAIN) {
			return out, noVM(name)
		}
		if err != nil {
			return out, err
		}
		out = append(out, *d)
	}
	return out, nil
}

// usageKinds are what is asked for.
const usageKinds = lv.DOMAIN_STATS_STATE | lv.DOMAIN_STATS_CPU_TOTAL | lv.DOMAIN_STATS_BALLOON | lv.DOMAIN_STATS_VCPU | lv.DOMAIN_STATS_INTERFACE | lv.DOMAIN_STATS_BLOCK

// usage asks about one domain; nothing comes of one that does not run, or has gone
// meanwhile. A domain that is busy with a job answers with what it can without
// waiting.
func usage(c *lv.Connect, d *lv.Domain) (virt.Usage, error) {
	name, err := d.GetName()
	if err != nil {
		return virt.Usage{}, err
	}
	stats, err := c.GetAllDomainStats([]*lv.Domain{d}, usageKinds, lv.CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
	switch {
	case isCode(err, lv.ERR_NO_DOMAIN, lv.ERR_OPERATION_INVALID):
		return virt.Usage{}, nil
	case isCode(err, lv.ERR_NO_SUPPORT, lv.ERR_INVALID_ARG, lv.ERR_ARGUMENT_UNSUPPORTED):
		return simpleUsage(name, d)
	case err != nil:
		return virt.Usage{}, err
	case len(stats) == 0 || !isUp(stats[0]):
		return virt.Usage{}, nil
	}
	u := virt.Usage{VM: name, At: time.Now()}
	s := stats[0]
	if s.Cpu != nil && s.Cpu.TimeSet {
		u.CPUTime = virt.Some(time.Duration(s.Cpu.Time))
	}
	for _, v := range s.Vcpu {
		if v.StateSet && v.State != lv.VCPU_OFFLINE {
			u.CPUs++
		}
	}
	if b := s.Balloon; b != nil {
		u.Memory = int64(b.Current) * virt.KiB
		switch {
		case b.AvailableSet && b.UsableSet:
			u.MemoryUsed = virt.Some(int64(b.Available-b.Usable) * virt.KiB)
		case b.AvailableSet && b.UnusedSet:
			u.MemoryUsed = virt.Some(int64(b.Available-b.Unused) * virt.KiB)
		}
	}
	for _, k := range s.Block {
		add(&u.Disk.In, k.RdBytesSet, k.RdBytes)
		add(&u.Disk.Out, k.WrBytesSet, k.WrBytes)
	}
	for _, i := range s.Net {
		add(&u.Net.In, i.RxBytesSet, i.RxBytes)
		add(&u.Net.Out, i.TxBytesSet, i.TxBytes)
	}
	if u.CPUs == 0 || !u.CPUTime.IsSet() {
		return simpleUsage(name, d)
	}
	return u, nil
}

// isUp tells whether a domain is up.
func isUp(s lv.DomainStats) bool {
	return s.State == nil || !s.State.StateSet || s.State.State != lv.DOMAIN_SHUTOFF && s.State.State != lv.DOMAIN_CRASHED
}

func add(sum *virt.Opt[int64], told bool, n uint64) {
	if told {
		*sum = virt.Some(sum.Or(0) + int64(n))
	}
}

// simpleUsage is usage of drivers without statistics (virDomainGetInfo).
func simpleUsage(name string, d *lv.Domain) (virt.Usage, error) {
	info, err := d.GetInfo()
	if err != nil {
		return virt.Usage{}, err
	}
	if s := powerState(info.State, 0); !s.IsLive() {
		return virt.Usage{}, nil
	}
	return virt.Usage{VM: name, At: time.Now(), CPUs: int(info.NrVirtCpu), CPUTime: virt.Some(time.Duration(info.CpuTime)), Memory: int64(info.Memory) * virt.KiB}, nil
}

// Usage gives what VMs of the members use now.
func (c *Cluster) Usage(ctx context.Context, names ...string) ([]virt.Usage, error) {
	if len(names) == 0 {
		return gather(ctx, c, func(ctx context.Context, n *Node) ([]virt.Usage, error) { return n.Usage(ctx) })
	}
	var out []virt.Usage
	for _, name := range names {
		n, err := c.holder(ctx, name)
		if err != nil {
			return nil, err
		}
		one, err := n.Usage(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}
