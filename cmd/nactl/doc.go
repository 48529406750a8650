package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/reference"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/libvirt"
	"github.com/nactl/nactl/virt/ovirt"
)

func (a *application) docCommand() *cli.Command {
	return &cli.Command{
		Name: "doc", Usage: "list the steps that a playbook can use, or show one with its arguments", ArgsUsage: "[STEP]", OnUsageError: usageError,
		Flags: []cli.Flag{&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORMAT`: text, json or yaml"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return exitError{engine.ExitOptions, fmt.Errorf("one step at a time: nactl doc %s", c.Args().First())}
			}
			return a.doc(c.Args().First(), c.String("output"))
		},
	}
}

// platforms are the kinds of targets. What they know hangs on no connection.
func platforms() []reference.Platform {
	node := &libvirt.Node{}
	return []reference.Platform{
		{Kind: "node", Supports: node.Supports},
		{Kind: "cluster", Supports: func(c virt.Change) error {
			if _, ok := c.(virt.Migrate); ok {
				return nil
			}
			return node.Supports(c)
		}},
		{Kind: "engine", Supports: (&ovirt.Engine{}).Supports},
	}
}

func (a *application) doc(name, format string) error {
	registry := modules.Registry()
	var all []reference.Step
	for _, s := range registry.All() {
		if name == "" || s.Name == name {
			all = append(all, reference.Describe(s, platforms()))
		}
	}
	if len(all) == 0 {
		return exitError{engine.ExitOptions, fmt.Errorf("there is no step %q%s; nactl doc lists all", name, diag.DidYouMean(name, registry.Names()))}
	}
	var what any = all
	if name != "" {
		what = all[0]
	}
	switch format {
	case "json":
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(what)
	case "yaml":
		return yaml.NewEncoder(a.stdout, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true)).Encode(what)
	case "text":
		if name == "" {
			return listSteps(a.stdout, all)
		}
		return showStep(a.stdout, all[0])
	default:
		return exitError{engine.ExitOptions, fmt.Errorf("--output is text, json or yaml, not %q", format)}
	}
}

// listSteps shows one line or more for each step.
func listSteps(w io.Writer, all []reference.Step) error {
	var names, texts []string
	for _, s := range all {
		names, texts = append(names, s.Name), append(texts, s.Summary)
	}
	_, err := io.WriteString(w, columns(names, texts, "", textWidth(w)))
	return err
}

// showStep shows one step.
func showStep(w io.Writer, s reference.Step) error {
	width := textWidth(w)
	var b strings.Builder
	b.WriteString(wrap(s.Name+": "+s.Summary, "", width))
	if s.Doc != "" {
		b.WriteString("\n" + wrap(s.Doc, "", width))
	}
	b.WriteString("\n" + wrap(s.Promise(), "", width))
	b.WriteString("\nARGUMENTS\n")
	if s.Variables {
		b.WriteString("  variables, by name\n")
	}
	var names, texts []string
	for _, a := range s.Arguments {
		names, texts = append(names, a.Name), append(texts, a.Value+": "+a.Sentence())
	}
	b.WriteString(columns(names, texts, "  ", width))
	if s.Bare != "" {
		b.WriteString(wrap(fmt.Sprintf("%s: VALUE is short for %s: {%s: VALUE}.", s.Name, s.Name, s.Bare), "  ", width))
	}
	if len(s.Output) > 0 {
		b.WriteString("\nOUTPUT\n" + wrap("What register gives, beside changed, failed, skipped, pending and msg:", "  ", width))
		names, texts = nil, nil
		for _, o := range s.Output {
			names, texts = append(names, o.Name), append(texts, o.Value)
		}
		b.WriteString(columns(names, texts, "  ", width))
	}
	b.WriteString("\nEXAMPLE\n")
	for line := range strings.Lines(s.Example) {
		b.WriteString("  " + line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columns puts names beside texts, which are broken below each other. A name that
// is longer than a third of the width stands on a line of its own.
func columns(names, texts []string, indent string, width int) string {
	col := 0
	for _, n := range names {
		if l := utf8.RuneCountInString(n); l <= width/3 {
			col = max(col, l)
		}
	}
	hang := indent + strings.Repeat(" ", col+2)
	var b strings.Builder
	for i, n := range names {
		text := strings.TrimPrefix(wrap(texts[i], hang, width), hang)
		if l := utf8.RuneCountInString(n); l > col {
			b.WriteString(indent + n + "\n" + hang + text)
		} else {
			b.WriteString(indent + n + strings.Repeat(" ", col+2-l) + text)
		}
	}
	return b.String()
}
