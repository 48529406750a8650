package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
)

// asksToList tells whether the options ask for what would be done, and for nothing
// to be done.
func asksToList(c *cli.Context) bool {
	return c.Bool("list-steps") || c.Bool("list-targets") || c.Bool("list-tags") || c.Bool("syntax-check")
}

// outline lists what playbooks would do, as the options ask.
func outline(w io.Writer, c *cli.Context, p *engine.Prepared) error {
	plays := p.Outline()
	if c.Bool("syntax-check") {
		_, err := fmt.Fprintf(w, "%d steps on %d targets, no errors\n", p.Steps(), len(p.Targets()))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, play := range plays {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "%s\n", cmp.Or(play.Name, play.ID))
		if c.Bool("list-targets") {
			fmt.Fprintf(t, "  targets\t%s\n", strings.Join(play.Targets, ", "))
		}
		if c.Bool("list-tags") {
			fmt.Fprintf(t, "  tags\t%s\n", strings.Join(play.Tags, ", "))
		}
		if !c.Bool("list-steps") {
			continue
		}
		for _, s := range play.Steps {
			tags := ""
			if len(s.Tags) > 0 {
				tags = "[" + strings.Join(s.Tags, ", ") + "]"
			}
			fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\n", s.Index, s.Name, s.Word, tags, s.ID)
		}
	}
	return t.Flush()
}
