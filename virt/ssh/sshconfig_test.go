package ssh_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt/ssh"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// One ssh_config leads through one sshd to another.
func TestProxyJumpFromSSHConfig(t *testing.T) {
	bastion, node := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	host := func(name string, s *sshtest.Server, more string) string {
		return fmt.Sprintf("Host %s\n HostName %s\n Port %d\n User %s\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n%s",
			name, s.Host, s.Port, s.User, s.IdentityFile, s.KnownHosts, more)
	}
	config := file(t, host("bastion", bastion, ""), host("node*", node, " ProxyJump bastion\n"),
		"Host here there\n HostName 127.0.0.1\nHost here\n ProxyJump there\nHost there\n ProxyJump here\n")
	c := dial(t, ssh.Config{Name: "node01", SSHConfig: config})
	if r, err := c.Exec(testContext(t), ssh.Command{Argv: []string{"echo", "in"}}); err != nil || string(r.Stdout) != "in\n" {
		t.Errorf("%q, %v", r.Stdout, err)
	}
	if n := c.Stats().Connections; n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	if !strings.Contains(bastion.Log(), "Accepted publickey") {
		t.Error("the bastion has seen no login")
	}
	if !strings.HasPrefix(c.String(), "node01 (127.0.0.1:") {
		t.Errorf("String() = %q", c.String())
	}
	// The hint for an unknown host goes through the bastion, too.
	_, err := ssh.Dial(testContext(t), ssh.Config{Name: "node02", SSHConfig: config, KnownHosts: []string{filepath.Join(t.TempDir(), "kh")}})
	if err == nil || !strings.Contains(err.Error(), "-J bastion") {
		t.Errorf("got %v, want a hint with -J", err)
	}
	if _, err := ssh.Dial(testContext(t), ssh.Config{Name: "here", SSHConfig: config}); err == nil || !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("a loop of jump hosts: %v", err)
	}
}
