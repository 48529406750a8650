//go:build cgo

package libvirt

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

func TestConvSnapshot(t *testing.T) {
	vm := &virt.VM{Name: "web", Disks: []virt.Disk{{Name: "root", Target: "vda"}}}
	s, err := convSnapshot(`<domainsnapshot><name>b &amp; c</name><description>words</description><state>running</state><parent><name>a</name></parent>
		<creationTime>1717156800</creationTime><memory snapshot='internal'/>
		<disks><disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='internal'/><disk name='sda' snapshot='no'/></disks></domainsnapshot>`, vm)
	if err != nil {
		t.Fatal(err)
	}
	disks, _ := s.Disks.Get()
	if s.Name != "b & c" || s.VM != "web" || s.Description != "words" || s.Parent.Or("") != "a" || !s.Memory.Or(false) || s.State != virt.SnapshotOK ||
		!slices.Equal(disks, []string{"root", "vdb"}) || s.Created.String() != "2024-05-31 12:00:00 +0000 UTC" {
		t.Errorf("%+v", s)
	}
	if _, err := convSnapshot("<domainsnapshot>", vm); err == nil {
		t.Error("a definition that breaks off is read")
	}
}

// Which disks hold no snapshot is said of all of them at once, before anything is
// done.
func TestSnapshotNeedsDisksThatHoldIt(t *testing.T) {
	n := driverNode(t)
	ref := virt.VMRef("snap-raw")
	create := virt.CreateVM{On: virt.On{Ref: ref}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: 64 * virt.MiB},
		Disks: []virt.DiskSpec{{Name: "a", Size: virt.MiB, Storage: "images", Format: "raw", Sparse: true},
			{Name: "b", Size: virt.MiB, Storage: "images", Format: "qcow2", Sparse: true}, {Name: "c", Size: virt.MiB, Storage: "images", Format: "raw", Sparse: true}}}
	if _, err := n.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	_, err := n.Apply(t.Context(), virt.CreateSnapshot{On: virt.On{Ref: virt.SnapshotRef("snap-raw", "s")}})
	if !errors.Is(err, virt.ErrUnsupported) || !strings.Contains(err.Error(), `disk "a" is raw`) || !strings.Contains(err.Error(), `disk "c" is raw`) || strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v", err)
	}
	if all, err := n.Snapshots(t.Context(), "snap-raw"); err != nil || len(all) != 0 {
		t.Errorf("%d snapshots, %v", len(all), err)
	}
}
