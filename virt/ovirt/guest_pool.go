package ovirt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nactl/nactl/virt/ssh"
)

// maxGuests bounds the connections to guests that are open at once; the one that
// was idle for longest makes room.
const maxGuests = 64

var errGuestsClosed = errors.New("the engine was closed")

// guestPool holds one SSH connection for each guest that was spoken with. It is
// safe for concurrent use.
type guestPool struct {
	most int

	mu     sync.Mutex
	conns  map[string]*guestConn // by the VM's id
	freed  chan struct{}         // closed when there may be room again
	closed bool
}

// guestConn is a connection that is being opened, or open.
type guestConn struct {
	ready  chan struct{} // closed when client or err is set
	client *ssh.Client
	err    error
	users  int
	idle   time.Time // since when nobody uses it
	gone   bool      // no longer in the pool: whoever leaves last closes it
}

func (p *guestPool) init() {
	p.most, p.conns, p.freed = maxGuests, map[string]*guestConn{}, make(chan struct{})
}

// get gives the connection of a guest, opened by dial if there is none, until
// leave is called. Of several who want it one opens it, and the others wait.
func (p *guestPool) get(ctx context.Context, id string, dial func(context.Context) (*ssh.Client, error)) (c *ssh.Client, leave func(), err error) {
	for {
		k, mine, wait, err := p.enter(id)
		switch {
		case err != nil:
			return nil, nil, err
		case wait != nil:
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, nil, context.Cause(ctx)
			}
		case mine:
			k.client, k.err = dial(ctx)
			if k.err != nil {
				p.remove(id, k)
			}
			close(k.ready)
		}
		select {
		case <-k.ready:
		case <-ctx.Done():
			p.leave(k)
			return nil, nil, context.Cause(ctx)
		}
		if k.err == nil && k.client.Err() == nil {
			return k.client, func() { p.leave(k) }, nil
		}
		failed := k.err
		p.remove(id, k)
		p.leave(k)
		// That another caller was interrupted says nothing about the guest.
		if failed != nil && (mine || !errors.Is(failed, context.Canceled) && !errors.Is(failed, context.DeadlineExceeded)) {
			return nil, nil, failed
		}
	}
}

// enter takes part in a connection. mine says that it is the caller's to open.
// wait, when not nil, is closed when it is worth trying again.
func (p *guestPool) enter(id string) (k *guestConn, mine bool, wait <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, nil, errGuestsClosed
	}
	if k = p.conns[id]; k != nil {
		k.users++
		return k, false, nil, nil
	}
	if len(p.conns) >= p.most && !p.makeRoom() {
		return nil, false, p.freed, nil
	}
	k = &guestConn{ready: make(chan struct{}), users: 1}
	p.conns[id] = k
	return k, true, nil, nil
}

// makeRoom closes the connection that was idle for longest, if there is one.
func (p *guestPool) makeRoom() bool {
	oldest := ""
	for id, k := range p.conns {
		if k.users == 0 && (oldest == "" || k.idle.Before(p.conns[oldest].idle)) {
			oldest = id
		}
	}
	if oldest == "" {
		return false
	}
	k := p.conns[oldest]
	delete(p.conns, oldest)
	k.gone = true
	k.client.Close() // nothing runs on it, so this is quick
	return true
}

// remove takes a connection out of the pool, so that the next caller opens
// another.
func (p *guestPool) remove(id string, k *guestConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[id] == k {
		delete(p.conns, id)
		p.room()
	}
	k.gone = true
}

// room tells those who wait that there may be room.
func (p *guestPool) room() {
	close(p.freed)
	p.freed = make(chan struct{})
}

func (p *guestPool) leave(k *guestConn) {
	p.mu.Lock()
	k.users--
	k.idle = time.Now()
	last := k.users == 0
	if last {
		p.room()
	}
	shut := last && k.gone && k.client != nil
	p.mu.Unlock()
	if shut {
		k.client.Close()
	}
}

// drop ends the connection of a guest, whatever runs on it: its VM is stopped,
// restarted or gone.
func (p *guestPool) drop(id string) {
	p.mu.Lock()
	k := p.conns[id]
	p.mu.Unlock()
	if k == nil {
		return
	}
	p.remove(id, k)
	select {
	case <-k.ready:
		if k.client != nil {
			k.client.Close()
		}
	default: // who opens it closes it
	}
}

// close ends all connections; no more are opened.
func (p *guestPool) close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.conns = map[string]*guestConn{}
	for _, k := range conns {
		k.gone = true
	}
	p.room()
	p.mu.Unlock()
	for _, k := range conns {
		<-k.ready
		if k.client != nil {
			k.client.Close()
		}
	}
}
