//go:build cgo && lab

package libvirt

import (
	"context"
	"testing"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// TestLabReplug moves the interface of a running guest between portgroups of an
// Open vSwitch network, which libvirt changes only by unplugging it, and makes it
// another model; a guest that does not let go keeps it until its restart.
func TestLabReplug(t *testing.T) {
	n := labNode(t, "n1")
	const name, network, idle = "l5-replug", "l5-groups", "l5-idle"
	err := n.do(t.Context(), "make a network", func(c *lv.Connect) error {
		net, err := c.NetworkDefineXML(`<network><name>` + network + `</name><forward mode='bridge'/><bridge name='ovsbr0'/><virtualport type='openvswitch'/>
<portgroup name='five'><vlan><tag id='5'/></vlan></portgroup><portgroup name='six'><vlan><tag id='6'/></vlan></portgroup></network>`)
		if err != nil {
			return err
		}
		defer net.Free()
		return net.Create()
	})
	t.Cleanup(func() {
		_ = n.do(context.WithoutCancel(t.Context()), "remove a network", func(c *lv.Connect) error {
			net, err := c.LookupNetworkByName(network)
			if err != nil {
				return err
			}
			defer net.Free()
			_ = net.Destroy()
			return net.Undefine()
		})
	})
	if err != nil {
		t.Fatal(full(err))
	}
	labGuest(t, name, "images", n)
	waitAgent(t, n, name)
	apply := func(c virt.Change) virt.Outcome {
		t.Helper()
		out, err := n.Apply(t.Context(), c)
		if err != nil {
			t.Fatal(full(err))
		}
		return out
	}
	nic := func(vm string) *virt.NIC {
		t.Helper()
		nic := sees(t, n, vm).Before.(*virt.VM).NIC("extra")
		if nic == nil {
			t.Fatal("it has gone")
		}
		return nic
	}
	apply(virt.AttachNIC{On: sees(t, n, name), NIC: virt.NICSpec{Name: "extra", Network: network + "/five"}})
	before := *nic(name)
	if before.Profile != "five" || before.Live != nil {
		t.Errorf("attached: %+v", before)
	}
	if _, err := n.Apply(t.Context(), virt.ChangeNIC{On: sees(t, n, name), NIC: "extra", Network: virt.Some(network + "/seven")}); err == nil {
		t.Error("a portgroup that is not there is taken")
	}
	for _, c := range []virt.ChangeNIC{{Network: virt.Some(network + "/six")}, {Model: virt.Some("e1000e")}, {Network: virt.Some("lan"), Model: virt.Some("virtio")}} {
		c.On, c.NIC = sees(t, n, name), "extra"
		if out := apply(c); !out.Changed || len(out.Pending) > 0 {
			t.Errorf("%+v", out)
		}
		now := nic(name)
		if now.MAC != before.MAC || now.Live != nil || !now.In.Live || !now.In.Config || !now.IsOn(c.Network.Or(now.Network)) || now.Model != c.Model.Or(now.Model) {
			t.Errorf("after %+v it is %+v, live %+v", c, now, now.Live)
		}
		c.On = sees(t, n, name)
		if out := apply(c); out.Changed {
			t.Errorf("again: %+v", out)
		}
	}

	// Nobody is in this one who could let go.
	patience := detachPatience
	detachPatience = 2 * time.Second
	t.Cleanup(func() { detachPatience = patience })
	remove := func() {
		ctx := context.WithoutCancel(t.Context())
		n.Forget()
		if vm, err := n.VM(ctx, idle); err == nil {
			if _, err := n.Apply(ctx, virt.DeleteVM{On: virt.OnVM(vm), Volumes: true}); err != nil {
				t.Error(err)
			}
		}
	}
	remove()
	t.Cleanup(remove)
	apply(virt.CreateVM{On: virt.On{Ref: virt.VMRef(idle)}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: 64 * virt.MiB},
		NICs: []virt.NICSpec{{Name: "extra", Network: "lan"}}})
	apply(virt.Start{On: sees(t, n, idle)})
	c := virt.ChangeNIC{On: sees(t, n, idle), NIC: "extra", Model: virt.Some("e1000e")}
	out := apply(c)
	if !out.Changed || len(out.Pending) != 1 || out.Pending[0].Reason != guestHolds {
		t.Errorf("%+v", out)
	}
	vm := sees(t, n, idle).Before.(*virt.VM)
	if k := vm.NIC("extra"); k.Model != "e1000e" || k.Live == nil || k.Live.Model != "virtio" || len(vm.Pending) != 1 || vm.Pending[0].Reason != guestHolds {
		t.Errorf("it is %+v, live %+v, pending %+v", k, k.Live, vm.Pending)
	}
	c.On = sees(t, n, idle)
	began := time.Now()
	if out = apply(c); out.Changed || len(out.Pending) != 1 || time.Since(began) > detachPatience {
		t.Errorf("again, after %s: %+v", time.Since(began), out)
	}
	apply(virt.PowerOff{On: sees(t, n, idle)})
	apply(virt.Start{On: sees(t, n, idle)})
	if vm = sees(t, n, idle).Before.(*virt.VM); len(vm.Pending) != 0 || vm.NIC("extra").Live != nil {
		t.Errorf("after a restart: %+v", vm.Pending)
	}
}
