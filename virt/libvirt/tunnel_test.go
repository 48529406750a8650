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
	"sync/atomic"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// wireMessage makes a message of libvirt's wire protocol.
func wireMessage(program, procedure, typ uint32, payload int) []byte {
	b := make([]byte, 28+payload)
	for i, w := range []uint32{uint32(len(b)), program, 1, procedure, typ, 1, 0} {
		binary.BigEndian.PutUint32(b[4*i:], w)
	}
	return b
}

func TestMeterCountsCallsInAnyPieces(t *testing.T) {
	var stream []byte
	stream = append(stream, wireMessage(ProgramRemote, 1, typeCall, 40)...)
	stream = append(stream, wireMessage(programKeepAlive, 1, 2, 0)...)
	stream = append(stream, wireMessage(ProgramRemote, 14, typeCall, 100_000)...)
	stream = append(stream, wireMessage(ProgramRemote, 14, 3, 12)...) // a stream's data is no call
	for _, size := range []int{1, 3, 28, 29, 4096, len(stream)} {
		m := newMeter(nil)
		w := m.sent(&openCalls{})
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		s := m.stats()
		if s.Calls != 2 || s.Trips != 1 || s.Procedures["connect_open"] != 1 || s.Procedures["domain_get_xml_desc"] != 1 {
			t.Errorf("in pieces of %d: %+v", size, s)
		}
	}
}

func TestMeterCountsTrips(t *testing.T) {
	m := newMeter(nil)
	open := &openCalls{}
	sent, received := m.sent(open), m.received(open)
	call := wireMessage(ProgramRemote, 14, typeCall, 0)
	answer := wireMessage(ProgramRemote, 14, typeReply, 0)
	for _, step := range []struct {
		to *frames
		b  []byte
	}{{sent, call}, {sent, call}, {received, answer}, {received, answer}, {sent, call}} {
		if _, err := step.to.Write(step.b); err != nil {
			t.Fatal(err)
		}
	}
	if s := m.stats(); s.Calls != 3 || s.Trips != 2 {
		t.Errorf("%+v, want 3 calls in 2 trips", s)
	}
	// What is unanswered when the connection ends does not count as outstanding.
	m.reply(open.drain())
	other := m.sent(&openCalls{})
	if _, err := other.Write(call); err != nil {
		t.Fatal(err)
	}
	if s := m.stats(); s.Trips != 3 {
		t.Errorf("%+v, want 3 trips", s)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(wireMessage(ProgramRemote, 1, typeCall, 4), 3)
	f.Add([]byte{0, 0, 0, 1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		count := func(size int) int {
			n := 0
			fr := &frames{sum: new(atomic.Int64), on: func(uint32, uint32, uint32) { n++ }}
			for rest := stream; len(rest) > 0; {
				k := min(size, len(rest))
				if _, err := fr.Write(rest[:k]); err != nil {
					t.Fatal(err)
				}
				rest = rest[k:]
			}
			return n
		}
		if size < 1 {
			size = 1
		}
		if whole, pieces := count(max(1, len(stream))), count(size); whole != pieces {
			t.Errorf("%d messages at once, %d in pieces of %d", whole, pieces, size)
		}
	})
}

func TestProcedures(t *testing.T) {
	for _, c := range []struct {
		program, number uint32
		name            string
		reads           bool
	}{
		{ProgramRemote, 14, "domain_get_xml_desc", true},
		{ProgramRemote, 11, "domain_define_xml", false},
		{ProgramRemote, 350, "domain_define_xml_flags", false},
		{ProgramQEMU, 3, "domain_agent_command", false},
		{ProgramRemote, 99999, "0x20008086/99999", false},
	} {
		if got := ProcedureName(c.program, c.number); got != c.name || ReadsOnly(c.program, c.number) != c.reads {
			t.Errorf("%d: %s, reads %v", c.number, got, ReadsOnly(c.program, c.number))
		}
	}
	known := map[string]bool{}
	for _, name := range procedureNames() {
		known[name] = true
	}
	for name := range readProcedures {
		if !known[name] {
			t.Errorf("%s is no procedure", name)
		}
	}
}

// silentDaemon listens where libvirtd would, takes connections, and says nothing.
func silentDaemon(t *testing.T) (socket string) {
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return socket
}

func TestAContextEndsACallThatBlocks(t *testing.T) {
	n, err := Open(t.Context(), Config{Name: "n1", Socket: silentDaemon(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := n.VM(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestNobodyListens(t *testing.T) {
	n, err := Open(t.Context(), Config{Name: "n1", Socket: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	var e *virt.Error
	_, err = n.VM(t.Context(), "a")
	if !errors.As(err, &e) || e.Kind != virt.ErrUnreachable || e.Hint == "" {
		t.Errorf("got %v", err)
	}
	// The next hundred steps hear it at once.
	began := time.Now()
	for range 100 {
		if _, err := n.VM(t.Context(), "a"); !errors.Is(err, virt.ErrUnreachable) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("100 refusals took %s", took)
	}
}

func TestTunnelTakesOneClientAndLeavesNothing(t *testing.T) {
	ours, daemon := net.Pipe()
	tun, err := newTunnel(ours, newMeter(nil))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(tun.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: want a directory for us alone", info, err)
	}
	c, err := net.Dial("unix", filepath.Join(tun.dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = daemon.Write([]byte("hello")) }()
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(tun.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", tun.dir)
	}
	tun.close()
	if _, err := c.Read(b); err == nil {
		t.Error("the client can still read")
	}
	if _, err := daemon.Read(b); err == nil {
		t.Error("the daemon's side is still open")
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		driver string
		path   string
		socket string
		direct bool
		fails  bool
	}{
		{cfg: Config{}, driver: "qemu", path: "/system", socket: "/run/libvirt/libvirt-sock"},
		{cfg: Config{URI: "qemu:///system", Socket: "/x"}, driver: "qemu", path: "/system", socket: "/x"},
		{cfg: Config{URI: "qemu+unix:///system?socket=/y"}, driver: "qemu", path: "/system", socket: "/y"},
		{cfg: Config{URI: "test:///default"}, driver: "test", path: "/default", direct: true},
		{cfg: Config{URI: "qemu+ssh://root@n1/system"}, fails: true},
		{cfg: Config{URI: "qemu://n1/system"}, fails: true},
		{cfg: Config{URI: "xen:///system"}, fails: true},
		{cfg: Config{URI: "%"}, fails: true},
	} {
		a, err := parseAddress(c.cfg)
		if c.fails {
			if !errors.Is(err, virt.ErrInvalid) {
				t.Errorf("%+v: %v, want an error", c.cfg, err)
			}
			continue
		}
		socket := ""
		if len(a.sockets) > 0 {
			socket = a.sockets[0]
		}
		if err != nil || a.driver != c.driver || a.path != c.path || a.direct != c.direct || socket != c.socket {
			t.Errorf("%+v: %+v, %v", c.cfg, a, err)
		}
	}
}
