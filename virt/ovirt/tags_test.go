package ovirt

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

func tagged(t *testing.T, e *Engine, vm string, want ...string) {
	t.Helper()
	if got := fresh(t, e, vm).Tags; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s has the tags %v, want %v", vm, got, want)
	}
}

func retag(tags virt.TagEdit) func(virt.On) virt.Change {
	return func(o virt.On) virt.Change { return virt.SetVM{On: o, Tags: tags} }
}

// A tag that the engine lacks is made once, however many VMs get it at once.
func TestTagsAreMadeOnce(t *testing.T) {
	o := small()
	for i := range 8 {
		o.VMs = append(o.VMs, ovirtsim.VM{Name: fmt.Sprintf("vm%d", i), Cluster: "Default", Tags: []string{"old"}})
	}
	sim, e := simulated(t, o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("vm%d", i)
			vm, err := e.VM(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := e.Apply(t.Context(), retag(virt.TagEdit{Add: []string{"web & <prod>"}})(virt.OnVM(vm))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		tagged(t, e, fmt.Sprintf("vm%d", i), "old", "web & <prod>")
	}
	tags, err := e.tagMap(t.Context(), "")
	if err != nil || len(tags) != 3 { // with the root
		t.Errorf("%v, %v", tags, err)
	}
	apply(t, e, "vm0", retag(virt.TagEdit{Exactly: virt.Some([]string{})}))
	tagged(t, e, "vm0")
	tagged(t, e, "vm1", "old", "web & <prod>")
	before := sim.Count(isWrite)
	if out := apply(t, e, "vm1", retag(virt.TagEdit{Add: []string{"old"}, Remove: []string{"none"}})); out.Changed || sim.Count(isWrite) != before {
		t.Errorf("nothing to do: %+v", out)
	}
}

// Reading tags costs no request of its own.
func TestTagsComeWithTheVM(t *testing.T) {
	o := ovirtsim.Load(1000, 4)
	o.VMs[7].Tags = []string{"b", "a"}
	_, e := simulated(t, o)
	vms, err := e.VMs(t.Context())
	if err != nil || strings.Join(vms[7].Tags, " ") != "a b" {
		t.Errorf("%v, %v", vms[7].Tags, err)
	}
	budget(t, e, 12)
}

// A VM that is made has its tags before it loses its mark.
func TestNewVMHasItsTags(t *testing.T) {
	sim, e := simulated(t, small())
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/tags"), Times: 1, Status: http.StatusInternalServerError, Detail: "[Internal error.]"})
	c := web("web-1")
	c.Ovirt = &virt.OvirtVM{Tags: []string{"b", "a"}, OvirtSettings: virt.OvirtSettings{Affinity: virt.Some("user_migratable"),
		HAPriority: virt.Some(3), DeleteProtected: virt.Some(true), CustomProperties: map[string]string{"p": "v"}}}
	c.Host = virt.Some("host2")
	_, err := tryApply(t, e, "web-1", func(virt.On) virt.Change { return c })
	if err == nil || fresh(t, e, "web-1").Unfinished == "" {
		t.Fatalf("the tag failed: %v, and the VM is whole", err)
	}
	apply(t, e, "web-1", func(o virt.On) virt.Change { again := c; again.On = o; return again })
	tagged(t, e, "web-1", "a", "b")
	vm := fresh(t, e, "web-1")
	got := fmt.Sprint(vm.Ovirt.Affinity, vm.Ovirt.HAPriority, vm.Ovirt.DeleteProtected, vm.Ovirt.Hosts, vm.Ovirt.CustomProperties)
	if want := "user_migratable 3 true [host2] map[p:v]"; got != want {
		t.Errorf("it has %s, want %s", got, want)
	}
}

// Users without rights see no tags, and are told so.
func TestTagsNeedRights(t *testing.T) {
	o := small()
	o.VMs = []ovirtsim.VM{{Name: "mine", Cluster: "Default", Tags: []string{"a"}}}
	_, e := simulated(t, o, func(c *Config) { c.Filter = true })
	vm := fresh(t, e, "mine")
	for _, c := range []virt.Change{
		retag(virt.TagEdit{Add: []string{"b"}})(virt.OnVM(vm)),
		virt.CreateVM{On: virt.On{Ref: virt.VMRef("new")}, Ovirt: &virt.OvirtVM{Tags: []string{"b"}}},
	} {
		if _, err := e.Apply(t.Context(), c); !errors.Is(err, virt.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", virt.KindOf(c), err)
		}
	}
	if err := e.Supports(virt.SetVM{On: virt.OnVM(vm), Title: virt.Some("t")}); err != nil {
		t.Error(err)
	}
}

// What only engines have is changed one by one, and nothing beside it.
func TestEngineSettings(t *testing.T) {
	_, e := simulated(t, small())
	guestOn(t, e, "g")
	set := func(s virt.OvirtSettings) virt.Outcome {
		t.Helper()
		return apply(t, e, "g", func(o virt.On) virt.Change { return virt.SetVM{On: o, Ovirt: &s} })
	}
	set(virt.OvirtSettings{Hosts: virt.Some([]string{"host2", "host1"}), HAPriority: virt.Some(50), DeleteProtected: virt.Some(true)})
	set(virt.OvirtSettings{Affinity: virt.Some("user_migratable")})
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.SetVM{On: o, Autostart: virt.Some(true)} })
	vm := fresh(t, e, "g")
	got := fmt.Sprint(vm.Ovirt.Affinity, vm.Ovirt.HAPriority, vm.Ovirt.DeleteProtected, vm.Ovirt.Hosts, vm.Autostart, len(vm.Pending))
	if want := "user_migratable 50 true [host1 host2] true 0"; got != want {
		t.Errorf("it has %s, want %s", got, want)
	}
	if out := set(virt.OvirtSettings{Hosts: virt.Some([]string{"host2", "host1"})}); out.Changed {
		t.Errorf("hosts in another order: %+v", out)
	}
	_, err := tryApply(t, e, "g", func(o virt.On) virt.Change { return virt.DeleteVM{On: o, Volumes: true} })
	if err == nil || !strings.Contains(err.Error(), "Delete protection") {
		t.Errorf("a protected VM is deleted: %v", err)
	}
	set(virt.OvirtSettings{Hosts: virt.Some([]string{}), DeleteProtected: virt.Some(false)})
	if vm = fresh(t, e, "g"); len(vm.Ovirt.Hosts.Or([]string{"x"})) != 0 || vm.Ovirt.DeleteProtected.Or(true) {
		t.Errorf("%+v", vm.Ovirt)
	}
	if _, err := tryApply(t, e, "g", func(o virt.On) virt.Change {
		return virt.SetVM{On: o, Ovirt: &virt.OvirtSettings{Hosts: virt.Some([]string{"host9"})}}
	}); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a host that is not there: %v", err)
	}
}

// Custom properties of a running VM wait for its next start, and are said to.
func TestCustomPropertiesWait(t *testing.T) {
	_, e := simulated(t, small())
	guestOn(t, e, "g")
	set := func(values map[string]string) virt.Outcome {
		t.Helper()
		return apply(t, e, "g", func(o virt.On) virt.Change {
			return virt.SetVM{On: o, Ovirt: &virt.OvirtSettings{CustomProperties: values}}
		})
	}
	const field = "ovirt.custom_properties.sap"
	for i, wantChanged := range []bool{true, false} {
		out := set(map[string]string{"sap": "true"})
		if out.Changed != wantChanged || !pendingField(out.Pending, field) || !pendingField(fresh(t, e, "g").Pending, field) {
			t.Errorf("time %d: %+v", i+1, out)
		}
	}
	set(map[string]string{"other": "1"})
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	out := set(map[string]string{"sap": ""})
	vm := fresh(t, e, "g")
	if len(out.Pending)+len(vm.Pending) != 0 || fmt.Sprint(vm.Ovirt.CustomProperties) != "map[other:1]" {
		t.Errorf("%+v, %+v", out, vm.Ovirt)
	}
}

// A dry run knows what a VM that it makes will have.
func TestNewVMsSettingsArePredicted(t *testing.T) {
	_, e := simulated(t, small())
	c := web("web-1")
	c.Ovirt = &virt.OvirtVM{Tags: []string{"a"}, OvirtSettings: virt.OvirtSettings{Affinity: virt.Some("pinned")}}
	after, _, err := e.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	vm := after.(*virt.VM)
	if !vm.Ovirt.HAPriority.IsUnknown() || vm.Ovirt.Affinity.Or("") != "pinned" || strings.Join(vm.Tags, "") != "a" {
		t.Errorf("%+v, tags %v", vm.Ovirt, vm.Tags)
	}
	if _, out, err := e.Predict(vm, virt.SetVM{On: virt.OnVM(vm), Ovirt: &virt.OvirtSettings{Affinity: virt.Some("pinned")}, Tags: virt.TagEdit{Add: []string{"a"}}}); err != nil || out.Changed {
		t.Errorf("%+v, %v", out, err)
	}
}
