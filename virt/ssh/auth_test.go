package ssh_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// serveAgent runs an agent on a socket.
func serveAgent(t testing.TB, keys ...any) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k, Comment: "test key"}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = agent.ServeAgent(ring, c) // ends with the client
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return path
}

func TestAuthByIdentityFile(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	for _, typ := range []string{"ed25519", "ecdsa", "rsa"} {
		lines = append(lines, sshtest.AuthorizedKey(sshtest.WriteKey(t, filepath.Join(dir, typ), typ, "")))
	}
	s := sshtest.Start(t, sshtest.Options{NoIdentity: true, AuthorizedKeys: lines})
	for _, typ := range []string{"ed25519", "ecdsa", "rsa"} {
		cfg := s.Config()
		cfg.IdentityFiles = []string{filepath.Join(dir, typ)}
		dial(t, cfg)
	}
}

func TestAuthByAgent(t *testing.T) {
	key := sshtest.NewKey(t, "rsa")
	signer, err := gossh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := sshtest.Start(t, sshtest.Options{NoIdentity: true, AuthorizedKeys: []string{sshtest.AuthorizedKey(signer)}})
	// Ten keys that the node does not want: it hangs up after six.
	var many []any
	for range 10 {
		many = append(many, sshtest.NewKey(t, "ed25519"))
	}
	public := filepath.Join(t.TempDir(), "id.pub")
	if err := os.WriteFile(public, gossh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := s.Config()
	for _, tt := range []struct {
		name  string
		agent []any
		files []string
		only  bool
	}{
		{"the agent's key", []any{key}, []string{}, false},
		{"a public key names it", append(many, key), []string{public}, false},
		{"a public key beside the name", append(many, key), []string{strings.TrimSuffix(public, ".pub")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg.Agent, cfg.IdentityFiles, cfg.IdentitiesOnly = serveAgent(t, tt.agent...), tt.files, tt.only
			dial(t, cfg)
		})
	}
	t.Run("SSH_AUTH_SOCK", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", serveAgent(t, key))
		cfg.Agent, cfg.IdentityFiles, cfg.IdentitiesOnly = "", []string{}, false
		dial(t, cfg)
	})
	t.Run("too many keys", func(t *testing.T) {
		cfg.Agent, cfg.IdentityFiles = serveAgent(t, append(many, key)...), []string{}
		var refused *ssh.AuthError
		if _, err := ssh.Dial(testContext(t), cfg); !errors.As(err, &refused) || !strings.Contains(err.Error(), "Too many authentication failures") {
			t.Errorf("got %v, want *AuthError with the server's words", err)
		}
	})
	t.Run("an agent that never answers", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		cfg.Agent = l.Addr().String()
		ctx, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
		defer cancel()
		if _, err := ssh.Dial(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
}

func TestAuthByEncryptedKey(t *testing.T) {
	dir := t.TempDir()
	locked, spare := filepath.Join(dir, "locked"), filepath.Join(dir, "spare")
	signer := sshtest.WriteKey(t, locked, "rsa", "pass")
	s := sshtest.Start(t, sshtest.Options{AuthorizedKeys: []string{sshtest.AuthorizedKey(signer)}})
	sshtest.WriteKey(t, spare, "ed25519", "pass") // the node does not know it

	cfg := s.Config()
	cfg.IdentityFiles = []string{spare, locked}
	var asked []string
	cfg.Passphrase = func(_ context.Context, file string) ([]byte, error) {
		asked = append(asked, file)
		return []byte("pass"), nil
	}
	dial(t, cfg)
	if len(asked) != 1 || asked[0] != locked {
		t.Errorf("asked for %v, want only for the key that the node takes", asked)
	}

	cfg.Passphrase = func(context.Context, string) ([]byte, error) { return []byte("wrong"), nil }
	var refused *ssh.AuthError
	if _, err := ssh.Dial(testContext(t), cfg); !errors.As(err, &refused) || !strings.Contains(err.Error(), locked+": passphrase") {
		t.Errorf("wrong passphrase: %v", err)
	}
	cfg.Passphrase = nil
	if _, err := ssh.Dial(testContext(t), cfg); !errors.As(err, &refused) || !strings.Contains(err.Error(), locked+" is encrypted: add it to the agent") {
		t.Errorf("no passphrase: %v", err)
	}
	// A key that cannot sign does not keep the next one from being tried.
	cfg.IdentityFiles = []string{locked, s.IdentityFile}
	dial(t, cfg)
}

func TestAuthByCertificate(t *testing.T) {
	ca := newSigner(t, "ed25519")
	file := filepath.Join(t.TempDir(), "id")
	signer := sshtest.WriteKey(t, file, "ed25519", "")
	s := sshtest.Start(t, sshtest.Options{NoIdentity: true,
		AuthorizedKeys: []string{"cert-authority " + sshtest.AuthorizedKey(ca)}})
	cert := &gossh.Certificate{Key: signer.PublicKey(), CertType: gossh.UserCert, KeyId: "kim",
		ValidPrincipals: []string{s.User}, ValidBefore: gossh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	cfg := s.Config()
	cfg.IdentityFiles = []string{file}
	if _, err := ssh.Dial(testContext(t), cfg); err == nil {
		t.Fatal("let in without a certificate")
	}
	if err := os.WriteFile(file+"-cert.pub", gossh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	dial(t, cfg)
}

func TestAuthErrorNamesWhatWasTried(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{NoIdentity: true})
	cfg := s.Config()
	absent := filepath.Join(t.TempDir(), "absent")
	garbage := file(t, "not a key")
	cfg.IdentityFiles = append(cfg.IdentityFiles, absent, garbage)
	cfg.IdentitiesOnly = false
	key := sshtest.NewKey(t, "ed25519")
	cfg.Agent = serveAgent(t, key)
	_, err := ssh.Dial(testContext(t), cfg)
	var refused *ssh.AuthError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want *AuthError", err)
	}
	for _, part := range []string{s.IdentityFile + " (ssh-ed25519 SHA256:", "agent key (ssh-ed25519 SHA256:", "test key",
		absent + ": no such file", garbage + ": not a private key"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	cfg.Agent, cfg.IdentityFiles = filepath.Join(t.TempDir(), "none"), []string{}
	if _, err := ssh.Dial(testContext(t), cfg); !errors.As(err, &refused) || !strings.Contains(err.Error(), "agent "+cfg.Agent) {
		t.Errorf("got %v, want the agent that is not there", err)
	}
}

func TestAuthOfAPasswordOnlyServer(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{ExtraConfig: []string{"PubkeyAuthentication no", "PasswordAuthentication yes"}})
	_, err := ssh.Dial(testContext(t), s.Config())
	var refused *ssh.AuthError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "accepts only password, not public keys; --ask-pass asks for a password") {
		t.Errorf("got %v, want what the server accepts", err)
	}
}

// A password is sent once, where no key is taken, and is in no message.
func TestPassword(t *testing.T) {
	const right = "correct horse"
	for name, test := range map[string]struct {
		methods []string
		first   string
		given   string
		tries   string // what the server saw
		err     string
	}{
		"password":             {methods: []string{"password"}, given: right, tries: "password " + right},
		"keyboard-interactive": {methods: []string{"keyboard-interactive"}, given: right, tries: "keyboard-interactive " + right},
		"both":                 {methods: []string{"password", "keyboard-interactive"}, given: right, tries: "password " + right},
		"wrong": {methods: []string{"password", "keyboard-interactive"}, given: "battery staple", tries: "password battery staple",
			err: "login as kim refused; tried a password: ssh: handshake failed: the password is not accepted"},
		"wrong, asked for": {methods: []string{"keyboard-interactive"}, given: "battery staple", tries: "keyboard-interactive battery staple", err: "the password is not accepted"},
		"more questions":   {methods: []string{"keyboard-interactive"}, first: "Code: ", given: right, err: `the server asks for more than a password: "Code: "`},
		"no password":      {methods: []string{"password"}, err: "--ask-pass asks for a password"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.StartPassword(t, right, test.first, test.methods...)
			cfg := s.Config()
			if test.given != "" {
				cfg.Password = ssh.FixedPassword(test.given)
			}
			c, err := ssh.Dial(testContext(t), cfg)
			if got := strings.Join(s.Attempts(), ", "); got != test.tries {
				t.Errorf("the server saw %q, want %q", got, test.tries)
			}
			if test.err != "" {
				var refused *ssh.AuthError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.err) || test.given != "" && strings.Contains(err.Error(), test.given) {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if r, err := c.Exec(testContext(t), ssh.Command{Argv: []string{"echo", "in"}}); err != nil || string(r.Stdout) != "in\n" {
				t.Errorf("%q %v", r.Stdout, err)
			}
		})
	}
}

// Many keys leave room for the password: sshd hangs up after six tries.
func TestPasswordBehindManyKeys(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{NoIdentity: true, ExtraConfig: []string{"PasswordAuthentication yes"}})
	var keys []any
	for range 8 {
		keys = append(keys, sshtest.NewKey(t, "ed25519"))
	}
	cfg := s.Config()
	cfg.IdentityFiles, cfg.IdentitiesOnly, cfg.Agent = nil, false, serveAgent(t, keys...)
	asked := 0
	cfg.Password = func(context.Context) (string, error) { asked++; return "wrong", nil }
	_, err := ssh.Dial(testContext(t), cfg)
	if err == nil || asked != 1 || !strings.Contains(err.Error(), "more keys were not offered") || !strings.Contains(s.Log(), "Failed password") {
		t.Errorf("asked %d times, %v\n%s", asked, err, s.Log())
	}
}
