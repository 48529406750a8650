// Package inventory reads what there is to work on: targets (engines, nodes and
// clusters), their groups and variables, images, and how guests are reached.
//
// Its goal is that every mistake in an inventory is reported at once, with its
// place, before the first connection is opened; it opens none itself, and
// resolves no secret until it is asked to. The only processes it starts are
// dynamic inventories and the commands of secrets. An Inventory is not changed
// after Load and may be shared between goroutines.
package inventory

import (
	"slices"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Inventory is everything that one run can work on.
type Inventory struct {
	// Files are the inventory files in the order in which they were read; empty
	// when there was none and the local node stands in.
	Files []string
	// Engines, Nodes and Clusters are in the order of the files.
	Engines  []*Engine
	Nodes    []*Node
	Clusters []*Cluster
	Groups   []*Group // by first mention; without "all"
	Images   map[string]*Image
	Guests   Guests // of all engines; their own sections are in Engine.Guests

	targets []*entity // all of them, in the order of the files
	byName  map[string]*entity
	groups  map[string]*Group
	levels  []*level // variables of no target's own, the lowest first
}

// Kind is what a target is.
type Kind string

// The kinds of targets.
const (
	KindEngine  Kind = "engine"
	KindNode    Kind = "node"
	KindCluster Kind = "cluster"
)

// entity is a target as it stands in the inventory.
type entity struct {
	name    string
	kind    Kind
	at      diag.Range // of the name
	index   int        // its place in the order of the files
	vars    *source.Node
	engine  *Engine
	node    *Node
	cluster *Cluster
	member  *Cluster // the cluster that a node belongs to
	groups  []*Group // direct and inherited, the outermost first
}

// Engine is an oVirt engine.
type Engine struct {
	Name     string
	URL      string // of the API, as https://engine.example/ovirt-engine/api
	Username string
	Password *Secret
	CAFile   string // of the certificate authority; empty = the system's
	Insecure bool   // the certificate is not checked
	Timeout  time.Duration
	Guests   *Guests // how its guests are reached; nil = nobody has said
	Hosts    *Guests // how its hosts are, likewise
	Range    diag.Range
}

// Node is one hypervisor.
type Node struct {
	Name string
	// URI is a libvirt URI. With an SSH transport it says how the node is
	// reached, and Address, Port and User are empty; without one it is the
	// driver on the node itself, or on this machine when Address is empty, too.
	URI            string
	Address        string
	Port           int
	User           string
	IdentityFiles  []string
	IdentitiesOnly bool
	Agent          string
	KnownHosts     []string
	HostKeyAlias   string
	SSHConfig      string
	// Jump lists the machines to go through: names of nodes of this inventory or
	// [USER@]HOST[:PORT]. Nil leaves it to ssh_config; empty means none.
	Jump   []string
	Become string // "sudo", or "" where the user is root already
	Socket string // of libvirt, on the node
	Accel  string // "kvm", "qemu" or "" for what the node offers
	// MigrationAddress is where other nodes send VMs to; empty leaves it to libvirt,
	// which takes its migration_host setting or the node's own host name.
	MigrationAddress string
	Maintenance      bool // no VM is to be placed there
	ConnectTimeout   time.Duration
	KeepAlive        time.Duration
	KeepAliveCount   int
	Cluster          string // the cluster that it is a member of
	Range            diag.Range
}

// Local tells whether the node is this machine: it has a URI without transport
// and no address.
func (n *Node) Local() bool { return n.Address == "" && n.URI != "" && !uriIsRemote(n.URI) }

// PlaceMostFreeMemory is the placement of a cluster that starts a VM where most
// memory is free.
const PlaceMostFreeMemory = "most_free_memory"

// Cluster is several nodes as one target.
type Cluster struct {
	Name        string
	Nodes       []*Node
	Placement   string
	SharedPools []string // pools that hold the same volumes on every member
	Range       diag.Range
}

// Group is a named set of targets with variables. Members and Children are as
// written; what they come to stands in Targets.
type Group struct {
	Name     string
	Members  []string
	Children []string
	Targets  []string // its own and its children's, in the order of the files
	Depth    int      // length of the longest way from a group without parents
	Range    diag.Range

	members  []*source.Node
	children []*source.Node
	parents  []*Group
	set      map[*entity]bool
}

// Target is a selected target.
type Target struct {
	Name   string
	Kind   Kind
	Groups []string // by name; without "all"
	Vars   Vars
	Range  diag.Range // where it is defined

	// One of these is set.
	Engine  *Engine
	Node    *Node
	Cluster *Cluster
}

// All gives every target in the order of the files, members of clusters
// included.
func (inv *Inventory) All() []Target {
	out := make([]Target, len(inv.targets))
	for i, e := range inv.targets {
		out[i] = inv.target(e)
	}
	return out
}

// Target gives the target of a name, which may be a member of a cluster.
func (inv *Inventory) Target(name string) (Target, bool) {
	e, ok := inv.byName[name]
	if !ok {
		return Target{}, false
	}
	return inv.target(e), true
}

// Group gives the group of a name, or nil.
func (inv *Inventory) Group(name string) *Group { return inv.groups[name] }

// Names gives the names of all targets in the order of the files.
func (inv *Inventory) Names() []string {
	out := make([]string, len(inv.targets))
	for i, e := range inv.targets {
		out[i] = e.name
	}
	return out
}

func (inv *Inventory) target(e *entity) Target {
	t := Target{Name: e.name, Kind: e.kind, Vars: inv.varsOf(e), Range: e.at, Engine: e.engine, Node: e.node, Cluster: e.cluster}
	for _, g := range e.groups {
		t.Groups = append(t.Groups, g.Name)
	}
	slices.Sort(t.Groups)
	return t
}
