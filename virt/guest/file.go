package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Attributes are what a guest's shell tells of a file. What it cannot tell is
// empty.
type Attributes struct{ Mode, Owner, Group, SHA256 string }

// AttributesScript prints mode, owner and group of $1 on one line, by name and by
// number, then, when $2 says sum, its checksum.
const AttributesScript = `stat -L -c '%a %U %G %u %g' -- "$1" && if [ "$2" = sum ]; then sha256sum <"$1"; fi`

// ParseAttributes reads what AttributesScript prints; what is not there, or looks
// otherwise, stays empty.
func ParseAttributes(s string) Attributes {
	first, rest, _ := strings.Cut(s, "\n")
	var at Attributes
	if f := strings.Fields(first); len(f) == 5 && strings.Trim(f[0], "01234567") == "" {
		at.Mode, at.Owner, at.Group = fmt.Sprintf("%04s", f[0]), f[1], f[2]
		// So stat calls those whose number has no name.
		if at.Owner == "UNKNOWN" {
			at.Owner = f[3]
		}
		if at.Group == "UNKNOWN" {
			at.Group = f[4]
		}
	}
	if sum, _, _ := strings.Cut(rest, " "); len(sum) == 2*sha256.Size {
		if _, err := hex.DecodeString(sum); err == nil {
			at.SHA256 = sum
		}
	}
	return at
}

// locate finds where the content of $1 belongs, beside which $t is to be made:
// what a link leads to, not the link.
const locate = `umask 077
f=$(readlink -f -- "$1") && [ -n "$f" ] || f=$1
if [ -d "$f" ]; then echo "it is a directory" >&2; exit 1; fi
t=${f%/*}/.nactl-$2
`

// install gives $t the mode $mode, owner $owner and group $group, proves its
// checksum $sum, and puts it in the place of $f in one stroke.
const install = `fail() { rm -f -- "$t"; exit 1; }
if command -v sha256sum >/dev/null; then
	s=$(sha256sum <"$t")
	if [ "${s%% *}" != "$sum" ]; then echo "what arrived is not what was sent: sha256 ${s%% *}" >&2; fail; fi
fi
if [ -n "$owner" ]; then chown -- "$owner" "$t" || fail; fi
if [ -n "$group" ]; then chgrp -- "$group" "$t" || fail; fi
chmod -- "$mode" "$t" || fail
sync "$t" 2>/dev/null || sync
mv -f -- "$t" "$f" || fail
if command -v restorecon >/dev/null; then restorecon -- "$f" 2>/dev/null; fi
exit 0`

// PrepareScript makes an empty file, named after $2, that only its owner can read
// beside $1, or beside what $1 links to, and prints the file's present mode and
// owner, then both paths.
const PrepareScript = locate + `: >"$t" || exit 1
if [ -e "$f" ]; then stat -c '%a %u %g' -- "$f"; else echo '644  '; fi
printf '%s\n%s' "$t" "$f"`

// FinishScript gives the file $1 its mode $3, owner $4 and group $5, proves its
// checksum $6, and puts it in the place of $2 in one stroke.
const FinishScript = `t=$1 f=$2 mode=$3 owner=$4 group=$5 sum=$6
` + install

// WriteScript does the work of both from its standard input: it writes $1, under a
// name made of $2 first. Mode $3, owner $4 and group $5 stay what they are when
// empty; $6 is the content's checksum and $7 its length, in bytes. Cut off at any
// point, it leaves the file as it was and nothing beside it.
const WriteScript = locate + `mode=$3 owner=$4 group=$5 sum=$6
if [ -e "$f" ]; then
	set -- "$7" $(stat -c '%a %u %g' -- "$f")
else
	set -- "$7" 644
fi
[ -n "$mode" ] || mode=$2
[ -n "$owner" ] || owner=$3
[ -n "$group" ] || group=$4
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM PIPE
(set -C; cat >"$t") || exit 1
if [ "$(wc -c <"$t")" -ne "$1" ]; then echo "what arrived is shorter than what was sent" >&2; exit 1; fi
` + install

// AttributesOnlyScript changes mode $2, owner $3 and group $4 of $1 where they are
// given.
const AttributesOnlyScript = `if [ -n "$3" ]; then chown -- "$3" "$1" || exit 1; fi
if [ -n "$4" ]; then chgrp -- "$4" "$1" || exit 1; fi
if [ -n "$2" ]; then chmod -- "$2" "$1" || exit 1; fi`

// Statuses of LookScript, away from those of the programs that it runs.
const (
	StatusMissing   = 93
	StatusNoAccess  = 94
	StatusDirectory = 95
)

// LookScript looks at the file $1. With limit $2 zero it only tells, by its
// status, whether the file is there. Else it prints a line as AttributesScript
// does, then a line "sum" and the output of sha256sum and wc -c when the file is
// longer than $2 bytes or $3 says sum, else a line "content" and up to $2 + 1
// bytes of it.
const LookScript = `if [ ! -e "$1" ]; then
	# A directory that cannot be searched hides what is in it.
	d=${1%/*}
	while [ -n "$d" ] && [ ! -e "$d" ]; do d=${d%/*}; done
	d=${d:-/}
	[ ! -d "$d" ] || [ -x "$d" ] || exit 94
	exit 93
fi
[ "$2" -gt 0 ] || exit 0
[ ! -d "$1" ] || exit 95
[ -r "$1" ] || exit 94
stat -L -c '%a %U %G %u %g' -- "$1" || echo
if [ "$3" = sum ] || [ "$(stat -L -c %s -- "$1" || echo 0)" -gt "$2" ]; then
	echo sum
	sha256sum <"$1" && exec wc -c <"$1"
else
	echo content
	exec head -c "$(($2 + 1))" -- "$1"
fi`
