package dryrun

import (
	"context"

	"github.com/nactl/nactl/virt"
)

// Applier is a dry run of a place that has changes but no objects to observe:
// the controller.
type Applier struct{ Inner virt.Applier }

var _ virt.Applier = Applier{}

// Supports asks the applier underneath.
func (a Applier) Supports(c virt.Change) error { return a.Inner.Supports(c) }

// Predict asks the applier underneath.
func (a Applier) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	return a.Inner.Predict(before, c)
}

// Check asks the applier underneath.
func (a Applier) Check(ctx context.Context, view virt.Reader, c virt.Change) error {
	return a.Inner.Check(ctx, view, c)
}

// Apply predicts the change; nothing happens.
func (a Applier) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := a.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	if err := a.Check(ctx, nil, c); err != nil {
		return virt.Outcome{}, err
	}
	_, out, err := a.Predict(c.Seen(), c)
	return out, err
}
