package inventory

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/nactl/nactl/engine/source"
)

func (l *loader) engine(name, v *source.Node, dir string) {
	f, ok := newFields(&l.list, v, "engine "+name.Str, dir, engineKeys)
	if !ok {
		return
	}
	e := &Engine{Name: name.Str, Range: name.Range, URL: f.str("url"), Username: f.str("username"),
		CAFile: f.path("ca_file"), Insecure: f.boolean("insecure"), Timeout: f.duration("timeout")}
	for _, key := range engineKeys {
		if key.Required && f.get(key.Name) == nil {
			l.list.Errorf(name.Range, "missing-key", "engine %s needs %s", name.Str, key.Name)
		}
	}
	if n := f.get("url"); n != nil && e.URL != "" {
		if problem := checkEngineURL(e.URL); problem != "" {
			l.list.Errorf(n.Range, "url", "url of engine %s: %s", name.Str, problem)
		}
	}
	if n := f.get("password"); n != nil {
		s, problems := ParseSecret(n, dir)
		l.list.Add(problems...)
		e.Password = s
		if _, plain := scalarText(n); plain && !n.Secret {
			l.list.Warnf(n.Range, "plain-password", "the password of engine %s stands in the inventory: write {secret: {env: NAME}}, or encrypt the file", name.Str)
		}
	}
	if e.Insecure && e.CAFile != "" {
		l.list.Errorf(f.get("insecure").Range, "value", "engine %s: ca_file and insecure contradict each other", name.Str)
	}
	l.engineGuests(f, e)
	l.engineHosts(f, e)
	l.inv.Engines = append(l.inv.Engines, e)
	l.add(&entity{name: name.Str, kind: KindEngine, at: name.Range, vars: f.mapping("vars"), engine: e})
}

// checkEngineURL says what is wrong with an engine's address, or "".
func checkEngineURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return "it must look like https://engine.example/ovirt-engine/api"
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("it must start with https://, not %s://", u.Scheme)
	case u.User != nil:
		return "user and password do not belong into it: write username and password"
	case u.RawQuery != "" || u.Fragment != "":
		return "it must have no ? and no #"
	}
	return ""
}

func (l *loader) node(name, v *source.Node, dir string) {
	what := "node " + name.Str
	f, ok := newFields(&l.list, v, what, dir, nodeKeys)
	if !ok {
		return
	}
	n := &Node{Name: name.Str, Range: name.Range,
		URI: f.str("uri"), Address: f.str("address"), Port: f.integer("port"), User: f.str("user"),
		IdentityFiles: f.paths("identity_file"), IdentitiesOnly: f.boolean("identities_only"), Agent: f.str("agent"),
		KnownHosts: f.paths("known_hosts"), HostKeyAlias: f.str("host_key_alias"), SSHConfig: f.str("ssh_config"),
		Jump: f.strs("jump"), Become: f.oneOf("become"), Socket: f.str("socket"), Accel: f.oneOf("accel"), MigrationAddress: f.str("migration_address"),
		Maintenance: f.boolean("maintenance"), ConnectTimeout: f.duration("connect_timeout"),
		KeepAlive: f.duration("keepalive"), KeepAliveCount: f.integer("keepalive_count")}
	if n.SSHConfig != "" && n.SSHConfig != "none" {
		n.SSHConfig = resolvePath(dir, n.SSHConfig)
	}
	l.checkNodeURI(f, n)
	if n.Address == "" && n.URI == "" {
		n.Address = n.Name // found by ssh_config or DNS, as ssh itself would
	}
	l.checkJumps(f)
	l.inv.Nodes = append(l.inv.Nodes, n)
	l.add(&entity{name: name.Str, kind: KindNode, at: name.Range, vars: f.mapping("vars"), node: n})
}

func (l *loader) checkJumps(f fields) {
	for _, jump := range f.nodes("jump") {
		if problem := checkJump(jump.Str); problem != "" {
			l.list.Errorf(jump.Range, "value", "jump of %s: %s", f.what, problem)
		}
	}
}

// checkJump says what is wrong with a machine to go through, or "".
func checkJump(s string) string {
	host := s[strings.LastIndex(s, "@")+1:]
	if host == "" || strings.ContainsAny(s, " /\t") || strings.HasPrefix(s, "-") {
		return fmt.Sprintf("%q is neither a node nor [USER@]HOST[:PORT]", s)
	}
	return ""
}

// checkNodeURI looks at a node's URI, which must not say again what keys say.
func (l *loader) checkNodeURI(f fields, n *Node) {
	at := f.get("uri")
	if at == nil || n.URI == "" {
		return
	}
	if problem := checkURI(n.URI); problem != "" {
		l.list.Errorf(at.Range, "uri", "uri of %s: %s", f.what, problem)
		return
	}
	if !uriIsRemote(n.URI) {
		return
	}
	for _, key := range []string{"address", "port", "user"} {
		if other := f.get(key); other != nil {
			l.list.Errorf(other.Range, "value", "%s has %s and a URI that names the host: say it once", f.what, key)
		}
	}
}

// uriIsRemote tells whether a libvirt URI goes through SSH.
func uriIsRemote(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	_, transport, _ := strings.Cut(scheme, "+")
	return transport == "ssh" || transport == "libssh" || transport == "libssh2"
}

// checkURI says what is wrong with a libvirt URI, or "". That its parameters
// mean something is for the package that connects to see.
func checkURI(s string) string {
	head, query, _ := strings.Cut(s, "?")
	u, err := url.Parse(head)
	if err != nil || u.Scheme == "" || !strings.Contains(s, "://") {
		return fmt.Sprintf("%q is no libvirt URI such as qemu+ssh://root@host/system or qemu:///system", s)
	}
	driver, transport, hasTransport := strings.Cut(u.Scheme, "+")
	_, password := u.User.Password()
	switch {
	case driver == "":
		return "it names no driver, as qemu"
	case uriIsRemote(s) && u.Hostname() == "":
		return "it names no host"
	case password:
		return "a password in a URI ends up in logs and process lists: use a key or the agent"
	case hasTransport && !uriIsRemote(s) && transport != "unix":
		return fmt.Sprintf("the transport %q is not supported: use ssh", transport)
	case !hasTransport && u.Host != "":
		return fmt.Sprintf("it names a host but no transport: write %s+ssh://%s%s", driver, u.Host, u.Path)
	}
	for _, param := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(param, "=")
		switch {
		case key == "no_verify" && value != "0",
			key == "known_hosts_verify" && value == "ignore":
			return key + " switches off the check of the host's key, and is refused: add the key to known_hosts"
		}
	}
	return ""
}

// memberRef is one text in a cluster's list of nodes.
type memberRef struct {
	cluster *Cluster
	node    *source.Node
}

func (l *loader) cluster(name, v *source.Node, dir string) {
	f, ok := newFields(&l.list, v, "cluster "+name.Str, dir, clusterKeys)
	if !ok {
		return
	}
	c := &Cluster{Name: name.Str, Range: name.Range, Placement: f.oneOf("placement"), SharedPools: f.strs("shared_pools")}
	if c.Placement == "" {
		c.Placement = PlaceMostFreeMemory
	}
	nodes := f.nodes("nodes")
	if len(nodes) == 0 {
		l.list.Errorf(name.Range, "missing-key", "cluster %s needs nodes", name.Str)
	}
	for _, n := range nodes {
		l.members = append(l.members, memberRef{cluster: c, node: n})
	}
	l.inv.Clusters = append(l.inv.Clusters, c)
	l.add(&entity{name: name.Str, kind: KindCluster, at: name.Range, vars: f.mapping("vars"), cluster: c})
}

// finish puts together what the files of an inventory say about each other.
func (l *loader) finish() {
	for _, ref := range l.members {
		l.clusterMembers(ref)
	}
	for _, n := range l.inv.Nodes {
		l.checkJumpsOf(n)
	}
	l.finishGuests()
	l.finishGroups()
	l.finishImages()
}

func (l *loader) clusterMembers(ref memberRef) {
	found, problem := l.inv.matchNames(ref.node.Str, func(e *entity) bool { return e.kind == KindNode })
	if problem != "" {
		l.list.Errorf(ref.node.Range, "unknown-node", "cluster %s: %s", ref.cluster.Name, problem)
		return
	}
	for _, e := range found {
		switch {
		case e.member == nil:
			e.member, e.node.Cluster = ref.cluster, ref.cluster.Name
			ref.cluster.Nodes = append(ref.cluster.Nodes, e.node)
		case e.member != ref.cluster:
			l.list.Errorf(ref.node.Range, "cluster", "cluster %s: node %s belongs to cluster %s already: a node is a member of one", ref.cluster.Name, e.name, e.member.Name)
		}
	}
}

// checkJumpsOf makes sure that nodes do not jump through each other for ever.
func (l *loader) checkJumpsOf(n *Node) {
	seen := map[*Node]bool{n: true}
	for at := n; len(at.Jump) > 0; {
		e := l.inv.byName[at.Jump[0]]
		if e == nil || e.node == nil {
			return
		}
		if at = e.node; seen[at] {
			if at == n {
				l.list.Errorf(n.Range, "jump", "node %s is reached by a jump through itself", n.Name)
			}
			return
		}
		seen[at] = true
	}
}
