//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// maxSunPath is the room for a path in a UNIX socket's address.
const maxSunPath = 107

// tunnel carries one libvirt connection: the C client connects to a private
// socket of ours, and we carry its bytes to the daemon. So we can see what is
// called, and cutting the tunnel frees a call that blocks: libvirt's own Close
// does not, and corrupts memory then.
type tunnel struct {
	dir    string
	listen *net.UnixListener
	remote net.Conn
	meter  *meter
	open   openCalls
	// watch sees the header of each message before it is passed on; it may cut.
	watch atomic.Pointer[func(program, procedure, typ uint32)]

	mu    sync.Mutex
	local net.Conn
	ended bool
	cause error
	gone  chan struct{} // closed when the tunnel carries nothing any more
	wg    sync.WaitGroup
}

// newTunnel makes a tunnel to a daemon that remote is connected to, and takes
// remote over. It waits for exactly one client, which must be this process.
func newTunnel(remote net.Conn, m *meter) (*tunnel, error) {
	dir, err := privateDir()
	if err != nil {
		return nil, err
	}
	t := &tunnel{dir: dir, remote: remote, meter: m, gone: make(chan struct{})}
	t.listen, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("private socket for libvirt: %w", err)
	}
	t.wg.Go(t.serve)
	return t, nil
}

// privateDir makes a directory that only we can enter, with a path that leaves
// room for a socket's name.
func privateDir() (string, error) {
	var errs []error
	for _, base := range []string{os.TempDir(), "/tmp"} {
		dir, err := os.MkdirTemp(base, "nactl-")
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(filepath.Join(dir, "s")) > maxSunPath:
			_ = os.Remove(dir)
			errs = append(errs, fmt.Errorf("%s: too long a path for a socket", base))
		default:
			return dir, nil
		}
	}
	return "", fmt.Errorf("private directory for libvirt's socket: %w", errors.Join(errs...))
}

// uri gives the address that libvirt's client is to open for a driver and path,
// as qemu and /system. It is good once, and here only: it must not be shown.
func (t *tunnel) uri(driver, path string) string {
	u := url.URL{Scheme: driver + "+unix", Path: path,
		RawQuery: url.Values{"socket": {filepath.Join(t.dir, "s")}}.Encode()}
	if u.Path == "" {
		u.Path = "/"
	}
	// url.URL writes scheme:/path; libvirt wants an authority, be it empty.
	return driver + "+unix://" + u.EscapedPath() + "?" + u.RawQuery
}

// serve takes the client in and carries its bytes both ways.
func (t *tunnel) serve() {
	local, err := t.accept()
	t.listen.Close()
	_ = os.RemoveAll(t.dir)
	if err != nil {
		t.cut(err)
		return
	}
	t.mu.Lock()
	t.local = local
	ended := t.ended
	t.mu.Unlock()
	if ended {
		local.Close()
		return
	}
	t.wg.Go(func() { t.cut(carry(t.remote, local, t.watched(t.meter.sent(&t.open)))) })
	t.cut(carry(local, t.remote, t.watched(t.meter.received(&t.open))))
}

// watched has watch see, too, what frames sees.
func (t *tunnel) watched(f *frames) *frames {
	count := f.on
	f.on = func(program, procedure, typ uint32) {
		if watch := t.watch.Load(); watch != nil {
			(*watch)(program, procedure, typ)
		}
		count(program, procedure, typ)
	}
	return f
}

// accept waits for a client that is this process; others are shown the door.
func (t *tunnel) accept() (*net.UnixConn, error) {
	for {
		c, err := t.listen.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err := ourselves(c); err == nil {
			return c, nil
		}
		c.Close()
	}
}

// carry copies until one side ends. watch sees what passes.
func carry(to io.Writer, from io.Reader, watch io.Writer) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			// Before the bytes go on, so that a call is counted before its reply.
			_, _ = watch.Write(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// cut ends the tunnel at once: a call that waits for a reply fails. It may be
// called several times; the first cause stays.
func (t *tunnel) cut(cause error) {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	t.ended, t.cause = true, cause
	local := t.local
	t.mu.Unlock()
	t.listen.Close()
	if local != nil {
		local.Close()
	}
	t.remote.Close()
	t.meter.reply(t.open.drain())
	close(t.gone)
}

// why gives the cause of the end; nil while the tunnel is open.
func (t *tunnel) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause
}

// close cuts the tunnel and waits for its goroutines.
func (t *tunnel) close() {
	t.cut(net.ErrClosed)
	t.wg.Wait()
}

// watchContext cuts the tunnel when ctx ends, until stop is called.
func (t *tunnel) watchContext(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { t.cut(context.Cause(ctx)) })
}
