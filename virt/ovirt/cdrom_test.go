package ovirt

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// withDrive gives the VM web-1 as it is, with its drive.
func withDrive(t *testing.T, e *Engine) *virt.VM {
	t.Helper()
	e.Forget()
	vm := seenVM(t, e, "web-1")
	if err := e.Drives(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	return vm
}

// A running VM has one CD and may get another one at its next start: both are seen,
// and both are changed, though answers are lost.
func TestDriveOfARunningVM(t *testing.T) {
	sim, e := withVM(t)
	for _, name := range []string{"a.iso", "b.iso"} {
		if _, err := upload(t, e, name, imageFile(t, "", virt.MiB)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Apply(t.Context(), virt.Start{On: virt.OnVM(seenVM(t, e, "web-1"))}); err != nil {
		t.Fatal(err)
	}
	change := func(iso string) (virt.Outcome, error) {
		return e.Apply(t.Context(), virt.ChangeCdrom{On: virt.OnVM(withDrive(t, e)), Storage: "data", Volume: iso})
	}
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPut, "/vms/*/cdroms/*"), Times: 2, LoseReply: true})
	if out, err := change("a.iso"); err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	if k := withDrive(t, e).Disk("cdrom"); k.Volume != "a.iso" || k.Storage != "data" || k.Live != nil || !k.In.Live {
		t.Errorf("it is %+v", k)
	}
	// Somebody takes it out of the running VM alone.
	vm := withDrive(t, e)
	d, _, err := e.driveOf(t.Context(), vm.ID.Or(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := update(t.Context(), e.Client, kindCdrom, path("vms", vm.ID.Or(""), "cdroms", d.id), currently, cdromXML{}, convDrive); err != nil {
		t.Fatal(err)
	}
	if k := withDrive(t, e).Disk("cdrom"); k.Volume != "a.iso" || k.Live == nil || k.Live.Volume != "" {
		t.Errorf("taken out by somebody it is %+v", k)
	}
	before := writes(e)
	if out, err := change("a.iso"); err != nil || !out.Changed || writes(e) != before+1 {
		t.Errorf("back again: %+v, %v, %d requests", out, err, writes(e)-before)
	}
	if out, err := e.Apply(t.Context(), virt.ChangeCdrom{On: virt.OnVM(withDrive(t, e)), Drive: "cdrom"}); err != nil || !out.Changed {
		t.Errorf("out: %+v, %v", out, err)
	}
	if k := withDrive(t, e).Disk("cdrom"); k.Volume != "" || k.Live != nil {
		t.Errorf("emptied it is %+v", k)
	}
}

// What cannot go into a drive is refused before anything is sent; what an earlier
// step of a plan uploads can.
func TestDriveRefuses(t *testing.T) {
	_, e := withVM(t)
	if _, err := upload(t, e, "disk", imageFile(t, "", virt.MiB)); err != nil {
		t.Fatal(err)
	}
	on := virt.OnVM(withDrive(t, e))
	before := writes(e)
	for _, c := range []struct {
		change virt.ChangeCdrom
		kind   error
		text   string
	}{
		{virt.ChangeCdrom{On: on, Path: "/srv/a.iso"}, virt.ErrUnsupported, "no file of a host"},
		{virt.ChangeCdrom{On: on, Drive: "cd", Storage: "data", Volume: "disk"}, virt.ErrNotFound, `no drive "cd"`},
		{virt.ChangeCdrom{On: on, Storage: "data", Volume: "disk"}, virt.ErrConflict, "is no CD to the engine"},
		{virt.ChangeCdrom{On: on, Storage: "data", Volume: "none.iso"}, virt.ErrNotFound, "none.iso"},
		{virt.ChangeCdrom{On: on, Storage: "nowhere", Volume: "a.iso"}, virt.ErrNotFound, "nowhere"},
	} {
		if _, err := e.Apply(t.Context(), c.change); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v; want %v with %q", c.change, err, c.kind, c.text)
		}
	}
	if n := writes(e) - before; n != 0 {
		t.Errorf("%d requests that write", n)
	}
	dry := dryrun.New(e)
	if _, err := dry.Apply(t.Context(), virt.UploadVolume{On: virt.On{Ref: virt.VolumeRef("data", "new.iso")}, Source: imageFile(t, "", virt.MiB), Sparse: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := dry.Apply(t.Context(), virt.ChangeCdrom{On: on, Storage: "data", Volume: "new.iso"}); err != nil {
		t.Errorf("what is uploaded before: %v", err)
	}
}

// The images of an ISO domain go by their names.
func TestFilesOfAnISODomain(t *testing.T) {
	_, e := simulated(t, ovirtsim.Options{Recording: filepath.Join("ovirtsim", "testdata", "iso_domain_recording")})
	domains, err := e.domainMap(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range domains {
		if !d.iso {
			continue
		}
		n++
		names, err := e.isoFiles(t.Context(), d)
		if err != nil || len(names) == 0 {
			t.Fatalf("%v, %v", names, err)
		}
		m := virt.Medium{Storage: d.storage.Name, Volume: names[0]}
		file, err := e.fileOf(t.Context(), m)
		if err != nil || file != names[0] {
			t.Errorf("%q, %v", file, err)
		}
		if back, err := e.mediumOf(t.Context(), file); err != nil || back != m {
			t.Errorf("%+v is %+v, %v", m, back, err)
		}
		if _, err := e.fileOf(t.Context(), virt.Medium{Storage: d.storage.Name, Volume: "none.iso"}); !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "none.iso") {
			t.Errorf("none: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d ISO domains", n)
	}
}
