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

// Do applies a change and gives its result typed, for changes that have one.
// Where the outcome is a prediction, ok is false.
func Do[T any](ctx context.Context, a Applier, c Change) (result T, out Outcome, ok bool, err error) {
	out, err = a.Apply(ctx, c)
	if err != nil || out.Result == nil {
		return result, out, false, err
	}
	result, ok = out.Result.(T)
	if !ok {
		return result, out, false, fmt.Errorf("%s gave a %T where a %T was promised", KindOf(c), out.Result, result)
	}
	return result, out, true, nil
}
