package ssh

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// DefaultMaxOutput is Command's limit for each of stdout and stderr, in bytes.
const DefaultMaxOutput = 8 << 20

// Command is one command for Exec. Exactly one of Argv and Shell is set.
type Command struct {
	Argv  []string // a program and its arguments, taken literally
	Shell string   // a script for the node's /bin/sh

	// Stdin should be a reader that comes to an end by itself: one that blocks
	// keeps a goroutine after the command has ended. Nil: empty.
	Stdin io.Reader
	// Env is added to the login environment. It shows in the node's process
	// list while the command starts: a secret belongs into Stdin.
	Env map[string]string
	Dir string // working directory; default: the login directory
	// Become runs the command as root by Config.Become. Env and Dir hold for
	// the command itself, beyond sudo.
	Become bool
	// MaxOutput bounds each of stdout and stderr, in bytes; what comes after it
	// is read and dropped. 0: DefaultMaxOutput.
	MaxOutput int
}

// Result is what a command that ran has left.
type Result struct {
	RC     int    // exit status; -1 when a signal ended the command
	Signal string // the signal's name without SIG, such as "TERM"
	Stdout []byte
	Stderr []byte
	// Truncated says that stdout or stderr were longer than MaxOutput; the others
	// which of them.
	Truncated, StdoutTruncated, StderrTruncated bool
	// Outlived says of a cancelled command that it could not be ended: it did not
	// react to SIGKILL, or the connection did not carry that.
	Outlived bool

	host string
}

// Err is nil for exit status 0, else an *ExitError.
func (r Result) Err() error {
	if r.RC == 0 && r.Signal == "" {
		return nil
	}
	return &ExitError{Host: r.host, RC: r.RC, Signal: r.Signal, Stderr: tail(r.Stderr)}
}

// tail is the end of a command's stderr, fit for a message.
func tail(stderr []byte) string {
	s := strings.TrimSpace(string(stderr))
	const most = 400
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return strings.ToValidUTF8(s, "?")
}

// line is the command line for sshd, which hands it to the login shell: any
// shell that reads '…' as POSIX does. become is "" or "sudo".
//
// The environment goes through env(1), as sshd's AcceptEnv usually takes no
// variable, and comes after sudo, which clears it.
func (cmd Command) line(become string) (string, error) {
	argv := cmd.Argv
	switch {
	case len(argv) > 0 && cmd.Shell != "":
		return "", errors.New("a command has either Argv or Shell, not both")
	case cmd.Shell != "":
		argv = []string{"sh", "-c", cmd.Shell}
	case len(argv) == 0 || argv[0] == "":
		return "", errors.New("the command is empty")
	}
	if len(cmd.Env) > 0 {
		env := []string{"env"}
		for _, name := range slices.Sorted(maps.Keys(cmd.Env)) {
			if !isName(name) {
				return "", fmt.Errorf("%q is not a name for an environment variable", name)
			}
			env = append(env, name+"="+cmd.Env[name])
		}
		if strings.Contains(argv[0], "=") { // env would take it for a variable
			env = append(env, "sh", "-c", `exec "$@"`, "sh")
		}
		argv = append(env, argv...)
	}
	if dir := cmd.Dir; dir != "" {
		if !strings.HasPrefix(dir, "/") {
			dir = "./" + dir // so that neither "-" nor CDPATH mean anything
		}
		argv = append([]string{"sh", "-c", `cd "$1" || exit 126; shift; exec "$@"`, "sh", dir}, argv...)
	}
	if become == "sudo" {
		argv = append([]string{"sudo", "-n", "--"}, argv...)
	}
	for _, a := range argv {
		if strings.IndexByte(a, 0) >= 0 {
			return "", errors.New("a command cannot have a NUL byte in its arguments, environment or directory")
		}
	}
	line := quoteArgv(argv)
	if len(line) > maxLine {
		return "", fmt.Errorf("the command line has %d bytes, more than the %d that Linux takes; pass data through Stdin", len(line), maxLine)
	}
	return line, nil
}

// maxLine is Linux's limit for one argument (MAX_ARG_STRLEN, 128 KiB), which
// the line is for the login shell, less what announceLeader adds.
const maxLine = 128<<10 - 200

// isName tells a portable environment variable name.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if s[i] != '_' && (c < 'a' || c > 'z') && (i == 0 || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}
