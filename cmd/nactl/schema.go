package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/reference"
	"github.com/nactl/nactl/modules"
)

// schemas are what nactl schema can write, by name.
var schemas = map[string]func() reference.Schema{
	"playbook":  func() reference.Schema { return reference.PlaybookSchema(modules.Registry()) },
	"inventory": reference.InventorySchema,
	"config":    reference.ConfigSchema,
}

func (a *application) schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "write the JSON Schema of playbooks, inventories or settings, for editors", ArgsUsage: "[playbook|inventory|config]", OnUsageError: usageError,
		Flags: []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write to `FILE` instead of stdout"}},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				name = "playbook"
			}
			schema, ok := schemas[name]
			if !ok || c.NArg() > 1 {
				return exitError{engine.ExitOptions, fmt.Errorf("there is no schema of %q%s; there are playbook, inventory and config", name, diag.DidYouMean(name, []string{"playbook", "inventory", "config"}))}
			}
			text, err := schemaText(schema())
			if err != nil {
				return err
			}
			if out := c.String("out"); out != "" {
				return replaceFile(out, text, 0o644)
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
}

// schemaText gives a schema as JSON that people can read, too.
func schemaText(s reference.Schema) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}
