package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/config"
	"github.com/nactl/nactl/engine/reference"
	"github.com/nactl/nactl/modules"
)

// writePackageCommand writes what a package has beside the program: the manual pages
// (section 1 from the commands, 7 from the steps, 5 from the pages of docs/ on
// files), and a configuration in which nothing is set.
func (a *application) writePackageCommand() *cli.Command {
	return &cli.Command{
		Name: "write-package", Usage: "write the manual pages and the configuration of a package", ArgsUsage: "DOCS DIR", Hidden: true, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			docs, dir := c.Args().Get(0), c.Args().Get(1)
			if err := a.writeMan(docs, dir); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(emptyConfig()), 0o644)
		},
	}
}

// emptyConfig gives a configuration file that names every key and sets none.
func emptyConfig() string {
	var b strings.Builder
	b.WriteString("# Settings of nactl for all users of this machine: see nactl-config(5).\n" +
		"# ~/.config/nactl/config.yaml, ./nactl.yaml, NACTL_... variables and options go before it.\n")
	for _, k := range config.Keys() {
		value := ""
		switch v := k.Default.(type) {
		case nil:
			value = cmp.Or(map[bool]string{true: "[]"}[k.Form == config.Paths], `""`)
		default:
			value = fmt.Sprint(v)
		}
		line := k.Name + ": " + value
		if outer, inner, ok := strings.Cut(k.Name, "."); ok {
			line = fmt.Sprintf("%s: {%s: %s}", outer, inner, value)
		}
		fmt.Fprintf(&b, "\n# %s\n# %s\n", strings.ReplaceAll(forManual(k.Doc), "`", ""), line)
	}
	return b.String()
}

// manual are the pages of docs/ that are about a file, each with what its page is
// about.
var manual = []struct{ name, from, about string }{
	{"nactl-playbook", "language.md", "the language of nactl's playbooks"},
	{"nactl-inventory", "inventory.md", "nactl's inventories: targets, groups, variables, images, secrets"},
	{"nactl-config", "configuration.md", "nactl's settings, in files and variables"},
	{"nactl-vault", "vault.md", "encrypted files of variables for nactl"},
}

func (a *application) writeMan(docs, dir string) error {
	pages := map[string]string{"nactl-steps.7": manPage("nactl-steps", 7, "the steps of nactl's playbooks", stepsManual())}
	for _, m := range manual {
		text, err := os.ReadFile(filepath.Join(docs, m.from))
		if err != nil {
			return err
		}
		_, body, _ := strings.Cut(string(text), "\n") // the title is the page's own
		pages[m.name+".5"] = manPage(m.name, 5, m.about, "# DESCRIPTION\n"+forManual(body))
	}
	app := a.cli()
	var list strings.Builder
	var also []string
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		name := "nactl-" + c.Name
		fmt.Fprintf(&list, "**nactl %s**\n: %s; see **%s**(1)\n\n", c.Name, c.Usage, name)
		pages[name+".1"] = manPage(name, 1, c.Usage, commandManual("nactl "+c.Name, c))
	}
	for _, m := range manual {
		also = append(also, fmt.Sprintf("**%s**(5)", m.name))
	}
	pages["nactl.1"] = manPage("nactl", 1, app.Usage, "# SYNOPSIS\n\n**nactl** *COMMAND* [*OPTIONS*] [*ARGUMENTS*]\n\n"+
		"# DESCRIPTION\n\nA playbook says, in YAML, what there is to be: networks, VMs with their disks, CPUs and memory, what runs inside them, where they run. "+
		"nactl looks at what is there, changes only what differs, proves that the change took, and says so. Played again, it changes nothing. "+
		"Targets are oVirt engines, libvirt nodes over SSH, and clusters of nodes.\n\n"+
		"# COMMANDS\n\n"+list.String()+exitManual()+"# SEE ALSO\n\n"+strings.Join(append(also, "**nactl-steps**(7)"), ", ")+"\n")
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), md2man.Render([]byte(text)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// manPage gives a page with its head, as Markdown.
func manPage(name string, section int, about, body string) string {
	about = strings.ToLower(about[:1]) + about[1:]
	return fmt.Sprintf("%% %q %q \"\" \"nactl %s\" \"nactl\"\n\n# NAME\n\n%s - %s\n\n%s", strings.ToUpper(name), fmt.Sprint(section), version, name, about, body)
}

// commandManual describes a command and those below it.
func commandManual(path string, c *cli.Command) string {
	var b strings.Builder
	b.WriteString("# SYNOPSIS\n\n")
	synopsis(&b, path, c)
	fmt.Fprintf(&b, "# DESCRIPTION\n\n%s.\n\n", sentence(c.Usage))
	if c.Description != "" {
		b.WriteString(asMarkdown(c.Description) + "\n\n")
	}
	b.WriteString(optionsManual("# OPTIONS\n\n", c.Flags))
	subcommandsManual(&b, path, c)
	b.WriteString(exitManual())
	b.WriteString("# SEE ALSO\n\n**nactl**(1)\n")
	return b.String()
}

func subcommandsManual(b *strings.Builder, path string, c *cli.Command) {
	if len(c.Subcommands) == 0 {
		return
	}
	b.WriteString("# COMMANDS\n\n")
	for _, sub := range c.Subcommands {
		if sub.Hidden {
			continue
		}
		fmt.Fprintf(b, "## %s %s\n\n%s.\n\n", path, sub.Name, sentence(sub.Usage))
		if sub.Description != "" {
			b.WriteString(asMarkdown(sub.Description) + "\n\n")
		}
		synopsis(b, path+" "+sub.Name, sub)
		b.WriteString(optionsManual("", sub.Flags))
		for _, deeper := range sub.Subcommands {
			fmt.Fprintf(b, "**%s %s %s** %s\n: %s\n\n", path, sub.Name, deeper.Name, deeper.ArgsUsage, sentence(deeper.Usage))
		}
	}
}

func synopsis(b *strings.Builder, path string, c *cli.Command) {
	fmt.Fprintf(b, "**%s**", path)
	if len(c.Subcommands) > 0 {
		b.WriteString(" *COMMAND*")
	}
	if len(c.Flags) > 0 {
		b.WriteString(" [*OPTIONS*]")
	}
	if c.ArgsUsage != "" {
		fmt.Fprintf(b, " %s", c.ArgsUsage)
	}
	b.WriteString("\n\n")
}

// optionsManual lists flags under a title; nothing where there are none.
func optionsManual(title string, flags []cli.Flag) string {
	var b strings.Builder
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, hides := f.(cli.VisibleFlag); !ok || hides && !v.IsVisible() {
			continue
		}
		before, name, _ := strings.Cut(d.GetUsage(), "`")
		name, after, _ := strings.Cut(name, "`")
		var names []string
		for _, n := range f.Names() {
			if len(n) == 1 {
				names = append(names, "**-"+n+"**")
			} else {
				names = append(names, "**--"+n+"**")
			}
		}
		if d.TakesValue() && name == "" {
			name = "VALUE"
		}
		value := ""
		if d.TakesValue() {
			value = " *" + name + "*"
		}
		usage := before + after
		if name != "" {
			usage = before + "*" + name + "*" + after
		}
		fmt.Fprintf(&b, "%s%s\n: %s\n\n", strings.Join(names, ", "), value, sentence(usage))
	}
	if b.Len() == 0 {
		return ""
	}
	return title + b.String()
}

// stepsManual is the reference of all steps as one page.
func stepsManual() string {
	var b strings.Builder
	b.WriteString("# DESCRIPTION\n\nEach step of a playbook (**nactl-playbook**(5)) is one of these. **nactl doc** *STEP* shows the same.\n\n")
	for _, s := range modules.Registry().All() {
		text := reference.Markdown(reference.Describe(s, platforms()))
		text = strings.ReplaceAll(text, "\n## ", "\n### ")
		b.WriteString("# STEP " + strings.TrimPrefix(forManual(text), "# ") + "\n")
	}
	return b.String()
}

// exitManual is what the help says about exit codes.
func exitManual() string {
	var b strings.Builder
	b.WriteString("# EXIT STATUS\n\n")
	for line := range strings.Lines(exitStatus) {
		code, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && code != "EXIT" {
			fmt.Fprintf(&b, "**%s**\n: %s\n\n", code, strings.TrimSpace(text))
		}
	}
	return b.String()
}

// withoutTables turns the tables of a page into lists: a manual page is as wide as the
// terminal, and tables are wider. The first column is what is told about, the last
// what is told.
func withoutTables(text string) string {
	var b strings.Builder
	var fence, head bool
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fence = !fence
		}
		if fence || !strings.HasPrefix(line, "|") {
			b.WriteString(line)
			head = false
			continue
		}
		if !head { // and the line of dashes below it
			head = true
			continue
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(strings.TrimSpace(line), "|"), `\|`, "\x00"), "|")
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|")
		}
		if strings.Trim(cells[0], "-: ") == "" {
			continue
		}
		about := cells[len(cells)-1]
		if len(cells) == 1 || about == "" {
			about = "-"
		}
		fmt.Fprintf(&b, "\n%s\n: %s\n", strings.Join(cells[:max(1, len(cells)-1)], " "), about)
	}
	return b.String()
}

// link is a Markdown link; in a manual page there is nothing to follow.
var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)

// forManual gives a page of docs/ as a manual page has it.
func forManual(text string) string { return withoutTables(link.ReplaceAllString(text, "$1")) }

// asMarkdown keeps the lines of a help text that are laid out by hand.
func asMarkdown(text string) string {
	return regexp.MustCompile(`(?m)^   ?(\S)`).ReplaceAllString(text, "    $1")
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
