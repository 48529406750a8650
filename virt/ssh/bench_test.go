package ssh_test

import (
	"io"
	"testing"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

func BenchmarkDial(b *testing.B) {
	cfg := sshtest.Start(b, sshtest.Options{}).Config()
	for b.Loop() {
		c, err := ssh.Dial(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkExec(b *testing.B) {
	c := dial(b, sshtest.Start(b, sshtest.Options{}).Config())
	for b.Loop() {
		if _, err := c.Exec(b.Context(), ssh.Command{Argv: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip is one small question and answer through a tunnel, as a
// call of libvirt is.
func BenchmarkRoundTrip(b *testing.B) {
	c := dial(b, sshtest.Start(b, sshtest.Options{}).Config())
	conn, err := c.DialUnix(b.Context(), echoSocket(b))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64)
	for b.Loop() {
		if _, err := conn.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTunnel is the throughput of both directions together.
func BenchmarkTunnel(b *testing.B) {
	c := dial(b, sshtest.Start(b, sshtest.Options{}).Config())
	conn, err := c.DialUnix(b.Context(), echoSocket(b))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(len(buf)))
	go func() {
		for range b.N {
			if _, err := conn.Write(buf); err != nil {
				return
			}
		}
	}()
	if _, err := io.CopyN(io.Discard, conn, int64(b.N)*int64(len(buf))); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDialUnix is a new channel with one question and answer; 40 ms here
// would be a delayed acknowledgement.
func BenchmarkDialUnix(b *testing.B) {
	c := dial(b, sshtest.Start(b, sshtest.Options{}).Config())
	path := echoSocket(b)
	buf := make([]byte, 64)
	for b.Loop() {
		conn, err := c.DialUnix(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
		conn.Close()
	}
}
