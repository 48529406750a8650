// Package sshtest starts a real OpenSSH server for a test: on a loopback
// address, as the current user, with keys made for it, gone with the test.
//
// Nothing is simulated, so what a test sees of refusals, limits and timing is
// what nodes do. A Server has no state that tests could share.
package sshtest

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nactl/nactl/virt/ssh"
)

// Options of Start. The zero value is a server that allows all.
type Options struct {
	Host           string   // address to listen on; default 127.0.0.1
	Port           int      // default: a free one
	NoForwarding   bool     // DisableForwarding yes
	HostKeyTypes   []string // "ed25519", "ecdsa", "rsa"; default ed25519
	HostKeyFiles   []string // private keys that it offers before those; alone when no types are given
	AuthorizedKeys []string // more lines for authorized_keys
	NoIdentity     bool     // the generated identity is not let in
	ExtraConfig    []string // lines of sshd_config; the first word wins, as always
}

// Server is one running sshd.
type Server struct {
	Host         string
	Port         int
	Addr         string // host:port
	Dir          string // its files; Dir/log is what sshd says
	User         string
	IdentityFile string         // a private key that it lets in
	KnownHosts   string         // a known_hosts file with the host keys that were made for it
	HostKeys     []gossh.Signer // in the order of Options.HostKeyTypes

	cmd *exec.Cmd
}

// Start runs sshd until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	sshd := findSSHD(t)
	me, err := user.Current()
	check(t, err)
	s := &Server{Host: o.Host, Port: o.Port, Dir: t.TempDir(), User: me.Username}
	if s.Host == "" {
		s.Host = "127.0.0.1"
	}
	s.IdentityFile = filepath.Join(s.Dir, "identity")
	identity := WriteKey(t, s.IdentityFile, "ed25519", "")
	authorized := slices.Clone(o.AuthorizedKeys)
	if !o.NoIdentity {
		authorized = append(authorized, AuthorizedKey(identity))
	}
	s.write(t, "authorized_keys", strings.Join(authorized, "\n")+"\n")

	// sshd takes the first value of a keyword.
	config := slices.Clone(o.ExtraConfig)
	config = append(config, "AuthorizedKeysFile "+filepath.Join(s.Dir, "authorized_keys"),
		"PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no",
		"MaxStartups 100", "LogLevel VERBOSE",
		"SetEnv HOME="+s.Dir) // the login shell reads no one's .bashrc
	if o.NoForwarding {
		config = append(config, "DisableForwarding yes")
	}
	for _, file := range o.HostKeyFiles {
		config = append(config, "HostKey "+file)
	}
	types := o.HostKeyTypes
	if len(types) == 0 && len(o.HostKeyFiles) == 0 {
		types = []string{"ed25519"}
	}
	for i, typ := range types {
		file := filepath.Join(s.Dir, fmt.Sprintf("host_%d_%s", i, typ))
		s.HostKeys = append(s.HostKeys, WriteKey(t, file, typ, ""))
		config = append(config, "HostKey "+file)
	}
	s.write(t, "sshd_config", strings.Join(config, "\n")+"\n")
	s.run(t, sshd)

	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	var known strings.Builder
	for _, k := range s.HostKeys {
		known.WriteString(s.KnownHostsLine(k.PublicKey()) + "\n")
	}
	s.write(t, "known_hosts", known.String())
	return s
}

// Config reaches the server with its own identity and known_hosts, and nothing
// of the surroundings.
func (s *Server) Config() ssh.Config {
	return ssh.Config{Address: s.Host, Port: s.Port, User: s.User,
		IdentityFiles: []string{s.IdentityFile}, IdentitiesOnly: true, Agent: "none",
		KnownHosts: []string{s.KnownHosts}, SSHConfig: "none"}
}

// KnownHostsLine is a known_hosts line that gives the server a key.
func (s *Server) KnownHostsLine(key gossh.PublicKey) string {
	return knownhosts.Line([]string{s.Addr}, key)
}

// Log is what sshd has said so far.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Connections are the processes of sshd that serve connections now, and all
// that they have started.
func (s *Server) Connections() []int { return descendants(s.cmd.Process.Pid) }

// Signal sends sig to every process of Connections.
func (s *Server) Signal(sig syscall.Signal) {
	for _, pid := range s.Connections() {
		_ = syscall.Kill(pid, sig) // it may be gone already
	}
}

// run starts sshd; a port that another process has snatched meanwhile is
// replaced, unless it was asked for.
func (s *Server) run(t testing.TB, sshd string) {
	t.Helper()
	fixed := s.Port != 0
	for attempt := 0; ; attempt++ {
		if !fixed {
			l, err := net.Listen("tcp", net.JoinHostPort(s.Host, "0"))
			check(t, err)
			s.Port = l.Addr().(*net.TCPAddr).Port
			check(t, l.Close())
		}
		s.Addr = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
		log, err := os.Create(filepath.Join(s.Dir, "log"))
		check(t, err)
		s.cmd = exec.Command(sshd, "-D", "-e", "-f", filepath.Join(s.Dir, "sshd_config"),
			"-o", "ListenAddress="+s.Addr)
		s.cmd.Stderr = log
		check(t, s.cmd.Start())
		log.Close()
		exited := make(chan struct{})
		go func() {
			_ = s.cmd.Wait() // it is always killed
			close(exited)
		}()
		if s.answers(exited) {
			t.Cleanup(func() { s.stop(exited) })
			return
		}
		s.stop(exited)
		if fixed || attempt == 4 {
			t.Fatalf("sshd does not answer on %s:\n%s", s.Addr, s.Log())
		}
	}
}

// answers waits for sshd's banner.
func (s *Server) answers(exited <-chan struct{}) bool {
	for range 200 {
		select {
		case <-exited:
			return false
		case <-time.After(25 * time.Millisecond):
		}
		c, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		c.Close()
		if err == nil && strings.HasPrefix(line, "SSH-") {
			return true
		}
	}
	return false
}

// stop kills sshd and what it has started, which would survive it.
func (s *Server) stop(exited <-chan struct{}) {
	pids := append(descendants(s.cmd.Process.Pid), s.cmd.Process.Pid)
	_ = s.cmd.Process.Signal(syscall.SIGSTOP) // no new connections
	pids = append(pids, descendants(s.cmd.Process.Pid)...)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-exited
}

func (s *Server) write(t testing.TB, name, text string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600))
}

// findSSHD finds the program; as root it also needs its empty directory.
func findSSHD(t testing.TB) string {
	t.Helper()
	if os.Geteuid() == 0 {
		check(t, os.MkdirAll("/run/sshd", 0o755))
	}
	if p, err := exec.LookPath("sshd"); err == nil {
		if p, err = filepath.Abs(p); err == nil { // sshd insists
			return p
		}
	}
	for _, p := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("sshd not found; install openssh-server")
	return ""
}

// WriteKey makes a private key of a type ("ed25519", "ecdsa", "rsa") and writes
// it to file, encrypted if passphrase is not empty.
func WriteKey(t testing.TB, file, typ, passphrase string) gossh.Signer {
	t.Helper()
	key := NewKey(t, typ)
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = gossh.MarshalPrivateKey(key, "")
	} else {
		block, err = gossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	check(t, err)
	check(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := gossh.NewSignerFromKey(key)
	check(t, err)
	return signer
}

// NewKey makes a private key of a type.
func NewKey(t testing.TB, typ string) crypto.PrivateKey {
	t.Helper()
	var key crypto.PrivateKey
	var err error
	switch typ {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no such key type: %q", typ)
	}
	check(t, err)
	return key
}

// AuthorizedKey is a line for authorized_keys.
func AuthorizedKey(s gossh.Signer) string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(s.PublicKey())))
}

// descendants lists all processes below pid.
func descendants(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PPID …; the name may hold anything.
		i := strings.LastIndexByte(string(b), ')')
		fields := strings.Fields(string(b[i+1:]))
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, err2 := strconv.Atoi(fields[1])
		if err1 == nil && err2 == nil {
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		all = append(all, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
