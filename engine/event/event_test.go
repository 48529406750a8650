package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

// all holds one event of each type with everything that it can say.
func all() []Event {
	at := At{Step: "web.yml#1/block 2/Move", Target: "lab", Item: &Item{Index: 1, Total: 2, Label: "web-2"}, Attempt: 1}
	vm := virt.Ref{Kind: virt.KindVM, Name: "web-2", ID: "0b9c"}
	pos := Position{"web.yml", 41, 7}
	failure := Failure{Kind: "conflict", Object: &vm, Summary: "cannot move", Wanted: "a network", Found: "none", Do: "make it",
		Cause: "code 42", At: pos, GoOn: "nactl play --resume 7f3a9c", More: []Failure{{Summary: "and more"}}}
	pending := []virt.Pending{{Field: "memory.max", Live: 2, Configured: 1, Reason: "after a restart"}}
	intent := NewIntent(at, 1, virt.SetCPU{On: virt.On{Ref: vm}, Count: virt.Some(3), Max: virt.Unknown[int]()})
	outcome := NewOutcome(intent, virt.Outcome{Changed: true, Summary: "3 CPUs <now>",
		Fields: []virt.FieldChange{
			{Path: "cpu.count", Before: 2, After: 3, Note: "live and configured"},
			{Path: "disks.data.size", Before: nil, After: 10 * virt.GiB, Unit: "bytes"},
			{Path: "address", Before: nil, After: virt.UnknownValue},
		},
		Pending: pending, Warnings: []string{"a hint"}, Result: &virt.CommandResult{RC: 1, Stdout: "out", Stderr: "err"}},
		errors.New("half of it failed"), 1500*time.Millisecond)
	outcome.Predicted, outcome.Maybe = true, true
	return []Event{
		RunStarted{Playbooks: []string{"web.yml"}, Inventory: []string{"inventory.yml"}, Targets: []Target{{"lab", "cluster"}}, Steps: 9,
			Check: true, User: "ann", Version: "0.1.0", Resumes: "5d1e00"},
		PlayStarted{Play: "web.yml#1", Name: "Web", Index: 1, Total: 2, Batch: 1, Batches: 3, Targets: []string{"lab"}, Strategy: "free", Position: pos},
		StepStarted{Step: at.Step, Play: "web.yml#1", Name: "Move", Word: "migrate", Index: 6, Total: 9, Items: 2, Handler: true,
			Targets: []string{"lab"}, Position: pos},
		ItemStarted{at},
		Progress{At: at, Object: &vm, What: "moving memory", Done: 1, Total: 2, Unit: "bytes", ETA: Seconds(2 * time.Second)},
		intent,
		outcome,
		Warning{At: at, Text: "n3 does not answer", Position: pos},
		Message{At: at, Text: "hello", Verbosity: 1},
		Result{At: at, Status: Failed, Items: 2, Predicted: true, WouldRun: true, Maybe: true, Pending: true, PendingFields: pending,
			Object: &vm, Reason: "when", Message: "as it is", Error: &failure, Output: map[string]any{"rc": 1}, Elapsed: Seconds(1234567 * time.Microsecond)},
		StepEnded{Step: at.Step, Targets: []string{"lab"}, Elapsed: Seconds(time.Second)},
		Recap{Targets: []TargetRecap{{"lab", 1, 2, 3, 4, 5, 6, 7, 8, 9, []string{"reload"}, Seconds(time.Second), 61}}, Plan: &PlanTotals{1, 2, 3}, Elapsed: Seconds(time.Minute)},
		RunEnded{ExitCode: 2, Status: "failed", Error: "2 steps failed", Elapsed: Seconds(time.Minute)},
	}
}

// The wire form is what journals hold and others read: it changes only with
// Schema.
func TestWireForm(t *testing.T) {
	var out bytes.Buffer
	show(t, NewNDJSON(&out), all()...)
	golden(t, "wire.ndjson", out.Bytes())
	if got, want := len(all()), len(types); got != want {
		t.Errorf("%d events are shown here, and there are %d types", got, want)
	}
}

func TestWireFormOfWhatIsLeftUnsaid(t *testing.T) {
	var out bytes.Buffer
	show(t, NewNDJSON(&out), ItemStarted{}, Result{At: At{Step: "a", Target: "n1"}, Status: OK}, Recap{}, RunEnded{Status: "ok"})
	golden(t, "wire_short.ndjson", out.Bytes())
}

// A record that was read from a journal is the record that was written.
func TestRecordsComeBack(t *testing.T) {
	var seen recorder
	show(t, &seen, all()...)
	for _, want := range seen.records {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Record
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(b), string(again)); d != "" {
			t.Errorf("%s (-written +read):\n%s", want.Type, d)
		}
	}
}

// The views work on journals too: numbers there are decoded by encoding/json's
// rules.
func TestViewOfAJournal(t *testing.T) {
	var live recorder
	show(t, &live, tour().end()...)
	var out, progress bytes.Buffer
	v := NewTerminal(&out, &progress, Options{Now: fixedClock})
	for _, r := range live.records {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Record
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if err := v.Read(back); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	want, _ := view(t, Options{}, tour().end()...)
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("the journal's view (-during the run +from the journal):\n%s", d)
	}
}

func TestUnknownEvents(t *testing.T) {
	for _, tt := range []struct {
		line    string
		unknown bool
	}{
		{`{"schema":1,"type":"invented"}`, true},
		{`{"schema":2,"type":"result"}`, true},
		{`{"schema":1,"type":"result","status":5}`, false},
		{`{`, false},
		{`[]`, false},
	} {
		var r Record
		err := json.Unmarshal([]byte(tt.line), &r)
		if err == nil || errors.Is(err, ErrUnknownType) != tt.unknown {
			t.Errorf("%s gave %v", tt.line, err)
		}
	}
}

type recorder struct{ records []Record }

func (r *recorder) Read(x Record) error { r.records = append(r.records, x); return nil }
func (r *recorder) Close() error        { return nil }

func TestPosition(t *testing.T) {
	for want, p := range map[string]Position{"": {}, "a.yml": {File: "a.yml"}, "a.yml:3": {"a.yml", 3, 0}, "a.yml:3:7": {"a.yml", 3, 7}} {
		if got := p.String(); got != want {
			t.Errorf("%#v is %q, want %q", p, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	tally := NewTally(true, "a", "b")
	at := func(target string) At { return At{Target: target} }
	for _, r := range []Result{
		{At: at("b"), Status: OK}, {At: at("b"), Status: OK, Pending: true}, {At: at("b"), Status: Skipped},
		{At: at("b"), Status: Failed}, {At: at("b"), Status: Ignored}, {At: at("b"), Status: Rescued}, {At: at("b"), Status: Unreachable},
		{At: at("b"), Status: Changed, WouldRun: true}, {At: at("b"), Status: Undecided},
		{At: At{Target: "b", Item: &Item{}}, Status: Changed}, {At: At{Target: "b", Item: &Item{Index: 1}}, Status: Changed},
		{At: at("b"), Status: Changed, Items: 2}, {At: at("c"), Status: Changed},
	} {
		tally.Add(r)
	}
	tally.Sent("b", time.Second, 7)
	want := Recap{Elapsed: Seconds(time.Minute), Plan: &PlanTotals{Change: 3, Run: 1, Undecided: 1}, Targets: []TargetRecap{
		{Target: "a"},
		{Target: "b", OK: 5, Changed: 2, Unreachable: 1, Failed: 1, Skipped: 1, Rescued: 1, Ignored: 1, Pending: 1, Undecided: 1, Elapsed: Seconds(time.Second), Calls: 7},
		{Target: "c", OK: 1, Changed: 1},
	}}
	if d := cmp.Diff(want, tally.Recap(time.Minute)); d != "" {
		t.Errorf("recap (-want +got):\n%s", d)
	}
	if NewTally(false).Recap(0).Plan != nil {
		t.Error("a play has a plan's totals")
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 84 * time.Millisecond: "0.1s", 59940 * time.Millisecond: "59.9s", 59960 * time.Millisecond: "1m 0s",
		65 * time.Second: "1m 5s", 3599700 * time.Millisecond: "1h 0m", 26*time.Hour + 30*time.Minute: "26h 30m",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%v is shown as %q, want %q", d, got, want)
		}
	}
	if strings.Contains(seconds(time.Hour), "60") {
		t.Error("an hour has 60 minutes left over")
	}
}
