package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nactl/nactl/virt"
)

// poller looks at objects for all who wait for one of them: however many there
// are, each interval costs one request for every 100 objects, and none when nobody
// waits.
//
// Its goroutine starts with the first who waits and ends with the last.
type poller[T any] struct {
	every time.Duration
	sleep func(context.Context, time.Duration) error
	// fetch looks at the objects; those that are not there are not in the map. With
	// an error the map may hold some.
	fetch func(ctx context.Context, ids []string) (map[string]T, error)

	mu      sync.Mutex
	waiters map[*waiter[T]]bool
	stop    context.CancelFunc // ends the goroutine; nil = there is none
}

// idsPerPoll keeps the URL under the 8 kB that Apache takes.
const idsPerPoll = 100

type waiter[T any] struct {
	id    string
	looks chan look[T] // holds the newest
}

type look[T any] struct {
	obj *T // nil = it is not there
	err error
}

// newPoller makes the poller of a searchable collection. follow are links to be
// sent along.
func newPoller[S, T any](c *Client, k kind[S], path string, follow []string, conv func(*S) (T, error)) *poller[T] {
	type identified struct {
		id  string
		obj T
	}
	return &poller[T]{every: c.cfg.Poll, sleep: c.cfg.Sleep, waiters: map[*waiter[T]]bool{},
		fetch: func(ctx context.Context, ids []string) (map[string]T, error) {
			found, err := list(ctx, c, k, path, query{Search: anyID(ids), Follow: follow}, func(s *S) (identified, error) {
				obj, err := conv(s)
				return identified{idOf(s), obj}, err
			})
			m := make(map[string]T, len(found))
			for _, f := range found {
				m[f.id] = f.obj
			}
			return m, err
		}}
}

// anyID gives the search for objects by their ids.
func anyID(ids []string) string { return "id=" + strings.Join(ids, " or id=") }

// wait calls until with what is seen of an object, nil when it is not there, until
// that says true or an error, or the context ends. What until sees was looked up
// after wait was called. A deadline is an error of kind ErrTimeout; one of the
// engine's, as ErrUnreachable, ends the wait, too.
func (p *poller[T]) wait(ctx context.Context, id string, until func(now *T) (bool, error)) error {
	w := &waiter[T]{id: id, looks: make(chan look[T], 1)}
	p.join(w)
	defer p.leave(w)
	for {
		select {
		case l := <-w.looks:
			if l.err != nil {
				return l.err
			}
			if ok, err := until(l.obj); ok || err != nil {
				return err
			}
		case <-ctx.Done():
			err := context.Cause(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				return &virt.Error{Kind: virt.ErrTimeout, Summary: "it did not happen in time", Err: err}
			}
			return err
		}
	}
}

func (p *poller[T]) join(w *waiter[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters[w] = true
	if p.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		p.stop = stop
		go p.run(ctx)
	}
}

func (p *poller[T]) leave(w *waiter[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiters, w)
	if len(p.waiters) == 0 {
		p.stop()
		p.stop = nil
	}
}

// run looks at once, and then each interval, until nobody waits.
func (p *poller[T]) run(ctx context.Context) {
	for {
		waiting := p.waiting()
		ids := slices.Sorted(maps.Keys(waiting))
		for some := range slices.Chunk(ids, idsPerPoll) {
			found, err := p.fetch(ctx, some)
			if ctx.Err() != nil {
				return
			}
			for _, id := range some {
				l := look[T]{}
				if obj, ok := found[id]; ok {
					l.obj = &obj
				} else {
					l.err = err
				}
				for _, w := range waiting[id] {
					w.tell(l)
				}
			}
		}
		if p.sleep(ctx, p.every) != nil {
			return
		}
	}
}

// waiting gives who waits now, by id. Who comes while a request is under way
// is told by the next: the answer may be older than what they wait for.
func (p *poller[T]) waiting() map[string][]*waiter[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := map[string][]*waiter[T]{}
	for w := range p.waiters {
		m[w.id] = append(m[w.id], w)
	}
	return m
}

// tell replaces a look that was not taken yet. Only run calls it.
func (w *waiter[T]) tell(l look[T]) {
	select {
	case <-w.looks:
	default:
	}
	w.looks <- l
}

// goal says which status is waited for, and which means that it will not come.
type goal struct {
	want []string
	gone bool              // it is to be not there
	fail map[string]string // status that ends it → what that means
	// back holds what is a failure once another status was seen, or when it lasts:
	// a VM that is down again after a start, or never was anything else.
	back map[string]string

	left  bool
	looks int
}

// backAfter is how many looks at a status that should have changed are enough.
const backAfter = 5

// look judges a status. A goal is of one wait.
func (g *goal) look(status string, there bool) (bool, error) {
	if !there {
		if g.gone {
			return true, nil
		}
		return false, &virt.Error{Kind: virt.ErrNotFound, Summary: "is not there any more"}
	}
	if slices.Contains(g.want, status) {
		return true, nil
	}
	if why, ok := g.fail[status]; ok {
		return false, &stateError{status, why}
	}
	why, ok := g.back[status]
	if !ok {
		g.left = true
		return false, nil
	}
	if g.looks++; g.left || g.looks >= backAfter {
		return false, &stateError{status, why}
	}
	return false, nil
}

// stateError is a state that what was waited for cannot follow on.
type stateError struct{ status, why string }

func (e *stateError) Error() string { return fmt.Sprintf("%s (status %s)", e.why, e.status) }

// The usual goals.
func goalVMUp() *goal {
	return &goal{want: []string{"up"},
		fail: map[string]string{"paused": "it was paused, as when storage fails"},
		back: map[string]string{"down": "it did not start"}}
}

func goalVMDown() *goal {
	return &goal{want: []string{"down"}, back: map[string]string{"up": "the guest did not shut down"}}
}

func goalVMUnlocked() *goal {
	return &goal{want: []string{"down", "up", "paused", "suspended", "powering_up", "powering_down", "wait_for_launch",
		"migrating", "reboot_in_progress", "saving_state", "restoring_state", "unknown", "not_responding", "unassigned"}}
}

func goalDiskOK() *goal {
	return &goal{want: []string{"ok"}, fail: map[string]string{"illegal": "the disk cannot be used: its copy or creation failed"}}
}

func goalGone() *goal { return &goal{gone: true} }
