package event

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

func TestJUnit(t *testing.T) {
	events := []Event{
		PlayStarted{Play: "web.yml#1", Name: "Web", Index: 1, Total: 1, Batch: 1, Batches: 2, Targets: []string{"a", "b"}},
		StepStarted{Step: "s1", Name: "More <CPU>", Word: "set_cpu"},
		Outcome{At: At{Step: "s1", Target: "a"}, Kind: "set_cpu", Object: virt.VMRef("x"), Changed: true, Fields: []virt.FieldChange{{Path: "cpu.count", Before: 1, After: 2}, {Path: "host", After: map[string]any{"unknown": true}}}},
		Result{At: At{Step: "s1", Target: "a", Item: &Item{}}, Status: Changed},
		Result{At: At{Step: "s1", Target: "a"}, Status: Changed, Elapsed: Seconds(1500 * time.Millisecond)},
		Result{At: At{Step: "s1", Target: "b"}, Status: Unreachable, Error: &Failure{Summary: "does not answer", Do: "look\x00 there"}},
		StepStarted{Step: "s2", Word: "debug"},
		Result{At: At{Step: "s2", Target: "a"}, Status: Failed, Error: &Failure{Summary: "no", Wanted: "w", Found: "f", At: Position{File: "web.yml", Line: 3}, More: []Failure{{Summary: "more"}}}},
		StepStarted{Step: "s3", Word: "fail"},
		Result{At: At{Step: "s3", Target: "a"}, Status: Skipped, Reason: "when does not hold"},
		Result{At: At{Step: "s3", Target: "b"}, Status: Undecided, Reason: "later"},
		Result{At: At{Step: "s3", Target: "c"}, Status: OK},
	}
	for _, drift := range []bool{false, true} {
		var b bytes.Buffer
		j := NewJUnit(&b, drift)
		for _, e := range events {
			if err := j.Read(Record{Header{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, e}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		failures := 1
		if drift {
			failures = 3
		}
		if got.Tests != 6 || got.Failures != failures || got.Errors != 1 || got.Skipped != 1 || len(got.Suites) != 1 || got.Suites[0].Time != "1.500" {
			t.Errorf("drift %v: %+v", drift, got)
		}
		for _, want := range []string{
			`classname="Web (batch 1 of 2).a" name="More &lt;CPU&gt; · set_cpu"`, "cpu.count: 1 → 2", "host: (none) → (known afterwards)",
			`<error message="does not answer" type="unreachable">`, `<failure message="no" type="failed">`, "wanted: w", "at: web.yml:3", "also: more",
			`<skipped message="when does not hold">`, `timestamp="2026-03-01T12:00:00"`,
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("drift %v: %s is missing in\n%s", drift, want, b.String())
			}
		}
		if has := strings.Contains(b.String(), `type="drift"`); has != drift {
			t.Errorf("drift %v:\n%s", drift, b.String())
		}
	}
}
