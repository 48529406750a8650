package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

func TestExec(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	dir := t.TempDir()
	odd := filepath.Join(dir, "-it's a $HOME")
	if err := os.Mkdir(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	for _, tt := range []struct {
		name string
		cmd  ssh.Command
		want ssh.Result
	}{
		{"argv", ssh.Command{Argv: []string{"printf", "%s\n", "a b", "$(id)", ""}},
			ssh.Result{Stdout: []byte("a b\n$(id)\n\n")}},
		{"shell", ssh.Command{Shell: "echo out; echo err >&2; exit 7"},
			ssh.Result{RC: 7, Stdout: []byte("out\n"), Stderr: []byte("err\n")}},
		{"signal", ssh.Command{Shell: "kill -9 $$"}, ssh.Result{RC: -1, Signal: "KILL"}},
		{"stdin", ssh.Command{Argv: []string{"cat"}, Stdin: strings.NewReader(big)},
			ssh.Result{Stdout: []byte(big)}},
		{"stdin not read", ssh.Command{Argv: []string{"true"}, Stdin: strings.NewReader(strings.Repeat(big, 8))},
			ssh.Result{}},
		{"env", ssh.Command{Argv: []string{"sh", "-c", `printf %s "$A|$B"`}, Env: map[string]string{"A": "x 'y' $z", "B": "1\n2"}},
			ssh.Result{Stdout: []byte("x 'y' $z|1\n2")}},
		{"env and a command with =", ssh.Command{Argv: []string{filepath.Join(dir, "a=b")}, Env: map[string]string{"A": "1"}},
			ssh.Result{Stdout: []byte("ran 1\n")}},
		{"dir", ssh.Command{Argv: []string{"pwd"}, Dir: odd}, ssh.Result{Stdout: []byte(odd + "\n")}},
		{"dir missing", ssh.Command{Shell: "pwd", Dir: dir + "/none"}, ssh.Result{RC: 126}},
		{"exactly the limit", ssh.Command{Argv: []string{"printf", "12345"}, MaxOutput: 5},
			ssh.Result{Stdout: []byte("12345")}},
		{"beyond the limit", ssh.Command{Shell: "printf 123456; printf abcdefg >&2", MaxOutput: 5},
			ssh.Result{Stdout: []byte("12345"), Stderr: []byte("abcde"), Truncated: true}},
		{"as long as can be", ssh.Command{Argv: []string{"printf", strings.Repeat("x", 128<<10-200-len("printf "))}},
			ssh.Result{Stdout: bytes.Repeat([]byte("x"), 128<<10-200-len("printf "))}},
		{"no such program", ssh.Command{Argv: []string{"/no/such"}}, ssh.Result{RC: 127}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := "#!/bin/sh\necho ran $A\n"
			if err := os.WriteFile(filepath.Join(dir, "a=b"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			got, err := c.Exec(testContext(t), tt.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if got.RC != tt.want.RC || got.Signal != tt.want.Signal || got.Truncated != tt.want.Truncated {
				t.Errorf("got %d %q truncated %v, want %d %q %v (stderr %s)", got.RC, got.Signal, got.Truncated,
					tt.want.RC, tt.want.Signal, tt.want.Truncated, got.Stderr)
			}
			if !bytes.Equal(got.Stdout, tt.want.Stdout) {
				t.Errorf("stdout %.80q (%d bytes), want %.80q (%d bytes)", got.Stdout, len(got.Stdout), tt.want.Stdout, len(tt.want.Stdout))
			}
			if tt.want.RC < 100 && !bytes.Equal(got.Stderr, tt.want.Stderr) {
				t.Errorf("stderr %q, want %q", got.Stderr, tt.want.Stderr)
			}
			if failed := got.Err() != nil; failed != (tt.want.RC != 0) {
				t.Errorf("Err() = %v for status %d", got.Err(), got.RC)
			}
		})
	}
}

func TestExecRefusesNonsense(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	for _, cmd := range []ssh.Command{
		{},
		{Argv: []string{""}},
		{Argv: []string{"true"}, Shell: "true"},
		{Argv: []string{"echo", "a\x00b"}},
		{Shell: "true", Env: map[string]string{"A B": "1"}},
		{Shell: "true", Env: map[string]string{"": "1"}},
		{Shell: "true", Env: map[string]string{"1A": "1"}},
		{Shell: "true", Dir: "/\x00"},
		{Shell: "echo " + strings.Repeat("x", 128<<10)},
	} {
		if _, err := c.Exec(testContext(t), cmd); err == nil {
			t.Errorf("%+v: no error", cmd)
		}
	}
	if n := c.Stats().Execs; n != 0 {
		t.Errorf("%d commands were run", n)
	}
}

// halfMinute is long enough to be cancelled, and ends if it is not.
const halfMinute = `i=0; while [ $i -lt 600 ]; do i=$((i+1)); sleep 0.05; done`

func TestExecCancelTerminatesTheCommand(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	mark := filepath.Join(t.TempDir(), "mark")
	for _, tt := range []struct {
		name, script string
		most         time.Duration
	}{
		{"polite", `trap 'echo TERM >"$M"; exit 3' TERM; echo started >"$M"; ` + halfMinute, time.Second},
		{"deaf", `trap "" TERM; echo $$ >"$M"; ` + halfMinute, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			os.Remove(mark)
			ctx, cancel := context.WithCancel(testContext(t))
			go func() {
				for i := 0; i < 500; i++ {
					if b, _ := os.ReadFile(mark); len(b) > 0 {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				cancel()
			}()
			_, err := c.Exec(ctx, ssh.Command{Shell: tt.script, Env: map[string]string{"M": mark}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v, want context.Canceled", err)
			}
			b, _ := os.ReadFile(mark)
			if tt.name == "polite" && string(b) != "TERM\n" {
				t.Errorf("the command has seen %q, want TERM", b)
			}
			if tt.name == "deaf" {
				if _, err := os.Stat("/proc/" + strings.TrimSpace(string(b))); err == nil {
					t.Errorf("process %s is still there", b)
				}
			}
		})
	}
	// The connection is still good.
	if r, err := c.Exec(testContext(t), ssh.Command{Argv: []string{"echo", "on"}}); err != nil || string(r.Stdout) != "on\n" {
		t.Errorf("after a cancelled command: %q, %v", r.Stdout, err)
	}
}

func TestExecManyAtOnce(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	var wg sync.WaitGroup
	for i := range 30 { // sshd allows 10 sessions
		wg.Go(func() {
			r, err := c.Exec(ctx, ssh.Command{Argv: []string{"echo", fmt.Sprint(i)}})
			if want := fmt.Sprintf("%d\n", i); err != nil || string(r.Stdout) != want {
				t.Errorf("got %q, %v, want %q", r.Stdout, err, want)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Execs != 30 || s.Connections != 1 {
		t.Errorf("%+v, want 30 execs on one connection", s)
	}
}

// Any argument reaches the command as it is, whatever the shell makes of its
// bytes.
func TestExecQuotesHostileArguments(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"'", `"`, "\\", "$(id)", "`id`", "\n", "\r", ";", "&&", "|", "~", "*", "?", "!", "#", "-n", "--", " ", "\t", "é", "\xff\xfe", "=", "{a,b}", "<", ">", "%s"}),
		rapid.StringMatching(`[\x01-\x7f]{0,6}`))
	rapid.Check(t, func(rt *rapid.T) {
		// Many words for one command: a round trip costs more than a word.
		words := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces"), "")
		}), 1, 60).Draw(rt, "words")
		value := strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(rt, "value"), "")
		r, err := c.Exec(ctx, ssh.Command{
			Argv: append([]string{"sh", "-c", `printf '%s\0' "$V" "$@"`, "sh"}, words...),
			Env:  map[string]string{"V": value},
		})
		if err != nil {
			rt.Fatal(err)
		}
		want := value + "\x00" + strings.Join(words, "\x00") + "\x00"
		if string(r.Stdout) != want {
			rt.Fatalf("got %q, want %q", r.Stdout, want)
		}
	})
}
