package virt

import (
	"cmp"
	"context"
	"slices"
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

// Lock waits for the objects to be free, or for the context to end. unlock frees
// them again and is called once. A snapshot is locked by locking its VM. Of several
// objects all callers lock them in the same order, so nobody waits for ever.
func (l *Locks) Lock(ctx context.Context, refs ...Ref) (unlock func(), err error) {
	var keys []Ref
	for _, r := range refs {
		if r.Kind == KindSnapshot {
			r = r.Owner()
		}
		keys = append(keys, r.Key())
	}
	slices.SortFunc(keys, func(a, b Ref) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name))
	})
	var held []func()
	unlock = func() {
		for _, free := range held {
			free()
		}
	}
	for _, key := range slices.Compact(keys) {
		free, err := l.one(ctx, key)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, free)
	}
	return unlock, nil
}

// one locks one object.
func (l *Locks) one(ctx context.Context, key Ref) (unlock func(), err error) {
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
