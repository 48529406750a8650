package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/nactl/nactl/virt"
)

// Controller applies changes to the machine that runs nactl.
type Controller struct {
	files  sync.Mutex // held while a file is compared and written
	places virt.Locks // likewise for files that take long, one by one

	// Images is the folder that images are fetched into; empty = nactl/images in the
	// user's cache. It is set before the first use.
	Images string
}

// New gives the controller.
func New() *Controller { return &Controller{} }

var _ virt.Controller = (*Controller)(nil)

// Ref names the controller.
func Ref() virt.Ref { return virt.Ref{Kind: virt.KindLocal} }

// Supports implements virt.Applier.
func (*Controller) Supports(c virt.Change) error {
	switch c.(type) {
	case virt.LocalExec, virt.LocalWrite, virt.LocalDelete, virt.DownloadVolume, virt.HTTPRequest, virt.FetchImage:
		return nil
	}
	return virt.Unsupported("the controller", c, "apply it to a node, a cluster or an engine")
}

// Check implements virt.Applier. Whether a program, a folder or a server is there
// is not looked at: an earlier step of the same play may be the one that brings it.
func (l *Controller) Check(_ context.Context, _ virt.Reader, c virt.Change) error {
	switch c := c.(type) {
	case virt.LocalExec:
		return wellFormed(c.Command)
	case virt.HTTPRequest:
		return sendable(c)
	case virt.FetchImage:
		return sendable(virt.HTTPRequest{URL: c.URL})
	default:
		return l.Supports(c)
	}
}

// Predict implements virt.Applier: nobody knows what a command or a request will
// do, but that it is made.
func (l *Controller) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	if err := l.Check(context.Background(), nil, c); err != nil {
		return nil, virt.Outcome{}, err
	}
	return virt.Rules{}.Predict(before, c)
}

// Apply implements virt.Applier. The outcome's result is a *virt.CommandResult,
// whatever the command's exit status, or a *virt.HTTPResponse, whatever its status.
func (l *Controller) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := l.Check(ctx, nil, c); err != nil {
		return virt.Outcome{}, err
	}
	switch c := c.(type) {
	case virt.LocalExec:
		res, err := run(ctx, c.Command)
		if err != nil {
			return virt.Outcome{}, err
		}
		return virt.Outcome{Changed: true, Result: res}, nil
	case virt.HTTPRequest:
		res, err := send(ctx, c)
		if err != nil {
			return virt.Outcome{}, err
		}
		return virt.Outcome{Changed: true, Result: res, Summary: fmt.Sprintf("%s %s  %d", c.Method, c.URL, res.Status)}, nil
	case virt.DownloadVolume:
		return l.download(ctx, c)
	case virt.FetchImage:
		return l.fetchImage(ctx, c)
	default:
		return l.changeFile(ctx, c)
	}
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

// Fetch sends a request with GET or HEAD; others are changes.
func (*Controller) Fetch(ctx context.Context, r virt.HTTPRequest) (*virt.HTTPResponse, error) {
	if !r.IsRead() {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: r.Ref, Summary: fmt.Sprintf("%s may change something: it is no read", r.Method)}
	}
	if err := sendable(r); err != nil {
		return nil, err
	}
	return send(ctx, r)
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
