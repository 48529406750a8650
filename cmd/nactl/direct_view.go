package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// changeView shows what a direct command changed.
type changeView struct {
	reader event.Reader
	show   func(code int) error // once the step has ended
}

// newChangeView gives the view that --output asks for.
func (a *application) newChangeView(c *cli.Context, check bool) (*changeView, error) {
	color, err := a.color(c.String("color"))
	if err != nil {
		return nil, err
	}
	switch format := c.String("output"); format {
	case "human", "quiet":
		// What changed goes to stdout, what went wrong to stderr: which it is shows at
		// the end.
		var text bytes.Buffer
		o := event.Options{Color: color, Live: a.live(), Verbose: c.Count("verbose"), Diff: check || c.Bool("diff"), Brief: true, Width: func() int { return width(a.stdout) }}
		view := event.NewTerminal
		if format == "quiet" {
			view = event.NewQuiet
		}
		return &changeView{view(&text, a.stderr, o), func(code int) error {
			to := a.stdout
			if code != engine.ExitOK {
				to = a.stderr
			}
			_, err := to.Write(text.Bytes())
			return err
		}}, nil
	case "json", "yaml":
		r := &changeReport{Changes: []changed{}}
		return &changeView{r, func(int) error { return writeValue(a.stdout, format, r) }}, nil
	default:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--output is human, json, yaml or quiet, not %q", format)}
	}
}

// changeReport is what a direct command changed, for programs. It reads events, so
// that secrets are masked in it.
type changeReport struct {
	Target   string         `json:"target"`
	Status   event.Status   `json:"status"` // ok, changed, failed, unreachable
	Check    bool           `json:"check,omitempty"`
	Changes  []changed      `json:"changes"`
	Pending  []virt.Pending `json:"pending,omitempty"`
	Output   any            `json:"output,omitempty"` // what the step registers
	Warnings []string       `json:"warnings,omitempty"`
	Message  string         `json:"message,omitempty"`
	Error    *event.Failure `json:"error,omitempty"`
}

// changed is one change.
type changed struct {
	Kind    string             `json:"kind"`
	Object  virt.Ref           `json:"object"`
	Summary string             `json:"summary,omitempty"`
	Fields  []virt.FieldChange `json:"fields,omitempty"`
	Result  any                `json:"result,omitempty"`
}

// String names the reader in errors.
func (*changeReport) String() string { return "the report" }

// Read implements event.Reader.
func (r *changeReport) Read(rec event.Record) error {
	switch e := rec.Event.(type) {
	case event.RunStarted:
		r.Check = e.Check
	case event.Outcome:
		r.Warnings = append(r.Warnings, e.Warnings...)
		if e.Changed {
			r.Changes = append(r.Changes, changed{Kind: e.Kind, Object: e.Object, Summary: e.Summary, Fields: e.Fields, Result: e.Result})
		}
	case event.Warning:
		r.Warnings = append(r.Warnings, e.Text)
	case event.Result:
		r.Target, r.Status, r.Pending, r.Output, r.Message, r.Error = e.Target, e.Status, e.PendingFields, e.Output, e.Message, e.Error
	}
	return nil
}

// Close implements event.Reader.
func (*changeReport) Close() error { return nil }

// writeValue writes anything that has a JSON form, as JSON or as YAML.
func writeValue(w io.Writer, format string, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out := text.Bytes()
	if format == "yaml" {
		var err error
		if out, err = yaml.JSONToYAML(out); err != nil {
			return err
		}
	}
	_, err := w.Write(out)
	return err
}
