package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh/sshtest"
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
			env.Values[simKey{}], env.Values[testingKey{}] = sim, t
			env.Values["engine"] = &bed{sim: sim}
			for k, v := range map[string]string{
				"PLAYBOOKS": playbooks, "URL": sim.URL(), "PKI_URL": strings.TrimSuffix(sim.URL(), "/api") + "/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA", "ENGINE_USER": sim.User(), "ENGINE_PASSWORD": sim.Password(), "HOME": env.WorkDir, "CI": "true",
			} {
				env.Setenv(k, v)
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), sim.CA(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": expand, "exits": exits, "guest": guest, "tell": tell, "engine": theEngine, "files": files},
	})
}

// simKey finds a script's engine.
type simKey struct{}

// testingKey finds the test that a script's servers end with.
type testingKey struct{}

// guest puts a real sshd behind a VM's address, as cloud-init would: with the host
// key that the VM was told, or else, with the word other, one that nobody knows.
//
//	guest VM ADDRESS [other]
func guest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: guest VM ADDRESS [other]")
	}
	t, ok := ts.Value(testingKey{}).(testing.TB)
	sim, found := ts.Value(simKey{}).(*ovirtsim.Engine)
	if !ok || !found {
		ts.Fatalf("this script has no engine")
	}
	o := sshtest.Options{Host: args[1]}
	if len(args) == 2 {
		var keys struct {
			Private string `json:"ed25519_private"`
		}
		_, after, _ := strings.Cut(sim.UserData(args[0]), "\nssh_keys: ")
		line, _, _ := strings.Cut(after, "\n")
		ts.Check(json.Unmarshal([]byte(line), &keys))
		o.HostKeyFiles = []string{ts.MkAbs("host_key")}
		ts.Check(os.WriteFile(o.HostKeyFiles[0], []byte(keys.Private), 0o600))
	}
	srv := sshtest.Start(t, o)
	if !sim.SetAddress(args[0], "nic1", args[1]) {
		ts.Fatalf("there is no VM %s with a nic1", args[0])
	}
	for k, v := range map[string]string{"GUEST_PORT": strconv.Itoa(srv.Port), "GUEST_USER": srv.User, "GUEST_KEY": srv.IdentityFile} {
		ts.Setenv(k, v)
	}
}

// tell makes the script's engine go wrong: tell COMMAND…, as engine-sim tell.
func tell(ts *testscript.TestScript, neg bool, args []string) {
	sim, ok := ts.Value(simKey{}).(*ovirtsim.Engine)
	if neg || len(args) == 0 || !ok {
		ts.Fatalf("usage: tell COMMAND...")
	}
	for _, line := range args {
		ts.Check(sim.Tell(line))
	}
}

// engineToPlayOn has what the requests of the scripts name.
func engineToPlayOn() ovirtsim.Options {
	const gib = 1 << 30
	o := ovirtsim.Small()
	o.Speed = 200
	o.DataCenters[0].Storage = []ovirtsim.Storage{{Name: "hosted_storage"}}
	nics, labels := []string{"eth0", "bond0"}, map[string]string{"bond0": "web"}
	o.DataCenters[0].Networks = []ovirtsim.Network{{Name: "labelled", VLAN: 77, Label: "web"}}
	o.DataCenters[0].Clusters = []ovirtsim.Cluster{
		{Name: "Default", Hosts: []ovirtsim.Host{{Name: "host1", NICs: nics, Labels: labels}, {Name: "host2", NICs: nics, Labels: labels}}},
		{Name: "Other", Hosts: []ovirtsim.Host{{Name: "host3", NICs: nics}}},
	}
	o.DataCenters = append(o.DataCenters, ovirtsim.DataCenter{Name: "Second", Clusters: []ovirtsim.Cluster{{Name: "Far", Hosts: []ovirtsim.Host{{Name: "host4", NICs: nics}}}},
		Storage: []ovirtsim.Storage{{Name: "far_storage"}}})
	o.VMs = []ovirtsim.VM{{Name: "twin", Cluster: "Default"}, {Name: "twin", Cluster: "Far"}, {Name: "wanted", Cluster: "Default"}}
	o.Templates = []ovirtsim.Template{{Name: "template-packer-redos8-03092024", Cluster: "Default", Disks: []ovirtsim.Disk{{Size: 20 * gib}}}}
	for _, name := range []string{"app-1", "app-2"} {
		o.VMs = append(o.VMs, ovirtsim.VM{Name: name, Cluster: "Default", Running: true, NICs: []ovirtsim.NIC{{Name: "nic1", Network: "ovirtmgmt"}}})
	}
	return o
}
