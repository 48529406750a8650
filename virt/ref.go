package virt

import (
	"fmt"
	"strings"
)

// Kind names a sort of object.
type Kind string

// The kinds of objects.
const (
	KindVM        Kind = "vm"
	KindVolume    Kind = "volume"
	KindStorage   Kind = "storage"
	KindImage     Kind = "image"
	KindNetwork   Kind = "network"
	KindHost      Kind = "host"
	KindGuestFile Kind = "guest file"
	KindSnapshot  Kind = "snapshot"
	KindLocal     Kind = "controller"
	KindLocalFile Kind = "local file"

	// KindHostVLAN is a VLAN interface of a host.
	KindHostVLAN Kind = "host vlan"

	KindAffinityGroup Kind = "affinity group"
)

// Ref names one object. Scope narrows Name down where a name alone may be
// ambiguous: the data centre or cluster on an engine, the storage pool of a
// volume, the VM of a guest file or snapshot, the folder of a local file. ID is a hint that saves a look-up; it is never
// compared.
type Ref struct {
	Kind  Kind   `json:"kind"`
	Scope string `json:"scope,omitempty"`
	Name  string `json:"name"`
	ID    string `json:"id,omitempty"`
}

// VMRef names a VM.
func VMRef(name string) Ref { return Ref{Kind: KindVM, Name: name} }

// NetworkRef names a network.
func NetworkRef(name string) Ref { return Ref{Kind: KindNetwork, Name: name} }

// VolumeRef names a volume of a storage pool.
func VolumeRef(pool, name string) Ref { return Ref{Kind: KindVolume, Scope: pool, Name: name} }

// StorageRef names a storage pool or domain.
func StorageRef(name string) Ref { return Ref{Kind: KindStorage, Name: name} }

// SnapshotRef names a snapshot of a VM.
func SnapshotRef(vm, name string) Ref { return Ref{Kind: KindSnapshot, Scope: vm, Name: name} }

// Owner gives the VM that a guest file, a user's SSH keys or a snapshot are of;
// anything else is its own. It is what has to be locked and read again when one of them changes.
func (r Ref) Owner() Ref {
	if r.Kind == KindGuestFile || r.Kind == KindSnapshot || r.Kind == KindSSHKeys {
		return VMRef(r.Scope)
	}
	return r
}

// Same tells whether both name the same object; IDs are not compared.
func (r Ref) Same(o Ref) bool { return r.Key() == o.Key() }

// Key gives r without its hint, for use as a map key.
func (r Ref) Key() Ref { return Ref{Kind: r.Kind, Scope: r.Scope, Name: r.Name} }

// String gives what people call the object, as `vm web-1` or `volume default/a`.
func (r Ref) String() string {
	s := string(r.Kind)
	if r.Name == "" {
		return s
	}
	switch {
	case r.Kind == KindGuestFile:
		return "file " + r.Name + " in vm " + r.Scope
	case r.Kind == KindSSHKeys:
		return "ssh keys of " + r.Name + " in vm " + r.Scope
	case r.Kind == KindSnapshot:
		return fmt.Sprintf("snapshot %q of vm %s", r.Name, r.Scope)
	case r.Scope != "":
		return s + " " + strings.Join([]string{r.Scope, r.Name}, "/")
	default:
		return s + " " + r.Name
	}
}

// Object is a noun that changes are made to. A nil Object means that it is not
// there.
type Object interface {
	// Ref names the object.
	Ref() Ref
	// Clone returns a deep copy.
	Clone() Object
}
