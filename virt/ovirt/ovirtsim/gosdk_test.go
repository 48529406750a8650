package ovirtsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// TestGoSDK lets oVirt's own Go SDK, with its own connection, work with the
// engine. What it sends falsely is refused, or read, as a real engine does.
func TestGoSDK(t *testing.T) {
	e, err := ovirtsim.New(ovirtsim.Small())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	conn, err := ovirtsdk.NewConnectionBuilder().URL(e.URL()).Username(e.User()).Password(e.Password()).CACert(e.CA()).
		Timeout(time.Minute).Compress(true).Build()
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	refused := func(err error, words string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("refused with %v instead of %s", err, words)
		}
	}
	check("test", conn.Test())
	system := conn.SystemService()
	vms := system.VmsService()
	add := func(name, description string) (*ovirtsdk.Vm, error) {
		r, err := vms.Add().Vm(ovirtsdk.NewVmBuilder().Name(name).Description(description).Memory(1 << 30).
			ClusterBuilder(ovirtsdk.NewClusterBuilder().Name("Default")).
			TemplateBuilder(ovirtsdk.NewTemplateBuilder().Name("debian-12")).MustBuild()).Send()
		if err != nil {
			return nil, err
		}
		return r.MustVm(), nil
	}
	// Its writer does not escape text: what is not well-formed then is refused, what
	// happens to be is read.
	_, err = add("web", "a<b")
	refused(err, "Request syntactically incorrect.")
	made, err := add("web", "R&amp;D")
	check("add", err)
	if d := made.MustDescription(); d != "R&D" {
		t.Errorf("the description is %q", d)
	}
	e.Advance(time.Minute)
	_, err = add("web", "")
	refused(err, "The VM name is already in use")

	list, err := vms.List().Search("name=web").Send()
	check("list", err)
	vm := list.MustVms().Slice()[0]
	if nics, ok := vm.Nics(); !ok || len(nics.Slice()) != 0 { // a link alone is no empty list
		t.Error("NICs of a list that did not follow them:", nics)
	} else if _, link := nics.Href(); !link {
		t.Error("the NICs have no link")
	}
	list, err = vms.List().Search("name=web").Follow("nics,disk_attachments.disk").Send()
	check("list with what is followed", err)
	vm = list.MustVms().Slice()[0]
	if n := len(vm.MustNics().Slice()); n != 1 {
		t.Errorf("%d NICs", n)
	}
	if size := vm.MustDiskAttachments().Slice()[0].MustDisk().MustProvisionedSize(); size != 10<<30 {
		t.Errorf("the disk has %d bytes", size)
	}

	service := vms.VmService(vm.MustId())
	is := func(want ovirtsdk.VmStatus) {
		t.Helper()
		r, err := service.Get().Send()
		check("get", err)
		if got := r.MustVm().MustStatus(); got != want {
			t.Fatalf("the VM is %s instead of %s", got, want)
		}
	}
	_, err = service.Start().UseCloudInit(true).Send()
	check("start", err)
	is(ovirtsdk.VMSTATUS_WAIT_FOR_LAUNCH)
	e.Advance(2 * time.Minute)
	is(ovirtsdk.VMSTATUS_UP)
	_, err = service.Start().Send()
	refused(err, "Cannot run VM. VM is running.")
	_, err = service.Remove().Send()
	refused(err, "Cannot remove VM. VM is running.")
	_, err = service.Stop().Send()
	check("stop", err)
	e.Advance(time.Minute)
	is(ovirtsdk.VMSTATUS_DOWN)
	_, err = service.Remove().Send()
	check("remove", err)
	e.Advance(time.Minute)
	_, err = service.Get().Send()
	if none := (*ovirtsdk.NotFoundError)(nil); !errors.As(err, &none) {
		t.Errorf("a VM that is gone: %v", err)
	}
	check("logout", conn.Close())
}
