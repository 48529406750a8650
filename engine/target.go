package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// target is the state of one target during a run.
type target struct {
	Target

	open     sync.Once
	platform virt.Platform // nil until a step needs it
	overlay  *dryrun.Platform
	openErr  error

	mu    sync.Mutex
	vars  map[string]any // set and registered
	lost  bool           // failed or unreachable: no further steps
	recap event.TargetRecap
}

func newTarget(t Target) *target {
	return &target{Target: t, vars: map[string]any{}, recap: event.TargetRecap{Target: t.Name}}
}

func (t *target) get(name string) (any, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.vars[name]
	return v, ok
}

func (t *target) put(name string, v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vars[name] = v
}

func (t *target) set() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.vars))
}

func (t *target) isLost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// connect opens the target's platform, once. In a plan the platform comes under
// an overlay, and under a tripwire that no change can pass.
func (t *target) connect(ctx context.Context, r *runner) (virt.Platform, error) {
	t.open.Do(func() {
		p, err := r.world.Open(ctx, t.Name)
		if err != nil {
			t.openErr = err
			return
		}
		t.platform = p
		t.overlay = dryrun.New(dryrun.Tripwire(p))
	})
	return t.platform, t.openErr
}

// count adds a result to the recap.
func (t *target) count(r event.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.recap
	switch r.Status {
	case event.OK:
		c.OK++
	case event.Changed:
		c.OK++
		c.Changed++
	case event.Skipped:
		c.Skipped++
	case event.Failed:
		c.Failed++
	case event.Unreachable:
		c.Unreachable++
	case event.Ignored:
		c.OK++
		c.Ignored++
	case event.Rescued:
		c.Rescued++
	case event.Undecided:
		c.Undecided++
	}
	if r.Pending {
		c.Pending++
	}
	if r.Status == event.Failed || r.Status == event.Unreachable {
		t.lost = true
	}
}

// calls gives how many calls the target's platform has sent.
func (t *target) calls() int {
	if c, ok := t.platform.(virt.Counter); ok {
		return c.Stats().Calls
	}
	return 0
}
