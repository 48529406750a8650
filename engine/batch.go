package engine

import (
	"context"
	"fmt"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
)

// batch is the part of a play's targets that run together. With the free strategy
// each target goes through the steps by itself.
type batch struct {
	targets []*target
	max     int // how many of them may fail, -1 = all
}

// batches cuts the targets of a play into those that follow each other.
func (r *runner) batches(p *play) []*batch {
	targets := r.of(p)
	var out []*batch
	for _, size := range playbook.Batches(p.serial, len(targets)) {
		b := &batch{targets: targets[:size], max: -1}
		if p.MaxFailPercentage.IsSet() {
			b.max = size * p.MaxFailPercentage.Or(0) / 100
		}
		if p.AnyErrorsFatal {
			b.max = 0
		}
		out, targets = append(out, b), targets[size:]
	}
	return out
}

// batch runs a play on some of its targets.
func (r *runner) batch(ctx context.Context, p *play, b *batch) {
	run := func(targets []*target) {
		r.nodes(ctx, p, p.Body, targets, frame{batch: b})
		r.lastHandlers(ctx, p, targets, frame{batch: b, handler: true})
	}
	if p.Strategy != playbook.Free {
		run(b.targets)
		return
	}
	each(r.forks(p), len(b.targets), func(i int) { run(b.targets[i : i+1]) })
}

// tooMany ends a play on all targets of a batch when more of them have failed for
// good than it allows; what is in flight ends first.
func (r *runner) tooMany(p *play, s *playbook.Step, b *batch) {
	if b.max < 0 {
		return
	}
	failed := 0
	for _, t := range b.targets {
		if t.isSunk() {
			failed++
		}
	}
	if failed <= b.max || !r.broken.CompareAndSwap(false, true) {
		return
	}
	for _, t := range b.targets {
		t.halt()
	}
	why := "any_errors_fatal"
	if !p.AnyErrorsFatal {
		why = fmt.Sprintf("max_fail_percentage: %d", p.MaxFailPercentage.Or(0))
	}
	r.sink.Emit(event.Warning{At: event.At{Step: s.ID}, Position: position(p.Range),
		Text: fmt.Sprintf("the run ends on all targets: %d of %d failed, and the play says %s", failed, len(b.targets), why)})
}

// spent tells whether no target of a batch is left, so that the plays and batches
// behind it do not run: what failed everywhere here would fail there, too.
func (b *batch) spent() bool {
	for _, t := range b.targets {
		if !t.isLost() {
			return false
		}
	}
	return len(b.targets) > 0
}
