//go:build cgo

package libvirt

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// qcow2Head is the beginning of a qcow2 image.
func qcow2Head(version uint32, backing, size uint64) []byte {
	b := []byte("QFI\xfb")
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint64(b, backing)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, 16)
	return binary.BigEndian.AppendUint64(b, size)
}

func TestProbeImage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		head   []byte
		length int64
		format string
		size   int64
		err    string
	}{
		{"qcow2", qcow2Head(3, 0, 4<<30), 1 << 20, "qcow2", 4 << 30, ""},
		{"old qcow2", qcow2Head(2, 0, 512), 1 << 20, "qcow2", 512, ""},
		{"raw", []byte("\xeb\x63\x90"), 1 << 20, "raw", 1 << 20, ""},
		{"empty", nil, 0, "", 0, "empty"},
		{"cut off", qcow2Head(3, 0, 1)[:20], 20, "", 0, "header"},
		{"a later qcow2", qcow2Head(4, 0, 1), 1 << 20, "", 0, "version 4"},
		{"over another", qcow2Head(3, 104, 1), 1 << 20, "", 0, "lies over"},
		{"no size", qcow2Head(3, 0, 1<<63), 1 << 20, "", 0, "bytes"},
	} {
		format, size, err := probeImage(tc.head, tc.length)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v, want %q in it", tc.name, err, tc.err)
			}
		} else if err != nil || format != tc.format || size != tc.size {
			t.Errorf("%s: %s of %d (%v), want %s of %d", tc.name, format, size, err, tc.format, tc.size)
		}
	}
}

func FuzzProbeImage(f *testing.F) {
	f.Add(qcow2Head(3, 0, 1), int64(4))
	f.Add([]byte("QFI\xfb"), int64(4))
	f.Fuzz(func(t *testing.T, head []byte, length int64) {
		format, size, err := probeImage(head, max(length, int64(len(head))))
		if err == nil && (size <= 0 || format == "") {
			t.Errorf("%s of %d bytes", format, size)
		}
	})
}

func TestImageFile(t *testing.T) {
	n := storageNode(t)
	path := filepath.Join(t.TempDir(), "tiny.qcow2")
	if err := os.WriteFile(path, qcow2Head(3, 0, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	img, err := n.Image(t.Context(), virt.ImageSource{Name: "tiny", File: path})
	if err != nil || img.Format != "qcow2" || img.Size != 1<<20 {
		t.Errorf("%+v, %v", img, err)
	}
	if _, err := n.Image(t.Context(), virt.ImageSource{Name: "tiny", File: path + ".gone"}); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
}
