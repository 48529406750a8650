package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt"
)

// verb is a command that changes a VM by one step. The first of its words is the
// VM.
type verb struct {
	name, usage, words, more string
	flags                    []cli.Flag
	// destroys says what it would destroy, as "delete vm web-1"; nil for nothing.
	destroys func(c *cli.Context, words []string) string
	step     func(c *cli.Context, words []string) (command, error)
}

// vmChangeCommands are those that change a VM.
func (a *application) vmChangeCommands() []*cli.Command {
	var out []*cli.Command
	for _, v := range []verb{
		startVerb, shutdownVerb, rebootVerb, resetVerb, pauseVerb, suspendVerb, resumeVerb, setCPUVerb, setMemoryVerb, autostartVerb, renameVerb, migrateVerb, deleteVerb,
	} {
		out = append(out, a.verbCommand(v))
	}
	return append(out, a.installCommand(), a.snapshotCommand(), a.sshKeysCommand(), a.consoleCommand())
}

func (a *application) verbCommand(v verb) *cli.Command {
	flags := v.flags
	if v.destroys != nil {
		flags = append(flags, yesFlag())
	}
	return &cli.Command{
		Name: v.name, Usage: v.usage, ArgsUsage: v.words, Description: v.more, Flags: changeFlags(flags...), OnUsageError: usageError,
		Action: a.onVerb(v),
	}
}

func (a *application) onVerb(v verb) cli.ActionFunc {
	return func(c *cli.Context) error {
		words, err := words(c)
		if err != nil {
			return err
		}
		cmd, err := v.step(c, words)
		if err != nil {
			return err
		}
		return a.onDirect(func(d *direct) error {
			vm, err := d.find(words[0], toChange)
			if err != nil {
				return err
			}
			if v.destroys != nil {
				if what := v.destroys(c, words); what != "" {
					if err := d.confirm(what, vm.target); err != nil {
						return err
					}
				}
			}
			return d.change(vm.target, cmd)
		})(c)
	}
}

// onVM gives the arguments of a step that is about the first word.
func onVM(words []string) *arguments {
	args := &arguments{}
	args.set("vm", "VM", words[0])
	return args
}

// power gives the step power with a state or an action.
func power(words []string, key, value string) (command, error) {
	args := onVM(words)
	args.set(key, "the command", value)
	return command{word: "power", args: args}, nil
}

var startVerb = verb{name: "start", usage: "start a VM, or let it go on", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "state", "running") }}

var resumeVerb = verb{name: "resume", usage: "let a VM go on that was paused or suspended", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "state", "running") }}

var pauseVerb = verb{name: "pause", usage: "halt a VM's CPUs; it stays in memory", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "state", "paused") }}

var suspendVerb = verb{name: "suspend", usage: "save a VM to disk and stop it", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "state", "suspended") }}

var rebootVerb = verb{name: "reboot", usage: "ask the guest to restart", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "action", "reboot") }}

var resetVerb = verb{name: "reset", usage: "restart a VM as its reset button would", words: "VM",
	step: func(_ *cli.Context, words []string) (command, error) { return power(words, "action", "reset") }}

var shutdownVerb = verb{name: "shutdown", usage: "ask the guest to power off, and wait until it has", words: "VM",
	more: "Asks through the guest's agent, else by ACPI. -f ends the VM's process politely instead (SIGTERM), -f -9 hard (SIGKILL); what the guest has not written is lost.",
	flags: []cli.Flag{
		&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "do not ask the guest: cut the power"},
		&cli.BoolFlag{Name: "sigkill", Aliases: []string{"9"}, Usage: "with -f: kill its process if it does not end"},
		&cli.StringFlag{Name: "timeout", Usage: "how long the guest has, as `90s`"},
		&cli.StringFlag{Name: "force-after", Usage: "cut the power when the guest has not powered off after `90s`"},
	},
	step: func(c *cli.Context, words []string) (command, error) {
		force, kill := c.Bool("force"), c.Bool("sigkill")
		switch {
		case kill && !force:
			return command{}, exitError{engine.ExitOptions, errors.New("-9 says how the power is cut, and goes with -f")}
		case force && (c.IsSet("timeout") || c.IsSet("force-after")):
			return command{}, exitError{engine.ExitOptions, errors.New("-f does not wait for the guest: leave --timeout and --force-after out")}
		}
		args := onVM(words)
		args.set("state", "the command", "stopped")
		args.measured(c, "timeout", "force_after")
		if force {
			args.set("force_after", "-f", "0s")
			args.set("graceful", "-f", !kill)
		}
		return command{word: "power", args: args}, nil
	}}

var setCPUVerb = verb{name: "set-cpu", usage: "set the number of a VM's CPUs", words: "VM [CPUS]",
	more: "At once where that is possible; what has to wait for a restart is stored and reported as pending.",
	flags: []cli.Flag{
		&cli.StringFlag{Name: "max", Usage: "CPUs `N` that it can be given without a restart"},
		&cli.StringFlag{Name: "sockets", Usage: "`N` CPU sockets"},
		&cli.StringFlag{Name: "cores", Usage: "`N` cores in a socket"},
		&cli.StringFlag{Name: "threads", Usage: "`N` threads in a core"},
	},
	step: func(c *cli.Context, words []string) (command, error) {
		args := onVM(words)
		if words[1] != "" {
			args.typed("count", "CPUS", words[1])
		}
		args.measured(c, "max")
		topology := &arguments{}
		topology.measured(c, "sockets", "cores", "threads")
		if len(topology.entries) > 0 {
			args.set("topology", "--sockets, --cores, --threads", topology)
		}
		if len(args.entries) == 1 {
			return command{}, exitError{engine.ExitOptions, errors.New("say how many CPUs: nactl vm set-cpu VM CPUS")}
		}
		return command{word: "set_cpu", args: args}, nil
	}}

var setMemoryVerb = verb{name: "set-memory", usage: "set a VM's memory", words: "VM [SIZE]",
	more: "SIZE has a unit: 4GiB. At once up to the maximum; what has to wait for a restart is stored and reported as pending.",
	flags: []cli.Flag{
		&cli.StringFlag{Name: "max", Usage: "`SIZE` that it can have; on nodes after a restart"},
		&cli.StringFlag{Name: "guaranteed", Usage: "engines only: `SIZE` that is never taken away"},
	},
	step: func(c *cli.Context, words []string) (command, error) {
		args := onVM(words)
		if words[1] != "" {
			args.typed("current", "SIZE", words[1])
		}
		args.measured(c, "max", "guaranteed")
		if len(args.entries) == 1 {
			return command{}, exitError{engine.ExitOptions, errors.New("say how much: nactl vm set-memory VM 4GiB")}
		}
		return command{word: "set_memory", args: args}, nil
	}}

var autostartVerb = verb{name: "autostart", usage: "start a VM with its host, or not; on engines high availability", words: "VM on|off",
	step: func(_ *cli.Context, words []string) (command, error) {
		on, ok := map[string]bool{"on": true, "off": false}[words[1]]
		if !ok {
			return command{}, exitError{engine.ExitOptions, fmt.Errorf("autostart is on or off, not %q", words[1])}
		}
		args := onVM(words)
		args.set("autostart", "the command", on)
		return command{word: "set_vm", args: args}, nil
	}}

var renameVerb = verb{name: "rename", usage: "give a VM another name", words: "VM NAME",
	more: "On nodes the VM has to be stopped and must have no snapshots; on engines it may run. Its volumes and its guest keep the names that they have.",
	step: func(_ *cli.Context, words []string) (command, error) {
		args := onVM(words)
		args.set("to", "NAME", words[1])
		return command{word: "rename_vm", args: args}, nil
	}}

var deleteVerb = verb{name: "delete", usage: "delete a VM, with its snapshots and the volumes that only it uses", words: "VM",
	flags: []cli.Flag{
		&cli.BoolFlag{Name: "keep-volumes", Usage: "keep the volumes of its disks"},
	},
	destroys: func(c *cli.Context, words []string) string {
		if c.Bool("keep-volumes") {
			return "delete vm " + words[0] + ", without its volumes,"
		}
		return "delete vm " + words[0] + " and its volumes"
	},
	step: func(c *cli.Context, words []string) (command, error) {
		args := onVM(words)
		args.options(c, "keep_volumes")
		return command{word: "delete_vm", args: args}, nil
	}}

var migrateVerb = verb{name: "migrate", usage: "move a VM to another host or cluster, running or stopped", words: "VM [HOST]",
	more: "On nodes the target is their cluster, and HOST one of its members.",
	flags: []cli.Flag{
		&cli.StringFlag{Name: "cluster", Usage: "engines only: to any host of this cluster `NAME`"},
		&cli.StringFlag{Name: "away-from", Usage: "to any host but `HOST`"},
		&cli.BoolFlag{Name: "offline", Usage: "a VM that runs is not moved while it does"},
		&cli.BoolFlag{Name: "copy-storage", Usage: "copy disks that both hosts do not share"},
		&cli.StringFlag{Name: "bandwidth", Usage: "at most `SIZE` a second, as 100MiB"},
		&cli.StringSliceFlag{Name: "network", Usage: "a network with another name there, as `HERE=THERE`; may be repeated"},
	},
	step: func(c *cli.Context, words []string) (command, error) {
		args := onVM(words)
		if words[1] != "" {
			args.set("host", "HOST", words[1])
		}
		args.options(c, "cluster", "away_from", "copy_storage")
		args.measured(c, "bandwidth")
		if c.Bool("offline") {
			args.set("live", "--offline", false)
		}
		if c.IsSet("network") {
			networks, err := pairs(c.StringSlice("network"), "--network")
			if err != nil {
				return command{}, err
			}
			args.set("networks", "--network", networks)
		}
		return command{word: "migrate", args: args}, nil
	}}

// pairs reads NAME=VALUE, each name once.
func pairs(list []string, option string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := out[name]; !ok || name == "" || twice {
			return nil, exitError{engine.ExitOptions, fmt.Errorf("%s wants NAME=VALUE, each name once, found %q", option, text)}
		}
		out[name] = value
	}
	return out, nil
}

// snapshotCommand holds the commands for the snapshots of a VM.
func (a *application) snapshotCommand() *cli.Command {
	c := &cli.Command{Name: "snapshot", Usage: "the snapshots of a VM", OnUsageError: usageError, HideHelpCommand: true}
	for _, v := range []verb{
		{name: "create", usage: "make a snapshot of a VM, running or not", words: "VM NAME",
			flags: []cli.Flag{
				&cli.BoolFlag{Name: "memory", Usage: "of a running VM its memory, too; --memory=false: without"},
				&cli.StringFlag{Name: "description", Usage: "nodes only: a description `TEXT`"},
			},
			step: func(c *cli.Context, words []string) (command, error) {
				args := onVM(words)
				args.set("name", "NAME", words[1])
				args.options(c, "memory", "description")
				return command{word: "create_snapshot", args: args}, nil
			}},
		{name: "revert", usage: "bring a VM back to a snapshot: what it was since is lost", words: "VM NAME",
			flags: []cli.Flag{&cli.BoolFlag{Name: "start", Usage: "the VM runs afterwards"}},
			destroys: func(_ *cli.Context, words []string) string {
				return "bring vm " + words[0] + " back to snapshot " + words[1]
			},
			step: func(c *cli.Context, words []string) (command, error) {
				args := onVM(words)
				args.set("name", "NAME", words[1])
				args.options(c, "start")
				return command{word: "revert_snapshot", args: args}, nil
			}},
		{name: "delete", usage: "delete a snapshot; the VM stays as it is", words: "VM NAME",
			destroys: func(_ *cli.Context, words []string) string {
				return "delete snapshot " + words[1] + " of vm " + words[0]
			},
			step: func(_ *cli.Context, words []string) (command, error) {
				args := onVM(words)
				args.set("name", "NAME", words[1])
				return command{word: "delete_snapshot", args: args}, nil
			}},
	} {
		c.Subcommands = append(c.Subcommands, a.verbCommand(v))
	}
	c.Subcommands = append(c.Subcommands, a.snapshotListCommand())
	c.Action = chooseVerb(c)
	return c
}

// installCommand makes a VM.
func (a *application) installCommand() *cli.Command {
	v := verb{name: "install", usage: "make a VM from an image, and start it", words: "VM",
		more: "A disk and a network interface are written as in a playbook, without the braces: --disk 'name: data, size: 20GiB'. " +
			"Where the VM is there already, what is said is compared with it and made so.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "image", Usage: "an image `NAME` of the inventory"},
			&cli.StringFlag{Name: "template", Usage: "engines only: a template `NAME` instead of an image"},
			&cli.StringFlag{Name: "cpu", Usage: "`N` CPUs; left out: the image's, else 1"},
			&cli.StringFlag{Name: "memory", Usage: "`SIZE`, as 4GiB; left out: the image's, else 1GiB"},
			&cli.StringSliceFlag{Name: "disk", Usage: "a further disk, as `'name: data, size: 20GiB'`; a size alone is that of the boot disk; may be repeated"},
			&cli.StringSliceFlag{Name: "nic", Usage: "a network interface, as `NETWORK` or 'network: lan, address: 10.0.0.5/24'; may be repeated"},
			&cli.StringSliceFlag{Name: "ssh-key", Usage: "a public key, or the `FILE` that holds some; may be repeated"},
			&cli.StringFlag{Name: "hostname", Usage: "host `NAME` inside the guest; left out: the VM's"},
			&cli.StringFlag{Name: "title", Usage: "a short title `TEXT`"},
			&cli.StringFlag{Name: "description", Usage: "a description `TEXT`"},
			&cli.StringFlag{Name: "state", Usage: "`STATE` to leave it in: running, stopped, paused, suspended"},
			&cli.StringFlag{Name: "firmware", Usage: "`NAME`: bios or efi"},
			&cli.StringFlag{Name: "host", Usage: "the host `NAME` to make it on"},
			&cli.StringFlag{Name: "cluster", Usage: "engines only: the cluster `NAME`"},
			&cli.BoolFlag{Name: "autostart", Usage: "start it with its host"},
		},
		step: installStep,
	}
	c := a.verbCommand(v)
	c.Action = func(c *cli.Context) error {
		words, err := words(c)
		if err != nil {
			return err
		}
		cmd, err := v.step(c, words)
		if err != nil {
			return err
		}
		return a.onDirect(func(d *direct) error {
			target, err := d.target()
			if err != nil {
				return err
			}
			return d.change(target, cmd)
		})(c)
	}
	return c
}

func installStep(c *cli.Context, words []string) (command, error) {
	args := &arguments{}
	args.set("name", "VM", words[0])
	args.options(c, "image", "hostname", "title", "description", "state", "firmware", "host", "autostart")
	args.measured(c, "cpu", "memory")
	ovirt := &arguments{}
	ovirt.options(c, "template", "cluster")
	if len(ovirt.entries) > 0 {
		args.set("ovirt", "--template, --cluster", ovirt)
	}
	for _, list := range []struct {
		key, option string
		short       func(a *arguments, from, text string)
	}{
		{"disks", "disk", func(a *arguments, from, text string) {
			a.typed("size", from, text)
			a.set("boot", from, true)
		}},
		{"nics", "nic", func(a *arguments, from, text string) { a.set("network", from, text) }},
	} {
		if !c.IsSet(list.option) {
			continue
		}
		var all []any
		for _, text := range c.StringSlice(list.option) {
			n, err := mapping(text, "--"+list.option, list.short)
			if err != nil {
				return command{}, err
			}
			all = append(all, n)
		}
		args.set(list.key, "--"+list.option, all)
	}
	keys, err := publicKeys(c.StringSlice("ssh-key"), "--ssh-key")
	if err != nil {
		return command{}, err
	}
	if len(keys) > 0 {
		args.set("ssh_keys", "--ssh-key", keys)
	}
	return command{word: "create_vm", args: args}, nil
}

func isPublicKey(text string) bool {
	_, err := virt.SSHKeyID(text)
	return err == nil
}

// publicKeys gives keys that were written, or that stand in files.
func publicKeys(given []string, from string) ([]string, error) {
	var out []string
	for _, text := range given {
		if isPublicKey(text) {
			out = append(out, text)
			continue
		}
		b, err := os.ReadFile(text)
		if err != nil {
			return nil, exitError{engine.ExitOptions, fmt.Errorf("%s: neither a public key nor a file that can be read: %w", from, err)}
		}
		n := 0
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if !isPublicKey(line) {
				return nil, exitError{engine.ExitOptions, fmt.Errorf("%s: %s holds something that is no public key; is it the private one? its neighbour ends in .pub", from, text)}
			}
			out = append(out, line)
			n++
		}
		if n == 0 {
			return nil, exitError{engine.ExitOptions, fmt.Errorf("%s: %s holds no key", from, text)}
		}
	}
	return out, nil
}
