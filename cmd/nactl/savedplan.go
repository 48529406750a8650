package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/planned"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
)

// savedPlan reads a plan off a plan pass, and keeps it in a file.
type savedPlan struct {
	*planned.Collector
	file  string
	allow []string
	names map[string]string // of steps, by id
}

func newCollector() *planned.Collector {
	steps := modules.Registry()
	return planned.NewCollector(func(word string) bool {
		spec := steps.Lookup(word)
		return spec == nil || len(spec.Changes) > 0
	})
}

func newSavedPlan(c *cli.Context) *savedPlan {
	return &savedPlan{Collector: newCollector(), file: c.String("out"), allow: c.StringSlice("allow-undecided"), names: map[string]string{}}
}

// Read implements event.Reader.
func (p *savedPlan) Read(r event.Record) error {
	if e, ok := r.Event.(event.StepStarted); ok {
		p.names[e.Step] = e.Name
	}
	return p.Collector.Read(r)
}

// keep writes the plan, if it says all that a run may do.
func (p *savedPlan) keep(s *setup, code int) error {
	if code != engine.ExitOK {
		return exitError{code, errors.New("the plan is not kept: it is not whole")}
	}
	plan := p.Plan()
	var open []string
	for _, u := range plan.Undecided {
		if !slices.ContainsFunc(p.allow, func(a string) bool { return p.means(a, u.Step) }) {
			open = append(open, fmt.Sprintf("%s on %s: %s", u.Step, u.Target, u.Reason))
		}
	}
	if len(open) > 0 {
		return exitError{engine.ExitFailed, fmt.Errorf("the plan is not kept: what these steps do is decided at run time\n  %s\nkeep it with --allow-undecided STEP, which leaves them open", strings.Join(open, "\n  "))}
	}
	plan.Schema, plan.Made, plan.Version = planned.Schema, time.Now().UTC().Truncate(time.Second), version
	plan.Of = planned.Source{
		Playbooks: s.asked.files, Inventory: s.asked.inventory, Limit: s.asked.limit, Tags: s.asked.tags, SkipTags: s.asked.skipTags, StartAt: s.asked.startAt,
		Extra: map[string]json.RawMessage{},
	}
	for name, n := range s.asked.extra {
		b, err := json.Marshal(n.Any())
		if err != nil {
			return fmt.Errorf("-e %s: %w", name, err)
		}
		plan.Of.Extra[name] = b
	}
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(p.file, append(text, '\n'), 0o600); err != nil {
		return exitError{engine.ExitUnexpected, fmt.Errorf("--out: %w", err)}
	}
	_, err = fmt.Fprintf(s.app.stderr, "the plan is kept in %s; play it with nactl play --plan %s\n", p.file, p.file)
	return err
}

// secretExtras refuses to keep a plan with secrets: it holds the values of -e, and
// is made to be shown.
func (s *setup) secretExtras(p *engine.Prepared) error {
	secret := map[string]bool{}
	note := func(inputs []playbook.Input) {
		for _, in := range inputs {
			secret[in.Name] = secret[in.Name] || in.Secret
		}
	}
	for _, play := range p.Plays() {
		note(play.Inputs)
		for _, q := range play.Prompts {
			secret[q.Name] = secret[q.Name] || q.Private
		}
		for _, step := range play.Steps {
			note(step.Role.Told())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.asked.extra)) {
		switch n := s.asked.extra[name]; {
		case n.ContainsSecret():
			return exitError{engine.ExitOptions, fmt.Errorf("the plan is not kept: -e %s comes from an encrypted file, and a plan keeps -e as it is; name that file in vars_files", name)}
		case secret[name] && !playbook.IsSecret(n):
			return exitError{engine.ExitOptions, fmt.Errorf("the plan is not kept: -e %s is secret, and a plan keeps -e as it is; write {secret: …} in vars, or leave it to vars_prompt", name)}
		}
	}
	return nil
}

func (p *savedPlan) means(pattern, id string) bool {
	_, below, _ := strings.Cut(id, "#")
	name := p.names[id]
	ok, err := path.Match(pattern, name)
	return pattern == id || pattern == below || pattern == name || err == nil && ok
}

// maxPlan is the size in bytes up to which a saved plan is read: that of some
// hundred thousand changes.
const maxPlan = 256 << 20

// readPlan reads a saved plan.
func readPlan(file string) (*planned.Plan, error) {
	text, err := readRegular(file, maxPlan)
	if err != nil {
		return nil, exitError{engine.ExitOptions, err}
	}
	no := func(err error) (*planned.Plan, error) {
		return nil, exitError{engine.ExitInvalid, fmt.Errorf("%s is not a plan that nactl plan --out has made: %w", file, err)}
	}
	var form struct{ Schema int }
	if err := json.Unmarshal(text, &form); err != nil {
		return no(err)
	}
	if form.Schema != planned.Schema {
		return nil, exitError{engine.ExitInvalid, fmt.Errorf("%s has schema %d, and this nactl reads %d: make the plan anew", file, form.Schema, planned.Schema)}
	}
	plan := &planned.Plan{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(plan); err != nil {
		return no(err)
	}
	if len(plan.Of.Playbooks) == 0 {
		return no(errors.New("it names no playbooks"))
	}
	return plan, nil
}

// fixed are the options that a saved plan decides.
var fixed = []string{"inventory", "extra-vars", "limit", "tags", "skip-tags", "start-at", "check"}

// playPlan plays a saved plan: it makes the plan once more, touches nothing unless
// the two are the same, and then makes no other changes than those.
func (a *application) playPlan(c *cli.Context) error {
	if c.Args().Present() {
		return exitError{engine.ExitOptions, errors.New("--plan names the playbooks itself: leave them out")}
	}
	for _, name := range fixed {
		if c.IsSet(name) {
			return exitError{engine.ExitOptions, fmt.Errorf("--%s is decided by the plan: leave it out", name)}
		}
	}
	plan, err := readPlan(c.String("plan"))
	if err != nil {
		return err
	}
	asked := request{
		files: plan.Of.Playbooks, inventory: plan.Of.Inventory, limit: plan.Of.Limit, tags: plan.Of.Tags, skipTags: plan.Of.SkipTags, startAt: plan.Of.StartAt,
		extra: map[string]*source.Node{},
	}
	for name, b := range plan.Of.Extra {
		n, list := source.Parse(c.String("plan"), b) // JSON is YAML
		if list.HasErrors() {
			return exitError{engine.ExitInvalid, list.Err()}
		}
		n.Range = diag.Range{Pos: diag.Pos{File: "-e " + name}}
		asked.extra[name] = n
	}
	s, err := a.setup(c, asked, true)
	if err != nil {
		return err
	}
	if s.notes, err = a.newAnnotations(c); err != nil {
		return err
	}
	return s.noted(a.playPlanOn(c, s, plan))
}

// playPlanOn plays a saved plan with what it asks for.
func (a *application) playPlanOn(c *cli.Context, s *setup, plan *planned.Plan) error {
	prepared, world, options, err := s.prepare()
	if err != nil {
		return err
	}
	defer s.close()
	if asksToList(c) {
		return outline(a.stdout, c, prepared)
	}
	report, err := newReport(c)
	if err != nil {
		return err
	}
	if err := s.ask(prepared, world, options); err != nil {
		return err
	}
	if err := s.matches(plan, prepared, world, *options); err != nil {
		return err
	}
	readers, err := a.readers(c, false)
	if err != nil {
		return err
	}
	s.conns.forget()
	options.Check, options.Plan = false, plan
	code, changed, err := s.run(prepared, world, *options, append(append(readers, report.readers()...), s.notes.readers()...)...)
	if err != nil {
		return err
	}
	if err := report.keep(); err != nil {
		return err
	}
	return ended(c, code, changed)
}

// matches makes a plan and compares it with a saved one.
func (s *setup) matches(plan *planned.Plan, p *engine.Prepared, w *engine.World, o engine.Options) error {
	now := newCollector()
	var said bytes.Buffer
	code, _, err := s.run(p, w, o, now, event.NewQuiet(&said, &said, event.Options{}))
	if err != nil {
		return err
	}
	if code != engine.ExitOK {
		fmt.Fprint(s.app.stderr, said.String())
		return exitError{code, errors.New("the plan cannot be made again; nothing was touched")}
	}
	if diff := plan.Diff(now.Plan()); len(diff) > 0 {
		return exitError{engine.ExitFailed, fmt.Errorf("things have changed since the plan was made; nothing was touched\n  %s\nlook at them, and make a new plan", strings.Join(diff, "\n  "))}
	}
	return nil
}
