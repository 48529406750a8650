package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
)

// expand replaces $NAME in files, for what is known only when the script runs.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		path := ts.MkAbs(f)
		text := os.Expand(ts.ReadFile(f), ts.Getenv)
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
	}
}

// exits runs a command and demands an exit code: exits CODE COMMAND…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := exitCode(ts, ts.Exec(args[1], args[2:]...))
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	ts.Check(err)
	return 0
}

// plain runs a command, whatever its exit code, and demands that what it prints
// is text: no control character but the line feed.
func plain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: plain COMMAND...")
	}
	exitCode(ts, ts.Exec(args[0], args[1:]...))
	for _, stream := range []string{"stdout", "stderr"} {
		text := ts.ReadFile(stream)
		if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
			ts.Fatalf("%s has a control character: %q", stream, text[i:])
		}
		if stream == "stdout" && text == "" {
			ts.Fatalf("stdout is empty")
		}
	}
}

// ndjson demands that stdout is one event a line, numbered 1, 2, … without gaps.
func ndjson(ts *testscript.TestScript, _ bool, _ []string) {
	n := 0
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		n++
		var e struct {
			Schema, Seq int
			Type        string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			ts.Fatalf("line %d is no event: %v", n, err)
		}
		if e.Schema != 1 || e.Seq != n || e.Type == "" {
			ts.Fatalf("line %d: %+v", n, e)
		}
	}
	if n == 0 {
		ts.Fatalf("stdout is empty")
	}
}

// interrupted runs a command whose playbook writes nactl's process id to the file
// pid, sends it a signal then, and demands an exit code: interrupted CODE SIGNAL
// COMMAND…. A + behind the signal repeats it until the command has ended.
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupted CODE SIGNAL[+] COMMAND...")
	}
	name, again := strings.CutSuffix(args[1], "+")
	signal, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[name]
	if !ok {
		ts.Fatalf("unknown signal %s", name)
	}
	file := ts.MkAbs("pid")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		ts.Fatalf("%v", err)
	}
	over, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			text, err := os.ReadFile(file)
			pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil || bad != nil {
				continue // not written yet
			}
			// It may have ended by itself, which the exit code shows.
			_ = syscall.Kill(pid, signal)
			if !again {
				return
			}
		}
	}()
	err := ts.Exec(args[2], args[3:]...)
	close(over)
	<-gone
	code := exitCode(ts, err)
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// empty demands that a directory holds nothing.
func empty(ts *testscript.TestScript, _ bool, dirs []string) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(ts.MkAbs(dir))
		ts.Check(err)
		for _, e := range entries {
			ts.Fatalf("%s is left in %s", e.Name(), dir)
		}
	}
}
