package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"
)

// DialUnix connects to a UNIX socket on the node (direct-streamlocal); the
// connect is made by sshd as the login user. The conn has deadlines, and a
// CloseWrite method.
//
// Errors: ErrForwardingRefused, *NoSocketError, ctx's error, or the cause of
// the connection's end. SSH itself tells a refused forwarding and a missing
// socket with the same words, so a failure costs one command that looks.
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	payload := gossh.Marshal(struct {
		Path      string
		Reserved  string
		Reserved2 uint32
	}{Path: path})
	conn, err := c.openStream(ctx, "direct-streamlocal@openssh.com", payload,
		unixAddr("@"), unixAddr(path))
	var refused *gossh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, c.diagnose(ctx, path, refused)
	}
	return conn, err
}

// DialTCP connects from the node to an address, "host:port" (direct-tcpip).
//
// Errors: ctx's error, the cause of the connection's end, or a plain one with
// sshd's reason.
func (c *Client) DialTCP(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", addr, err)
	}
	payload := gossh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{Host: host, Port: uint32(n), OriginHost: "127.0.0.1"})
	// known_hosts splits the remote address, so it must look like one.
	zero := &net.TCPAddr{IP: net.IPv4zero}
	conn, err := c.openStream(ctx, "direct-tcpip", payload, zero, zero)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return conn, nil
}

// openStream opens a channel and starts its pump.
func (c *Client) openStream(ctx context.Context, kind string, payload []byte, local, remote net.Addr) (net.Conn, error) {
	return await(ctx, c, func() (net.Conn, error) {
		ch, reqs, err := c.raw.OpenChannel(kind, payload)
		if err != nil {
			return nil, err
		}
		c.channels.Add(1)
		s := newStream(ch, local, remote, nil)
		if !c.spawn(s.pump) {
			ch.Close()
			return nil, c.Err()
		}
		c.spawn(func() { gossh.DiscardRequests(reqs) })
		return s, nil
	}, func(conn net.Conn) { conn.Close() })
}

// lookSocket prints in one word what stands in the way of a connect to $1.
// /proc/net/unix shows who listens; without it the question stays open.
const lookSocket = `p=$1
if [ ! -e "$p" ]; then echo missing
elif [ ! -S "$p" ]; then echo notsocket
elif [ ! -w "$p" ]; then echo denied
elif [ ! -r /proc/net/unix ]; then echo unknown
elif (while read -r num refs protocol flags type state inode name; do
	if [ "$flags" = 00010000 ] && [ "$name" = "$p" ]; then exit 1; fi
done </proc/net/unix)
then echo idle
else echo listening
fi`

// diagnose finds out why sshd did not connect to a socket.
func (c *Client) diagnose(ctx context.Context, path string, refused *gossh.OpenChannelError) error {
	if refused.Reason == gossh.Prohibited {
		return fmt.Errorf("%s: socket %s: %w", c.t.host, path, ErrForwardingRefused)
	}
	r, err := c.Exec(ctx, Command{Argv: []string{"sh", "-c", lookSocket, "sh", path}})
	if err != nil {
		return fmt.Errorf("%s: socket %s: %w (and looking for the reason failed: %w)", c.t.host, path, refused, err)
	}
	reason := ""
	switch word := strings.TrimSpace(string(r.Stdout)); word {
	case "missing":
		reason = "no such file (or not visible for user " + c.t.User + "); is the daemon installed and its socket unit started?"
	case "notsocket":
		reason = "it is not a socket"
	case "denied":
		reason = "permission denied for user " + c.t.User
	case "idle":
		reason = "no process listens on it"
	case "listening":
		return fmt.Errorf("%s: socket %s: %w", c.t.host, path, ErrForwardingRefused)
	default:
		return fmt.Errorf("%s: socket %s: %w (%s)", c.t.host, path, refused, word)
	}
	return &NoSocketError{Host: c.t.host, Path: path, Reason: reason}
}

// maxSocketPath is what fits into sockaddr_un, in bytes.
const maxSocketPath = 107

// clearSocket removes a stale socket at $1, and nothing else.
const clearSocket = lookSocket + ` | {
read -r word
case $word in
missing)
	d=$(dirname "$p")
	[ -d "$d" ] && [ -w "$d" ] || { echo "$d is not a directory that $(id -un) may write to" >&2; exit 1; } ;;
idle) rm -f -- "$p" || exit 1 ;;
listening) echo "another process listens on it" >&2; exit 1 ;;
notsocket) echo "it exists and is not a socket" >&2; exit 1 ;;
*) echo "cannot tell whether a process listens on it ($word)" >&2; exit 1 ;;
esac
}`

// ListenUnix has sshd listen on a UNIX socket of the node (streamlocal-forward)
// and hands its connections to Accept. A stale socket at path is removed first,
// one that a process listens on is an error. Close removes the socket.
func (c *Client) ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxSocketPath || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%s: listen on %s: want an absolute path of at most %d bytes", c.t.host, path, maxSocketPath)
	}
	r, err := c.Exec(ctx, Command{Argv: []string{"sh", "-c", clearSocket, "sh", path}})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := await(ctx, c, func() (net.Listener, error) { return c.raw.ListenUnix(path) },
		func(l net.Listener) { l.Close() })
	if err != nil {
		if c.Err() != nil || ctx.Err() != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s: listen on %s: %w: %w", c.t.host, path, ErrForwardingRefused, err)
	}
	return &unixListener{Listener: l, c: c, path: path}, nil
}

// unixListener gives Accept's connections deadlines, and removes the socket.
type unixListener struct {
	net.Listener
	c    *Client
	path string
	once sync.Once
	err  error
}

// Accept waits for a connection; it fails with net.ErrClosed after Close, and
// with the cause of the connection's end when that was cut.
func (l *unixListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		if cause := l.c.Err(); cause != nil {
			return nil, cause
		}
		return nil, net.ErrClosed
	}
	ch, ok := conn.(channel)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s: %s: a %T cannot be half-closed", l.c.t.host, l.path, conn)
	}
	l.c.channels.Add(1)
	s := newStream(ch, conn.LocalAddr(), conn.RemoteAddr(), nil)
	if !l.c.spawn(s.pump) {
		conn.Close()
		return nil, l.c.Err()
	}
	return s, nil
}

// Close stops listening and removes the socket; accepted connections live on.
// It ends with the connection if the node does not answer.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if l.c.Err() != nil {
			return // sshd removes nothing, the next ListenUnix does
		}
		l.err = l.Listener.Close()
		r, err := l.c.Exec(context.Background(), Command{Argv: []string{"rm", "-f", "--", l.path}})
		if err == nil {
			err = r.Err()
		}
		l.err = errors.Join(l.err, err)
	})
	return l.err
}

func unixAddr(path string) net.Addr { return &net.UnixAddr{Name: path, Net: "unix"} }
