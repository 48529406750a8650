package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/lint"
)

// annotations is what --annotations asks for: what went wrong, in the form in which
// a CI server shows it beside the line of the playbook. A nil *annotations is none.
type annotations struct {
	format string
	file   string // of GitLab's report; GitHub reads the output itself
	drift  bool
	stderr io.Writer
	names  map[string]string // of steps, by id
	at     map[string]event.Position
	told   map[string]bool // of steps on targets, whether an item was told of
	list   diag.List
}

// newAnnotations reads the option. That its file can be written is known before
// the run begins.
func (a *application) newAnnotations(c *cli.Context) (*annotations, error) {
	n := &annotations{stderr: a.stderr, drift: c.Command.Name == "drift", names: map[string]string{}, at: map[string]event.Position{}, told: map[string]bool{}}
	asked := c.String("annotations")
	n.format, n.file, _ = strings.Cut(asked, ":")
	switch {
	case asked == "none", asked == "auto" && os.Getenv("GITHUB_ACTIONS") != "true":
		return nil, nil
	case asked == "auto":
		n.format = "github"
	case asked == "github":
	case n.format == "gitlab" && n.file != "":
		if !isDir(filepath.Dir(n.file)) {
			return nil, exitError{engine.ExitOptions, fmt.Errorf("--annotations: there is no folder %s", filepath.Dir(n.file))}
		}
	default:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--annotations is auto, none, github or gitlab:FILE, not %q", asked)}
	}
	return n, nil
}

func (n *annotations) readers() []event.Reader {
	if n == nil {
		return nil
	}
	return []event.Reader{n}
}

// String names the reader in errors.
func (*annotations) String() string { return "the annotations" }

// Read implements event.Reader. Of a loop its items are told, not their sum.
func (n *annotations) Read(r event.Record) error {
	switch e := r.Event.(type) {
	case event.StepStarted:
		n.names[e.Step], n.at[e.Step] = cmp.Or(e.Name, e.Word), e.Position
	case event.Warning:
		if e.Position.File != "" {
			n.add(diag.Warning, "warning", e.Position, e.Text, "")
		}
	case event.Result:
		turn := e.Step + "\x00" + e.Target
		if e.Item == nil && n.told[turn] {
			delete(n.told, turn)
			return nil
		}
		where, before := n.names[e.Step]+" on "+e.Target, len(n.list)
		if e.Item != nil && e.Item.Label != "" {
			where += ", " + e.Item.Label
		}
		switch {
		case (e.Status == event.Failed || e.Status == event.Unreachable) && e.Error != nil:
			at := e.Error.At
			if at.File == "" {
				at = n.at[e.Step]
			}
			n.add(diag.Error, string(e.Status), at, where+": "+e.Error.Summary, why(e.Error))
		case n.drift && e.Status == event.Changed:
			n.add(diag.Warning, "drift", n.at[e.Step], where+" differs", "")
		}
		if e.Item != nil && len(n.list) > before {
			n.told[turn] = true
		}
	}
	return nil
}

// why gives what an error says beside its summary.
func why(f *event.Failure) string {
	var lines []string
	for _, part := range [][2]string{{"wanted", f.Wanted}, {"found", f.Found}, {"cause", f.Cause}, {"do", f.Do}} {
		if part[1] != "" {
			lines = append(lines, part[0]+": "+part[1])
		}
	}
	return strings.Join(lines, "\n")
}

func (n *annotations) add(severity diag.Severity, rule string, at event.Position, summary, detail string) {
	n.list = append(n.list, diag.Diagnostic{Severity: severity, Rule: rule, Summary: summary, Detail: detail,
		Range: diag.Range{Pos: diag.Pos{File: at.File, Line: at.Line, Column: at.Column}}})
}

// found adds what was found before the run.
func (n *annotations) found(list diag.List) {
	if n != nil {
		n.list = append(n.list, list...)
	}
}

// Close implements event.Reader; what there is to say is written by keep.
func (*annotations) Close() error { return nil }

// keep writes what was noted.
func (n *annotations) keep() error {
	if n == nil {
		return nil
	}
	if n.file == "" {
		return lint.Write(n.stderr, n.format, version, n.list)
	}
	var text bytes.Buffer
	if err := lint.Write(&text, n.format, version, n.list); err != nil {
		return err
	}
	if err := replaceFile(n.file, text.Bytes(), 0o644); err != nil {
		return exitError{engine.ExitUnexpected, fmt.Errorf("--annotations: %w", err)}
	}
	return nil
}
