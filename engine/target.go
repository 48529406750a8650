package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// target is the state of one target during a run.
type target struct {
	Target

	open     sync.Once
	platform virt.Platform // nil until a step needs it
	overlay  *dryrun.Platform
	localDry sync.Once
	local    *dryrun.Controller // in a plan
	openErr  error

	mu     sync.Mutex
	vars   map[string]any // set and registered
	failed bool           // no further steps, unless a rescue takes over
	sunk   bool           // failed, and nothing rescued it
	halted bool           // failed because too many others did: no rescue takes over
	// unreachable also says that there are no further steps; nothing can help.
	unreachable bool
	notified    map[*playbook.Step]bool // handlers; false where only a plan's doubt calls for them
	failure     mishap                  // the last
	last        time.Duration           // when the last step ended, from the run's start
	writers     map[field]event.At      // which step set a field last
}

// field is one field of one object.
type field struct {
	ref  virt.Ref
	path string
}

func newTarget(t Target) *target {
	return &target{Target: t, vars: map[string]any{}, writers: map[field]event.At{}, notified: map[*playbook.Step]bool{}}
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
	return t.failed || t.unreachable
}

func (t *target) isSunk() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sunk
}

// recover lets a target that failed go on; it tells whether there was need.
func (t *target) recover() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.failed && !t.unreachable
	t.failed = t.failed && !was
	return was
}

// rescue lets a target whose own step failed go on.
func (t *target) rescue() bool {
	t.mu.Lock()
	halted := t.halted
	t.mu.Unlock()
	return !halted && t.recover()
}

// halt ends a target's steps, although none of its own failed.
func (t *target) halt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed, t.halted = true, true
}

// fail ends a target's steps.
func (t *target) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
}

// mishap is a step that failed on a target.
type mishap struct {
	step  map[string]any // name, word, id
	value any            // what it registers
}

// tell gives the steps of a rescue the names of what failed, until the function
// that it returns is called: then those of the rescue around it hold again.
func (t *target) tell() (restore func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := map[string]any{}
	for _, name := range []string{playbook.FailedStep, playbook.FailedResult} {
		if v, ok := t.vars[name]; ok {
			before[name] = v
		}
	}
	t.vars[playbook.FailedStep], t.vars[playbook.FailedResult] = t.failure.step, t.failure.value
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.vars, playbook.FailedStep)
		delete(t.vars, playbook.FailedResult)
		maps.Copy(t.vars, before)
	}
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

// dryLocal gives the controller as the target's steps of a plan see it. Each target
// has its own, so that a plan does not depend on which of them comes first.
func (t *target) dryLocal(inner virt.Controller) virt.Controller {
	t.localDry.Do(func() { t.local = dryrun.NewController(inner) })
	return t.local
}

// follow takes over what a step, which ran on one target for all, left there: its
// variables, and whether it failed.
func (t *target) follow(first *target, s *playbook.Step) {
	first.mu.Lock()
	vars, failed, mishap := map[string]any{}, first.failed, first.failure
	for _, name := range s.Sets() {
		if v, ok := first.vars[name]; ok {
			vars[name] = v
		}
	}
	lost, sunk := first.unreachable, first.sunk
	first.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(t.vars, vars)
	if failed || lost {
		t.failed, t.sunk, t.failure = true, t.sunk || sunk, mishap
	}
}

// ended notes that a step has ended here, at is how long after the run's start,
// and what it registers.
func (t *target) ended(s *playbook.Step, r event.Result, value any, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = at
	switch r.Status {
	case event.Unreachable:
		t.unreachable, t.sunk = true, true
	case event.Failed, event.Rescued:
		t.failed = true
		t.sunk = t.sunk || r.Status == event.Failed
		t.failure = mishap{step: map[string]any{"name": s.Title(), "word": s.Word, "id": s.ID}, value: value}
	}
}

// noteWriter keeps which step set which fields.
func (t *target) noteWriter(at event.At, a applied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range a.out.Fields {
		t.writers[field{a.ref.Key(), f.Path}] = at
	}
}

// otherWriters says who may have undone what a step did: the steps that set the
// same fields after it, or else somebody whom this run does not know.
func (t *target) otherWriters(at event.At, left []applied) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range left {
		for _, f := range a.out.Fields {
			w, ok := t.writers[field{a.ref.Key(), f.Path}]
			if ok && !sameTurn(w, at) {
				return fmt.Sprintf("%s set %s of %s meanwhile: let only one of them do so", turn(w), f.Path, a.ref)
			}
		}
	}
	return "another program may be setting the same to another value"
}

// sameTurn tells whether both are the same step, and the same item of its loop.
func sameTurn(a, b event.At) bool { return a.Step == b.Step && turn(a) == turn(b) }

// turn names a step, and the item of its loop.
func turn(at event.At) string {
	s := "step " + at.Step
	if at.Item != nil {
		s += fmt.Sprintf(", item %d (%s),", at.Item.Index+1, at.Item.Label)
	}
	return s
}

// calls gives how many calls the target's platform has sent.
func (t *target) calls() int {
	if c, ok := t.platform.(virt.Counter); ok {
		return c.Stats().Calls
	}
	return 0
}
