package ssh_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// echoSocket listens on a unix socket and echoes what it gets.
func echoSocket(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "echo")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return path
}

func TestDialUnix(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	conn, err := c.DialUnix(testContext(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testEcho(t, conn)
	if s := c.Stats(); s != (ssh.Stats{Connections: 1, Channels: 1}) {
		t.Errorf("%+v, want one connection and one channel", s)
	}
}

func TestDialTCP(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		a, err := l.Accept()
		if err != nil {
			return
		}
		defer a.Close()
		_, _ = io.Copy(a, a)
	}()
	conn, err := c.DialTCP(testContext(t), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testEcho(t, conn)
	if _, err := c.DialTCP(testContext(t), "127.0.0.1"); err == nil {
		t.Error("an address without a port was taken")
	}
}

// testEcho proves that a conn to an echoing peer carries bytes both ways, keeps
// deadlines and half-closes.
func testEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	data := make([]byte, 5<<20)
	_, _ = rand.Read(data)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	_, err := io.ReadFull(conn, got)
	check(err)
	check(<-sent)
	if !bytes.Equal(got, data) {
		t.Fatal("other bytes came back")
	}

	check(conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)))
	if _, err := conn.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read past the deadline: %v", err)
	}
	check(conn.SetReadDeadline(time.Time{}))
	check(conn.SetWriteDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write([]byte("bye"))
	check(err)
	check(conn.(interface{ CloseWrite() error }).CloseWrite())
	rest, err := io.ReadAll(conn)
	check(err)
	if string(rest) != "bye" {
		t.Fatalf("got %q after the half-close, want bye", rest)
	}
}

func TestStreamCloseFreesReader(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	conn, err := c.DialUnix(testContext(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	conn.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v, want net.ErrClosed", err)
	}
	if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v, want net.ErrClosed", err)
	}
}

// A peer that reads nothing does not hold a writer longer than its deadline.
func TestStreamWriteDeadline(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	conn, err := c.DialExec(testContext(t), []string{"sleep", "30"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := conn.Write(make([]byte, 16<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: %v, want a passed deadline", err)
	}
}

func TestDialUnixTellsWhatIsWrong(t *testing.T) {
	open := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	shut := dial(t, sshtest.Start(t, sshtest.Options{NoForwarding: true}).Config())
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()

	for _, tt := range []struct {
		name, path, reason string
	}{
		{"missing", filepath.Join(dir, "it's not there"), "no such file"},
		{"not a socket", file, "not a socket"},
		{"nobody listens", stale, "no process listens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open.DialUnix(testContext(t), tt.path)
			var missing *ssh.NoSocketError
			if !errors.As(err, &missing) || missing.Path != tt.path || !strings.Contains(missing.Reason, tt.reason) {
				t.Errorf("got %v, want *NoSocketError with %q", err, tt.reason)
			}
			if errors.Is(err, ssh.ErrForwardingRefused) {
				t.Error("taken for refused forwarding")
			}
		})
	}
	t.Run("forwarding refused", func(t *testing.T) {
		_, err := shut.DialUnix(testContext(t), echoSocket(t))
		if !errors.Is(err, ssh.ErrForwardingRefused) {
			t.Errorf("got %v, want ErrForwardingRefused", err)
		}
	})
}

func TestDialExec(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{NoForwarding: true}).Config())
	conn, err := c.DialExec(testContext(t), []string{"cat"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testEcho(t, conn)
	if s := c.Stats(); s.Execs != 1 {
		t.Errorf("%+v, want one exec", s)
	}
}

func TestDialExecSaysWhyTheCommandFailed(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	conn, err := c.DialExec(testContext(t), []string{"sh", "-c", "echo hello; echo no such socket >&2; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	var exit *ssh.ExitError
	if string(got) != "hello\n" || !errors.As(err, &exit) || exit.RC != 3 || exit.Stderr != "no such socket" {
		t.Errorf("got %q, %v; want hello and exit status 3 with stderr", got, err)
	}
}

func TestListenUnix(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	ctx := testContext(t)
	path := filepath.Join(t.TempDir(), "relay")

	// A stale socket is in the way.
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	if _, err := c.ListenUnix(ctx, path); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Fatalf("took a socket that is in use: %v", err)
	}
	old.Close()

	l, err := c.ListenUnix(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // relay to an echo through the same connection
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer a.Close()
				_, _ = io.Copy(a, a)
			}()
		}
	}()
	for range 3 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		testEcho(t, conn)
		conn.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket was not removed: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

func TestListenUnixRefuses(t *testing.T) {
	ctx := testContext(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	if _, err := open.ListenUnix(ctx, file); err == nil {
		t.Error("a file was taken for a stale socket")
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none", "s"): "may write to",
		"relative":                              "absolute",
		"/run/" + strings.Repeat("x", 108):      "at most 107 bytes",
	} {
		if _, err := open.ListenUnix(ctx, path); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ssh.ErrForwardingRefused) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if b, _ := os.ReadFile(file); string(b) != "keep" {
		t.Error("the file is gone")
	}
	shut := dial(t, sshtest.Start(t, sshtest.Options{NoForwarding: true}).Config())
	if _, err := shut.ListenUnix(ctx, file+"2"); !errors.Is(err, ssh.ErrForwardingRefused) {
		t.Errorf("got %v, want ErrForwardingRefused", err)
	}
}

func TestOperationsAfterClose(t *testing.T) {
	c := dial(t, sshtest.Start(t, sshtest.Options{}).Config())
	conn, err := c.DialUnix(testContext(t), echoSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-c.Done()
	if !errors.Is(c.Err(), ssh.ErrClosed) {
		t.Errorf("Err() = %v", c.Err())
	}
	ctx := context.Background()
	if _, err := c.Exec(ctx, ssh.Command{Shell: "true"}); !errors.Is(err, ssh.ErrClosed) {
		t.Errorf("Exec: %v", err)
	}
	if _, err := c.DialUnix(ctx, "/run/x"); !errors.Is(err, ssh.ErrClosed) {
		t.Errorf("DialUnix: %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlived its connection")
	}
}
