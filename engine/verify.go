package engine

import (
	"context"
	"errors"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// verify proves that changes took: the step, run once more over a dry run of what
// is there now, has nothing left to do. Live values have a while to settle.
func (r *runner) verify(ctx context.Context, sc *scope, c call, at event.At, objects []virt.Ref) error {
	p := sc.on.platform
	deadline := time.Now().Add(verifyTimeout)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if p != nil { // else the step works on the controller alone
			p.Forget(objects...)
		}
		left, err := r.left(ctx, sc, r.again(sc, c))
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return &virt.Error{
				Kind: virt.ErrConflict, Object: left[0].ref, Summary: "did not converge",
				Wanted: "nothing left to do after the change", Found: "the step would change again: " + describe(left),
				Hint: sc.on.otherWriters(at, left),
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// left gives the converging changes that a step would make now. What a dry run
// cannot decide is not held against the step.
func (r *runner) left(ctx context.Context, sc *scope, c call) ([]applied, error) {
	rec := &recorder{sink: event.Discard, predicted: true}
	env, err := r.env(ctx, sc, rec)
	if err != nil {
		return nil, err
	}
	env.Warn, env.Message, env.Pending = func(string) {}, func(string) {}, nil
	_, err = guarded(ctx, c.step, env)
	converge, _ := rec.made()
	if errors.Is(err, virt.ErrUndecided) {
		err = nil
	}
	return converge, err
}
