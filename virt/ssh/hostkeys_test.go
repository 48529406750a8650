package ssh_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// file writes lines into a new file.
func file(t testing.TB, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func newSigner(t testing.TB, typ string) gossh.Signer {
	t.Helper()
	s, err := gossh.NewSignerFromKey(sshtest.NewKey(t, typ))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKnownHostsAccepts(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	var keys []gossh.PublicKey
	for _, k := range s.HostKeys {
		keys = append(keys, k.PublicKey())
	}
	hashed := knownhosts.Line([]string{knownhosts.HashHostname(knownhosts.Normalize(s.Addr))}, keys[1])
	for _, tt := range []struct {
		name  string
		alias string
		lines []string
	}{
		// A client that lets the server choose gets another type than the one
		// stored and sees a change where there is none.
		{"only ed25519", "", []string{s.KnownHostsLine(keys[0])}},
		{"only ecdsa", "", []string{s.KnownHostsLine(keys[1])}},
		{"only rsa", "", []string{s.KnownHostsLine(keys[2])}},
		{"hashed", "", []string{hashed}},
		{"among others", "", []string{"# comment", "", "other.example " + sshtest.AuthorizedKey(newSigner(t, "ed25519")), s.KnownHostsLine(keys[2])}},
		{"wildcard", "", []string{knownhosts.Line([]string{"127.0.0.*"}, keys[0])}},
		{"a second key of a type", "", []string{s.KnownHostsLine(newSigner(t, "ed25519").PublicKey()), s.KnownHostsLine(keys[0])}},
		{"alias", "vm-7", []string{"vm-7 " + strings.TrimSpace(string(gossh.MarshalAuthorizedKey(keys[0])))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := s.Config()
			cfg.KnownHosts = []string{filepath.Join(t.TempDir(), "absent"), file(t, tt.lines...)}
			cfg.HostKeyAlias = tt.alias
			dial(t, cfg)
		})
	}
}

func TestKnownHostsCertificate(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	ca := newSigner(t, "ed25519")
	cert := &gossh.Certificate{Key: s.HostKeys[0].PublicKey(), CertType: gossh.HostCert, KeyId: "node",
		ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: gossh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	certFile := file(t, strings.TrimSpace(string(gossh.MarshalAuthorizedKey(cert))))
	// The same host key again, now certified: sshd wants key and certificate.
	s = sshtest.Start(t, sshtest.Options{ExtraConfig: []string{
		"HostKey " + filepath.Join(s.Dir, "host_0_ed25519"), "HostCertificate " + certFile}})
	cfg := s.Config()
	cfg.KnownHosts = []string{file(t, "@cert-authority "+s.KnownHostsLine(ca.PublicKey()))}
	dial(t, cfg)
}

func TestHostKeyUnknown(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := s.Config()
	known := filepath.Join(t.TempDir(), "known hosts")
	cfg.KnownHosts = []string{known}
	_, err := ssh.Dial(testContext(t), cfg)
	var unknown *ssh.HostKeyUnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("got %v, want *HostKeyUnknownError", err)
	}
	if want := gossh.FingerprintSHA256(s.HostKeys[0].PublicKey()); unknown.Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", unknown.Fingerprint, want)
	}
	if want := "ssh-keyscan -t ed25519 -p " + s.Addr[strings.LastIndex(s.Addr, ":")+1:] + " 127.0.0.1 >> '" + known + "'"; unknown.Hint != want {
		t.Errorf("hint %q, want %q", unknown.Hint, want)
	}
	for _, part := range []string{unknown.Fingerprint, known, unknown.Hint} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	// What it offers as the line to add is right.
	cfg.KnownHosts = []string{file(t, unknown.Line)}
	dial(t, cfg)
}

func TestOnUnknownHostKey(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := s.Config()
	cfg.KnownHosts = []string{}
	refused := errors.New("not on my watch")
	cfg.OnUnknownHostKey = func(*ssh.HostKeyUnknownError) error { return refused }
	if _, err := ssh.Dial(testContext(t), cfg); !errors.Is(err, refused) {
		t.Errorf("got %v, want the callback's error", err)
	}
	cfg.OnUnknownHostKey = func(e *ssh.HostKeyUnknownError) error { return nil }
	dial(t, cfg)
}

func TestHostKeyMismatch(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	other, rsa := newSigner(t, "ed25519").PublicKey(), newSigner(t, "rsa").PublicKey()
	for _, tt := range []struct {
		name    string
		lines   []string
		line    int
		revoked bool
	}{
		{"another key", []string{"# first", s.KnownHostsLine(other)}, 2, false},
		{"another type", []string{s.KnownHostsLine(rsa)}, 1, false},
		{"of two types the one offered", []string{s.KnownHostsLine(rsa), s.KnownHostsLine(other)}, 2, false},
		{"revoked", []string{s.KnownHostsLine(s.HostKeys[0].PublicKey()), "@revoked * " + sshtest.AuthorizedKey(s.HostKeys[0])}, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := s.Config()
			cfg.KnownHosts = []string{file(t, tt.lines...)}
			cfg.OnUnknownHostKey = func(*ssh.HostKeyUnknownError) error { return nil } // must not be asked
			_, err := ssh.Dial(testContext(t), cfg)
			var mismatch *ssh.HostKeyMismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("got %v, want *HostKeyMismatchError", err)
			}
			if mismatch.File != cfg.KnownHosts[0] || mismatch.Line != tt.line || mismatch.Revoked != tt.revoked ||
				mismatch.Fingerprint != gossh.FingerprintSHA256(s.HostKeys[0].PublicKey()) {
				t.Errorf("got %+v, want line %d, revoked %v", mismatch, tt.line, tt.revoked)
			}
		})
	}
}

func TestKnownHostsUnreadable(t *testing.T) {
	cfg := sshtest.Start(t, sshtest.Options{}).Config()
	cfg.KnownHosts = []string{file(t, "127.0.0.1 ssh-ed25519 nonsense")}
	if _, err := ssh.Dial(testContext(t), cfg); err == nil || !strings.Contains(err.Error(), cfg.KnownHosts[0]+":1") {
		t.Errorf("got %v, want the place of the bad line", err)
	}
}
