package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/nactl/nactl/modules/vmfacts"
	"github.com/nactl/nactl/virt"
)

// row is one line of a list, by column.
type row map[string]any

// The columns of the lists, in their order. Names and units are those that
// aggregators of oVirt engines use: sizes in GiB.
var (
	vmColumns = []string{
		"ID", "name", "hostname", "state", "IP", "engine", "host", "cluster", "data_center", "was_migrated", "total_space", "storage_domains",
	}
	hostColumns    = []string{"ID", "name", "state", "IP", "engine", "cluster", "data_center", "cpus", "memory", "free_memory", "vms"}
	clusterColumns = []string{"ID", "name", "description", "comment", "engine", "data_center"}
	centreColumns  = []string{"ID", "name", "comment", "engine", "state"}
	storageColumns = []string{"ID", "name", "type", "engine", "state", "available", "used", "committed", "total", "percent_left", "overprovisioning", "comment"}
)

// probesAtOnce bounds the questions to the guests of one target.
const probesAtOnce = 16

func vmRows(ctx context.Context, target string, p virt.Platform) ([]row, error) {
	vms, err := p.VMs(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(vms))
	slots := make(chan struct{}, probesAtOnce)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, vm := range vms {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r, e := vmRow(ctx, target, p, vm)
			rows[i] = r
			if e != nil {
				mu.Lock()
				err = e
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return rows, err
}

func vmRow(ctx context.Context, target string, p virt.Platform, vm *virt.VM) (row, error) {
	err := p.DiskSizes(ctx, vm)
	addresses, hostname := vm.Addresses, vm.FQDN
	// On nodes only the guest itself knows; one that does not answer leaves it open.
	if vm.State == virt.Running && len(addresses) == 0 && vm.Agent == virt.AgentConnected {
		if info, err := p.GuestInfo(ctx, vm.Name); err == nil {
			addresses, hostname = vmfacts.Addresses(info), info.Hostname
		}
	}
	var size int64
	var pools []string
	for _, d := range vm.Disks {
		if d.Device != "disk" && d.Device != "" {
			continue
		}
		size += d.Size
		if d.Storage != "" && !slices.Contains(pools, d.Storage) {
			pools = append(pools, d.Storage)
		}
	}
	return row{
		"ID": vm.ID.Or(""), "name": vm.Name, "hostname": hostname, "state": string(vm.State), "IP": vmfacts.FirstIP(addresses),
		"engine": target, "host": vm.Host.Or(""), "cluster": vm.Cluster, "data_center": vm.DataCentre,
		"was_migrated": strings.Contains(strings.ToLower(vm.Description), "migrated"), "total_space": gib(size), "storage_domains": pools,
	}, err
}

func hostRows(ctx context.Context, target string, p virt.Platform) ([]row, error) {
	hosts, err := p.Hosts(ctx)
	var rows []row
	for _, h := range hosts {
		rows = append(rows, row{
			"ID": h.ID, "name": h.Name, "state": h.State, "IP": cmp.Or(h.IP, h.Address), "engine": target, "cluster": h.Cluster, "data_center": h.DataCentre,
			"cpus": h.CPUs, "memory": gib(h.Memory), "free_memory": gib(h.FreeMemory), "vms": h.VMs,
		})
	}
	return rows, err
}

// clusterRows and centreRows are empty for nodes, which stand in no group.
func clusterRows(ctx context.Context, target string, p virt.Platform) (rows []row, err error) {
	g, ok := p.(virt.Grouped)
	if !ok {
		return nil, nil
	}
	clusters, err := g.Clusters(ctx)
	for _, c := range clusters {
		rows = append(rows, row{"ID": c.ID, "name": c.Name, "description": c.Description, "comment": c.Comment, "engine": target, "data_center": c.DataCentre})
	}
	return rows, err
}

func centreRows(ctx context.Context, target string, p virt.Platform) (rows []row, err error) {
	g, ok := p.(virt.Grouped)
	if !ok {
		return nil, nil
	}
	centres, err := g.DataCentres(ctx)
	for _, c := range centres {
		rows = append(rows, row{"ID": c.ID, "name": c.Name, "comment": c.Comment, "engine": target, "state": c.State})
	}
	return rows, err
}

func storageRows(ctx context.Context, target string, p virt.Platform) ([]row, error) {
	storages, err := p.Storages(ctx)
	var rows []row
	for _, s := range storages {
		state := "inactive"
		if s.Active {
			state = "active"
		}
		r := row{
			"ID": s.ID, "name": s.Name, "type": s.Type, "engine": target, "state": state, "available": gib(s.Available), "used": gib(s.Capacity - s.Available),
			"committed": gib(s.Committed), "total": gib(s.Capacity), "percent_left": 0.0, "overprovisioning": 0.0, "comment": s.Comment,
		}
		if s.Capacity > 0 {
			r["percent_left"] = hundredths(100 * float64(s.Available) / float64(s.Capacity))
			r["overprovisioning"] = hundredths(100 * float64(s.Committed) / float64(s.Capacity))
		}
		rows = append(rows, r)
	}
	return rows, err
}

// gib gives bytes in GiB, to the hundredth.
func gib(n int64) float64 { return hundredths(float64(n) / float64(virt.GiB)) }

func hundredths(f float64) float64 { return math.Round(f*100) / 100 }
