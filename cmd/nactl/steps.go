package main

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/modules/step"
)

// showSteps lists all steps, or shows the arguments, the output and an example of
// one.
func showSteps(w io.Writer, r *step.Registry, name string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if name == "" {
		for _, s := range r.All() {
			fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Summary)
		}
		return t.Flush()
	}
	s := r.Lookup(name)
	if s == nil {
		return exitError{engine.ExitOptions, fmt.Errorf("there is no step %q%s", name, diag.DidYouMean(name, r.Names()))}
	}
	fmt.Fprintf(w, "%s: %s\n\n", s.Name, s.Summary)
	if s.Doc != "" {
		fmt.Fprintf(w, "%s\n\n", s.Doc)
	}
	for _, f := range step.Fields(reflect.TypeOf(s.New()).Elem()) {
		doc := f.Doc
		switch {
		case f.Required:
			doc += " (required)"
		case f.Default != "":
			doc += " (default " + f.Default + ")"
		}
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, doc)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s", s.Example)
	return err
}
