package guestfetch_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/guestfetch"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/local"
	"github.com/nactl/nactl/virt/virttest"
)

// guest gives a platform with a VM and files inside it.
func guest() *virttest.Memory {
	cpu, memory := virt.CPU{Count: 1, Max: 1}, virt.Memory{Current: virt.GiB, Max: virt.GiB}
	m := virttest.NewMemory(&virt.VM{Name: "on", State: virt.Running, CPU: cpu, Memory: memory, Live: &virt.Live{CPU: cpu, Memory: memory}})
	for path, content := range map[string][]byte{"/etc/motd": []byte("hello\n"), "/empty": {}, "/bin/x": {0xff, 0}, "/etc/shadow": []byte("root:!\n"), "/large": bytes.Repeat([]byte("x"), int(2*virt.MiB))} {
		f := &virt.GuestFile{VM: "on", Path: path, Size: int64(len(content)), SHA256: virt.Checksum(content), Mode: "0644", Owner: "root", Group: "root", Content: content}
		if path == "/etc/shadow" {
			f.Mode = "0640"
		}
		m.Put(f)
	}
	return m
}

func run(t *testing.T, p virt.Platform, c virt.Controller, dir, text string) (guestfetch.Output, error) {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list)
	}
	s := guestfetch.Spec.New()
	_, list = step.Decode(n, s, "guest_fetch", step.Mode{})
	if !list.HasErrors() {
		list.Add(step.Validate(s, n, false)...)
	}
	if list.HasErrors() {
		return guestfetch.Output{}, list.Err()
	}
	r, err := s.Ensure(t.Context(), &step.Env{Platform: p, Local: c, Dir: dir})
	out, _ := r.Output.(guestfetch.Output)
	return out, err
}

func TestRegistered(t *testing.T) {
	for text, want := range map[string]guestfetch.Output{
		"{vm: on, path: /etc/motd}":                     {Exists: true, Content: "hello\n", Base64: "aGVsbG8K", Size: 6, Mode: "0644"},
		"{vm: on, path: /empty}":                        {Exists: true, Mode: "0644"},
		"{vm: on, path: /bin/x}":                        {Exists: true, Base64: "/wA=", Size: 2, Mode: "0644"},
		"{vm: on, path: /none, fail_on_missing: false}": {},
	} {
		got, err := run(t, guest(), local.New(), "", text)
		if err != nil || got.Exists && (got.SHA256 == "" || got.Owner != "root") {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		got.SHA256, got.Owner, got.Group = "", "", ""
		if got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	if got, err := run(t, guest(), local.New(), "", "{vm: on, path: /large, limit: 2MiB}"); err != nil || len(got.Content) != int(2*virt.MiB) {
		t.Errorf("up to its limit: %d bytes, %v", len(got.Content), err)
	}
}

// The file is written once, and only where it differs; a plan writes nothing.
func TestDest(t *testing.T) {
	dir := t.TempDir()
	p := guest()
	const text = "{vm: on, path: /etc/motd, dest: motd}"
	if out, err := run(t, dryrun.New(p), dryrun.NewController(local.New()), dir, text); err != nil || out.Path != filepath.Join(dir, "motd") || out.Content != "" {
		t.Errorf("a plan: %+v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "motd")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a plan wrote: %v", err)
	}
	var first os.FileInfo
	for range 2 {
		if _, err := run(t, p, local.New(), dir, text); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "motd"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !os.SameFile(first, info) {
			t.Error("an equal file was written again")
		}
		first = info
	}
	if b, err := os.ReadFile(filepath.Join(dir, "motd")); err != nil || string(b) != "hello\n" || first.Mode().Perm() != 0o644 {
		t.Errorf("%q, %v, %v", b, first.Mode(), err)
	}
	// What not everybody may read there nobody else reads here.
	for _, c := range []struct {
		text string
		mode os.FileMode
	}{{"{vm: on, path: /etc/shadow, dest: shadow}", 0o600}, {"{vm: on, path: /etc/shadow, dest: shared, mode: \"0640\"}", 0o640}} {
		out, err := run(t, p, local.New(), dir, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(out.Path); err != nil || info.Mode().Perm() != c.mode {
			t.Errorf("%s: %v, %v", c.text, info.Mode(), err)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]struct {
		kind error
		text string
	}{
		"{vm: gone, path: /x}":                            {virt.ErrNotFound, "vm gone: is not there"},
		"{vm: gone, path: /x, fail_on_missing: false}":    {virt.ErrNotFound, "vm gone: is not there"},
		"{vm: on, path: /none}":                           {virt.ErrNotFound, "file /none in vm on: is not there"},
		"{vm: on, path: /large}":                          {virt.ErrInvalid, "is larger than what is read"},
		"{vm: on, path: /etc/motd, limit: 5B}":            {virt.ErrInvalid, "is larger than what is read"},
		"{vm: on, path: /etc/motd, dest: ../motd}":        {virt.ErrInvalid, "leads out of the project"},
		"{vm: on, path: /etc/motd, dest: no/folder/motd}": {virt.ErrNotFound, "there is no folder"},
		"{vm: on, path: etc/motd}":                        {nil, "path has to be absolute"},
		"{vm: on, path: /etc/motd, mode: \"0600\"}":       {nil, "which is not given"},
		"{vm: on, path: /etc/motd, dest: x, mode: rw}":    {nil, "permissions in octal"},
		"{vm: on, path: /etc/motd, limit: 5}":             {nil, "has no unit"},
		"{vm: on}":                                        {nil, "path"},
	} {
		_, err := run(t, guest(), local.New(), t.TempDir(), text)
		if err == nil || want.kind != nil && !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v; want %v with %q", text, err, want.kind, want.text)
		}
	}
}
