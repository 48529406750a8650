// Package diag holds what nactl tells people about their own files: where, what
// is wrong, and the way out.
//
// Problems are collected, never returned one at a time: a reader sees all
// mistakes of all files at once. A Diagnostic is data; Write renders it as
// text, and other formats are rendered from the same values. The package
// imports nothing of nactl's, and its values are not safe for concurrent use.
package diag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. Line and Column count from 1; a column counts
// runes. The zero Pos means "no place is known".
type Pos struct {
	File   string
	Line   int
	Column int
}

// IsValid tells whether p names a line.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String gives file:line:column as compilers do, or what is known of it.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Range is where a diagnostic points. Start is its first rune. Width counts the
// runes that the caret underlines on that line; 0 and 1 mean a single caret.
type Range struct {
	Pos
	Width int
}

// Severity says whether a diagnostic stops the run.
type Severity int

// The severities.
const (
	Error Severity = iota
	Warning
)

// String gives the word that reports use.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one finding about the user's input.
type Diagnostic struct {
	Severity Severity
	Rule     string // stable id, for example "unknown-key"; may be empty
	Summary  string // one line, lower case, no full stop
	Detail   string // further lines; may be empty
	Range    Range
}

// Error makes a Diagnostic usable as an error.
func (d Diagnostic) Error() string {
	if at := d.Range.String(); at != "" {
		return at + ": " + d.Summary
	}
	return d.Summary
}

// List collects diagnostics. The zero List is ready for use.
type List []Diagnostic

// Errorf adds an error.
func (l *List) Errorf(at Range, rule, format string, args ...any) {
	*l = append(*l, Diagnostic{Severity: Error, Rule: rule, Summary: fmt.Sprintf(format, args...), Range: at})
}

// Warnf adds a warning.
func (l *List) Warnf(at Range, rule, format string, args ...any) {
	*l = append(*l, Diagnostic{Severity: Warning, Rule: rule, Summary: fmt.Sprintf(format, args...), Range: at})
}

// Add adds ready-made diagnostics.
func (l *List) Add(ds ...Diagnostic) { *l = append(*l, ds...) }

// HasErrors tells whether at least one diagnostic is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// OnlyErrors tells whether all errors are of one rule.
func (l List) OnlyErrors(rule string) bool {
	return !slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error && d.Rule != rule })
}

// Count gives the number of errors and of warnings.
func (l List) Count() (errs, warnings int) {
	for _, d := range l {
		if d.Severity == Error {
			errs++
		} else {
			warnings++
		}
	}
	return errs, warnings
}

// Sort orders by file, line and column, and drops exact repetitions.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		if c := strings.Compare(a.Range.File, b.Range.File); c != 0 {
			return c
		}
		if c := a.Range.Line - b.Range.Line; c != 0 {
			return c
		}
		return a.Range.Column - b.Range.Column
	})
	*l = slices.Compact(*l)
}

// Err returns the list as an error when it holds at least one error, else nil.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return &Failure{List: l}
}

// Failure is a List that travels through an error. It is found by errors.As.
type Failure struct{ List List }

// Error gives every message, one a line, without excerpts.
func (f *Failure) Error() string {
	var lines []string
	for _, d := range f.List {
		if d.Severity == Error {
			lines = append(lines, d.Error())
		}
	}
	return strings.Join(lines, "\n")
}

// FromError gives the diagnostics that err carries; an error of another kind
// becomes one diagnostic at the given place.
func FromError(err error, at Range) List {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.List
	}
	var d Diagnostic
	if errors.As(err, &d) {
		return List{d}
	}
	return List{{Summary: err.Error(), Range: at}}
}
