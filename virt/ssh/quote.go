package ssh

import (
	"strings"
)

// Quote returns s as one word of a POSIX shell. It cannot carry a NUL byte, as
// no argument can.
func Quote(s string) string {
	if s != "" && strings.IndexFunc(s, special) < 0 && s[0] != '~' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// special tells the bytes that a shell may read otherwise than literally.
func special(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-./:,@+%~", r)
}

// quoteArgv joins words into a command line.
func quoteArgv(argv []string) string {
	q := make([]string, len(argv))
	for i, a := range argv {
		q[i] = Quote(a)
	}
	return strings.Join(q, " ")
}
