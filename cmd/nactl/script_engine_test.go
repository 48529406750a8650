package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// TestEngine plays on a simulated engine what people play on real ones. Each
// script has an engine of its own.
func TestEngine(t *testing.T) {
	playbooks, err := filepath.Abs("../../playbooks/ovirt")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "engine"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			sim, err := ovirtsim.New(engineToPlayOn())
			if err != nil {
				return err
			}
			if err := sim.Start(); err != nil {
				return err
			}
			env.Defer(sim.Close)
			for k, v := range map[string]string{
				"PLAYBOOKS": playbooks, "URL": sim.URL(), "ENGINE_USER": sim.User(), "ENGINE_PASSWORD": sim.Password(), "HOME": env.WorkDir, "CI": "true",
			} {
				env.Setenv(k, v)
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), sim.CA(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": expand, "exits": exits},
	})
}

// engineToPlayOn has what the requests of the scripts name.
func engineToPlayOn() ovirtsim.Options {
	const gib = 1 << 30
	o := ovirtsim.Small()
	o.Speed = 200
	o.DataCenters[0].Storage = []ovirtsim.Storage{{Name: "hosted_storage"}}
	nics := []string{"eth0", "bond0"}
	o.DataCenters[0].Clusters = []ovirtsim.Cluster{
		{Name: "Default", Hosts: []ovirtsim.Host{{Name: "host1", NICs: nics}, {Name: "host2", NICs: nics}}},
		{Name: "Other", Hosts: []ovirtsim.Host{{Name: "host3", NICs: nics}}},
	}
	o.Templates = []ovirtsim.Template{{Name: "template-packer-redos8-03092024", Cluster: "Default", Disks: []ovirtsim.Disk{{Size: 20 * gib}}}}
	return o
}
