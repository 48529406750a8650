package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/inventory"
)

// inventoryCommand shows what the inventory comes to.
func (a *application) inventoryCommand() *cli.Command {
	return &cli.Command{
		Name: "inventory", Usage: "show what the inventory comes to", ArgsUsage: "[GROUP]", OnUsageError: usageError,
		Description: "Opens nothing and fetches no secret. What --list prints can be an inventory itself, as a dynamic one.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
			vaultIdentityFlag(),
			&cli.BoolFlag{Name: "graph", Usage: "the groups and their members as a tree, from GROUP on"},
			&cli.BoolFlag{Name: "list", Usage: "all of it, each target with its variables"},
			&cli.StringFlag{Name: "target", Aliases: []string{"host"}, Usage: "the target of this `NAME` with its variables"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "json", Usage: "`FORMAT` of --list and --target: json or yaml"},
			&cli.StringFlag{Name: "out", Usage: "write to `FILE`, which is replaced as a whole"},
		},
		Action: a.inventory,
	}
}

func (a *application) inventory(c *cli.Context) error {
	given := 0
	for _, name := range []string{"graph", "list", "target"} {
		if c.IsSet(name) {
			given++
		}
	}
	write := writeObject
	switch format := c.String("output"); {
	case given != 1:
		return exitError{engine.ExitOptions, errors.New("say what to show: --graph, --list or --target NAME")}
	case format == "yaml":
		write = writeObjectYAML
	case format != "json":
		return exitError{engine.ExitOptions, fmt.Errorf("--output is json or yaml, not %q", format)}
	case c.Args().Present() && (!c.Bool("graph") || c.NArg() > 1):
		return exitError{engine.ExitOptions, fmt.Errorf("what is %q? only --graph takes a name, that of one group", c.Args().First())}
	}
	s := &setup{app: a, ctx: c.Context, c: c, sources: a.sources(c)}
	inv, list := a.loadInventory(c, c.StringSlice("inventory"), s.sources)
	s.inv = inv
	if err := s.report(list); err != nil {
		return err
	}
	var text bytes.Buffer
	var err error
	var omitted []string
	switch {
	case c.Bool("graph"):
		err = graph(&text, inv, c.Args().First())
	case c.Bool("list"):
		var doc inventory.Object
		doc, omitted = inv.Document()
		err = write(&text, doc)
	default:
		t, ok := inv.Target(c.String("target"))
		if !ok {
			return exitError{engine.ExitOptions, fmt.Errorf("there is no target %q%s", c.String("target"), diag.DidYouMean(c.String("target"), inv.Names()))}
		}
		var doc inventory.Object
		doc, omitted = inv.Describe(t)
		err = write(&text, doc)
	}
	if err != nil {
		return err
	}
	if len(omitted) > 0 {
		fmt.Fprintf(a.stderr, "nactl: warning: secrets are shown as ***: %s\n", strings.Join(omitted, ", "))
	}
	return a.deliver(c.String("out"), func(w io.Writer) error {
		_, err := io.WriteString(w, s.mask().String(text.String()))
		return err
	})
}

func graph(w io.Writer, inv *inventory.Inventory, group string) error {
	if group == "" {
		group = "all"
	}
	lines := inv.Graph(strings.TrimPrefix(group, "@"))
	if lines == nil {
		names := []string{"all"}
		for _, g := range inv.Groups {
			names = append(names, g.Name)
		}
		return exitError{engine.ExitOptions, fmt.Errorf("there is no group %q%s", group, diag.DidYouMean(group, names))}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func writeObject(w io.Writer, doc inventory.Object) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

func writeObjectYAML(w io.Writer, doc inventory.Object) error {
	return yaml.NewEncoder(w).Encode(yamlValue(doc))
}

// yamlValue gives a value whose mappings keep their order in YAML.
func yamlValue(v any) any {
	switch v := v.(type) {
	case inventory.Object:
		out := yaml.MapSlice{}
		for _, f := range v {
			out = append(out, yaml.MapItem{Key: f.Key, Value: yamlValue(f.Value)})
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = yamlValue(item)
		}
		return out
	default:
		return v
	}
}
