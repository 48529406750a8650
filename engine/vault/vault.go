// Package vault encrypts and decrypts files of variables with age: for several
// recipients (age's own keys and SSH keys), or by a passphrase.
//
// What it makes are ordinary armored age files. The recipients stand in the
// encrypted text itself, as comments in front, for age does not tell to whom a
// file was encrypted, and an edit has to encrypt to the same ones again. Nothing
// is written, asked or started here but through the functions that Keys brings.
package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// MaxSize is the size in bytes of the largest file that is encrypted or
// decrypted.
const MaxSize = 8 << 20

// passphraseWork is the logarithm of the work that a passphrase costs: about a
// second. A file that demands more than maxPassphraseWork was not made for us.
var passphraseWork = 18

const maxPassphraseWork = 22

// mark stands in front of each recipient in the encrypted text.
const mark = "# nactl vault recipient: "

// The beginnings of files that age has encrypted.
const binaryHead = "age-encryption.org/v1\n"

// IsEncrypted tells whether a text is one that age has encrypted.
func IsEncrypted(text []byte) bool {
	return bytes.HasPrefix(text, []byte(binaryHead)) || bytes.HasPrefix(text, []byte(armor.Header))
}

// Lock is what a text is encrypted to: Recipients, or a Passphrase alone.
type Lock struct {
	Recipients []Recipient
	Passphrase string
}

// ErrNoLock says that there is nobody to encrypt to.
var ErrNoLock = errors.New("there is no recipient and no passphrase to encrypt to")

// Encrypt gives the armored file.
func Encrypt(text []byte, to Lock) ([]byte, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("the text has %d bytes, %d are the most", len(text), MaxSize)
	}
	var keys []age.Recipient
	var front strings.Builder
	switch {
	case to.Passphrase != "" && len(to.Recipients) > 0:
		return nil, errors.New("a file is encrypted to recipients or by a passphrase, not both")
	case to.Passphrase != "":
		r, err := age.NewScryptRecipient(to.Passphrase)
		if err != nil {
			return nil, err
		}
		r.SetWorkFactor(passphraseWork)
		keys = append(keys, r)
	case len(to.Recipients) == 0:
		return nil, ErrNoLock
	}
	for _, r := range to.Recipients {
		keys = append(keys, r.key)
		front.WriteString(mark + r.text + "\n")
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, keys...)
	if err != nil {
		return nil, err
	}
	for _, part := range [][]byte{[]byte(front.String()), text} {
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := armored.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decrypt gives the text of an encrypted file, and what it was encrypted to; the
// Lock is empty where another program has encrypted it to recipients. An error
// says what is missing to open it. Where a passphrase is asked for, the prompt has
// the file's name.
func (k *Keys) Decrypt(name string, file []byte) ([]byte, Lock, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	identities, err := k.identities(name, file)
	if err != nil {
		return nil, Lock{}, err
	}
	r, err := age.Decrypt(open(file), identities...)
	if err != nil {
		return nil, Lock{}, k.explain(file, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	switch {
	case err != nil:
		return nil, Lock{}, fmt.Errorf("the file is damaged: %w", err)
	case len(text) > MaxSize:
		return nil, Lock{}, fmt.Errorf("the decrypted text is larger than %d bytes", MaxSize)
	case !utf8.Valid(text):
		return nil, Lock{}, errors.New("the decrypted text is not UTF-8")
	}
	lock := Lock{Passphrase: k.used}
	for {
		line, rest, found := strings.Cut(string(text), "\n")
		name, ours := strings.CutPrefix(line, mark)
		if !found || !ours {
			return text, lock, nil
		}
		recipient, err := ParseRecipient(name)
		if err != nil {
			return nil, Lock{}, fmt.Errorf("a recipient in front of the decrypted text: %w", err)
		}
		lock.Recipients = append(lock.Recipients, recipient)
		text = []byte(rest)
	}
}

// open gives the binary form of an encrypted file.
func open(file []byte) io.Reader {
	if bytes.HasPrefix(file, []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(file))
	}
	return bytes.NewReader(file)
}
