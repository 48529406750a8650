//go:build cgo

package libvirt

import (
	"errors"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// What libvirt does not rename is refused before it is asked, by a plan, too: a VM
// that is not off, and one that has snapshots.
func TestRenameRefused(t *testing.T) {
	n := driverNode(t)
	if _, err := n.Apply(t.Context(), virt.CreateVM{On: virt.On{Ref: virt.VMRef("old")}, Run: "r1", CPU: virt.CPU{Count: 1},
		Memory: virt.Memory{Current: 64 * virt.MiB}, Disks: []virt.DiskSpec{{Name: "root", Size: virt.MiB, Storage: "images", Format: "qcow2", Sparse: true}}}); err != nil {
		t.Fatal(err)
	}
	refused := func(found string) {
		t.Helper()
		for _, a := range []virt.Applier{dryrun.New(n), n} {
			_, err := a.Apply(t.Context(), virt.RenameVM{On: seen(t, n, "old"), To: "new"})
			var e *virt.Error
			if !errors.As(err, &e) || !errors.Is(err, virt.ErrConflict) || !strings.Contains(e.Found, found) || e.Wanted == "" || e.Hint == "" {
				t.Errorf("%v, want ErrConflict that found %q", err, found)
			}
		}
	}
	refused("was interrupted")
	for _, s := range []struct {
		change func(o virt.On) virt.Change
		found  string
	}{
		{func(o virt.On) virt.Change { return virt.FinishVM{On: o} }, ""},
		{func(o virt.On) virt.Change { return virt.Start{On: o} }, "running"},
		{func(o virt.On) virt.Change { return virt.Suspend{On: o} }, "suspended"},
		{func(o virt.On) virt.Change { return virt.PowerOff{On: o} }, ""},
		{func(virt.On) virt.Change {
			return virt.CreateSnapshot{On: virt.On{Ref: virt.SnapshotRef("old", "one")}}
		}, `"one"`},
	} {
		if _, err := n.Apply(t.Context(), s.change(seen(t, n, "old"))); err != nil {
			t.Fatal(err)
		}
		if s.found != "" {
			refused(s.found)
		}
	}
	if _, err := n.VM(t.Context(), "new"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("it was refused, and there is a VM of the new name: %v", err)
	}
}

// Disks that have a name keep it; those that go by their volume or by their target are
// called as a read calls them.
func TestRenamePredictsNamesOfDisks(t *testing.T) {
	n := driverNode(t, `<domain type='test'><name>old</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>
		<disk type='file' device='disk'><source file='/nowhere/old-data.qcow2'/><target dev='vda' bus='virtio'/></disk>
		<disk type='file' device='disk'><source file='/nowhere/new-logs.qcow2'/><target dev='vdb' bus='virtio'/></disk>
		<disk type='file' device='disk'><source file='/nowhere/old-root.qcow2'/><target dev='vdc' bus='virtio'/><alias name='ua-root'/></disk>
		</devices></domain>`)
	if vm, err := n.VM(t.Context(), "old"); err != nil {
		t.Fatal(err)
	} else if vm.State != virt.Stopped {
		if _, err := n.Apply(t.Context(), virt.PowerOff{On: seen(t, n, "old")}); err != nil {
			t.Fatal(err)
		}
	}
	c := virt.RenameVM{On: seen(t, n, "old"), To: "new"}
	predicted, out, err := n.Predict(c.Before, c)
	if err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := n.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	vm, err := n.VM(t.Context(), "new")
	if err != nil {
		t.Fatal(err)
	}
	names := func(vm *virt.VM) string {
		var out []string
		for _, k := range vm.Disks {
			out = append(out, k.Name)
		}
		return strings.Join(out, " ")
	}
	if was, want, got := names(c.Before.(*virt.VM)), names(predicted.(*virt.VM)), names(vm); was != "data vdb root" || want != got || got != "vda logs root" {
		t.Errorf("they were %q, are predicted as %q, and are %q", was, want, got)
	}
}
