package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/modules/step"
)

// ErrInterrupted and ErrTerminated are the causes of a cancelled context that end
// a run with the exit codes of a signal.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrTerminated  = errors.New("terminated")
)

// runner is one run.
type runner struct {
	world   *World
	opts    Options
	sink    event.Sink
	targets map[string]*target
	start   time.Time

	steps   int
	asking  sync.Mutex  // one question at a time
	sure    atomic.Bool // nobody is asked before steps any more
	shut    atomic.Bool // a change was not in the saved plan: nothing more is begun
	broken  atomic.Bool // too many targets failed: no further plays
	secrets secrets
	answers answers
	counts  *event.Tally
}

// Run plays what was prepared and gives the exit code. Everything else is told as
// events. A cancelled context stops the run: changes in flight are aborted
// politely, nothing new is started.
func Run(ctx context.Context, p *Prepared, w *World, o Options) int {
	r := &runner{world: w, opts: o, sink: o.Sink, targets: map[string]*target{}, start: time.Now(), steps: p.steps}
	if r.opts.Forks <= 0 {
		r.opts.Forks = DefaultForks
	}
	started := event.RunStarted{Playbooks: p.files, Inventory: o.Inventory, Steps: p.steps, Check: o.Check, User: o.User, Version: o.Version}
	var names []string
	for _, t := range p.targets {
		r.targets[t.Name] = newTarget(t)
		started.Targets = append(started.Targets, event.Target{Name: t.Name, Kind: t.Kind})
		names = append(names, t.Name)
	}
	for _, t := range w.All { // steps may act on any of them, and read its variables
		if r.targets[t.Name] == nil {
			r.targets[t.Name] = newTarget(t)
		}
	}
	r.counts = event.NewTally(o.Check, names...)
	r.sink.Emit(started)
	for i, pl := range p.plays {
		if ctx.Err() != nil || r.shut.Load() || r.broken.Load() {
			break
		}
		r.play(ctx, pl, i+1, len(p.plays))
	}
	return r.end(ctx, p)
}

// end tells the recap and gives the exit code.
func (r *runner) end(ctx context.Context, p *Prepared) int {
	for _, t := range p.targets {
		state := r.targets[t.Name]
		r.counts.Sent(t.Name, state.last, state.calls())
	}
	recap := r.counts.Recap(time.Since(r.start))
	r.sink.Emit(recap)
	code, status := exitCode(ctx, recap)
	r.sink.Emit(event.RunEnded{ExitCode: code, Status: status, Elapsed: recap.Elapsed})
	return code
}

// exitCode sums a run up: an interruption outranks a failed step, which outranks
// an unreachable target.
func exitCode(ctx context.Context, recap event.Recap) (code int, status string) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrTerminated):
		return ExitTerminated, "interrupted"
	case ctx.Err() != nil:
		return ExitInterrupted, "interrupted"
	}
	for _, t := range recap.Targets {
		switch {
		case t.Failed > 0:
			return ExitFailed, "failed"
		case t.Unreachable > 0:
			code, status = ExitUnreachable, "unreachable"
		}
	}
	if code != 0 {
		return code, status
	}
	return ExitOK, "ok"
}

// play runs the steps of one play, each on all of its targets before the next.
func (r *runner) play(ctx context.Context, p *play, index, total int) {
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, p.Timeout, errPlayTimeout)
		defer cancel()
	}
	r.foresee(ctx, p)
	batches := r.batches(p)
	for i, b := range batches {
		e := event.PlayStarted{Play: p.ID, Name: p.Name, Index: index, Total: total, Position: position(p.Range), Strategy: string(p.Strategy)}
		for _, t := range b.targets {
			e.Targets = append(e.Targets, t.Name)
		}
		if len(p.serial) > 0 {
			e.Batch, e.Batches = i+1, len(batches)
		}
		r.sink.Emit(e)
		r.batch(ctx, p, b)
		if r.stopped(ctx) || r.broken.Load() {
			return
		}
		if b.spent() && len(p.serial) > 0 {
			r.broken.Store(true)
			if i < len(batches)-1 {
				r.sink.Emit(event.Warning{Position: position(p.Range), Text: fmt.Sprintf("all targets of batch %d of %d failed: the run ends here", i+1, len(batches))})
			}
			return
		}
	}
}

// stopped tells whether nothing new is to be started. A play that ran out of time
// is not stopped: its next step says so on every target, and fails there.
func (r *runner) stopped(ctx context.Context) bool {
	return r.shut.Load() || ctx.Err() != nil && !errors.Is(context.Cause(ctx), errPlayTimeout)
}

var errPlayTimeout = errors.New("the play's timeout is over")

// of gives the targets of a play.
func (r *runner) of(p *play) []*target {
	var out []*target
	for _, t := range p.targets {
		out = append(out, r.targets[t.Name])
	}
	return out
}

// alive gives the targets that are to run further steps.
func alive(targets []*target) []*target {
	var out []*target
	for _, t := range targets {
		if !t.isLost() {
			out = append(out, t)
		}
	}
	return out
}

// step runs one step on targets side by side.
func (r *runner) step(ctx context.Context, p *play, s *playbook.Step, targets []*target, f frame) {
	start := time.Now()
	id, title := f.round.id(s.ID), r.title(ctx, p, s, targets[0], f)
	names := r.announce(p, s, title, targets, f)
	if !r.confirmed(ctx, s, title) {
		for _, t := range targets {
			res := event.Result{At: event.At{Step: id, Target: t.Name}, Status: event.Skipped, Reason: "left out at the prompt"}
			r.ended(t, s, res, registered(&res, nil))
		}
	} else if s.RunOnce {
		r.onTarget(ctx, p, s, targets[0], f)
		for _, t := range targets[1:] {
			t.follow(targets[0], s)
		}
	} else {
		limit := r.forks(p)
		if s.Throttle > 0 {
			limit = min(limit, s.Throttle)
		}
		each(limit, len(targets), func(i int) { r.onTarget(ctx, p, s, targets[i], f) })
	}
	r.sink.Emit(event.StepEnded{Step: id, Targets: names, Elapsed: event.Seconds(time.Since(start))})
	r.tooMany(p, s, f.batch)
}

// announce tells that a step begins, and gives the names of its targets.
func (r *runner) announce(p *play, s *playbook.Step, title string, targets []*target, f frame) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	if labels := f.round.labels(); labels != "" {
		title = strings.TrimSpace(cmp.Or(title, s.Word) + " " + labels)
	}
	r.sink.Emit(event.StepStarted{Step: f.round.id(s.ID), Play: p.ID, Name: title, Word: s.Word, Index: p.index[s], Total: r.steps,
		Handler: f.handler, Targets: names, Position: position(s.Range)})
	return names
}

// forks is how many targets of a play run side by side.
func (r *runner) forks(p *play) int {
	if p.Forks > 0 {
		return min(r.opts.Forks, p.Forks)
	}
	return r.opts.Forks
}

// title gives the step's name as it reads on its first target; where it cannot
// be evaluated yet, as it is written.
func (r *runner) title(ctx context.Context, p *play, s *playbook.Step, t *target, f frame) string {
	if s.Compiled.Name == nil || s.Compiled.Name.IsStatic() {
		return s.Name
	}
	n, err := r.scope(p, t, s, f).eval(ctx, s.Compiled.Name)
	if err != nil || n.ContainsUnknown() {
		return s.Name
	}
	text, _ := step.Text(n)
	return text
}

// each calls fn for 0 to n-1, at most limit at a time, and waits for all.
func each(limit, n int, fn func(int)) {
	slots := make(chan struct{}, max(limit, 1))
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			fn(i)
		})
	}
	wg.Wait()
}
