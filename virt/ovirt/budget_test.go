package ovirt

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// budget fails when more requests were sent than allowed, logins included.
func budget(t *testing.T, e *Engine, most int) {
	t.Helper()
	s := e.Stats()
	if s.Calls > most {
		t.Errorf("%d requests, at most %d are allowed: %v", s.Calls, most, s.Procedures)
	}
	t.Logf("%d requests: %v", s.Calls, s.Procedures)
}

func TestListOfAThousandVMs(t *testing.T) {
	_, e := simulated(t, ovirtsim.Load(1000, 20))
	vms, err := e.VMs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(vms) != 1000 {
		t.Fatalf("%d VMs", len(vms))
	}
	for i, vm := range vms {
		if want := fmt.Sprintf("vm%05d", i+1); vm.Name != want || vm.Cluster != "Default" || vm.DataCentre != "Default" ||
			len(vm.Disks) != 1 || vm.Disks[0].Storage != "data" || vm.Disks[0].Size != 10*virt.GiB ||
			vm.State == virt.Running && vm.Host.Or("") == "" || len(vm.NICs) != 1 || vm.NICs[0].Network != "ovirtmgmt" {
			t.Fatalf("%d: %+v", i, vm)
		}
	}
	budget(t, e, 12)
}

// unchanged looks at a VM as five steps do of which each finds it as it should be.
func unchanged(t *testing.T, e *Engine, name string) {
	t.Helper()
	for range 5 {
		vm, err := e.VM(t.Context(), name)
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range []virt.Change{
			virt.SetCPU{On: virt.OnVM(vm), Count: virt.Some(1)},
			virt.SetMemory{On: virt.OnVM(vm), Current: virt.Some(virt.GiB)},
			virt.SetVM{On: virt.OnVM(vm), Description: virt.Some("")},
		} {
			if _, out, err := e.Predict(vm, c); err != nil || out.Changed {
				t.Errorf("%s of %s: %+v, %v", virt.KindOf(c), name, out, err)
			}
		}
	}
}

func TestUnchangedPlayOfAHundredVMs(t *testing.T) {
	for _, parallel := range []int{1, 50} {
		t.Run(fmt.Sprintf("%d at a time", parallel), func(t *testing.T) {
			_, e := simulated(t, ovirtsim.Load(1000, 4))
			var wg sync.WaitGroup
			slots := make(chan struct{}, parallel)
			for i := range 100 {
				wg.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					unchanged(t, e, fmt.Sprintf("vm%05d", 10*i+1))
				})
			}
			wg.Wait()
			budget(t, e, 12)
		})
	}
}

func TestPlayOfOneVMAmongTenThousand(t *testing.T) {
	sim, e := simulated(t, ovirtsim.Load(10_000, 20))
	unchanged(t, e, "vm05001")
	budget(t, e, 8)
	for _, r := range sim.Requests() {
		if strings.HasSuffix(r.Path, "/vms") && !strings.Contains(r.Query, "vm05001") {
			t.Errorf("the others were read: %s?%s", r.Path, r.Query)
		}
	}
}

func TestNamedVMsAreReadTogether(t *testing.T) {
	_, e := simulated(t, ovirtsim.Load(1000, 4))
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("vm%05d", i+1))
	}
	e.Want(names...)
	for _, n := range names {
		unchanged(t, e, n)
	}
	if n := e.Stats().Procedures["GET /vms"]; n != 1 {
		t.Errorf("%d searches, want 1", n)
	}
}

func TestOnePollerForAllWhoWait(t *testing.T) {
	o := ovirtsim.Load(100, 4)
	for i := range o.VMs {
		o.VMs[i].Running = false
	}
	o.Speed = 20 // a boot takes twelve seconds of the engine's: 600 ms
	_, e := simulated(t, o, func(c *Config) { c.Poll = 50 * time.Millisecond; c.Sleep = nil })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			vm, err := e.VM(t.Context(), fmt.Sprintf("vm%05d", i+1))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := e.Apply(t.Context(), virt.Start{On: virt.OnVM(vm)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := e.Stats()
	// The polls, and the one or three searches at the beginning.
	if n := s.Procedures["GET /vms"]; n > 60 {
		t.Errorf("%d looks at VMs while 100 were waited for: %v", n, s.Procedures)
	}
	t.Logf("%v", s.Procedures)
}

// Making VMs on a large engine reads those VMs, and not all others each time.
func TestMakingVMsDoesNotReadAllOthers(t *testing.T) {
	sim, e := simulated(t, ovirtsim.Load(1000, 4))
	for i := range 8 {
		name := fmt.Sprintf("new-%d", i)
		apply(t, e, name, func(o virt.On) virt.Change {
			return virt.CreateVM{On: o, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: virt.GiB}}
		})
		apply(t, e, name, func(o virt.On) virt.Change { return virt.FinishVM{On: o} })
		if vm, err := e.VM(t.Context(), name); err != nil || vm.Unfinished != "" {
			t.Fatalf("%+v, %v", vm, err)
		}
	}
	pages := sim.Count(func(r ovirtsim.Request) bool { return strings.Contains(r.Query, "page+") })
	if pages > 3 {
		t.Errorf("%d pages of all VMs were read, want at most one reading of 3", pages)
	}
}

// A name that the search language cannot say is still found.
func TestNameThatNoSearchCanSay(t *testing.T) {
	o := small()
	o.VMs = []ovirtsim.VM{{Name: `a"b*`, Cluster: "Default"}, {Name: "other", Cluster: "Default"}}
	_, e := simulated(t, o)
	e.Want("other")
	for range 2 {
		if vm, err := e.VM(t.Context(), `a"b*`); err != nil || vm.Name != `a"b*` {
			t.Fatalf("%+v, %v", vm, err)
		}
		e.Forget(virt.VMRef(`a"b*`))
	}
}
