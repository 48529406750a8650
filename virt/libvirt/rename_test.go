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

// The UEFI variables of a renamed VM go on by the old name. That is told, and a new VM
// does not get them.
func TestRenameKeepsVariables(t *testing.T) {
	n := driverNode(t, `<domain type='test'><name>old</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type>
		<loader readonly='yes' type='pflash'>/usr/share/code.fd</loader><nvram>/nvram/old_VARS.fd</nvram></os><features><acpi/></features></domain>`)
	if seen(t, n, "old").Before.(*virt.VM).State != virt.Stopped {
		if _, err := n.Apply(t.Context(), virt.PowerOff{On: seen(t, n, "old")}); err != nil {
			t.Fatal(err)
		}
	}
	c := virt.RenameVM{On: seen(t, n, "old"), To: "new"}
	create := virt.CreateVM{On: virt.On{Ref: virt.VMRef("old")}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: 64 * virt.MiB}, Firmware: "efi"}
	dry := dryrun.New(n)
	for _, a := range []virt.Applier{dry, n} {
		out, err := a.Apply(t.Context(), c)
		if err != nil || !strings.Contains(strings.Join(out.Warnings, "\n"), "stay in /nvram/old_VARS.fd") {
			t.Errorf("%+v, %v", out, err)
		}
		view := virt.Reader(n)
		if a == virt.Applier(dry) {
			view = dry
		}
		if err := n.Check(t.Context(), view, create); !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "has the variables") {
			t.Errorf("a new VM of the old name: %v", err)
		}
		other := create
		other.Ref, other.Firmware = virt.VMRef("other"), "efi"
		if err := n.Check(t.Context(), view, other); errors.Is(err, virt.ErrConflict) {
			t.Errorf("a VM of another name: %v", err)
		}
	}
}
