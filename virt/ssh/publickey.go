package ssh

import (
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// IsPublicKey tells whether a line is a public key as authorized_keys has them.
func IsPublicKey(line string) bool {
	_, _, _, rest, err := gossh.ParseAuthorizedKey([]byte(line))
	return err == nil && strings.TrimSpace(string(rest)) == ""
}
