//go:build cgo

package libvirt

import (
	"errors"
	"strings"
	"testing"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

func TestVolumeXML(t *testing.T) {
	dir, vg := poolTarget{name: "default", typ: "dir", path: "/pool"}, poolTarget{name: "vg", typ: "logical", path: "/dev/vg"}
	image := &virt.Image{Source: debian, Format: "qcow2", Path: "/pool/debian.qcow2"}
	for _, tc := range []struct {
		name     string
		v        newVolume
		has      []string
		lacks    string
		prealloc bool
	}{
		{"sparse", newVolume{pool: dir, name: "a", format: "qcow2", size: 4096, sparse: true}, []string{`<allocation unit="bytes">0<`, `<capacity unit="bytes">4096<`, `type="qcow2"`}, "backingStore", false},
		{"whole", newVolume{pool: dir, name: "a", format: "qcow2", size: 4096}, []string{`<allocation unit="bytes">4096<`}, "", true},
		{"whole raw", newVolume{pool: dir, name: "a", format: "raw", size: 4096}, []string{`<allocation unit="bytes">4096<`}, "", false},
		{"a logical volume is never thin", newVolume{pool: vg, name: "a", format: "raw", size: 4096, sparse: true}, []string{`<allocation unit="bytes">4096<`}, "", false},
		{"over its image", newVolume{pool: dir, name: "a", format: "qcow2", size: 4096, image: image, backed: true}, []string{"<path>/pool/debian.qcow2</path>"}, "", false},
		{"a copy", newVolume{pool: dir, name: "a", format: "qcow2", size: 4096, image: image, sparse: true}, nil, "backingStore", false},
	} {
		text, err := tc.v.xml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s is not in\n%s", tc.name, want, text)
			}
		}
		if tc.lacks != "" && strings.Contains(text, tc.lacks) {
			t.Errorf("%s: %s is in\n%s", tc.name, tc.lacks, text)
		}
		if got := tc.v.flags() == lv.STORAGE_VOL_CREATE_PREALLOC_METADATA; got != tc.prealloc {
			t.Errorf("%s: preallocated: %v", tc.name, got)
		}
	}
}

func TestFullPool(t *testing.T) {
	v := newVolume{pool: poolTarget{name: "default"}, name: "a", size: virt.GiB}
	cause := lv.Error{Code: lv.ERR_SYSTEM_ERROR, Message: "cannot fill file '/pool/a': No space left on device"}
	err := fullPool(v, mapError("make volume a", v.ref(), cause))
	var e *virt.Error
	if !errors.As(err, &e) || e.Kind != virt.ErrConflict || e.Object.Name != "default" || e.Wanted != "room for a of 1 GiB" || !errors.As(err, &lv.Error{}) {
		t.Errorf("%+v", err)
	}
	other := errors.New("other")
	if fullPool(v, other) != other {
		t.Error("another failure became a full pool")
	}
}

func TestDefaultSerial(t *testing.T) {
	for name, want := range map[string]string{"data": "data", "a-b_C9": "a-b_C9"} {
		if got := defaultSerial(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	long, dotted := defaultSerial("a-name-that-no-guest-sees-whole"), defaultSerial("a.b")
	if !serialPattern.MatchString(long) || !serialPattern.MatchString(dotted) || long == dotted {
		t.Errorf("%s, %s", long, dotted)
	}
}

func TestRemovedVolumeIsGone(t *testing.T) {
	n := storageNode(t)
	if err := n.deleteVolume(t.Context(), "default", "gone.qcow2"); err != nil {
		t.Error(err)
	}
	if err := n.deleteVolume(t.Context(), "gone", "gone.qcow2"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("in a pool that is not there: %v", err)
	}
}

func TestRefusedVolumeLeavesNothing(t *testing.T) {
	n := storageNode(t)
	v := newVolume{pool: poolTarget{name: "default", typ: "dir", path: "/pool"}, name: "a.qcow2", format: "qcow2", size: virt.MiB,
		image: &virt.Image{Source: virt.ImageSource{Name: "x", Storage: "default", Volume: "gone.qcow2"}}}
	if err := n.makeVolume(t.Context(), v, false); !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "gone.qcow2") {
		t.Errorf("a copy of nothing: %v", err)
	}
	if exists, marked, err := n.volumeState(t.Context(), "default", "a.qcow2"); exists || marked || err != nil {
		t.Errorf("left: volume %v, marker %v (%v)", exists, marked, err)
	}
}
