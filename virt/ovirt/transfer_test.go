package ovirt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// imageFile writes a file of size bytes that is zero but for some MiB of it.
func imageFile(t *testing.T, head string, size int64, data ...int64) virt.ImageFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(size)
	for _, at := range data {
		if err == nil {
			_, err = f.WriteAt(bytes.Repeat([]byte(fmt.Sprintf("data at %d\n", at)), int(virt.MiB/16)), at*virt.MiB)
		}
	}
	if err == nil {
		_, err = f.WriteAt([]byte(head), 0)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	out := virt.ImageFile{Path: path, Length: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Modified: info.ModTime()}
	if out.Format, out.Size, err = image.Probe(text[:min(len(text), image.HeadSize)], out.Length); err != nil {
		t.Fatal(err)
	}
	return out
}

// qcow2 is the beginning of an image of so many bytes, over another one or not.
func qcow2(size, backing uint64) string {
	head := make([]byte, image.HeadSize)
	copy(head, "QFI\xfb")
	binary.BigEndian.PutUint32(head[4:], 3)
	binary.BigEndian.PutUint64(head[8:], backing)
	binary.BigEndian.PutUint64(head[24:], size)
	return string(head)
}

func upload(t *testing.T, e *Engine, name string, f virt.ImageFile) (virt.Outcome, error) {
	t.Helper()
	c := virt.UploadVolume{On: virt.On{Ref: virt.VolumeRef("data", name)}, Run: "r1", Source: f, Sparse: true}
	now, err := virt.ReadFor(t.Context(), e, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Before = now
	return e.Apply(t.Context(), c)
}

// memory is a sink.
type memory struct{ bytes.Buffer }

func (m *memory) Hole(n int64) error {
	_, err := m.Write(make([]byte, n))
	return err
}

// holds makes sure that a volume is whole, is there once, and holds what a file does.
func holds(t *testing.T, e *Engine, name string, f virt.ImageFile) {
	t.Helper()
	n := 0 // with parts of it, whoever left them: the engine needs a while to remove them
	for range 2000 {
		all, err := list(t.Context(), e.Client, kindDisk, "/disks", query{}, convDisk)
		if err != nil {
			t.Fatal(err)
		}
		n = 0
		for _, k := range all {
			if strings.HasPrefix(k.alias, name) {
				n++
			}
		}
		if n == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	v, err := e.Volume(t.Context(), "data", name)
	if err != nil || n != 1 || v.Unfinished || v.Size != f.Size || v.Format != f.Format {
		t.Fatalf("%d volumes, %+v, %v", n, v, err)
	}
	got := &memory{}
	if err := e.ReadVolume(t.Context(), "data", name, got); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(got.Bytes()); hex.EncodeToString(sum[:]) != f.SHA256 {
		t.Errorf("read back, its %d bytes are others", got.Len())
	}
	if out, err := upload(t, e, name, f); err != nil || out.Changed {
		t.Errorf("again: %+v, %v; want nothing to do", out, err)
	}
}

func data(method string) func(ovirtsim.Request) bool {
	return func(r ovirtsim.Request) bool { return r.Method == method && strings.HasPrefix(r.Path, "/images/") }
}

// What is zero is not sent, in whatever format.
func TestUploadIsAsLargeAsItsData(t *testing.T) {
	for name, head := range map[string]string{"raw": "", "qcow2": qcow2(uint64(virt.GiB), 0)} {
		t.Run(name, func(t *testing.T) {
			sim, e := simulated(t, small())
			f := imageFile(t, head, 200*virt.MiB, 0, 100)
			if _, err := upload(t, e, "disk", f); err != nil {
				t.Fatal(err)
			}
			if n := sim.Count(data(http.MethodPut)); n < 2 || n > 4 {
				t.Errorf("%d requests with data for 2 MiB of it", n)
			}
			if name == "raw" {
				if n := sim.Count(data(http.MethodPatch)); n < 2 || n > 4 {
					t.Errorf("%d zeros and flushes", n)
				}
			}
			holds(t, e, "disk", f)
		})
	}
}

// A service for images that knows nothing but GET and PUT gets it all.
func TestUploadToAnOldService(t *testing.T) {
	sim, e := simulated(t, small())
	sim.OldImageio()
	f := imageFile(t, "", 20*virt.MiB, 3)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	holds(t, e, "disk", f)
}

// Whatever breaks on the way, the volume is there in the end, whole, and once.
func TestUploadGoesOn(t *testing.T) {
	on := ovirtsim.On
	for name, faults := range map[string][]ovirtsim.Injection{
		"data lost":               {{Match: data(http.MethodPut), Times: 2, After: 1, Drop: true}},
		"answers lost":            {{Match: data(http.MethodPut), Times: 1, LoseReply: true}, {Match: data(http.MethodPatch), Times: 1, LoseReply: true}},
		"service fails":           {{Match: data(http.MethodPut), Times: 3, Status: http.StatusInternalServerError}},
		"flush fails":             {{Match: data(http.MethodPatch), Times: 1, After: 1, Status: http.StatusInternalServerError}},
		"no options":              {{Match: data(http.MethodOptions), Times: 1, Drop: true}},
		"disk made, not told":     {{Match: on(http.MethodPost, "/disks"), Times: 1, LoseReply: true}},
		"begun, not told":         {{Match: on(http.MethodPost, "/imagetransfers"), Times: 1, LoseReply: true}},
		"finalized, not told":     {{Match: on(http.MethodPost, "/imagetransfers/*/finalize"), Times: 1, LoseReply: true}},
		"finalize unheard":        {{Match: on(http.MethodPost, "/imagetransfers/*/finalize"), Times: 1, Drop: true}},
		"named, not told":         {{Match: on(http.MethodPut, "/disks/*"), Times: 1, LoseReply: true}},
		"the engine is busy":      {{Match: on(http.MethodPost, "/imagetransfers"), Times: 1, Status: http.StatusConflict, Detail: "[Cannot transfer Virtual Disk. Related operation is currently in progress. Please try again later.]"}},
		"lost while it is looked": {{Match: on(http.MethodGet, "/imagetransfers/*"), Times: 2, Drop: true}},
	} {
		t.Run(name, func(t *testing.T) {
			sim, e := simulated(t, small())
			for _, i := range faults {
				sim.Inject(i)
			}
			f := imageFile(t, "", 30*virt.MiB, 1, 9, 20)
			if out, err := upload(t, e, "disk", f); err != nil || !out.Changed {
				t.Fatalf("%+v, %v", out, err)
			}
			holds(t, e, "disk", f)
		})
	}
}

// The engine pauses an upload that it takes for abandoned: it is resumed, under
// another ticket.
func TestUploadIsResumed(t *testing.T) {
	var sim *ovirtsim.Engine
	var puts atomic.Int32
	sim, e := simulated(t, small(), func(c *Config) {
		c.OnRequest = func(method, _ string) {
			if method == http.MethodPut && puts.Add(1) == 2 {
				sim.PauseTransfers()
			}
		}
	})
	f := imageFile(t, "", 30*virt.MiB, 1, 9, 20)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	if n := sim.Count(ovirtsim.On(http.MethodPost, "/imagetransfers/*/resume")); n != 1 {
		t.Errorf("resumed %d times", n)
	}
	holds(t, e, "disk", f)
}

// An upload that ends leaves nothing behind; one whose process was killed leaves what
// the next one clears away. What was there before stays until there is better.
func TestUploadThatEnds(t *testing.T) {
	var stop atomic.Pointer[context.CancelCauseFunc]
	sim, e := simulated(t, small(), func(c *Config) {
		c.OnRequest = func(method, _ string) {
			if f := stop.Load(); f != nil && method == http.MethodPut {
				(*f)(context.Canceled)
			}
		}
	})
	old := imageFile(t, "", 4*virt.MiB, 1)
	if _, err := upload(t, e, "disk", old); err != nil {
		t.Fatal(err)
	}
	f := imageFile(t, "", 30*virt.MiB, 1, 9)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop.Store(&cancel)
	c := virt.UploadVolume{On: virt.On{Ref: virt.VolumeRef("data", "disk")}, Run: "r1", Source: f, Sparse: true}
	now, err := virt.ReadFor(ctx, e, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Before = now
	if _, err := e.Apply(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	stop.Store(nil)
	holds(t, e, "disk", old)

	// As after a kill: the disk is being transferred, and nobody goes on with it.
	made, err := e.makeDisk(t.Context(), virt.VolumeRef("data", "new"), "new"+partSuffix, diskXML{Format: textOf("raw"), ProvisionedSize: &f.Size, Sparse: &c.Sparse})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.openTransfer(t.Context(), virt.VolumeRef("data", "new"), made, "upload"); err != nil {
		t.Fatal(err)
	}
	if v, err := e.Volume(t.Context(), "data", "new"); err != nil || !v.Unfinished {
		t.Errorf("half made: %+v, %v", v, err)
	}
	if _, err := upload(t, e, "new", f); err != nil {
		t.Fatal(err)
	}
	holds(t, e, "new", f)

	sim.FailTransfer("bad" + partSuffix)
	_, err = upload(t, e, "bad", f)
	var known *virt.Error
	if !errors.As(err, &known) || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("what the engine finds unusable: %v", err)
	}
	if v, err := e.Volume(t.Context(), "data", "bad"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("it is left: %+v, %v", v, err)
	}
}

// What is given up is told with the reason.
func TestUploadThatCannotBe(t *testing.T) {
	sim, e := simulated(t, small())
	f := imageFile(t, "", 4*virt.MiB, 1)
	sim.Inject(ovirtsim.Injection{Match: data(http.MethodPut), Status: http.StatusBadRequest})
	if _, err := upload(t, e, "disk", f); err == nil || !strings.Contains(err.Error(), "the image service says") {
		t.Errorf("refused: %v", err)
	}
	sim.Heal()
	odd := imageFile(t, "", 4*virt.MiB+1, 1)
	if _, err := upload(t, e, "disk", odd); !errors.Is(err, virt.ErrInvalid) || !strings.Contains(err.Error(), "sectors") {
		t.Errorf("half a sector: %v", err)
	}
	if err := os.Chtimes(f.Path, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := upload(t, e, "disk", f); !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "is being written") {
		t.Errorf("a file that changes: %v", err)
	}
	if v, err := e.Volume(t.Context(), "data", "disk"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("it is there: %+v, %v", v, err)
	}
}

// Of the addresses of an image the first that answers is taken; that none does, or
// has another certificate, is told.
func TestDataIsLookedForAtEachAddress(t *testing.T) {
	sim, e := simulated(t, small())
	f := imageFile(t, "", 4*virt.MiB, 1)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	k, err := e.floating(t.Context(), "data", "disk")
	if err != nil {
		t.Fatal(err)
	}
	ref := virt.VolumeRef("data", "disk")
	tr, err := e.openTransfer(t.Context(), ref, k, "download")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = "https://127.0.0.1:9/images/x"
	if d, err := e.openData(t.Context(), []string{nobody, tr.info.urls[0]}); err != nil || d.url != tr.info.urls[0] || !d.can("extents") {
		t.Errorf("%+v, %v", d, err)
	}
	_, err = e.openData(t.Context(), []string{nobody})
	if err := unreachableData(ref, err); !errors.Is(err, virt.ErrUnreachable) || !strings.Contains(err.Error(), "127.0.0.1:9") {
		t.Errorf("nobody: %v", err)
	}
	stranger, _ := simulated(t, ovirtsim.Options{})
	_, err = e.openData(t.Context(), []string{"https://" + stranger.Addr() + "/images/x"})
	var told *virt.Error
	if !errors.As(unreachableData(ref, err), &told) || !strings.Contains(told.Hint, "ca_file") {
		t.Errorf("another CA: %v", err)
	}
	_, err = e.openData(t.Context(), []string{"https://" + sim.Addr() + "/images/none"})
	if err := unreachableData(ref, err); !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "No such ticket") {
		t.Errorf("no ticket: %v", err)
	}
}

// A download that the engine ends, for it sees nobody go on with it, is begun anew.
func TestDownloadIsBegunAnew(t *testing.T) {
	var sim *ovirtsim.Engine
	var gets atomic.Int32
	sim, e := simulated(t, small(), func(c *Config) {
		c.OnRequest = func(method, pattern string) {
			if method == http.MethodGet && strings.HasPrefix(pattern, "/images") && gets.Add(1) == 3 {
				sim.Advance(time.Hour)
			}
		}
	})
	f := imageFile(t, "", 30*virt.MiB, 1, 9, 20)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	holds(t, e, "disk", f)
	if n := sim.Count(ovirtsim.On(http.MethodPost, "/imagetransfers")); n < 3 {
		t.Errorf("%d transfers, want that of the upload and two of the download", n)
	}
}

// A download goes on where it broke off, and tells of what is only a part.
func TestDownload(t *testing.T) {
	sim, e := simulated(t, small())
	f := imageFile(t, "", 30*virt.MiB, 1, 9, 20)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	sim.Inject(ovirtsim.Injection{Match: data(http.MethodGet), Times: 2, After: 2, Drop: true})
	holds(t, e, "disk", f)
	var part virt.Sink = &headSink{Sink: &memory{}, ref: virt.VolumeRef("data", "disk")}
	if _, err := part.Write([]byte(qcow2(uint64(virt.GiB), 512))); !errors.Is(err, virt.ErrUnsupported) || !strings.Contains(err.Error(), "lies over another image") {
		t.Errorf("a part: %v", err)
	}
	full := errors.New("the disk is full")
	if err := e.ReadVolume(t.Context(), "data", "disk", fullSink{full}); !errors.Is(err, full) {
		t.Errorf("a sink that is full: %v", err)
	}
	if err := e.ReadVolume(t.Context(), "data", "none", &memory{}); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}

type fullSink struct{ err error }

func (s fullSink) Write([]byte) (int, error) { return 0, s.err }
func (s fullSink) Hole(int64) error          { return nil }

// Copies, growths and deletions are made once, though the answer is lost, and a copy
// that failed or was broken off is made anew.
func TestVolumesThoughAnswersAreLost(t *testing.T) {
	sim, e := simulated(t, small())
	f := imageFile(t, "", 4*virt.MiB, 1)
	if _, err := upload(t, e, "disk", f); err != nil {
		t.Fatal(err)
	}
	clone := func() error {
		c := virt.CloneVolume{On: virt.On{Ref: virt.VolumeRef("data", "copy")}, Run: "r1", From: virt.VolumeRef("data", "disk"), Size: 8 * virt.MiB, Format: "raw", Sparse: true}
		now, err := virt.ReadFor(t.Context(), e, c)
		if err != nil {
			t.Fatal(err)
		}
		c.Before = now
		_, err = e.Apply(t.Context(), c)
		return err
	}
	sim.FailDisk("copy" + partSuffix)
	if err := clone(); err == nil || !strings.Contains(err.Error(), "failed") {
		t.Errorf("a copy that fails: %v", err)
	}
	sim.Heal()
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPost, "/disks/*/copy"), Times: 1, LoseReply: true})
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPut, "/disks/*"), Times: 1, LoseReply: true})
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodDelete, "/disks/*"), Times: 1, LoseReply: true})
	if err := clone(); err != nil {
		t.Fatal(err)
	}
	v, err := e.Volume(t.Context(), "data", "copy")
	if err != nil || v.Size != 8*virt.MiB || v.Unfinished {
		t.Fatalf("%+v, %v", v, err)
	}
	got := &memory{}
	if err := e.ReadVolume(t.Context(), "data", "copy", got); err != nil || got.Len() != 8*int(virt.MiB) || !bytes.Contains(got.Bytes(), []byte("data at 1\n")) {
		t.Errorf("it holds %d bytes, %v", got.Len(), err)
	}
	if _, err := e.Apply(t.Context(), virt.DeleteVolume{On: virt.On{Ref: v.Ref(), Before: v}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Volume(t.Context(), "data", "copy"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
}
