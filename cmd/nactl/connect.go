package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/libvirt"
	"github.com/nactl/nactl/virt/ovirt"
	"github.com/nactl/nactl/virt/ssh"
)

// connections builds the platforms of a run, each once: a node that is a target
// and a member of a cluster has one connection. It is safe for concurrent use.
type connections struct {
	inv   *inventory.Inventory
	run   string
	dial  dialer
	reach opener
	jumps ssh.Dialer // shared, so that nodes behind one jump host cost it one login

	warnings io.Writer // for what concerns no one step
	password string    // of --ask-pass

	mu        sync.Mutex
	nodes     map[string]*libvirt.Node
	platforms map[string]virt.Platform
}

// dialer makes a node of its configuration: libvirt.Open, or what a test puts
// around it to see what is sent.
type dialer func(context.Context, libvirt.Config) (*libvirt.Node, error)

// opener makes an engine of its configuration: ovirt.Open, or what a test puts
// around it to let time pass quickly.
type opener func(context.Context, ovirt.Config) (*ovirt.Engine, error)

func (a *application) newConnections(inv *inventory.Inventory, run string) *connections {
	return &connections{inv: inv, run: run, dial: a.dial, reach: a.reach, warnings: a.stderr, nodes: map[string]*libvirt.Node{}, platforms: map[string]virt.Platform{}}
}

// open gives the platform of a target. Nothing is dialled before its first use.
func (c *connections) open(ctx context.Context, name string) (virt.Platform, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.platforms[name]; p != nil {
		return p, nil
	}
	t, ok := c.inv.Target(name)
	if !ok {
		return nil, fmt.Errorf("the inventory has no target %q", name)
	}
	p, err := c.build(ctx, t)
	if err != nil {
		return nil, err
	}
	c.platforms[name] = p
	return p, nil
}

func (c *connections) build(ctx context.Context, t inventory.Target) (virt.Platform, error) {
	switch {
	case t.Node != nil:
		return c.node(ctx, t.Node)
	case t.Cluster != nil:
		var members []*libvirt.Node
		for _, n := range t.Cluster.Nodes {
			node, err := c.node(ctx, n)
			if err != nil {
				return nil, err
			}
			members = append(members, node)
		}
		return libvirt.OpenCluster(t.Name, members)
	default:
		return c.engine(ctx, t.Engine)
	}
}

// enginePoll is how often waiting for an engine looks; 0 leaves it to the platform.
// The engines of tests are quick.
var enginePoll time.Duration

func (c *connections) engine(ctx context.Context, e *inventory.Engine) (virt.Platform, error) {
	cfg := ovirt.Config{
		Name: e.Name, URL: e.URL, Username: e.Username, CAFile: e.CAFile, Insecure: e.Insecure, Timeout: e.Timeout, Poll: enginePoll,
		Warn: func(message string) { fmt.Fprintf(c.warnings, "nactl: WARNING: %s\n", message) },
	}
	if e.Password != nil {
		cfg.Password = e.Password.Resolve
	}
	if e.Guests != nil {
		guests, err := c.guests(e.Guests)
		if err != nil {
			return nil, fmt.Errorf("engine %s: guests: %w", e.Name, err)
		}
		cfg.Guests, cfg.Dialer = guests, &c.jumps
	}
	if e.Hosts != nil {
		hosts, err := c.guests(e.Hosts)
		if err != nil {
			return nil, fmt.Errorf("engine %s: hosts: %w", e.Name, err)
		}
		cfg.Hosts, cfg.Dialer = hosts, &c.jumps
	}
	return c.reach(ctx, cfg)
}

func (c *connections) node(ctx context.Context, n *inventory.Node) (*libvirt.Node, error) {
	if node := c.nodes[n.Name]; node != nil {
		return node, nil
	}
	cfg := libvirt.Config{
		Name: n.Name, URI: n.URI, Socket: n.Socket, Address: n.MigrationAddress, Accel: n.Accel, Maintenance: n.Maintenance, Run: c.run, Dialer: &c.jumps,
	}
	if t, ok := c.inv.Target(n.Cluster); ok && t.Cluster != nil {
		cfg.SharedPools = t.Cluster.SharedPools
	}
	if !n.Local() {
		var err error
		if cfg.SSH, err = c.ssh(n); err != nil {
			return nil, err
		}
		if cfg.URI, cfg.Socket, err = remoteURI(n, cfg.SSH); err != nil {
			return nil, err
		}
	}
	node, err := c.dial(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	c.nodes[n.Name] = node
	return node, nil
}

// ssh says how a node is reached, as the inventory has it.
func (c *connections) ssh(n *inventory.Node) (*ssh.Config, error) {
	cfg := &ssh.Config{
		Name: n.Name, Address: n.Address, Port: n.Port, User: n.User, IdentityFiles: n.IdentityFiles, IdentitiesOnly: n.IdentitiesOnly,
		Agent: n.Agent, KnownHosts: n.KnownHosts, HostKeyAlias: n.HostKeyAlias, SSHConfig: n.SSHConfig, Become: n.Become,
		ConnectTimeout: n.ConnectTimeout, KeepAlive: n.KeepAlive, KeepAliveCount: n.KeepAliveCount,
	}
	c.withPassword(cfg)
	var err error
	if cfg.Jump, err = c.hops(n.Jump); err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	return cfg, nil
}

// guests says how guests are logged in to, whatever their addresses.
func (c *connections) guests(g *inventory.Guests) (*ssh.Config, error) {
	cfg := &ssh.Config{
		Port: g.Port, User: g.User, IdentityFiles: g.IdentityFiles, IdentitiesOnly: g.IdentitiesOnly, Agent: g.Agent,
		KnownHosts: g.KnownHosts, AcceptNew: g.AcceptNew, SSHConfig: g.SSHConfig, Become: g.Become,
		ConnectTimeout: g.ConnectTimeout, KeepAlive: g.KeepAlive, KeepAliveCount: g.KeepAliveCount,
	}
	c.withPassword(cfg)
	var err error
	cfg.Jump, err = c.hops(g.Jump)
	return cfg, err
}

// hops gives the machines to go through; nil leaves that to ssh_config.
func (c *connections) hops(names []string) ([]ssh.Config, error) {
	if names == nil {
		return nil, nil
	}
	out := []ssh.Config{}
	for _, name := range names {
		hop, err := c.hop(name)
		if err != nil {
			return nil, fmt.Errorf("jump %q: %w", name, err)
		}
		out = append(out, hop)
	}
	return out, nil
}

// hop gives a machine to go through: a node of the inventory, or [USER@]HOST[:PORT].
func (c *connections) hop(name string) (ssh.Config, error) {
	if t, ok := c.inv.Target(name); ok && t.Node != nil {
		cfg, err := c.ssh(t.Node)
		if err != nil {
			return ssh.Config{}, err
		}
		_, _, err = remoteURI(t.Node, cfg) // it may be the URI that says where it is
		return *cfg, err
	}
	uri, err := ssh.ParseURI("qemu+ssh://" + name + "/system")
	if err != nil {
		return ssh.Config{}, err
	}
	return uri.Config, nil
}

// remoteURI gives the driver's URI and its socket as they are on the node itself.
// A URI with an SSH transport also says how to get there, where the inventory
// says nothing.
func remoteURI(n *inventory.Node, cfg *ssh.Config) (uri, socket string, err error) {
	if n.URI == "" || n.Address != "" {
		return n.URI, n.Socket, nil
	}
	parsed, err := ssh.ParseURI(n.URI)
	if err != nil {
		return "", "", fmt.Errorf("node %s: %w", n.Name, err)
	}
	from := parsed.Config
	cfg.Address, cfg.Port, cfg.User = from.Address, from.Port, from.User
	if from.Name != "" && from.Address == "" {
		cfg.Name = from.Name // an alias that ssh_config may know
	}
	if cfg.IdentityFiles == nil {
		cfg.IdentityFiles = from.IdentityFiles
	}
	if cfg.KnownHosts == nil {
		cfg.KnownHosts = from.KnownHosts
	}
	if socket = n.Socket; socket == "" {
		socket = parsed.Socket
	}
	return parsed.Driver + "://" + parsed.Path, socket, nil
}

// forget makes the next reads of all targets fresh ones.
func (c *connections) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.platforms {
		p.Forget()
	}
}

// close ends all connections. Clusters go first: their nodes are theirs.
func (c *connections) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, p := range c.platforms {
		switch p.(type) {
		case *libvirt.Cluster, *ovirt.Engine:
			errs = append(errs, p.Close())
		}
	}
	for _, n := range c.nodes {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

// project reads files below the folder that holds a playbook.
type project struct{ root string }

// ReadFile reads a file of the project.
func (p project) ReadFile(path string) ([]byte, error) {
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if filepath.IsAbs(path) {
		rel, err := filepath.Rel(p.root, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			return nil, fmt.Errorf("%s is outside of the project %s", path, p.root)
		}
		path = rel
	}
	info, err := root.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return root.ReadFile(path)
}
