package virt

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of failures. They are found by errors.Is.
var (
	// ErrNotFound: the object is not there.
	ErrNotFound = errors.New("not found")
	// ErrConflict: another object is in the way, or is not what was expected.
	ErrConflict = errors.New("conflict")
	// ErrBusy: the object is locked for now; trying again later may work.
	ErrBusy = errors.New("busy")
	// ErrUnsupported: the platform cannot do this.
	ErrUnsupported = errors.New("not supported")
	// ErrUnreachable: the node or engine does not answer.
	ErrUnreachable = errors.New("unreachable")
	// ErrAuth: the node or engine does not let us in.
	ErrAuth = errors.New("not let in")
	// ErrDenied: the node or engine knows us and does not let us do this.
	ErrDenied = errors.New("not allowed")
	// ErrDiverged: the object changed since the step looked at it.
	ErrDiverged = errors.New("changed meanwhile")
	// ErrOutcomeUnknown: the reply to a change was lost; it may have been made.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrInvalid: the platform can never do what was asked for as it was asked.
	ErrInvalid = errors.New("invalid")
	// ErrTimeout: it did not happen in the time that it was given.
	ErrTimeout = errors.New("timed out")
	// ErrAgent: the guest, or its agent, does not answer.
	ErrAgent = errors.New("guest does not answer")
	// ErrNoAnswer: a service that is no target does not answer, or not as it should.
	ErrNoAnswer = errors.New("no answer")
	// ErrUndecided: a dry run cannot know; the step is decided at run time.
	ErrUndecided = errors.New("decided at run time")
)

// Error says what went wrong for the person who can mend it.
type Error struct {
	Kind    error  // one of the kinds above
	Object  Ref    // what it is about
	Summary string // one line: "cannot move to n2: network \"lan\" is not there"
	Wanted  string // what was wanted; may be empty
	Found   string // what was found; may be empty
	Hint    string // what to do; may be empty
	Err     error  // the cause as the platform gave it; may be nil
}

// Error gives the object, the summary and the cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Object.Kind != "" {
		fmt.Fprintf(&b, "%s: ", e.Object)
	}
	b.WriteString(e.Summary)
	if e.Summary == "" && e.Kind != nil {
		b.WriteString(e.Kind.Error())
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// NotFound says that an object is not there, and what to do about it.
func NotFound(r Ref, hint string) error {
	return &Error{Kind: ErrNotFound, Object: r, Summary: "is not there", Hint: hint}
}

// Unsupported says that a platform cannot make a change.
func Unsupported(platform string, c Change, hint string) error {
	return &Error{Kind: ErrUnsupported, Object: c.Object(),
		Summary: fmt.Sprintf("%s is not supported on %s", KindOf(c), platform), Hint: hint}
}

// Diverged says that an object changed since the step looked at it.
func Diverged(r Ref, found string) error {
	return &Error{Kind: ErrDiverged, Object: r, Summary: "changed since it was looked at", Found: found}
}

// IsRetryable tells whether trying the same again may work.
func IsRetryable(err error) bool { return errors.Is(err, ErrBusy) }
