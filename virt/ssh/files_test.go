package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

func TestWriteAndReadFile(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "it's -a\nfile $x")
	for _, data := range [][]byte{{}, []byte("no newline"), []byte("\x00\xff\r\n"), bytes.Repeat([]byte("block"), 1<<18)} {
		if err := c.WriteFile(ctx, name, data, 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := c.ReadFile(ctx, name)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d bytes, %v, want %d", len(got), err, len(data))
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for path, want := range map[string]bool{name: true, dir: true, name + "x": false} {
		if got, err := c.Exists(ctx, path); got != want || err != nil {
			t.Errorf("Exists(%q) = %v, %v", path, got, err)
		}
	}
}

func TestWriteFileReplacesALink(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("keep"), 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteFile(ctx, link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(target); string(b) != "keep" {
		t.Errorf("the link's target holds %q", b)
	}
}

func TestFileErrors(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	dir := t.TempDir()
	if _, err := c.ReadFile(ctx, dir+"/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read a missing file: %v", err)
	}
	if _, err := c.ReadFile(ctx, dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("read a directory: %v", err)
	}
	if err := c.WriteFile(ctx, dir, nil, 0o600); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("write to a directory: %v", err)
	}
	var exit *ssh.ExitError
	if err := c.WriteFile(ctx, dir+"/none/f", nil, 0o600); !errors.As(err, &exit) {
		t.Errorf("write into a missing directory: %v", err)
	}
	if _, err := c.ReadFile(ctx, ""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("read a file without a name: %v", err)
	}
}

// A write that is cancelled half-way leaves the old file and no rubbish.
func TestWriteFileIsAtomic(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, s.Config())
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := c.WriteFile(testContext(t), name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	go func() { // as soon as the temporary file is there
		for range 1000 {
			if files, _ := os.ReadDir(dir); len(files) > 1 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	err := c.WriteFile(ctx, name, make([]byte, 256<<20), 0o600)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if b, _ := os.ReadFile(name); string(b) != "old" {
		t.Errorf("the file holds %d bytes, want the old ones", len(b))
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

// sudoShim stands for sudo where the machine has none: it takes the same
// options, marks its command's environment, and clears the rest as sudo does.
const sudoShim = `#!/bin/sh
[ "$1" = -n ] && [ "$2" = -- ] || { echo "usage" >&2; exit 64; }
[ ! -e "${0%/*}/refuse" ] || { echo "sudo: a password is required" >&2; exit 1; }
shift 2
exec env -i PATH="$PATH" SUDO_USER=me "$@"
`

func TestBecome(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudoShim), 0o755); err != nil {
		t.Fatal(err)
	}
	s := sshtest.Start(t, sshtest.Options{ExtraConfig: []string{"SetEnv PATH=" + bin + ":/usr/bin:/bin HOME=" + bin}})
	cfg := s.Config()
	cfg.Become = "sudo"
	c := dial(t, cfg)
	ctx := testContext(t)
	cmd := ssh.Command{Shell: `printf '%s|%s|%s' "$SUDO_USER" "$A" "$(pwd)"`, Env: map[string]string{"A": "1 2"}, Dir: bin, Become: true}
	if r, err := c.Exec(ctx, cmd); err != nil || string(r.Stdout) != "me|1 2|"+bin {
		t.Errorf("%q, %v (%s)", r.Stdout, err, r.Stderr)
	}
	cmd.Become = false
	if r, err := c.Exec(ctx, cmd); err != nil || string(r.Stdout) != "|1 2|"+bin {
		t.Errorf("without become: %q, %v", r.Stdout, err)
	}
	// A command's own failure is not sudo's.
	if r, err := c.Exec(ctx, ssh.Command{Shell: "echo sudo: not me >&2; exit 1", Become: true}); err != nil || r.RC != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := c.WriteFile(ctx, bin+"/refuse", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec(ctx, cmd)
	if err != nil {
		t.Errorf("without become: %v", err)
	}
	cmd.Become = true
	var refused *ssh.BecomeError
	if _, err = c.Exec(ctx, cmd); !errors.As(err, &refused) || !strings.Contains(err.Error(), "NOPASSWD") {
		t.Errorf("got %v, want *BecomeError", err)
	}
	if _, err = c.ReadFile(ctx, bin+"/sudo"); !errors.As(err, &refused) {
		t.Errorf("ReadFile: %v, want *BecomeError", err)
	}
}
