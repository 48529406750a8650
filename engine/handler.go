package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
)

// flush runs the handlers that targets have to run: in the order in which they
// stand in the play, each once however often it was notified. What they notify
// themselves runs, too; that this ends is checked at load.
func (r *runner) flush(ctx context.Context, p *play, targets []*target, f frame) {
	sure := frame{batch: f.batch, handler: true, rescued: f.rescued}
	doubtful := sure
	doubtful.maybe = "a step that notifies it is decided at run time"
	for again := true; again; {
		again = false
		for _, h := range p.Handlers {
			turns := map[frame][]*target{}
			for _, t := range alive(targets) {
				switch notified, certain := t.take(h); {
				case notified && certain:
					turns[sure] = append(turns[sure], t)
				case notified:
					turns[doubtful] = append(turns[doubtful], t)
				}
			}
			for _, f := range []frame{sure, doubtful} {
				if len(turns[f]) > 0 && !r.stopped(ctx) {
					r.step(ctx, p, h, turns[f], f)
					again = again || len(h.Notify) > 0
				}
			}
		}
	}
}

// lastHandlers runs the handlers at the end of a play, and tells of those that a
// failed or interrupted target leaves undone.
func (r *runner) lastHandlers(ctx context.Context, p *play, targets []*target, f frame) {
	var failed []*target
	if p.ForceHandlers || r.opts.ForceHandlers {
		for _, t := range targets {
			if t.recover() {
				failed = append(failed, t)
			}
		}
	}
	if !r.stopped(ctx) {
		r.flush(ctx, p, targets, f)
	}
	for _, t := range failed {
		t.fail()
	}
	for _, t := range targets {
		var left []string
		for _, h := range p.Handlers {
			if notified, _ := t.take(h); notified {
				left = append(left, h.Title())
			}
		}
		if len(left) == 0 {
			continue
		}
		hint := "; with --force-handlers they run on failed targets, too"
		if t.unreachable || r.stopped(ctx) {
			hint = ""
		}
		r.counts.HandlersLeft(t.Name, left)
		r.sink.Emit(event.Warning{At: event.At{Target: t.Name}, Position: position(p.Range),
			Text: fmt.Sprintf("notified and not run: %s%s", strings.Join(left, ", "), hint)})
	}
}

// notify notes the handlers of a step that changed something on a target, or in a
// plan may do so.
func (t *target) notify(s *playbook.Step, status event.Status) {
	if status != event.Changed && status != event.Undecided || len(s.Notify) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range s.Notify {
		t.notified[h] = t.notified[h] || status == event.Changed
	}
}

// take gives whether a handler was notified, and whether that is certain, and
// forgets it.
func (t *target) take(h *playbook.Step) (notified, certain bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	certain, notified = t.notified[h]
	delete(t.notified, h)
	return notified, certain
}
