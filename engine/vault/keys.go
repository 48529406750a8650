package vault

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Keys are what encrypted files are opened with. They are read when the first
// file needs them, and each question is put once. A Keys is safe for concurrent
// use.
type Keys struct {
	// Files hold identities: age's own, or a private SSH key. They have to be there.
	Files []string
	// Usual are files that are tried where they are there.
	Usual []string
	// Text holds identities themselves, as a variable of the environment does.
	Text string
	// Command gives the text of identities, as a password store does; nil: none.
	Command func() ([]byte, error)
	// Ask gives a passphrase; nil where nobody can type. The prompt names what it
	// opens.
	Ask func(prompt string) (string, error)
	// Hint says what to do where no identity fits.
	Hint string

	mu     sync.Mutex
	read   bool
	found  []age.Identity
	names  []string // where they come from
	phrase string   // that has opened a file
	used   string   // the passphrase of the file opened last; "" = none
}

// identities gives those that may open a file.
func (k *Keys) identities(name string, file []byte) ([]age.Identity, error) {
	k.used = ""
	kinds, err := stanzas(file)
	if err != nil {
		return nil, err
	}
	if slices.Contains(kinds, "scrypt") {
		return []age.Identity{&passphrase{keys: k, file: name}}, nil
	}
	if !k.read {
		if err := k.load(); err != nil {
			return nil, err
		}
		k.read = true
	}
	if len(k.found) == 0 {
		return nil, fmt.Errorf("it is encrypted to %s, and there is no identity to open it with: %s", recipients(kinds), k.Hint)
	}
	return k.found, nil
}

func (k *Keys) load() error {
	k.found, k.names = nil, nil
	if k.Text != "" {
		if err := k.add("the environment", []byte(k.Text)); err != nil {
			return err
		}
	}
	if k.Command != nil {
		text, err := k.Command()
		if err != nil {
			return fmt.Errorf("the command that gives the identity: %w", err)
		}
		if err := k.add("the command", text); err != nil {
			return err
		}
	}
	for _, path := range k.Files {
		text, err := readSmall(path)
		if err != nil {
			return fmt.Errorf("identity: %w", err)
		}
		if err := k.add(path, text); err != nil {
			return err
		}
	}
	for _, path := range k.Usual {
		if text, err := readSmall(path); err == nil {
			_ = k.add(path, text) // a key of another kind there is no mistake
		}
	}
	return nil
}

// add reads the identities of one place.
func (k *Keys) add(from string, text []byte) error {
	var found []age.Identity
	var err error
	if bytes.Contains(text, []byte("-----BEGIN ")) && !IsEncrypted(bytes.TrimSpace(text)) {
		var one age.Identity
		one, err = k.sshIdentity(from, text)
		found = []age.Identity{one}
	} else {
		if IsEncrypted(bytes.TrimSpace(text)) {
			if text, err = k.unlock(from, bytes.TrimSpace(text)); err != nil {
				return err
			}
		}
		found, err = age.ParseIdentities(bytes.NewReader(text))
	}
	if err != nil {
		return fmt.Errorf("identity %s: %w", from, err)
	}
	k.found = append(k.found, found...)
	k.names = append(k.names, from)
	return nil
}

// unlock opens a file of identities that a passphrase protects, as age's own
// tools make them.
func (k *Keys) unlock(from string, file []byte) ([]byte, error) {
	inner := &Keys{Ask: k.Ask, Hint: "a file of identities can be encrypted by a passphrase only"}
	text, _, err := inner.Decrypt(from, file)
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", from, err)
	}
	return text, nil
}

func (k *Keys) sshIdentity(from string, text []byte) (age.Identity, error) {
	id, err := agessh.ParseIdentity(text)
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return id, err
	}
	if locked.PublicKey == nil {
		return nil, errors.New("the key is protected by a passphrase in an old form: write it anew with ssh-keygen -p")
	}
	return agessh.NewEncryptedSSHIdentity(locked.PublicKey, text, func() ([]byte, error) {
		if k.Ask == nil {
			return nil, fmt.Errorf("SSH key %s needs its passphrase, and nobody can type here", from)
		}
		phrase, err := k.Ask("passphrase of SSH key " + from + ":")
		return []byte(phrase), err
	})
}

// passphrase opens what a passphrase protects. It asks only when it is needed, and
// tries what has opened another file first.
type passphrase struct {
	keys *Keys
	file string
}

// Unwrap gives the key of the file.
func (p *passphrase) Unwrap(list []*age.Stanza) ([]byte, error) {
	k := p.keys
	if k.phrase != "" {
		if key, err := unwrap(k.phrase, list); err == nil {
			k.used = k.phrase
			return key, nil
		}
	}
	if k.Ask == nil {
		return nil, errNobody
	}
	phrase, err := k.Ask("passphrase of " + p.file + ":")
	if err != nil {
		return nil, err
	}
	if phrase == "" {
		return nil, errors.New("no passphrase was given")
	}
	key, err := unwrap(phrase, list)
	if err == nil {
		k.phrase, k.used = phrase, phrase
	}
	return key, err
}

var errNobody = errors.New("it is encrypted by a passphrase, and nobody can type here")

func unwrap(phrase string, list []*age.Stanza) ([]byte, error) {
	id, err := age.NewScryptIdentity(phrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxPassphraseWork)
	return id.Unwrap(list)
}

// explain says why nothing opened a file.
func (k *Keys) explain(file []byte, err error) error {
	var none *age.NoIdentityMatchError
	if !errors.As(err, &none) {
		return err
	}
	if slices.Contains(none.StanzaTypes, "scrypt") {
		return errors.New("the passphrase is not the right one")
	}
	return fmt.Errorf("it is encrypted to %s, and no identity of %s is one of them", recipients(none.StanzaTypes), strings.Join(k.names, ", "))
}

// catch is an identity that opens nothing and notes what a file is encrypted to.
type catch struct{ kinds []string }

// Unwrap notes.
func (c *catch) Unwrap(list []*age.Stanza) ([]byte, error) {
	for _, s := range list {
		c.kinds = append(c.kinds, s.Type)
	}
	return nil, age.ErrIncorrectIdentity
}

// stanzas gives the kinds of a file's recipients.
func stanzas(file []byte) ([]string, error) {
	c := &catch{}
	_, err := age.Decrypt(open(file), c)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return c.kinds, nil
	}
	return nil, fmt.Errorf("the file is damaged: %w", cmp.Or(err, errors.New("no recipients")))
}

// recipients says to how many keys of which kinds a file is encrypted.
func recipients(kinds []string) string {
	names := map[string]string{"X25519": "age key", "mlkem768x25519": "post-quantum age key", "ssh-ed25519": "ssh-ed25519 key", "ssh-rsa": "ssh-rsa key"}
	count := map[string]int{}
	var order []string
	for _, kind := range kinds {
		name := cmp.Or(names[kind], "key of kind "+kind)
		if count[name] == 0 {
			order = append(order, name)
		}
		count[name]++
	}
	var out []string
	for _, name := range order {
		plural := ""
		if count[name] > 1 {
			plural = "s"
		}
		out = append(out, fmt.Sprintf("%d %s%s", count[name], name, plural))
	}
	return strings.Join(out, ", ")
}

// readSmall reads a file of keys, which may be a pipe, as <(pass show key) is. A
// device without end is cut off.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(text) > MaxSize {
		err = fmt.Errorf("%s is larger than %d bytes", path, MaxSize)
	}
	return text, err
}
