package playbook

import (
	"cmp"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Prompt is a variable that is asked for before a run.
type Prompt struct {
	Name    string
	Text    string // the question
	Default *source.Node
	Private bool // what is typed is not shown, and masked
	Confirm bool // ask twice
	Range   diag.Range
}

// prompts reads vars_prompt.
func (l *loader) prompts(n *source.Node) []Prompt {
	if n.Kind != source.List {
		l.errorf(n.Range, "vars_prompt", "vars_prompt: wanted a list, as [{name: password, prompt: Password}], found %s", n.Kind)
		return nil
	}
	var out []Prompt
	for _, item := range n.Items {
		p := Prompt{Range: item.Range, Private: true}
		if item.Get("name") == nil {
			l.errorf(item.Range, "vars_prompt", "a prompt needs the name of the variable that it is for")
			continue
		}
		for _, e := range item.Entries {
			if w := promptWords.find(e.Key.Str); w != nil {
				w.read(l, &p, e)
			} else {
				l.unknownKey(e.Key, "vars_prompt", promptWords.names())
			}
		}
		if p.Default != nil && isLater(p.Default) {
			l.errorf(p.Default.Range, "vars_prompt", "default: wanted a literal value, for it is shown before anything is evaluated")
		}
		p.Text = cmp.Or(p.Text, p.Name)
		out = append(out, p)
	}
	return out
}
