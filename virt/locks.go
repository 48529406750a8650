package virt

import (
	"context"
	"sync"
)

// Locks keep changes to one object from running at the same time, as a platform's
// Apply must. The zero Locks are ready; they are safe for concurrent use.
type Locks struct {
	mu   sync.Mutex
	held map[Ref]*lock
}

type lock struct {
	place chan struct{}
	users int
}

// Lock waits for the object to be free, or for the context to end. unlock frees
// it again and is called once. A snapshot is locked by locking its VM.
func (l *Locks) Lock(ctx context.Context, ref Ref) (unlock func(), err error) {
	key := ref.Key()
	if ref.Kind == KindSnapshot {
		key = ref.Owner()
	}
	l.mu.Lock()
	if l.held == nil {
		l.held = map[Ref]*lock{}
	}
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
