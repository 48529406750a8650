package modules_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/modules/uploadvolume"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/local"
)

// stored gives pools and volumes: one that is half made, and one that a VM has that
// runs.
func stored(t *testing.T) *bench {
	b := newBench(
		&virt.Storage{Name: "images", Type: "dir", Path: "/images", Active: true, Autostart: true, Capacity: virt.TiB, Hosts: []string{"h1"}},
		&virt.Storage{Name: "fast", Type: "logical", Source: "vg", Active: true, Hosts: []string{"h1"}},
		&virt.Storage{Name: "resting", Type: "dir", Path: "/resting", Hosts: []string{"h1"}},
		&virt.Volume{Storage: "images", Name: "there", Format: "qcow2", Size: virt.GiB, Path: virt.Some("/images/there")},
		&virt.Volume{Storage: "images", Name: "half", Format: "qcow2", Size: virt.GiB, Unfinished: true},
		&virt.Volume{Storage: "images", Name: "used", Format: "raw", Size: virt.GiB},
		&virt.VM{Name: "vm", State: virt.Running, Disks: []virt.Disk{{Name: "d", Storage: "images", Volume: "used"}}},
	)
	b.dir, b.disk = t.TempDir(), local.New()
	if err := os.WriteFile(filepath.Join(b.dir, "disk.raw"), []byte(strings.Repeat("sector", 1<<10)), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStorageSteps plays each step on what it finds: it makes what is missing, a plan
// predicts the same and makes nothing, and played again it makes nothing more.
func TestStorageSteps(t *testing.T) {
	for text, want := range map[string]string{
		"create_volume: {storage: images, name: new, size: 1GiB}":                     "create_volume",
		"create_volume: {storage: fast, name: new, size: 1GiB}":                       "create_volume",
		"create_volume: {storage: images, name: half, size: 1GiB}":                    "create_volume",
		"create_volume: {storage: images, name: there, size: 512MiB, format: raw}":    "",
		"create_volume: {storage: images, name: there, size: 2GiB}":                   "resize_volume",
		"clone_volume: {storage: images, name: new, from: there}":                     "clone_volume",
		"clone_volume: {storage: images, name: new, from: images/there, size: 2GiB}":  "clone_volume",
		"clone_volume: {storage: images, name: half, from: there}":                    "clone_volume",
		"clone_volume: {storage: images, name: there, from: used}":                    "",
		"clone_volume: {storage: images, name: there, from: used, size: 2GiB}":        "resize_volume",
		"resize_volume: {storage: images, name: there, size: 2GiB}":                   "resize_volume",
		"resize_volume: {storage: images, name: there, size: 1GiB}":                   "",
		"delete_volume: {storage: images, name: there}":                               "delete_volume",
		"delete_volume: {storage: images, name: half}":                                "delete_volume",
		"delete_volume: {storage: images, name: gone}":                                "",
		"upload_volume: {storage: images, name: new, src: disk.raw}":                  "upload_volume",
		"upload_volume: {storage: images, name: there, src: disk.raw}":                "upload_volume",
		"create_pool: {name: new, path: /new}":                                        "create_pool",
		"create_pool: {name: images, path: /images}":                                  "",
		"create_pool: {name: resting, path: /resting}":                                "create_pool",
		"create_pool: {name: images, path: /images, autostart: false}":                "create_pool",
		"create_pool: {name: vol, type: logical, source: {name: vg2}}":                "create_pool",
		"create_pool: {name: nfs, type: netfs, path: /n, source: {host: s, dir: /e}}": "create_pool",
		"start_pool: resting":                          "start_pool",
		"start_pool: images":                           "",
		"start_pool: {name: images, autostart: false}": "start_pool",
		"stop_pool: images":                            "stop_pool",
		"stop_pool: resting":                           "",
		"delete_pool: resting":                         "delete_pool",
		"delete_pool: gone":                            "",
	} {
		t.Run(text, func(t *testing.T) {
			b := stored(t)
			plan := &recording{Platform: dryrun.New(dryrun.Tripwire(b.Memory))}
			if _, err := b.run(t, text, plan); err != nil {
				t.Fatalf("plan: %v", err)
			}
			if got := strings.Join(plan.kinds, " "); got != want || b.Kinds() != "" {
				t.Errorf("a plan predicts %q, want %q; it made %q", got, want, b.Kinds())
			}
			for again := range 2 {
				if _, err := b.run(t, text, nil); err != nil {
					t.Fatalf("run %d: %v", again+1, err)
				}
				if got := b.Kinds(); got != want {
					t.Errorf("run %d: made %q in all, want %q", again+1, got, want)
				}
			}
			declared(t, text, b.Kinds())
		})
	}
}

// What the steps say of a volume is what it is.
func TestStorageOutputs(t *testing.T) {
	b := stored(t)
	for text, want := range map[string]step.VolumeOutput{
		"create_volume: {storage: images, name: new, size: 2GiB}":             {Storage: "images", Name: "new", Format: "qcow2", Size: 2 * virt.GiB},
		"create_volume: {storage: fast, name: new, size: 1GiB}":               {Storage: "fast", Name: "new", Format: "raw", Size: virt.GiB},
		"clone_volume: {storage: fast, name: copy, from: images/there}":       {Storage: "fast", Name: "copy", Format: "raw", Size: virt.GiB},
		"clone_volume: {storage: images, name: copy, from: used, size: 2GiB}": {Storage: "images", Name: "copy", Format: "raw", Size: 2 * virt.GiB},
		"resize_volume: {storage: images, name: there, size: 3GiB}":           {Storage: "images", Name: "there", Format: "qcow2", Size: 3 * virt.GiB},
	} {
		r, err := b.run(t, text, nil)
		got, _ := r.Output.(step.VolumeOutput)
		if got.Path = (virt.Opt[string]{}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	r, err := b.run(t, "upload_volume: {storage: images, name: sent, src: disk.raw}", nil)
	if out, _ := r.Output.(uploadvolume.Output); err != nil || out.Format != "raw" || out.Size != 6<<10 || len(out.SHA256) != 64 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := b.run(t, "download_volume: {storage: images, name: sent, dest: back.raw}", nil); err != nil {
		t.Fatal(err)
	}
	sent, errSent := os.ReadFile(filepath.Join(b.dir, "disk.raw"))
	back, errBack := os.ReadFile(filepath.Join(b.dir, "back.raw"))
	if errSent != nil || errBack != nil || string(sent) != string(back) {
		t.Errorf("%d bytes came back, %v, %v", len(back), errSent, errBack)
	}
	if _, err := b.run(t, "create_volume: {storage: images, name: there, size: 1MiB, format: raw}", nil); err != nil || !strings.Contains(strings.Join(b.warned, "\n"), "is qcow2 and stays so") {
		t.Errorf("another format is written and not told: %v, %v", b.warned, err)
	}
}

func TestStorageErrors(t *testing.T) {
	for text, want := range map[string]struct {
		kind error
		text string
	}{
		"create_volume: {storage: none, name: v, size: 1GiB}":                     {virt.ErrNotFound, "storage none: is not there"},
		"create_volume: {storage: images, name: v, size: 1GiB, host: h2}":         {virt.ErrNotFound, "host h2"},
		"clone_volume: {storage: images, name: v, from: none}":                    {virt.ErrNotFound, "volume images/none: is not there"},
		"resize_volume: {storage: images, name: there, size: 1MiB}":               {virt.ErrInvalid, "volumes never shrink"},
		"resize_volume: {storage: images, name: none, size: 1MiB}":                {virt.ErrNotFound, "volume images/none: is not there"},
		"resize_volume: {storage: images, name: half, size: 2GiB}":                {virt.ErrConflict, "is half made"},
		"delete_volume: {storage: images, name: used}":                            {virt.ErrConflict, "is in use"},
		"upload_volume: {storage: images, name: v, src: none.raw}":                {virt.ErrNotFound, "none.raw"},
		"upload_volume: {storage: images, name: v, src: disk.raw, format: qcow2}": {virt.ErrInvalid, "has another format"},
		"upload_volume: {storage: images, name: v, src: disk.raw, checksum: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}": {virt.ErrConflict, "its checksum differs"},
		"upload_image: {image: debian, storage: images, name: v}": {virt.ErrInvalid, "is no file and no url"},
		"download_volume: {storage: images, name: half, dest: x}": {virt.ErrConflict, "is half made"},
		"download_volume: {storage: images, name: used, dest: x}": {virt.ErrConflict, "in use by a running VM"},
		"download_volume: {storage: images, name: none, dest: x}": {virt.ErrNotFound, "is not there"},
		"create_pool: {name: images, path: /elsewhere}":           {virt.ErrConflict, "is another pool"},
		"start_pool: none": {virt.ErrNotFound, "is not there"},
		"stop_pool: none":  {virt.ErrNotFound, "is not there"},
	} {
		_, err := stored(t).run(t, text, nil)
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v; want %v with %q", text, err, want.kind, want.text)
		}
	}
	b := stored(t)
	b.kind = "engine"
	if _, err := b.run(t, "create_volume: {storage: images, name: v, size: 1GiB, host: h1}", nil); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("a host on an engine: %v", err)
	}
}
