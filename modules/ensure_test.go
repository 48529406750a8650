package modules_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/modules/createvm"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/modules/vmfacts"
	"github.com/nactl/nactl/modules/waitfor"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/virttest"
)

// bench is a platform in memory and what a step reaches beside it.
type bench struct {
	*virttest.Memory
	warned  []string
	said    []string
	pending []virt.Pending
	files   map[string]string
	local   localhost
	kind    string          // of the target; empty: a node
	disk    virt.Controller // the controller with real files; nil: local
	dir     string          // the project's folder
}

func (b *bench) ReadFile(path string) ([]byte, error) {
	if text, ok := b.files[path]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("no file %s", path)
}

// localhost is the controller: it notes what it is asked to run.
type localhost struct {
	virt.Controller // nil: the steps of these tests only run commands
	there           map[string]bool
	rc              map[string]int
	ran             []string
}

func (l *localhost) Supports(virt.Change) error                            { return nil }
func (l *localhost) Check(context.Context, virt.Reader, virt.Change) error { return nil }
func (l *localhost) Exists(_ context.Context, path string) (bool, error)   { return l.there[path], nil }
func (l *localhost) Probe(_ context.Context, c virt.Command) (*virt.CommandResult, error) {
	return &virt.CommandResult{RC: l.rc[c.Shell+strings.Join(c.Argv, " ")]}, nil
}
func (l *localhost) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	return virt.Rules{}.Predict(before, c)
}
func (l *localhost) Apply(_ context.Context, c virt.Change) (virt.Outcome, error) {
	cmd := c.(virt.LocalExec).Command
	line := cmd.Shell + strings.Join(cmd.Argv, " ")
	l.ran = append(l.ran, line)
	return virt.Outcome{Changed: true, Result: &virt.CommandResult{RC: l.rc[line], Stderr: "words"}}, nil
}

func (b *bench) env(p virt.Platform) *step.Env {
	var local virt.Controller = &b.local
	if b.disk != nil {
		local = b.disk
	}
	return &step.Env{
		Dir:    b.dir,
		Target: step.Target{Name: "lab", Kind: cmp.Or(b.kind, "node")}, Platform: p, Local: local, Files: b, Run: "r1",
		Image: func(name string) (virt.ImageSource, error) { return virt.ImageSource{Name: name, Storage: "pool"}, nil },
		Wait: func(ctx context.Context, w step.Waiting) error {
			for range 3 {
				if done, _, err := w.Look(ctx); done || err != nil {
					return err
				}
			}
			return &virt.Error{Kind: virt.ErrTimeout, Object: virt.VMRef(w.VM), Summary: "waited for " + w.What}
		},
		Sleep:   func(context.Context, time.Duration) error { return nil },
		Ask:     func(context.Context, string) (string, bool, error) { return "", false, nil },
		Warn:    func(s string) { b.warned = append(b.warned, s) },
		Message: func(s string) { b.said = append(b.said, s) },
		Pending: func(_ virt.Ref, p []virt.Pending) { b.pending = append(b.pending, p...) },
	}
}

// run decodes a step as the runner would, and lets it ensure.
func (b *bench) run(t *testing.T, text string, p virt.Platform) (step.Result, error) {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(text))
	if list.HasErrors() || len(n.Entries) != 1 {
		t.Fatalf("%s: %v", text, list)
	}
	spec := modules.Registry().Lookup(n.Entries[0].Key.Str)
	args := n.Entries[0].Value
	if args.Kind != source.Map && spec.Bare != "" {
		args = step.Wrap(spec.Bare, args)
	}
	s := spec.New()
	info, list := step.Decode(args, s, spec.Name, step.Mode{})
	if !list.HasErrors() {
		list.Add(step.Validate(s, args, false)...)
	}
	if list.HasErrors() || len(info.Unknown) > 0 {
		t.Fatalf("%s: %v, unknown %v", text, list.Err(), info.Unknown)
	}
	if p == nil {
		p = b.Memory
	}
	return s.Ensure(t.Context(), b.env(p))
}

func newBench(objects ...virt.Object) *bench {
	return &bench{Memory: virttest.NewMemory(objects...), local: localhost{there: map[string]bool{}, rc: map[string]int{}}}
}

// Keys of nobody.
const (
	oneKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII one"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ other"
)

// lab gives what the steps below work on.
func lab() []virt.Object {
	running := &virt.VM{Name: "on", ID: virt.Some("1"), State: virt.Running, Host: virt.Some("h1"), CPU: virt.CPU{Count: 1, Max: 4},
		Memory: virt.Memory{Current: virt.GiB, Max: 2 * virt.GiB},
		Disks:  []virt.Disk{{Name: "root", Target: "vda", Bus: "virtio", Format: "qcow2", Size: virt.GiB, Boot: true, Storage: "pool", Volume: "on-root.qcow2", In: virt.Presence{Live: true, Config: true}}},
		NICs:   []virt.NIC{{Name: "nic1", Network: "lan", Model: "virtio", MAC: virt.Some("52:54:00:00:00:01"), LinkUp: true, In: virt.Presence{Live: true, Config: true}}},
	}
	running.Live = &virt.Live{CPU: running.CPU, Memory: running.Memory}
	off := running.Clone().(*virt.VM)
	off.Name, off.State, off.Live, off.Disks[0].In.Live, off.NICs[0].In.Live = "off", virt.Stopped, nil, false, false
	half := off.Clone().(*virt.VM)
	half.Name, half.Unfinished = "half", "r0"
	return []virt.Object{running, off, half,
		&virt.Host{Name: "h1", State: "up"}, &virt.Host{Name: "h2", State: "up", FreeMemory: 8 * virt.GiB}, &virt.Host{Name: "resting", State: "maintenance", Maintenance: true},
		&virt.Network{Name: "web", VLAN: 5, Type: "openvswitch", Active: true, Autostart: true, Hosts: []string{"h1", "h2", "resting"}},
		&virt.Image{Source: virt.ImageSource{Name: "debian", Storage: "pool"}, Format: "qcow2", Size: 2 * virt.GiB, CPU: virt.CPU{Count: 2}},
		&virt.GuestFile{VM: "on", Path: "/done", SHA256: "x"},
		&virt.SSHKeys{VM: "on", User: "ada", Keys: []string{otherKey}},
		&virt.AffinityGroup{Name: "near", VMs: []string{"off", "on"}, VMRule: virt.AffinityRule{Affinity: "positive"}, HostRule: virt.AffinityRule{Affinity: "disabled"}},
		&virt.Snapshot{VM: "off", Name: "there", ID: virt.Some("s-0"), State: virt.SnapshotOK, Memory: virt.Some(false)},
	}
}

// TestEnsure plays each step on what it finds: the changes are those that are
// missing, a plan predicts the same and makes none, and played again it makes none.
func TestEnsure(t *testing.T) {
	for text, want := range map[string]string{
		"create_vm: {name: new}":                                     "create_vm start finish_vm",
		"create_vm: {name: new, state: stopped, image: debian}":      "create_vm finish_vm",
		"create_vm: {name: new, state: paused}":                      "create_vm start pause finish_vm",
		"create_vm: {name: half}":                                    "create_vm start finish_vm",
		"create_vm: {name: \"on\"}":                                  "",
		"create_vm: {name: \"on\", cpu: 2, memory: 2GiB, title: T}":  "set_cpu set_memory set_vm",
		"create_vm: {name: \"on\", cpu: {count: 1}, state: running}": "",
		"create_vm: {name: off, state: running}":                     "start",
		"create_vm: {name: \"on\", state: stopped}":                  "shutdown",
		"create_vm: {name: \"on\", image: debian, disks: [{name: root, boot: true, size: 2GiB}, {name: d, size: 1GiB}]}": "resize_disk attach_disk",
		"create_vm: {name: \"on\", nics: [{network: lan}, {network: web}]}":                                              "attach_nic",
		"create_vm: {name: \"on\", nics: [{network: web}]}":                                                              "change_nic",
		"create_vm: {name: \"on\", metadata: {k: v}, autostart: true, boot: [hd]}":                                       "set_vm",
		"delete_vm: \"on\"":                               "delete_vm",
		"delete_vm: half":                                 "delete_vm",
		"delete_vm: gone":                                 "",
		"set_cpu: {vm: \"on\", count: 3}":                 "set_cpu",
		"set_cpu: {vm: \"on\", count: 1}":                 "",
		"set_cpu: {vm: \"on\"}":                           "",
		"set_memory: {vm: off, size: 512MiB}":             "set_memory",
		"set_memory: {vm: off, current: 1GiB, max: 2GiB}": "",
		"set_vm: {vm: \"on\", title: T, autostart: true, boot: [network, hd], metadata: {k: v}}": "set_vm",
		"set_vm: {vm: off, ovirt: {tags: [web], ha_priority: 5, affinity: pinned, hosts: [h2]}}": "set_vm",
		"set_vm: {vm: off, ovirt: {tags: {remove: [old]}, custom_properties: {none: \"\"}}}":     "",
		"set_vm: {vm: off, ovirt: {tags: {exactly: []}, delete_protected: true}}":                "set_vm",
		"set_vm: {vm: off}": "",
		"create_vm: {name: off, ovirt: {tags: [web], custom_properties: {a: b}}}":                        "set_vm",
		"create_vm: {name: new, state: stopped, ovirt: {tags: [web], ha_priority: 5, affinity: pinned}}": "create_vm finish_vm",
		"set_affinity: {name: apart, vms: [\"on\", off], vm_rule: negative, vm_enforcing: true}":         "set_affinity",
		"set_affinity: {name: near, vms: [\"on\"], vm_rule: positive}":                                   "set_affinity",
		"set_affinity: {name: near, vms: [\"on\"], add_only: true}":                                      "",
		"set_affinity: {name: near, host_rule: disabled}":                                                "",
		"delete_affinity: near":                                                 "delete_affinity",
		"delete_affinity: gone":                                                 "",
		"power: {vm: off, state: running}":                                      "start",
		"power: {vm: \"on\", state: running}":                                   "",
		"power: {vm: \"on\", state: stopped}":                                   "shutdown",
		"power: {vm: \"on\", state: stopped, force_after: 0s}":                  "power_off",
		"power: {vm: off, state: suspended}":                                    "start suspend",
		"power: {vm: \"on\", state: paused}":                                    "pause",
		"migrate: {vm: \"on\", host: h2}":                                       "migrate",
		"migrate: {vm: \"on\", host: h1}":                                       "",
		"migrate: {vm: \"on\", away_from: h2}":                                  "",
		"migrate: {vm: \"on\", cluster: c2}":                                    "migrate",
		"evacuate: {host: h1}":                                                  "migrate",
		"evacuate: {host: h1, to: [h2], stopped: true, parallel: 2}":            "migrate migrate",
		"evacuate: {host: h2}":                                                  "",
		"host_maintenance: {host: h1, reason: fans, timeout: 1h}":               "host_maintenance",
		"host_maintenance: resting":                                             "",
		"host_activate: resting":                                                "host_activate",
		"host_activate: h1":                                                     "",
		"attach_disk: {vm: \"on\", name: d, size: 1GiB}":                        "attach_disk",
		"attach_disk: {vm: \"on\", name: root, size: 1MiB}":                     "",
		"attach_disk: {vm: \"on\", name: root, size: 3GiB}":                     "resize_disk",
		"detach_disk: {vm: \"on\", disk: vda}":                                  "detach_disk",
		"detach_disk: {vm: \"on\", disk: d}":                                    "",
		"resize_disk: {vm: \"on\", disk: root, size: 3GiB}":                     "resize_disk",
		"resize_disk: {vm: \"on\", disk: root, size: 1GiB}":                     "",
		"attach_nic: {vm: \"on\", name: nic2, network: web}":                    "attach_nic",
		"attach_nic: {vm: \"on\", name: nic1, network: lan}":                    "",
		"attach_nic: {vm: \"on\", name: nic1, network: web}":                    "change_nic",
		"change_nic: {vm: \"on\", nic: nic1, network: web, link_up: false}":     "change_nic",
		"change_nic: {vm: \"on\", nic: nic1, network: lan, link_up: true}":      "",
		"change_nic: {vm: \"on\", nic: nic1, model: e1000e}":                    "change_nic",
		"change_cdrom: {vm: \"on\", iso: a.iso, storage: isos}":                 "change_cdrom",
		"change_cdrom: {vm: \"on\", iso: /srv/a.iso, drive: cd}":                "change_cdrom",
		"change_cdrom: {vm: \"on\", eject: true}":                               "",
		"rename_vm: {vm: off, to: other}":                                       "rename_vm",
		"rename_vm: {vm: gone, to: off}":                                        "",
		"create_snapshot: {vm: \"on\", name: s, memory: true}":                  "create_snapshot",
		"create_snapshot: {vm: \"on\", name: s, external: true, quiesce: true}": "create_snapshot",
		"create_snapshot: {vm: off, name: there, memory: true}":                 "",
		"delete_snapshot: {vm: off, name: there}":                               "delete_snapshot",
		"delete_snapshot: {vm: off, name: none}":                                "",
		"detach_nic: {vm: \"on\", nic: nic1}":                                   "detach_nic",
		"detach_nic: {vm: \"on\", nic: nic7}":                                   "",
		"create_vlan: {id: 7, name: dmz}":                                       "create_network",
		"create_vlan: {id: 5, name: web}":                                       "",
		"delete_vlan: web":                                                      "delete_network",
		"delete_vlan: {name: web, host: h1}":                                    "delete_network",
		"delete_vlan: gone":                                                     "",
		"guest_file: {vm: \"on\", path: /etc/x, content: hi, mode: \"0600\"}":   "guest_write",
		"guest_file: {vm: \"on\", path: /etc/x, src: x.conf}":                   "guest_write",
		"guest_exec: {vm: \"on\", command: [make], creates: /done}":             "",
		"guest_exec: {vm: \"on\", command: [make], unless: [test]}":             "",
		`ssh_keys: {vm: "on", user: ada, keys: [` + oneKey + `]}`:               "set_ssh_keys",
		`ssh_keys: {vm: "on", user: ada, keys: [], exclusive: true}`:            "set_ssh_keys",
		`ssh_keys: {vm: "on", user: ada, keys: "` + otherKey + `\n\n# x"}`:      "",
		`ssh_keys: {vm: "on", user: ada, remove: [` + oneKey + `]}`:             "",
		"vm_facts: \"on\"":                                                      "",
		"wait_for: {vm: \"on\", for: state, state: running}":                    "",
	} {
		t.Run(text, func(t *testing.T) {
			b := newBench(lab()...)
			b.files = map[string]string{"x.conf": "text"}
			plan := &recording{Platform: dryrun.New(dryrun.Tripwire(b.Memory))}
			if _, err := b.run(t, text, plan); err != nil {
				t.Fatalf("plan: %v", err)
			}
			if got := strings.Join(plan.kinds, " "); got != want {
				t.Errorf("a plan predicts %q, want %q", got, want)
			}
			if got := b.Kinds(); got != "" {
				t.Fatalf("a plan made %q", got)
			}
			if _, err := b.run(t, text, nil); err != nil {
				t.Fatal(err)
			}
			if got := b.Kinds(); got != want {
				t.Errorf("made %q, want %q", got, want)
			}
			declared(t, text, b.Kinds())
			if _, err := b.run(t, text, nil); err != nil {
				t.Fatalf("again: %v", err)
			}
			if got := b.Kinds(); got != want {
				t.Errorf("again: made %q in all, want %q", got, want)
			}
		})
	}
}

// declared makes sure that a step says of itself which changes it makes.
func declared(t *testing.T, text, kinds string) {
	t.Helper()
	word, _, _ := strings.Cut(text, ":")
	spec := modules.Registry().Lookup(word)
	for _, kind := range strings.Fields(kinds) {
		if !slices.ContainsFunc(spec.Changes, func(c virt.Change) bool { return virt.KindOf(c) == kind }) {
			t.Errorf("%s makes a %s, which its Changes do not have", word, kind)
		}
	}
}

// recording notes the changes that an overlay is given.
type recording struct {
	virt.Platform
	mu    sync.Mutex // a step may make several changes side by side
	kinds []string
}

func (r *recording) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	out, err := r.Platform.Apply(ctx, c)
	if err == nil && out.Changed {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.kinds = append(r.kinds, virt.KindOf(c))
	}
	return out, err
}

func TestEnsureErrors(t *testing.T) {
	for text, want := range map[string]struct {
		kind error
		text string
	}{
		"set_cpu: {vm: gone, count: 2}":                           {virt.ErrNotFound, "is not there"},
		"set_vm: {vm: gone, title: T}":                            {virt.ErrNotFound, "is not there"},
		"set_cpu: {vm: half, count: 2}":                           {virt.ErrConflict, "is unfinished"},
		"set_cpu: {vm: \"on\", count: 4, max: 2}":                 {virt.ErrInvalid, "cannot have 4 CPUs"},
		"power: {vm: off, action: reboot}":                        {virt.ErrConflict, "is not running"},
		"guest_exec: {vm: off, command: [x]}":                     {virt.ErrConflict, "is not running"},
		"change_nic: {vm: \"on\", nic: nic9, link_up: false}":     {virt.ErrNotFound, `has no NIC "nic9"`},
		"create_snapshot: {vm: half, name: s}":                    {virt.ErrConflict, "is unfinished"},
		"delete_snapshot: {vm: gone, name: s}":                    {virt.ErrNotFound, "vm gone: is not there"},
		"revert_snapshot: {vm: \"on\", name: s}":                  {virt.ErrNotFound, `snapshot "s" of vm on: is not there`},
		"resize_disk: {vm: \"on\", disk: d, size: 1GiB}":          {virt.ErrNotFound, `has no disk "d"`},
		"create_vlan: {id: 6, name: web}":                         {virt.ErrConflict, "is another network"},
		"create_vlan: {id: 6, name: dmz, host: h9}":               {virt.ErrNotFound, "host h9: is not there"},
		"evacuate: {host: h9}":                                    {virt.ErrNotFound, "host h9: is not there"},
		"evacuate: {host: h1, to: [h9]}":                          {virt.ErrNotFound, "host h9: is not there"},
		"evacuate: {host: h1, to: [resting]}":                     {virt.ErrConflict, "have nowhere to go"},
		"host_maintenance: h9":                                    {virt.ErrNotFound, "host h9: is not there"},
		"host_activate: h9":                                       {virt.ErrNotFound, "host h9: is not there"},
		"create_vm: {name: new, image: nowhere}":                  {virt.ErrNotFound, "image nowhere"},
		"attach_nic: {vm: gone, name: n, network: lan}":           {virt.ErrNotFound, "is not there"},
		"wait_for: {vm: gone}":                                    {virt.ErrNotFound, "is not there"},
		"wait_for: {vm: off}":                                     {virt.ErrTimeout, "the guest agent of vm off"},
		"change_cdrom: {vm: gone, eject: true}":                   {virt.ErrNotFound, "is not there"},
		"change_cdrom: {vm: \"on\", drive: root, eject: true}":    {virt.ErrConflict, "no CD drive"},
		"ssh_keys: {vm: gone, user: ada, keys: []}":               {virt.ErrNotFound, "vm gone: is not there"},
		"ssh_keys: {vm: \"on\", user: bob, keys: [], remove: []}": {virt.ErrNotFound, `no user "bob"`},
		"set_password: {vm: gone, user: ada, password: x}":        {virt.ErrNotFound, "is not there"},
		"set_password: {vm: off, user: ada, password: x}":         {virt.ErrConflict, "is not running"},
		"rename_vm: {vm: gone, to: lost}":                         {virt.ErrNotFound, "vm gone: is not there"},
		"rename_vm: {vm: off, to: \"on\"}":                        {virt.ErrConflict, "another VM has that name"},
		"rename_vm: {vm: half, to: whole}":                        {virt.ErrConflict, "is unfinished"},
		"guest_file: {vm: gone, path: /x, content: x}":            {virt.ErrNotFound, "vm gone: is not there"},
		"attach_disk: {vm: \"on\", name: root, volume: other}":    {virt.ErrConflict, "has another disk"},
	} {
		_, err := newBench(lab()...).run(t, text, nil)
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v; want %v with %q", text, err, want.kind, want.text)
		}
	}
	b := newBench()
	if _, err := b.run(t, "fail: no change number", nil); err == nil || err.Error() != "no change number" {
		t.Errorf("fail: %v", err)
	}
	var bad *step.Failure
	if _, err := b.run(t, "assert: {that: [{expr: a > b, ok: false}, {expr: c, ok: true}]}", nil); !errors.As(err, &bad) || bad.Message != "does not hold: a > b" {
		t.Errorf("assert: %v", err)
	}
}

func TestCreateVM(t *testing.T) {
	b := newBench(lab()...)
	res, err := b.run(t, `create_vm: {name: new, image: debian, cpu: {max: 8}, disks: [{name: data, size: 1GiB, mount_point: /srv}], nics: [{network: lan}], users: [{name: ada, sudo: true}], run: [echo hi, [ls]], ssh_keys: [k]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := res.Output.(createvm.Output)
	if !out.Created || out.Name != "new" || out.ID.Or("") == "" || out.Host.Or("") != "h1" || out.MAC.Or("") == "" {
		t.Errorf("output %+v", out)
	}
	c := b.Applied()[0].(virt.CreateVM)
	if c.Run != "r1" || c.CPU.Count != 2 || c.CPU.Max != 8 || c.Memory.Current != virt.GiB {
		t.Errorf("the image's CPUs and the default memory hold: %+v %+v", c.CPU, c.Memory)
	}
	if len(c.Disks) != 2 || !c.Disks[0].Boot || c.Disks[0].Size != 2*virt.GiB || c.Disks[1].Filesystem != "ext4" || c.Disks[1].Storage != "pool" {
		t.Errorf("disks %+v", c.Disks)
	}
	if len(c.NICs) != 1 || c.NICs[0].Name != "nic1" {
		t.Errorf("NICs %+v", c.NICs)
	}
	if ci := c.CloudInit; ci == nil || ci.Hostname != "" || // the platform takes the VM's name
		len(ci.Users) != 1 || ci.Users[0].Sudo != "ALL=(ALL) NOPASSWD:ALL" || len(ci.Run) != 2 || ci.Run[0][0] != "/bin/sh" {
		t.Errorf("cloud-init %+v", ci)
	}
	vm, err := b.VM(t.Context(), "new")
	if err != nil || vm.Unfinished != "" || vm.State != virt.Running {
		t.Errorf("it became %+v, %v", vm, err)
	}
	// A VM that is there and boots from a disk of another name is another VM.
	if _, err := b.run(t, `create_vm: {name: "on", image: debian, disks: [{name: system, boot: true}]}`, nil); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("another boot disk: %v", err)
	}
}

// What an interrupted run left running needs but the end.
func TestCreateVMCompletes(t *testing.T) {
	b := newBench(lab()...)
	half, _ := b.VM(t.Context(), "on")
	half.Name, half.Unfinished = "late", "r0"
	b.Put(half)
	if _, err := b.run(t, "create_vm: {name: late}", nil); err != nil || b.Kinds() != "finish_vm" {
		t.Errorf("made %q, %v", b.Kinds(), err)
	}
}

func TestKeptAsMade(t *testing.T) {
	b := newBench(lab()...)
	for _, text := range []string{`attach_disk: {vm: "on", name: root, size: 1GiB, format: raw, bus: scsi, serial: s}`, `attach_nic: {vm: "on", name: nic1, network: lan, mac: "52:54:00:00:00:99", model: e1000}`} {
		if _, err := b.run(t, text, nil); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Join(b.warned, "\n")
	for _, want := range []string{"format qcow2 and keeps it", "bus virtio and keeps it", "MAC address 52:54:00:00:00:01", "model virtio"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning says %q:\n%s", want, got)
		}
	}
	if len(b.warned) != 4 || b.Kinds() != "" {
		t.Errorf("%d warnings, made %q", len(b.warned), b.Kinds())
	}
}

func TestVMFacts(t *testing.T) {
	b := newBench(lab()...)
	b.Guest = func(string) (*virt.GuestInfo, error) {
		return &virt.GuestInfo{Agent: virt.AgentConnected, Hostname: "h", OS: "Debian", Addresses: []virt.GuestInterface{
			{Name: "lo", Addresses: []string{"127.0.0.1/8", "::1/128"}}, {Name: "eth0", Addresses: []string{"fe80::1/64", "2001:db8::5/64", "10.0.0.5/24"}}}}, nil
	}
	facts := func(name string, p virt.Platform) vmfacts.Facts {
		t.Helper()
		res, err := b.run(t, "vm_facts: \""+name+"\"", p)
		if err != nil {
			t.Fatal(err)
		}
		return res.Output.(vmfacts.Facts)
	}
	on := facts("on", nil)
	if !on.Exists || on.IP.Or("") != "10.0.0.5" || strings.Join(on.Addresses.Or(nil), " ") != "2001:db8::5 10.0.0.5" || on.Agent.Or("") != "connected" {
		t.Errorf("on: %+v", on)
	}
	if off := facts("off", nil); off.State != virt.Stopped || off.Agent.Or("x") != "" || off.Addresses.Or(nil) == nil {
		t.Errorf("off: %+v", off)
	}
	if gone := facts("gone", nil); gone.Exists || gone.Name != "gone" {
		t.Errorf("gone: %+v", gone)
	}
	if half := facts("half", nil); !half.Unfinished {
		t.Errorf("half: %+v", half)
	}
	p := dryrun.New(dryrun.Tripwire(b.Memory))
	if _, err := b.run(t, "power: {vm: off, state: running}", p); err != nil {
		t.Fatal(err)
	}
	if f := facts("off", p); f.State != virt.Running || !f.IP.IsUnknown() || !f.Addresses.IsUnknown() || !f.Agent.IsUnknown() {
		t.Errorf("a guest that a plan starts: %+v", f)
	}
}

func TestWaitFor(t *testing.T) {
	info := &virt.GuestInfo{Agent: virt.AgentConnected, Addresses: []virt.GuestInterface{{Addresses: []string{"10.0.0.5/24", "192.168.1.5/24"}}}}
	for text, tc := range map[string]struct {
		info   *virt.GuestInfo
		banner string
		err    error
		ip     string
	}{
		"{vm: \"on\"}":          {info: info},
		"{vm: \"on\", for: ip}": {info: info, ip: "10.0.0.5"},
		"{vm: \"on\", for: ip, network: 192.168.0.0/16}": {info: info, ip: "192.168.1.5"},
		"{vm: \"on\", for: ip, network: 172.16.0.0/12}":  {info: info, err: virt.ErrTimeout},
		"{vm: \"on\", for: agent, timeout: 1s}":          {info: &virt.GuestInfo{Agent: virt.AgentDisconnected}, err: virt.ErrTimeout},
		"{vm: \"on\", for: agent, timeout: 2s}":          {info: &virt.GuestInfo{Agent: virt.AgentAbsent}, err: virt.ErrAgent},
		"{vm: \"on\", for: ssh}":                         {banner: "SSH-2.0-OpenSSH"},
		"{vm: \"on\", for: ssh, port: 2222}":             {banner: "HTTP", err: virt.ErrTimeout},
		"{vm: \"on\", for: port, port: 80}":              {banner: "x"},
		"{vm: \"on\", for: port, port: 81}":              {err: virt.ErrTimeout},
	} {
		b := newBench(lab()...)
		b.Guest = func(string) (*virt.GuestInfo, error) { return tc.info, nil }
		b.Port = func(vm string, port int) (string, error) {
			if tc.banner == "" {
				return "", &virt.Error{Kind: virt.ErrAgent, Summary: "nobody listens"}
			}
			return tc.banner, nil
		}
		res, err := b.run(t, "wait_for: "+text, nil)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", text, err, tc.err)
		} else if err == nil && res.Output.(waitfor.Output).IP.Or("") != tc.ip {
			t.Errorf("%s: %+v, want %s", text, res.Output, tc.ip)
		}
	}
}

func TestCommands(t *testing.T) {
	for text, tc := range map[string]struct {
		ran, skip, fails string
	}{
		"local_exec: touch x":                                            {ran: "touch x"},
		"local_exec: {command: [touch, x], creates: /there}":             {skip: "/there exists"},
		"local_exec: {command: [touch, x], creates: /gone}":              {ran: "touch x"},
		"local_exec: {command: [touch, x], unless: test -e x}":           {skip: "the unless command says so"},
		"local_exec: {command: [touch, x], unless: [bad]}":               {ran: "touch x"},
		"local_exec: {command: [bad]}":                                   {ran: "bad", fails: "the command ended with status 3"},
		"local_exec: {shell: bad}":                                       {ran: "bad", fails: "the command ended with status 3"},
		"local_exec: {command: [touch, y], creates: /gone, unless: bad}": {ran: "touch y"},
	} {
		b := newBench()
		b.local.there["/there"], b.local.rc["bad"] = true, 3
		res, err := b.run(t, text, nil)
		var bad *step.Failure
		switch {
		case tc.fails != "":
			if !errors.As(err, &bad) || bad.Message != tc.fails || bad.Detail != "words" || res.Output.(step.CommandOutput).RC != 3 {
				t.Errorf("%s: %v, %+v", text, err, res)
			}
		case err != nil || res.SkipReason != tc.skip:
			t.Errorf("%s: %v, skipped %q", text, err, res.SkipReason)
		}
		if got := strings.Join(b.local.ran, ";"); got != tc.ran {
			t.Errorf("%s: ran %q, want %q", text, got, tc.ran)
		}
	}
}

func TestSaying(t *testing.T) {
	b := newBench()
	for _, text := range []string{"debug: hello", "debug: 5", "debug: {msg: {a: [1]}}", "pause: 5s", "pause: {prompt: Go on?}"} {
		if _, err := b.run(t, text, nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := strings.Join(b.said, "|"); got != "hello|5|{\n  \"a\": [\n    1\n  ]\n}" {
		t.Errorf("said %s", got)
	}
	if len(b.warned) != 1 || !strings.Contains(b.warned[0], "nobody can answer") {
		t.Errorf("warned %q", b.warned)
	}
}

// What waits for a restart is noted also when there is nothing to change.
func TestPendingIsNoted(t *testing.T) {
	b := newBench(lab()...)
	for i := range 2 {
		b.pending = nil
		if _, err := b.run(t, "set_cpu: {vm: \"on\", count: 8}", nil); err != nil {
			t.Fatal(err)
		}
		if len(b.pending) != 2 {
			t.Errorf("run %d: pending %+v", i+1, b.pending)
		}
	}
	if b.Kinds() != "set_cpu" {
		t.Errorf("made %q", b.Kinds())
	}
}
