package ovirt

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// A network may have several vNIC profiles. NETWORK is the one of its name; any is
// NETWORK/PROFILE, and is found to be as wanted however it is written.
func TestChangeNICByProfile(t *testing.T) {
	_, e := withVM(t)
	n, err := e.networkMap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lan := ""
	for id, info := range n {
		if info.net.Name == "lan" {
			lan = id
		}
	}
	_, err = create(t.Context(), e.Client, kindVNICProfile, "/vnicprofiles", nil,
		vnicProfileXML{Name: "quiet", Network: byID(lan)}, func(p *ovirtsdk.VnicProfile) (string, error) { return value(p.Id()), nil })
	if err != nil {
		t.Fatal(err)
	}
	e.Forget()
	for _, c := range []struct {
		network string
		changed bool
		shows   string
	}{
		{"lan", false, "lan lan"}, {"lan/lan", false, "lan lan"}, {"lan/quiet", true, "lan/quiet quiet"}, {"lan/quiet", false, "lan/quiet quiet"},
		{"lan/lan", true, "lan lan"}, {"dmz", true, "dmz dmz"},
	} {
		vm, err := e.VM(t.Context(), "web-1")
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Apply(t.Context(), virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic1", Network: virt.Some(c.network)})
		if err != nil || out.Changed != c.changed {
			t.Errorf("%s: %+v, %v", c.network, out, err)
		}
		if vm, err = e.VM(t.Context(), "web-1"); err != nil || vm.NICs[0].Network+" "+vm.NICs[0].Profile != c.shows {
			t.Errorf("%s: it is %+v, %v", c.network, vm.NICs, err)
		}
	}
	vm, err := e.VM(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Apply(t.Context(), virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic1", Network: virt.Some("lan/loud")})
	var missing *virt.Error
	if !errors.As(err, &missing) || missing.Kind != virt.ErrNotFound || !strings.Contains(err.Error(), `no vNIC profile "loud"`) || missing.Found != "lan, quiet" {
		t.Errorf("%v", err)
	}
}

// A running VM's NIC is unplugged for another model, and plugged in whatever comes of
// it.
func TestChangeModelRunning(t *testing.T) {
	sim, e := withVM(t)
	if _, err := e.Apply(t.Context(), virt.Start{On: virt.OnVM(seenVM(t, e, "web-1"))}); err != nil {
		t.Fatal(err)
	}
	change := func(model string) error {
		_, err := e.Apply(t.Context(), virt.ChangeNIC{On: virt.OnVM(seenVM(t, e, "web-1")), NIC: "nic1", Model: virt.Some(model)})
		return err
	}
	if err := change("e1000e"); err != nil {
		t.Fatal(err)
	}
	if n := seenVM(t, e, "web-1").NIC("nic1"); n.Model != "e1000e" || !n.In.Live || !n.In.Config {
		t.Errorf("it is %+v", n)
	}
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPut, "/vms/*/nics/*"), After: 1, Times: 1, Status: http.StatusBadRequest, Detail: "[No.]"})
	if err := change("virtio"); err == nil {
		t.Error("a refusal was swallowed")
	}
	if n := seenVM(t, e, "web-1").NIC("nic1"); n.Model != "e1000e" || !n.In.Live {
		t.Errorf("after a refusal it is %+v", n)
	}
}
