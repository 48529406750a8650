package ovirt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/nactl/nactl/virt"
	guestsh "github.com/nactl/nactl/virt/guest"
	"github.com/nactl/nactl/virt/ssh"
)

// An engine has no way into its guests: commands and files go over SSH, to the
// address that the guest's agent reports.

// scriptTime bounds the little scripts around a file; a file gets a second more
// for each MiB.
const scriptTime = time.Minute

var errSlow = errors.New("the time for it is over")

// GuestProbe implements virt.Reader.
func (e *Engine) GuestProbe(ctx context.Context, vm string, c virt.Command) (*virt.CommandResult, error) {
	var r *virt.CommandResult
	err := e.inGuest(ctx, vm, func(ctx context.Context, client *ssh.Client) (err error) {
		r, err = run(ctx, client, virt.VMRef(vm), c, true)
		return err
	})
	return r, err
}

func (e *Engine) guestExec(ctx context.Context, c virt.GuestExec, d *edit) error {
	r, err := e.GuestProbe(ctx, c.Ref.Name, c.Command)
	if err != nil {
		return err
	}
	d.out.Result = r
	return nil
}

// run runs a command in a guest, or on a host, to its end. One that outlives its timeout, or the context,
// is killed with all that it started; with that error comes what it had printed.
func run(ctx context.Context, client *ssh.Client, vm virt.Ref, c virt.Command, become bool) (*virt.CommandResult, error) {
	args, input, err := guestsh.Wrap(vm, c, "")
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, guestsh.Timeout(c), errSlow)
	defer cancel()
	end, err := client.Exec(limited, ssh.Command{Argv: append([]string{"/bin/sh"}, args...), Stdin: bytes.NewReader(input), Become: become, MaxOutput: guestsh.MaxOutput})
	if err != nil && limited.Err() == nil {
		return nil, cutOff(vm, err)
	}
	r := guestsh.Result(end)
	if err == nil {
		if err := guestsh.Entered(vm, c, r); err != nil {
			return nil, err
		}
		return r, nil
	}
	found := "it was killed"
	if end.Outlived {
		found = "it may still run there, for it did not react to being killed"
	} else if last := guestsh.LastWords(r); last != "" {
		found += "; its last words: " + last
	}
	return r, guestsh.Abandoned(vm, c, ctx.Err(), found)
}

// cutOff turns a failure of the way to the guest into an error for people.
func cutOff(vm virt.Ref, err error) error {
	var sudo *ssh.BecomeError
	var not *ssh.NotStartedError
	switch {
	case errors.As(err, &sudo) && vm.Kind == virt.KindHost:
		return &virt.Error{Kind: virt.ErrDenied, Object: vm, Summary: "sudo does not let " + sudo.User + " run commands", Found: sudo.Stderr, Err: err,
			Hint: "give " + sudo.User + " a NOPASSWD rule there, log in as root, or run the command with become: false"}
	case !errors.As(err, &not) && vm.Kind == virt.KindHost:
		return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: vm, Summary: "the connection ended while the command ran", Err: err,
			Hint: "look on the host what the command did"}
	case errors.As(err, &sudo):
		return &virt.Error{Kind: virt.ErrConflict, Object: vm, Summary: "sudo in its guest does not let " + sudo.User + " run commands", Found: sudo.Stderr, Err: err,
			Hint: "give " + sudo.User + " a NOPASSWD rule in the guest, or log in as root and take become out of guests in the inventory"}
	case errors.As(err, &not):
		return err
	}
	return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: vm, Summary: "the connection to its guest ended while the command ran", Err: err,
		Hint: "look in the guest what the command did"}
}

// script runs one of package guest's scripts on a file.
func script(ctx context.Context, client *ssh.Client, ref virt.Ref, limit time.Duration, maxOutput int, stdin []byte, text string, args ...string) (ssh.Result, error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	r, err := client.Exec(limited, ssh.Command{Argv: append([]string{"/bin/sh", "-c", text, "nactl"}, args...), Stdin: bytes.NewReader(stdin), Become: true, MaxOutput: maxOutput})
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return r, context.Cause(ctx)
	case limited.Err() != nil:
		return r, &virt.Error{Kind: virt.ErrTimeout, Object: ref, Summary: fmt.Sprintf("the guest was not done with it within %s", limit)}
	}
	return r, cutOff(ref, err)
}

// GuestFile implements virt.Reader.
func (e *Engine) GuestFile(ctx context.Context, vm, path string, limit int64) (*virt.GuestFile, error) {
	f := &virt.GuestFile{VM: vm, Path: path}
	if !strings.HasPrefix(path, "/") {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: f.Ref(), Summary: "is not an absolute path"}
	}
	err := e.inGuest(ctx, vm, func(ctx context.Context, client *ssh.Client) error {
		long, err := examine(ctx, client, f, limit, "")
		if long && err == nil { // it has no size, as those in /proc, or has grown
			_, err = examine(ctx, client, f, limit, "sum")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// examine fills in what there is to know of a file. long says that it turned out to
// be over the limit, and nothing but the checksum is known yet.
func examine(ctx context.Context, client *ssh.Client, f *virt.GuestFile, limit int64, sum string) (long bool, err error) {
	r, err := script(ctx, client, f.Ref(), scriptTime, int(limit)+4096, nil, guestsh.LookScript, f.Path, strconv.FormatInt(limit, 10), sum)
	if err != nil {
		return false, err
	}
	refused := &virt.Error{Kind: virt.ErrConflict, Object: f.Ref(), Summary: "cannot be read in the guest", Found: strings.TrimSpace(string(r.Stderr))}
	switch {
	case r.RC == guestsh.StatusMissing:
		return false, virt.NotFound(f.Ref(), "make it with guest_file, or check its path")
	case r.RC == guestsh.StatusDirectory:
		return false, &virt.Error{Kind: virt.ErrInvalid, Object: f.Ref(), Summary: "is not a file", Found: "a directory"}
	case r.RC == guestsh.StatusNoAccess:
		refused.Found, refused.Hint = "no permission for "+client.User(), "write become: sudo into guests of the inventory"
		return false, refused
	case r.RC != 0 || r.Signal != "":
		return false, refused
	case limit == 0:
		return false, nil
	}
	head, rest, _ := bytes.Cut(r.Stdout, []byte("\n"))
	what, body, ok := bytes.Cut(rest, []byte("\n"))
	at := guestsh.ParseAttributes(string(head))
	f.Mode, f.Owner, f.Group = at.Mode, at.Owner, at.Group
	switch {
	case ok && string(what) == "content":
		if int64(len(body)) > limit {
			return true, nil
		}
		digest := sha256.Sum256(body)
		f.Size, f.SHA256, f.Content = int64(len(body)), hex.EncodeToString(digest[:]), body
		return false, nil
	case ok && string(what) == "sum":
		words := strings.Fields(string(body)) // CHECKSUM - SIZE
		if len(words) == 3 && len(words[0]) == 2*sha256.Size {
			if size, err := strconv.ParseInt(words[2], 10, 64); err == nil {
				f.Size, f.SHA256 = size, words[0]
				return false, nil
			}
		}
	}
	refused.Found = fmt.Sprintf("an answer of the guest's shell that means nothing: %.80q", r.Stdout)
	return false, refused
}

// guestWrite writes a file, or only its mode and owner where its content is right.
func (e *Engine) guestWrite(ctx context.Context, c virt.GuestWrite, d *edit) error {
	err := e.inGuest(ctx, c.Ref.Scope, func(ctx context.Context, client *ssh.Client) error {
		text, limit, summary := guestsh.WriteScript, scriptTime+time.Duration(c.Size>>20)*time.Second, "cannot be written in the guest"
		args := []string{c.Ref.Name, uuid.NewString(), c.Mode.Or(""), c.Owner.Or(""), c.Group.Or(""), c.SHA256, strconv.FormatInt(c.Size, 10)}
		content := c.Content
		if !d.changes("content") {
			text, args, content = guestsh.AttributesOnlyScript, []string{c.Ref.Name, args[2], args[3], args[4]}, nil
			summary = "its mode or owner cannot be set"
		}
		virt.Report(ctx, virt.Progress{What: "writing " + c.Ref.Name, Total: int64(len(content)), Unit: "bytes"})
		r, err := script(ctx, client, c.Ref, limit, 64<<10, content, text, args...)
		if err == nil && (r.RC != 0 || r.Signal != "") {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: summary, Found: strings.TrimSpace(string(r.Stderr)),
				Hint: "look at the permissions in the guest, and at become of guests in the inventory"}
		}
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) && e.written(ctx, c) {
		return nil
	}
	return err
}

// written looks whether a file is as it was to be, after the answer was lost.
func (e *Engine) written(ctx context.Context, c virt.GuestWrite) bool {
	f, err := e.GuestFile(ctx, c.Ref.Scope, c.Ref.Name, 1)
	if err != nil {
		return false
	}
	_, out, err := e.Predict(f, c)
	return err == nil && !out.Changed
}
