package virt

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// SSHKeys are the public keys that let somebody in as a user of a guest: the lines
// of that user's ~/.ssh/authorized_keys. Comments and empty lines are left out.
type SSHKeys struct {
	VM   string   `json:"vm"`
	User string   `json:"user"`
	Keys []string `json:"keys,omitempty"`
}

// KindSSHKeys is the kind of SSHKeys.
const KindSSHKeys Kind = "ssh keys"

// SSHKeysRef names the keys of a user in a VM.
func SSHKeysRef(vm, user string) Ref { return Ref{Kind: KindSSHKeys, Scope: vm, Name: user} }

// Ref names the keys.
func (s *SSHKeys) Ref() Ref { return SSHKeysRef(s.VM, s.User) }

// Clone returns a deep copy.
func (s *SSHKeys) Clone() Object {
	c := *s
	c.Keys = slices.Clone(s.Keys)
	return &c
}

// SetSSHKeys lets keys in as a user of a running guest, and others no longer. Its
// object is the user's SSHKeys, which are there when the user is.
type SetSSHKeys struct {
	On
	converge
	Keys      []string `json:"keys,omitempty"`      // these get in
	Remove    []string `json:"remove,omitempty"`    // these no longer
	Exclusive bool     `json:"exclusive,omitempty"` // nor any other
}

// Of gives the lines of a user who has these. A key is the same whatever its
// comment and options; where these differ, the line is replaced.
func (c SetSSHKeys) Of(have []string) []string {
	wanted, unwanted := map[string]string{}, map[string]bool{}
	for _, line := range c.Keys {
		wanted[keyID(line)] = line
	}
	for _, line := range c.Remove {
		unwanted[keyID(line)] = true
	}
	var out []string
	done := map[string]bool{}
	for _, line := range have {
		id := keyID(line)
		want, ok := wanted[id]
		switch {
		case unwanted[id], ok && done[id], c.Exclusive && !ok:
		case ok:
			out, done[id] = append(out, want), true
		default:
			out = append(out, line)
		}
	}
	for _, line := range c.Keys {
		if id := keyID(line); !done[id] && !unwanted[id] {
			out, done[id] = append(out, wanted[id]), true
		}
	}
	return out
}

// keyID tells keys apart: by the key itself, or the whole line where there is none
// in it.
func keyID(line string) string {
	if id, err := SSHKeyID(line); err == nil {
		return id
	}
	return line
}

// SSHKeyID gives the key itself out of a line of authorized_keys (sshd(8)), as
// `ssh-ed25519 AAAA…`, without options and comment. The error says what is wrong
// with the line.
func SSHKeyID(line string) (string, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("a public key is one line")
	}
	fields := keyFields(line)
	for i := 0; i+1 < len(fields) && i < 2; i++ {
		blob, err := base64.StdEncoding.DecodeString(fields[i+1])
		if err != nil || len(blob) < 4 {
			continue
		}
		// The key begins with its own type.
		if n := binary.BigEndian.Uint32(blob); uint64(n) <= uint64(len(blob)-4) && string(blob[4:4+n]) == fields[i] {
			return fields[i] + " " + fields[i+1], nil
		}
	}
	if strings.Contains(line, "PRIVATE KEY") {
		return "", fmt.Errorf("this is a private key; wanted the public one, from the file that ends in .pub")
	}
	return "", fmt.Errorf("wanted a public key as in authorized_keys, as `ssh-ed25519 AAAA… ada@example.org`")
}

// keyFields splits a line at blanks outside of quotes.
func keyFields(line string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quoted:
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t')
	})
}

// noUser says that a guest has no such user.
func noUser(ref Ref) error {
	return &Error{Kind: ErrNotFound, Object: ref, Summary: fmt.Sprintf("cannot be set: there is no user %q in the guest", ref.Name),
		Hint: "make the user first, with users of create_vm or useradd in guest_exec"}
}

func setSSHKeys(before Object, c SetSSHKeys) (Object, Outcome, error) {
	s, _ := before.(*SSHKeys)
	if s == nil {
		return nil, Outcome{}, noUser(c.Ref)
	}
	after := s.Clone().(*SSHKeys)
	after.Keys = c.Of(s.Keys)
	var d diff
	for _, line := range s.Keys {
		if !slices.Contains(after.Keys, line) {
			d.set("keys", shortKey(line), nil, "")
		}
	}
	for _, line := range after.Keys {
		if !slices.Contains(s.Keys, line) {
			d.set("keys", nil, shortKey(line), "")
		}
	}
	if len(d.out.Fields) == 0 && len(after.Keys) != len(s.Keys) {
		d.set("keys", len(s.Keys), len(after.Keys), "one of them stands there twice")
	}
	return after, d.out, nil
}

// shortKey names a key in few characters: its type, the end of it, its comment.
func shortKey(line string) string {
	id, err := SSHKeyID(line)
	if err != nil {
		return line[:min(len(line), 60)]
	}
	kind, blob, _ := strings.Cut(id, " ")
	_, comment, _ := strings.Cut(line, blob)
	return strings.TrimSpace(kind + " …" + blob[max(0, len(blob)-12):] + " " + strings.TrimSpace(comment))
}
