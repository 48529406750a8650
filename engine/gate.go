package engine

import (
	"context"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/planned"
	"github.com/nactl/nactl/virt"
)

// gate holds a run to a saved plan: a change that the plan does not have is not
// made, and ends the run.
func (r *runner) gate(ctx context.Context, a virt.Applier, c virt.Change, intent event.Intent, hide bool) error {
	if r.opts.Plan == nil {
		return nil
	}
	_, out, err := a.Predict(c.Seen(), c)
	if err != nil || !out.Changed {
		return nil // Apply says so, or finds nothing to do
	}
	if hide {
		out.Fields = nil
	}
	// The plan holds what was masked, so that is what is compared.
	expected := event.NewOutcome(intent, virt.Outcome{Fields: out.Fields}, nil, 0)
	if r.opts.Mask != nil {
		intent, expected = r.opts.Mask.Event(intent).(event.Intent), r.opts.Mask.Event(expected).(event.Outcome)
	}
	made := planned.New(intent, expected.Fields)
	if r.opts.Plan.Admits(made) {
		return nil
	}
	r.shut.Store(true)
	return &virt.Error{
		Kind: virt.ErrConflict, Object: c.Object(), Summary: "not in the saved plan: " + made.String(),
		Wanted: r.opts.Plan.Expected(made), Hint: "nothing more is changed; look at what differs, and make a new plan",
	}
}
