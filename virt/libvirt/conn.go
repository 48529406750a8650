//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	lv "libvirt.org/go/libvirt"
)

// The keepalive of a connection: a probe after so many seconds of silence, and
// so many unanswered ones end it.
const (
	keepAliveInterval = 5
	keepAliveCount    = 3
)

// errOver says that a connection was given up on purpose.
var errOver = errors.New("connection closed")

// conn is one libvirt connection. It is closed when it is dead (or given up) and
// its last user has left: libvirt must not be closed under a running call.
type conn struct {
	c      *lv.Connect
	tunnel *tunnel // nil for an in-process driver, whose calls cannot block

	mu      sync.Mutex
	users   int
	retired bool
	closed  bool
	onClose []func() // run before Close, last first
}

// openConn connects libvirt's client to the daemon behind t, or, with t nil, to
// an in-process driver.
func openConn(ctx context.Context, t *tunnel, uri string) (*conn, error) {
	if t != nil {
		defer t.watchContext(ctx)()
	}
	c, err := lv.NewConnect(uri)
	if err != nil {
		if t != nil {
			t.cut(errOver)
			t.close()
			if cause := t.why(); !errors.Is(cause, errOver) {
				err = fmt.Errorf("%w (%w)", err, cause)
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	k := &conn{c: c, tunnel: t}
	if t != nil {
		if err := c.SetKeepAlive(keepAliveInterval, keepAliveCount); err != nil {
			k.retire(errOver)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, err
		}
	}
	return k, nil
}

// alive tells whether calls may be made.
func (k *conn) alive() bool {
	k.mu.Lock()
	retired := k.retired
	k.mu.Unlock()
	if retired || k.tunnel == nil {
		return !retired
	}
	select {
	case <-k.tunnel.gone:
		return false
	default:
		return true
	}
}

// acquire notes a user; false once the connection is given up.
func (k *conn) acquire() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.retired {
		return false
	}
	k.users++
	return true
}

// release ends what acquire began.
func (k *conn) release() {
	k.mu.Lock()
	k.users--
	last := k.retired && k.users == 0 && !k.closed
	k.closed = k.closed || last
	k.mu.Unlock()
	if last {
		k.close()
	}
}

// retire gives the connection up: with a cause its tunnel is cut, which ends the
// calls in flight. It is closed when the last of them has returned.
func (k *conn) retire(cause error) {
	if k.tunnel != nil && cause != nil {
		k.tunnel.cut(cause)
	}
	k.mu.Lock()
	k.retired = true
	last := k.users == 0 && !k.closed
	k.closed = k.closed || last
	k.mu.Unlock()
	if last {
		k.close()
	}
}

// close frees the connection. Its tunnel is cut first: the daemon cleans up after
// a client that is gone, and saying goodbye would cost a trip for each event.
func (k *conn) close() {
	if k.tunnel != nil {
		k.tunnel.cut(errOver)
	}
	for i := len(k.onClose) - 1; i >= 0; i-- {
		k.onClose[i]()
	}
	// Its result tells of references that are left; those of events are dropped
	// by the event loop a moment later, so it is no sign of a leak.
	_, _ = k.c.Close()
	if k.tunnel != nil {
		k.tunnel.close()
	}
}
