package ovirt

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// life is all that happens to a VM and its network, as a playbook's steps would
// have it: each looks, decides and applies, and looks again where the outcome of
// what it sent is unknown or the engine was away.
func life(e *Engine, t *testing.T) error {
	vm, net, group := virt.VMRef("web-1"), virt.NetworkRef("v100"), virt.AffinityRef("Default", "near")
	steps := []struct {
		ref    virt.Ref
		change func(on virt.On) virt.Change
	}{
		{net, func(o virt.On) virt.Change {
			return virt.CreateNetwork{On: o, Type: "engine", VLAN: 100, Cluster: "Default", HostNIC: "eth2", Hosts: []string{"host1", "host2"}}
		}},
		{vm, func(o virt.On) virt.Change {
			if now, ok := o.Before.(*virt.VM); ok && now != nil && now.Unfinished == "" {
				return nil
			}
			c := web("web-1")
			c.On, c.NICs = o, append(c.NICs, virt.NICSpec{Name: "nic2", Network: "v100"})
			return c
		}},
		{vm, func(o virt.On) virt.Change { return virt.Start{On: o} }},
		{vm, func(o virt.On) virt.Change { return virt.FinishVM{On: o} }},
		{vm, func(o virt.On) virt.Change { return virt.SetCPU{On: o, Count: virt.Some(6)} }},
		{vm, func(o virt.On) virt.Change { return virt.SetMemory{On: o, Current: virt.Some(3 * virt.GiB)} }},
		{vm, func(o virt.On) virt.Change {
			return virt.SetVM{On: o, Description: virt.Some("changed"), Boot: virt.Some([]string{"hd", "network"}), Tags: virt.TagEdit{Add: []string{"web", "prod"}},
				Ovirt: &virt.OvirtSettings{HAPriority: virt.Some(7), CustomProperties: map[string]string{"vendor": "knob"}}}
		}},
		{vm, func(o virt.On) virt.Change { return virt.SetVM{On: o, Tags: virt.TagEdit{Remove: []string{"prod"}}} }},
		{group, func(o virt.On) virt.Change {
			return virt.SetAffinity{On: o, VMs: virt.Some([]string{"web-1"}), Hosts: virt.Some([]string{"host1", "host2"}),
				VMRule: virt.AffinityRuleEdit{Affinity: virt.Some("positive")}}
		}},
		{group, func(o virt.On) virt.Change {
			return virt.SetAffinity{On: o, Hosts: virt.Some([]string{"host2"}), HostRule: virt.AffinityRuleEdit{Affinity: virt.Some("positive")}}
		}},
		{vm, func(o virt.On) virt.Change {
			return virt.AttachDisk{On: o, Run: "r1", Disk: virt.DiskSpec{Name: "more", Size: virt.GiB, Storage: "data", Sparse: true}}
		}},
		{vm, func(o virt.On) virt.Change { return virt.ResizeDisk{On: o, Disk: "more", Size: 2 * virt.GiB} }},
		{vm, func(o virt.On) virt.Change {
			return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "nic3", Network: "dmz"}}
		}},
		{vm, func(o virt.On) virt.Change {
			return virt.ChangeNIC{On: o, NIC: "nic3", Network: virt.Some("lan")}
		}},
		{vm, func(o virt.On) virt.Change { return virt.DetachNIC{On: o, NIC: "nic2"} }},
		{vm, func(o virt.On) virt.Change { return virt.Migrate{On: o, Host: "host2", Live: true} }},
		{vm, func(o virt.On) virt.Change { return virt.Suspend{On: o} }},
		{vm, func(o virt.On) virt.Change { return virt.Start{On: o} }},
		{vm, func(o virt.On) virt.Change { return virt.DetachDisk{On: o, Disk: "data", DeleteVolume: true} }},
		{vm, func(o virt.On) virt.Change { return virt.PowerOff{On: o} }},
		{net, func(o virt.On) virt.Change { return virt.DeleteNetwork{On: o} }},
	}
	for i, s := range steps {
		var err error
		for range 3 {
			e.Forget(s.ref)
			var now virt.Object
			if now, err = virt.Read(t.Context(), e, s.ref); err != nil {
				continue
			}
			change := s.change(virt.On{Ref: s.ref, Before: now})
			if change == nil {
				err = nil
				break
			}
			_, err = e.Apply(t.Context(), change)
			if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrUnreachable) && !errors.Is(err, virt.ErrDiverged) {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i, s.ref, err)
		}
	}
	return nil
}

// lived looks at what life leaves.
func lived(e *Engine, t *testing.T) error {
	e.Forget()
	vms, err := e.VMs(t.Context())
	if err != nil || len(vms) != 1 {
		return fmt.Errorf("%d VMs, %w", len(vms), err)
	}
	vm, err := e.VM(t.Context(), "web-1")
	if err != nil {
		return err
	}
	var disks, nics []string
	for _, k := range vm.Disks {
		disks = append(disks, fmt.Sprintf("%s %s", k.Name, virt.FormatSize(k.Size)))
	}
	for _, n := range vm.NICs {
		nics = append(nics, n.Name+" "+n.Network)
	}
	got := fmt.Sprintf("%s, %d CPUs, %s, %q, disks %v, NICs %v, unfinished %q, tags %v, boot %v, priority %s, properties %v", vm.State, vm.CPU.Count, virt.FormatSize(vm.Memory.Current), vm.Description, disks, nics, vm.Unfinished,
		vm.Tags, vm.Boot, vm.Ovirt.HAPriority, vm.Ovirt.CustomProperties)
	const want = `stopped, 6 CPUs, 3 GiB, "changed", disks [root 20 GiB more 2 GiB], NICs [nic1 lan nic3 lan], unfinished "", ` +
		`tags [web], boot [hd network], priority 7, properties map[vendor:knob]`
	if got != want {
		return fmt.Errorf("\n%s\nwant\n%s", got, want)
	}
	volumes, err := e.Volumes(t.Context(), "block")
	if err != nil || len(volumes) != 0 {
		return fmt.Errorf("%d disks are left over on block, %w", len(volumes), err)
	}
	if volumes, err = e.Volumes(t.Context(), "data"); err != nil || len(volumes) > 3 { // the template's, and two
		return fmt.Errorf("%d disks on data, %w", len(volumes), err)
	}
	g, err := e.AffinityGroup(t.Context(), "Default", "near")
	if err != nil || fmt.Sprint(g.VMs, g.Hosts, g.VMRule, g.HostRule) != "[web-1] [host2] {positive false} {positive false}" {
		return fmt.Errorf("group %+v, %w", g, err)
	}
	if _, err := e.Network(t.Context(), "v100"); !errors.Is(err, virt.ErrNotFound) {
		return fmt.Errorf("network v100: %w", err)
	}
	return nil
}

func isWrite(r ovirtsim.Request) bool {
	return r.Method != http.MethodGet && !strings.Contains(r.Path, "/sso/") && !strings.Contains(r.Path, "/services/")
}

// Whatever request goes wrong, in whatever way: what the steps lead to is the
// same, and nothing is made twice. Each request loses its reply once; some, in
// turns, are answered by a proxy, never executed, or refused for a lock.
func TestEveryRequestMayGoWrong(t *testing.T) {
	quick := func() (*ovirtsim.Engine, *Engine) {
		o := small()
		o.Speed = 10_000
		return simulated(t, o, func(c *Config) { c.Poll = 2 * time.Millisecond })
	}
	sim, e := quick()
	if err := errors.Join(life(e, t), lived(e, t)); err != nil {
		t.Fatal(err)
	}
	ways := []ovirtsim.Injection{
		{Times: 1, Status: http.StatusServiceUnavailable, HTML: true},
		{Times: 1, Drop: true},
		{Times: 2, Status: http.StatusConflict, Detail: "[Related operation is currently in progress. Please try again later.]"},
	}
	for k := range sim.Count(isWrite) {
		tried := []ovirtsim.Injection{{Times: 1, LoseReply: true}}
		if k%3 == 0 {
			tried = append(tried, ways[k/3%len(ways)])
		}
		for _, way := range tried {
			sim, e := quick()
			way.Match, way.After = isWrite, k
			sim.Inject(way)
			if err := errors.Join(life(e, t), lived(e, t)); err != nil {
				t.Errorf("request %d, %+v: %v", k+1, way, err)
			}
			_ = e.Close()
			sim.Close()
		}
	}
}
