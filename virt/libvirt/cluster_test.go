//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// driverCluster makes a cluster of nodes of the test driver, n1 with the first
// domains and n2 with the second, and optionally n3, which is down.
func driverCluster(t *testing.T, n1, n2 []string, down bool) *Cluster {
	t.Helper()
	configs := []Config{
		{Name: "n2", URI: "test://" + testFile(t, n2...)},
		{Name: "n1", URI: "test://" + testFile(t, n1...)},
	}
	if down {
		configs = append(configs, Config{Name: "n3", Socket: filepath.Join(t.TempDir(), "nobody-listens")})
	}
	var members []*Node
	for _, cfg := range configs {
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeNode(t, n) })
		members = append(members, n)
	}
	c, err := OpenCluster("kvm", members)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClusterFindsTheMember(t *testing.T) {
	c := driverCluster(t, []string{testDomain("a"), testDomain("both")}, []string{testDomain("b"), testDomain("both")}, false)
	for name, host := range map[string]string{"a": "n1", "b": "n2"} {
		vm, err := c.VM(t.Context(), name)
		if err != nil || vm.Host.Or("") != host || vm.Cluster != "kvm" {
			t.Errorf("%s: %+v, %v", name, vm, err)
		}
	}
	_, err := c.VM(t.Context(), "both")
	var e *virt.Error
	if !errors.As(err, &e) || e.Kind != virt.ErrConflict || !strings.Contains(e.Found, "n1") || !strings.Contains(e.Found, "n2") {
		t.Errorf("the same name twice: %v", err)
	}
	if _, err := c.VM(t.Context(), "none"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	vms, err := c.VMs(t.Context())
	if err != nil || len(vms) != 4 {
		t.Errorf("%d VMs, %v", len(vms), err)
	}
}

func TestClusterChangesWhereTheVMIs(t *testing.T) {
	c := driverCluster(t, []string{testDomain("a")}, []string{testDomain("b")}, false)
	vm, err := c.VM(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	change := virt.SetCPU{On: virt.OnVM(vm), Count: virt.Some(3)}
	if out, err := c.Apply(t.Context(), change); err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	if vm, err = c.VM(t.Context(), "b"); err != nil || vm.CPU.Count != 3 {
		t.Errorf("%+v, %v", vm, err)
	}
	change.Before = vm
	if out, err := c.Apply(t.Context(), change); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
}

func TestClusterWithAMemberDown(t *testing.T) {
	c := driverCluster(t, []string{testDomain("a")}, nil, true)
	vm, err := c.VM(t.Context(), "a")
	if err != nil {
		t.Fatal("a VM on another member is used: ", err)
	}
	out, err := c.Apply(t.Context(), virt.SetCPU{On: virt.OnVM(vm), Count: virt.Some(3)})
	if err != nil || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "n3") {
		t.Errorf("%+v, %v: want a warning that names n3", out, err)
	}
	if _, err := c.VM(t.Context(), "none"); !errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrNotFound) {
		t.Errorf("not found while n3 is down: %v", err)
	}
	_, err = c.Apply(t.Context(), virt.CreateVM{On: virt.On{Ref: virt.VMRef("none")}, CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: virt.MiB}})
	if !errors.Is(err, virt.ErrUnreachable) {
		t.Errorf("created although it may be there: %v", err)
	}
	hosts, err := c.Hosts(t.Context())
	if err != nil || len(hosts) != 3 || hosts[2].State != "unreachable" {
		t.Errorf("%v, %v", hosts, err)
	}
}

func TestClusterNetworks(t *testing.T) {
	c := driverCluster(t, nil, nil, false)
	create := virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("vlan5")}, Type: "openvswitch", Bridge: "ovsbr0", VLAN: 5, Hosts: []string{"n2"}}
	if _, err := c.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	net, err := c.Network(t.Context(), "vlan5")
	if err != nil || !slices.Equal(net.Hosts, []string{"n2"}) {
		t.Fatalf("%+v, %v", net, err)
	}
	create.Before, create.Hosts = net, nil
	if _, err := c.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if net, err = c.Network(t.Context(), "vlan5"); err != nil || !slices.Equal(net.Hosts, []string{"n1", "n2"}) {
		t.Fatalf("%+v, %v", net, err)
	}
	create.Before = net
	if out, err := c.Apply(t.Context(), create); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	if _, err := c.Apply(t.Context(), virt.DeleteNetwork{On: virt.On{Ref: create.Ref, Before: net}}); err != nil {
		t.Error(err)
	}
	if _, err := c.Network(t.Context(), "vlan5"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

// Two VMs made at the same time do not both take the member that has the most
// memory when only one of them fits best there.
func TestPlacementCountsWhatItPromised(t *testing.T) {
	p := placement{}
	p.init()
	p.placed["x"] = promise{"n1", 3 * virt.GiB}
	h := &virt.Host{Name: "n1", FreeMemory: 8 * virt.GiB}
	if got := p.free(h, ""); got != 5*virt.GiB {
		t.Errorf("%d free", got)
	}
	if got := p.free(h, "x"); got != 8*virt.GiB {
		t.Errorf("its own promise counts against it: %d", got)
	}
	if !p.settle("x") || p.settle("x") || p.free(h, "") != 8*virt.GiB {
		t.Error("a settled promise still counts")
	}
}

func TestClusterRanks(t *testing.T) {
	c := driverCluster(t, nil, nil, false)
	all := func(context.Context, *Node) error { return nil }
	nodes, err := c.rank(t.Context(), "v", all)
	if err != nil || nodes[0].Name() != "n1" {
		t.Errorf("equal ones go by name: %v, %v", nodes, err)
	}
	c.place.placed["x"] = promise{"n1", virt.GiB}
	if nodes, err = c.rank(t.Context(), "v", all); err != nil || nodes[0].Name() != "n2" {
		t.Errorf("what was promised on n1 does not count: %v, %v", nodes, err)
	}
	c.members[1].cfg.Maintenance = true
	if nodes, err = c.rank(t.Context(), "v", all); err != nil || len(nodes) != 1 || nodes[0].Name() != "n1" {
		t.Errorf("maintenance: %v, %v", nodes, err)
	}
	_, err = c.rank(t.Context(), "v", func(context.Context, *Node) error { return virt.NotFound(virt.NetworkRef("lan"), "") })
	if !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), "maintenance") {
		t.Errorf("nobody fits: %v", err)
	}
}

func TestClusterCreates(t *testing.T) {
	c := driverCluster(t, nil, nil, false)
	create := virt.CreateVM{On: virt.On{Ref: virt.VMRef("new")}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: 64 * virt.MiB}}
	predicted, _, err := c.Predict(nil, create)
	if err != nil || !predicted.(*virt.VM).Host.IsUnknown() {
		t.Errorf("its host is known too early: %+v, %v", predicted, err)
	}
	out, err := c.Apply(t.Context(), create)
	if err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	vm, err := c.VM(t.Context(), "new")
	if err != nil || vm.Host.Or("") != "n1" || vm.Unfinished != "r1" {
		t.Fatalf("%+v, %v", vm, err)
	}
	create.Ref = virt.VMRef("next")
	create.Memory.Current = 32 * virt.MiB
	if _, err = c.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if vm, err = c.VM(t.Context(), "next"); err != nil || vm.Host.Or("") != "n2" {
		t.Errorf("the second one: %+v, %v", vm, err)
	}
	create.Ref, create.Host = virt.VMRef("named"), virt.Some("n9")
	if _, err = c.Apply(t.Context(), create); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("an unknown host: %v", err)
	}
}
