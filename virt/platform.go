package virt

import (
	"context"
	"io"
)

// Applier is what makes changes. All methods are safe for concurrent use.
type Applier interface {
	// Supports returns nil when the platform knows this sort of change, else an
	// ErrUnsupported that says what to do instead. It does no I/O.
	Supports(c Change) error

	// Check looks for all reasons why the change cannot be made: missing images,
	// full pools, networks that the destination lacks. It reads through view, which
	// is a dry run's overlay or the platform itself, and changes nothing. All
	// reasons are reported together, joined by errors.Join.
	Check(ctx context.Context, view Reader, c Change) error

	// Predict says what the change would do to an object that is as before, by the
	// platform's own rules: what is pending, what is refused, what defaults are
	// filled in. It is pure. An outcome that is not Changed means that the object is
	// already as wanted. before and after are nil for an object that is not there.
	Predict(before Object, c Change) (after Object, out Outcome, err error)

	// Apply makes the change and returns once it is in force.
	//
	// It MUST read the object again first. When it is already as wanted, the outcome
	// is not Changed and nothing that writes is sent. When it differs from what the
	// step saw in a way that calls for other edits, the error is ErrDiverged. When
	// the reply to a request that writes was lost, it is ErrOutcomeUnknown.
	// On a cancelled context Apply aborts politely, and soon; the next read tells
	// the truth.
	Apply(ctx context.Context, c Change) (Outcome, error)
}

// Reader is what can be seen of a platform. Nothing that it does changes
// anything. A missing object is an *Error of kind ErrNotFound that names it.
//
// Reads come from a snapshot that is at most 30 s old, from which every change
// drops the objects it touched; Forget drops them by hand.
type Reader interface {
	VM(ctx context.Context, name string) (*VM, error)
	VMs(ctx context.Context) ([]*VM, error)
	// DiskSizes fills in Size and ActualSize of those of a VM's disks that have none
	// yet. A platform may leave them out of VM and VMs, because reading them costs a
	// call for each disk; whoever compares or shows sizes asks for them first.
	DiskSizes(ctx context.Context, vm *VM) error
	// Drives fills in the CD drives of a VM where a platform leaves them out of VM and
	// VMs, because reading them costs calls; whoever compares or shows them asks for
	// them first.
	Drives(ctx context.Context, vm *VM) error
	// Snapshots gives the snapshots of a VM, the oldest first. What the platform
	// keeps for itself, as the active layer of an engine, is none. They are not kept:
	// each call reads them.
	Snapshots(ctx context.Context, vm string) ([]*Snapshot, error)
	Network(ctx context.Context, name string) (*Network, error)
	Networks(ctx context.Context) ([]*Network, error)
	Storage(ctx context.Context, name string) (*Storage, error)
	Storages(ctx context.Context) ([]*Storage, error)
	Volume(ctx context.Context, storage, name string) (*Volume, error)
	Volumes(ctx context.Context, storage string) ([]*Volume, error)
	// VolumeSum fills in SHA256 and Summed of a volume: of its first length bytes, of
	// all of them where length is 0. A volume that cannot have as many is left as it
	// is, and so is one of which nobody can know its content without sending it.
	VolumeSum(ctx context.Context, v *Volume, length int64) error
	// ReadVolume reads what a volume holds, from its beginning, into a sink.
	ReadVolume(ctx context.Context, storage, name string, into Sink) error
	Image(ctx context.Context, src ImageSource) (*Image, error)
	Host(ctx context.Context, name string) (*Host, error)
	Hosts(ctx context.Context) ([]*Host, error)
	// AffinityGroup gives a group of a cluster; the cluster may be left empty where
	// there is only one. Platforms without such groups answer ErrUnsupported.
	AffinityGroup(ctx context.Context, cluster, name string) (*AffinityGroup, error)

	// GuestInfo asks the agent inside a running VM. With no agent that answers, the
	// info's Agent field says so and the error is nil.
	GuestInfo(ctx context.Context, vm string) (*GuestInfo, error)
	// GuestFile looks at a file inside a guest, reading its content when it is not
	// over limit bytes. limit 0 asks only whether it is there: size, checksum and
	// mode are then left out. A missing file is an ErrNotFound whose Object is the
	// file.
	GuestFile(ctx context.Context, vm, path string, limit int64) (*GuestFile, error)
	// SSHKeys reads the keys that let somebody in as a user of a running guest. A user
	// that the guest does not have is an ErrNotFound whose Object is the keys.
	SSHKeys(ctx context.Context, vm, user string) (*SSHKeys, error)
	// GuestProbe runs a command that its author declared read-only.
	GuestProbe(ctx context.Context, vm string, c Command) (*CommandResult, error)

	// GuestPort connects to a TCP port of a running VM from where its network is
	// reachable: from its host. It gives the first line that the server sends within
	// two seconds, empty when it waits for the client. That nobody listens yet is an
	// error of kind ErrAgent.
	GuestPort(ctx context.Context, vm string, port int) (banner string, err error)

	// HostProbe runs a command on a host that its author declared read-only; its
	// Ref names the host, as a HostExec's does.
	HostProbe(ctx context.Context, c HostExec) (*CommandResult, error)
	// HostFacts asks a host what it is, each time afresh. What cannot be found out is
	// left out of them.
	HostFacts(ctx context.Context, host string) (*HostFacts, error)

	// HostVLANs gives the VLAN interfaces that nactl made on a host, by name; none
	// where a platform makes none. Each call reads them.
	HostVLANs(ctx context.Context, host string) ([]*HostVLAN, error)

	// Forget makes the next read of these objects a fresh one; without arguments,
	// of all.
	Forget(refs ...Ref)

	// Watch gives a signal when something about the VM may have changed: its state,
	// its agent, its devices. It is a hint to look again, may come without cause,
	// and ends with the context. nil means that the platform has no events.
	Watch(ctx context.Context, vm string) <-chan struct{}
}

// Sink takes what a volume holds, from its beginning to its end.
type Sink interface {
	// Write takes the next bytes, all of them.
	io.Writer
	// Hole takes n bytes that are zero.
	Hole(n int64) error
}

// Platform is one target: a node, a cluster of nodes, an engine, or a decorator
// around one.
type Platform interface {
	Applier
	Reader
	io.Closer

	// Type names the platform: libvirt, ovirt.
	Type() string
}

// Counter is a Platform that counts what it sends, for the recap and for tests.
type Counter interface {
	Stats() Stats
}

// Foreseer is a Platform that reads several VMs at once where it knows which will
// be asked for.
type Foreseer interface {
	// Want names VMs that will be asked for. It sends nothing, and a VM that is then
	// never asked for, or not there, does no harm.
	Want(names ...string)
}

// Stats counts what a platform has sent since it was opened.
type Stats struct {
	Connections int            `json:"connections"` // network connections opened
	Calls       int            `json:"calls"`       // libvirt calls, or requests to an engine
	Trips       int            `json:"trips"`       // calls sent while no other was outstanding
	Procedures  map[string]int `json:"procedures,omitempty"`
	// Sent and Received are bytes of libvirt's protocol, streams included; nodes that
	// are reached over a tunnel only.
	Sent     int64 `json:"sent,omitempty"`
	Received int64 `json:"received,omitempty"`
}
