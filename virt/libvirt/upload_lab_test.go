//go:build cgo && lab

package libvirt

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// fileOf makes a file of the given length whose first data bytes are random, in
// four pieces with holes between them.
func fileOf(t testing.TB, length, data int64) virt.ImageFile {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(length); err != nil {
		t.Fatal(err)
	}
	for i := range int64(4) {
		if _, err := f.Seek(i*(length/4), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(f, rand.Reader, data/4); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return virt.ImageFile{Path: f.Name(), Length: length, SHA256: hex.EncodeToString(h.Sum(nil)), Format: "raw", Size: length, Modified: info.ModTime()}
}

// uploadTo sends a file into a volume, and gives what went over the wire.
func uploadTo(t testing.TB, n *Node, ref virt.Ref, src virt.ImageFile) (out virt.Outcome, sent int64) {
	t.Helper()
	ctx := context.Background()
	change := virt.UploadVolume{On: virt.On{Ref: ref}, Run: "r1", Source: src, Sparse: true}
	before := n.Stats().Sent
	now, err := virt.ReadFor(ctx, n, change)
	if err != nil {
		t.Fatal(err)
	}
	change.Before = now
	if out, err = n.Apply(ctx, change); err != nil {
		t.Fatal(err)
	}
	return out, n.Stats().Sent - before
}

func drop(t testing.TB, n *Node, ref virt.Ref) {
	ctx := context.Background()
	now, err := virt.Read(ctx, n, ref)
	if err == nil && now != nil {
		_, err = n.Apply(ctx, virt.DeleteVolume{On: virt.On{Ref: ref, Before: now}})
	}
	if err != nil {
		t.Error(err)
	}
}

// counted counts what a stream gave.
type counted struct{ data, holes int64 }

func (c *counted) Write(p []byte) (int, error) { c.data += int64(len(p)); return len(p), nil }
func (c *counted) Hole(n int64) error          { c.holes += n; return nil }

// TestLabUploadBytes sends a sparse image: what goes over the wire is its data and
// little else, both ways, and the second time nothing of it.
func TestLabUploadBytes(t *testing.T) {
	const length, data = 2 * virt.GiB, 32 * virt.MiB
	const most = data + data/20
	n := openLab(t, labConfig(t, "n1"))
	src, ref := fileOf(t, length, data), virt.VolumeRef("images", "l1-bytes.raw")
	drop(t, n, ref)
	t.Cleanup(func() { drop(t, n, ref) })
	out, sent := uploadTo(t, n, ref, src)
	t.Logf("%s with %s of data: %d bytes sent (%s)", virt.FormatSize(length), virt.FormatSize(data), sent, out.Summary)
	if !out.Changed || sent < data || sent > most {
		t.Errorf("%d bytes went over the wire for %d of data", sent, data)
	}
	out, sent = uploadTo(t, n, ref, src)
	t.Logf("again: %d bytes sent", sent)
	if out.Changed || sent > 64*virt.KiB {
		t.Errorf("again: %+v, and %d bytes", out, sent)
	}
	v, err := n.Volume(t.Context(), ref.Scope, ref.Name)
	if err != nil || v.Size != length || v.ActualSize > most {
		t.Errorf("%+v, %v", v, err)
	}
	before, got := n.Stats().Received, counted{}
	if err := n.ReadVolume(t.Context(), ref.Scope, ref.Name, &got); err != nil {
		t.Fatal(err)
	}
	received := n.Stats().Received - before
	t.Logf("read back: %d bytes received", received)
	if got.data+got.holes != length || received > most {
		t.Errorf("read back %+v, %d bytes over the wire", got, received)
	}
}

// BenchmarkLabUpload compares the upload of dense data with what people do without
// nactl: ssh HOST 'cat > FILE'.
func BenchmarkLabUpload(b *testing.B) {
	const length = virt.GiB
	cfg := labConfig(b, "n1")
	n, err := Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	src, ref := fileOf(b, length, length), virt.VolumeRef("images", "l1-bench.raw")
	const plain = "/var/lib/libvirt/images/l1-bench-plain.raw"
	ssh := func(stdin io.Reader, command string) {
		cmd := exec.Command("ssh", "-F", os.Getenv("LAB_SSH_CONFIG"), "n1", command)
		cmd.Stdin = stdin
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	defer ssh(nil, "rm -f "+plain)
	var ours, theirs time.Duration
	for b.Loop() {
		drop(b, n, ref)
		began := time.Now()
		uploadTo(b, n, ref, src)
		ours += time.Since(began)
		drop(b, n, ref)
		f, err := os.Open(src.Path)
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		ssh(f, "cat > "+plain)
		theirs += time.Since(began)
		f.Close()
	}
	b.ReportMetric(float64(length)*float64(b.N)/ours.Seconds()/float64(virt.MiB), "nactl-MiB/s")
	b.ReportMetric(float64(length)*float64(b.N)/theirs.Seconds()/float64(virt.MiB), "ssh-cat-MiB/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "times-as-fast")
}
