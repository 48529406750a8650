package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

const (
	// exitTimeout is how nactl exec ends when the command did not in its time, as
	// timeout(1) does.
	exitTimeout = 124
	// mostInput is how much standard input a command is given: what a guest's agent
	// takes.
	mostInput = 64 << 20
)

// execCommand runs a command inside a VM.
func (a *application) execCommand() *cli.Command {
	return &cli.Command{
		Name: "exec", Usage: "run a command inside a running VM", ArgsUsage: "VM [--] COMMAND…", OnUsageError: usageError,
		Description: "Through the guest agent on nodes, over SSH on engines. COMMAND is run as it is, without a shell; with -s it is one line for that shell. " +
			"Standard input is read to its end and given to the command, from a terminal only with -i.\n\n" +
			"A command of a node that outlives its timeout goes on: what is said then names the process for --pid, which waits for it once more.\n\n" +
			"Exits with the command's own code; 124 when it did not end in time, 255 when it could not be run.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "inventory", Usage: "inventory `FILE` or directory; may be repeated"},
			vaultIdentityFlag(),
			&cli.StringFlag{Name: "target", Aliases: []string{"l", "limit"}, Value: "all", Usage: "the target, or only targets that `PATTERN` names; left out: wherever the VM is"},
			&cli.StringFlag{Name: "shell", Aliases: []string{"s"}, Usage: "COMMAND is a line for this `SHELL` of the guest, as /bin/sh"},
			&cli.StringFlag{Name: "timeout", Aliases: []string{"t"}, Value: "60s", Usage: "how long to wait for its end, as `90s` or 10m"},
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "run nothing: wait for `PROCESS`, which outlived an earlier timeout"},
			&cli.BoolFlag{Name: "stdin", Aliases: []string{"i"}, Usage: "give it standard input although that is a terminal"},
			&cli.BoolFlag{Name: "no-stdin", Aliases: []string{"n"}, Usage: "do not read standard input"},
			&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "an environment variable as `NAME=VALUE`; may be repeated"},
			&cli.StringFlag{Name: "chdir", Usage: "the `FOLDER` to run it in"},
			&cli.BoolFlag{Name: "check", Aliases: []string{"C"}, Usage: "run nothing, show what would be run"},
			&cli.StringFlag{Name: "color", Value: "auto", Usage: "`WHEN`: auto, always or never", Hidden: true},
			&cli.StringFlag{Name: "output", Value: "human", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			vm, command := c.Args().First(), c.Args().Tail()
			if err := checkExec(c, vm, command); err != nil {
				return err
			}
			if c.IsSet("pid") {
				return a.onDirect(func(d *direct) error { return d.waitOn(vm, c.String("pid")) })(c)
			}
			return a.onDirect(func(d *direct) error { return d.exec(vm, command) })(c)
		},
	}
}

// checkExec looks at what was typed.
func checkExec(c *cli.Context, vm string, command []string) error {
	bad := func(format string, args ...any) error {
		return exitError{engine.ExitOptions, fmt.Errorf(format, args...)}
	}
	if vm == "" {
		return bad("VM is missing: write %s %s", c.Command.HelpName, c.Command.ArgsUsage)
	}
	if info, err := os.Stat(vm); c.Bool("stdin") && err == nil && info.Mode().IsRegular() {
		return bad("-i is standard input here; an inventory is named by --inventory %s", vm)
	}
	switch {
	case c.Bool("stdin") && c.Bool("no-stdin"):
		return bad("-i and -n cannot both be")
	case c.IsSet("pid") && len(command) > 0:
		return bad("--pid waits for a command that runs already: leave %q out", strings.Join(command, " "))
	case c.IsSet("pid"):
		return nil
	case len(command) == 0:
		return bad("COMMAND is missing: write %s %s", c.Command.HelpName, c.Command.ArgsUsage)
	case c.IsSet("shell") && len(command) > 1:
		return bad("with -s the command is one line: quote it as a whole")
	}
	return nil
}

// exec runs a command, passes on what it prints, and ends with its exit code.
func (d *direct) exec(name string, argv []string) error {
	vm, err := d.find(name, toChange)
	if err != nil {
		return err
	}
	args := onVM([]string{name})
	switch shell := d.c.String("shell"); shell {
	case "":
		args.set("command", "COMMAND", argv)
	case "/bin/sh":
		args.set("shell", "COMMAND", argv[0])
	default:
		args.set("command", "COMMAND", []string{shell, "-c", argv[0]})
	}
	args.measured(d.c, "timeout")
	args.options(d.c, "chdir")
	if d.c.IsSet("env") {
		env, err := pairs(d.c.StringSlice("env"), "--env")
		if err != nil {
			return err
		}
		args.set("env", "--env", env)
	}
	args.set("leave_running", "the command", true)
	// An exit status is an answer here, whatever it is.
	cmd := command{word: "guest_exec", args: args, keys: map[string]any{"failed_when": false}}
	if d.check {
		return d.change(vm.target, cmd)
	}
	input, err := d.input()
	if err != nil {
		return err
	}
	if len(input) > 0 {
		args.set("stdin", "standard input", string(input))
	}
	view := &execView{warn: d.app.stderr}
	end, err := d.play(vm.target, cmd, view)
	if err != nil {
		return err
	}
	if out, ok := end.result.Output.(step.CommandOutput); ok {
		return d.pass(&out.CommandResult)
	}
	if f := end.result.Error; f != nil {
		fmt.Fprintf(d.app.stderr, "nactl: %s\n", failureText(f))
		if f.Kind == "timeout" {
			return ownExit(exitTimeout)
		}
	}
	return exitError{end.code, nil}
}

// waitOn waits for a command that was left running.
func (d *direct) waitOn(name, process string) error {
	timeout, err := time.ParseDuration(d.c.String("timeout"))
	if err != nil || timeout < 0 {
		return exitError{engine.ExitOptions, fmt.Errorf("--timeout: %q is not a duration; write for example 90s or 10m", d.c.String("timeout"))}
	}
	vm, err := d.find(name, toChange)
	if err != nil {
		return err
	}
	waiter, ok := vm.platform.(virt.GuestWaiter)
	if !ok {
		return exitError{engine.ExitFailed, fmt.Errorf("vm %s: --pid needs a guest agent that nactl talks to; guests of an engine are reached over SSH, and what outlives its time is killed there", name)}
	}
	r, err := waiter.GuestWait(d.ctx, name, process, timeout)
	if errors.Is(err, virt.ErrTimeout) {
		fmt.Fprintf(d.app.stderr, "nactl: %s\n", atLength(err))
		return ownExit(exitTimeout)
	}
	if err != nil {
		return d.readError(err)
	}
	for _, cut := range []struct {
		name string
		is   bool
	}{{"stdout", r.StdoutTruncated}, {"stderr", r.StderrTruncated}} {
		if cut.is {
			fmt.Fprintf(d.app.stderr, "nactl: warning: the command wrote more to %s than can be kept; what is kept is its beginning\n", cut.name)
		}
	}
	return d.pass(r)
}

// pass passes on what a command printed, as it is, and ends with its exit code.
func (d *direct) pass(r *virt.CommandResult) error {
	if _, err := io.WriteString(d.app.stdout, r.Stdout); err != nil {
		return err
	}
	if _, err := io.WriteString(d.app.stderr, r.Stderr); err != nil {
		return err
	}
	if r.RC != 0 {
		return ownExit(r.RC)
	}
	return nil
}

// input reads standard input to its end, unless it is not to be read. A terminal
// is read only when asked for.
func (d *direct) input() ([]byte, error) {
	in := d.app.stdin
	if in == nil || d.c.Bool("no-stdin") || terminal(in) && !d.c.Bool("stdin") {
		return nil, nil
	}
	type all struct {
		text []byte
		err  error
	}
	read := make(chan all, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(in, mostInput+1))
		read <- all{text, err}
	}()
	select {
	case <-d.ctx.Done(): // the reader ends with the program
		return nil, interruptedError(d.ctx, context.Cause(d.ctx))
	case r := <-read:
		if r.err != nil {
			return nil, exitError{engine.ExitUnexpected, fmt.Errorf("standard input: %w", r.err)}
		}
		if len(r.text) > mostInput {
			return nil, exitError{engine.ExitOptions, fmt.Errorf("standard input is longer than %s: put it into a file of the guest first, with guest_file or over its network", virt.FormatSize(mostInput))}
		}
		return r.text, nil
	}
}

// execView says on stderr what is worth a warning; what the command prints is not
// its affair.
type execView struct{ warn io.Writer }

// String names the reader in errors.
func (*execView) String() string { return "the terminal" }

// Read implements event.Reader.
func (v *execView) Read(r event.Record) error {
	if w, ok := r.Event.(event.Warning); ok {
		_, err := fmt.Fprintf(v.warn, "nactl: warning: %s\n", w.Text)
		return err
	}
	return nil
}

// Close implements event.Reader.
func (*execView) Close() error { return nil }
