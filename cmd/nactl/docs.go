package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/lint"
	"github.com/nactl/nactl/engine/reference"
	"github.com/nactl/nactl/modules"
)

// writeDocsCommand writes the parts of docs/ that are made from the code.
func (a *application) writeDocsCommand() *cli.Command {
	return &cli.Command{
		Name: "write-docs", Usage: "write the pages that are made from the code", ArgsUsage: "DIR", Hidden: true, OnUsageError: usageError,
		Action: func(c *cli.Context) error { return writeDocs(c.Args().First()) },
	}
}

func writeDocs(dir string) error {
	files := map[string]string{"rules.md": rulesPage()}
	var index strings.Builder
	index.WriteString("# Steps\n\nThese pages are made from the code by `make docs`; `nactl doc` shows the same.\n\n| step | |\n|---|---|\n")
	for _, s := range modules.Registry().All() {
		fmt.Fprintf(&index, "| [%s](%s.md) | %s |\n", s.Name, s.Name, s.Summary)
		files["modules/"+s.Name+".md"] = reference.Markdown(reference.Describe(s, platforms()))
	}
	files["modules/README.md"] = index.String()
	for name, schema := range schemas {
		text, err := schemaText(schema())
		if err != nil {
			return err
		}
		files["schema/"+name+".json"] = string(text)
	}
	for name, parts := range pageParts() {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if files[name], err = reference.Fill(string(page), parts); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pageParts are the tables of pages that are else written by hand.
func pageParts() map[string]map[string]string {
	return map[string]map[string]string{"language.md": reference.LanguageParts(), "ansible.md": reference.AnsibleParts(), "configuration.md": reference.ConfigParts()}
}

// rulesPage lists the rules of nactl lint.
func rulesPage() string {
	var b strings.Builder
	b.WriteString("# Rules\n\nWhat `nactl lint` reports, made from the code by `make docs`. An error stops every command before anything is touched.\n" +
		"A warning stops nothing (but `nactl lint --strict`), and a comment silences it: see [linting](lint.md).\n")
	for _, part := range []struct {
		title   string
		warning bool
	}{{"Warnings", true}, {"Errors", false}} {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | why | the way out |\n|---|---|---|\n", part.title)
		for _, r := range lint.Rules() {
			if r.Warning == part.warning {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.ID, r.Why, r.Way)
			}
		}
	}
	return b.String()
}
