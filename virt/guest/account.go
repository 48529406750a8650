package guest

import (
	"fmt"
	"strings"

	"github.com/nactl/nactl/virt"
)

// statusNoUser is the status of the scripts on a user that the guest does not have.
const statusNoUser = 93

// lookUser finds the user $1: then $uid, $gid and $home are known.
const lookUser = `u=$1
if command -v getent >/dev/null; then
	e=$(getent passwd "$u")
else
	e=$(while IFS= read -r l; do case $l in "$u":*) printf '%s\n' "$l"; break ;; esac; done </etc/passwd)
fi
case $e in "$u":*) ;; *) exit 93 ;; esac
entry() { uid=$3 gid=$4 home=$6; }
set -f
IFS=:
entry $e
unset IFS
set +f
`

// keysScript prints the authorized_keys of user $1.
const keysScript = lookUser + `f=$home/.ssh/authorized_keys
[ -e "$f" ] || exit 0
exec cat -- "$f"`

// setKeysScript makes its standard input, $3 bytes, the authorized_keys of user $1,
// in one stroke. $2 names what is written first. The folder and the file are the
// user's, and nobody else's to write: sshd ignores them otherwise.
const setKeysScript = lookUser + `umask 077
d=$home/.ssh f=$d/authorized_keys t=$d/.nactl-$2
if [ ! -d "$home" ]; then echo "its home, $home, is not there" >&2; exit 1; fi
if [ ! -d "$d" ]; then mkdir -- "$d" && chown -- "$uid:$gid" "$d" || exit 1; fi
mode=600
if [ -e "$f" ]; then mode=$(stat -c %a -- "$f") || mode=600; fi
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM PIPE
(set -C; cat >"$t") || exit 1
if [ "$(wc -c <"$t")" -ne "$3" ]; then echo "what arrived is not what was sent" >&2; exit 1; fi
chown -- "$uid:$gid" "$t" && chmod -- "$mode" "$t" || exit 1
sync "$t" 2>/dev/null || sync
mv -f -- "$t" "$f" || exit 1
if command -v restorecon >/dev/null; then restorecon -R -- "$d" 2>/dev/null; fi
exit 0`

func shell(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "nactl"}, args...)
}

// ReadKeys gives the command that prints a user's authorized_keys. It changes
// nothing.
func ReadKeys(user string) virt.Command { return virt.Command{Argv: shell(keysScript, user)} }

// Keys reads what ReadKeys printed. A user that is not there is an ErrNotFound.
func Keys(ref virt.Ref, r *virt.CommandResult) (*virt.SSHKeys, error) {
	if err := accountFailed(ref, "cannot be read", r); err != nil {
		return nil, err
	}
	s := &virt.SSHKeys{VM: ref.Scope, User: ref.Name}
	for line := range strings.Lines(r.Stdout) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			s.Keys = append(s.Keys, line)
		}
	}
	return s, nil
}

// EditKeys gives an authorized_keys with the lines of after and no others but
// comments, which stay where they are.
func EditKeys(file string, after []string) string {
	left := map[string]int{}
	for _, line := range after {
		left[line]++
	}
	var b strings.Builder
	for line := range strings.Lines(file) {
		text := strings.TrimSpace(line)
		if text != "" && text[0] != '#' {
			if left[text] == 0 {
				continue
			}
			left[text]--
		}
		b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
	}
	for _, line := range after {
		if left[line] > 0 {
			left[line]--
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// WriteKeys gives the command that makes content the authorized_keys of a user;
// token names the file that is written first.
func WriteKeys(user, content, token string) virt.Command {
	return virt.Command{Argv: shell(setKeysScript, user, token, fmt.Sprint(len(content))), Stdin: content}
}

// Written says whether WriteKeys did.
func Written(ref virt.Ref, r *virt.CommandResult) error {
	return accountFailed(ref, "cannot be set", r)
}

func accountFailed(ref virt.Ref, summary string, r *virt.CommandResult) error {
	switch {
	case r.RC == statusNoUser:
		return virt.NotFound(ref, "make the user first, with users of create_vm or useradd in guest_exec")
	case r.RC != 0:
		return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: summary + " in the guest", Found: strings.TrimSpace(r.Stderr)}
	}
	return nil
}

// CheckPassword says what no guest can take of a user's name and password.
func CheckPassword(c virt.SetPassword) error {
	bad := func(summary string) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: summary}
	}
	switch {
	case c.User == "" || strings.ContainsAny(c.User, ":\n\x00"):
		return bad(fmt.Sprintf("%q is no name of a user", c.User))
	case c.Password == "":
		return bad("an empty password would let anybody in")
	case strings.ContainsAny(c.Password, "\n\r\x00"):
		return bad("a password cannot hold a line break")
	case c.Crypted && (c.Password[0] != '$' || strings.ContainsAny(c.Password, ": ")):
		return bad("the password is to be a hash, and does not look like one")
	}
	return nil
}

// ChangePassword gives the command that sets a user's password. The password is in
// its standard input alone: arguments can be seen in a guest.
func ChangePassword(c virt.SetPassword) virt.Command {
	chpasswd := "chpasswd"
	if c.Crypted {
		chpasswd += " -e"
	}
	return virt.Command{Argv: shell(lookUser+"exec "+chpasswd, c.User), Stdin: c.User + ":" + c.Password + "\n"}
}

// PasswordSet says whether ChangePassword did.
func PasswordSet(c virt.SetPassword, r *virt.CommandResult) error {
	e := &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: fmt.Sprintf("the password of %s cannot be set in its guest", c.User)}
	switch {
	case r.RC == statusNoUser:
		e.Kind, e.Summary = virt.ErrNotFound, fmt.Sprintf("there is no user %q in its guest", c.User)
		e.Hint = "make the user first, with users of create_vm or useradd in guest_exec"
	case r.RC == 127:
		e.Kind, e.Found = virt.ErrUnsupported, "no chpasswd in the guest"
	case r.RC != 0:
		// What it says may hold what it read.
		e.Found = strings.ReplaceAll(strings.TrimSpace(r.Stderr), c.Password, "…")
	default:
		return nil
	}
	return e
}
