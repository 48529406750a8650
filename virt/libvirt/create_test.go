//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// storageNode is libvirt's own test driver with a host of its own: state of one
// connection, which other tests do not see.
func storageNode(t *testing.T) *Node {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.xml")
	err := os.WriteFile(file, []byte(`<node>
  <network><name>lan</name><forward mode='nat'/><bridge name='virbr7'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>
  <network><name>back</name></network>
  <pool type='dir'><name>default</name><target><path>/pool</path></target>
    <volume><name>debian.qcow2</name><capacity>1073741824</capacity><allocation>4096</allocation><target><format type='qcow2'/></target></volume>
  </pool>
</node>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), Config{Name: "n1", URI: "test://" + file, Run: "run-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

var debian = virt.ImageSource{Name: "debian-12", Storage: "default", Volume: "debian.qcow2"}

func creation(t *testing.T, n *Node, name string) virt.CreateVM {
	t.Helper()
	img, err := n.Image(t.Context(), debian)
	if err != nil {
		t.Fatal(err)
	}
	return virt.CreateVM{
		On: virt.On{Ref: virt.VMRef(name)}, Run: "run-1", Image: img, Title: "Web & <more>", Description: "one\ntwo",
		CPU: virt.CPU{Count: 2, Max: 4}, Memory: virt.Memory{Current: virt.GiB, Max: 2 * virt.GiB},
		Disks: []virt.DiskSpec{
			{Name: "data", Size: 2 * virt.GiB, Sparse: true, MountPoint: "/srv"},
			{Name: "root", Boot: true, Size: 8 * virt.GiB, Sparse: true, Format: "qcow2"}},
		NICs:     []virt.NICSpec{{Name: "nic1", Network: "lan", Address: "192.0.2.9/24"}, {Name: "nic2", Network: "lan", MAC: "52:54:00:00:00:42"}},
		Metadata: map[string]string{"owner": `a "b" <c>`}, Autostart: true,
		LibvirtXML: `<domain><devices><sound model="ich9"/></devices></domain>`,
	}
}

func mustApply(t *testing.T, n *Node, c virt.Change) virt.Outcome {
	t.Helper()
	out, err := n.Apply(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: %v", virt.KindOf(c), err)
	}
	if !out.Changed {
		t.Fatalf("%s changed nothing", virt.KindOf(c))
	}
	return out
}

func observed(t *testing.T, n *Node, name string) *virt.VM {
	t.Helper()
	vm, err := n.freshVM(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.DiskSizes(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	return vm
}

func volumes(t *testing.T, n *Node) string {
	t.Helper()
	all, err := n.Volumes(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range all {
		name := v.Name
		if v.Unfinished {
			name += " (part)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func TestCreateVM(t *testing.T) {
	n := storageNode(t)
	c := creation(t, n, "web")
	want, _, err := n.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, n, c)
	vm := observed(t, n, "web")
	if vm.Unfinished != "run-1" || !vm.Autostart || vm.Metadata["owner"] != c.Metadata["owner"] || vm.Description != c.Description {
		t.Errorf("made %+v", vm)
	}
	if !strings.Contains(vm.Native, "ich9") {
		t.Error("the playbook's own XML is not in the definition")
	}
	if got, want := volumes(t, n), "debian.qcow2, web-data.qcow2, web-root.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	samePrediction(t, want.(*virt.VM), vm)

	out, err := n.Apply(t.Context(), virt.FinishVM{On: virt.OnVM(vm)})
	if err != nil || !out.Changed {
		t.Fatalf("finish: %+v, %v", out, err)
	}
	if vm = observed(t, n, "web"); vm.Unfinished != "" || vm.Metadata["owner"] != c.Metadata["owner"] {
		t.Errorf("finished %+v", vm)
	}
	if _, err := n.Apply(t.Context(), c); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("made again: %v", err)
	}
}

// TestOverlayInAPlan looks twice at a VM that is only planned: its own XML is
// merged once.
func TestOverlayInAPlan(t *testing.T) {
	n := storageNode(t)
	c := creation(t, n, "web")
	planned, _, err := n.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	set := virt.SetVM{On: virt.OnVM(planned.(*virt.VM)), LibvirtXML: virt.Some(c.LibvirtXML)}
	if _, out, err := n.Predict(planned, set); err != nil || out.Changed {
		t.Errorf("the same XML: %+v, %v", out, err)
	}
	set.LibvirtXML = virt.Some(`<domain><devices><sound model="ac97"/></devices></domain>`)
	if _, out, err := n.Predict(planned, set); err != nil || !out.Changed {
		t.Errorf("other XML: %+v, %v", out, err)
	}
}

// samePrediction compares what was predicted with what is there, where something
// was predicted.
func samePrediction(t *testing.T, want, got *virt.VM) {
	t.Helper()
	if want.CPU != got.CPU || want.Memory != got.Memory || want.State != got.State || want.Firmware != got.Firmware ||
		fmt.Sprint(want.Boot) != fmt.Sprint(got.Boot) || want.Title != got.Title {
		t.Errorf("predicted %+v\ngot       %+v", want, got)
	}
	if len(want.Disks) != len(got.Disks) || len(want.NICs) != len(got.NICs) {
		t.Fatalf("predicted %+v\ngot       %+v", want, got)
	}
	for _, k := range want.Disks { // libvirt keeps them in an order of its own
		have := virt.Disk{}
		if found := got.Disk(k.Name); found != nil {
			have = *found
		}
		if k.Device == "cdrom" {
			k.Size = have.Size // that of the seed, which nobody counts beforehand
		}
		k.Path, k.ActualSize, have.Path, have.ActualSize = virt.Opt[string]{}, 0, virt.Opt[string]{}, 0
		if !reflect.DeepEqual(k, have) {
			t.Errorf("disk predicted %+v\ngot            %+v", k, have)
		}
	}
	for i, nic := range want.NICs {
		have := got.NICs[i]
		if _, known := nic.MAC.Get(); !known {
			nic.MAC, have.MAC = virt.Opt[string]{}, virt.Opt[string]{}
		}
		if nic != have {
			t.Errorf("NIC predicted %+v\ngot           %+v", nic, have)
		}
	}
}

func TestCreateVMReportsAllProblemsTogether(t *testing.T) {
	n := storageNode(t)
	c := creation(t, n, "web")
	c.Image.Source.Volume = "gone.qcow2"
	c.NICs[0].Network = "dmz"
	c.NICs[1].Name = "a b"
	c.Disks = append(c.Disks, virt.DiskSpec{Name: "logs", Storage: "fast", Size: virt.GiB},
		virt.DiskSpec{Name: "huge", Size: 1 << 60}, virt.DiskSpec{Name: "none", Sparse: true})
	c.LibvirtXML = "<domain><name>x</name></domain>"
	err := n.Check(t.Context(), n, c)
	if err == nil {
		t.Fatal("nothing found")
	}
	for _, want := range []string{"gone.qcow2", "network dmz: is not there", `called "a b"`, "storage fast: is not there", "storage default: is too full",
		`disk "none" has no size`, "<name> cannot be changed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	for _, kind := range []error{virt.ErrNotFound, virt.ErrInvalid, virt.ErrConflict} {
		if !errors.Is(err, kind) {
			t.Errorf("%v is not among the kinds", kind)
		}
	}
	if _, err := n.VM(t.Context(), "web"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a check made something: %v", err)
	}
}

func TestCreateVMLeavesForeignVolumesAlone(t *testing.T) {
	n := storageNode(t)
	pool := poolTarget{name: "default", typ: "dir", path: "/pool"}
	if err := n.makeVolume(t.Context(), newVolume{pool: pool, name: "web-data.qcow2", format: "qcow2", size: virt.MiB, sparse: true}, false); err != nil {
		t.Fatal(err)
	}
	_, err := n.Apply(t.Context(), creation(t, n, "web"))
	if !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "default/web-data.qcow2") {
		t.Fatalf("a leftover volume: %v", err)
	}
	if got, want := volumes(t, n), "debian.qcow2, web-data.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	if _, err := n.VM(t.Context(), "web"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("the VM was defined: %v", err)
	}
}

func TestCreateVMCompletesWhatWasInterrupted(t *testing.T) {
	n := storageNode(t)
	c := creation(t, n, "web")
	// What a run leaves that is killed while it makes the second volume: the
	// definition, the first volume whole, the second with its marker.
	mustApply(t, n, c)
	first := observed(t, n, "web")
	pool := poolTarget{name: "default", typ: "dir", path: "/pool"}
	if err := n.makeMarker(t.Context(), newVolume{pool: pool, name: "web-data.qcow2"}); err != nil {
		t.Fatal(err)
	}
	if got, want := volumes(t, n), "debian.qcow2, web-data.qcow2 (part), web-root.qcow2"; got != want {
		t.Fatalf("volumes %s, want %s", got, want)
	}

	n.Forget()
	c.On, c.Run = virt.OnVM(first), "run-2"
	mustApply(t, n, c)
	second := observed(t, n, "web")
	if second.Unfinished != "run-2" || second.ID != first.ID {
		t.Errorf("completed as %q (%s), was %s", second.Unfinished, second.ID, first.ID)
	}
	for i, nic := range second.NICs {
		if nic.MAC != first.NICs[i].MAC {
			t.Errorf("%s has %s, had %s", nic.Name, nic.MAC, first.NICs[i].MAC)
		}
	}
	if got, want := volumes(t, n), "debian.qcow2, web-data.qcow2, web-root.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
}

func TestCreateVMCancelledKeepsItsMark(t *testing.T) {
	n := storageNode(t)
	c := creation(t, n, "web")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	vm, _, err := n.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	seen := virt.Outcome{}
	cancel()
	if err := n.createVM(ctx, c, &edit{after: vm, out: &seen}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDeleteVM(t *testing.T) {
	n := storageNode(t)
	for _, name := range []string{"web", "db"} {
		c := creation(t, n, name)
		c.NICs[1].MAC = ""
		mustApply(t, n, c)
	}
	// db's data disk is web's, too: read-only, as shared data are.
	mustApply(t, n, virt.AttachDisk{On: virt.OnVM(observed(t, n, "web")), Disk: virt.DiskSpec{Name: "shared", Volume: "db-data.qcow2", ReadOnly: true}})

	out := mustApply(t, n, virt.DeleteVM{On: virt.OnVM(observed(t, n, "db")), Volumes: true})
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "db-data.qcow2 stays: vm web uses it") {
		t.Errorf("warnings %q", out.Warnings)
	}
	if got, want := volumes(t, n), "db-data.qcow2, debian.qcow2, web-data.qcow2, web-root.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	mustApply(t, n, virt.DeleteVM{On: virt.OnVM(observed(t, n, "web"))})
	if got, want := volumes(t, n), "db-data.qcow2, debian.qcow2, web-data.qcow2, web-root.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	if out, err := n.Apply(t.Context(), virt.DeleteVM{On: virt.On{Ref: virt.VMRef("web")}}); err != nil || out.Changed {
		t.Errorf("deleted again: %+v, %v", out, err)
	}
}

// TestSharedVolumesOfAPeer keeps a volume that a VM of another member uses, and
// changes nothing when that member cannot be asked.
func TestSharedVolumesOfAPeer(t *testing.T) {
	n1, n2 := storageNode(t), storageNode(t)
	n2.cfg.Name = "n2"
	for _, n := range []*Node{n1, n2} {
		n.cfg.SharedPools = []string{"default"}
	}
	if _, err := OpenCluster("kvm", []*Node{n1, n2}); err != nil {
		t.Fatal(err)
	}
	c := creation(t, n1, "web")
	mustApply(t, n1, c)
	// The test driver's nodes share nothing: the same volume is made there, too.
	mustApply(t, n2, creation(t, n2, "web"))
	out := mustApply(t, n1, virt.DeleteVM{On: virt.OnVM(observed(t, n1, "web")), Volumes: true})
	if len(out.Warnings) != 2 || !strings.Contains(out.Warnings[0], "stays: vm web uses it") {
		t.Errorf("warnings %q", out.Warnings)
	}
	if got, want := volumes(t, n1), "debian.qcow2, web-data.qcow2, web-root.qcow2"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	if err := n1.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n2.Apply(t.Context(), virt.DeleteVM{On: virt.OnVM(observed(t, n2, "web")), Volumes: true}); !errors.Is(err, virt.ErrUnreachable) {
		t.Errorf("with a member that is away: %v", err)
	}
	if vm := observed(t, n2, "web"); vm == nil {
		t.Error("it is gone all the same")
	}
}

func TestDisksOfAStoppedVM(t *testing.T) {
	n := storageNode(t)
	mustApply(t, n, creation(t, n, "web"))
	attach := virt.AttachDisk{On: virt.OnVM(observed(t, n, "web")), Disk: virt.DiskSpec{Name: "logs", Size: virt.GiB, Sparse: true, Serial: "logs"}}
	want, _, err := n.Predict(attach.Before, attach)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, n, attach)
	vm := observed(t, n, "web")
	samePrediction(t, want.(*virt.VM), vm)
	if out, err := n.Apply(t.Context(), virt.AttachDisk{On: virt.OnVM(vm), Disk: attach.Disk}); err != nil || out.Changed {
		t.Errorf("attached again: %+v, %v", out, err)
	}
	mustApply(t, n, virt.DetachDisk{On: virt.OnVM(vm), Disk: "logs", DeleteVolume: true})
	if vm = observed(t, n, "web"); vm.Disk("logs") != nil {
		t.Error("it is still attached")
	}
	if got := volumes(t, n); strings.Contains(got, "logs") {
		t.Errorf("volumes %s", got)
	}
	_, err = n.Apply(t.Context(), virt.AttachDisk{On: virt.OnVM(vm), Disk: virt.DiskSpec{Name: "x", Volume: "gone.qcow2"}})
	if !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a volume that is not there: %v", err)
	}
	c := creation(t, n, "db")
	c.NICs[1].MAC = ""
	mustApply(t, n, c)
	_, err = n.Apply(t.Context(), virt.AttachDisk{On: virt.OnVM(vm), Disk: virt.DiskSpec{Name: "x", Volume: "db-data.qcow2"}})
	if !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "another VM uses it") {
		t.Errorf("another VM's volume: %v", err)
	}
}

func TestNICsOfAStoppedVM(t *testing.T) {
	n := storageNode(t)
	mustApply(t, n, creation(t, n, "web"))
	attach := virt.AttachNIC{On: virt.OnVM(observed(t, n, "web")), NIC: virt.NICSpec{Network: "lan"}}
	want, _, err := n.Predict(attach.Before, attach)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, n, attach)
	vm := observed(t, n, "web")
	samePrediction(t, want.(*virt.VM), vm)
	mac := vm.NIC("nic3").MAC.Or("")
	mustApply(t, n, virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic3", LinkUp: virt.Some(false)})
	vm = observed(t, n, "web")
	if nic := vm.NIC("nic3"); nic.LinkUp || nic.MAC.Or("") != mac {
		t.Errorf("link switched: %+v", nic)
	}
	mustApply(t, n, virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic3", Network: virt.Some("back")})
	vm = observed(t, n, "web")
	if nic := vm.NIC("nic3"); nic.LinkUp || nic.MAC.Or("") != mac || nic.Network != "back" {
		t.Errorf("moved: %+v", nic)
	}
	_, err = n.Apply(t.Context(), virt.ChangeNIC{On: virt.OnVM(vm), NIC: "nic3", Network: virt.Some("dmz")})
	if !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("to a network that is not there: %v", err)
	}
	mustApply(t, n, virt.DetachNIC{On: virt.OnVM(vm), NIC: mac})
	if vm = observed(t, n, "web"); len(vm.NICs) != 2 {
		t.Errorf("NICs %+v", vm.NICs)
	}
}
