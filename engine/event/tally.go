package event

import (
	"slices"
	"sync"
	"time"
)

// Tally counts results as the recap shows them. It is safe for concurrent use;
// the zero Tally is ready.
type Tally struct {
	mu      sync.Mutex
	targets []TargetRecap
	plan    PlanTotals
	isPlan  bool
}

// NewTally makes a tally that lists these targets first, in this order, even
// where nothing happens on them. plan says that the results are predictions.
func NewTally(plan bool, targets ...string) *Tally {
	t := &Tally{isPlan: plan}
	for _, name := range targets {
		t.of(name)
	}
	return t
}

func (t *Tally) of(target string) *TargetRecap {
	i := slices.IndexFunc(t.targets, func(r TargetRecap) bool { return r.Target == target })
	if i < 0 {
		t.targets = append(t.targets, TargetRecap{Target: target})
		i = len(t.targets) - 1
	}
	return &t.targets[i]
}

// Add counts a result: for its target, unless it is the one of an item, since a
// loop is counted once as in Ansible; for the plan by items.
func (t *Tally) Add(r Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Items == 0 {
		switch {
		case r.Status == Undecided:
			t.plan.Undecided++
		case r.Status == Changed && r.WouldRun:
			t.plan.Run++
		case r.Status == Changed:
			t.plan.Change++
		}
	}
	if r.Item != nil {
		return
	}
	n := t.of(r.Target)
	switch r.Status {
	case OK:
		n.OK++
	case Changed:
		n.OK++
		n.Changed++
	case Skipped:
		n.Skipped++
	case Failed:
		n.Failed++
	case Unreachable:
		n.Unreachable++
	case Ignored:
		n.OK++
		n.Ignored++
		if r.Altered {
			n.Changed++
		}
	case Rescued:
		n.Rescued++
	case Undecided:
		n.Undecided++
	}
	if r.Pending {
		n.Pending++
	}
}

// Sent notes what a target cost: its time and the calls that its platform sent.
func (t *Tally) Sent(target string, elapsed time.Duration, calls int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.of(target)
	n.Elapsed, n.Calls = Seconds(elapsed), calls
}

// HandlersLeft notes handlers that were notified and did not run.
func (t *Tally) HandlersLeft(target string, names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.of(target)
	n.Handlers = append(n.Handlers, names...)
}

// Recap gives the counts so far.
func (t *Tally) Recap(elapsed time.Duration) Recap {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Recap{Targets: slices.Clone(t.targets), Elapsed: Seconds(elapsed)}
	if t.isPlan {
		plan := t.plan
		r.Plan = &plan
	}
	return r
}
