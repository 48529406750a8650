package hostnet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// applyScript is run by the host's shell. Its comment says what it is for.
//
//go:embed apply.sh
var applyScript string

// Exit statuses of the scripts.
const (
	rcNotPrepared = 90 // nothing was done
	rcTakenBack   = 91 // the change failed, and was taken back
	rcUnknown     = 95 // the host knows no such change
	rcUndone      = 96 // nobody confirmed in time
	rcBusy        = 97 // another change waits to be confirmed
)

// DefaultConfirm is how long a host waits to be told that a change may stay.
const DefaultConfirm = 30 * time.Second

// Apply makes a change. anew logs in to the host once more, which is the proof that
// the change has not cut it off; it is called until it succeeds or the time is
// over, and closed afterwards. When the host has taken the change back, the error
// says so, and that it answers again, once it does.
func Apply(ctx context.Context, ref virt.Ref, host Runner, c Change, confirm time.Duration, anew func(ctx context.Context) (Runner, func(), error)) error {
	if confirm <= 0 {
		confirm = DefaultConfirm
	}
	token := strings.ToLower(rand.Text())
	began := time.Now()
	r, err := host.Exec(ctx, ssh.Command{Argv: []string{"/bin/sh", "-s", "--", token, fmt.Sprint(int(confirm.Seconds()))},
		Stdin: strings.NewReader(c.text()), Become: true})
	why := strings.TrimSpace(string(r.Stderr))
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx) // nobody confirms: the host takes back what was done
	case err != nil && errors.As(err, new(*ssh.NotStartedError)):
		return err
	case err != nil:
		// The change may be what ended the connection: a new one tells.
	case r.RC == rcBusy:
		return &virt.Error{Kind: virt.ErrBusy, Object: ref, Summary: "another change to the host's network waits to be confirmed, or is being taken back", Found: why, Hint: "try again when its time is over"}
	case r.RC == rcTakenBack:
		return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "the host could not make the change, and has taken back what it had done of it", Found: why, Hint: "mend what it says, and run this again"}
	case r.RC != 0:
		return &virt.Error{Object: ref, Summary: "the host could not prepare the change; nothing was done", Found: why, Hint: "the change needs /run and ip on the host, and root"}
	}
	return confirmed(ctx, ref, token, began.Add(confirm), anew)
}

// confirmed logs in anew and tells the host that the change may stay.
func confirmed(ctx context.Context, ref virt.Ref, token string, deadline time.Time, anew func(ctx context.Context) (Runner, func(), error)) error {
	var last error
	// Beyond the deadline it is no longer to confirm, but to see that the host is back.
	for patience := deadline.Add(2 * time.Minute); time.Now().Before(patience) && ctx.Err() == nil; {
		rc, err := tell(ctx, token, deadline, anew)
		switch {
		case err == nil && rc == 0:
			return nil
		case err == nil && rc == rcUndone:
			return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "the change cut the host off, and the host has taken it back by itself",
				Wanted: "a new login after the change", Found: foundOf(last), Hint: "the host is as it was before; look at what of its network configuration waits to be read"}
		case err == nil && rc == rcUnknown:
			return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: ref, Summary: "the connection ended before the host had taken the change on", Hint: "run this again: what is there is looked at first"}
		case err == nil:
			last = fmt.Errorf("the host's answer to the confirmation has status %d", rc)
		default:
			last = err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &virt.Error{Kind: virt.ErrUnreachable, Object: ref, Summary: "does not answer since its network was changed, though it was to take the change back by itself", Err: last,
		Hint: "look at its console; what it did stands in /run/nactl"}
}

func foundOf(err error) string {
	if err == nil {
		return "none in time"
	}
	return err.Error()
}

// confirmScript decides, once and for all: either the change stays, or it goes.
const confirmScript = `dir=/run/nactl/net-$1
[ -d "$dir" ] || exit 95
if [ "$2" = keep ] && [ -e "$dir/finished" ] && mkdir "$dir/decided" 2>/dev/null; then
	[ ! -d /run/systemd/system ] || systemctl stop "nactl-net-$1" 2>/dev/null
	rm -rf "$dir"
	exit 0
fi
[ -e "$dir/undone" ] || exit 98
rm -rf "$dir"
exit 96`

func tell(ctx context.Context, token string, deadline time.Time, anew func(ctx context.Context) (Runner, func(), error)) (int, error) {
	word := "keep"
	limit := time.Until(deadline)
	if limit <= 0 {
		word, limit = "look", 15*time.Second
	}
	limited, cancel := context.WithTimeout(ctx, min(limit, 10*time.Second))
	defer cancel()
	host, leave, err := anew(limited)
	if err != nil {
		return 0, err
	}
	defer leave()
	r, err := host.Exec(limited, ssh.Command{Argv: []string{"/bin/sh", "-c", confirmScript, "nactl", token, word}, Become: true})
	return r.RC, err
}

// text puts the script together.
func (c Change) text() string {
	var files []string
	for _, f := range c.Files {
		files = append(files, ssh.Quote(f))
	}
	list := strings.Join(files, " ")
	undo := "nactl_undo() {\n:\n" + c.Undo + "}"
	return "nactl_do() {\n:\n" + c.Do + "}\n" +
		"nactl_files=" + ssh.Quote(list) + "\nnactl_files_quoted=" + ssh.Quote(ssh.Quote(list)) + "\nnactl_undo_text=" + ssh.Quote(undo) + "\n" + applyScript
}
