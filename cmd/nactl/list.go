package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/virt"
)

// listCommand lists what there is on all targets at once.
func (a *application) listCommand() *cli.Command {
	c := &cli.Command{Name: "list", Usage: "list what there is on all targets", OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			return exitError{engine.ExitOptions, fmt.Errorf("name what to list: nactl list vms, hosts, clusters, datacenters or storage")}
		}}
	for _, kind := range []struct {
		name, usage string
		rows        func(context.Context, string, virt.Platform) ([]row, error)
		columns     []string
	}{
		{"vms", "virtual machines with host, address and storage", vmRows, vmColumns},
		{"hosts", "hypervisors", hostRows, hostColumns},
		{"clusters", "clusters of hosts", clusterRows, clusterColumns},
		{"datacenters", "data centres of engines", centreRows, centreColumns},
		{"storage", "storage pools and domains, with what is left", storageRows, storageColumns},
	} {
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: kind.name, Usage: kind.usage, OnUsageError: usageError,
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
				vaultIdentityFlag(),
				askPassFlag(),
				&cli.StringFlag{Name: "limit", Aliases: []string{"l"}, Value: "all", Usage: "only targets that `PATTERN` names"},
				&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json, csv or yaml"},
				&cli.StringFlag{Name: "out", Usage: "write to `FILE`, which is replaced as a whole"},
			},
			Action: func(c *cli.Context) error { return a.list(c, kind.columns, kind.rows) },
		})
	}
	return c
}

// list asks all targets side by side. One that does not answer hides nothing: the
// rows of the others are there, with a warning and exit code 4.
func (a *application) list(c *cli.Context, columns []string, rows func(context.Context, string, virt.Platform) ([]row, error)) error {
	write, err := formatter(c.String("output"))
	if err != nil {
		return err
	}
	s := &setup{app: a, ctx: c.Context, c: c, sources: a.sources(c)}
	inv, list := a.loadInventory(c, c.StringSlice("inventory"), s.sources)
	if err := s.report(list); err != nil {
		return err
	}
	targets, list := inv.SelectText(c.String("limit"), "--limit")
	if err := s.report(list); err != nil {
		return err
	}
	s.conns = a.newConnections(inv, "")
	defer s.close()
	if err := s.askPass(); err != nil {
		return err
	}
	found, failed := ask(c.Context, s.conns, targets, rows)
	if c.Context.Err() != nil {
		return exitError{engine.ExitInterrupted, nil}
	}
	for _, f := range failed {
		fmt.Fprintf(a.stderr, "nactl: warning: %s\n", f)
	}
	if err := a.deliver(c.String("out"), func(w io.Writer) error { return write(w, columns, found) }); err != nil {
		return err
	}
	if len(failed) > 0 {
		return exitError{engine.ExitUnreachable, nil}
	}
	return nil
}

// ask gathers the rows of all targets, in the order of the targets.
func ask(ctx context.Context, conns *connections, targets []inventory.Target, rows func(context.Context, string, virt.Platform) ([]row, error)) (found []row, failed []string) {
	byTarget, errs := make([][]row, len(targets)), make([]error, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			p, err := conns.open(ctx, t.Name)
			if err == nil {
				byTarget[i], err = rows(ctx, t.Name, p)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, t := range targets {
		found = append(found, byTarget[i]...)
		if errs[i] != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", t.Name, errs[i]))
		}
	}
	return found, failed
}

// deliver writes to stdout, or into a file that is there as a whole or not at
// all.
func (a *application) deliver(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(a.stdout)
	}
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	return replaceFile(path, []byte(text.String()), 0o644)
}
