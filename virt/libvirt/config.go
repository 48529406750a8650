// Package libvirt makes libvirt nodes, and clusters of them, platforms of nactl.
//
// Its design goal is to say as little as possible on the wire: state is read
// once, in bulk, with many calls in flight on one connection, and a change sends
// only what differs. Every connection goes through a tunnel of our own, so that
// a call which blocks inside libvirt's C client can be cut off when its context
// ends; no libvirt object leaves the package.
//
// The C library is loaded when a node is first used, not before. A Node and a
// Cluster are safe for concurrent use.
package libvirt

import (
	"time"

	"github.com/nactl/nactl/virt/ssh"
)

// Config says how to reach one node, and what cannot be seen on it.
type Config struct {
	// Name is what the inventory calls the node: the name of its host.
	Name string
	// URI names the driver as seen on the node itself: qemu:///system (the
	// default), test:///default. A local URI may name its socket, as
	// qemu+unix:///system?socket=/run/libvirt/libvirt-sock.
	URI string
	// SSH is how the node is reached; nil for this machine.
	SSH *ssh.Config
	// Dialer dials SSH; nodes that are given the same one share the connections to
	// their jump hosts. nil: the node dials alone.
	Dialer *ssh.Dialer
	// Socket is libvirt's socket on the node; empty looks at the usual places.
	Socket string
	// Address is where other nodes send VMs to; empty leaves it to libvirt on the
	// node, which takes its migration_host setting or the host's name.
	Address string
	// Accel switches the domain type: "qemu" emulates even where KVM is offered,
	// "kvm" insists on it, empty takes KVM where the node offers it.
	Accel string
	// SharedPools are the storage pools that hold the same volumes on every node
	// of the cluster.
	SharedPools []string
	// Maintenance says that no VM is to be placed on the node or moved to it.
	Maintenance bool
	// Run is the id of the run, for the unfinished marks.
	Run string
	// MaxCalls bounds the calls in flight on the node; 0 = 12.
	MaxCalls int
	// OnCall sees every call that goes out, by its numbers in libvirt's wire
	// protocol. It must not block and may be called from several goroutines. Calls
	// to an in-process driver (test:///) do not pass the wire.
	OnCall func(program, procedure uint32)
}

const (
	defaultMaxCalls = 12
	// snapshotAge is how long what was read may be given again.
	snapshotAge = 30 * time.Second
	// cutGrace is how long a call may take to end by itself once its context has.
	cutGrace = 250 * time.Millisecond
)
