package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestProbe(t *testing.T) {
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
		{"compressed", []byte("\xfd7zXZ\x00\x00\x04"), 1 << 20, "", 0, "unxz"},
		{"vmdk", []byte("KDMV\x01\x00"), 1 << 20, "", 0, "qemu-img"},
		{"empty", nil, 0, "", 0, "empty"},
		{"cut off", qcow2Head(3, 0, 1)[:20], 20, "", 0, "header"},
		{"a later qcow2", qcow2Head(4, 0, 1), 1 << 20, "", 0, "version 4"},
		{"over another", qcow2Head(3, 104, 1), 1 << 20, "", 0, "lies over"},
		{"no size", qcow2Head(3, 0, 1<<63), 1 << 20, "", 0, "bytes"},
	} {
		format, size, err := Probe(tc.head, tc.length)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v, want %q in it", tc.name, err, tc.err)
			}
		} else if err != nil || format != tc.format || size != tc.size {
			t.Errorf("%s: %s of %d (%v), want %s of %d", tc.name, format, size, err, tc.format, tc.size)
		}
	}
}

func FuzzProbe(f *testing.F) {
	f.Add(qcow2Head(3, 0, 4<<30), int64(1<<20))
	f.Add([]byte("QFI\xfb"), int64(4))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, head []byte, length int64) {
		format, size, err := Probe(head, max(length, 0))
		if err == nil && (size <= 0 || format != "raw" && format != "qcow2") {
			t.Errorf("%q of %d", format, size)
		}
	})
}

// TestRegions copies a file by its regions, and finds the copy the same, with its
// holes.
func TestRegions(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name   string
		length int64
		data   map[int64]int64 // offset → length
	}{
		{"all data", 2 * mib, map[int64]int64{0: 2 * mib}},
		{"all hole", 2 * mib, nil},
		{"hole in front", 4 * mib, map[int64]int64{3 * mib: mib}},
		{"hole behind", 4 * mib, map[int64]int64{0: mib}},
		{"between", 8 * mib, map[int64]int64{mib: mib, 5 * mib: mib}},
		{"odd end", 2*mib + 17, map[int64]int64{mib: 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := open(t, "src")
			for at, n := range tc.data {
				if _, err := src.WriteAt(bytes.Repeat([]byte{7}, int(n)), at); err != nil {
					t.Fatal(err)
				}
			}
			if err := src.Truncate(tc.length); err != nil {
				t.Fatal(err)
			}
			dst := open(t, "dst")
			w := NewWriter(dst)
			var data, at int64
			err := Regions(src, tc.length, func(r Region) error {
				if r.Offset != at || r.Length <= 0 {
					t.Errorf("region %+v begins where the one before does not end, at %d", r, at)
				}
				at += r.Length
				if r.Hole {
					return w.Hole(r.Length)
				}
				data += r.Length
				_, err := io.Copy(w, io.NewSectionReader(src, r.Offset, r.Length))
				return err
			})
			if err != nil || at != tc.length {
				t.Fatalf("%d of %d bytes: %v", at, tc.length, err)
			}
			if sum(t, src) != sum(t, dst) {
				t.Error("the copy differs")
			}
			if tc.data == nil && data != 0 {
				t.Errorf("%d bytes of a hole were data", data)
			}
		})
	}
	stop := errors.New("stop")
	f := open(t, "f")
	if err := f.Truncate(mib); err != nil {
		t.Fatal(err)
	}
	if err := Regions(f, mib, func(Region) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want the function's own error", err)
	}
}

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func sum(t *testing.T, f *os.File) [32]byte {
	t.Helper()
	all, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(all)
}
