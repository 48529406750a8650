package ssh

import (
	"net"
	"syscall"
)

// quickConn acknowledges at once. sshd leaves Nagle's algorithm on for
// forwarded channels, so its second small packet would wait for our delayed
// acknowledgement, 40 ms each time. The kernel clears the flag by itself, so it
// is set around each read.
type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func newQuickConn(c *net.TCPConn) net.Conn {
	raw, err := c.SyscallConn()
	if err != nil {
		return c
	}
	return &quickConn{TCPConn: c, raw: raw}
}

func (c *quickConn) Read(b []byte) (int, error) {
	c.quickack()
	n, err := c.TCPConn.Read(b)
	c.quickack()
	return n, err
}

// quickack ignores failures: without the flag all works, only later.
func (c *quickConn) quickack() {
	_ = c.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
