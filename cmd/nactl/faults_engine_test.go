//go:build faults

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// engineWithVMs has what the steps of onEngines work on.
func engineWithVMs() ovirtsim.Options {
	const gib = 1 << 30
	o := ovirtsim.Small()
	o.DataCenters[0].Networks = []ovirtsim.Network{{Name: "lan", VLAN: 5, Hosts: true}, {Name: "dmz", VLAN: 6, Hosts: true}, {Name: "old", VLAN: 7, Hosts: true}}
	disks := []ovirtsim.Disk{{Name: "root", Size: 10 * gib}, {Name: "data", Size: gib}}
	nics := []ovirtsim.NIC{{Name: "nic1", Network: "lan"}, {Name: "nic2", Network: "dmz"}}
	o.VMs = []ovirtsim.VM{
		{Name: "web-1", Cluster: "Default", Running: true, Disks: disks, NICs: nics},
		{Name: "web-2", Cluster: "Default", Disks: []ovirtsim.Disk{{Name: "root-2", Size: 10 * gib}}, NICs: nics},
	}
	return o
}

// engineCase is a play of one step.
type engineCase struct {
	step   string // the word
	before string // steps that prepare; may be empty
	play   string
	// anyHost says that the step leaves it to the engine where a VM runs.
	anyHost bool
}

// onEngines has a small play for every step that engines know, and further ones
// where a step has several sides.
var onEngines = []engineCase{
	{step: "attach_disk", play: "attach_disk: {vm: web-1, name: more, size: 1GiB, storage: data}"},
	{step: "attach_nic", play: "attach_nic: {vm: web-1, name: nic9, network: dmz}"},
	{step: "change_nic", play: "change_nic: {vm: web-1, nic: nic2, network: lan}"},
	{step: "create_snapshot", play: "create_snapshot: {vm: web-1, name: before}"},
	{step: "create_vlan", play: "create_vlan: {id: 100, name: v100, ovirt: {cluster: Default, host_nic: eth2}}"},
	{step: "create_vm", play: `create_vm:
        name: new
        cpu: 2
        memory: 2GiB
        disks: [{name: root, boot: true, size: 20GiB}, {name: data, size: 1GiB, storage: data, mount_point: /srv}]
        nics: [{name: nic1, network: lan, guest_name: eth0, address: 10.0.0.5/24}, {name: nic2, network: dmz}]
        ovirt: {template: debian-12}`, anyHost: true},
	{step: "change_cdrom", before: `upload_volume: {storage: data, name: a.iso, src: "SOURCE"}`, play: "change_cdrom: {vm: web-1, iso: a.iso, storage: data}"},
	{step: "change_nic", play: "change_nic: {vm: web-1, nic: nic2, model: e1000e}"},
	{step: "clone_volume", before: "create_volume: {storage: data, name: blank, size: 1GiB}", play: "clone_volume: {storage: data, name: copy, from: blank, size: 2GiB}"},
	{step: "create_volume", play: "create_volume: {storage: data, name: blank, size: 1GiB}"},
	{step: "delete_volume", before: "create_volume: {storage: data, name: blank, size: 1GiB}", play: "delete_volume: {storage: data, name: blank}"},
	{step: "resize_volume", before: "create_volume: {storage: data, name: blank, size: 1GiB}", play: "resize_volume: {storage: data, name: blank, size: 2GiB}"},
	{step: "upload_volume", play: `upload_volume: {storage: data, name: sent, src: "SOURCE"}`},
	{step: "upload_volume", before: "create_volume: {storage: data, name: sent, size: 1GiB}", play: `upload_volume: {storage: data, name: sent, src: "SOURCE"}`},
	{step: "create_vm", play: "create_vm: {name: web-1, cpu: 3, description: changed, disks: [{name: data, size: 2GiB}, {name: more, size: 1GiB, storage: data}]}"},
	{step: "delete_snapshot", before: "create_snapshot: {vm: web-1, name: before}", play: "delete_snapshot: {vm: web-1, name: before}"},
	{step: "delete_vlan", play: "delete_vlan: {name: old}"},
	{step: "delete_vm", play: "delete_vm: {vm: web-1}"},
	{step: "delete_affinity", before: "set_affinity: {name: apart, vms: [web-1, web-2], vm_rule: negative}", play: "delete_affinity: {name: apart}"},
	{step: "detach_disk", play: "detach_disk: {vm: web-1, disk: data, delete_volume: true}"},
	{step: "detach_nic", play: "detach_nic: {vm: web-1, nic: nic2}"},
	{step: "evacuate", before: "migrate: {vm: web-1, host: host2}", play: "evacuate: {host: host2}", anyHost: true},
	{step: "guest_exec", play: "guest_exec: {vm: web-1, command: [uname]}"},
	{step: "guest_file", play: `guest_file: {vm: web-1, path: "FILE", content: hello}`},
	{step: "host_activate", before: "host_maintenance: host2", play: "host_activate: host2"},
	{step: "host_maintenance", before: "migrate: {vm: web-1, host: host2}", play: "host_maintenance: {host: host2, timeout: 2m}"},
	{step: "migrate", play: "migrate: {vm: web-1, host: host2}"},
	{step: "power", play: "power: {vm: web-1, state: stopped}"},
	{step: "power", play: "power: {vm: web-2, state: running}", anyHost: true},
	{step: "power", play: "power: {vm: web-1, state: suspended}"},
	{step: "power", play: "power: {vm: web-1, action: reboot}"},
	{step: "rename_vm", play: "rename_vm: {vm: web-1, to: web-9}"},
	{step: "resize_disk", play: "resize_disk: {vm: web-1, disk: data, size: 2GiB}"},
	{step: "revert_snapshot", before: "create_snapshot: {vm: web-2, name: before}", play: "revert_snapshot: {vm: web-2, name: before}"},
	{step: "set_affinity", play: "set_affinity: {name: apart, vms: [web-1, web-2], vm_rule: negative}"},
	{step: "set_affinity", before: "set_affinity: {name: apart, vms: [web-1]}", play: "set_affinity: {name: apart, vms: [web-2], hosts: [host1], host_rule: positive}"},
	{step: "set_cpu", play: "set_cpu: {vm: web-1, count: 4}"},
	{step: "set_memory", play: "set_memory: {vm: web-1, current: 2GiB}"},
	{step: "set_vm", play: "set_vm: {vm: web-1, title: a title, description: changed, ovirt: {tags: [one, two]}}"},
	{step: "vm_facts", play: "vm_facts: {vm: web-1}"},
	{step: "wait_for", play: "wait_for: {vm: web-1, for: agent, timeout: 3s}"},
}

// alike are steps that send an engine what another step sends, which is tried here.
// Accounts of guests would be those of the machine that the test's sshd runs on.
var alike = map[string]string{
	"create_network": "create_vlan", "delete_network": "delete_vlan", "host_facts": "vm_facts",
	"set_password": "guest_exec", "guest_fetch": "guest_file", "upload_image": "upload_volume", "ssh_keys": "guest_file",
}

// onEngine tells whether engines know one of the changes that a step may make.
func onEngine(changes []virt.Change) bool {
	return slices.ContainsFunc(changes, func(c virt.Change) bool { return (&ovirt.Engine{}).Supports(c) == nil })
}

func isRead(r ovirtsim.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Path, "/ovirt-engine/api")
}

// knob is something that goes wrong with an engine.
type knob struct {
	name string
	turn func(*ovirtsim.Engine)
	heal func(*ovirtsim.Engine) // beside Heal, which ends what is none of a request
	// timeout is the step's own, in real time; empty = none.
	timeout string
	// lostHost is one that may be left out with a warning; empty = none.
	lostHost string
}

func inject(i ovirtsim.Injection) func(*ovirtsim.Engine) {
	return func(e *ovirtsim.Engine) { e.Inject(i) }
}

// knobs are all that the simulator has. They are turned when the first request
// that changes something is about to be sent: all was looked at, and nothing done.
var knobs = []knob{
	{name: "token expired", turn: (*ovirtsim.Engine).ExpireTokens},
	{name: "503 for 20 s", turn: func(e *ovirtsim.Engine) { e.Unavailable(20 * time.Second) }},
	{name: "503 for an hour", turn: func(e *ovirtsim.Engine) { e.Unavailable(time.Hour) }},
	{name: "engine restarts", turn: func(e *ovirtsim.Engine) { e.Restart(30 * time.Second) }},
	{name: "HTML 502 for a change", turn: inject(ovirtsim.Injection{Match: isWrite, Times: 1, Status: http.StatusBadGateway, HTML: true})},
	{name: "HTML 200 for a change", turn: inject(ovirtsim.Injection{Match: isWrite, Times: 1, Status: http.StatusOK, HTML: true})},
	{name: "HTML 502 for a read", turn: inject(ovirtsim.Injection{Match: isRead, Times: 1, Status: http.StatusBadGateway, HTML: true})},
	{name: "HTML 200 for a read", turn: inject(ovirtsim.Injection{Match: isRead, Times: 1, Status: http.StatusOK, HTML: true})},
	{name: "request lost", turn: inject(ovirtsim.Injection{Match: isWrite, Times: 1, Drop: true})},
	{name: "every reply lost", turn: inject(ovirtsim.Injection{Match: isWrite, LoseReply: true})},
	{name: "reads lost for 5 s", turn: inject(ovirtsim.Injection{Match: isRead, For: 5 * time.Second, Drop: true})},
	{name: "409 for 20 s", turn: func(e *ovirtsim.Engine) { e.Busy(20*time.Second, isWrite) }},
	{name: "409 for ever", turn: func(e *ovirtsim.Engine) { e.Busy(1000*time.Hour, isWrite) }, timeout: "2s"},
	{name: "500 for a change", turn: inject(ovirtsim.Injection{Match: isWrite, Times: 1, Status: http.StatusInternalServerError, Detail: "[Internal Engine Error]"})},
	{name: "no right to change", turn: inject(ovirtsim.Injection{Match: isWrite, Status: http.StatusForbidden, Detail: "[User is not authorized to perform this action.]"})},
	{name: "password expired", turn: func(e *ovirtsim.Engine) { e.ExpirePassword(); e.ExpireTokens() }},
	{name: "setupnetworks takes a minute", turn: func(e *ovirtsim.Engine) { e.SlowSetup("host2", time.Minute) }},
	{name: "setupnetworks fails on a host", turn: func(e *ovirtsim.Engine) { e.FailSetup("host2") }},
	{name: "hot-plug fails", turn: func(e *ovirtsim.Engine) { e.FailHotPlug("web-1"); e.FailHotPlug("new") }},
	{name: "guest ignores shutdown", turn: func(e *ovirtsim.Engine) { e.IgnoreShutdown("web-1") }},
	{name: "migration fails", turn: func(e *ovirtsim.Engine) { e.FailMigration("web-1") }},
	{name: "start fails", turn: func(e *ovirtsim.Engine) { e.FailStart("web-2"); e.FailStart("new") }},
	{name: "copy fails", turn: func(e *ovirtsim.Engine) { e.FailCopy("new") }},
	{name: "disk fails", turn: func(e *ovirtsim.Engine) { e.FailDisk("web-1-more"); e.FailDisk("new-data") }},
	{name: "no agent", turn: func(e *ovirtsim.Engine) { e.NoAgent("web-1"); e.NoAgent("new") }},
	{name: "host lost", turn: func(e *ovirtsim.Engine) { e.LoseHost("host1") }, heal: func(e *ovirtsim.Engine) { e.FindHost("host1") }, lostHost: "host1"},
}

// TestEveryKnobInEveryStep lets everything go wrong with the engine in every step.
// Each time the step ends well, where the engine then is as if nothing had
// happened; or with an error that names the object and what to do, and the next
// run leads there. Nothing is made twice. These are some 900 runs, which would take
// minutes with the race detector: races are for the other tests to find.
func TestEveryKnobInEveryStep(t *testing.T) {
	for _, spec := range modules.Registry().All() {
		known := slices.ContainsFunc(onEngines, func(c engineCase) bool { return c.step == spec.Name })
		if !spec.Controller && !known && alike[spec.Name] == "" && onEngine(spec.Changes) {
			t.Errorf("step %s has no play in onEngines: what does it do when the engine fails?", spec.Name)
		}
	}
	srv := sshtest.Start(t, sshtest.Options{Host: "127.0.0.62"})
	tally := &tally{}
	t.Run("steps", func(t *testing.T) {
		for _, c := range onEngines {
			t.Run(c.play, func(t *testing.T) {
				t.Parallel()
				f := &faulty{engineCase: c, guests: srv, tally: tally}
				f.undisturbed(t)
				var wg sync.WaitGroup
				slots := make(chan struct{}, 2)
				try := func(k knob, after int) {
					slots <- struct{}{}
					wg.Go(func() {
						defer func() { <-slots }()
						f.try(t, k, after)
					})
				}
				for _, k := range knobs {
					try(k, 0)
				}
				for i := range f.writes {
					try(knob{name: fmt.Sprintf("reply to change %d lost", i+1), turn: inject(ovirtsim.Injection{Match: isWrite, Times: 1, LoseReply: true})}, i)
				}
				wg.Wait()
			})
		}
	})
	t.Logf("%d tried: %d survived, %d ended with a clear error, and the next run healed %d of these", tally.tried, tally.survived, tally.clear, tally.healed)
}

func book(steps string) string { return "- targets: e1\n  steps:\n    - " + steps + "\n" }

// book is a play with a file of this engine's guest, and one of this machine.
func (b *bed) book(steps string) string {
	return book(strings.NewReplacer("FILE", filepath.Join(b.dir, "file"), "SOURCE", filepath.Join(b.dir, "source.raw")).Replace(steps))
}

// addGuests tells the inventory how to get into guests.
func (b *bed) addGuests(t testing.TB, srv *sshtest.Server) {
	t.Helper()
	text, err := os.ReadFile(b.inventory)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, filepath.Base(b.inventory), fmt.Sprintf("%sguests: {user: %s, port: %d, identity_file: %s, identities_only: true, agent: none, known_hosts: [%s]}\n",
		text, srv.User, srv.Port, srv.IdentityFile, srv.KnownHosts))
}

// tally counts how faults ended.
type tally struct {
	mu                             sync.Mutex
	tried, survived, clear, healed int
}

func (c *tally) add(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// faulty is a play that is disturbed.
type faulty struct {
	engineCase
	guests *sshtest.Server // the inside of web-1
	tally  *tally

	writes     int    // requests that change something, undisturbed
	start, end string // the engine's state
	restarted  string // at the end, after a restart of the VM
}

// bed gives a new engine that the play can begin on.
func (f *faulty) bed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t, engineWithVMs())
	b.anyHost = f.anyHost
	b.sim.SetAddress("web-1", "nic1", f.guests.Host)
	b.addGuests(t, f.guests)
	b.write(t, "source.raw", strings.Repeat("sector after sector, all of them full of words. ", 1<<15))
	if f.before != "" {
		b.play(t, "play", b.book(f.before)).must(t)
	}
	b.sim.Advance(10 * time.Minute)
	b.sim.Forget()
	return b
}

// undisturbed plays it twice: what it leads to, and that this is all.
func (f *faulty) undisturbed(t *testing.T) {
	t.Helper()
	b := f.bed(t)
	f.start = b.state(t)
	b.sim.Forget()
	b.play(t, "play", b.book(f.play)).must(t)
	f.writes = b.sim.Count(isWrite)
	f.end = b.state(t)
	f.restarted = restarted(t, b)
}

// restarted gives the state after a restart, which puts in force what was pending.
func restarted(t *testing.T, b *bed) string {
	t.Helper()
	b.play(t, "play", book("power: {vm: web-1, state: stopped, force_after: 0s}")+"    - power: {vm: web-1, state: running}\n")
	return b.state(t)
}

// leftOut tells whether something is named as not done yet.
func (o *observed) leftOut(name string) bool {
	return slices.ContainsFunc(o.events, func(r event.Record) bool {
		switch e := r.Event.(type) {
		case event.Warning:
			return strings.Contains(e.Text, name)
		case event.Result:
			return slices.ContainsFunc(e.PendingFields, func(p virt.Pending) bool { return strings.Contains(p.Field+p.Reason, name) })
		}
		return false
	})
}

// differs tells in what the state that a run has led to is not the one that it
// should. What it said to be pending counts after a restart.
func (f *faulty) differs(t *testing.T, b *bed, o *observed, now string) string {
	t.Helper()
	for _, r := range o.events {
		if res, ok := r.Event.(event.Result); ok && res.Pending {
			return gocmp.Diff(f.restarted, restarted(t, b))
		}
	}
	return gocmp.Diff(f.end, now)
}

// try plays it with a knob turned before the change number after+1, or at the
// beginning of a play that changes nothing.
func (f *faulty) try(t *testing.T, k knob, after int) {
	t.Helper()
	b := f.bed(t)
	defer b.sim.Close()
	turn := sync.OnceFunc(func() { k.turn(b.sim) })
	var mu sync.Mutex
	writes := 0
	b.before = func(method string) {
		mu.Lock()
		defer mu.Unlock()
		if method != http.MethodGet {
			writes++
		}
		if f.writes == 0 || writes > after {
			turn()
		}
	}
	text := b.book(f.play)
	if k.timeout != "" {
		text += "      timeout: " + k.timeout + "\n"
	}
	o := b.play(t, "play", text)
	b.before = nil
	f.tally.add(&f.tally.tried)
	b.sim.Heal()
	if k.heal != nil {
		k.heal(b.sim)
	}
	b.sim.EndInjections()
	now := b.state(t)
	switch {
	case o.code == 0 && k.lostHost != "" && o.leftOut(k.lostHost):
	case o.code == 0:
		if d := f.differs(t, b, o, now); d != "" {
			t.Errorf("%s: it ended well, but the engine is not as it should be (-want +got):\n%s", k.name, d)
		}
		f.tally.add(&f.tally.survived)
		return
	case o.code != 2 && o.code != 4:
		t.Errorf("%s: exit code %d\n%s", k.name, o.code, o.stderr)
	}
	for _, e := range o.failures() {
		t.Logf("%s: exit code %d, half-made %v: %s: %s [found %s] [do %s] [cause %s]", k.name, o.code, now != f.start, e.Object, e.Summary, e.Found, e.Do, e.Cause)
		if e.Object == nil || e.Do == "" {
			t.Errorf("%s: the error does not say what it is about, or what to do: %+v", k.name, e)
		}
	}
	f.tally.add(&f.tally.clear)
	again := b.play(t, "play", b.book(f.play))
	if again.code != 0 {
		t.Errorf("%s: the next run fails, too: %+v", k.name, again.failures())
		return
	}
	if d := f.differs(t, b, again, b.state(t)); d != "" {
		t.Errorf("%s: the next run leads elsewhere (-want +got):\n%s", k.name, d)
		return
	}
	f.tally.add(&f.tally.healed)
}
