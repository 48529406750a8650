package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// recorder tells of every change that one item of a step makes, and counts them.
// Steps see it as their platform, and as their controller.
type recorder struct {
	virt.Platform // nil for steps that need none

	sink      event.Sink
	at        event.At
	predicted bool
	maybe     bool
	hide      bool // no_log
	wrote     func(at event.At, a applied)
	// gate admits changes before they are made; nil admits all.
	gate func(ctx context.Context, a virt.Applier, c virt.Change, intent event.Intent, hide bool) error

	mu      sync.Mutex
	n       int
	applied []applied
	pending []virt.Pending
	object  *virt.Ref
}

// applied is a change that was made, or predicted.
type applied struct {
	kind   string
	ref    virt.Ref
	nature virt.Nature
	out    virt.Outcome
}

// busyPatience is how long a locked object is tried again.
const busyPatience = 2 * time.Minute

// Apply makes a change and tells of it.
func (r *recorder) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	return r.apply(ctx, r.Platform, c)
}

func (r *recorder) apply(ctx context.Context, a virt.Applier, c virt.Change) (virt.Outcome, error) {
	r.mu.Lock()
	r.n++
	intent := event.NewIntent(r.at, r.n, c)
	ref := c.Object()
	r.object = &ref
	r.mu.Unlock()
	if r.hide {
		intent.Change = nil
	}
	// A plan learns only by predicting whether the change can be decided upon, and
	// an intent that nothing follows would read as a change cut off halfway.
	if !r.predicted {
		if r.gate != nil {
			if err := r.gate(ctx, a, c, intent, r.hide); err != nil {
				return virt.Outcome{}, err
			}
		}
		r.sink.Emit(intent)
	}
	start := time.Now()
	ctx = virt.WithProgress(ctx, func(p virt.Progress) {
		e := event.NewProgress(r.at, p)
		e.Object = &ref
		r.sink.Emit(e)
	})
	out, err := r.patiently(ctx, a, c)
	if errors.Is(err, virt.ErrOutcomeUnknown) && ctx.Err() == nil {
		out, err = r.observe(ctx, c, err)
	}
	if r.predicted {
		if errors.Is(err, virt.ErrUndecided) {
			return out, err
		}
		r.sink.Emit(intent)
	}
	e := event.NewOutcome(intent, out, err, time.Since(start))
	e.Predicted, e.Maybe = r.predicted, r.maybe
	if r.hide {
		e.Fields, e.Result, e.Summary, e.Warnings = nil, nil, "", nil
		if e.Error != nil {
			e.Error = &event.Failure{Kind: e.Error.Kind, Object: e.Error.Object, Summary: "failed; no_log hides how"}
		}
	}
	r.sink.Emit(e)
	if err == nil && out.Changed {
		a := applied{kind: intent.Kind, ref: ref, nature: c.Nature(), out: out}
		if r.wrote != nil && !r.predicted {
			r.wrote(r.at, a)
		}
		r.mu.Lock()
		r.applied = append(r.applied, a)
		switch c.(type) {
		case virt.Shutdown, virt.PowerOff:
			r.pending = nil // the next start takes the stored values
		}
		r.mu.Unlock()
	}
	return out, err
}

// observe looks whether a change was made whose reply was lost. What it cannot
// tell, and an action, of which nothing is to be seen, stays unknown.
func (r *recorder) observe(ctx context.Context, c virt.Change, lost error) (virt.Outcome, error) {
	if r.Platform == nil || c.Nature() == virt.Action {
		return virt.Outcome{}, lost
	}
	r.Platform.Forget(c.Object())
	now, err := virt.ReadFor(ctx, r.Platform, c)
	if err != nil {
		return virt.Outcome{}, errors.Join(lost, err)
	}
	if _, left, err := r.Platform.Predict(now, c); err != nil || left.Changed {
		return virt.Outcome{}, lost
	}
	_, out, err := r.Platform.Predict(c.Seen(), c)
	if err != nil {
		return virt.Outcome{}, lost
	}
	out.Warnings = append(out.Warnings, "the reply to the change was lost; it was made")
	return out, nil
}

// patiently tries again what a lock prevents. When the time is over before it is
// free, the error says whose lock it was.
func (r *recorder) patiently(ctx context.Context, a virt.Applier, c virt.Change) (virt.Outcome, error) {
	var busy error
	out, err := backoff.Retry(ctx, func() (virt.Outcome, error) {
		out, err := a.Apply(ctx, c)
		if virt.IsRetryable(err) {
			busy = err
		} else if err != nil {
			err = backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithMaxElapsedTime(busyPatience), backoff.WithNotify(func(err error, wait time.Duration) {
		r.sink.Emit(event.NewProgress(r.at, virt.Progress{What: "busy, trying again: " + err.Error()}))
	}))
	if ctx.Err() != nil && busy != nil && err == context.Cause(ctx) {
		err = busy // the runner puts before it why the time is over
	}
	return out, err
}

func (r *recorder) notePending(_ virt.Ref, p []virt.Pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, new := range p {
		r.pending = slices.DeleteFunc(r.pending, func(old virt.Pending) bool { return old.Field == new.Field })
		r.pending = append(r.pending, new)
	}
}

// made sums up what was changed so far.
func (r *recorder) made() (converge, actions []applied) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.applied {
		if a.nature == virt.Action {
			actions = append(actions, a)
		} else {
			converge = append(converge, a)
		}
	}
	return converge, actions
}

// touched names the objects that were changed.
func touched(list []applied) []virt.Ref {
	refs := map[virt.Ref]bool{}
	for _, a := range list {
		refs[a.ref.Key()] = true
	}
	return slices.SortedFunc(maps.Keys(refs), func(a, b virt.Ref) int { return strings.Compare(a.String(), b.String()) })
}

// describe names changes for messages.
func describe(list []applied) string {
	var parts []string
	for _, a := range list {
		s := a.kind + " of " + a.ref.String()
		for _, f := range a.out.Fields {
			s += ", " + f.Path
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}
