package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"
)

// Dialer opens Clients that share the connections to their jump hosts: a
// hundred nodes behind one bastion cost the bastion one login. The zero value
// is ready; it may be used by many goroutines.
type Dialer struct {
	mu    sync.Mutex
	jumps map[string]*jump
}

// jump is a shared connection to a jump host, closed with its last user.
type jump struct {
	ready  chan struct{} // closed when client or err is set
	client *Client
	err    error
	users  int
}

// jumpRef is one user's hold on a jump.
type jumpRef struct {
	client *Client
	drop   func()
	once   sync.Once
}

func (r *jumpRef) release() { r.once.Do(r.drop) }

// Dial is like the function Dial, over the Dialer's shared jump hosts.
func (d *Dialer) Dial(ctx context.Context, cfg Config) (*Client, error) {
	chain, err := plan(ctx, cfg, nil)
	if err != nil {
		return nil, err
	}
	return d.open(ctx, chain)
}

// plan resolves a node and the jump hosts before it, in the order in which they
// are dialled. path holds the hosts that led to cfg.
func plan(ctx context.Context, cfg Config, path []string) ([]*target, error) {
	t, err := resolve(ctx, cfg)
	if err != nil {
		return nil, err
	}
	me := t.User + "@" + t.host
	if slices.Contains(path, me) {
		return nil, fmt.Errorf("the jump hosts lead in a circle: %s", strings.Join(append(path, me), ", through "))
	}
	path = append(slices.Clone(path), me)
	var chain []*target
	for i, j := range t.Jump {
		j = t.inherit(j)
		if i > 0 { // what comes before it is known
			j.Jump = []Config{}
		}
		hops, err := plan(ctx, j, path)
		if err != nil {
			return nil, fmt.Errorf("%s: jump host: %w", t.host, err)
		}
		chain = append(chain, hops...)
	}
	return append(chain, t), nil
}

// open connects to the last of chain through the others.
func (d *Dialer) open(ctx context.Context, chain []*target) (*Client, error) {
	last := len(chain) - 1
	var via *jumpRef
	if last > 0 {
		var err error
		if via, err = d.share(ctx, chain[:last]); err != nil {
			return nil, fmt.Errorf("%s: jump host: %w", chain[last].host, err)
		}
	}
	c, err := connect(ctx, chain[last], via)
	if err != nil && via != nil {
		via.release()
	}
	return c, err
}

// share gives a hold on the connection to a jump host, opening it at first
// use. Who finds it being opened waits for that; if the opener fails, so do
// those who waited, and the next one tries again.
func (d *Dialer) share(ctx context.Context, chain []*target) (*jumpRef, error) {
	key := jumpKey(chain)
	for {
		d.mu.Lock()
		j := d.jumps[key]
		if j == nil {
			j = &jump{ready: make(chan struct{})}
			if d.jumps == nil {
				d.jumps = map[string]*jump{}
			}
			d.jumps[key] = j
			j.users = 1
			d.mu.Unlock()
			j.client, j.err = d.open(ctx, chain)
			if j.err != nil {
				d.forget(key, j)
			}
			close(j.ready)
			if j.err != nil {
				return nil, j.err
			}
			return d.ref(key, j), nil
		}
		j.users++
		d.mu.Unlock()
		select {
		case <-j.ready:
		case <-ctx.Done():
			go d.release(key, j) // waits for the opener, who has a context of its own
			return nil, ended(ctx)
		}
		if j.err == nil && j.client.Err() == nil {
			return d.ref(key, j), nil
		}
		dead := j.err
		d.forget(key, j)
		d.release(key, j)
		// The opener's own cancellation says nothing about the jump host.
		if dead != nil && !errors.Is(dead, context.Canceled) && !errors.Is(dead, context.DeadlineExceeded) {
			return nil, dead
		}
	}
}

func (d *Dialer) ref(key string, j *jump) *jumpRef {
	return &jumpRef{client: j.client, drop: func() { d.release(key, j) }}
}

// forget makes the next user open a new connection.
func (d *Dialer) forget(key string, j *jump) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jumps[key] == j {
		delete(d.jumps, key)
	}
}

// release gives up one hold; the last one closes the connection.
func (d *Dialer) release(key string, j *jump) {
	<-j.ready
	d.mu.Lock()
	j.users--
	last := j.users == 0
	if last && d.jumps[key] == j {
		delete(d.jumps, key)
	}
	d.mu.Unlock()
	if last && j.client != nil {
		j.client.Close()
	}
}

// jumpKey is equal for chains that lead to the same login in the same way.
func jumpKey(chain []*target) string {
	var b strings.Builder
	for _, t := range chain {
		fmt.Fprintf(&b, "%q %q %q %q %v %q %q %q %v\n", t.addr(), t.User, t.IdentityFiles, t.certFiles, t.IdentitiesOnly,
			t.Agent, t.KnownHosts, t.HostKeyAlias, t.Password != nil)
	}
	return b.String()
}

// errTimeout marks the end of Config.ConnectTimeout, not of the caller's context.
var errTimeout = errors.New("connect timeout")

// connect opens one connection, through via if that is not nil.
func connect(ctx context.Context, t *target, via *jumpRef) (*Client, error) {
	if t.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.ConnectTimeout, errTimeout)
		defer cancel()
	}
	late := func(stage string) error {
		if context.Cause(ctx) == errTimeout {
			return &UnreachableError{Host: t.host, Stage: stage, Err: fmt.Errorf("no answer within %s", t.ConnectTimeout)}
		}
		return ended(ctx)
	}
	keys, err := newHostKeys(t)
	if err != nil {
		return nil, err
	}
	tcp, err := dialTCP(ctx, t, via)
	if err != nil {
		if ctx.Err() != nil {
			return nil, late(StageConnect)
		}
		return nil, &UnreachableError{Host: t.host, Stage: StageConnect, Err: err}
	}
	login := newLogin(ctx, t)
	defer login.Close()

	conn := newActivity(tcp)
	stop := context.AfterFunc(ctx, func() {
		conn.Close()
		login.Close()
	})
	sshConn, chans, reqs, err := gossh.NewClientConn(conn, t.keyAddr(), &gossh.ClientConfig{
		User:              t.User,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(),
		AuthCallback:      login.pick,
	})
	if !stop() {
		if err == nil {
			sshConn.Close()
		}
		if keys.ok {
			return nil, late(StageAuthenticate)
		}
		return nil, late(StageHandshake)
	}
	if err != nil {
		return nil, handshakeError(t, keys, login, err)
	}
	return newClient(t, gossh.NewClient(sshConn, chans, reqs), via, conn), nil
}

// handshakeError gives a failed handshake its type.
func handshakeError(t *target, keys *hostKeys, login *login, err error) error {
	var cut net.Error
	switch {
	case keys.found != nil:
		return keys.found
	case !keys.ok:
		return &UnreachableError{Host: t.host, Stage: StageHandshake, Err: err}
	case errors.As(err, &cut):
		return &UnreachableError{Host: t.host, Stage: StageAuthenticate, Err: err}
	}
	return &AuthError{Host: t.host, User: t.User, Tried: login.tried(), Err: err}
}

// dialTCP opens the byte stream under the connection.
func dialTCP(ctx context.Context, t *target, via *jumpRef) (net.Conn, error) {
	if via != nil {
		conn, err := via.client.DialTCP(ctx, t.addr())
		if err != nil {
			return nil, fmt.Errorf("from jump host %s: %w", via.client, err)
		}
		return conn, nil
	}
	var d net.Dialer // sets TCP_NODELAY
	c, err := d.DialContext(ctx, "tcp", t.addr())
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		return newQuickConn(tcp), nil
	}
	return c, nil
}
