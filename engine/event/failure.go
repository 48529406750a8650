package event

import (
	"context"
	"errors"

	"github.com/nactl/nactl/virt"
)

// Failure says what went wrong for the person who can mend it.
type Failure struct {
	Kind    string    `json:"kind,omitempty"` // not_found, busy, timeout, …; empty for others
	Object  *virt.Ref `json:"object,omitempty"`
	Summary string    `json:"summary"`
	Wanted  string    `json:"wanted,omitempty"`
	Found   string    `json:"found,omitempty"`
	Do      string    `json:"do,omitempty"`
	Cause   string    `json:"cause,omitempty"` // as the platform worded it
	At      Position  `json:"at,omitzero"`
	GoOn    string    `json:"go_on,omitempty"` // the command that resumes the run
	// More holds the other reasons where several were found together.
	More []Failure `json:"more,omitempty"`
}

var kinds = []struct {
	err  error
	name string
}{
	{virt.ErrNotFound, "not_found"},
	{virt.ErrConflict, "conflict"},
	{virt.ErrBusy, "busy"},
	{virt.ErrUnsupported, "unsupported"},
	{virt.ErrUnreachable, "unreachable"},
	{virt.ErrAuth, "auth"},
	{virt.ErrDenied, "denied"},
	{virt.ErrDiverged, "diverged"},
	{virt.ErrOutcomeUnknown, "outcome_unknown"},
	{virt.ErrInvalid, "invalid"},
	{virt.ErrTimeout, "timeout"},
	{virt.ErrAgent, "agent"},
	{virt.ErrNoAnswer, "no_answer"},
	{virt.ErrUndecided, "undecided"},
	{context.Canceled, "cancelled"},
	{context.DeadlineExceeded, "timeout"},
}

// NewFailure takes an error apart: what virt.Error holds goes to the fields of
// that name, errors that were joined become More. nil gives nil. What wraps a
// virt.Error is kept in the summary.
func NewFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	all := joined(err)
	if len(all) > 1 {
		f := NewFailure(all[0])
		for _, e := range all[1:] {
			f.More = append(f.More, *NewFailure(e))
		}
		return f
	}
	err = all[0] // a join of one is that one
	f := &Failure{Summary: err.Error()}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Kind = k.name
			break
		}
	}
	var v *virt.Error
	if !errors.As(err, &v) {
		return f
	}
	if v.Object.Kind != "" {
		f.Object = &v.Object
	}
	f.Wanted, f.Found, f.Do = v.Wanted, v.Found, v.Hint
	if err == error(v) {
		f.Summary = v.Summary
		if f.Summary == "" && v.Kind != nil {
			f.Summary = v.Kind.Error()
		}
		if v.Err != nil {
			f.Cause = v.Err.Error()
		}
	}
	return f
}

// joined gives the errors that errors.Join put together, flat.
func joined(err error) []error {
	// A virt.Error unwraps to several errors too, but they are one failure.
	if _, ok := err.(*virt.Error); ok {
		return []error{err}
	}
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	all := j.Unwrap()
	// fmt.Errorf with several %w has a text of its own, which must not be lost.
	if errors.Join(all...).Error() != err.Error() {
		return []error{err}
	}
	var flat []error
	for _, e := range all {
		flat = append(flat, joined(e)...)
	}
	return flat
}
