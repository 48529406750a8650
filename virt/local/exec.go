package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nactl/nactl/virt"
)

const (
	// outputLimit is the number of bytes that are kept of each output stream.
	outputLimit = 4 << 20
	// grace is how long a command may take to end after SIGTERM.
	grace = 5 * time.Second
	// lingering is how long the output of a command that has ended may stay open in
	// the hands of what it left in the background.
	lingering = time.Second
)

// run starts a command in a session of its own, without a terminal, and waits
// for its end. Environment variables are added to those of this process; stdin
// is empty unless given. A Timeout of 0 is no limit but the context's.
//
// When the time is over or the context ends, the command and all that it started
// get SIGTERM, and SIGKILL after a grace of 5 s. What it left in the background
// when it ended by itself stays: starting a daemon is a fair use.
//
// The errors are about running it: a program that is not there is ErrNotFound,
// an expired time limit ErrTimeout. An exit status is none.
func run(ctx context.Context, c virt.Command) (*virt.CommandResult, error) {
	if err := wellFormed(c); err != nil {
		return nil, err
	}
	cmd, err := command(c)
	if err != nil {
		return nil, err
	}
	stdout, stderr := &capped{limit: outputLimit}, &capped{limit: outputLimit}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = lingering

	timed := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		timed, cancel = context.WithTimeoutCause(ctx, c.Timeout, errOwnLimit)
		defer cancel()
	}
	if err := timed.Err(); err != nil {
		return nil, interrupted(c, timed)
	}
	if err := cmd.Start(); err != nil {
		return nil, startError(c, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()

	select {
	case err = <-done:
	case <-timed.Done():
		endGroup(cmd.Process.Pid, done)
		if errors.Is(context.Cause(timed), errOwnLimit) {
			return nil, overdue(c, stdout, stderr)
		}
		return nil, interrupted(c, timed)
	}
	res := &virt.CommandResult{
		Stdout: stdout.String(), Stderr: stderr.String(),
		StdoutTruncated: stdout.truncated(), StderrTruncated: stderr.truncated(),
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return nil, fmt.Errorf("controller: waiting for %s: %w", title(c), err)
	}
	res.RC = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		res.Signal = int(ws.Signal())
		res.RC = 128 + res.Signal
	}
	return res, nil
}

var errOwnLimit = errors.New("the command's own time limit")

// endGroup ends the process group that pid leads, and waits until its leader is
// gone; done carries the leader's end.
func endGroup(pid int, done <-chan error) {
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	gone := false
	for {
		select {
		case <-done:
			gone = true
			done = nil
		case <-look.C:
			// The leader may be gone while its children still tidy up.
			if gone && syscall.Kill(-pid, 0) != nil {
				return
			}
		case <-deadline.C:
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			if !gone {
				<-done
			}
			return
		}
	}
}

// command makes the process to be started.
func command(c virt.Command) (*exec.Cmd, error) {
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
			e := &virt.Error{Kind: virt.ErrNotFound, Object: Ref(), Summary: fmt.Sprintf("cannot run in %s", c.Dir),
				Wanted: "a directory", Found: "a file", Hint: "make the directory first, or correct chdir"}
			if err != nil {
				e.Found = err.Error()
			}
			return nil, e
		}
	}
	argv := c.Argv
	if c.Shell != "" {
		argv = []string{"/bin/sh", "-c", c.Shell}
	}
	path, err := lookUp(argv[0], c)
	if err != nil {
		return nil, startError(c, err)
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: c.Dir, Env: os.Environ()}
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		cmd.Env = append(cmd.Env, k+"="+c.Env[k])
	}
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	}
	return cmd, nil
}

// lookUp finds a program as the command itself would see it: in the PATH that is
// given to it, a path with a slash from the directory in which it will run.
func lookUp(program string, c virt.Command) (string, error) {
	if strings.Contains(program, "/") {
		if !filepath.IsAbs(program) && c.Dir != "" {
			dir, err := filepath.Abs(c.Dir)
			if err != nil {
				return "", err
			}
			program = filepath.Join(dir, program)
		}
		return exec.LookPath(program)
	}
	paths, given := c.Env["PATH"]
	if !given {
		return exec.LookPath(program)
	}
	for _, dir := range filepath.SplitList(paths) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if p, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return p, nil
		}
	}
	return "", &exec.Error{Name: program, Err: exec.ErrNotFound}
}

// startError says why a program could not be started.
func startError(c virt.Command, err error) error {
	program := "/bin/sh"
	if c.Shell == "" {
		program = c.Argv[0]
	}
	e := &virt.Error{Object: Ref(), Err: err}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		path, given := c.Env["PATH"]
		if !given {
			path = os.Getenv("PATH")
		}
		e.Kind = virt.ErrNotFound
		e.Summary = fmt.Sprintf("there is no program %q", program)
		e.Wanted = "an executable file in " + path
		if strings.Contains(program, "/") {
			e.Wanted = "an executable file"
		}
		e.Hint = "install it on the machine that runs nactl, or give its whole path; for pipes and built-in words use a shell text"
	case errors.Is(err, fs.ErrPermission):
		e.Kind = virt.ErrInvalid
		e.Summary = fmt.Sprintf("%q cannot be executed", program)
		e.Hint = "make it executable (chmod +x), or name the interpreter first"
	default:
		e.Kind = virt.ErrInvalid
		e.Summary = fmt.Sprintf("cannot start %q", program)
	}
	return e
}

// overdue says that a command took too long, with the last of what it said.
func overdue(c virt.Command, stdout, stderr *capped) error {
	found := "no output"
	if s := lastLine(stderr.String()); s != "" {
		found = "its last words: " + s
	} else if s := lastLine(stdout.String()); s != "" {
		found = "its last words: " + s
	}
	return &virt.Error{Kind: virt.ErrTimeout, Object: Ref(),
		Summary: fmt.Sprintf("%s did not end within %s and was stopped", title(c), c.Timeout),
		Found:   found, Hint: "give it more time with timeout, or see what it waits for"}
}

func interrupted(c virt.Command, ctx context.Context) error {
	return fmt.Errorf("controller: %s was interrupted: %w", title(c), context.Cause(ctx))
}

// title names a command in errors: its beginning is enough to know it again.
func title(c virt.Command) string {
	s := c.Shell
	if s == "" {
		s = strings.Join(c.Argv, " ")
	}
	s, _, more := strings.Cut(s, "\n")
	const most = 60
	if r := []rune(s); len(r) > most {
		s, more = string(r[:most]), true
	}
	if more {
		s += "…"
	}
	return fmt.Sprintf("%q", s)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
