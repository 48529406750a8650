package ovirt

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// What real engines have answered is read whole, and its names are found.
func TestRecordedEnginesAreRead(t *testing.T) {
	for dir, want := range map[string][]string{
		"ovirt_lans_refresh_recording": {
			"vm bodnopoz_test_5: running on bodh2, newd1/newd1_cluster, 1 CPU, 1 GiB, 1 disk, nic1 ovirtmgmt/vnic23",
			"vm cfme2: running on bodh2, newd1/newd1_cluster, 3 CPU, 7.9 GiB, 1 disk, nic1 ovirtmgmt, 10.46.8.213 2620:52:0:2e08:21a:4aff:fe16:109",
			"vm vmski1: stopped on , newd1/newd1_cluster, 1 CPU, 1 GiB, 0 disk",
			"host bodh1: unreachable in newd1/newd1_cluster",
			"network newd1/ovirtmgmt in newd1_cluster on bodh1/eth0 bodh2/eth0",
			"network Newd/newnet in newc",
			"storage newd1 data_spider_1: nfs active 50 GiB",
			"storage Newd okscsi: iscsi inactive 0 B",
		},
		"refresher_network_ports_recording": {
			"vm prova: stopped on , depot-dc/depot-cl, 1 CPU, 1 GiB, 1 disk, nic1 ovirtmgmt",
			"host H2: up in depot-dc/depot-cl",
			"network depot-dc/ovirtmgmt in depot-cl secondary-depot spare-depot on H1/ens3 H2/ens3",
			"storage depot-dc depot-data2: nfs active 499 GiB",
		},
	} {
		t.Run(dir, func(t *testing.T) {
			_, e := simulated(t, ovirtsim.Options{Recording: filepath.Join("ovirtsim", "testdata", dir)})
			lines := inventoryOf(t, e)
			for _, w := range want {
				if !slices.Contains(lines, w) {
					t.Errorf("%s is missing", w)
				}
			}
			if t.Failed() {
				t.Log(strings.Join(lines, "\n"))
			}
			// Read once more, one by one, it is the same.
			e.Forget()
			for _, vm := range must(e.VMs(t.Context()))(t) {
				one := must(e.VM(t.Context(), vm.Name))(t)
				if d := cmp.Diff(vm.Disks, one.Disks, cmp.Comparer(func(a, b virt.Opt[string]) bool { return a == b })); d != "" {
					t.Errorf("%s: %s", vm.Name, d)
				}
			}
		})
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// inventoryOf describes what an engine has, a line each.
func inventoryOf(t *testing.T, e *Engine) []string {
	t.Helper()
	ctx := t.Context()
	var out []string
	for _, vm := range must(e.VMs(ctx))(t) {
		line := fmt.Sprintf("vm %s: %s on %s, %s/%s, %d CPU, %s, %d disk", vm.Name, vm.State, vm.Host.Or(""), vm.DataCentre, vm.Cluster,
			vm.CPU.Count, virt.FormatSize(vm.Memory.Current), len(vm.Disks))
		for _, n := range vm.NICs {
			line += ", " + n.Name + " " + n.Network
		}
		if len(vm.Addresses) > 0 {
			line += ", " + strings.Join(vm.Addresses, " ")
		}
		for _, k := range vm.Disks {
			if k.Size == 0 || k.Storage == "" {
				t.Errorf("%s: %+v", vm.Name, k)
			}
		}
		out = append(out, line)
	}
	for _, h := range must(e.Hosts(ctx))(t) {
		out = append(out, fmt.Sprintf("host %s: %s in %s/%s", h.Name, h.State, h.DataCentre, h.Cluster))
	}
	for _, n := range must(e.Networks(ctx))(t) {
		line := fmt.Sprintf("network %s/%s in %s", n.DataCentre, n.Name, strings.Join(n.Clusters, " "))
		for i, a := range n.Attachments {
			if i == 0 {
				line += " on"
			}
			line += " " + a.Host + "/" + a.NIC
		}
		out = append(out, line)
	}
	for _, s := range must(e.Storages(ctx))(t) {
		active := "inactive"
		if s.Active {
			active = "active"
		}
		out = append(out, fmt.Sprintf("storage %s %s: %s %s %s", s.DataCentre, s.Name, s.Type, active, virt.FormatSize(s.Capacity)))
	}
	return out
}
