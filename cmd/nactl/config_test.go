package main

import (
	"slices"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/config"
)

// Every setting that stands for an option has the default of that option, and is
// known to play.
func TestSettingsAndOptions(t *testing.T) {
	flags := (&application{}).playCommand().Flags
	for _, k := range config.Keys() {
		if k.Option == "" {
			continue
		}
		i := slices.IndexFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == k.Option })
		if i < 0 {
			t.Errorf("%s: play has no option --%s", k.Name, k.Option)
			continue
		}
		var value any
		switch f := flags[i].(type) {
		case *cli.StringFlag:
			value = f.Value
		case *cli.IntFlag:
			value = f.Value
		case *cli.BoolFlag:
			if value = f.Value; f.Count != nil {
				value = 0
			}
		case *cli.StringSliceFlag:
			value = nil // which says where it is looked for
		}
		if value != k.Default {
			t.Errorf("%s is %v without a file, --%s is %v", k.Name, k.Default, k.Option, value)
		}
	}
}

// Commands that load an inventory look into the settings for it.
func TestEveryCommandHasConfig(t *testing.T) {
	var look func(path string, commands []*cli.Command)
	look = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			look(path+" "+c.Name, c.Subcommands)
			has := func(name string) bool {
				return slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == name })
			}
			if len(c.Subcommands) == 0 && has("inventory") && !has("config") {
				t.Errorf("%s %s has no --config", path, c.Name)
			}
		}
	}
	look("nactl", (&application{}).cli().Commands)
}
