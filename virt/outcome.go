package virt

import (
	"context"
	"fmt"
)

// Outcome is what a change did, or would do.
type Outcome struct {
	Changed bool `json:"changed"`
	// Summary is one line for people; empty when Fields say it all.
	Summary  string        `json:"summary,omitempty"`
	Fields   []FieldChange `json:"fields,omitempty"`
	Pending  []Pending     `json:"pending,omitempty"`
	Warnings []string      `json:"warnings,omitempty"`
	// Result is what an action gave: *CommandResult, *Moved. In a prediction it is
	// nil: known only afterwards.
	Result any `json:"result,omitempty"`
}

// FieldChange is one field before and after. Before is nil for what was not
// there, After for what is gone; either may be UnknownValue.
type FieldChange struct {
	Path   string `json:"path"` // as cpu.count, disks.data.size
	Before any    `json:"before"`
	After  any    `json:"after"`
	Unit   string `json:"unit,omitempty"` // "bytes" for sizes
	Note   string `json:"note,omitempty"` // live and configured; pending: after a restart
}

// Do makes a change, by a function as Applier.Apply, and gives its result typed.
// ok is false where there is none, as in a prediction.
func Do[T any](ctx context.Context, apply func(context.Context, Change) (Outcome, error), c Change) (result T, ok bool, err error) {
	out, err := apply(ctx, c)
	if err != nil || out.Result == nil {
		return result, false, err
	}
	if result, ok = out.Result.(T); !ok {
		return result, false, fmt.Errorf("%s gave a %T where a %T was promised", KindOf(c), out.Result, result)
	}
	return result, true, nil
}
