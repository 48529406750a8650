package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nactl/nactl/virt"
)

// Controller applies changes to the machine that runs nactl.
type Controller struct{}

// New gives the controller.
func New() *Controller { return &Controller{} }

var _ virt.Applier = (*Controller)(nil)

// Ref names the controller.
func Ref() virt.Ref { return virt.Ref{Kind: virt.KindLocal} }

// Supports implements virt.Applier.
func (*Controller) Supports(c virt.Change) error {
	if _, ok := c.(virt.LocalExec); ok {
		return nil
	}
	return virt.Unsupported("the controller", c, "apply it to a node, a cluster or an engine")
}

// Check implements virt.Applier. Whether the program is there is not looked at:
// an earlier step of the same play may be the one that installs it.
func (l *Controller) Check(_ context.Context, _ virt.Reader, c virt.Change) error {
	if err := l.Supports(c); err != nil {
		return err
	}
	return wellFormed(c.(virt.LocalExec).Command)
}

// Predict implements virt.Applier: nobody knows what a command will do, but that
// it runs.
func (l *Controller) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	if err := l.Check(context.Background(), nil, c); err != nil {
		return nil, virt.Outcome{}, err
	}
	return before, virt.Outcome{Changed: true}, nil
}

// Apply implements virt.Applier. The outcome's result is a *virt.CommandResult,
// whatever the command's exit status.
func (l *Controller) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := l.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	res, err := run(ctx, c.(virt.LocalExec).Command)
	if err != nil {
		return virt.Outcome{}, err
	}
	return virt.Outcome{Changed: true, Result: res}, nil
}

// Exists tells whether there is a file or directory at path on the controller,
// symbolic links followed. It changes nothing.
func (*Controller) Exists(ctx context.Context, path string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, err := os.Stat(path)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, fmt.Errorf("looking for a file on the controller: %w", err)
	}
}

// Probe runs a command that its author declared read-only.
func (*Controller) Probe(ctx context.Context, cmd virt.Command) (*virt.CommandResult, error) {
	return run(ctx, cmd)
}

// wellFormed refuses a command that says nothing, or two things.
func wellFormed(cmd virt.Command) error {
	problem := ""
	switch {
	case len(cmd.Argv) == 0 && cmd.Shell == "":
		problem = "there is no command to run"
	case len(cmd.Argv) > 0 && cmd.Shell != "":
		problem = "both an argument list and a shell text are given"
	case cmd.Shell == "" && cmd.Argv[0] == "":
		problem = "the first argument, which names the program, is empty"
	case cmd.Timeout < 0:
		problem = fmt.Sprintf("the time limit %s is negative", cmd.Timeout)
	default:
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: Ref(), Summary: problem,
		Hint: "give either an argument list, as [ls, -l], or one text for the shell"}
}
