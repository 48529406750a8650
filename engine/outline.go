package engine

import (
	"path"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/playbook"
)

// PlayOutline is what a play would do, without doing it.
type PlayOutline struct {
	ID      string
	Name    string
	Targets []string
	Tags    []string // of all its steps, sorted
	Steps   []StepOutline
}

// StepOutline is a step that the tags leave.
type StepOutline struct {
	ID    string
	Name  string // as written; the word where it has none
	Word  string
	Tags  []string
	Index int // from 1, over the whole run
}

// Outline lists plays, their targets and steps.
func (p *Prepared) Outline() []PlayOutline {
	var out []PlayOutline
	for _, pl := range p.plays {
		o := PlayOutline{ID: pl.ID, Name: pl.Name}
		for _, t := range pl.targets {
			o.Targets = append(o.Targets, t.Name)
		}
		for _, s := range pl.Steps {
			tags := append(slices.Clone(pl.Tags), s.Tags...)
			o.Tags = append(o.Tags, tags...)
			if i := pl.index[s]; i > 0 {
				o.Steps = append(o.Steps, StepOutline{ID: s.ID, Name: s.Title(), Word: s.Word, Tags: tags, Index: i})
			}
		}
		slices.Sort(o.Tags)
		o.Tags = slices.Compact(o.Tags)
		out = append(out, o)
	}
	return out
}

// startAt leaves out all steps before the first one of that name or id; a name may
// have wildcards.
func (p *Prepared) startAt(what string) diag.List {
	var list diag.List
	var names []string
	found := false
	p.steps = 0
	for _, pl := range p.plays {
		for _, s := range pl.Steps {
			if pl.index[s] == 0 {
				continue
			}
			names = append(names, s.Title())
			found = found || means(what, s)
			delete(pl.index, s)
			if found {
				p.steps++
				pl.index[s] = p.steps
			}
		}
	}
	if !found {
		list.Errorf(diag.Range{Pos: diag.Pos{File: "--start-at"}}, "start-at", "no step is called %q%s", what, diag.DidYouMean(what, names))
	}
	return list
}

// means tells whether a name or an id is that of a step.
func means(what string, s *playbook.Step) bool {
	_, below, _ := strings.Cut(s.ID, "#")
	if what == s.ID || what == below {
		return true
	}
	ok, err := path.Match(what, s.Title())
	return what == s.Title() || err == nil && ok
}
