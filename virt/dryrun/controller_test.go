package dryrun_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/local"
)

// Files that a plan would write are there for what follows, and nowhere else.
func TestController(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := dryrun.NewController(local.New())
	on := func(name string) virt.On {
		ref := virt.LocalFileRef(dir, name)
		on := virt.On{Ref: ref}
		if f, err := p.LocalFile(ctx, ref); err == nil {
			on.Before = f
		}
		return on
	}
	exists := func(name string) bool {
		there, err := p.Exists(ctx, filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return there
	}
	for _, want := range []bool{true, false} {
		out, err := p.Apply(ctx, virt.LocalWrite{On: on("new"), Content: []byte("a\n")})
		if err != nil || out.Changed != want {
			t.Errorf("writing: changed %v, %v; want %v", out.Changed, err, want)
		}
		if out, err = p.Apply(ctx, virt.LocalDelete{On: on("old")}); err != nil || out.Changed != want {
			t.Errorf("removing: changed %v, %v; want %v", out.Changed, err, want)
		}
	}
	if f, err := p.LocalFile(ctx, virt.LocalFileRef(dir, "new")); err != nil || string(f.Content) != "a\n" || f.Mode != "0644" {
		t.Errorf("there is %+v, %v", f, err)
	}
	if _, err := p.LocalFile(ctx, virt.LocalFileRef(dir, "old")); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("error %v, want %v", err, virt.ErrNotFound)
	}
	if !exists("new") || exists("old") || exists("none") {
		t.Error("Exists does not see what was changed")
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a plan wrote the file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "old")); err != nil {
		t.Errorf("a plan removed the file: %v", err)
	}
	if out, err := p.Apply(ctx, virt.LocalExec{Command: virt.Command{Argv: []string{"touch", filepath.Join(dir, "run")}}}); err != nil || !out.Changed || exists("run") {
		t.Errorf("a command: %+v, %v", out, err)
	}
	if _, err := p.Apply(ctx, virt.Start{On: on("x")}); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("error %v, want %v", err, virt.ErrUnsupported)
	}
}
