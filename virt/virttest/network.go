package virttest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nactl/nactl/virt"
)

// served are networks that nodes serve themselves: with an address, DHCP and DNS.
// The host's own networks of these tests are elsewhere.
func served() []testCase {
	const mac = "52:54:00:aa:00:01"
	of := func(o virt.On, leases ...virt.DHCPHost) virt.CreateNetwork {
		if o.Ref.Kind == virt.KindVM {
			o = virt.On{Ref: virt.NetworkRef(o.Ref.Name)}
		}
		return virt.CreateNetwork{On: o, Type: "isolated", IP: virt.NetworkIPSpec{Address: "10.201.7.1/24", Domain: "inner.example",
			Range: &virt.DHCPRange{Start: "10.201.7.100", End: "10.201.7.199"}, Leases: leases}}
	}
	first, second := virt.DHCPHost{MAC: mac, IP: "10.201.7.10", Name: "a"}, virt.DHCPHost{MAC: "52:54:00:aa:00:02", IP: "10.201.7.11"}
	moved := virt.DHCPHost{MAC: mac, IP: "10.201.7.12", Name: "b"}
	shows := func(leases ...virt.DHCPHost) func(virt.Object) error {
		return func(o virt.Object) error {
			n, ok := o.(*virt.Network)
			if !ok || n == nil || !n.Active || n.IP == nil || n.IP.Address != "10.201.7.1/24" || !slices.Equal(n.IP.Leases, leases) {
				return fmt.Errorf("it is %+v, %+v; leases are to be %v", o, n.IP, leases)
			}
			return nil
		}
	}
	make := func(leases ...virt.DHCPHost) changeOf {
		return func(o virt.On) virt.Change { return of(o, leases...) }
	}
	return []testCase{
		{kind: "create_network", name: "served", fresh: true, network: true, object: virt.NetworkRef, change: make(first), shows: shows(first)},
		{kind: "create_network", name: "leases", fresh: true, network: true, makes: true, object: virt.NetworkRef, arrange: []changeOf{make(first)},
			change: make(moved, second), shows: shows(moved, second)},
		{kind: "create_network", name: "leases exactly", fresh: true, network: true, makes: true, object: virt.NetworkRef, arrange: []changeOf{make(first, second)},
			change: func(o virt.On) virt.Change { c := of(o, second); c.ExactLeases = true; return c }, shows: shows(second)},
	}
}

// prepareNetwork brings a network where a case begins.
func (r *runner) prepareNetwork(t *testing.T, c testCase) string {
	t.Helper()
	name := r.newName()
	if r.unsupported(c) != "" {
		return name
	}
	ref := virt.NetworkRef(name)
	t.Cleanup(func() { r.apply(t, virt.DeleteNetwork{On: virt.On{Ref: ref, Before: r.look(t, ref)}}) })
	for _, f := range c.arrange {
		r.apply(t, f(virt.On{Ref: ref, Before: r.look(t, ref)}))
	}
	return name
}
