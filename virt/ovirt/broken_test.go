package ovirt

import (
	"errors"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// A disk whose making was cut off, or failed while nobody looked, is not taken for
// a whole one; detached and attached again, it is.
func TestBrokenDiskIsNotTakenForWhole(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "g")
	sim.FailDisk("g-data")
	data := func(on virt.On) virt.Change {
		return virt.AttachDisk{On: on, Disk: virt.DiskSpec{Name: "data", Size: virt.GiB, Storage: "data", Sparse: true}}
	}
	vm := fresh(t, e, "g")
	m, err := e.machine(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	domain, err := e.domain(t.Context(), "data", m.centre)
	if err != nil {
		t.Fatal(err)
	}
	size := virt.GiB
	yes := true
	id, err := create(t.Context(), e.Client, kindDiskAttachment, path("vms", vm.ID.Or(""), "diskattachments"), nil, diskAttachmentXML{
		Active: &yes, Interface: textOf("virtio_scsi"), Disk: &diskXML{Name: textOf("g-data"), Format: textOf("cow"), ProvisionedSize: &size, Sparse: &yes, StorageDomains: &[]refXML{*byID(domain.id)}},
	}, attachmentID)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.waitDisk(t.Context(), id, goalDiskOK()); err == nil {
		t.Fatal("the disk is whole")
	}
	if k := fresh(t, e, "g").Disk("data"); k == nil || k.Broken == "" {
		t.Fatalf("the disk reads as %+v", k)
	}
	_, err = tryApply(t, e, "g", data)
	var known *virt.Error
	if !errors.Is(err, virt.ErrConflict) || !errors.As(err, &known) || !strings.Contains(known.Hint, "detach_disk") {
		t.Errorf("attaching it: %v", err)
	}
	sim.Heal()
	apply(t, e, "g", func(on virt.On) virt.Change { return virt.DetachDisk{On: on, Disk: "data", DeleteVolume: true} })
	apply(t, e, "g", data)
	if k := fresh(t, e, "g").Disk("data"); k == nil || k.Broken != "" {
		t.Errorf("the disk reads as %+v", k)
	}
}
