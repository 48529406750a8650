package ovirt

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// toldKey gives the host key that cloud-init in a guest was told.
func toldKey(t *testing.T, sim *ovirtsim.Engine, vm string) (private, public string) {
	t.Helper()
	for line := range strings.Lines(sim.UserData(vm)) {
		if text, ok := strings.CutPrefix(line, "ssh_keys: "); ok {
			var keys struct {
				Private string `json:"ed25519_private"`
				Public  string `json:"ed25519_public"`
			}
			if err := json.Unmarshal([]byte(text), &keys); err != nil {
				t.Fatal(err)
			}
			return keys.Private, keys.Public
		}
	}
	return "", ""
}

// pinOf gives the host key that the engine has stored with a VM.
func pinOf(t *testing.T, e *Engine, vm string) string {
	t.Helper()
	e.Forget(virt.VMRef(vm))
	m, err := e.machine(t.Context(), vm)
	if err != nil {
		t.Fatal(err)
	}
	return m.hostKey.public
}

// boot starts an sshd that has the host key which cloud-init in a guest was told,
// at an address that the guest then reports.
func boot(t *testing.T, sim *ovirtsim.Engine, vm, address string) *sshtest.Server {
	t.Helper()
	private, _ := toldKey(t, sim, vm)
	if private == "" {
		t.Fatalf("%s was told no host key: %s", vm, sim.UserData(vm))
	}
	file := filepath.Join(t.TempDir(), "host_key")
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := sshtest.Start(t, sshtest.Options{Host: address, HostKeyFiles: []string{file}})
	if !sim.SetAddress(vm, "nic1", address) {
		t.Fatalf("%s has no nic1", vm)
	}
	return srv
}

// restart opens the engine anew, as another machine would, without any state.
func restart(t *testing.T, e *Engine, edit func(*Config)) *Engine {
	t.Helper()
	cfg := e.cfg
	cfg.Dialer = nil
	edit(&cfg)
	again, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	return again
}

// whoever reaches the guest knows nothing but what the engine has stored.
func unknowing(srv *sshtest.Server) func(*Config) {
	return func(c *Config) {
		loginTo(srv)(c)
		c.Guests.KnownHosts = []string{}
	}
}

func start(o virt.On) virt.Change { return virt.Start{On: o} }

// The guest has the key that create_vm gave it, everybody who may read the VM
// verifies it, and nobody finds the private half.
func TestHostKeyIsPinned(t *testing.T) {
	sim, e := simulated(t, small())
	apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	if pin := pinOf(t, e, "web-1"); pin != "" {
		t.Errorf("before the first start there is a key: %s", pin)
	}
	apply(t, e, "web-1", start)
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.FinishVM{On: o} })
	private, public := toldKey(t, sim, "web-1")
	if pin := pinOf(t, e, "web-1"); pin == "" || pin != public {
		t.Fatalf("the guest has %q, the engine has %q", public, pin)
	}
	for _, want := range []string{`"/srv"`, `"touch", "/x & y"`, "ssh_deletekeys: true"} {
		if !strings.Contains(sim.UserData("web-1"), want) {
			t.Errorf("the guest was not told %s", want)
		}
	}
	hidden := strings.ReplaceAll(private, "\n", "")[50:90]
	for _, place := range []string{"", "/vms", "/vms?follow=nics,disk_attachments.disk,reported_devices,snapshots,cdroms,statistics", "/vms?search=name%3Dweb-1", "/vms/ID", "/vms/ID?next_run=true",
		"/vms/ID?all_content=true", "/vms/ID/snapshots", "/events", "/jobs", "/templates", "/disks"} {
		if text := raw(t, e, place); strings.Contains(text, hidden) || strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s shows the private key", place)
		} else if strings.HasPrefix(place, "/vms/ID") && place != "/vms/ID/snapshots" && !strings.Contains(text, public) {
			t.Errorf("%s does not show the public key", place)
		}
	}

	srv := boot(t, sim, "web-1", "127.0.0.71")
	other := restart(t, e, unknowing(srv))
	if r, err := other.GuestProbe(t.Context(), "web-1", virt.Command{Argv: []string{"true"}}); err != nil || r.RC != 0 {
		t.Fatalf("%+v, %v", r, err)
	}

	// Somebody else at that address is refused, in spite of accept_new, by both names.
	wrong := sshtest.Start(t, sshtest.Options{Host: "127.0.0.72", Port: srv.Port})
	sim.SetAddress("web-1", "nic1", "127.0.0.72")
	third := restart(t, e, func(c *Config) { loginTo(wrong)(c); c.Guests.AcceptNew = true })
	_, err := third.GuestProbe(t.Context(), "web-1", virt.Command{Argv: []string{"true"}})
	var said *virt.Error
	if !errors.Is(err, virt.ErrConflict) || !errors.As(err, &said) || !strings.Contains(said.Wanted, "SHA256:") || !strings.Contains(said.Found, "SHA256:") ||
		!strings.Contains(said.Hint, hostKeyMark) {
		t.Errorf("another key: %v, %+v", err, said)
	}

	// The next start brings nothing: the guest keeps its key.
	sim.Forget()
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	apply(t, e, "web-1", start)
	if _, again := toldKey(t, sim, "web-1"); again != public || pinOf(t, e, "web-1") != public {
		t.Error("the key has changed")
	}
	if n := sim.Count(func(r ovirtsim.Request) bool {
		return r.Method == http.MethodPut || strings.HasSuffix(r.Path, "/start") && strings.Contains(r.Body, "<vm>")
	}); n != 0 {
		t.Errorf("%d requests tell the guest something", n)
	}
}

// raw gives what the API shows, with every detail that it can be asked for.
func raw(t *testing.T, e *Engine, place string) string {
	t.Helper()
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	q := ""
	place, q, _ = strings.Cut(strings.ReplaceAll(place, "ID", m.id), "?")
	var text string
	params, err := url.ParseQuery(q)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Client.do(t.Context(), request{Method: http.MethodGet, Path: place, Query: params}, func(rep *reply) error {
		b, err := io.ReadAll(rep.Body)
		text = string(b)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	return text
}

// Whatever becomes of a start, the one that the guest comes up with has left the
// engine the key that the guest has.
func TestHostKeyAfterFailedStarts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(sim *ovirtsim.Engine)
		fails bool
	}{
		{"refused by all hosts", func(sim *ovirtsim.Engine) {
			sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/start"), Times: 1, Status: http.StatusConflict,
				Detail: "[Cannot run VM. There is no host that satisfies current scheduling constraints. See below for details:]"})
		}, true},
		{"did not come up", func(sim *ovirtsim.Engine) { sim.FailStart("web-1") }, true},
		{"reply lost", func(sim *ovirtsim.Engine) {
			sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/start"), Times: 1, LoseReply: true})
		}, false},
		{"never arrived", func(sim *ovirtsim.Engine) {
			sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms/*/start"), Times: 1, Status: http.StatusBadGateway})
		}, true},
		{"the key could not be stored", func(sim *ovirtsim.Engine) {
			sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("PUT", "/vms/*"), Times: 1, Status: http.StatusBadRequest, Detail: "[Cannot edit VM.]"})
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim, e := simulated(t, small())
			apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
			tt.spoil(sim)
			_, err := tryApply(t, e, "web-1", start)
			if (err != nil) != tt.fails {
				t.Fatalf("%v", err)
			}
			sim.Heal()
			again := restart(t, e, func(*Config) {})
			apply(t, again, "web-1", start)
			_, public := toldKey(t, sim, "web-1")
			if pin := pinOf(t, again, "web-1"); pin == "" || pin != public {
				t.Errorf("the guest has %q, the engine has %q", public, pin)
			}
			vm := fresh(t, again, "web-1")
			if vm.State != virt.Running {
				t.Errorf("it is %s", vm.State)
			}
		})
	}
}

// A VM that somebody else has started is not told anything once more, and has no
// key from nactl.
func TestHostKeyOfAVMThatOthersStarted(t *testing.T) {
	sim, e := simulated(t, small())
	apply(t, e, "web-1", func(virt.On) virt.Change { return web("web-1") })
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.action(t.Context(), m.id, "start", nil); err != nil {
		t.Fatal(err)
	}
	if err := e.waitVM(t.Context(), m.id, startTime, goalVMUp()); err != nil {
		t.Fatal(err)
	}
	apply(t, e, "web-1", func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	sim.Forget()
	apply(t, e, "web-1", start)
	if n := sim.Count(func(r ovirtsim.Request) bool {
		return r.Method == http.MethodPut || strings.Contains(r.Body, "use_cloud_init")
	}); n != 0 {
		t.Error("cloud-init was told something once more")
	}
	if pin := pinOf(t, e, "web-1"); pin != "" {
		t.Errorf("it has key %s", pin)
	}
}

func TestNoHostKeyWithoutCloudInit(t *testing.T) {
	sim, e := simulated(t, small())
	guestOn(t, e, "plain")
	if sim.UserData("plain") != "" || pinOf(t, e, "plain") != "" {
		t.Errorf("%q", sim.UserData("plain"))
	}
	if n := sim.Count(func(r ovirtsim.Request) bool { return strings.Contains(r.Body, "initialization") }); n != 0 {
		t.Errorf("%d requests about what the guest is told", n)
	}
}

func TestHostKeyComment(t *testing.T) {
	const id, public = "d8b8a1e0-2f2f-4a5b-9c55-0242ac120002", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA+/=="
	promised, made := hostKey{noted: true, stopped: 7}, hostKey{noted: true, public: public, stopped: 1234567890123}
	for name, script := range map[string]string{"empty": "", "a script": "runcmd:\n  - [a]\n", "no end of line": "runcmd: [a]", "twice": withHostKey("x: 1\n", id, promised)} {
		for _, k := range []hostKey{promised, made} {
			text := withHostKey(script, id, k)
			if got := readHostKey(text, id); got != k {
				t.Errorf("%s: %q gives %+v, want %+v", name, text, got, k)
			}
			if got := readHostKey(text, "another"); got != (hostKey{}) {
				t.Errorf("%s: a copy of the VM has %+v", name, got)
			}
			if n := strings.Count(text, hostKeyMark); n != 1 {
				t.Errorf("%s: %d comments in %q", name, n, text)
			}
			if got := readHostKey(strings.ReplaceAll(text, "\n", "\r\n"), id); got != k {
				t.Errorf("%s: with other ends of lines: %+v", name, got)
			}
		}
	}
}

func FuzzReadHostKey(f *testing.F) {
	f.Add(withHostKey("a: 1", "id", hostKey{public: "ssh-ed25519 AAAA", stopped: 1}), "id")
	f.Fuzz(func(t *testing.T, script, id string) {
		k := readHostKey(script, id)
		if k.public != "" && (!k.noted || strings.ContainsAny(k.public, "\n\"'")) {
			t.Errorf("%+v", k)
		}
		if id == "" || strings.ContainsAny(id, " \t\r\n\v\f\u0085\u00a0") {
			return
		}
		again := withHostKey(script, id, hostKey{stopped: 5})
		if got := readHostKey(again, id); !got.noted || got.public != "" {
			t.Errorf("%q gives %+v", again, got)
		}
	})
}
