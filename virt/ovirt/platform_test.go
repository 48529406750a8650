package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// web is a VM with all that create_vm can ask for.
func web(name string) virt.CreateVM {
	return virt.CreateVM{
		On: virt.On{Ref: virt.VMRef(name)}, Run: "r1", Title: "prod, web & more", Description: `for <us> "all" – ü`,
		Image:  &virt.Image{Source: virt.ImageSource{Name: "debian", Template: "debian-12"}, Size: 10 * virt.GiB, Format: "qcow2"},
		CPU:    virt.CPU{Count: 4, Topology: virt.Topology{Sockets: 2, Cores: 2, Threads: 1}},
		Memory: virt.Memory{Current: 2 * virt.GiB, Max: 4 * virt.GiB},
		Disks: []virt.DiskSpec{
			{Name: "data", Size: 5 * virt.GiB, Storage: "block", Bus: "scsi", MountPoint: "/srv", Filesystem: "ext4", Sparse: true},
			{Name: "root", Boot: true, Size: 20 * virt.GiB, Sparse: true},
		},
		NICs: []virt.NICSpec{{Name: "nic1", Network: "lan", Address: "10.0.0.5/24", Gateway: "10.0.0.1", DNS: []string{"10.0.0.2", "10.0.0.3"},
			Search: []string{"example.org"}, GuestName: "eth0"}},
		CloudInit: &virt.CloudInit{SSHKeys: []string{"ssh-ed25519 AAAA me"}, Run: [][]string{{"touch", "/x & y"}}},
		Autostart: true, Cluster: "Default",
	}
}

// apply applies a change to a VM as it is now.
func apply(t *testing.T, e *Engine, vm string, change func(virt.On) virt.Change) virt.Outcome {
	t.Helper()
	out, err := tryApply(t, e, vm, change)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryApply(t *testing.T, e *Engine, vm string, change func(virt.On) virt.Change) (virt.Outcome, error) {
	t.Helper()
	on := virt.On{Ref: virt.VMRef(vm)}
	e.Forget(on.Ref)
	if now, err := e.VM(t.Context(), vm); err == nil {
		on = virt.OnVM(now)
	} else if !errors.Is(err, virt.ErrNotFound) {
		t.Fatal(err)
	}
	return e.Apply(t.Context(), change(on))
}

func fresh(t *testing.T, e *Engine, name string) *virt.VM {
	t.Helper()
	e.Forget(virt.VMRef(name))
	vm, err := e.VM(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func TestCreatedVMIsWhatWasAskedFor(t *testing.T) {
	sim, e := simulated(t, small())
	apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	vm := fresh(t, e, "web-1")
	if vm.Title != "prod, web & more" || vm.Description != `for <us> "all" – ü` || vm.Unfinished != "r1" || !vm.Autostart ||
		vm.State != virt.Stopped || vm.Cluster != "Default" {
		t.Errorf("%+v", vm)
	}
	if want := (virt.CPU{Count: 4, Max: 32, Topology: virt.Topology{Sockets: 16, Cores: 2, Threads: 1}}); vm.CPU != want {
		t.Errorf("CPU %+v, want %+v", vm.CPU, want)
	}
	if want := (virt.Memory{Current: 2 * virt.GiB, Max: 4 * virt.GiB, Guaranteed: 2 * virt.GiB}); vm.Memory != want {
		t.Errorf("memory %+v, want %+v", vm.Memory, want)
	}
	if len(vm.Disks) != 2 || vm.Disks[0].Volume != "web-1-root" || vm.Disks[0].Size != 20*virt.GiB || !vm.Disks[0].Boot || vm.Disks[0].Storage != "data" {
		t.Fatalf("disks %+v", vm.Disks)
	}
	if k := vm.Disks[1]; k.Name != "data" || k.Size != 5*virt.GiB || k.Storage != "block" || k.Bus != "scsi" || k.Format != "qcow2" || !k.Sparse || !k.In.Config {
		t.Errorf("disk %+v", k)
	}
	if len(vm.NICs) != 1 || vm.NICs[0].Network != "lan" || vm.NICs[0].Name != "nic1" {
		t.Errorf("NICs %+v", vm.NICs)
	}
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	type told struct{ host, keys, dns, search, script, nic, address, mask, gateway string }
	got, err := get(t.Context(), e.Client, kindVM, path("vms", m.id), query{}, func(v *ovirtsdk.Vm) (told, error) {
		i := value(v.Initialization())
		if i == nil {
			return told{}, errors.New("nothing was told")
		}
		w := told{host: value(i.HostName()), keys: value(i.AuthorizedSshKeys()), dns: value(i.DnsServers()), search: value(i.DnsSearch()), script: value(i.CustomScript())}
		if n, ok := i.NicConfigurations(); ok && n != nil && len(n.Slice()) == 1 {
			k := n.Slice()[0]
			ip := value(k.Ip())
			w.nic, w.address, w.mask, w.gateway = value(k.Name()), value(ip.Address()), value(ip.Netmask()), value(ip.Gateway())
		}
		return w, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	script := got.script
	got.script = ""
	if want := (told{"web-1", "ssh-ed25519 AAAA me", "10.0.0.2 10.0.0.3", "example.org", "", "eth0", "10.0.0.5", "255.255.255.0", "10.0.0.1"}); got != want {
		t.Errorf("the guest is told %+v, want %+v", got, want)
	}
	for _, want := range []string{"scsi-0QEMU_QEMU_HARDDISK_" + m.disk("data").id, `"/srv"`, `"touch", "/x & y"`} {
		if !strings.Contains(script, want) {
			t.Errorf("the user data lack %s:\n%s", want, script)
		}
	}
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.Start{On: o} })
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.FinishVM{On: o} })
	if vm = fresh(t, e, "web-1"); vm.State != virt.Running || vm.Unfinished != "" || vm.Description != `for <us> "all" – ü` || vm.Host.Or("") == "" {
		t.Errorf("%+v", vm)
	}
	if n := sim.Count(ovirtsim.On("POST", "/vms")); n != 1 {
		t.Errorf("%d VMs were made", n)
	}
}

// A reply that is lost leaves something that was made or not: it is looked for,
// and nothing is made twice.
func TestLostReplies(t *testing.T) {
	for _, where := range []string{"/vms", "/vms/*/diskattachments", "/vms/*/nics", "/vms/*/start"} {
		t.Run(strings.ReplaceAll(where, "/", "_"), func(t *testing.T) {
			sim, e := simulated(t, small())
			c := web("web-1")
			c.NICs = append(c.NICs, virt.NICSpec{Name: "nic2", Network: "dmz"})
			sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", where), Times: 1, LoseReply: true})
			apply(t, e, "web-1", func(virt.On) virt.Change { return c })
			apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.Start{On: o} })
			vm := fresh(t, e, "web-1")
			if len(vm.Disks) != 2 || len(vm.NICs) != 2 || vm.State != virt.Running {
				t.Errorf("%+v", vm)
			}
			if all, err := e.VMs(t.Context()); err != nil || len(all) != 1 {
				t.Errorf("%d VMs, %v", len(all), err)
			}
			if n := sim.Count(ovirtsim.On("POST", where)); where != "/vms/*/nics" && where != "/vms/*/diskattachments" && n != 1 {
				t.Errorf("%d times sent", n)
			}
		})
	}
}

// What an interrupted run left is completed by the next.
func TestHalfMadeVMIsCompleted(t *testing.T) {
	sim, e := simulated(t, small())
	end := sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/diskattachments"), Status: http.StatusConflict, Detail: "[Cannot add Virtual Disk. Low disk space on Storage Domain block.]"})
	_, err := tryApply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	if !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "Low disk space") || !strings.Contains(err.Error(), "unfinished") {
		t.Fatalf("got %v, want the engine's words and that the VM is unfinished", err)
	}
	end()
	if vm := fresh(t, e, "web-1"); vm.Unfinished != "r1" {
		t.Fatalf("%+v", vm)
	}
	apply(t, e, "web-1", func(o virt.On) virt.Change {
		c := web("web-1")
		c.Run, c.On = "r2", o
		return c
	})
	vm := fresh(t, e, "web-1")
	if vm.Unfinished != "r2" || len(vm.Disks) != 2 || len(vm.NICs) != 1 {
		t.Errorf("%+v", vm)
	}
}

func TestFailedCopySaysSo(t *testing.T) {
	sim, e := simulated(t, small())
	sim.FailCopy("web-1")
	_, err := tryApply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
}

func TestLocksAreWaitedFor(t *testing.T) {
	sim, e := simulated(t, small())
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/start"), Times: 3, Status: http.StatusConflict,
		Detail: "[Cannot run VM. Related operation is currently in progress. Please try again later.]"})
	guestOn(t, e, "g")
	if n := sim.Count(ovirtsim.On("POST", "/vms/*/start")); n != 4 {
		t.Errorf("%d starts, want 4", n)
	}
}

func TestFailedStartSaysWhy(t *testing.T) {
	sim, e := simulated(t, small())
	apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	sim.FailStart("web-1")
	_, err := tryApply(t, e, "web-1", func(o virt.On) virt.Change { return virt.Start{On: o} })
	if err == nil || !strings.Contains(err.Error(), "the engine says") {
		t.Errorf("got %v, want the engine's words", err)
	}
	t.Log(err)
}

// A hot-plug that the guest refuses is a success to the engine.
func TestSwallowedHotPlugIsPending(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "g")
	sim.FailHotPlug("g")
	changes := map[string]func(virt.On) virt.Change{
		"cpu.count": func(o virt.On) virt.Change { return virt.SetCPU{On: o, Count: virt.Some(2)} },
		"memory.current": func(o virt.On) virt.Change {
			return virt.SetMemory{On: o, Current: virt.Some(virt.GiB + 256*virt.MiB), Max: virt.Some(4 * virt.GiB)}
		},
	}
	for field, change := range changes {
		out := apply(t, e, "g", change)
		if !out.Changed || !pendingField(out.Pending, field) {
			t.Errorf("%s: %+v, want changed and pending", field, out)
		}
		out = apply(t, e, "g", change)
		if out.Changed || !pendingField(out.Pending, field) {
			t.Errorf("%s again: %+v, want unchanged and pending", field, out)
		}
	}
	// An engine may forget what it could not plug in: it is told to keep it.
	for _, want := range []string{"<sockets>2</sockets>", "<memory>1342177280</memory>"} {
		if n := sim.Count(func(r ovirtsim.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.Query, "next_run=true") && strings.Contains(r.Body, want)
		}); n != 1 {
			t.Errorf("%s was stored for the next run %d times", want, n)
		}
	}
	vm := fresh(t, e, "g")
	if vm.CPU.Count != 2 || vm.Live.CPU.Count != 1 || vm.Memory.Current != virt.GiB+256*virt.MiB || vm.Live.Memory.Current != virt.GiB {
		t.Errorf("%+v %+v, live %+v", vm.CPU, vm.Memory, vm.Live)
	}
	sim.Heal()
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.Start{On: o} })
	if vm := fresh(t, e, "g"); vm.Live.CPU.Count != 2 || len(vm.Pending) != 0 {
		t.Errorf("after a restart: %+v", vm)
	}
}

// What waits for the next start is kept by all that is changed at once.
func TestNextRunIsKept(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "g")
	set := func(c func(virt.On) virt.Change) virt.Outcome { t.Helper(); return apply(t, e, "g", c) }
	if out := set(func(o virt.On) virt.Change { return virt.SetMemory{On: o, Max: virt.Some(8 * virt.GiB)} }); !pendingField(out.Pending, "memory.max") {
		t.Errorf("%+v, want the maximum to be pending", out)
	}
	set(func(o virt.On) virt.Change { return virt.SetVM{On: o, Title: virt.Some("kept")} })
	// The engine would forget the maximum if CPUs were plugged in.
	if out := set(func(o virt.On) virt.Change { return virt.SetCPU{On: o, Count: virt.Some(2)} }); !pendingField(out.Pending, "cpu.count") {
		t.Errorf("%+v, want the CPUs to be pending", out)
	}
	vm := fresh(t, e, "g")
	if vm.Memory.Max != 8*virt.GiB || vm.CPU.Count != 2 || vm.Live.CPU.Count != 1 || vm.Title != "kept" {
		t.Errorf("%+v %+v live %+v title %q", vm.Memory, vm.CPU, vm.Live, vm.Title)
	}
	if n := sim.Count(func(r ovirtsim.Request) bool { return r.Method == http.MethodPut && r.Status >= 400 }); n > 0 {
		t.Errorf("%d refused", n)
	}
	set(func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	if vm := fresh(t, e, "g"); vm.Memory.Max != 8*virt.GiB || vm.CPU.Count != 2 || vm.Title != "kept" || len(vm.Pending) != 0 {
		t.Errorf("after the stop: %+v %+v title %q %v", vm.Memory, vm.CPU, vm.Title, vm.Pending)
	}
}

func pendingField(list []virt.Pending, field string) bool {
	for _, p := range list {
		if p.Field == field && p.Reason != "" {
			return true
		}
	}
	return false
}

func TestMemoryGrowsAtOnceInSteps(t *testing.T) {
	_, e := simulated(t, small())
	guestOn(t, e, "g")
	raise := func(by int64) virt.Outcome {
		return apply(t, e, "g", func(o virt.On) virt.Change {
			vm := o.Before.(*virt.VM)
			return virt.SetMemory{On: o, Current: virt.Some(vm.Live.Memory.Current + by)}
		})
	}
	// A VM without a wider maximum can take none.
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.SetMemory{On: o, Max: virt.Some(4 * virt.GiB)} })
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	apply(t, e, "g", func(o virt.On) virt.Change { return virt.Start{On: o} })
	if out := raise(256 * virt.MiB); !out.Changed || len(out.Pending) != 0 {
		t.Errorf("256 MiB: %+v", out)
	}
	if vm := fresh(t, e, "g"); vm.Live.Memory.Current != virt.GiB+256*virt.MiB {
		t.Errorf("%+v", vm.Live)
	}
	if out := raise(100 * virt.MiB); !out.Changed || !pendingField(out.Pending, "memory.current") {
		t.Errorf("100 MiB: %+v, want it pending", out)
	}
}

func TestMigrate(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "g")
	from := fresh(t, e, "g").Host.Or("")
	to := map[string]string{"host1": "host2", "host2": "host1"}[from]
	move := func(c virt.Migrate) (*virt.Moved, error) {
		c.On, c.Live = virt.OnVM(fresh(t, e, "g")), true
		out, err := e.Apply(t.Context(), c)
		moved, _ := out.Result.(*virt.Moved)
		return moved, err
	}
	moved, err := move(virt.Migrate{Host: to})
	if err != nil || moved.From != from || moved.To != to || fresh(t, e, "g").Host.Or("") != to {
		t.Fatalf("%+v, %v", moved, err)
	}
	moved, err = move(virt.Migrate{AwayFrom: to})
	if err != nil || moved.To != from {
		t.Fatalf("%+v, %v", moved, err)
	}
	sim.FailMigration("g")
	_, err = move(virt.Migrate{Host: to})
	if err == nil || !strings.Contains(err.Error(), "still where it was") {
		t.Errorf("a failed migration: %v", err)
	}
	if _, err = move(virt.Migrate{Host: "nowhere"}); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("to an unknown host: %v", err)
	}
}

// twoCentres has what two data centres may both have.
func twoCentres() ovirtsim.Options {
	o := small()
	o.DataCenters = append(o.DataCenters, ovirtsim.DataCenter{Name: "Second",
		Clusters: []ovirtsim.Cluster{{Name: "Other", Hosts: []ovirtsim.Host{{Name: "host3"}}}},
		Storage:  []ovirtsim.Storage{{Name: "data2"}}, Networks: []ovirtsim.Network{{Name: "lan", VLAN: 5, Hosts: true}}})
	o.VMs = []ovirtsim.VM{{Name: "twin", Cluster: "Default"}, {Name: "twin", Cluster: "Other"}, {Name: "Lone", Cluster: "Default"}}
	return o
}

func TestNamesThatTwoDataCentresHave(t *testing.T) {
	_, e := simulated(t, twoCentres())
	ctx := t.Context()
	var ambiguous *virt.Error
	if _, err := e.VM(ctx, "twin"); !errors.Is(err, virt.ErrConflict) || !errors.As(err, &ambiguous) ||
		!strings.Contains(ambiguous.Found, "Default/twin") || !strings.Contains(ambiguous.Found, "Second/twin") {
		t.Errorf("twin: %v", err)
	}
	vm, err := e.VM(ctx, "Second/twin")
	if err != nil || vm.DataCentre != "Second" || vm.Cluster != "Other" || vm.Name != "Second/twin" {
		t.Errorf("Second/twin: %+v, %v", vm, err)
	}
	apply(t, e, "Second/twin", func(o virt.On) virt.Change { return virt.SetVM{On: o, Description: virt.Some("the second")} })
	if vm, err := e.VM(ctx, "Default/twin"); err != nil || vm.Description != "" {
		t.Errorf("the other one: %+v, %v", vm, err)
	}
	// The engine's search is blind to case, names are not.
	if _, err := e.VM(ctx, "lone"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("lone: %v, want that it is not there", err)
	}
	if _, err := e.Network(ctx, "lan"); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("lan: %v, want a conflict", err)
	}
	// A NIC gets the profile of its VM's own data centre.
	apply(t, e, "Second/twin", func(o virt.On) virt.Change {
		return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "nic9", Network: "lan"}}
	})
	m, err := e.machine(ctx, "Second/twin")
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := e.profileMap(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := m.nic("nic9"); n == nil || profiles[n.profile].centre != m.centre {
		t.Errorf("%+v is on the profile of another data centre", n)
	}
}

func TestNetworkOnAllHostsOfItsCluster(t *testing.T) {
	o := twoCentres()
	o.DataCenters[0].Clusters[0].Hosts = nil
	for i := range 6 {
		o.DataCenters[0].Clusters[0].Hosts = append(o.DataCenters[0].Clusters[0].Hosts, ovirtsim.Host{Name: fmt.Sprintf("h%d", i)})
	}
	sim, e := simulated(t, o)
	ref := virt.NetworkRef("v100")
	create := virt.CreateNetwork{On: virt.On{Ref: ref}, Type: "engine", VLAN: 100, Cluster: "Default", HostNIC: "eth2", Comment: "of the web team"}
	out, err := e.Apply(t.Context(), create)
	if err != nil || !out.Changed {
		t.Fatal(out, err)
	}
	e.Forget(ref)
	n, err := e.Network(t.Context(), "v100")
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Hosts) != 6 || strings.Join(n.Clusters, ",") != "Default" || n.DataCentre != "Default" || n.VLAN != 100 || n.Comment != "of the web team" {
		t.Errorf("%+v", n)
	}
	for _, r := range sim.Requests() {
		switch {
		case ovirtsim.On("POST", "/clusters/*/networks")(r) && !strings.Contains(r.Body, "<required>false</required>"):
			t.Errorf("the network is required: %s", r.Body)
		case ovirtsim.On("POST", "/hosts/*/setupnetworks")(r) && !strings.Contains(r.Body, "<commit_on_success>true</commit_on_success>"):
			t.Errorf("the hosts' change does not last: %s", r.Body)
		}
	}
	sim.Forget()
	create.Before, create.Hosts = n, n.Hosts
	if out, err := e.Apply(t.Context(), create); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	if n := sim.Count(ovirtsim.On("POST", "/hosts/*/setupnetworks")); n != 0 {
		t.Errorf("%d hosts were set up again", n)
	}
	other := create
	other.VLAN = 101
	if _, err := e.Apply(t.Context(), other); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("another VLAN: %v", err)
	}
	if _, err := e.Apply(t.Context(), virt.DeleteNetwork{On: virt.On{Ref: ref, Before: n}}); err != nil {
		t.Fatal(err)
	}
	e.Forget(ref)
	if _, err := e.Network(t.Context(), "v100"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
}

// A host may have a network otherwise than it is described, as after it was away.
func TestHostsOutOfSync(t *testing.T) {
	sim, e := simulated(t, small())
	ref := virt.NetworkRef("v100")
	create := virt.CreateNetwork{On: virt.On{Ref: ref}, Type: "engine", VLAN: 100, Cluster: "Default", HostNIC: "eth2", Hosts: []string{"host1", "host2"}}
	look := func() *virt.Network {
		e.Forget(ref)
		n, err := e.Network(t.Context(), "v100")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := e.Apply(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if !sim.Desync("host2", "v100") {
		t.Fatal("host2 does not have it")
	}
	n := look()
	if len(n.Attachments) != 2 || !n.Attachments[0].InSync || n.Attachments[1].InSync {
		t.Fatalf("%+v", n.Attachments)
	}
	create.Before = n
	out, err := e.Apply(t.Context(), create)
	if err != nil || out.Changed || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "host2") {
		t.Errorf("nobody asked for it: %+v, %v; want a warning of host2", out, err)
	}
	create.Sync = true
	if out, err = e.Apply(t.Context(), create); err != nil || !out.Changed {
		t.Errorf("asked for: %+v, %v", out, err)
	}
	create.Before = look()
	if out, err = e.Apply(t.Context(), create); err != nil || out.Changed || len(out.Warnings) != 0 || !look().Attachments[1].InSync {
		t.Errorf("again: %+v, %v", out, err)
	}
}

func TestHostThatFailsIsNamed(t *testing.T) {
	sim, e := simulated(t, small())
	sim.FailSetup("host2")
	_, err := e.Apply(t.Context(), virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("v7")}, Type: "engine", VLAN: 7, Cluster: "Default", HostNIC: "eth2"})
	if err == nil || !strings.Contains(err.Error(), "host host2") || strings.Contains(err.Error(), "host host1") {
		t.Fatalf("got %v, want an error about host2 alone", err)
	}
	e.Forget(virt.NetworkRef("v7"))
	if n, err := e.Network(t.Context(), "v7"); err != nil || len(n.Hosts) != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	_, err = e.Apply(t.Context(), virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("v8")}, VLAN: 8, Cluster: "Default", HostNIC: "bond9"})
	if !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "bond9") {
		t.Errorf("an unknown NIC: %v", err)
	}
}

// All that is wrong with a VM is said at once, and nothing is made.
func TestCheckFindsAllThatIsWrong(t *testing.T) {
	sim, e := simulated(t, small())
	c := web("web-1")
	c.Disks[0].Storage = "nowhere"
	c.Disks[1].Size = virt.GiB
	c.NICs[0].Network, c.NICs[0].GuestName = "unknown", ""
	_, err := e.Apply(t.Context(), c)
	for _, want := range []string{"nowhere", "root", "unknown", "guest_name"} {
		if err == nil || !strings.Contains(errorText(err), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if n := sim.Count(ovirtsim.On("POST", "/vms")); n != 0 {
		t.Errorf("%d VMs were made", n)
	}
	c = web("web-1")
	c.Cluster = "Dflt"
	if _, err := e.Apply(t.Context(), c); !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "Dflt") {
		t.Errorf("an unknown cluster: %v", err)
	}
}

func errorText(err error) string {
	var b strings.Builder
	var walk func(error)
	walk = func(err error) {
		var v *virt.Error
		if errors.As(err, &v) {
			fmt.Fprintln(&b, v.Error(), v.Hint)
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				if e != nil {
					walk(e)
				}
			}
		}
	}
	walk(err)
	return b.String()
}

// A plan of a whole VM, network included, sends nothing that writes.
func TestPlanWritesNothing(t *testing.T) {
	_, e := simulated(t, small())
	dry := dryrun.New(e)
	ctx := context.WithoutCancel(t.Context())
	if _, err := dry.Apply(ctx, virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("v9")}, Type: "engine", VLAN: 9, Cluster: "Default", HostNIC: "eth2", Hosts: []string{"host1", "host2"}}); err != nil {
		t.Fatal(err)
	}
	c := web("web-1")
	c.NICs[0].Network = "v9"
	if _, err := dry.Apply(ctx, c); err != nil {
		t.Fatal(err)
	}
	vm, err := dry.VM(ctx, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dry.Apply(ctx, virt.Start{On: virt.OnVM(vm)}); err != nil {
		t.Fatal(err)
	}
	if n := writes(e); n != 0 {
		t.Errorf("%d requests that write: %v", n, e.Stats().Procedures)
	}
}

// Who has no administrator's role is told so by the engine, with a status that
// means something else otherwise.
func TestNoAdministrator(t *testing.T) {
	o := small()
	o.Users = []ovirtsim.User{{Name: "ann@internal"}}
	_, e := simulated(t, o, func(c *Config) { c.Username = "ann@internal" })
	_, err := e.VMs(t.Context())
	var known *virt.Error
	if !errors.Is(err, virt.ErrAuth) || !errors.As(err, &known) || !strings.Contains(known.Hint, "use another user") {
		t.Errorf("got %v", err)
	}
}
