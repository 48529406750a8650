// Package ssh is nactl's way onto a machine: one authenticated connection a
// node that carries commands, files and tunnels to UNIX sockets.
//
// It is strict: a host key must be known, and nothing in a configuration can
// switch that off. It is built on golang.org/x/crypto/ssh rather than on the
// ssh program so that a node costs one handshake and no process; it still reads
// ~/.ssh/config, known_hosts and the agent.
//
// A Client may be used by many goroutines. It owns every goroutine that it
// starts: when Close returns, all have ended.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// Stats counts what a Client has opened so far.
type Stats struct {
	Connections int64 // SSH connections, jump hosts included
	Channels    int64 // channels of all kinds
	Execs       int64 // commands, DialExec's included
}

// Client is one SSH connection to a node.
type Client struct {
	t    *target
	raw  *gossh.Client
	via  *jumpRef // nil when dialled directly
	last *activity

	sessions chan struct{} // a place for each command that may run
	killers  chan struct{} // one place for a command that ends another

	channels, execs atomic.Int64

	mu    sync.Mutex
	cause error // why the connection ended; nil while it is open
	wg    sync.WaitGroup
	dying chan struct{} // closed with cause set
	done  chan struct{} // closed when the connection is gone
}

// Dial opens a connection to a node. ctx bounds it until it returns: a
// cancelled Dial leaves nothing open.
//
// Errors: *UnreachableError, *HostKeyUnknownError, *HostKeyMismatchError,
// *AuthError, ctx's error, or a plain one for a configuration that cannot be
// used.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	return new(Dialer).Dial(ctx, cfg)
}

// newClient takes over an authenticated connection.
func newClient(t *target, raw *gossh.Client, via *jumpRef, last *activity) *Client {
	c := &Client{t: t, raw: raw, via: via, last: last,
		sessions: make(chan struct{}, t.MaxSessions), killers: make(chan struct{}, 1),
		dying: make(chan struct{}), done: make(chan struct{})}
	c.wg.Go(func() {
		err := raw.Wait()
		if err == nil {
			err = net.ErrClosed
		}
		c.fail(&UnreachableError{Host: t.host, Stage: StageConnection, Err: err})
		close(c.done)
	})
	if t.KeepAlive > 0 {
		c.wg.Go(c.keepAlive)
	}
	return c
}

// String names the node as the user wrote it, with the address dialled.
func (c *Client) String() string { return c.t.host }

// User is the login name on the node.
func (c *Client) User() string { return c.t.User }

// Done is closed when the connection has ended, for whatever reason.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil while the connection is open, then ErrClosed or an
// *UnreachableError whose Stage tells a missed keepalive from a cut.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Stats tells what was opened so far.
func (c *Client) Stats() Stats {
	s := Stats{Connections: 1, Channels: c.channels.Load(), Execs: c.execs.Load()}
	if c.via != nil {
		s.Connections += c.via.client.Stats().Connections
	}
	return s
}

// Close ends the connection and everything on it, and returns when all its
// goroutines have ended. Its error is always nil; a second call does nothing.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	if c.via != nil {
		// Before waiting: a channel through a dead jump host ends only with it.
		c.via.release()
	}
	c.wg.Wait()
	return nil
}

// fail ends the connection; the first cause stays.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	first := c.cause == nil
	if first {
		c.cause = cause
		close(c.dying)
	}
	c.mu.Unlock()
	if first {
		c.raw.Close()
	}
}

// spawn runs f in a goroutine that Close waits for; it says false, and does
// nothing, once the connection has ended.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.wg.Go(f)
	return true
}

// lost prefers the cause of the connection's end to what an operation saw of
// it, which may be a moment earlier.
func (c *Client) lost(err error) error {
	var refused *gossh.OpenChannelError
	if errors.As(err, &refused) { // an answer: the connection lives
		return err
	}
	select {
	case <-c.dying:
		return c.Err()
	case <-time.After(200 * time.Millisecond):
		return err
	}
}

// ended is why ctx has ended: its error, and the cause where that says more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// await runs f, which must end when the connection does, and gives up on it
// when ctx ends: then discard gets what f still brings.
func await[T any](ctx context.Context, c *Client, f func() (T, error), discard func(T)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	result := make(chan outcome)
	ok := c.spawn(func() {
		v, err := f()
		select {
		case result <- outcome{v, err}:
		case <-ctx.Done():
			if err == nil {
				discard(v)
			}
		}
	})
	if !ok {
		return zero, c.Err()
	}
	select {
	case r := <-result:
		if r.err != nil {
			return zero, c.lost(r.err)
		}
		return r.v, nil
	case <-ctx.Done():
		return zero, ended(ctx)
	}
}

// keepAlive probes a silent connection. Any reply, and any other packet, is a
// sign of life.
func (c *Client) keepAlive() {
	tick := time.NewTicker(c.t.KeepAlive)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	answered <- struct{}{} // no probe is on its way
	for missed := 0; ; {
		select {
		case <-c.dying:
			return
		case <-tick.C:
		}
		if c.last.since() < c.t.KeepAlive {
			missed = 0
			continue
		}
		select {
		case <-answered:
			missed = 0
			c.spawn(func() {
				// The error of a cut connection is seen by Wait.
				_, _, _ = c.raw.SendRequest("keepalive@openssh.com", true, nil)
				answered <- struct{}{}
			})
		default:
			if missed++; missed >= c.t.KeepAliveCount {
				c.fail(&UnreachableError{Host: c.t.host, Stage: StageKeepAlive,
					Err: fmt.Errorf("a probe was not answered within %s", time.Duration(missed)*c.t.KeepAlive)})
				return
			}
		}
	}
}

// activity is a connection that remembers when it last read something.
type activity struct {
	net.Conn
	epoch time.Time
	last  atomic.Int64 // nanoseconds after epoch
}

func newActivity(c net.Conn) *activity { return &activity{Conn: c, epoch: time.Now()} }

func (a *activity) Read(b []byte) (int, error) {
	n, err := a.Conn.Read(b)
	if n > 0 {
		a.last.Store(int64(time.Since(a.epoch)))
	}
	return n, err
}

// since is the time since the last read.
func (a *activity) since() time.Duration {
	return time.Since(a.epoch) - time.Duration(a.last.Load())
}
