package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt"
)

// statsCommand tells what VMs use.
func (a *application) statsCommand() *cli.Command {
	return &cli.Command{
		Name: "stats", Usage: "what VMs use: CPU, memory, disk and network", ArgsUsage: "[VM…]", OnUsageError: usageError,
		Description: "Without a name, all that run. CPU is in percent of all CPUs of the VM. Nodes tell what was used since the VM's start, so two looks are taken; engines tell rates themselves, some seconds old.",
		Flags: readFlags("table, json, csv or yaml",
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "look again and again, until interrupted"},
			&cli.IntFlag{Name: "count", Aliases: []string{"n"}, Usage: "with --watch: end after `N` looks"},
			&cli.StringFlag{Name: "interval", Value: "1s", Usage: "time between two looks, as `2s`"},
		),
		Action: a.onDirect((*direct).stats),
	}
}

// statsColumns are those of nactl vm stats. Rates are bytes a second.
var statsColumns = []string{"name", "cpu_percent", "cpus", "memory_used", "memory", "disk_read", "disk_write", "net_in", "net_out", "target", "host"}

// rate is a number of bytes a second, which tables show with a unit.
type rate float64

// String gives the rate for people.
func (r rate) String() string {
	n := int64(r)
	if n < 10*virt.KiB {
		return fmt.Sprintf("%d B/s", n)
	}
	return virt.FormatSize(n/virt.KiB*virt.KiB) + "/s"
}

// percent is a share, to the tenth.
type percent float64

// String gives the share for people.
func (p percent) String() string { return fmt.Sprintf("%.1f", float64(p)) }

// shortestInterval keeps a watch from being work for those who are watched.
const shortestInterval = 200 * time.Millisecond

func (d *direct) stats() error {
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	interval, err := time.ParseDuration(d.c.String("interval"))
	switch {
	case err != nil || interval < shortestInterval:
		return exitError{engine.ExitOptions, fmt.Errorf("--interval is a time from %s on, as 2s, not %q", shortestInterval, d.c.String("interval"))}
	case d.c.IsSet("count") && (!d.c.Bool("watch") || d.c.Int("count") < 1):
		return exitError{engine.ExitOptions, errors.New("--count is how often --watch looks: at least once")}
	case d.c.Bool("watch") && d.c.IsSet("out"):
		return exitError{engine.ExitOptions, errors.New("--watch shows, --out keeps: leave one of them out")}
	case d.c.Bool("watch") && d.c.String("output") != "table":
		return exitError{engine.ExitOptions, errors.New("--watch shows a table; for programs leave it out and call again")}
	}
	watched, err := d.watched()
	if err != nil {
		return err
	}
	before, err := d.usage(watched, true)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := pauseFor(d.ctx, interval); err != nil {
			return interruptedError(d.ctx, err)
		}
		now, err := d.usage(watched, false)
		if err != nil {
			return interruptedError(d.ctx, err)
		}
		rows := rates(before, now)
		if !d.c.Bool("watch") {
			return d.app.deliver(d.c.String("out"), func(w io.Writer) error { return write(w, statsColumns, rows) })
		}
		if err := d.redraw(rows); err != nil || n == d.c.Int("count") {
			return err
		}
		before = now
	}
}

// watched gives the VMs that are named, by target; without names nil, for all.
func (d *direct) watched() (map[string][]string, error) {
	if !d.c.Args().Present() {
		return nil, nil
	}
	out := map[string][]string{}
	for _, name := range d.c.Args().Slice() {
		f, err := d.find(name, toRead)
		if err != nil {
			return nil, err
		}
		if !f.vm.State.IsLive() {
			return nil, exitError{engine.ExitFailed, fmt.Errorf("vm %s does not run: it is %s, and uses nothing", name, f.vm.State)}
		}
		out[f.target] = append(out[f.target], name)
	}
	return out, nil
}

// sampled is what a VM of a target uses.
type sampled struct {
	target string
	virt.Usage
}

// usage asks all targets. The first time, those that cannot be asked get a
// warning.
func (d *direct) usage(watched map[string][]string, first bool) ([]sampled, error) {
	rows, failed := ask(d.ctx, d.conns, d.targets, func(ctx context.Context, target string, p virt.Platform) ([]row, error) {
		names := watched[target]
		if watched != nil && names == nil {
			return nil, nil
		}
		metered, ok := p.(virt.Metered)
		if !ok {
			return nil, fmt.Errorf("%s does not tell what VMs use", p.Type())
		}
		all, err := metered.Usage(ctx, names...)
		var out []row
		for _, u := range all {
			out = append(out, row{"sample": sampled{target, u}})
		}
		return out, err
	})
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	for _, f := range failed {
		if first {
			fmt.Fprintf(d.app.stderr, "nactl: warning: %s\n", f)
		}
	}
	if len(failed) > 0 && len(failed) == len(d.targets) {
		return nil, exitError{engine.ExitUnreachable, errors.New("no target could be asked")}
	}
	var out []sampled
	for _, r := range rows {
		if s, ok := r["sample"].(sampled); ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// rates gives the rows of a table from two looks.
func rates(before, now []sampled) []row {
	type key struct{ target, vm string }
	earlier := map[key]virt.Usage{}
	for _, s := range before {
		earlier[key{s.target, s.VM}] = s.Usage
	}
	rows := []row{}
	for _, s := range now {
		u := s.Since(earlier[key{s.target, s.VM}])
		r := row{"name": u.VM, "cpus": u.CPUs, "memory": size(u.Memory), "target": s.target, "host": u.Host}
		put(r, "cpu_percent", u.CPU, func(n float64) any { return percent(hundredths(n)) })
		put(r, "memory_used", u.MemoryUsed, func(n int64) any { return size(n) })
		put(r, "disk_read", u.Disk.InRate, func(n float64) any { return rate(hundredths(n)) })
		put(r, "disk_write", u.Disk.OutRate, func(n float64) any { return rate(hundredths(n)) })
		put(r, "net_in", u.Net.InRate, func(n float64) any { return rate(hundredths(n)) })
		put(r, "net_out", u.Net.OutRate, func(n float64) any { return rate(hundredths(n)) })
		rows = append(rows, r)
	}
	return rows
}

// put sets a cell, if it is known; else it is null for programs, and a dash for
// people.
func put[T any](r row, column string, v virt.Opt[T], show func(T) any) {
	if n, ok := v.Get(); ok {
		r[column] = show(n)
	}
}

// redraw shows a table in place of the last one; where there is no terminal, below
// it.
func (d *direct) redraw(rows []row) error {
	var text strings.Builder
	if err := writeTable(&text, statsColumns, rows); err != nil {
		return err
	}
	out := text.String()
	if !terminal(d.app.stdout) || os.Getenv("TERM") == "dumb" {
		_, err := io.WriteString(d.app.stdout, out+"\n")
		return err
	}
	columns := width(d.app.stdout)
	var b strings.Builder
	b.WriteString("\x1b[H") // what stands there is written over, so that nothing flickers
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, " \n")
		if r := []rune(line); columns > 0 && len(r) > columns {
			line = string(r[:columns])
		}
		b.WriteString(line + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(d.app.stdout, b.String())
	return err
}

// pauseFor lets time pass.
func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
