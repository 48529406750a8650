package vault

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// Recipient is somebody to encrypt to: a public key.
type Recipient struct {
	key  age.Recipient
	text string // as it was given, without a comment
}

// String gives the public key.
func (r Recipient) String() string { return r.text }

// ParseRecipient reads a public key: age1… or one of SSH (ssh-ed25519, ssh-rsa).
// The comment behind an SSH key does not belong to it.
func ParseRecipient(text string) (Recipient, error) {
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return Recipient{}, errors.New("a recipient is a public key: age1…, ssh-ed25519 … or ssh-rsa …")
	case strings.HasPrefix(words[0], "AGE-SECRET-KEY-"):
		// The text is not shown: it is a secret.
		return Recipient{}, errors.New("this is an identity, which opens files and stays secret: name its public key, age1…")
	case strings.HasPrefix(words[0], "age1pq1"):
		r, err := age.ParseHybridRecipient(words[0])
		return parsed(r, words[0], err)
	case strings.HasPrefix(words[0], "age1"):
		r, err := age.ParseX25519Recipient(words[0])
		return parsed(r, words[0], err)
	case strings.HasPrefix(words[0], "ssh-") && len(words) > 1:
		key := words[0] + " " + words[1]
		r, err := agessh.ParseRecipient(key)
		return parsed(r, key, err)
	case strings.HasPrefix(words[0], "ssh-"), strings.HasPrefix(words[0], "ecdsa-"), strings.HasPrefix(words[0], "sk-"):
		return Recipient{}, fmt.Errorf("age encrypts to SSH keys of the types ssh-ed25519 and ssh-rsa, found %s", words[0])
	}
	return Recipient{}, fmt.Errorf("%.20q is no public key: wanted age1…, ssh-ed25519 … or ssh-rsa …", words[0])
}

func parsed(r age.Recipient, text string, err error) (Recipient, error) {
	if err != nil {
		return Recipient{}, fmt.Errorf("the public key %s: %w", shorten(text), err)
	}
	return Recipient{r, text}, nil
}

func shorten(text string) string {
	if len(text) > 32 {
		return text[:32] + "…"
	}
	return text
}

// ReadRecipients reads a file of public keys, one a line; empty lines and those
// with # are left out. An SSH .pub file and authorized_keys are such files.
func ReadRecipients(path string) ([]Recipient, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var out []Recipient
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		r, err := ParseRecipient(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no recipient", path)
	}
	return out, nil
}

// NewIdentity makes an identity: the text of its file, and its public key.
func NewIdentity() (text string, public Recipient, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", Recipient{}, err
	}
	public, err = ParseRecipient(id.Recipient().String())
	return fmt.Sprintf("# public key: %s\n%s\n", public, id), public, err
}
