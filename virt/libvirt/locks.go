//go:build cgo

package libvirt

import (
	"context"
	"sync"

	"github.com/nactl/nactl/virt"
)

// locks keeps changes to one object from running at the same time.
type locks struct {
	mu   sync.Mutex
	held map[virt.Ref]*lock
}

type lock struct {
	place chan struct{}
	users int
}

func (l *locks) init() { l.held = map[virt.Ref]*lock{} }

// lock waits for the object to be free. The result frees it again.
func (l *locks) lock(ctx context.Context, ref virt.Ref) (unlock func(), err error) {
	key := ref.Key()
	l.mu.Lock()
	k := l.held[key]
	if k == nil {
		k = &lock{place: make(chan struct{}, 1)}
		l.held[key] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, key)
		}
	}
	select {
	case k.place <- struct{}{}:
		return func() { <-k.place; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
