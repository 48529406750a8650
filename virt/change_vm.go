package virt

import (
	"strings"
	"time"
)

// CreateVM makes a VM that is not there, stopped, with its disks and NICs, and
// with the unfinished mark of the run. Start and FinishVM follow.
type CreateVM struct {
	On
	converge
	Run         string            `json:"run"` // id of the run, for the unfinished mark
	Image       *Image            `json:"image,omitempty"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	CPU         CPU               `json:"cpu"`
	Memory      Memory            `json:"memory"`
	Disks       []DiskSpec        `json:"disks,omitempty"`
	NICs        []NICSpec         `json:"nics,omitempty"`
	Boot        []string          `json:"boot,omitempty"`
	Firmware    string            `json:"firmware,omitempty"` // bios, efi; empty = the platform's
	Machine     string            `json:"machine,omitempty"`
	Autostart   bool              `json:"autostart,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Host        Opt[string]       `json:"host,omitzero"` // initial placement
	Placement   string            `json:"placement,omitempty"`
	// Cluster and DataCentre say where on an engine; empty where there is only one.
	Cluster    string     `json:"cluster,omitempty"`
	DataCentre string     `json:"data_centre,omitempty"`
	Ovirt      *OvirtVM   `json:"ovirt,omitempty"`
	CloudInit  *CloudInit `json:"cloud_init,omitempty"`
	// LibvirtXML is merged into the domain XML that nactl makes; see
	// virt/libvirt.
	LibvirtXML string `json:"libvirt_xml,omitempty"`
}

// OvirtVM is what only engines have of a new VM. What is left empty is the
// template's.
type OvirtVM struct {
	Type         string   `json:"type,omitempty"`      // server, desktop, high_performance
	BIOSType     string   `json:"bios_type,omitempty"` // as q35_ovmf; else Firmware decides
	InstanceType string   `json:"instance_type,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	OvirtSettings
}

// CloudInit is what a new guest sets up for itself at its first boot.
type CloudInit struct {
	Hostname string      `json:"hostname,omitempty"`
	Users    []GuestUser `json:"users,omitempty"`
	SSHKeys  []string    `json:"ssh_keys,omitempty"` // of the image's default user
	Run      [][]string  `json:"run,omitempty"`      // argument lists, run once, in order
	Files    []SeedFile  `json:"files,omitempty"`
}

// SeedFile is a file that cloud-init writes.
type SeedFile struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    string `json:"mode,omitempty"`
	Owner   string `json:"owner,omitempty"`
}

// GuestUser is an account that cloud-init makes.
type GuestUser struct {
	Name         string   `json:"name"`
	Groups       []string `json:"groups,omitempty"`
	Shell        string   `json:"shell,omitempty"`
	Sudo         string   `json:"sudo,omitempty"` // a sudoers rule, as ALL=(ALL) NOPASSWD:ALL
	SSHKeys      []string `json:"ssh_keys,omitempty"`
	PasswordHash string   `json:"password_hash,omitempty"` // as crypt(5)
}

// FinishVM removes the unfinished mark: the VM is whole.
type FinishVM struct {
	On
	converge
}

// RenameVM gives a VM another name; On is about the one that it has. Where a VM has
// the new name and none the old one, there is nothing to do. What is inside its guest
// stays as it is, the host name, too.
type RenameVM struct {
	On
	converge
	To string `json:"to"` // without the data centre that the VM may be written with
}

// Renamed names the VM once it is renamed: in the same data centre, where it was
// written with one.
func (c RenameVM) Renamed() Ref {
	if i := strings.IndexByte(c.Ref.Name, '/'); i >= 0 {
		return VMRef(c.Ref.Name[:i+1] + c.To)
	}
	return VMRef(c.To)
}

// DeleteVM removes a VM, with its snapshots, saved state and NVRAM. A running VM
// is powered off.
type DeleteVM struct {
	On
	converge
	Volumes bool `json:"volumes"` // also the volumes that only this VM uses
}

// SetCPU changes the number of CPUs, in the stored configuration and, where the
// platform can, at once.
type SetCPU struct {
	On
	converge
	Count    Opt[int]      `json:"count,omitzero"`
	Max      Opt[int]      `json:"max,omitzero"`
	Topology Opt[Topology] `json:"topology,omitzero"`
}

// SetMemory changes memory, in the stored configuration and, where the platform
// can, at once. Bytes.
type SetMemory struct {
	On
	converge
	Current    Opt[int64] `json:"current,omitzero"`
	Max        Opt[int64] `json:"max,omitzero"`
	Guaranteed Opt[int64] `json:"guaranteed,omitzero"`
}

// SetVM changes descriptive and rarely changed settings.
type SetVM struct {
	On
	converge
	Title       Opt[string]       `json:"title,omitzero"`
	Description Opt[string]       `json:"description,omitzero"`
	Autostart   Opt[bool]         `json:"autostart,omitzero"`
	Boot        Opt[[]string]     `json:"boot,omitzero"`
	Metadata    map[string]string `json:"metadata,omitempty"` // merged: other keys stay
	Tags        TagEdit           `json:"tags,omitzero"`
	Ovirt       *OvirtSettings    `json:"ovirt,omitempty"`
	// LibvirtXML is merged into the stored domain XML; see virt/libvirt.
	LibvirtXML Opt[string] `json:"libvirt_xml,omitzero"`
}

// Start brings a VM to running: from stopped or crashed by a start, from
// suspended by a restore, from paused by resuming it.
type Start struct {
	On
	converge
}

// Shutdown asks the guest to power off, and waits until it has.
type Shutdown struct {
	On
	converge
	Timeout    time.Duration      `json:"timeout"`              // how long the guest has
	ForceAfter Opt[time.Duration] `json:"force_after,omitzero"` // then the power is cut; absent: never
}

// PowerOff cuts the power.
type PowerOff struct {
	On
	converge
	// Graceful: on a node the VM's process is asked to end (SIGTERM), and not killed
	// where it does not. An engine knows one way only.
	Graceful bool `json:"graceful,omitempty"`
}

// Pause halts the CPUs of a running VM; it stays in memory.
type Pause struct {
	On
	converge
}

// Suspend saves a running VM to disk and stops it.
type Suspend struct {
	On
	converge
}

// Reboot asks the guest to restart.
type Reboot struct {
	On
	action
}

// Reset restarts a VM as its reset button would.
type Reset struct {
	On
	action
}

// Migrate moves a VM to another host, or to another cluster of its data centre.
// Exactly one of Host, Cluster and AwayFrom is set.
type Migrate struct {
	On
	converge
	Host        string            `json:"host,omitempty"`
	Cluster     string            `json:"cluster,omitempty"`
	AwayFrom    string            `json:"away_from,omitempty"`
	Live        bool              `json:"live"`
	CopyStorage bool              `json:"copy_storage,omitempty"`
	Bandwidth   int64             `json:"bandwidth,omitempty"` // bytes a second; 0 = no limit
	Networks    map[string]string `json:"networks,omitempty"`  // here → there
	Tuning      Tuning            `json:"tuning,omitzero"`
}

// Tuning says how a running VM gets to the other host. Its zero value leaves all
// to the platform.
type Tuning struct {
	// Mode is who conducts the move of a VM between nodes: ModeClient or ModePeer;
	// empty = ModeClient.
	Mode string `json:"mode,omitempty"`
	// PostCopy lets the guest go on at its destination after one pass over its
	// memory; what is left follows. Then it needs both hosts until all is there.
	PostCopy bool `json:"post_copy,omitempty"`
	// AutoConverge slows a guest down that writes faster than its memory is sent.
	// Absent: the platform's; nodes do.
	AutoConverge Opt[bool]     `json:"auto_converge,omitzero"`
	Compressed   bool          `json:"compressed,omitempty"` // memory that is sent again is sent as its difference (XBZRLE)
	Parallel     int           `json:"parallel,omitempty"`   // connections side by side for the memory; 0 = one
	Timeout      time.Duration `json:"timeout,omitempty"`    // after which the move is given up; 0 = never
}

// Who conducts a move between nodes.
const (
	// ModeClient: this process tells each node what to do next. When it dies, the
	// source keeps the VM.
	ModeClient = "client"
	// ModePeer: the source's daemon speaks with the destination's, over a relay of
	// this process.
	ModePeer = "peer"
)

// Moved is the result of Migrate.
type Moved struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Bytes    int64         `json:"bytes"`    // transferred
	Elapsed  time.Duration `json:"elapsed"`  // of the move itself
	Downtime time.Duration `json:"downtime"` // in which the guest stood still
}
