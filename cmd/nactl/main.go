// Command nactl plays YAML playbooks on oVirt engines, and on libvirt nodes and
// clusters.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/config"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/virt/libvirt"
	"github.com/nactl/nactl/virt/ovirt"
)

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings as arguments. It gives the exit code.
func run(argv []string, stdin *os.File, stdout, stderr io.Writer) int {
	a := &application{stdin: stdin, stdout: stdout, stderr: stderr, dial: libvirt.Open, reach: ovirt.Open}
	ctx, stop := interruptible(context.Background(), stderr, &a.lent)
	defer stop()
	return a.run(ctx, argv)
}

// run runs one command and gives the exit code.
func (a *application) run(ctx context.Context, argv []string) int {
	argv, old, err := a.oldArgv(argv)
	if old && argv == nil {
		return a.exitCode(err, a.old.answers)
	}
	return a.exitCode(a.perform(ctx, argv), hasOwnCodes(argv))
}

// exitOwn is the exit code for nactl's own errors of commands whose exit code is
// an answer.
const exitOwn = 255

// ownExit is such an answer.
type ownExit int

func (e ownExit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// hasOwnCodes tells whether a command's exit code is an answer.
func hasOwnCodes(argv []string) bool {
	return len(argv) > 1 && argv[1] == "exec" || len(argv) > 2 && argv[1] == "vm" && argv[2] == "is-running"
}

// perform runs one command.
func (a *application) perform(ctx context.Context, argv []string) error {
	if len(argv) > 1 && argv[1] == completeWord {
		a.complete(ctx, argv[2:])
		return nil
	}
	if len(argv) == 2 && argv[1] == "--version" {
		argv = []string{argv[0], "version"}
	}
	app := a.cli()
	argv, err := reorder(app, argv)
	if err != nil {
		return exitError{engine.ExitOptions, err}
	}
	return app.RunContext(ctx, argv)
}

// exitCode says what went wrong, if anything did, and gives the exit code. answers
// tells that the command's exit code is an answer.
func (a *application) exitCode(err error, answers bool) int {
	var own ownExit
	var said exitError
	code := engine.ExitUnexpected
	switch {
	case err == nil:
		return engine.ExitOK
	case errors.As(err, &own):
		return int(own)
	case errors.As(err, &said):
		code, err = said.code, said.err
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "nactl: %v\n", err)
	}
	if answers && code != engine.ExitInterrupted && code != engine.ExitTerminated {
		return exitOwn
	}
	return code
}

// exitError ends the program with a code of its own; what there was to say has
// been said when err is nil.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// interruptible gives a context that the first Ctrl-C or SIGTERM ends: what is in
// flight is aborted politely. The second one ends the program at once. While the
// terminal is lent to another program, Ctrl-C is that one's.
func interruptible(parent context.Context, stderr io.Writer, lent *atomic.Bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := true
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				if s == os.Interrupt && lent.Load() {
					continue
				}
				cause, code := engine.ErrInterrupted, engine.ExitInterrupted
				if s == syscall.SIGTERM {
					cause, code = engine.ErrTerminated, engine.ExitTerminated
				}
				if !first {
					fmt.Fprintln(stderr, "nactl: stopped at once; what was in flight may or may not have been done")
					os.Exit(code)
				}
				first = false
				fmt.Fprintln(stderr, "nactl: finishing what is in flight; once more to stop at once")
				cancel(cause)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// application is one call of the program.
type application struct {
	stdin          *os.File
	lines          *bufio.Reader // of stdin, once something was asked
	asking         sync.Mutex    // one question at a time
	stdout, stderr io.Writer
	lent           atomic.Bool      // the terminal, to an editor
	old            *oldName         // that the program was called by, or nil
	settings       *config.Settings // once a command has read them
	dial           dialer
	reach          opener
}

func (a *application) cli() *cli.App {
	return &cli.App{
		Name:                      "nactl",
		Usage:                     "provision, change, drive and migrate virtual machines by playbooks",
		Version:                   version,
		HideHelpCommand:           true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		UseShortOptionHandling:    true,
		Reader:                    a.stdin,
		Writer:                    a.stdout,
		ErrWriter:                 a.stderr,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		Commands: a.configured([]*cli.Command{
			a.playCommand(),
			a.planCommand(),
			a.driftCommand(),
			a.lintCommand(),
			a.listCommand(),
			a.vmCommand(),
			a.execCommand(),
			a.volCommand(),
			a.varsCommand(),
			a.inventoryCommand(),
			a.vaultCommand(),
			a.engineSimCommand(),
			a.schemaCommand(),
			a.docCommand(),
			a.completionCommand(),
			a.doctorCommand(),
			a.initCommand(),
			a.writeDocsCommand(),
			a.writePackageCommand(),
			a.configCommand(),
			a.versionCommand(),
		}),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				var names []string
				for _, command := range c.App.Commands {
					names = append(names, command.Name)
				}
				name := c.Args().First()
				return exitError{engine.ExitOptions, fmt.Errorf("unknown command %q%s; see nactl --help", name, diag.DidYouMean(name, names))}
			}
			return cli.ShowAppHelp(c)
		},
		CustomAppHelpTemplate: cli.AppHelpTemplate + exitStatus,
	}
}

const exitStatus = `
EXIT STATUS:
   0    all is well
   1    unexpected error
   2    a step failed
   3    changes are wanted (with --detailed-exitcode)
   4    a node or engine could not be reached
   5    bad options or settings
   6    a playbook or the inventory is invalid; nothing was touched
   130  interrupted
   143  terminated
`

func usageError(_ *cli.Context, err error, _ bool) error {
	return exitError{engine.ExitOptions, err}
}

func (a *application) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version", OnUsageError: usageError,
		Action: func(*cli.Context) error {
			_, err := fmt.Fprintln(a.stdout, "nactl", version)
			return err
		},
	}
}
