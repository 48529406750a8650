package ssh_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// A machine that was given a made key is known by its public half alone.
func TestPinnedKey(t *testing.T) {
	key, err := ssh.NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	// sshd takes it, beside one of another type that it would rather offer.
	s := sshtest.Start(t, sshtest.Options{HostKeyFiles: []string{file(t, key.Private)}, HostKeyTypes: []string{"ecdsa"}})
	cfg := s.Config()
	cfg.KnownHosts = []string{file(t, s.KnownHostsLine(newSigner(t, "ed25519").PublicKey()))} // must not be asked
	cfg.PinnedKeys, cfg.PinnedBy = []string{key.Public}, "the test"
	dial(t, cfg)

	other, err := ssh.NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.PinnedKeys = []string{other.Public}
	cfg.AcceptNew = true
	_, err = ssh.Dial(testContext(t), cfg)
	var mismatch *ssh.HostKeyMismatchError
	if !errors.As(err, &mismatch) || mismatch.PinnedBy != "the test" {
		t.Fatalf("got %v, want *HostKeyMismatchError", err)
	}
	for _, k := range []string{key.Public, other.Public} {
		pub, _, _, _, _ := gossh.ParseAuthorizedKey([]byte(k))
		if !strings.Contains(err.Error(), gossh.FingerprintSHA256(pub)) {
			t.Errorf("%v lacks %s", err, gossh.FingerprintSHA256(pub))
		}
	}
	cfg.PinnedKeys = []string{"ssh-ed25519 nonsense"}
	if _, err := ssh.Dial(testContext(t), cfg); err == nil || !strings.Contains(err.Error(), "the test: the pinned host key") {
		t.Errorf("got %v, want what cannot be read", err)
	}
}

func TestAcceptNew(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := s.Config()
	cfg.AcceptNew = true
	for name, before := range map[string]string{"no file": "", "a file": "# mine\n", "no end of line": "# mine"} {
		t.Run(name, func(t *testing.T) {
			known := filepath.Join(t.TempDir(), "ssh", "known_hosts")
			if before != "" {
				known = filepath.Join(t.TempDir(), "known_hosts")
				if err := os.WriteFile(known, []byte(before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg := cfg
			cfg.KnownHosts = []string{known}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					c, err := ssh.Dial(testContext(t), cfg)
					if err != nil {
						t.Error(err)
						return
					}
					c.Close()
				})
			}
			wg.Wait()
			want := s.KnownHostsLine(s.HostKeys[0].PublicKey()) + "\n"
			if before != "" {
				want = "# mine\n" + want
			}
			if got, err := os.ReadFile(known); err != nil || string(got) != want {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
			cfg.AcceptNew = false
			dial(t, cfg)
		})
	}
}

func TestAcceptNewRefusesAChange(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := s.Config()
	line := s.KnownHostsLine(newSigner(t, "ed25519").PublicKey())
	cfg.KnownHosts, cfg.AcceptNew = []string{file(t, line)}, true
	_, err := ssh.Dial(testContext(t), cfg)
	var mismatch *ssh.HostKeyMismatchError
	if !errors.As(err, &mismatch) {
		t.Errorf("got %v, want *HostKeyMismatchError", err)
	}
	if got, _ := os.ReadFile(cfg.KnownHosts[0]); string(got) != line+"\n" {
		t.Errorf("the file is now %q", got)
	}
	cfg.KnownHosts = []string{}
	var unknown *ssh.HostKeyUnknownError
	if _, err := ssh.Dial(testContext(t), cfg); !errors.As(err, &unknown) {
		t.Errorf("without a file to record in: %v", err)
	}
}

// A command that never reached the node can be told from one that may have.
func TestNotStarted(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, s.Config())
	c.Close()
	_, err := c.Exec(testContext(t), ssh.Command{Argv: []string{"true"}})
	var not *ssh.NotStartedError
	if !errors.As(err, &not) || !errors.Is(err, ssh.ErrClosed) {
		t.Errorf("on a closed connection: %v", err)
	}
	c = dial(t, s.Config())
	if _, err = c.Exec(testContext(t), ssh.Command{Shell: "kill -9 $PPID; sleep 5"}); err == nil || errors.As(err, &not) {
		t.Errorf("when the connection was cut: %v", err)
	}
}
