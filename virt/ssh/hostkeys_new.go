package ssh

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// HostKey is a key pair that identifies a machine.
type HostKey struct {
	Private string // in OpenSSH's format, as of a file
	Public  string // "ssh-ed25519 AAAA…"
}

// NewHostKey makes an ed25519 key pair. Only a machine without randomness fails.
func NewHostKey() (HostKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return HostKey{}, fmt.Errorf("make a host key: %w", err)
	}
	block, err := gossh.MarshalPrivateKey(private, "")
	if err != nil {
		return HostKey{}, fmt.Errorf("make a host key: %w", err)
	}
	line, err := gossh.NewPublicKey(public)
	if err != nil {
		return HostKey{}, fmt.Errorf("make a host key: %w", err)
	}
	return HostKey{Private: string(pem.EncodeToMemory(block)), Public: strings.TrimSpace(string(gossh.MarshalAuthorizedKey(line)))}, nil
}

// accept records a key that nobody knows yet.
func (h *hostKeys) accept(unknown *HostKeyUnknownError, remote net.Addr, key gossh.PublicKey) error {
	if len(h.t.KnownHosts) == 0 {
		return fmt.Errorf("%w (and there is no known_hosts file to record it in)", unknown)
	}
	name := h.t.KnownHosts[0]
	if err := h.record(name, unknown.Line, remote, key); err != nil {
		return fmt.Errorf("%s: record its host key in %s: %w", h.t.host, name, err)
	}
	return nil
}

// record appends a line to a known_hosts file in one write, as everything else
// that writes there does, unless somebody has recorded the host meanwhile.
func (h *hostKeys) record(name, line string, remote net.Addr, key gossh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockFile(f); err != nil {
		return err
	}
	strict := *h.t
	strict.AcceptNew, strict.OnUnknownHostKey = false, nil
	now, err := newHostKeys(&strict)
	if err != nil {
		return err
	}
	var unknown *HostKeyUnknownError
	err = now.verdict(now.db.HostKeyCallback()(strict.keyAddr(), remote, key), remote, key)
	if !errors.As(err, &unknown) {
		return err // nil when it has become known
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	line += "\n"
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		line = "\n" + line
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Sync()
}
