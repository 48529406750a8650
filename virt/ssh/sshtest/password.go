package sshtest

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/skeema/knownhosts"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nactl/nactl/virt/ssh"
)

// PasswordServer is an SSH server in this process that has an account with a
// password, which sshd has only by changing the machine's accounts. It runs
// commands and forwards nothing.
type PasswordServer struct {
	Addr       string
	KnownHosts string

	mu       sync.Mutex
	attempts []string
	users    sync.WaitGroup
}

// StartPassword serves until the test ends. methods are "password" and
// "keyboard-interactive"; a question of the latter that is not about the password
// is asked first where first is not empty.
func StartPassword(t testing.TB, password, first string, methods ...string) *PasswordServer {
	t.Helper()
	dir := t.TempDir()
	s := &PasswordServer{KnownHosts: filepath.Join(dir, "known_hosts")}
	host := WriteKey(t, filepath.Join(dir, "host"), "ed25519", "")
	take := func(how, given string) (*gossh.Permissions, error) {
		s.mu.Lock()
		s.attempts = append(s.attempts, how+" "+given)
		s.mu.Unlock()
		if given != password {
			return nil, errors.New("no")
		}
		return nil, nil
	}
	cfg := &gossh.ServerConfig{}
	if slices.Contains(methods, "password") {
		cfg.PasswordCallback = func(_ gossh.ConnMetadata, given []byte) (*gossh.Permissions, error) {
			return take("password", string(given))
		}
	}
	if slices.Contains(methods, "keyboard-interactive") {
		cfg.KeyboardInteractiveCallback = func(_ gossh.ConnMetadata, ask gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
			if _, err := ask("", "be welcome", nil, nil); err != nil {
				return nil, err
			}
			if first != "" {
				if _, err := ask("", "", []string{first}, []bool{true}); err != nil {
					return nil, err
				}
			}
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			return take("keyboard-interactive", answers[0])
		}
	}
	cfg.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s.Addr = l.Addr().String()
	check(t, os.WriteFile(s.KnownHosts, []byte(knownhosts.Line([]string{s.Addr}, host.PublicKey())+"\n"), 0o600))
	s.users.Go(func() { s.accept(l, cfg) })
	t.Cleanup(func() {
		l.Close()
		s.users.Wait()
	})
	return s
}

// Config reaches the server with nothing of the surroundings, and without a
// password.
func (s *PasswordServer) Config() ssh.Config {
	host, port, _ := net.SplitHostPort(s.Addr)
	n, _ := strconv.Atoi(port)
	return ssh.Config{Address: host, Port: n, User: "kim", IdentityFiles: []string{}, Agent: "none", KnownHosts: []string{s.KnownHosts}, SSHConfig: "none"}
}

// Attempts lists what was tried so far, as "password hunter22".
func (s *PasswordServer) Attempts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

func (s *PasswordServer) accept(l net.Listener, cfg *gossh.ServerConfig) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.users.Go(func() { s.serve(conn, cfg) })
	}
}

func (s *PasswordServer) serve(conn net.Conn, cfg *gossh.ServerConfig) {
	defer conn.Close()
	client, channels, requests, err := gossh.NewServerConn(conn, cfg)
	if err != nil {
		return
	}
	defer client.Close()
	s.users.Go(func() { gossh.DiscardRequests(requests) })
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(gossh.Prohibited, "nothing is forwarded")
			continue
		}
		if ch, reqs, err := c.Accept(); err == nil {
			s.users.Go(func() { session(ch, reqs) })
		}
	}
}

// session runs one command.
func session(ch gossh.Channel, requests <-chan *gossh.Request) {
	defer ch.Close()
	for r := range requests {
		var line struct{ Command string }
		if r.Type != "exec" || gossh.Unmarshal(r.Payload, &line) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		cmd := exec.Command("sh", "-c", line.Command)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, ch, ch.Stderr()
		var end struct{ Status uint32 }
		if err := cmd.Run(); err != nil {
			end.Status = 1
		}
		_, _ = ch.SendRequest("exit-status", false, gossh.Marshal(&end))
		return
	}
}
