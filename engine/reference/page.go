package reference

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
)

// made marks the parts of a page that are made from the code. What stands between
// the marks is replaced, all else is written by hand.
var made = regexp.MustCompile(`(?s)<!-- made: ([\w ]+) -->\n.*?<!-- until here -->`)

// Fill gives a page with its parts made anew. A part that nothing makes is an
// error, and so is one of a table that the page leaves out.
func Fill(page string, parts map[string]string) (string, error) {
	var err error
	seen := map[string]bool{}
	out := made.ReplaceAllStringFunc(page, func(old string) string {
		name := made.FindStringSubmatch(old)[1]
		text, ok := parts[name]
		if !ok && err == nil {
			err = fmt.Errorf("nothing makes the part %q", name)
		}
		seen[name] = true
		return "<!-- made: " + name + " -->\n" + text + "<!-- until here -->"
	})
	for name := range parts {
		if !seen[name] && err == nil {
			err = fmt.Errorf("the part %q is missing", name)
		}
	}
	return out, err
}

// LanguageParts are the tables of the page on the playbook language.
func LanguageParts() map[string]string {
	return map[string]string{
		"play keys": keysTable(playbook.PlayKeywords()), "step keys": keysTable(playbook.StepKeywords()), "block keys": keysTable(playbook.BlockKeywords()),
		"include keys": keysTable(playbook.IncludeKeywords()), "role keys": keysTable(playbook.RoleKeywords()), "import keys": keysTable(playbook.ImportKeywords()),
		"input keys": keysTable(playbook.InputKeywords()), "prompt keys": keysTable(playbook.PromptKeywords()), "flush keys": keysTable(playbook.FlushKeywords()),
		"functions": functionsTable(expr.Functions()), "language functions": functionsTable(expr.LanguageFunctions()),
		"reserved names": "`" + strings.Join(playbook.Reserved(), "`, `") + "`\n",
	}
}

// AnsibleParts are the tables of the page for those who know Ansible.
func AnsibleParts() map[string]string {
	return map[string]string{
		"keywords": habitsTable(playbook.AnsibleKeywords(), true), "entries": habitsTable(playbook.AnsibleEntries(), true),
		"modules": habitsTable(playbook.AnsibleModules(), false), "names": sayingsTable(expr.HabitNames()), "filters": sayingsTable(expr.HabitFunctions()),
	}
}

// forms are the values of keywords, in words.
var forms = map[playbook.Form]string{
	playbook.Text: "text", playbook.Texts: "texts", playbook.Flag: "true or false", playbook.True: "true", playbook.Count: "integer", playbook.Duration: "duration",
	playbook.Condition: "condition", playbook.Value: "any value", playbook.Items: "list", playbook.Variables: "map of variables", playbook.Pattern: "pattern",
	playbook.StepList: "list of steps", playbook.RoleList: "list of roles", playbook.PromptList: "list of questions", playbook.InputMap: "map of inputs",
	playbook.Shares: "number, percentage or list", playbook.Percent: "integer, 0 to 100", playbook.List: "list", playbook.Nothing: "nothing", playbook.Identifier: "name", playbook.Environment: "map of texts",
}

func keysTable(keywords []playbook.Keyword) string {
	var b strings.Builder
	b.WriteString("| key | value | |\n|---|---|---|\n")
	for _, k := range keywords {
		doc := k.Doc
		switch {
		case k.Required && k.Instead != "":
			doc += ". Required, unless there is `" + k.Instead + "`"
		case k.Required:
			doc += ". Required"
		case k.Default != "":
			doc += ". Default: `" + k.Default + "`"
		}
		if k.Needs != "" {
			doc += ". With `" + k.Needs + "` alone"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, forms[k.Form], cell(doc))
	}
	return b.String()
}

func functionsTable(list []expr.Function) string {
	var b strings.Builder
	b.WriteString("| function | | example | gives |\n|---|---|---|---|\n")
	for _, f := range list {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", cell(f.Form), cell(f.Doc), code(f.Example), code(f.Gives))
	}
	return b.String()
}

func habitsTable(list []playbook.Habit, keywords bool) string {
	var b strings.Builder
	if keywords {
		b.WriteString("| Ansible | of | here | of | |\n|---|---|---|---|---|\n")
	} else {
		b.WriteString("| Ansible | here | |\n|---|---|---|\n")
	}
	for _, h := range list {
		here, on := h.Here, playbook.Where(strings.Trim(h.Here, "`"))
		if here == "" {
			here = "-"
		}
		if keywords {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", h.Name, h.On, here, on, cell(h.Note))
		} else {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", h.Name, here, cell(h.Note))
		}
	}
	return b.String()
}

func sayingsTable(list []expr.Habit) string {
	var b strings.Builder
	b.WriteString("| elsewhere | here |\n|---|---|\n")
	for _, h := range list {
		fmt.Fprintf(&b, "| `%s` | %s |\n", h.Name, cell(h.Says))
	}
	return b.String()
}

// cell keeps a text within a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func code(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + cell(s) + " ``"
	}
	return "`" + cell(s) + "`"
}
