package ovirt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// loginToHosts lets an engine's hosts be logged in to as that server is.
func loginToHosts(srv *sshtest.Server) func(*Config) {
	return func(c *Config) {
		cfg := srv.Config()
		cfg.Address = ""
		c.Hosts = &cfg
	}
}

// withHosts gives an engine whose host host1 is an sshd of this machine; nobody
// answers for host2.
func withHosts(t *testing.T, edit ...func(*Config)) *Engine {
	t.Helper()
	srv := sshtest.Start(t, sshtest.Options{Host: "127.0.0.63"})
	o := small()
	o.DataCenters[0].Clusters[0].Hosts = []ovirtsim.Host{{Name: "host1", Address: srv.Host}, {Name: "host2", Address: "127.0.0.64"}}
	_, e := simulated(t, o, append([]func(*Config){loginToHosts(srv)}, edit...)...)
	return e
}

func TestHostExec(t *testing.T) {
	e := withHosts(t)
	exec := func(host string, c virt.Command) (*virt.CommandResult, error) {
		out, err := e.Apply(t.Context(), virt.HostExec{On: virt.OnHost(host), Command: c})
		r, _ := out.Result.(*virt.CommandResult)
		return r, err
	}
	if r, err := exec("host1", virt.Command{Shell: "echo $WHAT; cat; exit 3", Stdin: "in\n", Env: map[string]string{"WHAT": "a host"}}); err != nil || r.RC != 3 || r.Stdout != "a host\nin\n" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := e.HostProbe(t.Context(), virt.HostExec{On: virt.OnHost("host1"), Command: virt.Command{Argv: []string{"true"}}}); err != nil || r.RC != 0 {
		t.Errorf("a look: %+v, %v", r, err)
	}
	if _, err := exec("host1", virt.Command{Shell: "echo begun; sleep 60", Timeout: time.Second}); !errors.Is(err, virt.ErrTimeout) || !strings.Contains(err.Error(), "host host1") {
		t.Errorf("too long: %v", err)
	}
	if _, err := exec("host2", virt.Command{Argv: []string{"true"}}); !errors.Is(err, virt.ErrUnreachable) || !strings.Contains(err.Error(), "does not answer over SSH") {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := exec("nowhere", virt.Command{Argv: []string{"true"}}); !errors.Is(err, virt.ErrNotFound) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no such host: %v", err)
	}
}

// Without a word in the inventory nobody logs in anywhere, and what has to be written
// is said.
func TestHostExecUnsaid(t *testing.T) {
	e := withHosts(t, func(c *Config) { c.Hosts = nil })
	c := virt.HostExec{On: virt.OnHost("host1"), Command: virt.Command{Argv: []string{"true"}}}
	var told *virt.Error
	if _, err := e.Apply(t.Context(), c); !errors.As(err, &told) || !errors.Is(err, virt.ErrUnsupported) || !strings.Contains(told.Hint, "hosts: {user: root") {
		t.Errorf("%v", err)
	}
	if _, err := e.HostProbe(t.Context(), c); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("a look: %v", err)
	}
}

// Whom a host does not let in, and whose key nobody knows, is told with the way out.
func TestHostLoginFails(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		text string
	}{
		"stranger": {func(c *Config) { c.Hosts.KnownHosts = []string{"/dev/null"} }, "its host key is not known"},
		"no key":   {func(c *Config) { c.Hosts.IdentityFiles = nil }, "does not let"},
	} {
		t.Run(name, func(t *testing.T) {
			e := withHosts(t, c.edit)
			_, err := e.HostProbe(t.Context(), virt.HostExec{On: virt.OnHost("host1"), Command: virt.Command{Argv: []string{"true"}}})
			if !errors.Is(err, virt.ErrAuth) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}
