//go:build cgo && lab

package libvirt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// TestLabGuest boots one guest and asks all of its agent.
func TestLabGuest(t *testing.T) {
	n := labNode(t, "n1")
	const vm = "l3-guest"
	labGuest(t, vm, "shared", n)
	run := func(t *testing.T, c virt.Command) *virt.CommandResult {
		t.Helper()
		r, err := n.GuestProbe(t.Context(), vm, c)
		if err != nil {
			t.Fatal(full(err))
		}
		return r
	}

	t.Run("info", func(t *testing.T) {
		info, err := n.GuestInfo(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		if info.Version == "" || !strings.Contains(info.OS, "Debian") || len(info.Addresses) < 2 {
			t.Errorf("%+v", info)
		}
	})

	t.Run("command", func(t *testing.T) {
		r := run(t, virt.Command{Argv: []string{"sh", "-c", `printf '%s|' "$A" "$PWD" "$@"; cat; echo oops >&2; exit 3`, "x", "a b", "*", "'", ""},
			Env: map[string]string{"A": "it's\n$HOME"}, Dir: "/etc", Stdin: "line 1\nline 2"})
		if r.RC != 3 || r.Stdout != "it's\n$HOME|/etc|a b|*|'||line 1\nline 2" || r.Stderr != "oops\n" {
			t.Errorf("%+v", r)
		}
		if path := run(t, virt.Command{Shell: "echo $PATH", Env: map[string]string{"A": "1"}}); len(path.Stdout) < 2 {
			t.Error("env took the guest's own environment away")
		}
	})
	t.Run("long input", func(t *testing.T) {
		in := strings.Repeat("0123456789abcde\n", 1<<16) // 1 MiB
		sum := sha256.Sum256([]byte(in))
		r := run(t, virt.Command{Shell: `echo "$A"; sha256sum`, Env: map[string]string{"A": "first"}, Stdin: in})
		if r.Stdout != "first\n"+hex.EncodeToString(sum[:])+"  -\n" {
			t.Errorf("%+v", r)
		}
		if _, err := n.GuestProbe(t.Context(), vm, virt.Command{Argv: []string{"true", strings.Repeat("x", maxRequest)}}); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("a command line that is too long: %v", err)
		}
		labNothingLeft(t, n, vm, "/tmp")
	})
	t.Run("signal", func(t *testing.T) {
		if r := run(t, virt.Command{Shell: "kill -9 $$"}); r.Signal != 9 || r.RC != 137 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("no such command", func(t *testing.T) {
		if r := run(t, virt.Command{Argv: []string{"no-such-command"}}); r.RC != 127 || !strings.Contains(r.Stderr, "no-such-command") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("no such directory", func(t *testing.T) {
		if _, err := n.GuestProbe(t.Context(), vm, virt.Command{Argv: []string{"true"}, Dir: "/no/such"}); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})

	// libvirt loses replies over 4 MiB, and the agent itself over 10.
	t.Run("long output", func(t *testing.T) {
		for _, size := range []int{1 << 20, 1<<20 + 1, 17 << 20} {
			r := run(t, virt.Command{Shell: "head -c $N /dev/zero | tr '\\0' x; echo end >&2", Env: map[string]string{"N": strconv.Itoa(size)}})
			kept := min(size, 16<<20)
			if len(r.Stdout) != kept || strings.Trim(r.Stdout, "x") != "" || r.StdoutTruncated != (size > kept) || r.Stderr != "end\n" {
				t.Errorf("%d bytes: got %d, truncated %v, %q", size, len(r.Stdout), r.StdoutTruncated, r.Stderr)
			}
		}
		labNothingLeft(t, n, vm, "/tmp")
	})

	t.Run("timeout", func(t *testing.T) {
		began := time.Now()
		_, err := n.GuestProbe(t.Context(), vm, virt.Command{Shell: "echo started; sleep 321; echo never", Timeout: time.Second})
		if !errors.Is(err, virt.ErrTimeout) || !strings.Contains(full(err), "it was killed") || !strings.Contains(full(err), "started") {
			t.Error(full(err))
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if r := run(t, virt.Command{Shell: "ps | grep '[s]leep 321'"}); r.Stdout != "" {
			t.Errorf("it still runs: %s", r.Stdout)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := n.GuestProbe(ctx, vm, virt.Command{Shell: "sleep 322", Timeout: time.Hour})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(full(err), "it was killed") {
			t.Error(full(err))
		}
	})

	t.Run("file", func(t *testing.T) { labFiles(t, n, vm) })

	t.Run("agent stopped", func(t *testing.T) {
		_, err := n.GuestProbe(t.Context(), vm, virt.Command{Shell: "killall qemu-ga; sleep 30", Timeout: 5 * time.Second})
		if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrTimeout) {
			t.Error(full(err))
		}
		t.Log(full(err))
	})
}

// labFiles writes and reads files in a guest.
func labFiles(t *testing.T, n *Node, vm string) {
	const path = "/root/a file's name"
	ref := (&virt.GuestFile{VM: vm, Path: path}).Ref()
	if _, err := n.GuestFile(t.Context(), vm, path, 1<<20); !isMissing(err, ref) {
		t.Fatalf("missing file: %v", err)
	}
	write := func(content string, mode string) virt.Outcome {
		t.Helper()
		before, err := virt.Read(t.Context(), n, ref)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(content))
		c := virt.GuestWrite{On: virt.On{Ref: ref, Before: before}, Content: []byte(content), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		if mode != "" {
			c.Mode = virt.Some(mode)
		}
		out, err := n.Apply(t.Context(), c)
		if err != nil {
			t.Fatal(full(err))
		}
		return out
	}
	read := func() *virt.GuestFile {
		t.Helper()
		f, err := n.GuestFile(t.Context(), vm, path, 8<<20)
		if err != nil {
			t.Fatal(full(err))
		}
		return f
	}
	if out := write("hello\n", ""); !out.Changed || len(out.Warnings) > 0 {
		t.Errorf("%+v", out)
	}
	if f := read(); string(f.Content) != "hello\n" || f.Mode != "0644" || f.Owner == "" || f.Size != 6 {
		t.Errorf("%+v", f)
	}
	if out := write("hello\n", ""); out.Changed {
		t.Errorf("written again: %+v", out)
	}
	if out := write("hello\n", "0600"); !out.Changed || read().Mode != "0600" {
		t.Errorf("mode: %+v", out)
	}
	big := strings.Repeat("0123456789abcdef", 1<<15+1) // half a MiB, in several pieces
	write(big, "")
	if f := read(); string(f.Content) != big || f.Mode != "0600" {
		t.Errorf("%d bytes came back as %d, mode %s", len(big), f.Size, f.Mode)
	}
	// Too large to be brought here: the guest makes the checksum.
	if r, err := n.GuestProbe(t.Context(), vm, virt.Command{Shell: "head -c 6000000 /dev/zero >/root/zero"}); err != nil || r.RC != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	f, err := n.GuestFile(t.Context(), vm, "/root/zero", 1)
	sum := sha256.Sum256(make([]byte, 6000000))
	if err != nil || f.Content != nil || f.Size != 6000000 || f.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := n.GuestFile(t.Context(), vm, "/root", 1<<20); !errors.Is(err, virt.ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
	if f, err := n.GuestFile(t.Context(), vm, "/proc/version", 1<<20); err != nil || !strings.Contains(string(f.Content), "Linux") {
		t.Errorf("a file without a size: %+v, %v", f, err)
	}
	labNothingLeft(t, n, vm, "/root")
}

// labNothingLeft looks for files of nactl's own in a directory of a guest. It
// looks by a bare script, for a command has such files while it runs.
func labNothingLeft(t *testing.T, n *Node, vm, dir string) {
	t.Helper()
	err := n.withAgent(t.Context(), "look for leftovers", vm, nil, func(ctx context.Context, a *agent) error {
		r, err := a.script(ctx, `ls -A "$1" | grep nactl`, dir)
		if err == nil && r.Stdout != "" {
			t.Errorf("left in the guest's %s: %s", dir, r.Stdout)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
