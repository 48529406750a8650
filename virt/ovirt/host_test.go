package ovirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// onHosts gives n VMs that run, on host1 and host2 by turns.
func onHosts(n int) ovirtsim.Options {
	o := small()
	for i := range n {
		o.VMs = append(o.VMs, ovirtsim.VM{Name: fmt.Sprintf("vm%d", i), Cluster: "Default", Running: true, NICs: []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}})
	}
	return o
}

func hostNow(t *testing.T, e *Engine, name string) *virt.Host {
	t.Helper()
	e.Forget(virt.Ref{Kind: virt.KindHost, Name: name})
	h, err := e.Host(context.WithoutCancel(t.Context()), name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func retire(ctx context.Context, t *testing.T, e *Engine, name string) (virt.Outcome, error) {
	t.Helper()
	h := hostNow(t, e, name)
	return e.Apply(ctx, virt.HostMaintenance{On: virt.On{Ref: h.Ref(), Before: h}, Reason: "fans & <filters>"})
}

func activate(t *testing.T, e *Engine, name string) error {
	t.Helper()
	h := hostNow(t, e, name)
	_, err := e.Apply(t.Context(), virt.HostActivate{On: virt.On{Ref: h.Ref(), Before: h}})
	return err
}

// vmsOf names the VMs that run on a host.
func vmsOf(t *testing.T, e *Engine, host string) []string {
	t.Helper()
	vms, err := e.VMs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, vm := range vms {
		if vm.Host.Or("") == host {
			out = append(out, vm.Name)
		}
	}
	return out
}

// wants looks for texts in what an error says, in what was found, and in its hint.
func wants(t *testing.T, err error, texts ...string) {
	t.Helper()
	var all strings.Builder
	var walk func(error)
	walk = func(err error) {
		if v, ok := err.(*virt.Error); ok {
			fmt.Fprintln(&all, v.Error(), v.Found, v.Hint)
		}
		switch u := err.(type) {
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		case interface{ Unwrap() error }:
			walk(u.Unwrap())
		}
	}
	walk(err)
	for _, want := range texts {
		if err == nil || !strings.Contains(all.String(), want) {
			t.Errorf("got %v\n%s\nwant %q in it", err, all.String(), want)
		}
	}
}

func TestHostIsEmptiedAndComesBack(t *testing.T) {
	sim, e := simulated(t, onHosts(6))
	sim.SetTiming(ovirtsim.Timing{Migrate: 5 * time.Minute}) // so that it is seen on its way
	left := vmsOf(t, e, "host1")
	if len(left) != 3 {
		t.Fatal(left)
	}
	var most virt.Progress
	ctx := virt.WithProgress(t.Context(), func(p virt.Progress) {
		if p.Total > 0 {
			most = p
		}
	})
	out, err := retire(ctx, t, e, "host1")
	if err != nil || !out.Changed || out.Fields[0].Note != "the 3 VMs on it move to other hosts" {
		t.Fatal(out, err)
	}
	moved, ok := out.Result.(*virt.Evacuated)
	if !ok || len(moved.Moved) != 3 || most.Total != 3 {
		t.Errorf("%+v, last progress %+v", out.Result, most)
	}
	for i, m := range moved.Moved {
		if m.VM != left[i] || m.To != "host2" {
			t.Errorf("moved %+v, want %s to host2", m, left[i])
		}
	}
	if h := hostNow(t, e, "host1"); h.State != "maintenance" || !h.Maintenance || len(vmsOf(t, e, "host1")) != 0 || len(vmsOf(t, e, "host2")) != 6 {
		t.Errorf("%+v", h)
	}
	if n := sim.Count(func(r ovirtsim.Request) bool {
		return strings.HasSuffix(r.Path, "/deactivate") && strings.Contains(r.Body, "<reason>fans &amp; &lt;filters&gt;</reason>")
	}); n != 1 {
		t.Errorf("the reason was told %d times", n)
	}
	if err := activate(t, e, "host1"); err != nil || hostNow(t, e, "host1").State != "up" {
		t.Error(err)
	}
}

// All that is in the way is said at once, and the engine is not even asked.
func TestHostThatCannotBeEmptied(t *testing.T) {
	sim, e := simulated(t, onHosts(4))
	pinned := vmsOf(t, e, "host1")
	for _, name := range pinned {
		vm := fresh(t, e, name)
		if err := e.put(t.Context(), vm.ID.Or(""), nil, vmXML{PlacementPolicy: &placementXML{Affinity: textOf("pinned")}}); err != nil {
			t.Fatal(err)
		}
	}
	sim.SetHostState("host2", "down")
	e.Forget()
	_, err := retire(t.Context(), t, e, "host1")
	if !errors.Is(err, virt.ErrConflict) {
		t.Error(err)
	}
	wants(t, err, "VMs are pinned to it", strings.Join(pinned, ", "), "nowhere to go", "no other host of cluster Default is up", "bring another host up first")
	if n := sim.Count(ovirtsim.On("POST", "/hosts/*/deactivate")); n != 0 || hostNow(t, e, "host1").State != "up" {
		t.Errorf("%d requests, the host is %s", n, hostNow(t, e, "host1").State)
	}
	if out, err := retire(t.Context(), t, e, "host2"); err != nil || !out.Changed {
		t.Errorf("a host that is down and empty: %+v, %v", out, err)
	}
}

// A VM that does not move: the host is left preparing, and it is said how to go on.
func TestHostThatIsLeftPreparing(t *testing.T) {
	o := onHosts(4)
	o.Speed = 50 // the engine tries again by itself after five minutes
	sim, e := simulated(t, o)
	stays := vmsOf(t, e, "host1")[0]
	sim.FailMigration(stays)
	sim.SetTiming(ovirtsim.Timing{Migrate: 2 * time.Second})
	_, err := retire(t.Context(), t, e, "host1")
	wants(t, err, "do not move any more", "it was left preparing for maintenance, and on it still run "+stays, "host_activate")
	if h := hostNow(t, e, "host1"); h.State != "preparing_for_maintenance" {
		t.Fatalf("%+v", h)
	}
	sim.Heal()
	out, err := retire(t.Context(), t, e, "host1")
	if err != nil || !out.Changed || hostNow(t, e, "host1").State != "maintenance" {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// What the engine refuses only once it has begun leaves the host preparing, too.
func TestHostWhoseVMFitsNowhere(t *testing.T) {
	_, e := simulated(t, onHosts(2))
	here := vmsOf(t, e, "host1")[0]
	create := virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("only1")}, Type: "engine", VLAN: 9, Cluster: "Default", HostNIC: "eth2", Hosts: []string{"host1"}}
	if _, err := e.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	apply(t, e, here, func(o virt.On) virt.Change {
		return virt.ChangeNIC{On: o, NIC: "nic1", Network: virt.Some("only1")}
	})
	_, err := retire(t.Context(), t, e, "host1")
	if !errors.Is(err, virt.ErrConflict) {
		t.Error(err)
	}
	wants(t, err, "network(s) only1 are missing", "it was left preparing for maintenance, and on it still run "+here, "host_activate")
	if err := activate(t, e, "host1"); err != nil || hostNow(t, e, "host1").State != "up" {
		t.Errorf("taken back: %v", err)
	}
}

func TestHostWhoseMaintenanceNobodyWaitsFor(t *testing.T) {
	sim, e := simulated(t, onHosts(2), func(c *Config) { c.Poll = time.Millisecond })
	sim.SetTiming(ovirtsim.Timing{Migrate: 10 * time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	ctx = virt.WithProgress(ctx, func(p virt.Progress) {
		if p.Total > 0 {
			cancel()
		}
	})
	began := time.Now()
	_, err := retire(ctx, t, e, "host1")
	if !errors.Is(err, context.Canceled) || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	wants(t, err, "the engine goes on moving its VMs", "host_activate")
	if h := hostNow(t, e, "host1"); h.State != "preparing_for_maintenance" {
		t.Errorf("%+v", h)
	}
}

func TestHostActionsWhoseReplyIsLost(t *testing.T) {
	sim, e := simulated(t, onHosts(2))
	for _, action := range []string{"deactivate", "activate"} {
		sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/hosts/*/"+action), Times: 1, LoseReply: true})
	}
	if _, err := retire(t.Context(), t, e, "host1"); err != nil || hostNow(t, e, "host1").State != "maintenance" {
		t.Error(err)
	}
	if err := activate(t, e, "host1"); err != nil || hostNow(t, e, "host1").State != "up" {
		t.Error(err)
	}
	for _, action := range []string{"deactivate", "activate"} {
		if n := sim.Count(ovirtsim.On("POST", "/hosts/*/"+action)); n != 1 {
			t.Errorf("%s was sent %d times", action, n)
		}
	}
}

func TestHostThatDoesNotComeUp(t *testing.T) {
	sim, e := simulated(t, small())
	if _, err := retire(t.Context(), t, e, "host2"); err != nil {
		t.Fatal(err)
	}
	sim.FailActivate("host2")
	wants(t, activate(t, e, "host2"), "its installation failed", "reinstall it")
	sim.Heal()
	if err := activate(t, e, "host2"); err != nil {
		t.Fatal(err)
	}
	// A network that is required and missing.
	if _, err := e.Apply(t.Context(), virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("must")}, Type: "engine", VLAN: 9, Cluster: "Default"}); err != nil {
		t.Fatal(err)
	}
	if _, err := retire(t.Context(), t, e, "host2"); err != nil {
		t.Fatal(err)
	}
	n, err := e.network(t.Context(), virt.NetworkRef("must"))
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	clusters, err := e.clusterMap(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for id := range clusters {
		if _, err := update(t.Context(), e.Client, kindNetwork, path("clusters", id, "networks", n.id), nil, networkXML{Required: &yes}, networkID); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, activate(t, e, "host2"), "does not fit its cluster", "the following networks are missing on host: 'must'", "give it the networks")
	sim.LoseHost("host2")
	wants(t, activate(t, e, "host2"), "Host is in non responsive state")
}

func TestVMChangesItsCluster(t *testing.T) {
	o := small()
	o.DataCenters[0].Networks = append(o.DataCenters[0].Networks, ovirtsim.Network{Name: "here", VLAN: 8})
	o.DataCenters[0].Clusters = append(o.DataCenters[0].Clusters, ovirtsim.Cluster{Name: "Other", Hosts: []ovirtsim.Host{{Name: "host3"}}},
		ovirtsim.Cluster{Name: "Empty"})
	o.DataCenters = append(o.DataCenters, ovirtsim.DataCenter{Name: "Second", Clusters: []ovirtsim.Cluster{{Name: "Far", Hosts: []ovirtsim.Host{{Name: "host4"}}}}})
	o.VMs = []ovirtsim.VM{{Name: "on", Cluster: "Default", Running: true, NICs: []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}}, {Name: "off", Cluster: "Default"}}
	sim, e := simulated(t, o)
	move := func(vm, cluster string) (virt.Outcome, error) {
		return tryApply(t, e, vm, func(o virt.On) virt.Change { return virt.Migrate{On: o, Cluster: cluster, Live: true} })
	}
	out, err := move("on", "Other")
	if moved, ok := out.Result.(*virt.Moved); err != nil || !ok || moved.To != "host3" {
		t.Fatalf("%+v, %v", out, err)
	}
	if vm := fresh(t, e, "on"); vm.Cluster != "Other" || vm.Host.Or("") != "host3" || vm.State != virt.Running {
		t.Errorf("%+v", vm)
	}
	if out, err := move("on", "Other"); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	if out, err := move("off", "Other"); err != nil || !out.Changed || fresh(t, e, "off").Cluster != "Other" {
		t.Errorf("a stopped VM: %+v, %v", out, err)
	}
	sim.Forget()
	_, err = move("on", "Far")
	wants(t, err, "it is in another data centre", "Second; the VM is in Default")
	_, err = move("on", "Nowhere")
	wants(t, err, "cluster Nowhere: is not there", "Default, Empty, Far, Other")
	_, err = move("on", "Empty")
	wants(t, err, "none of its hosts is up")
	sim.SetHostState("host1", "down")
	apply(t, e, "off", func(o virt.On) virt.Change {
		return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "nic2", Network: "here"}}
	})
	apply(t, e, "off", func(o virt.On) virt.Change {
		return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "nic3", Network: "dmz"}}
	})
	members, err := e.memberMap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, c := range members {
		for _, name := range []string{"here", "dmz"} {
			n, err := e.network(t.Context(), virt.NetworkRef(name))
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "Empty" {
				if err := e.removeNetwork(t.Context(), path("clusters", id, "networks", n.id)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	e.Forget()
	_, err = move("off", "Empty")
	wants(t, err, "it lacks networks that the VM uses", "dmz, here")
	if n := sim.Count(ovirtsim.On("POST", "/vms/*/migrate")); n != 0 {
		t.Errorf("%d moves were sent", n)
	}
}
