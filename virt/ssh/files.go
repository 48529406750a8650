package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// MaxFile is the most that ReadFile reads, in bytes: it is meant for
// configuration, not for disk images.
const MaxFile = 64 << 20

// Exit statuses of the scripts below, away from those of cat and sh.
const (
	rcNotExist   = 93
	rcPermission = 94
	rcNotRegular = 95
	rcShort      = 96
)

const readScript = `f=$1
if [ ! -e "$f" ]; then
	# A directory that cannot be searched hides what is in it.
	d=$(dirname "$f"); [ ! -d "$d" ] || [ -x "$d" ] || exit 94
	exit 93
fi
[ -f "$f" ] || exit 95
[ -r "$f" ] || exit 94
exec cat "$f"`

// ReadFile reads a regular file on the node, with Config.Become if that is set.
// Errors match fs.ErrNotExist and fs.ErrPermission.
func (c *Client) ReadFile(ctx context.Context, name string) ([]byte, error) {
	r, err := c.script(ctx, readScript, nil, name)
	if err == nil && r.Truncated {
		err = fmt.Errorf("it is larger than %d MiB", MaxFile>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read %s: %w", c.t.host, name, err)
	}
	return r.Stdout, nil
}

// The size is compared before the file takes its place, since a cut connection
// looks to cat like the end of the data. The temporary name is given, and not
// made by mktemp, so that a signal at any time finds it known; set -C opens with
// O_EXCL.
const writeScript = `f=$1 mode=$2 size=$3 tmp=$4
[ ! -d "$f" ] || exit 95
umask 077
trap 'rm -f "$tmp"' EXIT
trap 'exit 1' HUP INT TERM PIPE
(set -C; cat >"$tmp") || exit 1
[ "$(wc -c <"$tmp")" -eq "$size" ] || exit 96
chmod "$mode" "$tmp" || exit 1
sync "$tmp" 2>/dev/null
mv -f "$tmp" "$f"`

// WriteFile puts data into a file on the node, with Config.Become if that is
// set. It is atomic: readers see the old file or the whole new one, also when
// the connection is cut. The file is a new one, owned by the user who writes; a
// symbolic link is replaced, not followed. mode is only permission bits.
func (c *Client) WriteFile(ctx context.Context, name string, data []byte, mode fs.FileMode) error {
	tmp := relative(path.Join(path.Dir(name), ".nactl."+rand.Text()))
	_, err := c.script(ctx, writeScript, data, name,
		strconv.FormatUint(uint64(mode.Perm()), 8), strconv.Itoa(len(data)), tmp)
	if err != nil && ctx.Err() != nil {
		// A node that is slow to end the script kills it before it has cleaned up.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
		defer cancel()
		_, _ = c.script(clean, `rm -f "$1"`, nil, tmp) // what is left is harmless, and has a name that tells
	}
	if err != nil {
		return fmt.Errorf("%s: write %s: %w", c.t.host, name, err)
	}
	return nil
}

// Exists tells whether there is something of that name on the node, with
// Config.Become if that is set. A symbolic link exists even if its target does
// not.
func (c *Client) Exists(ctx context.Context, name string) (bool, error) {
	_, err := c.script(ctx, `[ -e "$1" ] || [ -L "$1" ] || exit 93`, nil, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: look for %s: %w", c.t.host, name, err)
	}
	return true, nil
}

// script runs one of the scripts above on a file.
func (c *Client) script(ctx context.Context, script string, stdin []byte, name string, args ...string) (Result, error) {
	argv := append([]string{"sh", "-c", script, "sh", relative(name)}, args...)
	if name == "" {
		return Result{}, fs.ErrInvalid
	}
	r, err := c.Exec(ctx, Command{Argv: argv, Stdin: bytes.NewReader(stdin), Become: true, MaxOutput: MaxFile})
	if err != nil {
		return r, err
	}
	switch r.RC {
	case rcNotExist:
		return r, fs.ErrNotExist
	case rcPermission:
		return r, fs.ErrPermission
	case rcNotRegular:
		return r, errors.New("it is not a regular file")
	case rcShort:
		return r, errors.New("the data did not arrive whole; the file was left as it was")
	}
	return r, r.Err()
}

// relative keeps a name from being taken for an option.
func relative(name string) string {
	if strings.HasPrefix(name, "-") {
		return "./" + name
	}
	return name
}
