package reference

import (
	"fmt"
	"strings"

	"github.com/nactl/nactl/virt"
)

// Markdown gives the page of a step.
func Markdown(s Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n", s.Name, s.Summary)
	if s.Doc != "" {
		fmt.Fprintf(&b, "%s\n\n", s.Doc)
	}
	if p := s.Promise(); p != "" {
		fmt.Fprintf(&b, "%s\n\n", p)
	}
	fmt.Fprintf(&b, "```yaml\n%s```\n\n", s.Example)
	if s.Variables {
		b.WriteString("The arguments are the variables, by name.\n")
		return b.String()
	}
	b.WriteString("## Arguments\n\n| argument | value | |\n|---|---|---|\n")
	for _, a := range s.Arguments {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Value, a.sentence("`"))
	}
	if s.Bare != "" {
		fmt.Fprintf(&b, "\n`%s: VALUE` is short for `%s: {%s: VALUE}`.\n", s.Name, s.Name, s.Bare)
	}
	if len(s.Output) == 0 {
		return b.String()
	}
	b.WriteString("\n## Output\n\nWhat `register` gives, beside changed, failed, skipped, pending and msg:\n\n| field | value |\n|---|---|\n")
	for _, o := range s.Output {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.Name, o.Value)
	}
	return b.String()
}

// sentence gives the words on an argument; quote stands around its default.
func (a Argument) sentence(quote string) string {
	doc := a.Doc
	switch {
	case a.Required:
		doc += ". Required"
	case a.Default != "":
		doc += ". Default: " + quote + a.Default + quote
	}
	if a.CreateOnly {
		doc += ". At creation only"
	}
	return doc
}

// Promise says in words what the step may do, and where.
func (s Step) Promise() string {
	var converge, action []string
	for _, c := range s.Changes {
		if c.Nature == virt.Action {
			action = append(action, c.Name)
		} else {
			converge = append(converge, c.Name)
		}
	}
	var parts []string
	if len(converge) > 0 {
		parts = append(parts, "Converges: "+strings.Join(converge, ", ")+".")
	}
	if len(action) > 0 {
		parts = append(parts, "Each time: "+strings.Join(action, ", ")+".")
	}
	if len(s.Changes) == 0 {
		parts = append(parts, "Changes nothing.")
	}
	var where []string
	for _, t := range s.Targets {
		text := t.Kind
		if len(t.Without) > 0 {
			text += " (without " + strings.Join(t.Without, ", ") + ")"
		}
		where = append(where, text)
	}
	if len(where) > 0 {
		parts = append(parts, "Targets: "+strings.Join(where, ", ")+".")
	} else {
		parts = append(parts, "Needs no target.")
	}
	return strings.Join(parts, " ")
}

// Sentence gives the words on an argument as plain text.
func (a Argument) Sentence() string { return a.sentence("") }
