//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// Node is one libvirt node as a platform.
type Node struct {
	cfg   Config
	addr  address
	meter *meter
	rules virt.Rules

	slots     chan struct{} // one for each short call in flight
	longSlots chan struct{} // one for each connection of its own
	dialing   chan struct{} // held by whoever opens the shared connection

	mu      sync.Mutex
	peers   []*Node // the other members of its cluster
	conn    *conn   // shared; nil until first used
	closed  bool
	down    breaker
	client  *ssh.Client // nil until first used
	clients int         // opened so far

	snap  snapshot
	locks virt.Locks
	// networking is held while the network of the node itself is changed.
	networking sync.Mutex
	hub        hub

	balloons balloons
	holding  holding
}

var _ virt.Platform = (*Node)(nil)
var _ virt.Counter = (*Node)(nil)

// maxLong bounds the connections of their own that long calls get.
const maxLong = 32

// Open makes a node. Nothing is loaded or dialled until it is first used, so its
// only errors are those of the configuration.
func Open(_ context.Context, cfg Config) (*Node, error) {
	addr, err := parseAddress(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Summary: "a node needs a name"}
	}
	if cfg.Dialer == nil {
		cfg.Dialer = new(ssh.Dialer)
	}
	if cfg.MaxCalls <= 0 {
		cfg.MaxCalls = defaultMaxCalls
	}
	n := &Node{cfg: cfg, addr: addr, meter: newMeter(cfg.OnCall),
		slots: make(chan struct{}, cfg.MaxCalls), longSlots: make(chan struct{}, maxLong), dialing: make(chan struct{}, 1)}
	n.rules = n.nodeRules()
	n.snap.init()
	n.hub.init()
	return n, nil
}

// Type is libvirt.
func (n *Node) Type() string { return "libvirt" }

// Name is what the inventory calls the node.
func (n *Node) Name() string { return n.cfg.Name }

// String names the node for messages.
func (n *Node) String() string { return hostRef(n.cfg.Name).String() }

// Stats counts what was sent so far. Calls to an in-process driver are counted
// by what they were for.
func (n *Node) Stats() virt.Stats {
	s := n.meter.stats()
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Connections += n.clients
	return s
}

// Close ends all connections. Calls in flight are cut off.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	k, client := n.conn, n.client
	n.conn, n.client = nil, nil
	n.mu.Unlock()
	if k != nil {
		k.retire(nil)
	}
	if client != nil {
		return client.Close()
	}
	return nil
}

// shared gives the node's shared connection, acquired; it is opened when there
// is none, by one caller while the others wait.
func (n *Node) shared(ctx context.Context) (*conn, error) {
	if k := n.current(); k != nil {
		return k, nil
	}
	select {
	case n.dialing <- struct{}{}:
		defer func() { <-n.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if k := n.current(); k != nil {
		return k, nil
	}
	if err := n.usable(); err != nil {
		return nil, err
	}
	k, err := n.connect(ctx)
	if err == nil {
		err = n.subscribe(k)
		if err != nil {
			k.retire(errOver)
		}
	}
	if ctx.Err() == nil {
		n.note(err)
	}
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	old := n.conn
	n.conn = k
	closed := n.closed
	k.acquire()
	n.mu.Unlock()
	if closed {
		k.retire(errOver)
	}
	if old != nil {
		old.retire(errOver)
		n.snap.forget() // what happened while nobody listened is not known
	}
	return k, nil
}

// current gives the shared connection, acquired, when it is alive.
func (n *Node) current() *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn == nil || !n.conn.alive() || !n.conn.acquire() {
		return nil
	}
	return n.conn
}

// ssh gives the node's one SSH connection, dialled when there is none. The
// caller holds dialing, or has a libvirt connection that runs over it.
func (n *Node) ssh(ctx context.Context) (*ssh.Client, error) {
	n.mu.Lock()
	client := n.client
	n.mu.Unlock()
	if client != nil && client.Err() == nil {
		return client, nil
	}
	fresh, err := n.cfg.Dialer.Dial(ctx, *n.cfg.SSH)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.client != nil && n.client.Err() == nil {
		// Another caller was quicker, or the node was closed meanwhile.
		go fresh.Close()
		if n.closed {
			return nil, errOver
		}
		return n.client, nil
	}
	if n.client != nil {
		go n.client.Close()
	}
	n.client = fresh
	n.clients += int(fresh.Stats().Connections)
	return fresh, nil
}

// breaker keeps a node that does not answer from being dialled by each of a
// hundred steps: after a failure the next attempts fail at once for a while.
type breaker struct {
	err   error
	until time.Time
	wait  time.Duration
}

const (
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// usable gives the reason why dialling makes no sense now.
func (n *Node) usable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return &virt.Error{Kind: virt.ErrUnreachable, Object: hostRef(n.cfg.Name), Summary: "was closed"}
	}
	if n.down.err != nil && time.Now().Before(n.down.until) {
		return n.down.err
	}
	return nil
}

// note remembers how dialling went.
func (n *Node) note(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil || errors.Is(err, errOver) {
		n.down = breaker{}
		return
	}
	n.down.wait = min(max(2*n.down.wait, firstWait), mostWait)
	n.down.err, n.down.until = err, time.Now().Add(n.down.wait)
}
