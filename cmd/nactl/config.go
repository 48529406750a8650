package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/config"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
)

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "read the settings of `FILE` and of no other; none reads no file"}
}

// configured has every command that knows one of the settings read them first.
// An option goes before its setting.
func (a *application) configured(commands []*cli.Command) []*cli.Command {
	for _, c := range commands {
		a.configured(c.Subcommands)
		if len(c.Subcommands) > 0 || !slices.ContainsFunc(c.Flags, settable) {
			continue
		}
		c.Flags = append(c.Flags, configFlag())
		c.Before = func(c *cli.Context) error {
			if err := a.configure(c); err != nil {
				return err
			}
			return a.preset(c)
		}
	}
	return commands
}

// settable tells whether the settings say something about a flag; one that they do
// not name, as vault's own --identity, may still be about the same thing.
func settable(f cli.Flag) bool {
	name := f.Names()[0]
	return name == "identity" || slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Option == name && name != "output" })
}

// configure reads the settings, once, and says what is wrong with them.
func (a *application) configure(c *cli.Context) error {
	sources := &source.Sources{}
	settings, list := config.Load(config.Options{File: c.String("config"), Sources: sources})
	if err := diag.Write(a.stderr, list, sources, diag.Options{}); err != nil {
		return err
	}
	if list.HasErrors() {
		return exitError{engine.ExitOptions, fmt.Errorf("the settings are not right: %s, nothing was touched", list.Tally())}
	}
	a.settings = settings
	return nil
}

// preset gives the command's flags the values of the settings, where the command
// line says nothing. The inventory and the keys of encrypted files are looked up
// where they are needed, for there is more that can name them.
func (a *application) preset(c *cli.Context) error {
	for _, set := range a.settings.All() {
		name := set.Key.Option
		if !set.Changed() || name == "" || c.IsSet(name) || set.Key.Form == config.Paths || !slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == name }) {
			continue
		}
		if name == "output" && !showsRuns(c.Command) {
			continue
		}
		values := []string{fmt.Sprint(set.Value)}
		if name == "verbose" { // a flag that is counted, its short form beside it
			n := set.Value.(int)
			if n == 0 {
				continue
			}
			values = slices.Repeat([]string{strconv.FormatBool(true)}, n+1)
		}
		for _, v := range values {
			if err := c.Set(name, v); err != nil {
				return fmt.Errorf("%s: %w", set.Origin(), err)
			}
		}
	}
	return nil
}

// showsRuns tells whether the formats of a command's --output are those of runs.
func showsRuns(c *cli.Command) bool {
	return slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "forks" })
}

// loadInventory loads what -i names, or what the settings and this directory have.
func (a *application) loadInventory(c *cli.Context, paths []string, sources *source.Sources) (*inventory.Inventory, diag.List) {
	return inventory.Load(c.Context, paths, a.inventoryOptions(sources))
}

// inventoryOptions say what the settings do of inventories. Called by an old name,
// the program has none.
func (a *application) inventoryOptions(sources *source.Sources) inventory.Options {
	if a.old != nil {
		return inventory.Options{Sources: sources, Local: true, LibvirtURI: a.old.uri}
	}
	uri := a.settings.Get("libvirt.uri")
	return inventory.Options{Sources: sources, Config: a.settings.Paths("inventory"), LibvirtURI: a.settings.Text("libvirt.uri"), LibvirtAt: uri.At}
}

// allowedFiles are what file() may read beside the project.
func (a *application) allowedFiles() []string {
	var out []string
	for _, p := range a.settings.Paths("allow_files") {
		if abs, err := filepath.Abs(p); err == nil {
			out = append(out, abs)
		}
	}
	return out
}

// configCommand shows the settings.
func (a *application) configCommand() *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "show what is set, and where", OnUsageError: usageError,
		Action: func(*cli.Context) error {
			return exitError{engine.ExitOptions, errors.New("say what to show: nactl config dump")}
		},
		Subcommands: []*cli.Command{{
			Name: "dump", Usage: "show every setting with its value and where it comes from: a file, a variable or the default", OnUsageError: usageError,
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "only-changed", Usage: "only what is not the default"},
				&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json, csv or yaml"},
				configFlag(),
			},
			Action: a.dumpConfig,
		}},
	}
}

func (a *application) dumpConfig(c *cli.Context) error {
	write, err := formatter(c.String("output"))
	if err != nil {
		return err
	}
	if c.Args().Present() {
		return exitError{engine.ExitOptions, fmt.Errorf("what is %q? nactl config dump takes no arguments", c.Args().First())}
	}
	if err := a.configure(c); err != nil {
		return err
	}
	table := slices.Contains([]string{"table", "csv"}, c.String("output"))
	rows := []row{}
	for _, set := range a.settings.All() {
		if c.Bool("only-changed") && !set.Changed() {
			continue
		}
		value := set.Value
		switch {
		case set.Secret():
			value = event.Masked
		case value == nil && table:
			value = ""
		}
		rows = append(rows, row{"key": set.Key.Name, "value": value, "from": set.Origin()})
	}
	return write(a.stdout, []string{"key", "value", "from"}, rows)
}
