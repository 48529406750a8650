package ovirt

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

func networkNow(t *testing.T, e *Engine, name string) *virt.Network {
	t.Helper()
	e.Forget(virt.NetworkRef(name))
	n, err := e.Network(t.Context(), name)
	if errors.Is(err, virt.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sent lists the requests that write, by method and the last words of the path.
func sent(sim *ovirtsim.Engine) string {
	var out []string
	for _, r := range sim.Requests() {
		if r.Method == http.MethodGet || strings.Contains(r.Path, "/sso") {
			continue
		}
		parts := slices.DeleteFunc(strings.Split(r.Path, "/"), func(s string) bool { return strings.Count(s, "-") == 4 })
		out = append(out, r.Method+" "+strings.Join(parts[max(len(parts)-2, 0):], "/"))
	}
	return strings.Join(out, "; ")
}

// A network that hangs on the hosts by a label loses it first, and is then taken
// from hosts, cluster and data centre.
func TestLabelledNetworkIsDeleted(t *testing.T) {
	o := small()
	o.DataCenters[0].Networks = []ovirtsim.Network{{Name: "lan", VLAN: 5, Label: "web"}, {Name: "dmz", VLAN: 6, Label: "web"}}
	o.DataCenters[0].Clusters[0].Hosts = []ovirtsim.Host{{Name: "host1", Labels: map[string]string{"eth2": "web"}}, {Name: "host2", Labels: map[string]string{"eth1": "web"}}}
	for name, timing := range map[string]ovirtsim.Timing{"the engine is slow": {Push: 1e12, SetupNets: 1}, "the engine is quick": {Push: 1, SetupNets: 5e9}} {
		t.Run(name, func(t *testing.T) {
			sim, e := simulated(t, o)
			sim.SetTiming(timing)
			n := networkNow(t, e, "lan")
			if len(n.Hosts) != 2 {
				t.Fatalf("%+v", n)
			}
			del := virt.DeleteNetwork{On: virt.On{Ref: n.Ref(), Before: n}, Hosts: []string{"host1"}}
			_, err := e.Apply(t.Context(), del)
			wants(t, err, "came to the host by a label", "managed by the label: lan", "take the label from the host's NIC")
			del.Hosts = nil
			sim.Forget()
			if _, err := e.Apply(t.Context(), del); err != nil {
				t.Fatal(err)
			}
			if networkNow(t, e, "lan") != nil {
				t.Error("it is still there")
			}
			if dmz := networkNow(t, e, "dmz"); len(dmz.Hosts) != 2 {
				t.Errorf("the other network of the label is on %v", dmz.Hosts)
			}
			writes := sent(sim)
			if !strings.HasPrefix(writes, "DELETE networklabels/web; ") || !strings.HasSuffix(writes, "DELETE clusters/networks; DELETE api/networks") {
				t.Errorf("sent %s", writes)
			}
		})
	}
}

func TestNetworkInUseIsNotTouched(t *testing.T) {
	o := twoCentres()
	o.Templates[0].NICs = []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}
	for _, name := range []string{"b", "a"} {
		o.VMs = append(o.VMs, ovirtsim.VM{Name: name, Cluster: "Default", NICs: []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}})
	}
	o.VMs = append(o.VMs, ovirtsim.VM{Name: "far", Cluster: "Other", NICs: []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}})
	sim, e := simulated(t, o)
	n := networkNow(t, e, "Default/lan")
	del := virt.DeleteNetwork{On: virt.On{Ref: n.Ref(), Before: n}}
	_, err := e.Apply(t.Context(), del)
	if !errors.Is(err, virt.ErrConflict) {
		t.Error(err)
	}
	wants(t, err, "is used by 2 VMs", "a, b", "is used by 1 templates", "debian-12")
	if errors.As(err, new(*virt.Error)) && strings.Contains(errorText(err), "far") {
		t.Errorf("a VM of another data centre: %v", err)
	}
	if writes := sent(sim); writes != "" {
		t.Errorf("sent %s", writes)
	}
	// From hosts on which nobody uses it, it can be taken.
	del.Hosts = []string{"host1"}
	if _, err := e.Apply(t.Context(), del); err != nil || slices.Contains(networkNow(t, e, "Default/lan").Hosts, "host1") {
		t.Error(err)
	}
}

// A plan that first deletes the VMs can delete their network.
func TestPlanDeletesVMsAndTheirNetwork(t *testing.T) {
	o := small()
	o.VMs = []ovirtsim.VM{{Name: "a", Cluster: "Default", NICs: []ovirtsim.NIC{{Name: "nic1", Network: "lan"}}}}
	_, e := simulated(t, o)
	p := dryrun.New(e)
	n := networkNow(t, e, "lan")
	del := virt.DeleteNetwork{On: virt.On{Ref: n.Ref(), Before: n}}
	if _, err := p.Apply(t.Context(), del); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("in use: %v", err)
	}
	if _, err := p.Apply(t.Context(), virt.DeleteVM{On: virt.OnVM(fresh(t, e, "a")), Volumes: true}); err != nil {
		t.Fatal(err)
	}
	if out, err := p.Apply(t.Context(), del); err != nil || !out.Changed {
		t.Errorf("%+v, %v", out, err)
	}
}

// Hosts that cannot be set up now wait, or prevent it, as it was asked for.
func TestHostsThatCannotBeSetUp(t *testing.T) {
	o := small()
	o.DataCenters[0].Clusters[0].Hosts = []ovirtsim.Host{{Name: "host1"}, {Name: "host2"}, {Name: "host3"}}
	sim, e := simulated(t, o)
	if _, err := retire(t.Context(), t, e, "host2"); err != nil {
		t.Fatal(err)
	}
	down := []virt.HostState{{Host: "host3", State: "down"}}
	ref := virt.NetworkRef("v7")
	create := virt.CreateNetwork{On: virt.On{Ref: ref}, Type: "engine", VLAN: 7, Cluster: "Default", HostNIC: "eth2", Hosts: []string{"host1", "host2"}, Unready: down, AllHosts: true}
	sim.SetHostState("host3", "down")
	e.Forget()
	sim.Forget()
	_, err := e.Apply(t.Context(), create)
	wants(t, err, "host host3: cannot have its networks set up now", "it is down", "unreachable_hosts: skip")
	if writes := sent(sim); writes != "" {
		t.Errorf("sent %s", writes)
	}
	create.AllHosts = false
	out, err := e.Apply(t.Context(), create)
	if err != nil || !out.Changed || !pendingField(out.Pending, "hosts.host3") || len(out.Pending) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	n := networkNow(t, e, "v7")
	if strings.Join(n.Hosts, " ") != "host1 host2" {
		t.Errorf("it is on %v, want also the host in maintenance", n.Hosts)
	}
	// Once more: nothing is sent, and the host still waits.
	sim.Forget()
	create.Before = n
	if out, err = e.Apply(t.Context(), create); err != nil || out.Changed || !pendingField(out.Pending, "hosts.host3") || sent(sim) != "" {
		t.Errorf("%+v, %v, sent %s", out, err, sent(sim))
	}
	// A host that went down since the step looked is found out, too.
	sim.SetHostState("host3", "up")
	sim.SetHostState("host2", "non_responsive")
	create.Hosts, create.Unready = []string{"host1", "host2", "host3"}, nil
	if _, err = e.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	n = networkNow(t, e, "v7")
	if strings.Join(n.Hosts, " ") != "host1 host2 host3" {
		t.Errorf("it is on %v", n.Hosts)
	}
	del := virt.DeleteNetwork{On: virt.On{Ref: ref, Before: n}, AllHosts: true}
	sim.Forget()
	_, err = e.Apply(t.Context(), del)
	wants(t, err, "host host2: cannot have its networks set up now", "it is non_responsive")
	if writes := sent(sim); writes != "" {
		t.Errorf("sent %s", writes)
	}
	del.AllHosts = false
	out, err = e.Apply(t.Context(), del)
	if err != nil || !pendingField(out.Pending, "hosts.host2") || networkNow(t, e, "v7") != nil {
		t.Errorf("%+v, %v", out, err)
	}
}
