package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/modules"
)

// completeWord is the command that shells ask: nactl __complete WORD…, where the
// last word, empty or begun, is the one to complete.
const completeWord = "__complete"

// candidate is a word that could stand there, with a few words on it.
type candidate struct{ word, about string }

// kindOfFile is what shells know to complete by themselves.
type kindOfFile string

const (
	noFile  kindOfFile = "words"
	anyFile kindOfFile = "files"
	folder  kindOfFile = "dirs"
)

// complete answers a shell: first what kind of files could stand there (words,
// files or dirs), then the candidates, one a line, a tab before what is said on it.
//
// What can stand in a place is not listed anywhere: it comes from the commands
// themselves, from the names in their usage texts (FILE, TARGET, VM, FORMAT: …).
func (a *application) complete(ctx context.Context, words []string) {
	found, files := a.candidates(ctx, joined(words))
	fmt.Fprintln(a.stdout, files)
	for _, f := range found {
		_, _ = io.WriteString(a.stdout, f.word+"\t"+strings.ReplaceAll(f.about, "\n", " ")+"\n")
	}
}

// joined puts --name=value together again, which bash hands over in three words.
func joined(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		n := len(out)
		switch {
		case words[i] == "=" && n > 0 && strings.HasPrefix(out[n-1], "--"):
			out[n-1] += "="
		case n > 0 && i > 0 && words[i-1] == "=" && strings.HasSuffix(out[n-1], "="):
			out[n-1] += words[i]
		default:
			out = append(out, words[i])
		}
	}
	if len(out) == 0 {
		out = []string{""}
	}
	return out
}

// place is where on the command line the word to complete stands.
type place struct {
	commands []*cli.Command
	flags    []cli.Flag
	takes    string   // what arguments the command takes, as its help says
	given    []string // arguments before the word
	inv      []string // --inventory before the word
	on       string   // --target or --limit before the word
	settings string   // --config before the word
	literal  bool     // behind --: no more flags
}

func (a *application) candidates(ctx context.Context, words []string) ([]candidate, kindOfFile) {
	app := a.cli()
	at := place{commands: app.Commands, flags: app.Flags}
	word := words[len(words)-1]
	before := words[:len(words)-1]
	for i := 0; i < len(before); i++ {
		w := before[i]
		switch {
		case at.literal:
			at.given = append(at.given, w)
		case w == "--":
			at.literal = true
		case strings.HasPrefix(w, "-") && w != "-":
			f, value, assigned := flagOf(at.flags, w)
			if f == nil || !takesValue(f) {
				continue
			}
			if !assigned {
				if i++; i == len(before) {
					return a.values(ctx, at, f, "", word)
				}
				value = before[i]
			}
			at.note(f, value)
		default:
			if c := find(at.commands, w); c != nil && len(at.given) == 0 {
				at.commands, at.flags, at.takes = c.Subcommands, c.Flags, c.ArgsUsage
				continue
			}
			at.given = append(at.given, w)
		}
	}
	if strings.HasPrefix(word, "-") && !at.literal {
		if f, value, assigned := flagOf(at.flags, word); assigned && f != nil {
			return a.values(ctx, at, f, strings.TrimSuffix(word, value), value)
		}
		return flagCandidates(at.flags, word), noFile
	}
	var out []candidate
	if len(at.given) == 0 {
		for _, c := range at.commands {
			if !c.Hidden && strings.HasPrefix(c.Name, word) {
				out = append(out, candidate{c.Name, c.Usage})
			}
		}
	}
	more, files := a.named(ctx, at, argumentName(at.takes, len(at.given)), "", word)
	return append(out, more...), files
}

// note keeps what narrows the search for names.
func (p *place) note(f cli.Flag, value string) {
	switch f.Names()[0] {
	case "inventory":
		p.inv = append(p.inv, value)
	case "config":
		p.settings = value
	case "target", "limit":
		p.on = value
	}
}

// flagOf gives the flag that a word names, and the value that stands in the same
// word. Of short flags written together it is the last.
func flagOf(flags []cli.Flag, word string) (f cli.Flag, value string, assigned bool) {
	name, value, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if !strings.HasPrefix(word, "--") && len(name) > 1 {
		name = name[len(name)-1:]
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f, value, assigned
		}
	}
	return nil, "", false
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func flagCandidates(flags []cli.Flag, word string) []candidate {
	var out []candidate
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, hides := f.(cli.VisibleFlag); !ok || hides && !v.IsVisible() {
			continue
		}
		for _, name := range f.Names() {
			name = "-" + name
			if len(name) > 2 {
				name = "-" + name
			}
			if strings.HasPrefix(name, word) {
				out = append(out, candidate{name, strings.ReplaceAll(d.GetUsage(), "`", "")})
			}
		}
	}
	return out
}

// values completes the value of a flag. prefix is what stands before it in the
// same word.
func (a *application) values(ctx context.Context, at place, f cli.Flag, prefix, word string) ([]candidate, kindOfFile) {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return nil, noFile
	}
	_, usage, _ := strings.Cut(d.GetUsage(), "`")
	name, rest, _ := strings.Cut(usage, "`")
	if f.Names()[0] == "target" {
		name = "TARGET"
	}
	if choices := choicesIn(rest); choices != nil {
		return matching(choices, nil, prefix, word), noFile
	}
	return a.named(ctx, at, name, prefix, word)
}

// listed is how usage texts say what a value can be: `FORMAT`: a, b (whatever) or c.
var listed = regexp.MustCompile(`^(?: of [^:]*)?: (.+ or .+)$`)

// choicesIn gives the values that a usage text lists behind the value's name.
func choicesIn(usage string) []string {
	m := listed.FindStringSubmatch(usage)
	if m == nil {
		return nil
	}
	var out []string
	for _, part := range strings.Split(strings.ReplaceAll(m[1], " or ", ", "), ", ") {
		word, _, _ := strings.Cut(part, " ")
		out = append(out, word)
	}
	return out
}

// argumentName gives the name that a command's help has for its argument i, "" when
// it takes no more.
func argumentName(takes string, i int) string {
	fields := strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(takes))
	if len(fields) == 0 {
		return ""
	}
	if i >= len(fields) {
		last := fields[len(fields)-1]
		if !strings.HasSuffix(last, "…") {
			return ""
		}
		return strings.TrimSuffix(last, "…")
	}
	return strings.TrimSuffix(fields[i], "…")
}

// named completes what a help text calls by this name.
func (a *application) named(ctx context.Context, at place, name, prefix, word string) ([]candidate, kindOfFile) {
	switch name {
	case "FILE", "LOCAL", "ISO":
		return nil, anyFile
	case "DIR":
		return nil, folder
	case "STEP":
		var steps, about []string
		for _, s := range modules.Registry().All() {
			steps, about = append(steps, s.Name), append(about, s.Summary)
		}
		return matching(steps, about, prefix, word), noFile
	case "TARGET", "PATTERN", "GROUP":
		return matching(a.targetNames(ctx, at, name), nil, prefix, word), noFile
	case "VM":
		return matching(a.vmNames(ctx, at), nil, prefix, word), noFile
	}
	if strings.Contains(name, "|") {
		return matching(strings.Split(name, "|"), nil, prefix, word), noFile
	}
	return nil, noFile
}

func matching(words, about []string, prefix, word string) []candidate {
	var out []candidate
	for i, w := range words {
		if !strings.HasPrefix(w, word) {
			continue
		}
		c := candidate{word: prefix + w}
		if about != nil {
			c.about = about[i]
		}
		out = append(out, c)
	}
	return out
}
