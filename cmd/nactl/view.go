package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
)

func isTerminal(fd int) bool { return term.IsTerminal(fd) }

// readers gives those who show the run, as --output says.
func (a *application) readers(c *cli.Context, check bool) ([]event.Reader, error) {
	color, err := a.color(c.String("color"))
	if err != nil {
		return nil, err
	}
	o := event.Options{
		Color: color, Live: a.live(), Verbose: c.Count("verbose"), Diff: check || c.Bool("diff"),
		Width: func() int { return width(a.stdout) },
	}
	var out []event.Reader
	timing := a.stdout
	switch format := c.String("output"); format {
	case "human":
		out = append(out, event.NewTerminal(a.stdout, a.stderr, o))
	case "quiet":
		out = append(out, event.NewQuiet(a.stdout, a.stderr, o))
	case "json":
		out, timing = append(out, event.NewNDJSON(a.stdout)), a.stderr // nothing may stand between events
	default:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--output is human, json or quiet, not %q", format)}
	}
	if c.Bool("timing") {
		out = append(out, event.NewTiming(timing)) // behind the reader that shows the recap
	}
	return out, nil
}

// live tells whether what is running can be shown and redrawn.
func (a *application) live() bool {
	return terminal(a.stdout) && terminal(a.stderr) && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb"
}

// color follows NO_COLOR and its opposites, unless the option decides.
func (a *application) color(when string) (bool, error) {
	switch when {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		if os.Getenv("NO_COLOR") != "" {
			return false, nil
		}
		if os.Getenv("CLICOLOR_FORCE") != "" || os.Getenv("FORCE_COLOR") != "" {
			return true, nil
		}
		return a.live(), nil
	default:
		return false, exitError{engine.ExitOptions, fmt.Errorf("--color is auto, always or never, not %q", when)}
	}
}

func width(f any) int {
	file, ok := f.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// asker gives the function that asks the person at the terminal; nil where there
// is none.
func (a *application) asker() func(context.Context, string, bool) (string, error) {
	if a.stdin == nil || !terminal(a.stdin) {
		return nil
	}
	if a.lines == nil {
		a.lines = bufio.NewReader(a.stdin) // one for all: it reads ahead
	}
	lines := a.lines
	return func(ctx context.Context, prompt string, hidden bool) (string, error) {
		a.asking.Lock()
		defer a.asking.Unlock()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		fmt.Fprint(a.stderr, prompt+" ")
		type answer struct {
			line string
			err  error
		}
		got := make(chan answer, 1)
		restore := func() {}
		read := func() (string, error) { return lines.ReadString('\n') }
		if hidden {
			fd := int(a.stdin.Fd())
			if state, err := term.GetState(fd); err == nil {
				restore = func() { _ = term.Restore(fd, state) } // an interrupted read leaves the echo off
			}
			read = func() (string, error) {
				b, err := term.ReadPassword(fd)
				fmt.Fprintln(a.stderr)
				return string(b), err
			}
		}
		go func() {
			line, err := read()
			got <- answer{line, err}
		}()
		select {
		case <-ctx.Done():
			restore()
			return "", context.Cause(ctx)
		case ans := <-got:
			if ans.err != nil && ans.line == "" {
				return "", errNoAnswer
			}
			return strings.TrimRight(ans.line, "\r\n"), nil
		}
	}
}
