package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// round is one turn of the loop of a block: targets go through it together, each
// with its own item.
type round struct {
	outer *round
	block *playbook.Block
	index int // from 0
	items map[*target]map[string]any
	label string // of the first target's item
}

// locals gives the items that a target's steps read.
func (r *round) locals(t *target) map[string]any {
	if r == nil {
		return map[string]any{}
	}
	all := r.outer.locals(t)
	for name, v := range r.items[t] {
		all[name] = v
	}
	return all
}

// id gives the id that a step or a block has in this round: a block that loops
// bears the number of the round, from 1.
func (r *round) id(id string) string {
	if r == nil {
		return id
	}
	block := r.outer.id(r.block.ID) + "/"
	id = r.outer.id(id)
	return strings.Replace(id, block, fmt.Sprintf("%s[%d]/", strings.TrimSuffix(block, "/"), r.index+1), 1)
}

// labels names the items of all rounds, for people.
func (r *round) labels() string {
	if r == nil {
		return ""
	}
	return strings.TrimSpace(r.outer.labels() + " (" + r.label + ")")
}

// blockLoop runs a block once for each item of its loop: the first round ends on
// all targets before the second begins.
func (r *runner) blockLoop(ctx context.Context, p *play, b *playbook.Block, targets []*target, f frame) {
	lists := map[*target][]*source.Node{}
	most := 0
	var undecided []*target
	for _, t := range targets {
		sc := r.scope(p, t, nil, f)
		n, err := sc.eval(ctx, b.Compiled.Loop)
		switch {
		case err != nil:
			r.blockFails(p, b, t, f, err)
		case n.Kind == source.Unknown:
			undecided = append(undecided, t)
		case n.Kind != source.List:
			r.blockFails(p, b, t, f, fmt.Errorf("loop: wanted a list, found %s", n.Kind))
		default:
			lists[t] = n.Items
			most = max(most, len(n.Items))
		}
	}
	if len(undecided) > 0 {
		r.blockUndecided(ctx, p, b, undecided, f)
	}
	for i := range most {
		in := f
		in.round = &round{outer: f.round, block: b, index: i, items: map[*target]map[string]any{}}
		var here []*target
		for _, t := range alive(targets) {
			if i >= len(lists[t]) {
				continue
			}
			here = append(here, t)
			in.round.items[t] = map[string]any{
				b.LoopVar: expr.FromNode(lists[t][i]),
				"loop":    map[string]any{"index": i + 1, "index0": i, "first": i == 0, "last": i == len(lists[t])-1, "length": len(lists[t])},
			}
			if in.round.label == "" {
				in.round.label = labelOf(ctx, r.scope(p, t, nil, in), b.Compiled.LoopLabel, lists[t][i])
			}
		}
		if r.stopped(ctx) {
			return
		}
		r.blockOnce(ctx, p, b, here, in)
	}
}

// stepsOf gives the steps of a block that the tags leave.
func (p *play) stepsOf(b *playbook.Block) []*playbook.Step {
	var out []*playbook.Step
	playbook.Walk([]playbook.Node{b}, func(s *playbook.Step) {
		if p.index[s] > 0 {
			out = append(out, s)
		}
	})
	return out
}

// blockFails fails a target at the first step of a block.
func (r *runner) blockFails(p *play, b *playbook.Block, t *target, f frame, err error) {
	steps := p.stepsOf(b)
	if len(steps) == 0 {
		return
	}
	s := steps[0]
	r.announce(p, s, s.Title(), []*target{t}, f)
	res := failure(r.scope(p, t, s, f), event.Result{At: event.At{Step: f.round.id(s.ID), Target: t.Name}}, err)
	r.ended(t, s, res, registered(&res, nil))
	r.sink.Emit(event.StepEnded{Step: f.round.id(s.ID), Targets: []string{t.Name}})
	r.tooMany(p, s, f.batch)
}

// blockUndecided notes in a plan that only the run will show how often the steps
// of a block run.
func (r *runner) blockUndecided(ctx context.Context, p *play, b *playbook.Block, targets []*target, f frame) {
	for _, s := range p.stepsOf(b) {
		start := time.Now()
		names := r.announce(p, s, s.Title(), targets, f)
		for _, t := range targets {
			r.uncertain(ctx, r.scope(p, t, s, f), nil, nil)
			res := event.Result{At: event.At{Step: f.round.id(s.ID), Target: t.Name}, Status: event.Undecided, Predicted: true,
				Reason: "the loop of its block is known only afterwards"}
			r.ended(t, s, res, expr.Unknown{})
		}
		r.sink.Emit(event.StepEnded{Step: f.round.id(s.ID), Targets: names, Elapsed: event.Seconds(time.Since(start))})
	}
}
