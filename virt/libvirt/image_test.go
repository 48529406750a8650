//go:build cgo

package libvirt

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
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
