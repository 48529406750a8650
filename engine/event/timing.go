package event

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// slowest is how many steps Timing lists.
const slowest = 10

// Timing tells after a run where its time went: the slowest steps, and how often
// each target was asked.
type Timing struct {
	w     io.Writer
	steps map[string]StepStarted
	took  []Result
	recap Recap
	ended bool
}

// NewTiming makes a reader that writes to w, which stays open, when it is closed.
func NewTiming(w io.Writer) *Timing { return &Timing{w: w, steps: map[string]StepStarted{}} }

// String names the reader in errors.
func (*Timing) String() string { return "the timing" }

// Read implements Reader.
func (t *Timing) Read(r Record) error {
	switch e := r.Event.(type) {
	case StepStarted:
		t.steps[e.Step] = e
	case Result:
		if e.Item == nil && e.Elapsed > 0 {
			t.took = append(t.took, e)
		}
	case Recap:
		t.recap, t.ended = e, true
	}
	return nil
}

// Close implements Reader.
func (t *Timing) Close() error {
	if !t.ended {
		return nil
	}
	slices.SortStableFunc(t.took, func(a, b Result) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	t.took = t.took[:min(len(t.took), slowest)]
	var b strings.Builder
	b.WriteString("\nSLOWEST STEPS\n")
	nameW := 0
	for _, r := range t.took {
		nameW = max(nameW, width(oneLine(r.Target)))
	}
	for _, r := range t.took {
		s := t.steps[r.Step]
		name := s.Word
		if s.Name != "" {
			name = s.Name + " · " + s.Word
		}
		if r.Items > 0 {
			name += " · " + count(r.Items, "item")
		}
		fmt.Fprintf(&b, "%8s  %s  %s\n", seconds(time.Duration(r.Elapsed)), pad(oneLine(r.Target), nameW), oneLine(name))
	}
	b.WriteString("\nROUND TRIPS\n")
	nameW = 0
	for _, r := range t.recap.Targets {
		nameW = max(nameW, width(oneLine(r.Target)))
	}
	for _, r := range t.recap.Targets {
		fmt.Fprintf(&b, "%8d  %s\n", r.Calls, strings.TrimRight(pad(oneLine(r.Target), nameW), " "))
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}
