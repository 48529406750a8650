package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
)

// report is what --junit asks for. The zero report is none.
type report struct {
	file string
	text bytes.Buffer
	read []event.Reader
}

// newReport makes the report that the options ask for. That it can be written is
// known before the run begins.
func newReport(c *cli.Context) (*report, error) {
	r := &report{file: c.String("junit")}
	if r.file == "" {
		return r, nil
	}
	if !isDir(filepath.Dir(r.file)) {
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--junit: there is no folder %s", filepath.Dir(r.file))}
	}
	r.read = []event.Reader{event.NewJUnit(&r.text, c.Command.Name == "drift")}
	return r, nil
}

func (r *report) readers() []event.Reader { return r.read }

// keep writes the file.
func (r *report) keep() error {
	if r.file == "" {
		return nil
	}
	if err := replaceFile(r.file, r.text.Bytes(), 0o644); err != nil {
		return exitError{engine.ExitUnexpected, fmt.Errorf("--junit: %w", err)}
	}
	return nil
}
