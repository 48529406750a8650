//go:build cgo

package libvirt

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// firstCall listens where libvirtd would, and gives the program and procedure of
// the first call that somebody makes there; it answers nothing.
func firstCall(t *testing.T) (socket string, call <-chan procedure) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nactl-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan procedure, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			head := make([]byte, lengthSize+headerSize)
			if _, err := io.ReadFull(c, head); err == nil {
				select {
				case got <- procedure{binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[12:])}:
				default:
				}
			}
			_, _ = io.Copy(io.Discard, c) // until the client goes
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return socket, got
}

// libvirt's calls reach the socket of a node over SSH: forwarded by sshd, and
// through a command where sshd forwards nothing.
func TestReachesTheSocketOverSSH(t *testing.T) {
	for name, forwards := range map[string]bool{"forwarded": true, "by a command": false} {
		t.Run(name, func(t *testing.T) {
			socket, call := firstCall(t)
			tools := t.TempDir()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, filepath.Join(tools, "nc")); err != nil {
				t.Fatal(err)
			}
			server := sshtest.Start(t, sshtest.Options{NoForwarding: !forwards, ExtraConfig: []string{"SetEnv PATH=" + tools + ":/usr/bin:/bin"}})
			cfg := server.Config()
			n, err := Open(t.Context(), Config{Name: "n1", SSH: &cfg, Socket: socket})
			if err != nil {
				t.Fatal(err)
			}
			defer closeNode(t, n)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := n.VM(ctx, "a")
				ended <- err
			}()
			select {
			case got := <-call:
				if name := ProcedureName(got.program, got.number); name != "auth_list" {
					t.Errorf("the first call is %s", name)
				}
			case err := <-ended:
				t.Fatalf("it ended before the daemon saw anything: %v", err)
			case <-time.After(30 * time.Second):
				t.Error("nothing arrived")
			}
			cancel()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the end of its context did not end the call")
			}
			if s := n.Stats(); s.Connections != 1 {
				t.Errorf("%d SSH connections, want 1", s.Connections)
			}
		})
	}
}

func TestNoSocketOnTheNode(t *testing.T) {
	server := sshtest.Start(t, sshtest.Options{})
	cfg := server.Config()
	n, err := Open(t.Context(), Config{Name: "n1", SSH: &cfg, Socket: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	var e *virt.Error
	if _, err := n.VM(t.Context(), "a"); !errors.As(err, &e) || e.Kind != virt.ErrUnreachable || e.Hint == "" {
		t.Errorf("got %v", err)
	}
}

func TestNotLetIn(t *testing.T) {
	server := sshtest.Start(t, sshtest.Options{NoIdentity: true})
	cfg := server.Config()
	n, err := Open(t.Context(), Config{Name: "n1", SSH: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	if _, err := n.VM(t.Context(), "a"); !errors.Is(err, virt.ErrAuth) {
		t.Errorf("got %v", err)
	}
}
