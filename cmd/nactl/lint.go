package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/lint"
)

func (a *application) lintCommand() *cli.Command {
	flags := append(commonFlags(),
		&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Value: "human", Usage: "`FORMAT`: human, json, github, gitlab or sarif"},
		&cli.BoolFlag{Name: "strict", Usage: "take warnings for errors"},
		&cli.BoolFlag{Name: "list-rules", Usage: "list the rules, why they are there and the way out"},
	)
	return &cli.Command{
		Name: "lint", Usage: "check playbooks and the inventory, offline: all errors and what is unwise", ArgsUsage: "FILE…", Flags: flags, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.Bool("list-rules") {
				return writeRules(a.stdout)
			}
			files, err := fileArgs(c)
			if err != nil {
				return err
			}
			if format := c.String("output"); format != "human" && !slices.Contains(lint.Formats(), format) {
				return exitError{engine.ExitOptions, fmt.Errorf("--output is human, %s, not %q", strings.Join(lint.Formats(), ", "), format)}
			}
			return a.lint(c, files)
		},
	}
}

func (a *application) lint(c *cli.Context, files []string) error {
	s, err := a.setup(c, requestOf(c, files), true)
	if err != nil {
		return err
	}
	in, list := s.load()
	if in.prepared != nil {
		list.Add(lint.Inventory(in.inventory)...)
		for _, p := range in.prepared.Plays() {
			list.Add(lint.Play(p)...)
		}
	}
	list = lint.SilenceAll(list, s.sources)
	errs, warnings := list.Count()
	failed := errs > 0 || warnings > 0 && c.Bool("strict")
	if format := c.String("output"); format != "human" {
		if err := lint.Write(a.stdout, format, version, s.masked(list)); err != nil {
			return err
		}
	} else if err := a.lintReport(s, list, in.prepared, failed); err != nil {
		return err
	}
	if failed {
		return exitError{engine.ExitInvalid, nil}
	}
	return nil
}

// lintReport shows findings to people, and says how much was looked at.
func (a *application) lintReport(s *setup, list diag.List, prepared *engine.Prepared, failed bool) error {
	if err := s.tell(list); err != nil {
		return err
	}
	if failed {
		_, err := fmt.Fprintf(a.stderr, "%s, nothing was touched\n", list.Tally())
		return err
	}
	found := "no errors"
	if tally := list.Tally(); tally != "" {
		found += ", " + tally
	}
	_, err := fmt.Fprintf(a.stdout, "%d steps on %d targets, %s\n", prepared.Steps(), len(prepared.Targets()), found)
	return err
}

// writeRules lists the rules for people.
func writeRules(w io.Writer) error {
	var b strings.Builder
	columns := textWidth(w)
	for i, r := range lint.Rules() {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s (%s)\n", r.ID, severity(r))
		b.WriteString(wrap(r.Why, "  ", columns) + wrap("→ "+r.Way, "  ", columns))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func severity(r lint.Rule) string {
	if r.Warning {
		return "warning"
	}
	return "error"
}
