package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nactl/nactl/virt"
)

// write decides as a step does, and applies.
func write(t *testing.T, l *Controller, c virt.LocalWrite) (virt.Outcome, error) {
	t.Helper()
	switch f, err := l.LocalFile(t.Context(), c.Ref); {
	case err == nil:
		c.Before = f
	case !errors.Is(err, virt.ErrNotFound):
		return virt.Outcome{}, err
	}
	return l.Apply(t.Context(), c)
}

func fileOn(dir, name string) virt.On { return virt.On{Ref: virt.LocalFileRef(dir, name)} }

// leftovers lists what else than these names is in a folder.
func leftovers(t *testing.T, dir string, names ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+e.Name()+" ") {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestLocalWrite(t *testing.T) {
	dir, l := t.TempDir(), New()
	file := filepath.Join(dir, "a")
	steps := []struct {
		name          string
		content, mode string
		fields        string
		left, perm    string
	}{
		{"new", "one\n", "", "content mode", "one\n", "0644"},
		{"again", "one\n", "", "", "one\n", "0644"},
		{"other content", "two\n", "", "content", "two\n", "0644"},
		{"other mode", "two\n", "0600", "mode", "two\n", "0600"},
		{"mode left unsaid", "three\n", "", "content", "three\n", "0600"},
		{"special bits", "three\n", "4755", "mode", "three\n", "4755"},
		{"empty", "", "0600", "content mode", "", "0600"},
	}
	for _, name := range []virt.Ref{virt.LocalFileRef(dir, "a"), virt.LocalFileRef("", file)} {
		_ = os.Remove(file)
		for _, tt := range steps {
			t.Run(tt.name, func(t *testing.T) {
				c := virt.LocalWrite{On: virt.On{Ref: name}, Content: []byte(tt.content)}
				if tt.mode != "" {
					c.Mode = virt.Some(tt.mode)
				}
				out, err := write(t, l, c)
				if err != nil {
					t.Fatal(err)
				}
				var fields []string
				for _, f := range out.Fields {
					fields = append(fields, f.Path)
				}
				if got := strings.Join(fields, " "); got != tt.fields || out.Changed != (tt.fields != "") {
					t.Errorf("fields %q, changed %v; want %q", got, out.Changed, tt.fields)
				}
				f, err := l.LocalFile(t.Context(), name)
				if err != nil || string(f.Content) != tt.left || f.Mode != tt.perm || f.SHA256 != virt.Checksum([]byte(tt.left)) {
					t.Errorf("there is %+v, %v", f, err)
				}
				if more := leftovers(t, dir, "a"); more != nil {
					t.Errorf("left behind: %q", more)
				}
			})
		}
	}
}

func TestLocalWriteShows(t *testing.T) {
	dir, l := t.TempDir(), New()
	long := bytes.Repeat([]byte("x"), virt.ShownText+1)
	for _, tt := range []struct {
		name          string
		before, after []byte
		secret        bool
		want          virt.FieldChange
	}{
		{"text", []byte("a\n"), []byte("b\n"), false, virt.FieldChange{Path: "content", Before: "a\n", After: "b\n"}},
		{"new text", nil, []byte("b\n"), false, virt.FieldChange{Path: "content", After: "b\n"}},
		{"binary", []byte("a\x00"), []byte("b\n"), false, virt.FieldChange{Path: "content", Before: "sha256:" + virt.Checksum([]byte("a\x00"))[:12], After: "sha256:" + virt.Checksum([]byte("b\n"))[:12]}},
		{"new binary", nil, []byte("\xff"), false, virt.FieldChange{Path: "content", After: int64(1), Unit: "bytes"}},
		{"long", []byte("a\n"), long, false, virt.FieldChange{Path: "content", Before: "sha256:" + virt.Checksum([]byte("a\n"))[:12], After: "sha256:" + virt.Checksum(long)[:12]}},
		{"a secret", []byte("old secret\n"), []byte("new secret\n"), true, virt.FieldChange{Path: "content", Before: "(not shown)", After: "(not shown, differs)"}},
		{"a new secret", nil, []byte("new secret\n"), true, virt.FieldChange{Path: "content", After: "(not shown)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "a")
			_ = os.Remove(file)
			if tt.before != nil {
				if err := os.WriteFile(file, tt.before, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			out, err := write(t, l, virt.LocalWrite{On: fileOn(dir, "a"), Content: tt.after, Secret: tt.secret})
			if err != nil || len(out.Fields) == 0 || out.Fields[0] != tt.want {
				t.Errorf("got %+v, %v; want %+v", out.Fields, err, tt.want)
			}
		})
	}
}

func TestLocalWriteErrors(t *testing.T) {
	dir, outside, l := t.TempDir(), t.TempDir(), New()
	for from, to := range map[string]string{"link": "real", "out": outside, "dangling": outside + "/none"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"real", "folder/x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("kept"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		dir, name string
		kind      error
		says      string
	}{
		{dir, "link", virt.ErrConflict, "symbolic link to real"},
		{"", dir + "/link", virt.ErrConflict, "symbolic link to real"},
		{dir, "dangling", virt.ErrConflict, "symbolic link to"},
		{dir, "out/x", virt.ErrInvalid, "escapes"},
		{dir, "../x", virt.ErrInvalid, "leads out of the project"},
		{dir, ".", virt.ErrInvalid, "leads out of the project"},
		{dir, "folder", virt.ErrConflict, "no regular file"},
		{dir, "none/x", virt.ErrNotFound, "there is no folder " + dir + "/none"},
		{"", dir + "/none/x", virt.ErrNotFound, "there is no folder " + dir + "/none"},
		{dir, "real/x", virt.ErrInvalid, "is a file and no folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := write(t, l, virt.LocalWrite{On: fileOn(tt.dir, tt.name), Content: []byte("x")})
			var e *virt.Error
			if !errors.Is(err, tt.kind) || !errors.As(err, &e) || !strings.Contains(err.Error()+e.Found, tt.says) {
				t.Errorf("error %v (%+v), want %v saying %q", err, e, tt.kind, tt.says)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(dir, "real")); string(b) != "kept" || err != nil {
		t.Errorf("what a link leads to holds %q, %v", b, err)
	}
	if more := leftovers(t, outside); more != nil {
		t.Errorf("outside of the project there is %q", more)
	}
}

func TestLocalDelete(t *testing.T) {
	dir, l := t.TempDir(), New()
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		c := virt.LocalDelete{On: fileOn(dir, "a")}
		if f, err := l.LocalFile(t.Context(), c.Ref); err == nil {
			c.Before = f
		}
		if out, err := l.Apply(t.Context(), c); err != nil || out.Changed != want {
			t.Errorf("changed %v, %v; want %v", out.Changed, err, want)
		}
	}
	if out, err := l.Apply(t.Context(), virt.LocalDelete{On: fileOn(dir, "none/a")}); err != nil || out.Changed {
		t.Errorf("in a folder that is not there: %+v, %v", out, err)
	}
}

// Many targets that write one file make it once; who decided upon what is no more
// there is told so.
func TestLocalWriteSideBySide(t *testing.T) {
	dir, l := t.TempDir(), New()
	var wg sync.WaitGroup
	changed := make(chan bool, 20)
	for range 20 {
		wg.Go(func() {
			out, err := l.Apply(context.Background(), virt.LocalWrite{On: fileOn(dir, "a"), Content: []byte("x\n")})
			if err != nil {
				t.Error(err)
			}
			changed <- out.Changed
		})
	}
	wg.Wait()
	close(changed)
	n := 0
	for c := range changed {
		if c {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 20 wrote the file", n)
	}
	if _, err := l.Apply(t.Context(), virt.LocalWrite{On: fileOn(dir, "a"), Content: []byte("y\n")}); !errors.Is(err, virt.ErrDiverged) {
		t.Errorf("error %v, want %v", err, virt.ErrDiverged)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Apply(ctx, virt.LocalWrite{On: fileOn(dir, "b"), Content: []byte("y\n")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if more := leftovers(t, dir, "a"); more != nil {
		t.Errorf("left behind: %q", more)
	}
}
