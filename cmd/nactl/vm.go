package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
)

// vmCommand holds the direct commands for VMs.
func (a *application) vmCommand() *cli.Command {
	c := &cli.Command{
		Name: "vm", Usage: "look at a VM and change it, without a playbook", OnUsageError: usageError, HideHelpCommand: true,
		Description: "Each is a step with one target. A VM is found by its name on all targets of the inventory; --target says where.",
	}
	c.Subcommands = append(a.vmReadCommands(), a.vmChangeCommands()...)
	c.Action = chooseVerb(c)
	return c
}

// chooseVerb helps where no verb of a command was named, or one that it does not
// have.
func chooseVerb(of *cli.Command) cli.ActionFunc {
	return func(c *cli.Context) error {
		word := c.Args().First()
		if word == "" {
			return cli.ShowSubcommandHelp(c)
		}
		var names []string
		for _, s := range of.Subcommands {
			names = append(names, s.Name)
		}
		hint := diag.DidYouMean(word, names)
		if hint == "" {
			hint = ": it has " + strings.Join(names, ", ")
		}
		return exitError{engine.ExitOptions, fmt.Errorf("unknown command %q of %s%s", word, c.Command.HelpName, hint)}
	}
}

// words gives the words behind a command, which are named by its usage: VM NAME.
// Those in brackets may be left out, and of one with … there may be several.
func words(c *cli.Context) ([]string, error) {
	names := strings.Fields(c.Command.ArgsUsage)
	given := c.Args().Slice()
	many := strings.HasSuffix(names[len(names)-1], "…")
	least := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	usage := c.Command.HelpName + " " + c.Command.ArgsUsage
	switch {
	case len(given) > len(names) && !many:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("what is %q? write %s", given[len(names)], usage)}
	case len(given) < least:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("%s is missing: write %s", strings.TrimSuffix(names[len(given)], "…"), usage)}
	}
	for i, w := range given {
		if w == "" {
			return nil, exitError{engine.ExitOptions, errors.New(names[min(i, len(names)-1)] + " is empty")}
		}
	}
	return append(given, make([]string, max(0, len(names)-len(given)))...), nil
}
