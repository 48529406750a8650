package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/modules/vmfacts"
	"github.com/nactl/nactl/virt"
)

// vmReadCommands are those that look at VMs.
func (a *application) vmReadCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "VMs that run; with --all also those that do not", OnUsageError: usageError,
			Flags:  readFlags("table, json, csv or yaml", &cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "also VMs that do not run"}),
			Action: a.onDirect((*direct).listVMs),
		},
		{
			Name: "status", Usage: "print the state of a VM: running, stopped, paused, …", ArgsUsage: "VM", OnUsageError: usageError,
			Flags: readFlags("table, json, csv or yaml"), Action: a.onDirect((*direct).status),
		},
		{
			Name: "is-running", Usage: "tell by the exit code whether a VM runs", ArgsUsage: "VM", OnUsageError: usageError,
			Description: "Exits with 0 when it runs, 1 when it does not, 255 when it could not be told.",
			Flags:       targetFlags(), Action: a.onDirect((*direct).isRunning),
		},
		{
			Name: "info", Usage: "all that is known of a VM", ArgsUsage: "VM", OnUsageError: usageError,
			Flags: readFlags("table, json or yaml"), Action: a.onDirect((*direct).info),
		},
		a.statsCommand(),
		a.captureCommand(),
	}
}

// size is a number of bytes, which tables show with a unit.
type size int64

// String gives the size for people.
func (s size) String() string { return virt.FormatSize(int64(s)) }

// vmListColumns are those of nactl vm list.
var vmListColumns = []string{"name", "state", "autostart", "cpus", "memory", "target", "host"}

// listVMs lists the VMs of all targets. One that does not answer hides nothing.
func (d *direct) listVMs() error {
	if d.c.Args().Present() {
		return exitError{engine.ExitOptions, fmt.Errorf("what is %q? vm list takes no name; see vm info", d.c.Args().First())}
	}
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	columns := vmListColumns
	if d.app.old != nil {
		columns = columns[:3]
	}
	found, failed := ask(d.ctx, d.conns, d.targets, func(ctx context.Context, target string, p virt.Platform) ([]row, error) {
		vms, err := p.VMs(ctx)
		var rows []row
		for _, vm := range vms {
			if !vm.State.IsLive() && !d.c.Bool("all") {
				continue
			}
			rows = append(rows, row{"name": vm.Name, "state": string(vm.State), "autostart": d.truth(vm.Autostart), "cpus": vm.CPU.Count,
				"memory": size(vm.Memory.Current), "target": target, "host": vm.Host.Or("")})
		}
		return rows, err
	})
	if d.ctx.Err() != nil {
		return interruptedError(d.ctx, d.ctx.Err())
	}
	for _, f := range failed {
		fmt.Fprintf(d.app.stderr, "nactl: warning: %s\n", f)
	}
	if err := d.app.deliver(d.c.String("out"), func(w io.Writer) error { return write(w, columns, found) }); err != nil {
		return err
	}
	if len(failed) > 0 {
		return exitError{engine.ExitUnreachable, nil}
	}
	return nil
}

// truth gives a boolean, in the word of the old programs where one was called.
func (d *direct) truth(b bool) any {
	switch {
	case d.app.old == nil:
		return b
	case b:
		return "yes"
	default:
		return "no"
	}
}

// named finds the VM that the command's only word names, to look at it.
func (d *direct) named() (*found, error) {
	words, err := words(d.c)
	if err != nil {
		return nil, err
	}
	return d.find(words[0], toRead)
}

func (d *direct) status() error {
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	f, err := d.named()
	if err != nil {
		return err
	}
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error {
		if d.c.String("output") == "table" {
			_, err := fmt.Fprintln(w, f.vm.State)
			return err
		}
		return write(w, []string{"name", "state", "target"}, []row{{"name": f.vm.Name, "state": string(f.vm.State), "target": f.target}})
	})
}

// exitNotRunning is how is-running ends for a VM that does not run.
const exitNotRunning = 1

func (d *direct) isRunning() error {
	f, err := d.named()
	if err != nil {
		return err
	}
	switch f.vm.State {
	case virt.Running, virt.InMigration:
		return nil
	default:
		return ownExit(exitNotRunning)
	}
}

// vmInfo is all that is known of a VM.
type vmInfo struct {
	Target string `json:"target"`
	*virt.VM
	Guest     *virt.GuestInfo  `json:"guest,omitempty"` // of a running VM with an agent
	Snapshots []*virt.Snapshot `json:"snapshots,omitempty"`
}

func (d *direct) info() error {
	format := d.c.String("output")
	if format != "table" && format != "json" && format != "yaml" {
		return exitError{engine.ExitOptions, fmt.Errorf("--output is table, json or yaml, not %q", format)}
	}
	f, err := d.named()
	if err != nil {
		return err
	}
	i := vmInfo{Target: f.target, VM: f.vm}
	if err := f.platform.DiskSizes(d.ctx, f.vm); err != nil {
		return d.readError(err)
	}
	if i.Snapshots, err = f.platform.Snapshots(d.ctx, f.vm.Name); err != nil && !errors.Is(err, virt.ErrUnsupported) {
		return d.readError(err)
	}
	if f.vm.State == virt.Running && f.vm.Agent == virt.AgentConnected {
		// A guest that does not answer leaves it open.
		if g, err := f.platform.GuestInfo(d.ctx, f.vm.Name); err == nil && g.Agent == virt.AgentConnected {
			i.Guest = g
		}
	}
	if d.ctx.Err() != nil {
		return interruptedError(d.ctx, d.ctx.Err())
	}
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error {
		if format == "table" {
			return i.write(w)
		}
		return writeValue(w, format, i)
	})
}

// write shows it to people.
func (i vmInfo) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	say := func(name string, value any) {
		if text := cell(value); text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	say("name", i.Name)
	say("target", i.Target)
	say("id", i.ID.Or(""))
	say("state", i.State)
	say("host", i.Host.Or(""))
	say("cluster", i.Cluster)
	say("data center", i.DataCentre)
	say("title", i.Title)
	say("description", i.Description)
	say("comment", i.Comment)
	say("autostart", i.Autostart)
	say("cpu", cpuText(i.CPU))
	say("memory", memoryText(i.Memory))
	say("boot", i.Boot)
	say("firmware", i.Firmware)
	say("machine", i.Machine)
	say("accel", i.Accel)
	say("agent", string(i.Agent))
	i.guest(say)
	say("tags", i.Tags)
	for _, k := range sortedKeys(i.Metadata) {
		say("metadata "+k, i.Metadata[k])
	}
	if i.Locked != "" {
		say("locked", i.Locked)
	}
	if i.Unfinished != "" {
		say("unfinished", "run "+i.Unfinished+" was interrupted while making it")
	}
	for _, k := range i.Disks {
		say("disk "+k.Name, diskText(k))
	}
	for _, n := range i.NICs {
		say("nic "+n.Name, nicText(n))
	}
	for _, p := range i.Pending {
		say("pending "+p.Field, fmt.Sprintf("%v runs, %v is stored: %s", shown(p.Live), shown(p.Configured), p.Reason))
	}
	for _, s := range i.Snapshots {
		say("snapshot "+s.Name, snapshotText(s))
	}
	return t.Flush()
}

// guest says what the agent told; addresses may come from the engine.
func (i vmInfo) guest(say func(string, any)) {
	if i.Guest == nil {
		say("hostname", i.FQDN)
		say("addresses", i.Addresses)
		return
	}
	say("hostname", cmp.Or(i.Guest.Hostname, i.FQDN))
	say("os", i.Guest.OS)
	say("addresses", vmfacts.Addresses(i.Guest))
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// shown gives a value of a pending field for people.
func shown(v any) any {
	if n, ok := v.(int64); ok && n >= virt.MiB {
		return size(n)
	}
	return v
}

func cpuText(c virt.CPU) string {
	text := fmt.Sprint(c.Count)
	if c.Max > c.Count {
		text += fmt.Sprintf(", at most %d", c.Max)
	}
	if t := c.Topology; t != (virt.Topology{}) {
		text += fmt.Sprintf(", %d sockets × %d cores × %d threads", t.Sockets, t.Cores, t.Threads)
	}
	return text
}

func memoryText(m virt.Memory) string {
	text := virt.FormatSize(m.Current)
	if m.Max > m.Current {
		text += ", at most " + virt.FormatSize(m.Max)
	}
	if m.Guaranteed > 0 {
		text += ", guaranteed " + virt.FormatSize(m.Guaranteed)
	}
	return text
}

func diskText(k virt.Disk) string {
	parts := []string{}
	if k.Size > 0 {
		parts = append(parts, virt.FormatSize(k.Size))
	}
	for _, p := range []string{k.Device, k.Format, k.Bus, k.Target} {
		if p != "" && p != "disk" {
			parts = append(parts, p)
		}
	}
	if k.Storage != "" {
		parts = append(parts, "on "+k.Storage+"/"+k.Volume)
	} else if path := k.Path.Or(""); path != "" {
		parts = append(parts, path)
	}
	for _, p := range []struct {
		is   bool
		text string
	}{{k.Boot, "boot"}, {k.ReadOnly, "read-only"}, {k.In.Live && !k.In.Config, "until it stops"}, {!k.In.Live && k.In.Config, ""}, {k.Broken != "", "broken: " + k.Broken}} {
		if p.is && p.text != "" {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(parts, ", ")
}

func nicText(n virt.NIC) string {
	parts := []string{}
	for _, p := range []string{n.MAC.Or(""), n.Network, n.Profile, n.Bridge, n.Model} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if n.VLAN != 0 {
		parts = append(parts, fmt.Sprintf("VLAN %d", n.VLAN))
	}
	if !n.LinkUp {
		parts = append(parts, "link down")
	}
	return strings.Join(parts, ", ")
}

func snapshotText(s *virt.Snapshot) string {
	var parts []string
	if at, ok := s.Created.Get(); ok {
		parts = append(parts, at.Local().Format(time.DateTime))
	}
	if s.Memory.Or(false) {
		parts = append(parts, "with memory")
	}
	if s.Current {
		parts = append(parts, "current")
	}
	if s.State != virt.SnapshotOK {
		parts = append(parts, string(s.State))
	}
	if s.Description != "" {
		parts = append(parts, s.Description)
	}
	return strings.Join(parts, ", ")
}

// snapshotListCommand lists the snapshots of a VM.
func (a *application) snapshotListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "the snapshots of a VM, the oldest first", ArgsUsage: "VM", OnUsageError: usageError,
		Flags: readFlags("table, json, csv or yaml"), Action: a.onDirect((*direct).listSnapshots),
	}
}

// snapshotColumns are those of nactl vm snapshot list.
var snapshotColumns = []string{"name", "created", "state", "memory", "current", "parent", "id", "description"}

func (d *direct) listSnapshots() error {
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	f, err := d.named()
	if err != nil {
		return err
	}
	all, err := f.platform.Snapshots(d.ctx, f.vm.Name)
	if err != nil {
		return d.readError(err)
	}
	rows := []row{}
	for _, s := range all {
		created := ""
		if at, ok := s.Created.Get(); ok {
			created = at.UTC().Format(time.RFC3339)
		}
		rows = append(rows, row{"name": s.Name, "created": created, "state": string(s.State), "memory": s.Memory.Or(false), "current": s.Current,
			"parent": s.Parent.Or(""), "id": s.ID.Or(""), "description": s.Description})
	}
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error { return write(w, snapshotColumns, rows) })
}
