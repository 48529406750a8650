package ovirt

import (
	"errors"
	"strings"
	"testing"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
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
