package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nactl/nactl/virt"
)

// Seconds is a duration that stands in JSON as seconds, to the millisecond.
type Seconds time.Duration

// MarshalJSON writes a number of seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	sec := math.Round(time.Duration(s).Seconds()*1000) / 1000
	return strconv.AppendFloat(nil, sec, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds(math.Round(f * float64(time.Second)))
	return nil
}

// Position is a place in a playbook. Line and column count from 1; 0 = unknown.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String gives file:line:column, as far as they are known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Target is one of the run's targets.
type Target struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // engine, node, cluster
}

// Item is one turn of a loop.
type Item struct {
	Index int    `json:"index"` // from 0
	Total int    `json:"total,omitempty"`
	Label string `json:"label,omitempty"` // loop_label, or the item in short
}

// At says which part of the run an event is about.
type At struct {
	Step    string `json:"step,omitempty"` // id of the step, the same in every run of the playbook
	Target  string `json:"target,omitempty"`
	Item    *Item  `json:"item,omitempty"`    // nil outside loops
	Attempt int    `json:"attempt,omitempty"` // from 1 where until or retries repeat it
}

// RunStarted is the first event of a run.
type RunStarted struct {
	Playbooks []string `json:"playbooks"`
	Inventory []string `json:"inventory,omitempty"`
	Targets   []Target `json:"targets"`
	Steps     int      `json:"steps"`
	Check     bool     `json:"check,omitempty"` // nothing is changed: a plan, a check, a drift
	User      string   `json:"user,omitempty"`
	Version   string   `json:"version"`           // nactl's
	Resumes   string   `json:"resumes,omitempty"` // id of the run that this one goes on with
}

// PlayStarted says that a play, or with serial: its next batch, begins.
type PlayStarted struct {
	Play     string   `json:"play"` // id
	Name     string   `json:"name,omitempty"`
	Index    int      `json:"index"` // from 1, of Total
	Total    int      `json:"total"`
	Batch    int      `json:"batch,omitempty"` // from 1, of Batches; 0 without serial
	Batches  int      `json:"batches,omitempty"`
	Targets  []string `json:"targets"`
	Strategy string   `json:"strategy,omitempty"` // linear, free; empty = linear
	Position Position `json:"position,omitzero"`
}

// StepStarted says that a step begins: with the linear strategy on all of
// Targets, with the free one on the one target that got there.
type StepStarted struct {
	Step     string   `json:"step"` // id
	Play     string   `json:"play,omitempty"`
	Name     string   `json:"name,omitempty"`
	Word     string   `json:"word"`  // as create_vm
	Index    int      `json:"index"` // from 1, of Total, over the whole run
	Total    int      `json:"total"`
	Items    int      `json:"items,omitempty"` // of its loop where that is known; 0 without a loop
	Handler  bool     `json:"handler,omitempty"`
	Targets  []string `json:"targets"`
	Position Position `json:"position,omitzero"`
}

// ItemStarted says that work begins on one target, and within a loop on one
// item. It comes for every target of every step.
type ItemStarted struct {
	At
}

// Progress is how far a change in flight has come.
type Progress struct {
	At
	Object *virt.Ref `json:"object,omitempty"`
	What   string    `json:"what"` // as "moving memory", "waiting for the guest to power off"
	Done   int64     `json:"done,omitempty"`
	Total  int64     `json:"total,omitempty"` // 0 = nobody knows
	Unit   string    `json:"unit,omitempty"`  // "bytes", or empty for a count
	Rate   int64     `json:"rate,omitempty"`  // of the unit, a second
	ETA    Seconds   `json:"eta,omitempty"`
}

// NewProgress makes the event of what a change reports.
func NewProgress(at At, p virt.Progress) Progress {
	return Progress{At: at, What: p.What, Done: p.Done, Total: p.Total, Unit: p.Unit, Rate: p.Rate, ETA: Seconds(p.ETA)}
}

// Intent says that a change is about to be applied. In a journal, an intent
// without an outcome is a change of which nobody knows whether it was made.
type Intent struct {
	At
	N      int             `json:"n"`    // from 1, counted within step, target and item
	Kind   string          `json:"kind"` // as set_cpu
	Nature virt.Nature     `json:"nature"`
	Object virt.Ref        `json:"object"`
	Change json.RawMessage `json:"change,omitempty"` // the change's own JSON form
}

// NewIntent makes the intent of a change.
func NewIntent(at At, n int, c virt.Change) Intent {
	i := Intent{At: at, N: n, Kind: virt.KindOf(c), Nature: c.Nature(), Object: c.Object()}
	// What has no JSON form is told without it: kind and object still say what
	// happens, and the change itself must not fail for its report.
	if b, err := encode(c); err == nil {
		i.Change = b
	}
	return i
}

// Outcome says what a change did, or in a plan would do.
type Outcome struct {
	At
	N         int                `json:"n"` // of its intent
	Kind      string             `json:"kind"`
	Nature    virt.Nature        `json:"nature"`
	Object    virt.Ref           `json:"object"`
	Changed   bool               `json:"changed"`
	Predicted bool               `json:"predicted,omitempty"` // nothing was sent: a plan
	Maybe     bool               `json:"maybe,omitempty"`     // predicted, under a condition that is known only at run time
	Summary   string             `json:"summary,omitempty"`
	Fields    []virt.FieldChange `json:"fields,omitempty"`
	Pending   []virt.Pending     `json:"pending_fields,omitempty"`
	Warnings  []string           `json:"warnings,omitempty"`
	Result    any                `json:"result,omitempty"` // what an action gave
	Error     *Failure           `json:"error,omitempty"`
	Elapsed   Seconds            `json:"elapsed,omitempty"`
}

// NewOutcome makes the outcome that answers an intent.
func NewOutcome(i Intent, o virt.Outcome, err error, elapsed time.Duration) Outcome {
	return Outcome{
		At: i.At, N: i.N, Kind: i.Kind, Nature: i.Nature, Object: i.Object,
		Changed: o.Changed, Summary: o.Summary, Fields: o.Fields, Pending: o.Pending, Warnings: o.Warnings,
		Result: o.Result, Error: NewFailure(err), Elapsed: Seconds(elapsed),
	}
}

// Warning is something that a person should know and that stops nothing.
type Warning struct {
	At
	Text     string   `json:"text"`
	Position Position `json:"position,omitzero"`
}

// Message is what a step has to say by the will of the playbook's author.
type Message struct {
	At
	Text string `json:"text,omitempty"`
	// Verbosity is the number of -v from which the message is shown; 0 = always.
	Verbosity int `json:"verbosity,omitempty"`
}

// Status is how a step ended on a target.
type Status string

// The statuses of results.
const (
	OK          Status = "ok"
	Changed     Status = "changed"
	Skipped     Status = "skipped"
	Failed      Status = "failed"
	Unreachable Status = "unreachable"
	Ignored     Status = "ignored"   // failed, and ignore_errors says to go on
	Rescued     Status = "rescued"   // failed, and the block's rescue takes over
	Undecided   Status = "undecided" // in a plan: decided at run time
)

// Result is how a step ended on one target, and within a loop for one item. A
// loop gives one result per item, and then one without Item whose Items counts
// them: only that one counts in the recap.
type Result struct {
	At
	Status        Status         `json:"status"`
	Items         int            `json:"items,omitempty"`          // of the loop that this result sums up
	Predicted     bool           `json:"predicted,omitempty"`      // nothing was sent: a plan
	WouldRun      bool           `json:"would_run,omitempty"`      // in a plan: all that it would do is actions
	Maybe         bool           `json:"maybe,omitempty"`          // in a plan: if its condition holds
	Foreseen      bool           `json:"foreseen,omitempty"`       // undecided, and what it would do stands in its outcomes
	Altered       bool           `json:"altered,omitempty"`        // it changed something, and failed all the same
	Pending       bool           `json:"pending,omitempty"`        // right in the configuration, not yet live
	PendingFields []virt.Pending `json:"pending_fields,omitempty"` // what Pending is about
	Object        *virt.Ref      `json:"object,omitempty"`         // what the step is about, where there is one
	Delegated     string         `json:"delegated,omitempty"`      // the target that it acted on, by delegate_to
	Reason        string         `json:"reason,omitempty"`         // why skipped, or why undecided
	Message       string         `json:"message,omitempty"`        // one line from the step itself
	Error         *Failure       `json:"error,omitempty"`
	Output        any            `json:"output,omitempty"` // what it registers, when asked for
	Elapsed       Seconds        `json:"elapsed,omitempty"`
}

// StepEnded says that a step has ended on all targets of its StepStarted.
type StepEnded struct {
	Step    string   `json:"step"`
	Targets []string `json:"targets,omitempty"`
	Elapsed Seconds  `json:"elapsed,omitempty"`
}

// TargetRecap counts results of one target, in Ansible's order. OK includes
// Changed and Ignored.
type TargetRecap struct {
	Target      string `json:"target"`
	OK          int    `json:"ok"`
	Changed     int    `json:"changed"`
	Unreachable int    `json:"unreachable"`
	Failed      int    `json:"failed"`
	Skipped     int    `json:"skipped"`
	Rescued     int    `json:"rescued"`
	Ignored     int    `json:"ignored"`
	Pending     int    `json:"pending"`
	Undecided   int    `json:"undecided,omitempty"` // plans only
	// Handlers were notified and did not run.
	Handlers []string `json:"handlers,omitempty"`
	Elapsed  Seconds  `json:"elapsed,omitempty"`
	Calls    int      `json:"calls,omitempty"` // libvirt calls or requests sent
}

// PlanTotals counts what a plan found, by results: an item counts by itself.
type PlanTotals struct {
	Change    int `json:"change"`    // would be changed
	Run       int `json:"run"`       // would run: nothing but actions
	Undecided int `json:"undecided"` // decided at run time
}

// Recap sums up a run. Plan is set when the run was a plan.
type Recap struct {
	Targets []TargetRecap `json:"targets"`
	Plan    *PlanTotals   `json:"plan,omitempty"`
	Elapsed Seconds       `json:"elapsed,omitempty"`
}

// RunEnded is the last event of a run.
type RunEnded struct {
	ExitCode int     `json:"exit_code"`
	Status   string  `json:"status"` // ok, failed, unreachable, changes, interrupted, error
	Error    string  `json:"error,omitempty"`
	Elapsed  Seconds `json:"elapsed,omitempty"`
}

// Type implements Event.
func (RunStarted) Type() Type { return TypeRunStarted }

// Type implements Event.
func (PlayStarted) Type() Type { return TypePlayStarted }

// Type implements Event.
func (StepStarted) Type() Type { return TypeStepStarted }

// Type implements Event.
func (ItemStarted) Type() Type { return TypeItemStarted }

// Type implements Event.
func (Progress) Type() Type { return TypeProgress }

// Type implements Event.
func (Intent) Type() Type { return TypeIntent }

// Type implements Event.
func (Outcome) Type() Type { return TypeOutcome }

// Type implements Event.
func (Warning) Type() Type { return TypeWarning }

// Type implements Event.
func (Message) Type() Type { return TypeMessage }

// Type implements Event.
func (Result) Type() Type { return TypeResult }

// Type implements Event.
func (StepEnded) Type() Type { return TypeStepEnded }

// Type implements Event.
func (Recap) Type() Type { return TypeRecap }

// Type implements Event.
func (RunEnded) Type() Type { return TypeRunEnded }
