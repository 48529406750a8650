package virttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

const volumeSize = 8 * virt.MiB

// storage are volumes and pools, which need no VM.
func (r *runner) storage() []testCase {
	volume := func(name string) virt.Ref { return virt.VolumeRef(r.Storage, name) }
	format := r.volumeFormat()
	create := on(func(o virt.On) virt.CreateVolume {
		return virt.CreateVolume{On: o, Run: "virttest", Size: volumeSize, Format: format, Sparse: true}
	})
	source := on(func(o virt.On) virt.CreateVolume {
		c := create(virt.On{Ref: volume(o.Ref.Name + "-source")})
		return c.(virt.CreateVolume)
	})
	clone := on(func(o virt.On) virt.CloneVolume {
		return virt.CloneVolume{On: o, Run: "virttest", From: volume(o.Ref.Name + "-source"), Size: 2 * volumeSize, Format: format, Sparse: true}
	})
	grow := on(func(o virt.On) virt.ResizeVolume { return virt.ResizeVolume{On: o, Size: 2 * volumeSize} })
	drop := on(func(o virt.On) virt.DeleteVolume { return virt.DeleteVolume{On: o} })
	upload := on(func(o virt.On) virt.UploadVolume {
		return virt.UploadVolume{On: o, Run: "virttest", Source: r.image, Sparse: true}
	})
	shows := func(size int64, format string) func(virt.Object) error {
		return func(o virt.Object) error {
			v, ok := o.(*virt.Volume)
			if !ok || v == nil || v.Size != size || v.Format != format || v.Unfinished {
				return fmt.Errorf("it is %+v", o)
			}
			return nil
		}
	}
	holds := func(o virt.Object) error {
		if err := shows(r.image.Size, r.image.Format)(o); err != nil {
			return err
		}
		v := o.Clone().(*virt.Volume)
		if err := r.p.VolumeSum(context.Background(), v, r.image.Length); err != nil || !v.Holds(r.image) {
			return fmt.Errorf("its content is %s of %d bytes (%v), and is to be %s", v.SHA256, v.Summed, err, r.image.SHA256)
		}
		var got content
		err := r.p.ReadVolume(context.Background(), v.Storage, v.Name, &got)
		if errors.Is(err, virt.ErrUndecided) {
			return nil // an overlay, which was sent nothing
		}
		if err != nil {
			return err
		}
		want, err := os.ReadFile(r.image.Path)
		if err != nil || !bytes.Equal(want, got.Bytes()) {
			return fmt.Errorf("read back it has %d bytes, which are not those of the file (%v)", got.Len(), err)
		}
		return nil
	}
	return append([]testCase{
		{kind: "create_volume", name: "blank", alone: true, makes: true, object: volume, change: create, shows: shows(volumeSize, format)},
		{kind: "clone_volume", name: "larger", alone: true, makes: true, object: volume, arrange: []changeOf{source}, change: clone, shows: shows(2*volumeSize, format)},
		{kind: "resize_volume", name: "unused", alone: true, object: volume, arrange: []changeOf{create}, change: grow, shows: shows(2*volumeSize, format)},
		{kind: "delete_volume", name: "unused", alone: true, absentIsDone: true, object: volume, arrange: []changeOf{create}, change: drop, shows: gone},
		{kind: "upload_volume", name: "new", alone: true, makes: true, object: volume, change: upload, shows: holds},
		{kind: "upload_volume", name: "other content", alone: true, makes: true, object: volume, arrange: []changeOf{create}, change: upload, shows: holds},
	}, r.pools()...)
}

func (r *runner) pools() []testCase {
	create := func(o virt.On) virt.Change {
		c := virt.CreatePool{Type: "dir", Path: "/nowhere"}
		if r.Pool != nil {
			c = r.Pool(o.Ref.Name)
		}
		c.On = o
		return c
	}
	stop := on(func(o virt.On) virt.StopPool { return virt.StopPool{On: o, Autostart: virt.Some(false)} })
	start := on(func(o virt.On) virt.StartPool { return virt.StartPool{On: o, Autostart: virt.Some(true)} })
	drop := on(func(o virt.On) virt.DeletePool { return virt.DeletePool{On: o} })
	shows := func(active, autostart bool) func(virt.Object) error {
		return func(o virt.Object) error {
			p, ok := o.(*virt.Storage)
			if !ok || p == nil || p.Active != active || p.Autostart != autostart || p.Type != "dir" {
				return fmt.Errorf("it is %+v", o)
			}
			return nil
		}
	}
	return []testCase{
		{kind: "create_pool", name: "dir", alone: true, makes: true, object: virt.StorageRef, change: create, shows: shows(true, true)},
		{kind: "stop_pool", name: "active", alone: true, object: virt.StorageRef, arrange: []changeOf{create}, change: stop, shows: shows(false, false)},
		{kind: "start_pool", name: "inactive", alone: true, object: virt.StorageRef, arrange: []changeOf{create, stop}, change: start, shows: shows(true, true)},
		{kind: "delete_pool", name: "active", alone: true, absentIsDone: true, object: virt.StorageRef, arrange: []changeOf{create}, change: drop, shows: gone},
	}
}

// content is a sink in memory.
type content struct{ bytes.Buffer }

// Hole implements virt.Sink.
func (c *content) Hole(n int64) error {
	_, err := c.Write(make([]byte, n))
	return err
}

// writeImage makes the file that the upload cases send: data, a hole, and data.
func writeImage(t *testing.T) virt.ImageFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.raw")
	text := make([]byte, 3*virt.MiB)
	for i := range virt.MiB {
		text[i], text[2*virt.MiB+i] = byte(i*7+i/251), byte(i*13)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(text[:virt.MiB], 0)
	if err == nil {
		_, err = f.WriteAt(text[2*virt.MiB:], 2*virt.MiB)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return virt.ImageFile{Path: path, Length: info.Size(), SHA256: hex.EncodeToString(sum[:]), Format: "raw", Size: info.Size(), Modified: info.ModTime()}
}

func (r *runner) volumeFormat() string {
	if r.VolumeFormat == "" {
		return "qcow2"
	}
	return r.VolumeFormat
}

// prepareAlone brings what needs no VM where a case begins; all of it is removed
// afterwards.
func (r *runner) prepareAlone(t *testing.T, c testCase) string {
	t.Helper()
	name := r.newName()
	ref := c.object(name)
	t.Cleanup(func() { r.removeAlone(t, ref) })
	for _, f := range c.arrange {
		change := f(virt.On{Ref: ref, Before: r.look(t, ref)})
		_, err := r.p.Apply(lasting(t), change)
		if err != nil && (r.unsupported(c) == "" || !errors.Is(err, virt.ErrUnsupported)) {
			t.Fatalf("%s: %v", virt.KindOf(change), err)
		}
	}
	return name
}

func (r *runner) removeAlone(t *testing.T, ref virt.Ref) {
	ctx, cancel := context.WithTimeout(lasting(t), time.Minute)
	defer cancel()
	if ref.Kind == virt.KindStorage {
		o := r.look(t, ref)
		if o == nil {
			return
		}
		if _, err := r.p.Apply(ctx, virt.DeletePool{On: virt.On{Ref: ref, Before: o}}); err != nil {
			t.Errorf("clean up: %v", err)
		}
		return
	}
	r.p.Forget()
	all, err := r.p.Volumes(ctx, ref.Scope)
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
	for _, v := range all {
		if v.Name != ref.Name && !strings.HasPrefix(v.Name, ref.Name+"-") {
			continue
		}
		if _, err := r.p.Apply(ctx, virt.DeleteVolume{On: virt.On{Ref: v.Ref(), Before: v}}); err != nil {
			t.Errorf("clean up: %v", err)
		}
	}
}

// volumes tries what must not be done to volumes: shrink them, take one away that
// a VM has.
func (r *runner) volumes(t *testing.T) {
	if r.Unsupported["create_volume"] != "" {
		return
	}
	name := r.newName()
	ref := virt.VolumeRef(r.Storage, name)
	t.Cleanup(func() { r.removeAlone(t, ref) })
	r.apply(t, virt.CreateVolume{On: virt.On{Ref: ref}, Run: "virttest", Size: volumeSize, Format: r.volumeFormat(), Sparse: true})
	var e *virt.Error
	now := virt.On{Ref: ref, Before: r.look(t, ref)}
	_, err := r.p.Apply(t.Context(), virt.ResizeVolume{On: now, Size: volumeSize / 2})
	if r.Unsupported["resize_volume"] == "" && (!errors.As(err, &e) || !errors.Is(err, virt.ErrInvalid) || e.Wanted == "" || e.Found == "") {
		t.Errorf("made smaller: %v, want ErrInvalid that names both sizes", err)
	}
	if d := r.differ(now.Before, r.look(t, ref)); len(d) > 0 {
		t.Errorf("it was refused, and something changed: %s", d)
	}
	vm, _ := r.prepare(t, testCase{arrange: []changeOf{r.attach}})
	disk := r.look(t, virt.VMRef(vm)).(*virt.VM).Disk("data")
	if disk == nil || disk.Volume == "" {
		return // a platform that keeps no volumes of disks
	}
	used := virt.VolumeRef(r.onHost(disk.Storage), disk.Volume)
	_, err = r.p.Apply(t.Context(), virt.DeleteVolume{On: virt.On{Ref: used, Before: r.look(t, used)}})
	if !errors.As(err, &e) || !errors.Is(err, virt.ErrConflict) || !strings.Contains(e.Found, vm) {
		t.Errorf("deleted while %s has it: %v, want ErrConflict that names the VM", vm, err)
	}
	if r.look(t, used) == nil {
		t.Error("it was refused, and is gone")
	}
}

// onHost names a pool as the cases do, by its host where that has one of its own.
func (r *runner) onHost(pool string) string {
	host, plain := virt.HostOf(r.Storage)
	if plain == pool {
		return virt.StorageOn(host, pool)
	}
	return pool
}
