package ovirt

import (
	"errors"
	"net/http"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// A VM of an engine is renamed while it runs: it goes on where it is. That the answer
// is lost makes nothing else of it.
func TestRenameRunning(t *testing.T) {
	sim, e := withVM(t)
	if _, err := e.Apply(t.Context(), virt.Start{On: virt.OnVM(seenVM(t, e, "web-1"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(t.Context(), virt.AttachDisk{On: virt.OnVM(seenVM(t, e, "web-1")), Run: "r1",
		Disk: virt.DiskSpec{Name: "data", Size: virt.GiB, Storage: "data", Sparse: true}}); err != nil {
		t.Fatal(err)
	}
	was := seenVM(t, e, "web-1")
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPut, "/vms/*"), Times: 1, LoseReply: true})
	c := virt.RenameVM{On: virt.OnVM(was), To: "web-2"}
	if out, err := e.Apply(t.Context(), c); err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	vm := seenVM(t, e, "web-2")
	if vm.ID != was.ID || vm.State != virt.Running || vm.Host != was.Host || vm.Disk("web-1-data") == nil || was.Disk("data") == nil || len(vm.Pending) > 0 {
		t.Errorf("it was %+v, and is %+v", was, vm)
	}
	if _, err := e.VM(t.Context(), "web-1"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("the old name: %v", err)
	}
	if out, err := e.Apply(t.Context(), c); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// A VM that is written with its data centre is renamed in it.
func TestRenameInItsDataCentre(t *testing.T) {
	_, e := withVM(t)
	vm := seenVM(t, e, "Default/web-1")
	if _, err := e.Apply(t.Context(), virt.RenameVM{On: virt.OnVM(vm), To: "web-2"}); err != nil {
		t.Fatal(err)
	}
	if got := seenVM(t, e, "Default/web-2"); got.ID != vm.ID || got.Name != "Default/web-2" {
		t.Errorf("it is %+v", got)
	}
	_, err := e.Apply(t.Context(), virt.RenameVM{On: virt.OnVM(seenVM(t, e, "web-2")), To: "a name with spaces"})
	if err == nil || errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Errorf("what no engine takes as a name: %v", err)
	}
}

func seenVM(t *testing.T, e *Engine, name string) *virt.VM {
	t.Helper()
	vm, err := e.VM(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}
