package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/inventory"
)

// doctorCommand looks at all that a run needs before there is a run, and says what
// is missing or wrong with the way out. It changes nothing.
func (a *application) doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "say what is missing or wrong on this machine, in the configuration, on each target", OnUsageError: usageError,
		Description: "Looks, and changes nothing. Exits with 0 when nothing is wrong, warnings aside; 2 when something is; " +
			"4 when a target cannot be reached; 6 when the inventory is invalid.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
			vaultIdentityFlag(),
			&cli.StringFlag{Name: "limit", Aliases: []string{"l", "target"}, Value: "all", Usage: "only targets that `PATTERN` names"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "human", Usage: "`FORMAT`: human, json or yaml"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "leave out what is well"},
		},
		Action: a.doctor,
	}
}

// verdict is what a look came to.
type verdict string

const (
	well  verdict = "ok"
	warns verdict = "warning" // works, but less well than it could
	wrong verdict = "error"
)

// finding is what one look came to.
type finding struct {
	Where string  `json:"where"` // this machine, the inventory, or a target
	Check string  `json:"check"`
	Found verdict `json:"verdict"`
	Says  string  `json:"says"`
	Do    string  `json:"do,omitempty"` // the way out

	code int // exit code that it calls for
}

// findings are those of one place, in the order in which they were looked for. They
// belong to one goroutine.
type findings struct {
	where string
	list  []finding
}

func (f *findings) ok(check, format string, args ...any) {
	f.list = append(f.list, finding{Where: f.where, Check: check, Found: well, Says: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(check, says, do string) {
	f.list = append(f.list, finding{Where: f.where, Check: check, Found: warns, Says: says, Do: do})
}

func (f *findings) fail(check, says, do string) {
	f.list = append(f.list, finding{Where: f.where, Check: check, Found: wrong, Says: says, Do: do, code: engine.ExitFailed})
}

func (a *application) doctor(c *cli.Context) error {
	show, err := doctorView(c.String("output"), c.Bool("quiet"))
	if err != nil {
		return err
	}
	if c.NArg() > 0 {
		return exitError{engine.ExitOptions, fmt.Errorf("what is %q? targets are named with --limit", c.Args().First())}
	}
	s := &setup{app: a, ctx: c.Context, c: c, sources: a.sources(c)}
	defer s.close()
	inv, problems := a.loadInventory(c, c.StringSlice("inventory"), s.sources)
	var targets []inventory.Target
	if !problems.HasErrors() {
		selected, found := inv.SelectText(c.String("limit"), "--limit")
		problems.Add(found...)
		targets = withMembers(inv, selected)
	}
	if err := s.report(problems); err != nil {
		return err
	}
	s.inv, s.conns = inv, a.newConnections(inv, "")
	all := a.examineMachine(targets)
	all = append(all, examineInventory(c.Context, inv, targets)...)
	all = append(all, examineTargets(c.Context, s.conns, inv, targets)...)
	if c.Context.Err() != nil {
		return interruptedError(c.Context, c.Context.Err())
	}
	if err := show(a.stdout, all); err != nil {
		return err
	}
	worst := engine.ExitOK
	for _, f := range all {
		// what failed on one target is heavier than what was not to be seen on another
		if f.code != engine.ExitOK && (worst == engine.ExitOK || f.code == engine.ExitFailed) {
			worst = f.code
		}
	}
	if worst != engine.ExitOK {
		return exitError{worst, nil}
	}
	return nil
}

// withMembers adds the members of clusters, each of which is looked at by itself.
func withMembers(inv *inventory.Inventory, targets []inventory.Target) []inventory.Target {
	var out []inventory.Target
	seen := map[string]bool{}
	for _, t := range targets {
		names := []string{t.Name}
		if t.Cluster != nil {
			for _, n := range t.Cluster.Nodes {
				names = append(names, n.Name)
			}
		}
		for _, name := range names {
			if one, ok := inv.Target(name); ok && !seen[name] {
				seen[name] = true
				out = append(out, one)
			}
		}
	}
	return out
}

// examineTargets looks at all targets side by side, and gives what was found in their
// order.
func examineTargets(ctx context.Context, conns *connections, inv *inventory.Inventory, targets []inventory.Target) []finding {
	each := make([]findings, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			f := &each[i]
			f.where = t.Name
			p, err := conns.open(ctx, t.Name)
			if err != nil {
				f.broken("configuration", err)
				return
			}
			f.target(ctx, p, inv, t)
		})
	}
	wg.Wait()
	var out []finding
	for _, f := range each {
		out = append(out, f.list...)
	}
	return out
}

// doctorView gives what shows findings.
func doctorView(format string, quiet bool) (func(io.Writer, []finding) error, error) {
	var show func(io.Writer, []finding) error
	switch format {
	case "human":
		show = showFindings
	case "json":
		show = func(w io.Writer, all []finding) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(all)
		}
	case "yaml":
		show = func(w io.Writer, all []finding) error { return yaml.NewEncoder(w, yaml.UseJSONMarshaler()).Encode(all) }
	default:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--output is human, json or yaml, not %q", format)}
	}
	return func(w io.Writer, all []finding) error {
		kept := []finding{}
		for _, f := range all {
			if !quiet || f.Found != well {
				kept = append(kept, f)
			}
		}
		return show(w, kept)
	}, nil
}

func showFindings(w io.Writer, all []finding) error {
	var b strings.Builder
	where, warnings, errors := "", 0, 0
	width := 0
	for _, f := range all {
		width = max(width, len(f.Check))
	}
	for _, f := range all {
		if f.Where != where {
			where = f.Where
			fmt.Fprintf(&b, "%s\n", cell(where))
		}
		fmt.Fprintf(&b, "  %-8s %-*s  %s\n", f.Found, width, f.Check, cell(f.Says))
		if f.Do != "" {
			fmt.Fprintf(&b, "  %-8s %-*s  do: %s\n", "", width, "", cell(f.Do))
		}
		switch f.Found {
		case warns:
			warnings++
		case wrong:
			errors++
		}
	}
	fmt.Fprintf(&b, "\n%d looked at: %s\n", len(all), tallied(errors, warnings))
	_, err := io.WriteString(w, b.String())
	return err
}

func tallied(errors, warnings int) string {
	if errors+warnings == 0 {
		return "all is well"
	}
	count := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	return count(errors, "error") + ", " + count(warnings, "warning")
}
