package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

func (a *application) lintCommand() *cli.Command {
	return &cli.Command{
		Name: "lint", Usage: "check playbooks and the inventory, offline", ArgsUsage: "FILE…", Flags: commonFlags(), OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			files, err := fileArgs(c)
			if err != nil {
				return err
			}
			s := &setup{app: a, ctx: c.Context, c: c, sources: &source.Sources{}, check: true}
			prepared, _, _, err := s.prepare(files)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%d steps on %d targets, no errors\n", prepared.Steps(), len(prepared.Targets()))
			return err
		},
	}
}

// stepsCommand lists the words that a playbook can use.
func (a *application) stepsCommand() *cli.Command {
	return &cli.Command{
		Name: "steps", Usage: "list the steps that a playbook can use, or show one", ArgsUsage: "[STEP]", OnUsageError: usageError,
		Flags: []cli.Flag{&cli.StringFlag{Name: "markdown", Usage: "write a page for each step to `DIR`", Hidden: true}},
		Action: func(c *cli.Context) error {
			if dir := c.String("markdown"); dir != "" {
				return writeDocs(dir, modules.Registry())
			}
			return showSteps(a.stdout, modules.Registry(), c.Args().First())
		},
	}
}
