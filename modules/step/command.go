package step

import (
	"fmt"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// CommandArgs are the arguments that all steps which run commands share.
type CommandArgs struct {
	Command Argv              `arg:"command" doc:"the command as a list of arguments; no shell looks at it"`
	Shell   string            `arg:"shell" doc:"a command line for /bin/sh"`
	Stdin   string            `arg:"stdin" doc:"what the command reads"`
	Env     map[string]string `arg:"env" doc:"environment variables"`
	Chdir   string            `arg:"chdir" doc:"the folder to run it in"`
	Timeout Duration          `arg:"timeout" default:"60s" doc:"how long it may run"`
	Creates string            `arg:"creates" doc:"a path; where it exists already, nothing is run"`
	Unless  *Guard            `arg:"unless" doc:"a command that changes nothing; where it ends with 0, nothing is run"`
}

// Guard is a read-only command: a list of arguments, or a line for /bin/sh.
type Guard struct {
	Argv  Argv
	Shell string
}

// CommandOutput is what steps that run commands give.
type CommandOutput struct {
	virt.CommandResult
}

// RuleGuard is the rule of a warning about a command that runs each time. It does
// not hold where the step says with changed_when what a change is.
const RuleGuard = "shell-without-guard"

// Validate demands one of command and shell.
func (c *CommandArgs) Validate(v *Validation, word string) {
	v.OneOf(word, "command", "shell")
	if v.Given("shell") && !v.Given("creates") && !v.Given("unless") {
		v.Warnf("shell", RuleGuard, "%s runs this each time; say with creates or unless when there is nothing to do, or with changed_when what a change is", word)
	}
}

// Run gives the command as a change carries it.
func (c *CommandArgs) Run() virt.Command {
	return virt.Command{Argv: c.Command, Shell: c.Shell, Stdin: c.Stdin, Env: c.Env, Dir: c.Chdir, Timeout: time.Duration(c.Timeout)}
}

// Probe gives the guard as a command in the same surroundings.
func (c *CommandArgs) Probe() virt.Command {
	return virt.Command{Argv: c.Unless.Argv, Shell: c.Unless.Shell, Env: c.Env, Dir: c.Chdir, Timeout: time.Duration(c.Timeout)}
}

// Outcome turns the end of a command into the end of a step: an exit status other
// than 0 is a Failure.
func (c *CommandArgs) Outcome(env *Env, r *virt.CommandResult) (Result, error) {
	for _, out := range []struct {
		name string
		cut  bool
	}{{"stdout", r.StdoutTruncated}, {"stderr", r.StderrTruncated}} {
		if out.cut {
			env.Warn("the command wrote more to " + out.name + " than can be kept; what is kept is its beginning")
		}
	}
	result := Result{Output: CommandOutput{*r}}
	if r.RC == 0 {
		return result, nil
	}
	how := fmt.Sprintf("the command ended with status %d", r.RC)
	if r.Signal != 0 {
		how = fmt.Sprintf("the command was ended by signal %d", r.Signal)
	}
	detail := strings.TrimSpace(r.Stderr)
	if detail == "" {
		detail = strings.TrimSpace(r.Stdout)
	}
	return result, &Failure{Message: how, Detail: tail(detail, 2000)}
}

// tail gives the last n bytes of a text, from the beginning of a line.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		s = rest
	}
	return "…\n" + s
}

// Decode reads a list of arguments, or a line.
func (g *Guard) Decode(n *source.Node) error {
	if n.Kind == source.String {
		g.Shell = n.Str
		return nil
	}
	return g.Argv.Decode(n)
}
