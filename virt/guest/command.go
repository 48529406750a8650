package guest

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

const (
	// DefaultTimeout is how long a command may take when nothing was said.
	DefaultTimeout = 60 * time.Second
	// MaxOutput is how much of each output is kept, in bytes: what QEMU's guest
	// agent keeps at most.
	MaxOutput = 16 << 20
)

// wrapper is run by the guest's shell. Its comment says what it is for.
//
//go:embed exec.sh
var wrapper string

// What the wrapper says where it cannot enter the directory, and its status then.
const (
	chdirFailed = "nactl: cannot change to this directory\n"
	chdirStatus = 125
)

// InputFile is the place among Wrap's arguments that may be given the name of a
// file with the input, which the wrapper then reads and removes.
const InputFile = 6

// Timeout is how long a command may take.
func Timeout(c virt.Command) time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

// envName is what a shell can export.
var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Wrap gives the arguments of /bin/sh and the standard input that run a command
// in a guest or on a host, or says why it cannot be run. token names the files that an agent
// needs; it is empty over SSH.
func Wrap(vm virt.Ref, c virt.Command, token string) (args []string, input []byte, err error) {
	invalid := func(format string, args ...any) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("the command "+format, args...)}
	}
	argv := c.Argv
	if c.Shell != "" {
		argv = []string{"/bin/sh", "-c", c.Shell}
	}
	switch {
	case (len(c.Argv) == 0) == (c.Shell == ""):
		return nil, nil, invalid("has to be either a list of arguments or a line for the shell")
	case argv[0] == "":
		return nil, nil, invalid("has an empty name")
	case c.Dir != "" && !strings.HasPrefix(c.Dir, "/"):
		return nil, nil, invalid("is to run in %q, which is not an absolute path", c.Dir)
	}
	var export strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		if !envName.MatchString(name) {
			return nil, nil, invalid("has %q in env, which is no name of an environment variable", name)
		}
		if strings.ContainsRune(c.Env[name], 0) {
			return nil, nil, invalid("has a NUL byte in env's %s", name)
		}
		fmt.Fprintf(&export, "export %s=%s\n", name, ssh.Quote(c.Env[name]))
	}
	for _, s := range append(slices.Clone(argv), c.Dir) {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return nil, nil, invalid("has an argument that cannot be carried there (not UTF-8, or with a NUL byte): %q", s)
		}
	}
	lines := strings.Count(export.String(), "\n")
	args = append([]string{"-c", wrapper, "nactl", fmt.Sprint(lines), c.Dir, token, ""}, argv...)
	return args, []byte(export.String() + c.Stdin), nil
}

// Entered gives an error when the wrapper could not enter the command's
// directory, so that the command never ran.
func Entered(vm virt.Ref, c virt.Command, r *virt.CommandResult) error {
	if r.RC != chdirStatus || r.Stderr != chdirFailed {
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("the command cannot run in %s", c.Dir),
		Found: "no such directory there, or no access", Hint: "make the directory first, or mend chdir"}
}

// Abandoned is the error for a command that nobody waits for any more: because
// its time was over, or else because stopped says so. found tells how it stands.
func Abandoned(vm virt.Ref, c virt.Command, stopped error, found string) error {
	e := &virt.Error{Kind: virt.ErrTimeout, Object: vm, Found: found,
		Summary: fmt.Sprintf("the command did not end within %s", Timeout(c)), Wanted: describe(c),
		Hint: "give it a longer timeout, or let it run as a service"}
	if stopped != nil {
		e.Kind, e.Summary, e.Hint = stopped, "the command was interrupted", ""
	}
	return e
}

// signals are the numbers of those that SSH has names for.
var signals = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}

// Result gives how a command over SSH ended.
func Result(end ssh.Result) *virt.CommandResult {
	r := &virt.CommandResult{RC: end.RC, Stdout: string(end.Stdout), Stderr: string(end.Stderr),
		StdoutTruncated: end.StdoutTruncated, StderrTruncated: end.StderrTruncated}
	if end.Signal != "" {
		r.Signal = signals[end.Signal]
		r.RC = 128 + r.Signal
	}
	return r
}

// LastWords gives the end of what a command said, for an error.
func LastWords(r *virt.CommandResult) string {
	text := strings.TrimSpace(r.Stderr)
	if text == "" {
		text = strings.TrimSpace(r.Stdout)
	}
	if len(text) > 200 {
		text = "…" + strings.ToValidUTF8(text[len(text)-200:], "")
	}
	return text
}

// describe names a command in an error, without what may be secret: arguments are
// shown, the environment and the input are not.
func describe(c virt.Command) string {
	text := c.Shell
	if text == "" {
		text = strings.Join(c.Argv, " ")
	}
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return "an end of: " + text
}
