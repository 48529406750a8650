package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// What engine-sim leaves in its folder, for whoever plays on the engines.
const (
	simCA        = "engine-sim.pem"
	simInventory = "engine-sim.inventory.yml"
)

// engineSimCommand runs oVirt engines that are only simulated, for trials of
// playbooks and of nactl itself.
func (a *application) engineSimCommand() *cli.Command {
	dir := &cli.StringFlag{Name: "dir", Value: ".", Usage: "write " + simCA + " and " + simInventory + " into `DIR`"}
	return &cli.Command{
		Name: "engine-sim", Usage: "run simulated oVirt engines to try playbooks on, until it is interrupted", OnUsageError: usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "`ADDRESS` to listen on, a loopback one; further engines take the ports behind"},
			dir,
			&cli.Float64Flag{Name: "speed", Value: 1, Usage: "`N` seconds of the engines pass in one"},
			&cli.IntFlag{Name: "engines", Value: 1, Usage: "run `N` engines"},
			&cli.IntFlag{Name: "vms", Usage: "begin with `N` VMs on each"},
			&cli.IntFlag{Name: "hosts", Value: 2, Usage: "begin with `N` hosts on each"},
			&cli.StringSliceFlag{Name: "recording", Usage: "begin with what a real engine answered, recorded in `DIR`; may be repeated for further engines"},
			&cli.StringSliceFlag{Name: "tell", Usage: "give `COMMAND` to all engines at once; see engine-sim tell; may be repeated"},
		},
		Action: a.engineSim,
		Subcommands: []*cli.Command{{
			Name: "tell", Usage: "make the engines of a running engine-sim go wrong", ArgsUsage: "COMMAND…", OnUsageError: usageError,
			Description: "Each COMMAND is one argument, in quotes.\n\n" + simCommands(),
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "dir", Value: ".", Usage: "`DIR` that engine-sim was given"},
				&cli.StringFlag{Name: "engine", Usage: "only the engine `NAME`"},
			},
			Action: a.engineSimTell,
		}},
	}
}

// simCommands lists what the engines can be told.
func simCommands() string {
	var b strings.Builder
	for _, c := range ovirtsim.Commands() {
		fmt.Fprintf(&b, "%s\n      %s\n", c.Usage, c.Doc)
	}
	return b.String()
}

func (a *application) engineSim(c *cli.Context) error {
	if c.Args().Present() {
		return exitError{engine.ExitOptions, fmt.Errorf("engine-sim takes no arguments but options, or tell; found %q", c.Args().First())}
	}
	options, err := simOptions(c)
	if err != nil {
		return exitError{engine.ExitOptions, err}
	}
	leftover := filepath.Join(c.String("dir"), simInventory)
	if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var sims []*ovirtsim.Engine
	for _, o := range options {
		sim, err := ovirtsim.New(o)
		if err != nil {
			return exitError{engine.ExitOptions, err}
		}
		for _, line := range c.StringSlice("tell") {
			if err := sim.Tell(line); err != nil {
				return exitError{engine.ExitOptions, err}
			}
		}
		if err := sim.Start(); err != nil {
			return err
		}
		defer sim.Close()
		sims = append(sims, sim)
	}
	inv, err := describeSims(c.String("dir"), options, sims)
	if err != nil {
		return err
	}
	for i, sim := range sims {
		name := "engine"
		if len(sims) > 1 {
			name += " " + options[i].Name
		}
		fmt.Fprintf(a.stdout, "%s at %s, user %s\n", name, sim.URL(), sim.User())
	}
	fmt.Fprintf(a.stdout, "play with: ENGINE_SIM_PASSWORD=%s nactl play -i %s FILE\n", sims[0].Password(), inv)
	<-c.Context.Done()
	return os.Remove(inv) // it leads nowhere any more
}

// simOptions says what engines there are to be.
func simOptions(c *cli.Context) ([]ovirtsim.Options, error) {
	recordings := c.StringSlice("recording")
	n := max(c.Int("engines"), len(recordings))
	if n < 1 || c.Int("vms") < 0 || c.Int("hosts") < 0 {
		return nil, fmt.Errorf("--engines, --vms and --hosts are counts, and there is at least one engine")
	}
	host, port, err := net.SplitHostPort(c.String("listen"))
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	first, err := strconv.Atoi(port)
	if err != nil || first < 0 {
		return nil, fmt.Errorf("--listen: %q is not a port number", port)
	}
	options := ovirtsim.Fleet(n, c.Int("vms"), c.Int("hosts"))
	if n == 1 {
		options[0] = ovirtsim.Load(c.Int("vms"), c.Int("hosts"))
		options[0].Name = "sim"
	}
	for i := range options {
		o := &options[i]
		hosts := o.DataCenters[0].Clusters[0].Hosts
		for j := range hosts {
			hosts[j].NICs = []string{"eth0", "eth1", "bond0"}
		}
		o.Speed, o.Control, o.Addr = c.Float64("speed"), true, net.JoinHostPort(host, "0")
		if first > 0 {
			o.Addr = net.JoinHostPort(host, strconv.Itoa(first+i))
		}
		if i < len(recordings) {
			o.Recording = recordings[i]
		}
	}
	return options, nil
}

// describeSims writes the inventory that leads to the engines, and their CAs.
func describeSims(dir string, options []ovirtsim.Options, sims []*ovirtsim.Engine) (path string, err error) {
	var cas bytes.Buffer
	var text strings.Builder
	text.WriteString("# Of the simulated engines that nactl engine-sim runs.\nengines:\n")
	for i, sim := range sims {
		cas.Write(sim.CA())
		fmt.Fprintf(&text, "  %s: {url: %q, username: %q, password: {secret: {env: ENGINE_SIM_PASSWORD}}, ca_file: %s}\n",
			options[i].Name, sim.URL(), sim.User(), simCA)
	}
	text.WriteString("images:\n  debian-12: {engines: {template: debian-12}}\n")
	if err := os.WriteFile(filepath.Join(dir, simCA), cas.Bytes(), 0o644); err != nil {
		return "", err
	}
	path = filepath.Join(dir, simInventory)
	return path, replaceFile(path, []byte(text.String()), 0o644) // whoever waits for it finds it whole
}
