package ssh

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kevinburke/ssh_config"
)

// home makes a home directory with an ssh_config.
func home(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.MkdirAll(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustResolve(t *testing.T, cfg Config) *target {
	t.Helper()
	got, err := resolve(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const sample = `
# a comment
Host node* !node9
	HostName %h.example.com
	Port 2222
	IdentityFile ~/.ssh/%r-%p-%n
	IdentityFile "%d/with space"
	HostKeyAlias alias-%h
	UserKnownHostsFile ~/.ssh/kh1 "~/.ssh/kh 2"
	GlobalKnownHostsFile none
	ServerAliveInterval 7
	ServerAliveCountMax 9
	ConnectTimeout=3
Host inner
	ProxyJump kim@bastion:2200,[::1]:22,middle
Host loop bastion
	ProxyJump bastion
Host agent
	IdentityAgent ~/agent-%h
	IdentitiesOnly yes
	CertificateFile ${CERTS}/c%%.pub
Host *
	User everyone
	Port 99
`

func TestResolve(t *testing.T) {
	dir := home(t, sample)
	t.Setenv("CERTS", "/certs/${CERTS}") // a value is not expanded again
	ssh := filepath.Join(dir, ".ssh")

	n := mustResolve(t, Config{Name: "node1"})
	if n.Address != "node1.example.com" || n.Port != 2222 || n.User != "everyone" || n.HostKeyAlias != "alias-node1.example.com" {
		t.Errorf("%+v", n.Config)
	}
	if want := []string{ssh + "/everyone-2222-node1", dir + "/with space"}; !reflect.DeepEqual(n.IdentityFiles, want) || !n.explicitID {
		t.Errorf("identity files %q, want %q", n.IdentityFiles, want)
	}
	if want := []string{ssh + "/kh1", ssh + "/kh 2"}; !reflect.DeepEqual(n.KnownHosts, want) {
		t.Errorf("known_hosts %q, want %q", n.KnownHosts, want)
	}
	if n.KeepAlive != 7*time.Second || n.KeepAliveCount != 9 || n.ConnectTimeout != 3*time.Second {
		t.Errorf("times %s %d %s", n.KeepAlive, n.KeepAliveCount, n.ConnectTimeout)
	}
	if n.keyAddr() != "alias-node1.example.com:22" || n.host != "node1 (node1.example.com:2222)" {
		t.Errorf("%q %q", n.keyAddr(), n.host)
	}

	// What is given wins.
	n = mustResolve(t, Config{Name: "node1", Address: "10.0.0.1", Port: 1, User: "me", IdentityFiles: []string{"~/k"}, KnownHosts: []string{"~/kh"},
		KeepAlive: time.Second, KeepAliveCount: 1, ConnectTimeout: time.Minute})
	if n.Address != "10.0.0.1" || n.Port != 1 || n.User != "me" || n.IdentityFiles[0] != dir+"/k" || n.KnownHosts[0] != dir+"/kh" ||
		n.KeepAlive != time.Second || n.KeepAliveCount != 1 || n.ConnectTimeout != time.Minute {
		t.Errorf("%+v", n.Config)
	}
	// An address alone is looked up like any name.
	if n = mustResolve(t, Config{Address: "node1"}); n.Address != "node1.example.com" {
		t.Errorf("%+v", n.Config)
	}
	if n = mustResolve(t, Config{Name: "node9"}); n.Port != 99 || n.explicitID || len(n.IdentityFiles) != 3 {
		t.Errorf("%+v", n.Config)
	}
	if n = mustResolve(t, Config{Name: "node1", SSHConfig: "none"}); n.Address != "node1" || n.Port != DefaultPort {
		t.Errorf("%+v", n.Config)
	}

	n = mustResolve(t, Config{Name: "inner"})
	if want := []Config{{Name: "bastion", Port: 2200, User: "kim"}, {Name: "::1", Port: 22}, {Name: "middle"}}; !reflect.DeepEqual(n.Jump, want) {
		t.Errorf("jump %+v, want %+v", n.Jump, want)
	}
	if n = mustResolve(t, Config{Name: "inner", Jump: []Config{}}); len(n.Jump) != 0 {
		t.Errorf("jump %+v, want none", n.Jump)
	}
	if n = mustResolve(t, Config{Name: "bastion"}); n.Jump != nil {
		t.Errorf("the bastion jumps over itself: %+v", n.Jump)
	}
	n = mustResolve(t, Config{Name: "agent"})
	if n.Agent != dir+"/agent-agent" || !n.IdentitiesOnly || !reflect.DeepEqual(n.certFiles, []string{"/certs/${CERTS}/c%.pub"}) {
		t.Errorf("agent %q, only %v, certificates %q", n.Agent, n.IdentitiesOnly, n.certFiles)
	}
}

// Where the library reads ssh_config, it must read it as OpenSSH does. ssh
// takes the home directory from the password file, so paths are absolute here.
func TestResolveLikeSSH(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	included := filepath.Join(t.TempDir(), "more")
	text := strings.NewReplacer("kh 2", "kh2", "~", "/home/x", "%d", "/home/x", "${CERTS}", "/certs").Replace(sample) +
		"Host incl\n\tInclude " + included + "\nHost quoted\n\tUser \"q u\"\nhost UPPER\n\tHOSTNAME=Other # why\n"
	for file, s := range map[string]string{config: text, included: "HostName from-include\nHost *\nPort 7\n"} {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"node1", "node9", "inner", "loop", "agent", "incl", "UPPER", "elsewhere"} {
		cfg := Config{Name: name, SSHConfig: config}
		mine := mustResolve(t, cfg)
		opts, err := askSSH(context.Background(), cfg, "/home/x")
		if err != nil {
			t.Fatal(err)
		}
		theirs := &target{Config: cfg}
		if err := theirs.apply(opts, "local", "/home/x"); err != nil {
			t.Fatal(err)
		}
		type view struct {
			Address, User, Alias string
			Port                 int
			IDs, Known           []string
			Jump                 []Config
		}
		of := func(t *target) view {
			v := view{strings.ToLower(t.Address), t.User, t.HostKeyAlias, t.Port, t.IdentityFiles, nil, t.Jump}
			if strings.HasPrefix(name, "node1") {
				v.Known = t.KnownHosts
			}
			if !t.explicitID && t == mine {
				v.IDs = nil // the default ones
			}
			return v
		}
		if a, b := of(mine), of(theirs); !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\nlibrary %+v\nssh     %+v", name, a, b)
		}
	}
}

// The library would take the first for "Host" and fail on the others.
func TestMatchIsLeftToSSH(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"host":     "Match host real.example\n\tPort 5\nHost node\n\tHostName real.example\nMatch host real.example\n\tPort 6\n",
		"exec":     "Match exec false\n\tPort 5\nHost *\n\tPort 6\n",
		"user":     "Match localuser " + me.Username + "\n\tPort 6\n",
		"included": "Include " + dir + "/more*\n",
	} {
		file := filepath.Join(dir, name)
		for f, s := range map[string]string{file: text, filepath.Join(dir, "more1"): "Match !host node\nPort 5\nMatch all\nPort 6\n"} {
			if err := os.WriteFile(f, []byte(s), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n, err := resolve(context.Background(), Config{Name: "node", SSHConfig: file})
		if err != nil || n.Port != 6 {
			t.Errorf("%s: %v, %+v; want port 6", name, err, n)
		}
		if n != nil && n.explicitID {
			t.Errorf("%s: ssh's default keys were taken for explicit ones: %q", name, n.IdentityFiles)
		}
	}
	t.Setenv("PATH", "/nonexistent")
	if _, err := resolve(context.Background(), Config{Name: "node", SSHConfig: filepath.Join(dir, "exec")}); err == nil ||
		!strings.Contains(err.Error(), "Match exec false") {
		t.Errorf("without ssh: %v, want the Match line", err)
	}
}

func TestResolveRefuses(t *testing.T) {
	for config, want := range map[string]string{
		"StrictHostKeyChecking no":                  "put the node's key into known_hosts",
		"StrictHostKeyChecking off":                 "is refused",
		"StrictHostKeyChecking accept-new":          "is refused",
		"Match all\nStrictHostKeyChecking no":       "is refused", // ssh -G says "false"
		"ProxyCommand nc %h %p":                     "use ProxyJump",
		"RevokedHostKeys /x":                        "@revoked",
		"Port 0":                                    "between 1 and 65535",
		"Port x":                                    "between 1 and 65535",
		"HostName %Z":                               "% token",
		"IdentityFile ${NO_SUCH_VARIABLE_HERE}/key": "NO_SUCH_VARIABLE_HERE is not set",
		"ProxyJump a:99999":                         "between 1 and 65535",
		"ConnectTimeout soon":                       "not a time",
	} {
		home(t, config+"\n")
		cfg := Config{Name: "node"}
		if strings.HasPrefix(config, "Match") { // ssh itself ignores HOME
			cfg.SSHConfig = "~/.ssh/config"
		}
		if _, err := resolve(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", config, err, want)
		}
	}
	for _, cfg := range []Config{{}, {Name: "n", Become: "su"}, {Name: "n", Port: 70000}, {Name: "n", SSHConfig: "/no/such/file"}} {
		if _, err := resolve(context.Background(), cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

func TestResolveAccepts(t *testing.T) {
	for _, config := range []string{"", "StrictHostKeyChecking yes", "StrictHostKeyChecking ask", "ProxyCommand none", "ProxyJump none",
		"ConnectTimeout none", "Match all\nStrictHostKeyChecking yes"} {
		home(t, config+"\n")
		mustResolve(t, Config{Name: "node", SSHConfig: "~/.ssh/config"})
	}
}

func FuzzParseHop(f *testing.F) {
	for _, s := range []string{"bastion", "kim@bastion:22", "[::1]:2222", "ssh://u@h:1/", "::1", "a@b@c", "[x", "h:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseHop(s)
		if err != nil {
			return
		}
		if c.Name == "" || c.Port < 0 || c.Port > 65535 {
			t.Errorf("%q gave %+v", s, c)
		}
		// What is a host name for sure comes back from the form for ssh -J.
		if strings.Trim(strings.ToLower(c.Name+c.User), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			return
		}
		if again, err := parseHop(hopString(c)); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%q gave %+v, and back %+v, %v", s, c, again, err)
		}
	})
}

// No text makes the reader panic. Include is left out: it opens what the text
// names.
func FuzzSSHConfig(f *testing.F) {
	f.Add(sample)
	f.Add("Host a b\nPort = 1\nHostName \"%h%%\"")
	f.Add("Match all\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "include") {
			return
		}
		match := findMatch([]byte(text), "/nonexistent", "/nonexistent", 0)
		c, err := ssh_config.DecodeBytes([]byte(text))
		if match != "" || err != nil {
			return
		}
		target := &target{Config: Config{Name: "node1"}}
		_ = target.apply(func(k string) []string { v, _ := c.GetAll("node1", k); return v }, "me", "/nonexistent")
	})
}
