package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/google/go-cmp/cmp"
	"github.com/nactl/nactl/virt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func change(cmd virt.Command) virt.LocalExec {
	return virt.LocalExec{On: virt.On{Ref: Ref()}, Command: cmd}
}

func TestApply(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hello"), []byte("#!/bin/sh\necho from $PWD\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		cmd  virt.Command
		want virt.CommandResult
	}{
		{"argument list, no shell in between", virt.Command{Argv: []string{"echo", "$HOME", "a  b"}}, virt.CommandResult{Stdout: "$HOME a  b\n"}},
		{"shell", virt.Command{Shell: "echo one | tr o 0; echo two >&2; exit 3"}, virt.CommandResult{RC: 3, Stdout: "0ne\n", Stderr: "two\n"}},
		{"stdin", virt.Command{Argv: []string{"cat"}, Stdin: "given"}, virt.CommandResult{Stdout: "given"}},
		{"no stdin is an empty one", virt.Command{Argv: []string{"cat"}}, virt.CommandResult{}},
		{"a command that does not read its stdin", virt.Command{Argv: []string{"true"}, Stdin: strings.Repeat("x", 1<<20)}, virt.CommandResult{}},
		{"environment is added", virt.Command{Shell: "test -n \"$PATH\" && echo $GREETING", Env: map[string]string{"GREETING": "hello"}}, virt.CommandResult{Stdout: "hello\n"}},
		{"chdir", virt.Command{Argv: []string{"pwd"}, Dir: dir}, virt.CommandResult{Stdout: dir + "\n"}},
		{"a program beside chdir", virt.Command{Argv: []string{"./hello"}, Dir: dir}, virt.CommandResult{Stdout: "from " + dir + "\n"}},
		{"a program in the PATH that is given", virt.Command{Argv: []string{"hello"}, Env: map[string]string{"PATH": dir + ":/bin"}, Dir: "/"}, virt.CommandResult{Stdout: "from /\n"}},
		{"ended by a signal", virt.Command{Shell: "kill -TERM $$"}, virt.CommandResult{RC: 143, Signal: 15}},
		{"no terminal to ask on", virt.Command{Shell: "test -t 0 || (exec </dev/tty) 2>/dev/null || echo none"}, virt.CommandResult{Stdout: "none\n"}},
		{"within its time limit", virt.Command{Argv: []string{"true"}, Timeout: time.Minute}, virt.CommandResult{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := New().Apply(t.Context(), change(tt.cmd))
			if err != nil {
				t.Fatal(err)
			}
			want := virt.Outcome{Changed: true, Result: &tt.want}
			if d := cmp.Diff(want, out); d != "" {
				t.Errorf("outcome (-want +got):\n%s", d)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	out, err := New().Probe(t.Context(), virt.Command{Shell: "head -c 5000000 /dev/zero | tr '\\0' a; echo end >&2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Stdout) != outputLimit || !out.StdoutTruncated {
		t.Errorf("stdout has %d bytes, truncated %v", len(out.Stdout), out.StdoutTruncated)
	}
	if out.Stderr != "end\n" || out.StderrTruncated || out.RC != 0 {
		t.Errorf("stderr %q, truncated %v, rc %d: want it whole", out.Stderr, out.StderrTruncated, out.RC)
	}
}

func TestCappedKeepsWholeCharacters(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"abcd", "abcd"}, {"abcdé", "abcd"}, {"abcé!", "abc"}, {"ab€!", "ab"}, {"a€!", "a€"}, {"\x80\x80\x80\x80\x80", "\x80\x80\x80\x80"},
	} {
		c := &capped{limit: 4}
		for i := range len(tt.in) {
			_, _ = c.Write([]byte{tt.in[i]})
		}
		if got := c.String(); got != tt.want || c.truncated() != (len(tt.in) > 4) {
			t.Errorf("capped %q: got %q, truncated %v, want %q", tt.in, got, c.truncated(), tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		cmd  virt.Command
		kind error
		says []string
	}{
		{"nothing", virt.Command{}, virt.ErrInvalid, []string{"no command"}},
		{"both forms", virt.Command{Argv: []string{"a"}, Shell: "a"}, virt.ErrInvalid, []string{"both"}},
		{"empty program", virt.Command{Argv: []string{"", "x"}}, virt.ErrInvalid, []string{"first argument"}},
		{"no such program", virt.Command{Argv: []string{"nactl-no-such"}}, virt.ErrNotFound, []string{`no program "nactl-no-such"`}},
		{"no such file", virt.Command{Argv: []string{"./nope"}, Dir: dir}, virt.ErrNotFound, []string{`no program "./nope"`}},
		{"not in the PATH that is given", virt.Command{Argv: []string{"ls"}, Env: map[string]string{"PATH": dir + ":relative"}}, virt.ErrNotFound, []string{`"ls"`}},
		{"not executable", virt.Command{Argv: []string{plain}}, virt.ErrInvalid, []string{"cannot be executed"}},
		{"no such directory", virt.Command{Argv: []string{"ls"}, Dir: dir + "/none"}, virt.ErrNotFound, []string{"cannot run in"}},
		{"not a directory", virt.Command{Argv: []string{"ls"}, Dir: plain}, virt.ErrNotFound, []string{"cannot run in"}},
		{"too long", virt.Command{Shell: "echo waiting for Godot; exec sleep 60", Timeout: 100 * time.Millisecond}, virt.ErrTimeout, []string{"within 100ms"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New().Apply(t.Context(), change(tt.cmd))
			if !errors.Is(err, tt.kind) {
				t.Fatalf("error %v, want one of kind %v", err, tt.kind)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("error %q does not say %q", err, s)
				}
			}
			var e *virt.Error
			if !errors.As(err, &e) {
				t.Fatalf("%T is no virt.Error", err)
			}
			if tt.kind == virt.ErrTimeout && !strings.Contains(e.Found, "Godot") {
				t.Errorf("found %q, want the command's last words", e.Found)
			}
		})
	}
}

// Children that outlive their parent must not outlive an interrupted step.
func TestCancelEndsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if b, _ := os.ReadFile(pidFile); strings.HasSuffix(string(b), "\n") {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := New().Apply(ctx, change(virt.Command{
		Shell: "(trap 'echo tidied > tidy; exit' TERM; sh -c 'echo $PPID' > pid; while :; do sleep 0.05; done) & wait", Dir: dir,
	}))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("error %v, want an interruption", err)
	}
	b, _ := os.ReadFile(pidFile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !isZombie(pid) {
		t.Errorf("process %d is still there (%v)", pid, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tidy")); err != nil || string(b) != "tidied\n" {
		t.Errorf("the child had no time to tidy up: %q, %v", b, err)
	}
}

// isZombie tells whether a process has ended and waits for its parent, which in a
// container may be nobody.
func isZombie(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestBackgroundIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	res, err := New().Probe(t.Context(), virt.Command{Shell: "echo started; while ! test -e stop; do sleep 0.05; done & echo on its own", Dir: dir})
	if werr := os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600); werr != nil {
		t.Fatal(werr)
	}
	if err != nil || res.RC != 0 || res.Stdout != "started\non its own\n" {
		t.Errorf("result %+v, error %v", res, err)
	}
}

func TestCancelledBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "made")
	if _, err := New().Apply(ctx, change(virt.Command{Argv: []string{"touch", file}})); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if there, err := New().Exists(t.Context(), file); there || err != nil {
		t.Errorf("the command ran: %v, %v", there, err)
	}
}

func TestExists(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		path string
		want bool
		err  bool
	}{{dir, true, false}, {dir + "/none", false, false}, {"bad\x00name", false, true}} {
		got, err := New().Exists(t.Context(), tt.path)
		if got != tt.want || (err != nil) != tt.err {
			t.Errorf("Exists(%q) = %v, %v", tt.path, got, err)
		}
	}
}

func TestOtherChanges(t *testing.T) {
	c := virt.Start{On: virt.On{Ref: virt.VMRef("web-1")}}
	l := New()
	_, applyErr := l.Apply(t.Context(), c)
	_, _, predictErr := l.Predict(nil, c)
	for name, err := range map[string]error{"Supports": l.Supports(c), "Check": l.Check(t.Context(), nil, c), "Apply": applyErr, "Predict": predictErr} {
		if !errors.Is(err, virt.ErrUnsupported) {
			t.Errorf("%s gave %v, want %v", name, err, virt.ErrUnsupported)
		}
	}
}

func TestPredict(t *testing.T) {
	after, out, err := New().Predict(nil, change(virt.Command{Shell: "touch /nactl-must-not-be-made"}))
	if after != nil || err != nil || !cmp.Equal(out, virt.Outcome{Changed: true}) {
		t.Errorf("got %v, %+v, %v", after, out, err)
	}
}
