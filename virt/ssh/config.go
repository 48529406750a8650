package ssh

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultPort           = 22
	DefaultKeepAlive      = 15 * time.Second
	DefaultKeepAliveCount = 3
	DefaultConnectTimeout = 15 * time.Second
	DefaultMaxSessions    = 8 // below sshd's own MaxSessions 10
)

// Config says how to reach one node. A zero field is taken from ssh_config,
// and from a default where that is silent too.
type Config struct {
	// Name is the host as the user wrote it: the alias looked up in
	// ssh_config and the name in messages. Default: Address.
	Name string
	// Address is a host name or IP address. Default: ssh_config's HostName,
	// then Name.
	Address string
	Port    int
	User    string // default: the local user

	// IdentityFiles are private keys, or public keys whose private half is in
	// the agent. They are offered before any other key of the agent. A
	// certificate beside a key ("KEY-cert.pub") is offered first. Empty but not
	// nil: none, not even the default ones.
	IdentityFiles  []string
	IdentitiesOnly bool   // offer no other key than IdentityFiles
	Agent          string // agent socket, "none", or "" for $SSH_AUTH_SOCK
	// Passphrase opens an encrypted identity file, once the node has said it
	// would take that key. Nil: such a key works only through the agent.
	Passphrase func(ctx context.Context, file string) ([]byte, error)

	// Password gives what the node takes where it takes none of the keys, by password
	// or keyboard-interactive; it is sent once a connection. Nil: keys alone. Jump
	// hosts do not inherit it.
	Password func(ctx context.Context) (string, error)

	// KnownHosts replaces the user's and the system's known_hosts files.
	KnownHosts   []string
	HostKeyAlias string // name to look up there instead of the address
	// PinnedKeys are the only keys that the node may have, as "ssh-ed25519 AAAA…";
	// no file is then looked into. PinnedBy says in messages who says so.
	PinnedKeys []string
	PinnedBy   string
	// AcceptNew records a key that no file has in the first of KnownHosts, and goes
	// on, as OpenSSH's StrictHostKeyChecking=accept-new does. A key that is another
	// than the one known is refused all the same. Jump hosts are not taken in.
	AcceptNew bool
	// OnUnknownHostKey is asked about a key that no file has, and must return
	// nil to go on. Nil: an unknown key is an error.
	OnUnknownHostKey func(*HostKeyUnknownError) error

	// Jump lists the machines to go through, the first is dialled directly.
	// Nil: ssh_config's ProxyJump. Empty but not nil: none.
	Jump []Config

	Become string // how Command.Become gets root: "" (it is root already) or "sudo"

	KeepAlive      time.Duration // silence after which a probe is sent; negative: never
	KeepAliveCount int           // times KeepAlive without an answer that end the connection
	ConnectTimeout time.Duration // for TCP and the handshake, each hop; negative: none
	MaxSessions    int           // commands at a time on the connection

	// SSHConfig is "" for ~/.ssh/config and /etc/ssh/ssh_config, "none", or
	// one file.
	SSHConfig string
}

// target is a Config with every default and ssh_config applied.
type target struct {
	Config
	host       string // name for messages: "name" or "name (address:port)"
	explicitID bool   // IdentityFiles were asked for, not the default ones
	certFiles  []string
}

// addr is what TCP dials.
func (t *target) addr() string { return net.JoinHostPort(t.Address, strconv.Itoa(t.Port)) }

// keyAddr is the name under which the host key is looked up. An alias has no
// port, as in OpenSSH.
func (t *target) keyAddr() string {
	if t.HostKeyAlias != "" {
		return net.JoinHostPort(t.HostKeyAlias, strconv.Itoa(DefaultPort))
	}
	return t.addr()
}

// resolve merges cfg, ssh_config and the defaults, in this order.
func resolve(ctx context.Context, cfg Config) (*target, error) {
	if cfg.Name == "" {
		cfg.Name = cfg.Address
	}
	if cfg.Name == "" {
		return nil, fmt.Errorf("ssh: a node needs an address or a name")
	}
	if cfg.Become != "" && cfg.Become != "sudo" {
		return nil, fmt.Errorf("%s: become %q is unknown; it is empty or \"sudo\"", cfg.Name, cfg.Become)
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		return nil, fmt.Errorf("%s: ssh port %d is not between 1 and 65535", cfg.Name, cfg.Port)
	}
	local, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("%s: local user: %w", cfg.Name, err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = local.HomeDir
	}
	opts, err := lookup(ctx, cfg, home)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	// The caller may dial with one Config many times at once.
	cfg.IdentityFiles, cfg.KnownHosts = slices.Clone(cfg.IdentityFiles), slices.Clone(cfg.KnownHosts)
	t := &target{Config: cfg}
	if err := t.apply(opts, local.Username, home); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	t.defaults(home)
	t.host = t.Name
	if a := t.addr(); a != t.Name {
		t.host = t.Name + " (" + a + ")"
	}
	return t, nil
}

// defaults fills what neither the caller nor ssh_config has said.
func (t *target) defaults(home string) {
	t.explicitID = t.IdentityFiles != nil
	for i, f := range t.IdentityFiles {
		t.IdentityFiles[i] = tilde(f, home)
	}
	if !t.explicitID {
		t.IdentityFiles = defaultIdentities(home)
	}
	if t.Agent == "" {
		t.Agent = os.Getenv("SSH_AUTH_SOCK")
	}
	t.Agent = tilde(t.Agent, home)
	for i, f := range t.KnownHosts {
		t.KnownHosts[i] = tilde(f, home)
	}
	setDefault(&t.KeepAlive, DefaultKeepAlive)
	setDefault(&t.KeepAliveCount, DefaultKeepAliveCount)
	setDefault(&t.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&t.MaxSessions, DefaultMaxSessions)
}

// inherit gives a jump host what belongs to the runner and not to one machine.
func (t *target) inherit(j Config) Config {
	if j.SSHConfig == "" {
		j.SSHConfig = t.SSHConfig
	}
	if j.Agent == "" {
		j.Agent = t.Agent
	}
	if j.Passphrase == nil {
		j.Passphrase = t.Passphrase
	}
	if j.OnUnknownHostKey == nil {
		j.OnUnknownHostKey = t.OnUnknownHostKey
	}
	setDefault(&j.KeepAlive, t.KeepAlive)
	setDefault(&j.KeepAliveCount, t.KeepAliveCount)
	setDefault(&j.ConnectTimeout, t.ConnectTimeout)
	return j
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// defaultIdentities are OpenSSH's, without the hardware keys, which only an
// agent can use.
func defaultIdentities(home string) []string {
	var files []string
	for _, n := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		files = append(files, filepath.Join(home, ".ssh", n))
	}
	return files
}

func tilde(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
