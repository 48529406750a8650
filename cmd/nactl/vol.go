package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt"
)

// volCommand holds the direct commands for volumes.
func (a *application) volCommand() *cli.Command {
	c := &cli.Command{
		Name: "vol", Usage: "look at volumes and change them, without a playbook", OnUsageError: usageError, HideHelpCommand: true,
		Description: "Each is a step with one target. A volume is named STORAGE/NAME and found on all targets of the inventory; --target says where, " +
			"and --host on which member of a cluster whose pools are each member's own.",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "the volumes of a storage, of all that are active where none is named", ArgsUsage: "[STORAGE]", OnUsageError: usageError,
				Flags: readFlags("table, json, csv or yaml"), Action: a.onDirect((*direct).listVolumes),
			},
			{
				Name: "info", Usage: "all that is known of a volume", ArgsUsage: "STORAGE/NAME", OnUsageError: usageError,
				Flags: readFlags("table, json, csv or yaml", hostFlag()), Action: a.onDirect((*direct).volumeInfo),
			},
		},
	}
	for _, v := range volVerbs {
		flags := v.flags
		if v.destroys != nil {
			flags = append(flags, yesFlag())
		}
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: v.name, Usage: v.usage, ArgsUsage: v.words, Description: v.more, Flags: changeFlags(append(flags, hostFlag())...), OnUsageError: usageError,
			Action: a.onVolVerb(v),
		})
	}
	c.Subcommands = append(c.Subcommands, a.verbCommand(volAttachVerb), a.verbCommand(volDetachVerb))
	c.Action = chooseVerb(c)
	return c
}

func hostFlag() cli.Flag {
	return &cli.StringFlag{Name: "host", Usage: "the member `NAME` of a cluster whose pool is meant"}
}

// volVerb is a command that changes a volume by one step.
type volVerb struct {
	name, usage, words, more string
	flags                    []cli.Flag
	is                       int  // which of the words is the volume
	made                     bool // it may make the volume, so that nobody can look for it
	destroys                 func(words []string) string
	step                     func(c *cli.Context, args *arguments, words []string) (word string, err error)
}

var volVerbs = []volVerb{
	{name: "create", usage: "make a blank volume", words: "STORAGE/NAME SIZE", made: true,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`NAME`: qcow2 or raw"},
			&cli.BoolFlag{Name: "sparse", Usage: "--sparse=false: all of its space is taken at once"},
		},
		step: func(c *cli.Context, args *arguments, words []string) (string, error) {
			args.typed("size", "SIZE", words[1])
			args.options(c, "format", "sparse")
			return "create_volume", nil
		}},
	{name: "resize", usage: "grow a volume that no running VM uses", words: "STORAGE/NAME SIZE",
		step: func(_ *cli.Context, args *arguments, words []string) (string, error) {
			args.typed("size", "SIZE", words[1])
			return "resize_volume", nil
		}},
	{name: "delete", usage: "delete a volume that nobody uses", words: "STORAGE/NAME",
		destroys: func(words []string) string { return "delete volume " + words[0] },
		step:     func(*cli.Context, *arguments, []string) (string, error) { return "delete_volume", nil }},
	{name: "upload", usage: "give a volume the content of a file; the same is not sent again", words: "FILE STORAGE/NAME", is: 1, made: true,
		more: "A volume of that name that holds something else is replaced, unless somebody uses it.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "what the file has to be, `NAME`: qcow2 or raw"},
			&cli.StringFlag{Name: "checksum", Usage: "what the file has to be, `sha256:HEX`"},
		},
		step: func(c *cli.Context, args *arguments, words []string) (string, error) {
			path, err := filepath.Abs(words[0])
			if err != nil {
				return "", err
			}
			args.set("src", "FILE", path)
			args.options(c, "format", "checksum")
			return "upload_volume", nil
		}},
	{name: "download", usage: "read a volume into a file, without its holes", words: "STORAGE/NAME FILE",
		step: func(_ *cli.Context, args *arguments, words []string) (string, error) {
			path, err := filepath.Abs(words[1])
			if err != nil {
				return "", err
			}
			args.set("dest", "FILE", path)
			return "download_volume", nil
		}},
	{name: "clone", usage: "copy a volume where it lies", words: "STORAGE/NAME COPY", more: "COPY is NAME in the same storage, or STORAGE/NAME.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "size", Usage: "at least `SIZE`, as 20GiB"},
			&cli.StringFlag{Name: "format", Usage: "`NAME`: qcow2 or raw; left out: that of the volume"},
		},
		step: func(c *cli.Context, args *arguments, words []string) (string, error) {
			from, source, err := volumeWord(words[0])
			if err != nil {
				return "", err
			}
			storage, name := from, words[1]
			if strings.Contains(name, "/") {
				if storage, name, err = volumeWord(name); err != nil {
					return "", err
				}
			}
			host, _ := virt.HostOf(from)
			_, pool := virt.HostOf(from)
			if there, _ := virt.HostOf(storage); there == "" {
				storage = virt.StorageOn(host, storage)
			} else if there != host {
				return "", exitError{engine.ExitOptions, fmt.Errorf("%s is on another member than %s: use vol download and vol upload", words[1], words[0])}
			}
			copied := &arguments{}
			onStorage(c, copied, storage)
			copied.set("name", "COPY", name)
			copied.set("from", "STORAGE/NAME", pool+"/"+source)
			copied.options(c, "format")
			copied.measured(c, "size")
			*args = *copied
			return "clone_volume", nil
		}},
}

// diskNamePattern is what a disk may be called on all platforms.
var diskNamePattern = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

var volAttachVerb = verb{name: "attach", usage: "give a VM a volume as a disk", words: "VM STORAGE/NAME",
	flags: []cli.Flag{
		&cli.StringFlag{Name: "name", Usage: "what the VM calls the disk; left out: the volume's `NAME`, without its ending"},
		&cli.StringFlag{Name: "bus", Usage: "`NAME`: virtio, scsi, sata"},
		&cli.BoolFlag{Name: "read-only", Usage: "the guest cannot write to it"},
	},
	step: func(c *cli.Context, words []string) (command, error) {
		storage, name, err := volumeWord(words[1])
		if err != nil {
			return command{}, err
		}
		args := onVM(words)
		args.set("storage", "STORAGE", storage)
		args.set("volume", "STORAGE/NAME", name)
		if !c.IsSet("name") {
			args.set("name", "STORAGE/NAME", diskNamePattern.ReplaceAllString(strings.TrimSuffix(name, filepath.Ext(name)), "-"))
		}
		args.options(c, "name", "bus", "read_only")
		return command{word: "attach_disk", args: args}, nil
	}}

var volDetachVerb = verb{name: "detach", usage: "take a disk away from a VM; its volume stays", words: "VM DISK", more: "DISK is its name or its target, as vdb.",
	step: func(_ *cli.Context, words []string) (command, error) {
		args := onVM(words)
		args.set("disk", "DISK", words[1])
		return command{word: "detach_disk", args: args}, nil
	}}

// volumeWord takes STORAGE/NAME apart; of a member's own pool it is
// HOST/STORAGE/NAME.
func volumeWord(text string) (storage, name string, err error) {
	words := strings.Split(text, "/")
	if last := len(words) - 1; last == 1 || last == 2 {
		storage, name = strings.Join(words[:last], "/"), words[last]
	}
	if name == "" || slices.Contains(words, "") {
		return "", "", exitError{engine.ExitOptions, fmt.Errorf("%q is no volume: write STORAGE/NAME, as images/web-1.qcow2", text)}
	}
	return storage, name, nil
}

// onStorage says where a volume is, by --host or by the storage's own name.
func onStorage(c *cli.Context, args *arguments, storage string) {
	host, pool := virt.HostOf(storage)
	if host != "" {
		args.set("host", "HOST", host)
	} else {
		args.options(c, "host")
	}
	args.set("storage", "STORAGE", pool)
}

// placed gives the name of a storage as a platform knows it.
func (d *direct) placed(storage string) string {
	if host, _ := virt.HostOf(storage); host != "" {
		return storage
	}
	return virt.StorageOn(d.c.String("host"), storage)
}

func (a *application) onVolVerb(v volVerb) cli.ActionFunc {
	return func(c *cli.Context) error {
		words, err := words(c)
		if err != nil {
			return err
		}
		storage, name, err := volumeWord(words[v.is])
		if err != nil {
			return err
		}
		args := &arguments{}
		onStorage(c, args, storage)
		args.set("name", "STORAGE/NAME", name)
		word, err := v.step(c, args, words)
		if err != nil {
			return err
		}
		return a.onDirect(func(d *direct) error {
			target, err := d.keeper(storage, name, v.made)
			if err != nil {
				return err
			}
			if v.destroys != nil {
				if err := d.confirm(v.destroys(words), target); err != nil {
					return err
				}
			}
			return d.change(target, command{word: word, args: args})
		})(c)
	}
}

// keeper finds the target that has a volume. One that may be made is at home where
// its storage is, if only one target has that.
func (d *direct) keeper(storage, name string, made bool) (string, error) {
	if len(d.targets) == 1 {
		return d.targets[0].Name, nil
	}
	with, without, err := d.homes(storage, name)
	if err != nil {
		return "", err
	}
	if made && len(with) == 0 {
		with = without
	}
	switch len(with) {
	case 1:
		return with[0], nil
	case 0:
		return "", exitError{engine.ExitFailed, fmt.Errorf("volume %s/%s is not there: looked for on %s", storage, name, d.among())}
	}
	return "", exitError{engine.ExitOptions, fmt.Errorf("%s/%s may be on several targets: %s; name one with --target", storage, name, strings.Join(with, ", "))}
}

// homes gives the targets that have a volume, and those that have only its storage.
func (d *direct) homes(storage, name string) (with, without []string, err error) {
	type home struct {
		has  bool
		err  error
		pool bool
	}
	homes := make([]home, len(d.targets))
	var wg sync.WaitGroup
	for i, t := range d.targets {
		wg.Go(func() {
			p, err := d.conns.open(d.ctx, t.Name)
			if err == nil {
				_, err = p.Volume(d.ctx, d.placed(storage), name)
			}
			var e *virt.Error
			switch {
			case err == nil:
				homes[i].has = true
			case !errors.As(err, &e) || e.Kind != virt.ErrNotFound:
				homes[i].err = err
			default:
				homes[i].pool = e.Object.Kind == virt.KindVolume
			}
		})
	}
	wg.Wait()
	if d.ctx.Err() != nil {
		return nil, nil, interruptedError(d.ctx, d.ctx.Err())
	}
	for i, t := range d.targets {
		switch {
		case isAway(homes[i].err):
			return nil, nil, exitError{engine.ExitUnreachable, fmt.Errorf("volume %s/%s may be where it could not be looked for:\n  %s: %w\nname the target with --target", storage, name, t.Name, homes[i].err)}
		case homes[i].err != nil:
			return nil, nil, d.readError(fmt.Errorf("%s: %w", t.Name, homes[i].err))
		case homes[i].has:
			with = append(with, t.Name)
		case homes[i].pool:
			without = append(without, t.Name)
		}
	}
	return with, without, nil
}

// volColumns are those of nactl vol list and info.
var volColumns = []string{"storage", "name", "format", "size", "actual_size", "target", "backing", "unfinished"}

func volRow(target string, v *virt.Volume) row {
	return row{"storage": v.Storage, "name": v.Name, "format": v.Format, "size": size(v.Size), "actual_size": size(v.ActualSize), "target": target,
		"backing": v.Backing, "unfinished": v.Unfinished, "path": v.Path.Or("")}
}

// listVolumes lists volumes of all targets. One that does not answer hides nothing.
func (d *direct) listVolumes() error {
	given, err := words(d.c)
	if err != nil {
		return err
	}
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	missing := 0
	var mu sync.Mutex
	rows, failed := ask(d.ctx, d.conns, d.targets, func(ctx context.Context, target string, p virt.Platform) ([]row, error) {
		rows, err := volumeRows(ctx, target, p, given[0])
		var e *virt.Error
		if given[0] != "" && errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindStorage {
			mu.Lock()
			defer mu.Unlock()
			missing++
			return nil, nil
		}
		return rows, err
	})
	if d.ctx.Err() != nil {
		return interruptedError(d.ctx, d.ctx.Err())
	}
	if missing == len(d.targets) {
		return exitError{engine.ExitFailed, fmt.Errorf("storage %s is not there: looked for on %s", given[0], d.among())}
	}
	for _, f := range failed {
		fmt.Fprintf(d.app.stderr, "nactl: warning: %s\n", f)
	}
	if err := d.app.deliver(d.c.String("out"), func(w io.Writer) error { return write(w, volColumns, rows) }); err != nil {
		return err
	}
	if len(failed) > 0 {
		return exitError{engine.ExitUnreachable, nil}
	}
	return nil
}

// volumeRows gives the volumes of one storage of a target; of all, where none is
// named.
func volumeRows(ctx context.Context, target string, p virt.Platform, storage string) ([]row, error) {
	names := []string{storage}
	if storage == "" {
		names = nil
		all, err := p.Storages(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if name := virt.StorageOn(memberOf(p, s), s.Name); s.Active {
				names = append(names, name)
			}
		}
	}
	var rows []row
	for _, name := range names {
		all, err := p.Volumes(ctx, name)
		if err != nil {
			return rows, err
		}
		for _, v := range all {
			rows = append(rows, volRow(target, v))
		}
	}
	return rows, nil
}

// memberOf gives the member of a cluster whose own a pool is; empty for all others.
func memberOf(p virt.Platform, s *virt.Storage) string {
	if _, cluster := p.(virt.Grouped); cluster && p.Type() == "libvirt" && !s.Shared {
		return s.Host
	}
	return ""
}

// volumeInfo shows one volume.
func (d *direct) volumeInfo() error {
	given, err := words(d.c)
	if err != nil {
		return err
	}
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	storage, name, err := volumeWord(given[0])
	if err != nil {
		return err
	}
	target, err := d.keeper(storage, name, false)
	if err != nil {
		return err
	}
	p, err := d.conns.open(d.ctx, target)
	if err != nil {
		return d.readError(err)
	}
	v, err := p.Volume(d.ctx, d.placed(storage), name)
	if err != nil {
		return d.readError(err)
	}
	columns := append(volColumns, "path")
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error { return write(w, columns, []row{volRow(target, v)}) })
}
