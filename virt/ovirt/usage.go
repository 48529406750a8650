package ovirt

import (
	"context"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

var _ virt.Metered = (*Engine)(nil)

// usageFollow are what an engine samples of a VM and of what belongs to it.
var usageFollow = []string{"statistics", "nics.statistics", "disk_attachments.disk.statistics"}

// Usage implements virt.Metered. An engine tells rates itself: its statistics are
// samples, some seconds old.
func (e *Engine) Usage(ctx context.Context, names ...string) ([]virt.Usage, error) {
	if len(names) == 0 {
		out, err := list(ctx, e.Client, kindVM, "/vms", query{Search: "status = up", Follow: usageFollow, PageSize: usagePage}, usageOf)
		if err != nil {
			return nil, explain("read what its VMs use", e.Ref(), err)
		}
		return out, nil
	}
	var out []virt.Usage
	for _, name := range names {
		m, err := e.machine(ctx, name)
		if err != nil {
			return nil, err
		}
		u, err := get(ctx, e.Client, kindVM, path("vms", m.id), query{Follow: usageFollow}, usageOf)
		if err != nil {
			return nil, explain("read what it uses", virt.VMRef(name), err)
		}
		if u.CPUs > 0 {
			u.VM, u.Host = name, m.vm.Host.Or("")
			out = append(out, u)
		}
	}
	return out, nil
}

// usagePage is how many VMs are asked for in one request: each brings what is
// followed.
const usagePage = 50

// usageOf reads the statistics of a VM; nothing comes of one that does not run.
func usageOf(v *ovirtsdk.Vm) (virt.Usage, error) {
	if !vmState(value(v.Status())).IsLive() {
		return virt.Usage{}, nil
	}
	u := virt.Usage{VM: value(v.Name()), At: time.Now(), CPUs: cpuOf(v.Cpu()).Count, Memory: value(v.Memory())}
	sample(value(v.Statistics()), func(name string, n float64) {
		switch name {
		case "cpu.current.total":
			u.CPU = virt.Some(n)
		case "memory.used":
			u.MemoryUsed = virt.Some(int64(n))
		}
	})
	if nics := value(v.Nics()); nics != nil {
		for _, nic := range nics.Slice() {
			sample(value(nic.Statistics()), func(name string, n float64) {
				switch name {
				case "data.current.rx":
					sum(&u.Net.InRate, n)
				case "data.current.tx":
					sum(&u.Net.OutRate, n)
				case "data.total.rx":
					u.Net.In = virt.Some(u.Net.In.Or(0) + int64(n))
				case "data.total.tx":
					u.Net.Out = virt.Some(u.Net.Out.Or(0) + int64(n))
				}
			})
		}
	}
	if disks := value(v.DiskAttachments()); disks != nil {
		for _, a := range disks.Slice() {
			k := value(a.Disk())
			if k == nil {
				continue
			}
			sample(value(k.Statistics()), func(name string, n float64) {
				switch name {
				case "data.current.read":
					sum(&u.Disk.InRate, n)
				case "data.current.write":
					sum(&u.Disk.OutRate, n)
				}
			})
		}
	}
	return u, nil
}

// sum adds a rate.
func sum(rate *virt.Opt[float64], n float64) { *rate = virt.Some(rate.Or(0) + n) }

// sample gives the name and the value of each statistic that has one.
func sample(all *ovirtsdk.StatisticSlice, tell func(name string, n float64)) {
	if all == nil {
		return
	}
	for _, s := range all.Slice() {
		values, ok := s.Values()
		if !ok || values == nil || len(values.Slice()) == 0 {
			continue
		}
		if n, ok := values.Slice()[0].Datum(); ok {
			tell(value(s.Name()), n)
		}
	}
}
