package ovirt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh/sshtest"
	"github.com/nactl/nactl/virt/virttest"
)

// simulated starts an engine whose seconds are short, and opens it.
func simulated(t *testing.T, o ovirtsim.Options, edit ...func(*Config)) (*ovirtsim.Engine, *Engine) {
	t.Helper()
	if o.Speed == 0 {
		o.Speed = 1000
	}
	o.Session = 10000 * time.Hour // of the engine's, which pass quickly
	sim, err := ovirtsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, sim.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Name: "e1", URL: sim.URL(), Username: sim.User(), CAFile: ca, Poll: 5 * time.Millisecond,
		Password: func(context.Context) (string, error) { return sim.Password(), nil },
		// What is waited for is the simulator, which is quick.
		Sleep: func(ctx context.Context, d time.Duration) error { return sleep(ctx, min(d, 5*time.Millisecond)) }}
	for _, f := range edit {
		f(&cfg)
	}
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return sim, e
}

// writes counts the requests that change something; logins do not.
func writes(e *Engine) int {
	n := 0
	for name, count := range e.Stats().Procedures {
		if !strings.HasPrefix(name, "GET ") && !strings.Contains(name, "/sso/") {
			n += count
		}
	}
	return n
}

// engineUnsupported is what engines cannot do, or nactl on them.
var engineUnsupported = map[string]string{
	"pause":                         "an engine pauses VMs only by itself",
	"set_vm/words":                  "an engine keeps no metadata",
	"migrate/stopped":               "a VM that does not run is on no host",
	"create_pool":                   "the storage of an engine is its administrator's",
	"start_pool":                    "the storage of an engine is its administrator's",
	"stop_pool":                     "the storage of an engine is its administrator's",
	"delete_pool":                   "the storage of an engine is its administrator's",
	"create_network/served":         "an engine's networks serve nothing",
	"create_network/leases":         "an engine's networks serve nothing",
	"create_network/leases exactly": "an engine's networks serve nothing",
	"change_nic/paused":             "an engine pauses a VM only by itself",
	"create_host_vlan":              "an engine sees to its hosts' VLANs itself",
}

func small() ovirtsim.Options {
	o := ovirtsim.Small()
	o.DataCenters[0].Networks = []ovirtsim.Network{{Name: "lan", VLAN: 5, Hosts: true}, {Name: "dmz", VLAN: 6, Hosts: true}}
	return o
}

// keptProperty looks for the custom property that nactl knows nothing of once the
// VM is made.
func keptProperty(ctx context.Context, e *Engine, vm *virt.VM) error {
	_, err := get(ctx, e.Client, kindVM, path("vms", vm.ID.Or("")), query{}, func(v *ovirtsdk.Vm) (bool, error) {
		if p, ok := v.CustomProperties(); ok && p != nil {
			for _, k := range p.Slice() {
				if value(k.Name()) == "vendor" && value(k.Value()) == "knob" {
					return true, nil
				}
			}
		}
		return false, errors.New("the vendor's custom property")
	})
	return err
}

func TestContractOnTheSimulator(t *testing.T) {
	o := small()
	o.DataCenters[0].Clusters = append(o.DataCenters[0].Clusters, ovirtsim.Cluster{Name: "Other", Hosts: []ovirtsim.Host{{Name: "host3"}}})
	ada := sshtest.NewAccount(t)
	srv := sshtest.Start(t, sshtest.Options{Host: "127.0.0.61", ExtraConfig: []string{ada.Config()}})
	for _, c := range o.DataCenters[0].Clusters {
		for i := range c.Hosts {
			c.Hosts[i].Address = srv.Host
		}
	}
	sim, e := simulated(t, o, loginTo(srv), loginToHosts(srv))
	for _, name := range []string{"a.iso", "b.iso"} {
		if _, err := upload(t, e, name, imageFile(t, "", virt.MiB)); err != nil {
			t.Fatal(err)
		}
	}
	virttest.Run(t, virttest.Setup{
		New:    func(*testing.T) virt.Platform { return e },
		Kept:   func(vm *virt.VM) error { return keptProperty(context.WithoutCancel(t.Context()), e, vm) },
		Prefix: "c-",
		VM: func(name string) virt.CreateVM {
			return virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", CPU: virt.CPU{Count: 1},
				Memory: virt.Memory{Current: 64 * virt.MiB}, NICs: []virt.NICSpec{{Name: "nic1", Network: "lan"}},
				Image:   &virt.Image{Source: virt.ImageSource{Name: "debian", Template: "debian-12"}, Size: 10 * virt.GiB, Format: "qcow2"},
				Disks:   []virt.DiskSpec{{Name: "root", Boot: true, Storage: "data", Sparse: true}},
				Cluster: "Default", DataCentre: "Default",
				Ovirt: &virt.OvirtVM{OvirtSettings: virt.OvirtSettings{CustomProperties: map[string]string{"vendor": "knob"}}}}
		},
		Disk: func(name string) virt.DiskSpec {
			return virt.DiskSpec{Name: name, Size: 8 * virt.MiB, Storage: "data", Sparse: true}
		},
		Storage:  "data",
		Networks: [2]string{"lan", "dmz"},
		CDs:      [2]virt.Medium{{Storage: "data", Volume: "a.iso"}, {Storage: "data", Volume: "b.iso"}},
		Drive:    driveName,
		Network: func(name string, vlan int) virt.CreateNetwork {
			return virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef(name)}, Type: "engine", VLAN: vlan, Cluster: "Default",
				HostNIC: "eth2", Hosts: []string{"host1", "host2"}}
		},
		Guest: func(t *testing.T, p virt.Platform) string {
			return sshGuest(t, sim, p.(*Engine), "guest", srv.Host)
		},
		GuestFile: filepath.Join(t.TempDir(), "virttest.txt"), GuestUser: "ada",
		Elsewhere: "host2", Cluster: "Default", OtherCluster: "Other",
		Writes:      func(p virt.Platform) int { return writes(p.(*Engine)) },
		Unsupported: engineUnsupported,
		OwnCPUMax:   true,
		Unpredicted: []string{"profile", "firmware", "data_centre", "serial", "fqdn", "addresses", "owner", "group"},
	})
}

// guestOn gives a running VM.
func guestOn(t *testing.T, e *Engine, name string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if vm, err := e.VM(ctx, name); err == nil && vm.State == virt.Running {
		return name
	}
	make := virt.CreateVM{On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: virt.GiB},
		Image: &virt.Image{Source: virt.ImageSource{Name: "debian", Template: "debian-12"}, Size: 10 * virt.GiB},
		Disks: []virt.DiskSpec{{Name: "root", Boot: true, Sparse: true}}, Cluster: "Default"}
	for _, change := range []func(virt.On) virt.Change{
		func(virt.On) virt.Change { return make },
		func(o virt.On) virt.Change { return virt.FinishVM{On: o} },
		func(o virt.On) virt.Change { return virt.Start{On: o} },
	} {
		on := virt.On{Ref: virt.VMRef(name)}
		if vm, err := e.VM(ctx, name); err == nil {
			on = virt.OnVM(vm)
		}
		if _, err := e.Apply(ctx, change(on)); err != nil {
			t.Fatal(err)
		}
	}
	return name
}
