//go:build cgo

package libvirt

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/guest"
)

// Limits of commands in a guest, in bytes. keptInline and keptInFile are also
// numbers in the wrapper, guest/exec.sh.
const (
	// keptInline is how much of each output the agent gives back by itself.
	keptInline = 1 << 20
	// keptInFile is how much more a file in the guest takes: together the agent's
	// own limit.
	keptInFile = guest.MaxOutput - keptInline
	// stdinInline is how much standard input goes with the request; more is written
	// into a file in the guest first. See maxRequest.
	stdinInline = 32 << 10
	// maxStdin keeps a playbook from filling a guest's /tmp.
	maxStdin = 64 << 20
)

// killGrace is how long a command has to end after a signal.
const killGrace = 2 * time.Second

// backoff gives the waits between looks at a command: soon at first, for most
// are quick, then seldom, for each look is work for a busy guest.
type backoff struct{ next time.Duration }

func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(20*time.Millisecond, b.next*3/2), time.Second)
	return sleep(ctx, b.next)
}

// sleep waits, or gives the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// execStatus is the reply to guest-exec-status.
type execStatus struct {
	Exited       bool   `json:"exited"`
	ExitCode     int    `json:"exitcode"`
	Signal       int    `json:"signal"`
	Out          string `json:"out-data"`
	Err          string `json:"err-data"`
	OutTruncated bool   `json:"out-truncated"`
	ErrTruncated bool   `json:"err-truncated"`
}

// result decodes the outputs.
func (s execStatus) result() (*virt.CommandResult, error) {
	stdout, err := base64.StdEncoding.DecodeString(s.Out)
	if err != nil {
		return nil, fmt.Errorf("standard output from the agent: %w", err)
	}
	stderr, err := base64.StdEncoding.DecodeString(s.Err)
	if err != nil {
		return nil, fmt.Errorf("standard error from the agent: %w", err)
	}
	r := &virt.CommandResult{RC: s.ExitCode, Signal: s.Signal, Stdout: string(stdout), Stderr: string(stderr),
		StdoutTruncated: s.OutTruncated, StderrTruncated: s.ErrTruncated}
	if s.Signal != 0 {
		r.RC = 128 + s.Signal
	}
	return r, nil
}

// execRequest is the request guest-exec.
type execRequest struct {
	Path    string   `json:"path"`
	Arg     []string `json:"arg,omitempty"`
	Env     []string `json:"env,omitempty"`
	Input   []byte   `json:"input-data,omitempty"` // encoding/json makes it base64
	Capture bool     `json:"capture-output"`
}

// exec runs a command to its end. A command that outlives its timeout, or the
// context, is killed with all that it started, as far as the guest lets us; the
// error tells whether it still runs. With ErrTimeout comes what it had printed.
func (a *agent) exec(ctx context.Context, c virt.Command) (*virt.CommandResult, error) {
	token := newToken()
	wrapped, err := a.wrap(c, token)
	if err != nil {
		return nil, err
	}
	if err := a.stage(ctx, &wrapped, token); err != nil {
		return nil, err
	}
	began := time.Now()
	pid, err := a.start(ctx, wrapped)
	spooled := true
	if isNoShell(err) && c.Shell == "" && c.Dir == "" {
		// A guest without a POSIX shell: the agent runs the command as it is. Its
		// environment is then all of c.Env, and its outputs had better be short.
		spooled = false
		pid, err = a.start(ctx, bare(c))
	}
	switch {
	case isNoShell(err):
		return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: a.vm, Summary: "has no /bin/sh",
			Hint: "give the command as a list of arguments, without shell and chdir", Err: err}
	case err != nil:
		return nil, err
	}
	if !spooled {
		token = "" // there are no files to look for
	}
	status, err := a.await(ctx, pid, began.Add(guest.Timeout(c)))
	if err != nil {
		return a.abandon(ctx, pid, c, token, err)
	}
	r, err := status.result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.vm, err)
	}
	if err := a.fetchRest(ctx, r, token); err != nil {
		return r, err
	}
	if err := guest.Entered(a.vm, c, r); err != nil {
		return nil, err
	}
	return r, nil
}

// isNoShell tells whether the agent did not find the shell.
func isNoShell(err error) bool {
	var own *agentError
	return errors.As(err, &own) && own.says("Failed to execute child process", "Failed to execute helper program", "No such file")
}

// start has the agent start a process.
func (a *agent) start(ctx context.Context, s execRequest) (pid int, err error) {
	var r struct {
		PID int `json:"pid"`
	}
	err = a.run(ctx, "guest-exec", s, &r)
	if err != nil && isReplyLost(err) {
		err = &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: a.vm, Summary: "the reply to the start of the command was lost",
			Hint: "look in the guest whether it ran", Err: err}
	}
	return r.PID, err
}

// isReplyLost tells whether a request may have reached the agent although no
// reply came.
func isReplyLost(err error) bool {
	return isLost(err) || isCode(err, lv.ERR_AGENT_COMMAND_TIMEOUT)
}

// await looks at a process until it has ended: ErrTimeout when it has not by
// then, ErrOutcomeUnknown when nobody can tell any more.
func (a *agent) await(ctx context.Context, pid int, deadline time.Time) (execStatus, error) {
	var b backoff
	var lastErr error
	for {
		var s execStatus
		err := a.run(ctx, "guest-exec-status", map[string]int{"pid": pid}, &s)
		var own *agentError
		switch {
		case err == nil && s.Exited:
			return s, nil
		case ctx.Err() != nil:
			return s, ctx.Err()
		case err == nil:
			lastErr = nil
		case errors.As(err, &own) && own.says("Invalid parameter", "pid"):
			return s, a.unknown("the guest agent restarted and has forgotten the command", err)
		case errors.Is(err, virt.ErrNotFound), errors.Is(err, virt.ErrConflict):
			return s, a.unknown("the VM went away while the command ran: it was powered off, moved or deleted", err)
		case errors.Is(err, virt.ErrAgent):
			lastErr = err // an agent that restarts, a guest that is busy: it may come back
		default:
			return s, a.unknown("its guest agent could not be asked how the command ended", err)
		}
		if !time.Now().Before(deadline) {
			if lastErr != nil {
				return s, a.unknown("its guest agent stopped answering while the command ran", lastErr)
			}
			return s, virt.ErrTimeout
		}
		if err := b.wait(ctx); err != nil {
			return s, err
		}
	}
}

func (a *agent) unknown(summary string, err error) error {
	return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: a.vm, Summary: summary,
		Hint: "look in the guest what the command did", Err: err}
}

// abandon ends a command that nobody waits for any more, and says how it stands.
func (a *agent) abandon(ctx context.Context, pid int, c virt.Command, token string, cause error) (*virt.CommandResult, error) {
	stopped := ctx.Err() != nil
	if !stopped && !errors.Is(cause, virt.ErrTimeout) || errors.Is(cause, virt.ErrOutcomeUnknown) {
		return nil, cause
	}
	if c.LeaveRunning && !stopped {
		return nil, a.leftRunning(pid, token, guest.Timeout(c))
	}
	// The caller's context may be over; killing gets a little time of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*killGrace)
	defer cancel()
	var r *virt.CommandResult
	found := fmt.Sprintf("it was killed (process %d)", pid)
	if status, err := a.kill(ctx, pid); err != nil {
		found = fmt.Sprintf("it still runs in the guest as process %d, for killing it failed: %v", pid, err)
	} else if r, err = status.result(); err != nil {
		return nil, fmt.Errorf("%s: %w", a.vm, err)
	} else if err = a.fetchRest(ctx, r, token); err != nil {
		found += fmt.Sprintf("; the end of its output is lost: %v", err)
	} else if last := guest.LastWords(r); last != "" {
		found += "; its last words: " + last
	}
	if !stopped {
		cause = nil
	}
	return r, guest.Abandoned(a.vm, c, cause, found)
}

// killScript ends the session that the wrapper made, or at least the process.
const killScript = `kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2"`

// kill ends a process, first politely, and gives its status.
func (a *agent) kill(ctx context.Context, pid int) (status execStatus, err error) {
	for _, signal := range []string{"TERM", "KILL"} {
		_, err = a.start(ctx, execRequest{Path: "/bin/sh", Arg: []string{"-c", killScript, "nactl", signal, fmt.Sprint(pid)}})
		if err != nil {
			return status, err
		}
		status, err = a.await(ctx, pid, time.Now().Add(killGrace))
		if !errors.Is(err, virt.ErrTimeout) {
			return status, err
		}
	}
	return status, errors.New("it does not react to SIGKILL")
}

// wrap makes the request that runs a command under the wrapper, or says why the
// command cannot be run.
func (a *agent) wrap(c virt.Command, token string) (execRequest, error) {
	if len(c.Stdin) > maxStdin {
		return execRequest{}, &virt.Error{Kind: virt.ErrInvalid, Object: a.vm, Summary: "the command's standard input is too long for the guest agent",
			Wanted: "at most " + virt.FormatSize(maxStdin), Found: virt.FormatSize(int64(len(c.Stdin))),
			Hint: "write it with guest_file and have the command read that"}
	}
	args, input, err := guest.Wrap(a.vm, c, token)
	if err != nil {
		return execRequest{}, err
	}
	return execRequest{Path: "/bin/sh", Arg: args, Input: input, Capture: true}, nil
}

// stageScript makes an empty file that only its owner can read, and prints its
// path.
const stageScript = `umask 077
for d in /tmp /var/tmp /run /dev/shm; do
	if : >"$d/.nactl-$1.in"; then printf %s "$d/.nactl-$1.in"; exit 0; fi
done 2>/dev/null
exit 1`

// stage writes an input that is too long for a request into a file, from which
// the wrapper takes it. The wrapper removes the file.
func (a *agent) stage(ctx context.Context, s *execRequest, token string) error {
	if len(s.Input) <= stdinInline {
		return nil
	}
	r, err := a.script(ctx, stageScript, token)
	if err == nil && r.RC != 0 {
		err = &virt.Error{Kind: virt.ErrConflict, Object: a.vm, Summary: "there is no room for the command's standard input",
			Wanted: "a directory to write in: " + strings.Join(spoolDirs, ", ")}
	}
	if err != nil {
		return err
	}
	if err := a.writeContent(ctx, r.Stdout, s.Input); err != nil {
		return fmt.Errorf("the command's standard input: %w", err)
	}
	s.Arg[guest.InputFile], s.Input = r.Stdout, nil
	return nil
}

// bare makes the request that runs a command without a shell.
func bare(c virt.Command) execRequest {
	s := execRequest{Path: c.Argv[0], Arg: c.Argv[1:], Input: []byte(c.Stdin), Capture: true}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		s.Env = append(s.Env, name+"="+c.Env[name])
	}
	return s
}

// spoolDirs are where the wrapper may have put what the agent did not take.
var spoolDirs = []string{"/tmp", "/var/tmp", "/run", "/dev/shm"}

// fetchRest completes outputs of which a file in the guest holds the rest, and
// removes that file.
func (a *agent) fetchRest(ctx context.Context, r *virt.CommandResult, token string) error {
	if token == "" {
		return nil
	}
	var dir string
	for _, o := range []struct {
		name      string
		text      *string
		truncated *bool
	}{{"stdout", &r.Stdout, &r.StdoutTruncated}, {"stderr", &r.Stderr, &r.StderrTruncated}} {
		if len(*o.text) > keptInline { // a guest whose dd cannot stop in time: no file
			*o.text, *o.truncated = (*o.text)[:keptInline], true
		}
		if len(*o.text) < keptInline || *o.truncated {
			continue
		}
		for _, d := range spoolDirs {
			d += "/.nactl-" + token
			rest, err := a.readFile(ctx, d+"/"+o.name, keptInFile+1)
			if errors.Is(err, virt.ErrNotFound) {
				continue
			}
			if err != nil {
				*o.truncated = true
				return fmt.Errorf("the rest of the command's output: %w", err)
			}
			dir = d
			_, short := a.readFile(ctx, d+"/"+o.name+".short", 1)
			*o.truncated = len(rest) > keptInFile || short == nil
			*o.text += string(rest[:min(len(rest), keptInFile)])
			break
		}
	}
	if dir == "" {
		return nil
	}
	pid, err := a.start(ctx, execRequest{Path: "/bin/sh", Arg: []string{"-c", `rm -rf -- "$1"`, "nactl", dir}})
	if err == nil {
		_, err = a.await(ctx, pid, time.Now().Add(agentTimeout))
	}
	if err != nil {
		return fmt.Errorf("%s: remove %s in the guest: %w", a.vm, dir, err)
	}
	return nil
}

// tokenBytes is how much chance a token has.
const tokenBytes = 8

// newToken makes a name that no other run has.
func newToken() string {
	var b [tokenBytes]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
