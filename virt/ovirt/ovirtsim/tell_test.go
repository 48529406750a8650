package ovirtsim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each command does what its name says, and heal ends it.
func TestTell(t *testing.T) {
	o := Load(2, 2)
	o.Control = true
	c := start(t, o)
	vm := "/vms/" + c.id("vms", "vm00001") // it runs
	status := func(method, path, body string) int {
		t.Helper()
		r, _, err := c.raw(method, path, body)
		if err != nil {
			return 0 // hung up
		}
		return r.StatusCode
	}
	attachments := "/hosts/" + c.id("hosts", "host001") + "/networkattachments"
	c.e.mu.Lock()
	named(c.e.col("hosts").list, "host001").subs["networkattachments"] = nil // detached, and not committed
	c.e.mu.Unlock()
	if c.tell("reboot-host host001"); len(c.get(attachments).kids) != 1 {
		t.Error("reboot-host: what was not committed is not lost")
	}
	told := map[string]bool{"heal": true, "reboot-host": true}
	for _, tt := range []struct {
		tell  string
		until func() bool // what shows that it is in force
	}{
		{"unavailable 30s", func() bool { return status("GET", "/vms", "") == 503 }},
		{"pages 30s GET /vms", func() bool { return status("GET", "/vms", "") == 500 && status("GET", "/hosts", "") == 200 }},
		{"refuse-busy 30s POST /vms/*/stop", func() bool { return status("POST", vm+"/stop", "<action/>") == 409 }},
		{"lose-reply", func() bool {
			return status("POST", "/tags", "<tag><name>t</name></tag>") == 0 && strings.Contains(c.get("/tags").String(), "<name>t</name>")
		}},
		{"drop POST /tags", func() bool {
			return status("POST", "/tags", "<tag><name>u</name></tag>") == 0 && !strings.Contains(c.get("/tags").String(), "<name>u</name>")
		}},
		{"lock-vm vm00001", func() bool { return status("POST", vm+"/stop", "<action/>") == 409 }},
		{"expire-password", func() bool { return c.logIn(c.e.User(), c.e.Password()) == "" }},
		{"lose-host host001\nfind-host host001", func() bool { return c.get("/hosts?search=status%3Dup").kids[0].get("name") == "host001" }},
		{"no-agent vm00001", func() bool { return c.e.rules["noagent vm00001"] }},
		{"ignore-shutdown vm00001", func() bool {
			c.do("POST", vm+"/shutdown", "<action/>", 200)
			c.e.Advance(time.Minute)
			return c.get(vm).get("status") == "up"
		}},
		{"fail-hotplug vm00001", func() bool {
			c.do("PUT", vm, "<vm><cpu><topology><sockets>2</sockets></topology></cpu></vm>", 200)
			return c.get(vm).get("cpu/topology/sockets") == "1"
		}},
		{"address vm00001 nic1 127.0.0.9", func() bool { return strings.Contains(c.get(vm+"/reporteddevices").String(), "127.0.0.9") }},
		{"desync host001 ovirtmgmt", func() bool {
			return strings.Contains(c.get("/hosts/"+c.id("hosts", "host001")+"/networkattachments").String(), "<in_sync>false")
		}},
		{"lose-host host002", func() bool { return len(c.get("/hosts?search=status%3Dnon_responsive").kids) == 1 }},
		{"host-state host002 down", func() bool { return len(c.get("/hosts?search=status%3Ddown").kids) == 1 }},
		{"fail-activate host001", func() bool { return c.e.rules["noactivate host001"] }},
		{"fail-snapshot vm00001", func() bool { return c.e.rules["nosnapshot vm00001"] }},
		{"expire-tokens", func() bool {
			gone := status("GET", "/vms", "") == 401
			c.login()
			return gone
		}},
		{"slow 10s GET /vms", func() bool { return c.e.faults[0].Delay == 10*time.Second }},
		{"slow-setup host001 2m", func() bool { return c.e.slow["host001"] == 2*time.Minute }},
		{"fail-setup host001", func() bool { return c.e.rules["nosetup host001"] }},
		{"fail-migration vm00001", func() bool { return c.e.rules["nomigrate vm00001"] }},
		{"fail-start vm00001", func() bool { return c.e.rules["nostart vm00001"] }},
		{"fail-copy vm00001", func() bool { return c.e.rules["nocopy vm00001"] }},
		{"fail-transfer d1", func() bool { return c.e.rules["notransfer d1"] }},
		{"old-imageio", func() bool { return c.e.rules["oldimageio"] }},
		{"fail-disk d1", func() bool { return c.e.rules["nodisk d1"] }},
		{"restart 30s", func() bool { return status("GET", "/vms", "") == 503 }},
	} {
		if r := c.tell(tt.tell); r.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %s", tt.tell, r.Status)
		}
		if !tt.until() {
			t.Errorf("%s: nothing happens", tt.tell)
		}
		c.tell("heal")
		for line := range strings.Lines(tt.tell) {
			told[strings.Fields(line)[0]] = true
		}
	}
	for _, command := range Commands() {
		if word, _, _ := strings.Cut(command.Usage, " "); !told[word] {
			t.Errorf("nobody tries %s", word)
		}
	}
	if status("GET", "/vms", "") != 401 {
		t.Error("a restart leaves sessions")
	}
	c.login()
	if status("GET", "/vms", "") != 200 {
		t.Error("it is not healed")
	}
}

func (c *client) tell(lines string) *http.Response {
	c.t.Helper()
	r, err := c.http.Post("https://"+c.e.Addr()+ControlPath, "text/plain", strings.NewReader(lines))
	if err != nil {
		c.t.Fatal(err)
	}
	_ = r.Body.Close()
	return r
}

func TestTellMistakes(t *testing.T) {
	e, err := New(Load(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                             "empty",
		"explode":                      "unknown command",
		"unavailable":                  "it takes a duration",
		"restart -3s":                  "not positive",
		"slow soon":                    "invalid duration",
		"drop POST":                    "belong together",
		"lose-host nobody":             "no host",
		"host-state host001 tired":     "a state is one of",
		"host-state nobody up":         "no host",
		"lock-vm nobody":               "no VM",
		"desync host001 nothing":       "does not carry",
		"address vm00001 nic9 1.2.3.4": "NIC",
		"address vm00001 nic1 x":       "parse",
		"heal me":                      "no arguments",
		"fail-start":                   "one name",
	} {
		if err := e.Tell(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	for _, c := range Commands() {
		if word, _, _ := strings.Cut(c.Usage, " "); c.Doc == "" || strings.Count(c.Usage, word) != 1 {
			t.Errorf("%q, %q", c.Usage, c.Doc)
		}
	}
}

func TestFleet(t *testing.T) {
	ids := map[string]bool{}
	for i, o := range Fleet(3, 2, 1) {
		c := start(t, o)
		if x := c.get("/vms"); len(x.kids) != 2 || x.kids[0].get("name") != o.Name+"-vm00001" {
			t.Error(i, x)
		} else if id := x.kids[0].id; ids[id] {
			t.Error("two engines with the same ids")
		} else {
			ids[id] = true
		}
		if x := c.get("/hosts"); x.kids[0].get("name") != o.Name+"-host001" {
			t.Error(i, x)
		}
	}
}
