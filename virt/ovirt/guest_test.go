package ovirt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	guestsh "github.com/nactl/nactl/virt/guest"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// loginTo makes an engine's guests ones that a test's sshd stands for.
func loginTo(srv *sshtest.Server) func(*Config) {
	return func(c *Config) {
		cfg := srv.Config()
		cfg.Address = ""
		c.Guests = &cfg
	}
}

// sshGuest gives a running VM without cloud-init whose agent reports an address.
func sshGuest(t *testing.T, sim *ovirtsim.Engine, e *Engine, name, address string) string {
	t.Helper()
	guestOn(t, e, name)
	if !sim.SetAddress(name, "nic1", address) {
		apply(t, e, name, func(o virt.On) virt.Change {
			return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "nic1", Network: "lan"}}
		})
		if !sim.SetAddress(name, "nic1", address) {
			t.Fatal("no NIC")
		}
	}
	return name
}

// withGuest starts an sshd, and an engine with the guest g behind it.
func withGuest(t *testing.T, o sshtest.Options, edit ...func(*Config)) (*ovirtsim.Engine, *Engine, *sshtest.Server) {
	t.Helper()
	if o.Host == "" {
		o.Host = "127.0.0.62"
	}
	srv := sshtest.Start(t, o)
	sim, e := simulated(t, small(), append([]func(*Config){loginTo(srv)}, edit...)...)
	sshGuest(t, sim, e, "g", srv.Host)
	return sim, e, srv
}

func TestGuestCommands(t *testing.T) {
	_, e, srv := withGuest(t, sshtest.Options{})
	dir := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	for _, tt := range []struct {
		name string
		c    virt.Command
		want virt.CommandResult
	}{
		{"argv", virt.Command{Argv: []string{"printf", "%s|", "a b", "$(id)", "'"}}, virt.CommandResult{Stdout: "a b|$(id)|'|"}},
		{"status and both outputs", virt.Command{Shell: "echo out; echo err >&2; exit 7"}, virt.CommandResult{RC: 7, Stdout: "out\n", Stderr: "err\n"}},
		{"signal", virt.Command{Shell: "kill -9 $$"}, virt.CommandResult{RC: 137, Signal: 9}},
		{"no such program", virt.Command{Argv: []string{"/no/such"}}, virt.CommandResult{RC: 127}},
		{"environment, input, directory", virt.Command{Shell: `pwd; printf %s "$A"; cat`, Env: map[string]string{"A": "it's\n"}, Stdin: "in", Dir: dir}, virt.CommandResult{Stdout: dir + "\nit's\nin"}},
		{"long input and output", virt.Command{Argv: []string{"cat"}, Stdin: big}, virt.CommandResult{Stdout: big}},
		{"too much of one output", virt.Command{Shell: fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; echo e >&2", guestsh.MaxOutput+1)},
			virt.CommandResult{Stdout: strings.Repeat("x", guestsh.MaxOutput), Stderr: "e\n", StdoutTruncated: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := apply(t, e, "g", func(o virt.On) virt.Change { return virt.GuestExec{On: o, Command: tt.c} })
			got, ok := out.Result.(*virt.CommandResult)
			if !ok || !out.Changed {
				t.Fatalf("%+v", out)
			}
			if tt.want.RC == 127 {
				got.Stderr = "" // the shell's own words
			}
			if *got != tt.want {
				t.Errorf("%d, signal %d, %.60q (%d bytes), %.60q, %v, %v", got.RC, got.Signal, got.Stdout, len(got.Stdout), got.Stderr, got.StdoutTruncated, got.StderrTruncated)
			}
		})
	}
	if n := strings.Count(srv.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("%d logins for one guest, want 1", n)
	}
	for name, c := range map[string]virt.Command{
		"no directory": {Argv: []string{"true"}, Dir: dir + "/none"}, "relative": {Argv: []string{"true"}, Dir: "x"},
		"nothing": {}, "bad name": {Argv: []string{"true"}, Env: map[string]string{"A B": "x"}},
	} {
		if _, err := e.GuestProbe(t.Context(), "g", c); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

// A command that nobody waits for any more is ended with all that it started.
func TestGuestCommandIsKilled(t *testing.T) {
	_, e, _ := withGuest(t, sshtest.Options{})
	mark := filepath.Join(t.TempDir(), "pid")
	long := virt.Command{Shell: `sleep 300 & echo $! >"$M"; echo so far; wait`, Env: map[string]string{"M": mark}}
	gone := func() {
		t.Helper()
		pid, err := os.ReadFile(mark)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
			if err != nil || strings.Contains(string(stat), ") Z ") { // nobody may have collected it yet
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("process %s still runs", pid)
	}
	long.Timeout = 500 * time.Millisecond
	r, err := e.GuestProbe(t.Context(), "g", long)
	var said *virt.Error
	if !errors.Is(err, virt.ErrTimeout) || !errors.As(err, &said) || !strings.Contains(said.Found, "so far") || r == nil || r.Stdout != "so far\n" {
		t.Errorf("%+v, %v", r, err)
	}
	gone()
	os.Remove(mark)
	long.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 500 {
			if b, _ := os.ReadFile(mark); len(b) > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := e.GuestProbe(ctx, "g", long); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	gone()
}

func TestGuestFiles(t *testing.T) {
	_, e, _ := withGuest(t, sshtest.Options{})
	dir := t.TempDir()
	path := filepath.Join(dir, "it's a file")
	write := func(content, mode string) virt.Outcome {
		t.Helper()
		ref := virt.Ref{Kind: virt.KindGuestFile, Scope: "g", Name: path}
		before, err := virt.Read(t.Context(), e, ref)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(content))
		c := virt.GuestWrite{On: virt.On{Ref: ref, Before: before}, Content: []byte(content), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		if mode != "" {
			c.Mode = virt.Some(mode)
		}
		out, err := e.Apply(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".nactl-*")); left != nil {
			t.Errorf("left behind: %v", left)
		}
		return out
	}
	read := func(path string, limit int64) *virt.GuestFile {
		t.Helper()
		f, err := e.GuestFile(t.Context(), "g", path, limit)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if out := write("hello\n", ""); !out.Changed {
		t.Errorf("%+v", out)
	}
	if f := read(path, 100); string(f.Content) != "hello\n" || f.Mode != "0644" || f.Owner == "" || f.Size != 6 {
		t.Errorf("%+v", f)
	}
	if out := write("hello\n", ""); out.Changed {
		t.Errorf("written again: %+v", out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if out := write("hello\n", "0600"); !out.Changed || read(path, 100).Mode != "0600" {
		t.Errorf("mode: %+v", out)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
		t.Errorf("the content was sent for a mode: %v", err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	write(big, "")
	if f := read(path, 8<<20); string(f.Content) != big || f.Mode != "0600" {
		t.Errorf("%d bytes, mode %s", f.Size, f.Mode)
	}
	if f := read(path, 100); f.Content != nil || f.Size != int64(len(big)) || f.SHA256 == "" {
		t.Errorf("over the limit: %+v", f)
	}
	if f := read(path, 0); f.SHA256 != "" || f.Mode != "" {
		t.Errorf("asked whether it is there: %+v", f)
	}
	if f := read("/proc/version", 1<<20); !strings.Contains(string(f.Content), "Linux") {
		t.Errorf("a file without size: %+v", f)
	}
	if f := read("/proc/version", 5); f.Content != nil || f.Size < 20 || f.SHA256 == "" {
		t.Errorf("a file without size, over the limit: %+v", f)
	}
	var missing *virt.Error
	if _, err := e.GuestFile(t.Context(), "g", path+"x", 1); !errors.As(err, &missing) || missing.Kind != virt.ErrNotFound || missing.Object.Kind != virt.KindGuestFile {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := e.GuestFile(t.Context(), "none", path, 1); !errors.As(err, &missing) || missing.Kind != virt.ErrNotFound || missing.Object.Kind != virt.KindVM {
		t.Errorf("in a missing VM: %v", err)
	}
	for _, p := range []string{dir, "relative"} {
		if _, err := e.GuestFile(t.Context(), "g", p, 1); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%s: %v", p, err)
		}
	}
	path = filepath.Join(dir, "none", "f")
	sum := sha256.Sum256(nil)
	if _, err := e.Apply(t.Context(), virt.GuestWrite{On: virt.On{Ref: virt.Ref{Kind: virt.KindGuestFile, Scope: "g", Name: path}}, SHA256: hex.EncodeToString(sum[:])}); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("into no directory: %v", err)
	}
}

// path puts programs before those that an sshd finds.
func withPrograms(t *testing.T, scripts map[string]string) sshtest.Options {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return sshtest.Options{ExtraConfig: []string{"SetEnv PATH=" + dir + ":/usr/bin:/bin HOME=" + dir}}
}

func sudo(c *Config) { c.Guests.Become = "sudo" }

func TestGuestBecome(t *testing.T) {
	o := withPrograms(t, map[string]string{"sudo": `[ "$1 $2" = "-n --" ] || exit 99; shift 2; AS=root exec "$@"` + "\n"})
	_, e, _ := withGuest(t, o, sudo)
	r, err := e.GuestProbe(t.Context(), "g", virt.Command{Shell: `echo "$AS $A"; cat`, Env: map[string]string{"A": "a"}, Stdin: "in"})
	if err != nil || r.Stdout != "root a\nin" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.GuestFile(t.Context(), "g", "/etc/passwd", 1); err != nil {
		t.Error(err)
	}
}

// guestFails wants an error of a kind that says all of these words.
func guestFails(t *testing.T, e *Engine, kind error, words ...string) {
	t.Helper()
	_, err := e.GuestProbe(t.Context(), "g", virt.Command{Argv: []string{"true"}})
	var said *virt.Error
	if !errors.Is(err, kind) || !errors.As(err, &said) || !said.Object.Same(virt.VMRef("g")) {
		t.Fatalf("%v, want %v about the VM", err, kind)
	}
	all := fmt.Sprintln(err, "|", said.Wanted, "|", said.Found, "|", said.Hint)
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("%q is not in: %s", w, all)
		}
	}
	// A guest that cannot be reached says nothing about its engine.
	if errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth) {
		t.Errorf("%v gives up the whole engine", err)
	}
}

func TestGuestCannotBeReached(t *testing.T) {
	other := sshtest.Start(t, sshtest.Options{Host: "127.0.0.63"})
	for _, tt := range []struct {
		name  string
		o     sshtest.Options
		edit  func(*Config)
		spoil func(t *testing.T, sim *ovirtsim.Engine, e *Engine)
		kind  error
		words []string
	}{
		{"no access", sshtest.Options{}, func(c *Config) { c.Guests = nil }, nil, virt.ErrInvalid, []string{"guests: {user: admin", "identity_file"}},
		{"stopped", sshtest.Options{}, nil, func(t *testing.T, _ *ovirtsim.Engine, e *Engine) {
			apply(t, e, "g", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
		}, virt.ErrConflict, []string{"is not running", "power: {state: running}"}},
		{"no agent", sshtest.Options{}, nil, func(t *testing.T, sim *ovirtsim.Engine, e *Engine) {
			sim.NoAgent("g")
			apply(t, e, "g", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
			apply(t, e, "g", func(o virt.On) virt.Change { return virt.DetachNIC{On: o, NIC: "nic1"} })
			apply(t, e, "g", func(o virt.On) virt.Change { return virt.Start{On: o} })
		}, virt.ErrAgent, []string{"no guest agent that reports", "qemu-guest-agent", "for: agent"}},
		{"no address", sshtest.Options{}, nil, func(_ *testing.T, sim *ovirtsim.Engine, _ *Engine) { sim.SetAddress("g", "nic1", "fe80::1") },
			virt.ErrAgent, []string{"has no address yet", "for: ip"}},
		{"nobody listens", sshtest.Options{}, nil, func(_ *testing.T, sim *ovirtsim.Engine, _ *Engine) { sim.SetAddress("g", "nic1", "127.0.0.64") },
			virt.ErrAgent, []string{"its sshd does not answer", "127.0.0.64", "connection refused", "for: ssh, port: "}},
		{"unknown key", sshtest.Options{}, func(c *Config) { c.Guests.KnownHosts = []string{filepath.Join(t.TempDir(), "none")} }, nil,
			virt.ErrConflict, []string{"host key is not known", "SHA256:", "host_key: accept_new", "ssh-keyscan"}},
		{"another key", sshtest.Options{}, func(c *Config) {
			known := filepath.Join(t.TempDir(), "known_hosts")
			line := strings.Replace(other.KnownHostsLine(other.HostKeys[0].PublicKey()), "127.0.0.63", "127.0.0.*", 1)
			line = strings.Replace(line, fmt.Sprintf("]:%d", other.Port), fmt.Sprintf("]:%d", c.Guests.Port), 1)
			if err := os.WriteFile(known, []byte(line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Guests.KnownHosts, c.Guests.AcceptNew = []string{known}, true
		}, nil, virt.ErrConflict, []string{"host key is not the one that is known", "SHA256:", "ssh-keygen"}},
		{"not let in", sshtest.Options{NoIdentity: true}, nil, nil, virt.ErrConflict, []string{"does not let", "identity_file", "ssh_keys"}},
		{"sudo refused", withPrograms(t, map[string]string{"sudo": "echo 'sudo: a password is required' >&2; exit 1\n"}), sudo, nil,
			virt.ErrConflict, []string{"NOPASSWD", "a password is required"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var edit []func(*Config)
			if tt.edit != nil {
				edit = append(edit, tt.edit)
			}
			sim, e, _ := withGuest(t, tt.o, edit...)
			if tt.spoil != nil {
				tt.spoil(t, sim, e)
				e.Forget()
			}
			guestFails(t, e, tt.kind, tt.words...)
		})
	}
}

// The first address that answers counts.
func TestGuestAddresses(t *testing.T) {
	sim, e, srv := withGuest(t, sshtest.Options{})
	sim.SetAddress("g", "nic1", "fe80::1", "127.0.0.65", srv.Host)
	e.Forget()
	if r, err := e.GuestProbe(t.Context(), "g", virt.Command{Argv: []string{"true"}}); err != nil || r.RC != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestGuestKeyAtFirstSight(t *testing.T) {
	known := filepath.Join(t.TempDir(), "known_hosts")
	_, e, srv := withGuest(t, sshtest.Options{}, func(c *Config) { c.Guests.KnownHosts, c.Guests.AcceptNew = []string{known}, true })
	if _, err := e.GuestProbe(t.Context(), "g", virt.Command{Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(known); err != nil || string(got) != srv.KnownHostsLine(srv.HostKeys[0].PublicKey())+"\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// A connection that died between two commands is replaced before anything is
// sent; one that dies under a command leaves the outcome unknown.
func TestGuestConnectionDies(t *testing.T) {
	_, e, srv := withGuest(t, sshtest.Options{})
	do := func(c virt.Command) error {
		_, err := e.GuestProbe(t.Context(), "g", c)
		return err
	}
	if err := do(virt.Command{Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	srv.Signal(syscall.SIGKILL)
	if err := do(virt.Command{Argv: []string{"true"}}); err != nil {
		t.Errorf("after the connection died: %v", err)
	}
	if err := do(virt.Command{Shell: "kill -9 $PPID; sleep 9"}); !errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Errorf("when it died under the command: %v", err)
	}
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.Reboot{On: o} })
	if err := do(virt.Command{Argv: []string{"true"}}); err != nil {
		t.Errorf("after a reboot: %v", err)
	}
	if n := strings.Count(srv.Log(), "Accepted publickey"); n != 3 {
		t.Errorf("%d logins, want 3", n)
	}
}

// Ports are looked at from where guests are reached, and with one login there.
func TestGuestsBehindAJumpHost(t *testing.T) {
	jump := sshtest.Start(t, sshtest.Options{Host: "127.0.0.66"})
	_, e, srv := withGuest(t, sshtest.Options{}, func(c *Config) { c.Guests.Jump = []ssh.Config{jump.Config()} })
	for range 3 {
		if banner, err := e.GuestPort(t.Context(), "g", srv.Port); err != nil || !strings.HasPrefix(banner, "SSH-2.0") {
			t.Errorf("%q, %v", banner, err)
		}
	}
	if n := strings.Count(jump.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("%d logins at the jump host, want 1", n)
	}
	if r, err := e.GuestProbe(t.Context(), "g", virt.Command{Argv: []string{"true"}}); err != nil || r.RC != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.GuestPort(t.Context(), "g", 1); !errors.Is(err, virt.ErrAgent) {
		t.Errorf("where nobody listens: %v", err)
	}
}

// Many guests at once share a bounded number of connections.
func TestGuestConnectionsAreBounded(t *testing.T) {
	srv := sshtest.Start(t, sshtest.Options{Host: "127.0.0.62"})
	o := ovirtsim.Load(12, 2)
	for i := range o.VMs {
		o.VMs[i].Running = true
	}
	sim, e := simulated(t, o, loginTo(srv))
	e.logins.most = 3
	for i := range 12 {
		if name := fmt.Sprintf("vm%05d", i+1); !sim.SetAddress(name, "nic1", srv.Host) {
			t.Fatalf("%s has no nic1", name)
		}
	}
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			r, err := e.GuestProbe(t.Context(), fmt.Sprintf("vm%05d", i%12+1), virt.Command{Shell: "echo $$"})
			if err != nil || r.RC != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	e.logins.mu.Lock()
	defer e.logins.mu.Unlock()
	if n := len(e.logins.conns); n > 3 {
		t.Errorf("%d connections are open, want 3 at most", n)
	}
}
