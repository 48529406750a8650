//go:build cgo

package libvirt

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// relayTo relays a socket of this machine to another one, and dials it.
func relayTo(t *testing.T, daemon string) (*relay, net.Conn) {
	t.Helper()
	near, err := net.Listen("unix", filepath.Join(t.TempDir(), "near"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t.Context(), &Node{cfg: Config{Name: "n2"}, addr: address{sockets: []string{daemon}}, meter: newMeter(nil)}, near)
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := net.Dial("unix", near.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return r, c
}

func TestRelay(t *testing.T) {
	daemon, err := net.Listen("unix", filepath.Join(t.TempDir(), "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	r, near := relayTo(t, daemon.Addr().String())
	far, err := daemon.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, way := range []struct{ from, to net.Conn }{{near, far}, {far, near}} {
		if _, err := way.from.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(way.to, b); err != nil || string(b) != "hello" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if !r.used() || r.why() != nil {
		t.Errorf("used %v, %v", r.used(), r.why())
	}
	// Its end reaches both sides, though neither said anything.
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection outlives the relay")
		}
	}
}

func TestRelayWithoutDestination(t *testing.T) {
	r, near := relayTo(t, filepath.Join(t.TempDir(), "missing"))
	if _, err := near.Read(make([]byte, 1)); err == nil {
		t.Error("nobody answers, and the source is not told")
	}
	if err := r.why(); err == nil || !strings.Contains(err.Error(), "reach libvirt on n2") {
		t.Errorf("got %v", err)
	}
}
