package ovirt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// A guest that ignores the shutdown is waited for, and then its power is cut, if
// that was allowed.
func TestGuestThatIgnoresAShutdown(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "g")
	sim.IgnoreShutdown("g")
	_, err := tryApply(t, e, "g", func(o virt.On) virt.Change { return virt.Shutdown{On: o, Timeout: 100 * time.Millisecond} })
	if !errors.Is(err, virt.ErrTimeout) || !strings.Contains(err.Error(), "did not power off within 100ms") {
		t.Errorf("got %v", err)
	}
	if vm := fresh(t, e, "g"); !vm.State.IsLive() {
		t.Errorf("it is %s", vm.State)
	}
	out := apply(t, e, "g", func(o virt.On) virt.Change {
		return virt.Shutdown{On: o, ForceAfter: virt.Some(100 * time.Millisecond)}
	})
	if vm := fresh(t, e, "g"); vm.State != virt.Stopped || len(out.Warnings) != 1 {
		t.Errorf("%s, %v", vm.State, out.Warnings)
	}
}

// Whoever waits can leave.
func TestInterruptedWaitEndsSoon(t *testing.T) {
	o := small()
	o.Speed = 1 // a boot takes twelve seconds
	_, e := simulated(t, o)
	e2 := virt.CreateVM{On: virt.On{Ref: virt.VMRef("g")}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: virt.GiB}, Boot: []string{"network"}}
	apply(t, e, "g", func(virt.On) virt.Change { return e2 })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, context.Canceled)
	defer cancel()
	vm := fresh(t, e, "g")
	began := time.Now()
	_, err := e.Apply(ctx, virt.Start{On: virt.OnVM(vm)})
	if !errors.Is(err, context.Canceled) || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if vm := fresh(t, e, "g"); !vm.State.IsLive() {
		t.Errorf("afterwards it is %s, and it was started", vm.State)
	}
}

// A thin VM lies over its template: it is there at once, and its disks cannot be
// kept without it.
func TestThinVM(t *testing.T) {
	sim, e := simulated(t, small())
	c := web("thin")
	c.Disks = []virt.DiskSpec{{Name: "root", Boot: true, Sparse: true, Backed: true, Size: 12 * virt.GiB}}
	apply(t, e, "thin", func(virt.On) virt.Change { return c })
	if n := sim.Count(func(r ovirtsim.Request) bool {
		return ovirtsim.On("POST", "/vms")(r) && strings.Contains(r.Query, "clone=false")
	}); n != 1 {
		t.Errorf("%d thin VMs were asked for", n)
	}
	vm := fresh(t, e, "thin")
	if vm.BootDisk() == nil || vm.BootDisk().Size != 12*virt.GiB || vm.BootDisk().Volume != "thin-root" {
		t.Errorf("%+v", vm.Disks)
	}
	_, err := tryApply(t, e, "thin", func(o virt.On) virt.Change { return virt.DeleteVM{On: o} })
	var told *virt.Error
	if !errors.As(err, &told) || !strings.Contains(told.Hint, "volumes: true") {
		t.Errorf("got %v, want a hint that its disks go with it", err)
	}
	apply(t, e, "thin", func(o virt.On) virt.Change { return virt.DeleteVM{On: o, Volumes: true} })
}

// Disks that are kept float afterwards, and can be attached again.
func TestKeptDisksAreAttachedAgain(t *testing.T) {
	_, e := simulated(t, small())
	apply(t, e, "old", func(virt.On) virt.Change { return web("old") })
	apply(t, e, "old", func(o virt.On) virt.Change {
		return virt.DetachDisk{On: o, Disk: "data"}
	})
	v, err := e.Volume(t.Context(), "block", "old-data")
	if err != nil || v.Size != 5*virt.GiB {
		t.Fatalf("%+v, %v", v, err)
	}
	guestOn(t, e, "g")
	attach := func(o virt.On) virt.Change {
		return virt.AttachDisk{On: o, Run: "r1", Disk: virt.DiskSpec{Name: "old-data", Storage: "block", Volume: "old-data", Bus: "scsi"}}
	}
	apply(t, e, "g", attach)
	if k := fresh(t, e, "g").Disk("old-data"); k == nil || k.Size != 5*virt.GiB || !k.In.Live || k.Bus != "scsi" {
		t.Errorf("%+v", k)
	}
	if out := apply(t, e, "g", attach); out.Changed {
		t.Errorf("again: %+v", out)
	}
}

// A disk may be called by its name, or as the engine calls it.
func TestDisksAreFoundByBothNames(t *testing.T) {
	_, e := simulated(t, small())
	apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	for _, name := range []string{"more", "web-1-more", "web-1-more"} {
		apply(t, e, "web-1", func(o virt.On) virt.Change {
			return virt.AttachDisk{On: o, Run: "r1", Disk: virt.DiskSpec{Name: name, Size: virt.GiB, Storage: "data", Sparse: true}}
		})
	}
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.ResizeDisk{On: o, Disk: "web-1-more", Size: 2 * virt.GiB} })
	vm := fresh(t, e, "web-1")
	if len(vm.Disks) != 3 || vm.Disk("more").Size != 2*virt.GiB {
		t.Errorf("%+v", vm.Disks)
	}
}

// What a VM would take over at its next start is told, also where that is not a
// number.
func TestNextRunConfigurationIsTold(t *testing.T) {
	_, e := simulated(t, small())
	guestOn(t, e, "g")
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.SetVM{On: o, Boot: virt.Some([]string{"network", "hd"})} })
	vm := fresh(t, e, "g")
	if strings.Join(vm.Boot, " ") != "network hd" || len(vm.Pending) != 1 || vm.Pending[0].Field != "boot" {
		t.Errorf("%v, %+v", vm.Boot, vm.Pending)
	}
	e.Forget()
	vms, err := e.VMs(t.Context())
	if err != nil || len(vms) != 1 || len(vms[0].Pending) != 1 {
		t.Errorf("%+v, %v", vms, err)
	}
	apply(t, e, "g", func(o virt.On) virt.Change {
		return virt.SetCPU{On: o, Count: virt.Some(3), Topology: virt.Some(virt.Topology{Sockets: 1, Cores: 3, Threads: 1})}
	})
	vm = fresh(t, e, "g")
	if vm.CPU.Count != 3 || vm.Live.CPU.Count != 1 || !pendingField(vm.Pending, "cpu.count") || strings.Join(vm.Boot, " ") != "network hd" {
		t.Errorf("%+v, %+v", vm.CPU, vm.Pending)
	}
}
