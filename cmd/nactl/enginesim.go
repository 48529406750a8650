package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// engineSimCommand runs an oVirt engine that is only simulated, for trials of
// playbooks and of nactl itself.
func (a *application) engineSimCommand() *cli.Command {
	return &cli.Command{
		Name: "engine-sim", Usage: "run a simulated oVirt engine to try playbooks on, until it is interrupted", OnUsageError: usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "`ADDRESS` to listen on, a loopback one"},
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "write engine-sim.pem and engine-sim.inventory.yml into `DIR`"},
			&cli.Float64Flag{Name: "speed", Value: 1, Usage: "`N` seconds of the engine pass in one"},
			&cli.IntFlag{Name: "vms", Usage: "begin with `N` VMs"},
			&cli.IntFlag{Name: "hosts", Value: 2, Usage: "begin with `N` hosts"},
			&cli.StringFlag{Name: "recording", Usage: "begin with what a real engine answered, recorded in `DIR`"},
		},
		Action: a.engineSim,
	}
}

func (a *application) engineSim(c *cli.Context) error {
	o := ovirtsim.Load(c.Int("vms"), c.Int("hosts"))
	for i := range o.DataCenters[0].Clusters[0].Hosts {
		o.DataCenters[0].Clusters[0].Hosts[i].NICs = []string{"eth0", "eth1", "bond0"}
	}
	o.Addr, o.Speed, o.Recording = c.String("listen"), c.Float64("speed"), c.String("recording")
	sim, err := ovirtsim.New(o)
	if err != nil {
		return exitError{engine.ExitOptions, err}
	}
	if err := sim.Start(); err != nil {
		return err
	}
	defer sim.Close()
	ca := filepath.Join(c.String("dir"), "engine-sim.pem")
	inv := filepath.Join(c.String("dir"), "engine-sim.inventory.yml")
	if err := os.WriteFile(ca, sim.CA(), 0o644); err != nil {
		return err
	}
	text := fmt.Sprintf("# Of a simulated engine that nactl engine-sim runs.\nengines:\n  sim: {url: %q, username: %q, password: {secret: {env: ENGINE_SIM_PASSWORD}}, ca_file: engine-sim.pem}\nimages:\n  debian-12: {engines: {template: debian-12}}\n",
		sim.URL(), sim.User())
	if err := os.WriteFile(inv, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "engine at %s, user %s\nplay with: ENGINE_SIM_PASSWORD=%s nactl play -i %s FILE\n", sim.URL(), sim.User(), sim.Password(), inv)
	<-c.Context.Done()
	return nil
}
