package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	gossh "golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys is the strict check of one node's host key.
type hostKeys struct {
	t     *target
	db    *knownhosts.HostKeyDB
	pins  []gossh.PublicKey
	ok    bool  // a key was accepted: what fails later is not about the host key
	found error // why a key was not
}

func newHostKeys(t *target) (*hostKeys, error) {
	var pins []gossh.PublicKey
	for _, line := range t.PinnedKeys {
		key, err := parsePublic([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("%s: %s: the pinned host key %q cannot be read: %w", t.host, t.PinnedBy, line, err)
		}
		pins = append(pins, key)
	}
	var files []string
	for _, f := range t.KnownHosts {
		if pins != nil {
			break
		}
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: known_hosts: %w", t.host, err)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, fmt.Errorf("%s: a line of known_hosts cannot be read, mend or remove it: %w", t.host, err)
	}
	return &hostKeys{t: t, db: db, pins: pins}, nil
}

// algorithms puts those of the stored keys first, so that a node which has
// keys of several types offers the one that we know. The others follow: a node
// that has lost the known key is then a mismatch, not a failed negotiation.
func (h *hostKeys) algorithms() []string {
	all := gossh.SupportedAlgorithms().HostKeys
	var first, rest []string
	known := h.db.HostKeyAlgorithms(h.t.keyAddr())
	for _, k := range h.pins {
		known = append(known, k.Type())
	}
	for _, a := range known {
		if slices.Contains(all, a) { // not ssh-rsa with SHA-1
			first = append(first, a)
		}
	}
	for _, a := range all {
		if !slices.Contains(first, a) {
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// check is the gossh.HostKeyCallback.
func (h *hostKeys) check(_ string, remote net.Addr, key gossh.PublicKey) error {
	if h.pins != nil {
		h.found = h.pinned(key)
	} else {
		h.found = h.verdict(h.db.HostKeyCallback()(h.t.keyAddr(), remote, key), remote, key)
	}
	h.ok = h.found == nil
	return h.found
}

// pinned compares the key with those that it has to be one of.
func (h *hostKeys) pinned(key gossh.PublicKey) error {
	var want []string
	for _, pin := range h.pins {
		if bytes.Equal(pin.Marshal(), key.Marshal()) {
			return nil
		}
		want = append(want, pin.Type()+" "+gossh.FingerprintSHA256(pin))
	}
	return &HostKeyMismatchError{Host: knownhosts.Normalize(h.t.keyAddr()), KeyType: key.Type(), Fingerprint: gossh.FingerprintSHA256(key),
		Want: strings.Join(want, " or "), PinnedBy: h.t.PinnedBy}
}

func (h *hostKeys) verdict(err error, remote net.Addr, key gossh.PublicKey) error {
	var keyErr *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	name := knownhosts.Normalize(h.t.keyAddr())
	fingerprint := gossh.FingerprintSHA256(key)
	switch {
	case errors.As(err, &revoked):
		return &HostKeyMismatchError{Host: name, KeyType: key.Type(), Fingerprint: fingerprint,
			File: revoked.Revoked.Filename, Line: revoked.Revoked.Line, Revoked: true}
	case errors.As(err, &keyErr) && len(keyErr.Want) > 0:
		mismatch := &HostKeyMismatchError{Host: name, KeyType: key.Type(), Fingerprint: fingerprint}
		var want []string
		for _, k := range keyErr.Want {
			want = append(want, k.Key.Type()+" "+gossh.FingerprintSHA256(k.Key))
			if mismatch.Line == 0 || k.Key.Type() == key.Type() {
				mismatch.File, mismatch.Line = k.Filename, k.Line
			}
		}
		mismatch.Want = strings.Join(want, " or ")
		return mismatch
	case errors.As(err, &keyErr):
		unknown := &HostKeyUnknownError{Host: name, KeyType: key.Type(), Fingerprint: fingerprint,
			Line: knownhosts.Line([]string{name}, key), KnownHosts: h.t.KnownHosts, Hint: h.hint(key)}
		if h.t.AcceptNew {
			return h.accept(unknown, remote, key)
		}
		if h.t.OnUnknownHostKey != nil {
			return h.t.OnUnknownHostKey(unknown)
		}
		return unknown
	case err != nil:
		return fmt.Errorf("%s: host key: %w", h.t.host, err)
	}
	return nil
}

// hint is the command that stores the key: ssh-keyscan where the node can be
// reached directly, else ssh, which asks.
func (h *hostKeys) hint(key gossh.PublicKey) string {
	t := h.t
	file := "~/.ssh/known_hosts"
	if len(t.KnownHosts) > 0 {
		file = t.KnownHosts[0]
	}
	if len(t.Jump) > 0 || t.HostKeyAlias != "" {
		args := []string{"ssh", "-o", "UserKnownHostsFile=" + file, "-p", fmt.Sprint(t.Port)}
		if t.HostKeyAlias != "" {
			args = append(args, "-o", "HostKeyAlias="+t.HostKeyAlias)
		}
		var hops []string
		for _, j := range t.Jump {
			hops = append(hops, hopString(j))
		}
		if len(hops) > 0 {
			args = append(args, "-J", strings.Join(hops, ","))
		}
		return quoteArgv(append(args, t.User+"@"+t.Address, "true"))
	}
	scan := []string{"ssh-keyscan"}
	if typ := scanType(key.Type()); typ != "" {
		scan = append(scan, "-t", typ)
	}
	return quoteArgv(append(scan, "-p", fmt.Sprint(t.Port), t.Address)) + " >> " + Quote(file)
}

// hopString writes a jump host the way "ssh -J" reads it.
func hopString(j Config) string {
	host := j.Address
	if host == "" {
		host = j.Name
	}
	if j.Port != 0 {
		host = net.JoinHostPort(host, fmt.Sprint(j.Port))
	}
	if j.User != "" {
		host = j.User + "@" + host
	}
	return host
}

// scanType is the key type in ssh-keyscan's words.
func scanType(t string) string {
	switch {
	case strings.HasPrefix(t, "ssh-ed25519"):
		return "ed25519"
	case strings.HasPrefix(t, "ecdsa-"):
		return "ecdsa"
	case strings.HasPrefix(t, "ssh-rsa"):
		return "rsa"
	}
	return ""
}
