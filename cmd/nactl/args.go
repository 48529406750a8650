package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/diag"
)

// reorder moves flags before arguments, for the library stops reading flags at
// the first argument: `nactl play x.yml --check` would play for real. Everything
// behind -- stays an argument, and so does what stands behind the command of nactl
// exec. A flag that the command does not have is an error.
func reorder(app *cli.App, argv []string) ([]string, error) {
	if len(argv) < 2 {
		return argv, nil
	}
	out := []string{argv[0]}
	rest := argv[1:]
	commands, flags := app.Commands, app.Flags
	where := app.Name
	var args []string
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			return append(append(append(out, "--"), args...), rest...), nil
		case strings.HasPrefix(word, "-") && word != "-":
			taken, err := flag(flags, word, rest, where)
			if err != nil {
				return nil, err
			}
			out = append(append(out, word), rest[:taken]...)
			rest = rest[taken:]
		default:
			if c := find(commands, word); c != nil && len(args) == 0 {
				out = append(out, word)
				commands, flags = c.Subcommands, c.Flags
				where += " " + c.Name
				continue
			}
			args = append(args, word)
			if where == app.Name+" exec" && len(args) == 2 {
				args, rest = append(args, rest...), nil // the options of a command are its own
			}
		}
	}
	if len(args) == 0 {
		return out, nil
	}
	return append(append(out, "--"), args...), nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// flag tells how many of the words that follow belong to a flag.
func flag(flags []cli.Flag, word string, rest []string, where string) (int, error) {
	name, _, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if name == "help" || name == "h" {
		return 0, nil
	}
	if strings.HasPrefix(word, "--") || len(name) == 1 {
		return value(flags, name, word, assigned, rest, where)
	}
	// Short flags written together: only the last of them can take a value.
	for i, letter := range strings.Split(name, "") {
		n, err := value(flags, letter, word, assigned || i < len(name)-1, rest, where)
		if err != nil || i == len(name)-1 {
			return n, err
		}
	}
	return 0, nil
}

func value(flags []cli.Flag, name, word string, assigned bool, rest []string, where string) (int, error) {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
		if !slices.Contains(f.Names(), name) {
			continue
		}
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || !d.TakesValue() || assigned {
			return 0, nil
		}
		if len(rest) == 0 {
			return 0, fmt.Errorf("%s needs a value", word)
		}
		return 1, nil
	}
	return 0, fmt.Errorf("unknown option %s of %s%s", word, where, diag.DidYouMean(name, names))
}
