package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nactl/nactl/virt"
)

// volume is a platform with one volume: a MiB of data behind a hole of as much.
type volume struct {
	data []byte
	err  error // in the middle of it
	cut  func()
}

func (v *volume) ReadVolume(ctx context.Context, _, _ string, into virt.Sink) error {
	if err := into.Hole(virt.MiB); err != nil {
		return err
	}
	if v.cut != nil {
		v.cut()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if v.err != nil {
		return v.err
	}
	_, err := into.Write(v.data)
	return err
}

func TestDownloadVolume(t *testing.T) {
	dir, l := t.TempDir(), New()
	data := make([]byte, virt.MiB)
	for i := range data {
		data[i] = byte(i * 31)
	}
	whole := append(make([]byte, virt.MiB), data...)
	ref := virt.LocalFileRef(dir, "a.raw")
	path := filepath.Join(dir, "a.raw")
	change := func(v *volume) virt.DownloadVolume {
		return virt.DownloadVolume{On: virt.On{Ref: ref}, From: virt.VolumeRef("images", "a"), Size: int64(len(whole)), SHA256: virt.Checksum(whole), Content: v}
	}
	only := func(files int) {
		t.Helper()
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != files {
			t.Errorf("%d files in the folder (%v), want %d", len(entries), err, files)
		}
	}

	broken := errors.New("the line is dead")
	if _, err := l.Apply(t.Context(), change(&volume{data: data, err: broken})); !errors.Is(err, broken) {
		t.Errorf("with a line that broke: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := l.Apply(ctx, change(&volume{data: data, cut: cancel})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled on the way: %v", err)
	}
	if _, err := l.Apply(t.Context(), change(&volume{data: data[1:]})); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("with other content than its checksum says: %v, want ErrConflict", err)
	}
	only(0)

	out, err := l.Apply(t.Context(), change(&volume{data: data}))
	if err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	got, err := os.ReadFile(path)
	if err != nil || virt.Checksum(got) != virt.Checksum(whole) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	only(1)
	again := change(nil) // it would crash if it were read
	if again.Before, err = l.LocalFile(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if out, err = l.Apply(t.Context(), again); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	missing := change(&volume{data: data})
	missing.Ref = virt.LocalFileRef(dir, "nowhere/a.raw")
	if _, err := l.Apply(t.Context(), missing); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("into a folder that is not there: %v", err)
	}
}
