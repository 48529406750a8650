package event

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// JUnit writes a run in the form that CI servers show as tests: a suite for each
// play, a case for each step on each target.
//
// Nothing is written before Close, for the form begins with its totals.
type JUnit struct {
	w     io.Writer
	drift bool
	suite *junitSuite
	all   []*junitSuite
	names map[string]string // of steps
	words map[string]string
	diffs map[string][]string // what a step changes on a target
}

// NewJUnit makes a reader that writes to w, which stays open. With drift, what
// would be changed counts as a failure.
func NewJUnit(w io.Writer, drift bool) *JUnit {
	return &JUnit{w: w, drift: drift, names: map[string]string{}, words: map[string]string{}, diffs: map[string][]string{}}
}

// String names the reader in errors.
func (*JUnit) String() string { return "the JUnit report" }

type junitSuites struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Name     string        `xml:"name,attr"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Errors   int           `xml:"errors,attr"`
	Skipped  int           `xml:"skipped,attr"`
	Time     string        `xml:"time,attr"`
	Suites   []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Stamp    string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`

	elapsed time.Duration
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitProblem `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr,omitempty"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// Read implements Reader.
func (j *JUnit) Read(r Record) error {
	switch e := r.Event.(type) {
	case PlayStarted:
		name := e.Name
		if name == "" {
			name = e.Play
		}
		if e.Batches > 1 {
			name += fmt.Sprintf(" (batch %d of %d)", e.Batch, e.Batches)
		}
		j.suite = &junitSuite{Name: name, Stamp: r.Time.Format("2006-01-02T15:04:05")}
		j.all = append(j.all, j.suite)
	case StepStarted:
		j.words[e.Step], j.names[e.Step] = e.Word, e.Name
		if e.Name == "" {
			j.names[e.Step] = e.Word
		}
	case Outcome:
		if !e.Changed {
			return nil
		}
		at := e.Step + "\x00" + e.Target
		j.diffs[at] = append(j.diffs[at], fmt.Sprintf("%s of %s", e.Kind, e.Object))
		for _, f := range e.Fields {
			j.diffs[at] = append(j.diffs[at], fmt.Sprintf("  %s: %s → %s", f.Path, inJUnit(f.Before), inJUnit(f.After)))
		}
	case Result:
		if e.Item == nil && j.suite != nil {
			j.add(e)
		}
	}
	return nil
}

func inJUnit(v any) string {
	if v == nil {
		return "(none)"
	}
	if m, ok := v.(map[string]any); ok && m["unknown"] == true {
		return "(known afterwards)"
	}
	return fmt.Sprint(v)
}

func (j *JUnit) add(r Result) {
	s := j.suite
	c := junitCase{Class: s.Name + "." + r.Target, Name: j.names[r.Step] + " · " + j.words[r.Step], Time: junitTime(time.Duration(r.Elapsed))}
	s.Tests++
	s.elapsed += time.Duration(r.Elapsed)
	diff := strings.Join(j.diffs[r.Step+"\x00"+r.Target], "\n")
	delete(j.diffs, r.Step+"\x00"+r.Target)
	switch r.Status {
	case Failed, Unreachable:
		p := &junitProblem{Type: string(r.Status)}
		if r.Error != nil {
			p.Message, p.Text, c.File = r.Error.Summary, failureText(*r.Error), r.Error.At.File
		}
		if r.Status == Failed {
			c.Failure, s.Failures = p, s.Failures+1
		} else {
			c.Error, s.Errors = p, s.Errors+1
		}
	case Skipped:
		c.Skipped, s.Skipped = &junitProblem{Message: r.Reason}, s.Skipped+1
	case Changed:
		c.Out = diff
		if j.drift {
			c.Out, c.Failure, s.Failures = "", &junitProblem{Type: "drift", Message: "is not as the playbook says", Text: diff}, s.Failures+1
		}
	case Undecided:
		c.Out = "decided at run time: " + r.Reason
		if j.drift {
			c.Out, c.Failure, s.Failures = "", &junitProblem{Type: "undecided", Message: "cannot be told: " + r.Reason, Text: diff}, s.Failures+1
		}
	default:
		c.Out = diff
	}
	s.Cases = append(s.Cases, c)
}

// failureText writes a failure over several lines.
func failureText(f Failure) string {
	var b strings.Builder
	for _, x := range []struct{ name, text string }{
		{"object", objectText(f)}, {"wanted", f.Wanted}, {"found", f.Found}, {"cause", f.Cause}, {"do", f.Do}, {"at", f.At.String()},
	} {
		if x.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", x.name, x.text)
		}
	}
	for _, m := range f.More {
		fmt.Fprintf(&b, "also: %s\n%s", m.Summary, failureText(m))
	}
	return b.String()
}

func objectText(f Failure) string {
	if f.Object == nil {
		return ""
	}
	return f.Object.String()
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// Close implements Reader: the report is written.
func (j *JUnit) Close() error {
	out := junitSuites{Name: "nactl", Suites: j.all}
	var elapsed time.Duration
	for _, s := range j.all {
		s.Time = junitTime(s.elapsed)
		elapsed += s.elapsed
		out.Tests, out.Failures, out.Errors, out.Skipped = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors, out.Skipped+s.Skipped
	}
	out.Time = junitTime(elapsed)
	if _, err := io.WriteString(j.w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(j.w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(j.w, "\n")
	return err
}
