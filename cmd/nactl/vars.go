package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
)

var (
	varColumns     = []string{"play", "name", "value", "from", "at"}
	explainColumns = []string{"play", "wins", "from", "at", "written", "value", "steps"}
)

// varsCommand shows the variables of a target.
func (a *application) varsCommand() *cli.Command {
	return &cli.Command{
		Name: "vars", Usage: "show the variables of a target, as playbooks see them", ArgsUsage: "TARGET [FILE…]", OnUsageError: usageError,
		Description: "Opens nothing and fetches no secret. Without playbooks: what the inventory and -e say.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
			&cli.StringSliceFlag{Name: "extra-vars", Aliases: []string{"e"}, Usage: "variable as `NAME=VALUE`, NAME=@FILE or @FILE; may be repeated"},
			vaultIdentityFlag(),
			&cli.StringFlag{Name: "explain", Usage: "where the variable `NAME` could come from, from low to high, and which place wins"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json, csv or yaml"},
		},
		Action: a.vars,
	}
}

func (a *application) vars(c *cli.Context) error {
	write, err := formatter(c.String("output"))
	if err != nil {
		return err
	}
	if !c.Args().Present() {
		return exitError{engine.ExitOptions, errors.New("name a target: nactl vars TARGET [FILE…]")}
	}
	name := c.Args().First()
	s, err := a.setup(c, requestOf(c, c.Args().Tail()), true)
	if err != nil {
		return err
	}
	prepared, world, options, err := s.prepare()
	if err != nil {
		return err
	}
	defer s.close()
	t, ok := s.inv.Target(name)
	if !ok {
		return exitError{engine.ExitOptions, fmt.Errorf("there is no target %q%s", name, diag.DidYouMean(name, s.inv.Names()))}
	}
	var plays []engine.PlayVariables
	if len(s.asked.files) == 0 {
		v, list := engine.InventoryVariables(engineTarget(t), world, *options)
		if err := s.report(list); err != nil {
			return err
		}
		plays = append(plays, v)
	} else if plays = prepared.Variables(world, *options, name); len(plays) == 0 {
		return exitError{engine.ExitOptions, fmt.Errorf("no play of %s runs on %s", strings.Join(s.asked.files, ", "), name)}
	}
	shown := &shownVars{c: c, s: s, target: t, plays: plays, table: slices.Contains([]string{"table", "csv"}, c.String("output"))}
	columns, rows := varColumns, []row(nil)
	if what := c.String("explain"); what != "" {
		columns = explainColumns
		rows, err = shown.explain(what)
	} else {
		rows, err = shown.all()
	}
	if err != nil {
		return err
	}
	if len(s.asked.files) == 0 {
		columns = columns[1:] // there is no play
	}
	var text bytes.Buffer
	if err := write(&text, columns, rows); err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, s.mask().String(text.String()))
	return err
}

// shownVars makes rows of variables.
type shownVars struct {
	c      *cli.Context
	s      *setup
	target inventory.Target
	plays  []engine.PlayVariables
	table  bool // values are text
}

// targetIn gives the target as a play sees it.
func (v *shownVars) targetIn(p engine.PlayVariables) inventory.Target {
	if inv, _ := v.s.inventoryOf(p.Of); inv != nil {
		if t, ok := inv.Target(v.target.Name); ok {
			return t
		}
	}
	return v.target
}

// candidates gives all that a name could come from in a play, from low to high,
// and the index of the one that counts outside of steps; -1 = none.
func (v *shownVars) candidates(p engine.PlayVariables, ofPlaybook []engine.Candidate, name string) (out []engine.Candidate, winner int) {
	winner = -1
	for _, c := range v.targetIn(p).Vars.Explain(name) {
		out = append(out, engine.Candidate{Name: name, From: c.From, Range: c.Origin, Value: c.Value, Secret: c.Value.Secret})
	}
	for _, c := range ofPlaybook {
		if c.Name == name {
			out = append(out, c)
		}
	}
	hidden := slices.ContainsFunc(out, func(c engine.Candidate) bool { return c.Secret })
	for i := range out {
		// What is declared to be secret is so wherever its value comes from.
		out[i].Secret = out[i].Secret || hidden
		if out[i].Steps == nil {
			winner = i
		}
	}
	return out, winner
}

func (v *shownVars) all() ([]row, error) {
	rows := []row{}
	for _, p := range v.plays {
		ofPlaybook := p.Playbook()
		for _, name := range p.Names() {
			list, winner := v.candidates(p, ofPlaybook, name)
			if winner < 0 {
				continue // steps alone have it
			}
			won := list[winner]
			rows = append(rows, row{"play": p.Play, "name": name, "value": v.value(p, won), "from": won.From, "at": won.Range.Pos.String()})
		}
	}
	return rows, nil
}

func (v *shownVars) explain(name string) ([]row, error) {
	rows := []row{}
	var known []string
	for _, p := range v.plays {
		list, winner := v.candidates(p, p.Playbook(), name)
		known = append(known, p.Names()...)
		for i, c := range list {
			r := row{"play": p.Play, "wins": i == winner, "from": c.From, "at": c.Range.Pos.String(), "written": v.written(c), "value": nil, "steps": c.Steps}
			if i == winner {
				r["value"] = v.value(p, c)
			}
			if v.table {
				r["wins"] = map[bool]string{true: "→"}[i == winner]
				if r["value"] == nil {
					r["value"] = ""
				}
			}
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, exitError{engine.ExitOptions, fmt.Errorf("%s has no variable %q%s", v.target.Name, name, diag.DidYouMean(name, known))}
	}
	return rows, nil
}

// value gives what a variable is, as far as that can be told without a run.
func (v *shownVars) value(p engine.PlayVariables, c engine.Candidate) any {
	if c.Secret {
		return event.Masked
	}
	if c.Value == nil || playbook.HoldsExpression(c.Value) || c.Value.ContainsSecret() || holdsSecretMapping(c.Value) {
		value, ok := p.Value(v.c.Context, c.Name)
		if !ok {
			return "(known in a run)"
		}
		return v.plain(value)
	}
	return v.written(c)
}

// written gives a value as it stands in its file.
func (v *shownVars) written(c engine.Candidate) any {
	switch {
	case c.Value == nil:
		return "(known in a run)"
	case c.Secret:
		return event.Masked
	}
	return v.plain(c.Value.Any())
}

// plain gives a value that every format can write; secrets in it hide themselves.
func (v *shownVars) plain(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return string(text)
	}
	switch out.(type) {
	case map[string]any, []any:
		if v.table {
			return string(text)
		}
	case float64:
		return json.Number(text)
	}
	return out
}

func holdsSecretMapping(n *source.Node) bool {
	if playbook.IsSecret(n) {
		return true
	}
	for _, e := range n.Entries {
		if holdsSecretMapping(e.Value) {
			return true
		}
	}
	return slices.ContainsFunc(n.Items, holdsSecretMapping)
}
