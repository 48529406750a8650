package engine

import (
	"context"

	"github.com/nactl/nactl/engine/playbook"
)

// frame is where in a play steps stand.
type frame struct {
	batch *batch
	round *round // of the loops of blocks around them
	// rescued says that a rescue takes over where they fail.
	rescued bool
	handler bool
	// maybe says why a plan cannot know whether they run; "" where it can.
	maybe string
}

// nodes runs steps and blocks, each on all targets before the next. A target that
// failed or cannot be reached runs no more of them.
func (r *runner) nodes(ctx context.Context, p *play, list []playbook.Node, targets []*target, f frame) {
	for _, n := range list {
		alive := alive(targets)
		if r.stopped(ctx) || len(alive) == 0 {
			return
		}
		switch n := n.(type) {
		case *playbook.Step:
			if p.index[n] > 0 {
				r.step(ctx, p, n, alive, f)
			}
		case *playbook.Block:
			r.block(ctx, p, n, alive, f)
		case *playbook.Flush:
			if p.flushes[n] {
				r.flush(ctx, p, alive, f)
			}
		}
	}
}

// block runs a block, once or for each item of its loop.
func (r *runner) block(ctx context.Context, p *play, b *playbook.Block, targets []*target, f frame) {
	if b.Compiled.Loop != nil {
		r.blockLoop(ctx, p, b, targets, f)
		return
	}
	r.blockOnce(ctx, p, b, targets, f)
}

// blockOnce runs a block once: where its body fails, its rescue; and always in any case,
// after which a target that had failed is as failed as before. What cannot be
// reached is neither rescued nor cleaned up.
func (r *runner) blockOnce(ctx context.Context, p *play, b *playbook.Block, targets []*target, f frame) {
	body := f
	body.rescued = f.rescued || len(b.Rescue) > 0
	r.nodes(ctx, p, b.Body, targets, body)
	if r.stopped(ctx) {
		return
	}
	if len(b.Rescue) > 0 {
		var failed []*target
		for _, t := range targets {
			if t.rescue() {
				failed = append(failed, t)
				defer t.tell()()
			}
		}
		r.nodes(ctx, p, b.Rescue, failed, f)
	}
	if len(b.Always) == 0 || r.stopped(ctx) {
		return
	}
	var failed []*target
	for _, t := range targets {
		if t.recover() {
			failed = append(failed, t)
		}
	}
	r.nodes(ctx, p, b.Always, targets, f)
	for _, t := range failed {
		t.fail()
	}
}
