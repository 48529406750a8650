package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// deaf accepts TCP connections and never says a word.
func deaf(t testing.TB) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr)
}

func TestDialUnreachable(t *testing.T) {
	quiet := deaf(t)
	talks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer talks.Close()
	go func() {
		for {
			c, err := talks.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			c.Close()
		}
	}()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, tt := range []struct {
		name  string
		addr  net.Addr
		stage string
	}{
		{"nobody listens", gone.Addr(), ssh.StageConnect},
		{"never answers", quiet, ssh.StageHandshake},
		{"not ssh", talks.Addr(), ssh.StageHandshake},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ssh.Dial(testContext(t), ssh.Config{Name: "node01", Address: "127.0.0.1",
				Port: tt.addr.(*net.TCPAddr).Port, SSHConfig: "none", Agent: "none", ConnectTimeout: 300 * time.Millisecond})
			var un *ssh.UnreachableError
			if !errors.As(err, &un) || un.Stage != tt.stage || !strings.Contains(un.Host, "node01") {
				t.Errorf("got %v, want *UnreachableError at %s", err, tt.stage)
			}
		})
	}
}

func TestDialIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	time.AfterFunc(100*time.Millisecond, cancel)
	start := time.Now()
	_, err := ssh.Dial(ctx, ssh.Config{Address: "127.0.0.1", Port: deaf(t).Port, SSHConfig: "none", Agent: "none"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestKeepAliveFindsADeadNode(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	cfg := s.Config()
	cfg.KeepAlive, cfg.KeepAliveCount = 50*time.Millisecond, 3
	c := dial(t, cfg)
	conn, err := c.DialUnix(testContext(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	// An idle connection to a live node stays.
	time.Sleep(400 * time.Millisecond)
	if c.Err() != nil {
		t.Fatalf("closed while the node was alive: %v", c.Err())
	}
	s.Signal(syscall.SIGSTOP)
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("a stopped sshd was not noticed")
	}
	var un *ssh.UnreachableError
	if !errors.As(c.Err(), &un) || un.Stage != ssh.StageKeepAlive {
		t.Errorf("Err() = %v, want stage keepalive", c.Err())
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlived the connection")
	}
	if _, err := c.Exec(testContext(t), ssh.Command{Shell: "true"}); !errors.As(err, &un) {
		t.Errorf("Exec on a dead connection: %v", err)
	}
}

func TestConnectionCut(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, s.Config())
	started := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		close(started)
		_, err := c.Exec(testContext(t), ssh.Command{Argv: []string{"sleep", "30"}})
		result <- err
	}()
	<-started
	for c.Stats().Execs == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	s.Signal(syscall.SIGKILL)
	var un *ssh.UnreachableError
	if err := <-result; !errors.As(err, &un) || un.Stage != ssh.StageConnection {
		t.Errorf("Exec: %v, want stage connection", err)
	}
	<-c.Done()
}

// Close returns at once though the node does not answer any more.
func TestCloseOfADeadNode(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, s.Config())
	if _, err := c.DialUnix(testContext(t), echoSocket(t)); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGSTOP)
	start := time.Now()
	c.Close()
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("Close took %s", d)
	}
}

func TestJump(t *testing.T) {
	outer, middle, inner := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	cfg := inner.Config()
	cfg.Jump = []ssh.Config{outer.Config(), middle.Config()}
	c := dial(t, cfg)
	r, err := c.Exec(testContext(t), ssh.Command{Shell: `echo "$SSH_CONNECTION"`})
	if err != nil || !strings.Contains(string(r.Stdout), " 127.0.0.1 ") {
		t.Fatalf("%q, %v", r.Stdout, err)
	}
	conn, err := c.DialUnix(testContext(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	testEcho(t, conn)
	if n := c.Stats().Connections; n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	c.Close()
	for _, s := range []*sshtest.Server{outer, middle, inner} {
		waitNoConnections(t, s)
	}
}

// waitNoConnections waits until sshd has seen all its clients go.
func waitNoConnections(t *testing.T, s *sshtest.Server) {
	t.Helper()
	for range 400 {
		if len(s.Connections()) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s still has connections:\n%s", s.Addr, s.Log())
}

func TestDialerSharesJumpHosts(t *testing.T) {
	bastion, node := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	cfg := node.Config()
	cfg.Jump = []ssh.Config{bastion.Config()}
	var d ssh.Dialer
	var wg sync.WaitGroup
	clients := make([]*ssh.Client, 4)
	for i := range clients {
		wg.Go(func() {
			c, err := d.Dial(testContext(t), cfg)
			if err != nil {
				t.Error(err)
			}
			clients[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	if n := strings.Count(bastion.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("%d logins at the bastion, want 1", n)
	}
	for _, c := range clients[1:] {
		c.Close()
	}
	if _, err := clients[0].Exec(testContext(t), ssh.Command{Shell: "true"}); err != nil {
		t.Errorf("the last client has lost its jump host: %v", err)
	}
	clients[0].Close()
	waitNoConnections(t, bastion)
	// After the last user a new one dials anew.
	c, err := d.Dial(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestJumpFailures(t *testing.T) {
	bastion := sshtest.Start(t, sshtest.Options{})
	shut := sshtest.Start(t, sshtest.Options{NoForwarding: true})
	node := sshtest.Start(t, sshtest.Options{})
	unknown := bastion.Config()
	unknown.KnownHosts = []string{"/nonexistent"}
	dead := node.Config()
	dead.Port = deafPort(t)
	for _, tt := range []struct {
		name string
		to   ssh.Config
		via  ssh.Config
		want string
	}{
		{"bastion unknown", node.Config(), unknown, "jump host: host key of"},
		{"bastion forwards nothing", node.Config(), shut.Config(), "from jump host 127.0.0.1"},
		{"node down", dead, bastion.Config(), "from jump host 127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.to.Jump = []ssh.Config{tt.via}
			if _, err := ssh.Dial(testContext(t), tt.to); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("cancelled behind the bastion", func(t *testing.T) {
		to := node.Config()
		to.Port, to.Jump = deaf(t).Port, []ssh.Config{bastion.Config()}
		ctx, cancel := context.WithTimeout(testContext(t), 500*time.Millisecond)
		defer cancel()
		if _, err := ssh.Dial(ctx, to); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
		waitNoConnections(t, bastion)
	})
}

// deafPort is a port on which nobody listens.
func deafPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
