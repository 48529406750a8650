package engine

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// Candidate is one value that a variable could have in a play.
type Candidate struct {
	Name  string
	From  string // who sets it: "play vars", "role web defaults", "-e"
	Range diag.Range
	// Value is as it is written; nil for what only a run brings. It may be secret.
	Value *source.Node
	// Secret says that the value is not to be shown.
	Secret bool
	// Steps are the steps that alone have it; nil = all of the play. What a step
	// registers or sets is there for those behind it.
	Steps []string
}

// PlayVariables are the variables of one target in one play.
type PlayVariables struct {
	Play string // its id; empty where there is no play
	File string // that was asked for
	Of   string // the file that holds the play, which that one may import

	play   *play
	runner *runner
	target *target
}

// Variables gives what a target has for variables in each of the plays that run on
// it. Nothing is opened, and no secret is fetched.
func (p *Prepared) Variables(w *World, o Options, name string) []PlayVariables {
	var out []PlayVariables
	for _, pl := range p.plays {
		for _, t := range pl.targets {
			if t.Name == name {
				out = append(out, variables(pl, t, w, o))
			}
		}
	}
	return out
}

// InventoryVariables gives the variables that a target has without any play.
func InventoryVariables(t Target, w *World, o Options) (PlayVariables, diag.List) {
	pl := &play{Play: &playbook.Play{}, targets: []Target{t}, inherit: map[*source.Node]*expr.Template{}}
	list := pl.inventoryVars(playbook.World{Extra: o.Extra, Options: expr.Options{Host: w.Host}})
	return variables(pl, t, w, o), list
}

func variables(pl *play, t Target, w *World, o Options) PlayVariables {
	offline := *w
	offline.Secret = func(context.Context, *source.Node) (string, error) { return event.Masked, nil }
	offline.Ask = nil
	o.Mask, o.Check = nil, true
	r := &runner{world: &offline, opts: o, targets: map[string]*target{}}
	for _, other := range w.All {
		r.targets[other.Name] = newTarget(other)
	}
	r.targets[t.Name] = newTarget(t)
	return PlayVariables{Play: pl.ID, File: pl.file, Of: pl.Range.File, play: pl, runner: r, target: r.targets[t.Name]}
}

// Value gives what a variable is outside of steps, before the first of them; ok is
// false for what only a run can tell.
func (v PlayVariables) Value(ctx context.Context, name string) (value any, ok bool) {
	value, ok, err := v.runner.scope(v.play, v.target, nil, frame{}).lookup(ctx, name)
	return value, ok && err == nil
}

// Names lists all variables that the target has somewhere in the play.
func (v PlayVariables) Names() []string {
	var out []string
	for _, c := range v.Playbook() {
		out = append(out, c.Name)
	}
	for name := range v.play.varsOf(v.target.Target) {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Playbook lists what the playbook and the command line say, from low to high;
// what the inventory says is below all of it, with one exception: of what a target
// has, steps that set it and -e are above all.
func (v PlayVariables) Playbook() []Candidate {
	var defaults, mine, asked, ofSteps, left, extra []Candidate
	secret := secretInputs(v.play)
	put := func(to *[]Candidate, c Candidate) {
		c.Secret = c.Secret || secret[c.Name] || c.Value != nil && c.Value.Secret
		*to = append(*to, c)
	}
	for _, d := range v.play.Defaults {
		put(&defaults, Candidate{Name: d.Name, From: "input of the play", Range: d.Range, Value: d.Value})
	}
	for _, d := range v.play.Vars {
		from := "play vars"
		if d.Range.File != v.play.Range.File {
			from = "vars_files"
		}
		put(&mine, Candidate{Name: d.Name, From: from, Range: d.Range, Value: d.Value})
	}
	for _, q := range v.play.Prompts {
		put(&asked, Candidate{Name: q.Name, From: "vars_prompt", Range: q.Range, Value: q.Default, Secret: q.Private})
	}
	for _, s := range slices.Concat(v.play.Steps, v.play.Handlers) {
		for _, d := range s.Defaults {
			add(&defaults, secret, s, d, "role "+roleName(s)+" defaults")
		}
		for _, d := range s.Vars {
			from := "vars of steps"
			if s.Role != nil && strings.HasPrefix(d.Range.File, s.Role.Dir+string(filepath.Separator)+"vars") {
				from = "role " + roleName(s) + " vars"
			}
			add(&ofSteps, secret, s, d, from)
		}
		if s.Register != "" {
			put(&left, Candidate{Name: s.Register, From: "registered", Range: s.Range, Steps: []string{s.ID}})
		}
		if s.Spec != nil && s.Spec.Vars {
			for _, e := range s.Args.Entries {
				put(&left, Candidate{Name: e.Key.Str, From: s.Word, Range: e.Key.Range, Value: e.Value, Steps: []string{s.ID}})
			}
		}
	}
	for name, n := range v.runner.opts.Extra {
		put(&extra, Candidate{Name: name, From: "-e", Range: n.Range, Value: n})
	}
	return slices.Concat(defaults, mine, asked, ofSteps, left, extra)
}

func roleName(s *playbook.Step) string {
	if s.Role == nil {
		return ""
	}
	return s.Role.Name
}

// add notes a variable of a step; those of a block or role are in all of its steps
// and stand in the list once.
func add(to *[]Candidate, secret map[string]bool, s *playbook.Step, d playbook.Var, from string) {
	for i, c := range *to {
		if c.Name == d.Name && c.Range == d.Range && c.Steps != nil {
			(*to)[i].Steps = append(c.Steps, s.ID)
			return
		}
	}
	*to = append(*to, Candidate{Name: d.Name, From: from, Range: d.Range, Value: d.Value, Secret: secret[d.Name] || d.Value.Secret, Steps: []string{s.ID}})
}

// secretInputs names what plays and roles declare to be secret.
func secretInputs(p *play) map[string]bool {
	out := map[string]bool{}
	inputs := slices.Clone(p.Inputs)
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		if s.Role != nil {
			inputs = append(inputs, s.Role.Inputs...)
		}
	}
	for _, in := range inputs {
		if in.Secret {
			out[in.Name] = true
		}
	}
	return out
}
