package virt

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Snapshot is a state of a VM that it can go back to: its configuration and the
// contents of its disks, with or without its memory.
type Snapshot struct {
	VM          string         `json:"vm"`
	Name        string         `json:"name"` // on an engine its description, which need not be unique
	ID          Opt[string]    `json:"id,omitzero"`
	Description string         `json:"description,omitempty"` // nodes only
	Created     Opt[time.Time] `json:"created,omitzero"`
	Memory      Opt[bool]      `json:"memory,omitzero"` // with it, going back resumes the guest where it was
	State       SnapshotState  `json:"state"`
	// Current: the VM's disks build upon it. On an engine that is the newest.
	Current bool          `json:"current"`
	Parent  Opt[string]   `json:"parent,omitzero"` // nodes only; empty for the first
	Disks   Opt[[]string] `json:"disks,omitzero"`  // names of the disks that it holds
	// External: the images stay as they are, and the VM writes into others, laid over
	// them. Nodes only: an engine's are all so.
	External bool `json:"external,omitempty"`
}

// SnapshotState tells whether a snapshot can be used.
type SnapshotState string

// The states of snapshots.
const (
	SnapshotOK        SnapshotState = "ok"
	SnapshotLocked    SnapshotState = "locked"     // it is being made, gone back to, or deleted
	SnapshotInPreview SnapshotState = "in_preview" // tried out, neither kept nor dropped yet; engines only
)

// Ref names the snapshot.
func (s *Snapshot) Ref() Ref {
	return Ref{Kind: KindSnapshot, Scope: s.VM, Name: s.Name, ID: s.ID.Or("")}
}

// Clone returns a deep copy.
func (s *Snapshot) Clone() Object {
	c := *s
	if disks, ok := s.Disks.Get(); ok {
		c.Disks = Some(slices.Clone(disks))
	}
	return &c
}

// FindSnapshot gives the snapshot that a playbook calls name: by its name, else
// by its id. Several of the name are an ErrConflict that lists them.
func FindSnapshot(all []*Snapshot, vm, name string) (*Snapshot, error) {
	var fit []*Snapshot
	for _, s := range all {
		if s.Name == name {
			fit = append(fit, s)
		}
	}
	for _, s := range all {
		if id, ok := s.ID.Get(); ok && len(fit) == 0 && id == name {
			fit = append(fit, s)
		}
	}
	ref := SnapshotRef(vm, name)
	switch len(fit) {
	case 0:
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return nil, &Error{Kind: ErrNotFound, Object: ref, Summary: "is not there", Found: strings.Join(names, ", "),
			Hint: "make it with create_snapshot, or check its name"}
	case 1:
		return fit[0], nil
	}
	var found []string
	for _, s := range fit {
		at := "at a time that is not known"
		if t, ok := s.Created.Get(); ok {
			at = t.UTC().Format("2006-01-02 15:04:05") + " UTC"
		}
		found = append(found, fmt.Sprintf("%s of %s", s.ID.Or("one without id"), at))
	}
	return nil, &Error{Kind: ErrConflict, Object: ref, Summary: "is the name of several snapshots", Found: strings.Join(found, ", "),
		Hint: "write the id of the one that is meant as its name"}
}

// CreateSnapshot makes a snapshot of all disks of a VM. Its object is the
// snapshot. One of its name that is there already is as wanted, whatever it
// holds.
type CreateSnapshot struct {
	On
	converge
	// Memory: of a running VM its memory, too. Absent is what costs the platform
	// least: no memory on an engine; on a node the memory, for it cannot do without.
	// A VM that does not run has none to keep.
	Memory      Opt[bool] `json:"memory,omitzero"`
	Description string    `json:"description,omitempty"`
	// External: of the disks alone, beside the images; an engine makes no others.
	External bool `json:"external,omitempty"`
	// Quiesce: the guest's file systems stand still for that moment. Absent is where
	// the guest's agent can bring that about.
	Quiesce Opt[bool] `json:"quiesce,omitzero"`
}

// DeleteSnapshot removes a snapshot; the VM stays as it is. On a platform where
// its disks build upon the snapshot's, they are merged, which may take long.
type DeleteSnapshot struct {
	On
	converge
}

// RevertSnapshot brings a VM back to a snapshot: its configuration, its disks
// and, where the snapshot has it, its memory. What the VM was since is lost. Its
// object is the VM.
type RevertSnapshot struct {
	On
	action
	Snapshot string `json:"snapshot"`        // name, or id
	Start    bool   `json:"start,omitempty"` // it runs afterwards; else it is as the snapshot holds it
}

func createSnapshot(before Object, c CreateSnapshot) (Object, Outcome, error) {
	var d diff
	s, _ := before.(*Snapshot)
	if s == nil {
		d.set("snapshot", nil, c.Ref.Name, "")
		memory := Unknown[bool]() // there is none when the VM does not run
		if with, ok := c.Memory.Get(); ok && !with || c.External {
			memory = Some(false)
		}
		return &Snapshot{VM: c.Ref.Scope, Name: c.Ref.Name, ID: Unknown[string](), Description: c.Description,
			Created: Unknown[time.Time](), Memory: memory, State: SnapshotOK, Current: true, External: c.External,
			Parent: Unknown[string](), Disks: Unknown[[]string]()}, d.out, nil
	}
	after := s.Clone().(*Snapshot)
	if s.State == SnapshotLocked {
		d.set("state", s.State, SnapshotOK, "it is waited for")
		after.State = SnapshotOK
	}
	if c.Memory.Or(false) && !s.Memory.Or(true) {
		d.out.Warnings = append(d.out.Warnings, "is there without memory, and stays so")
	}
	return after, d.out, nil
}

func deleteSnapshot(before Object, c DeleteSnapshot) (Object, Outcome, error) {
	if s, _ := before.(*Snapshot); s != nil && s.State == SnapshotInPreview {
		return nil, Outcome{}, inPreview(s)
	}
	return deleted(before, c.Ref)
}

// CheckPreview refuses work on the snapshots of a VM while one of them is tried
// out.
func CheckPreview(all []*Snapshot) error {
	for _, s := range all {
		if s.State == SnapshotInPreview {
			return inPreview(s)
		}
	}
	return nil
}

func inPreview(s *Snapshot) error {
	return &Error{Kind: ErrConflict, Object: s.Ref(), Summary: "is in preview",
		Hint: "end the preview in the engine's own pages, under the VM's snapshots: commit keeps what is tried out, undo drops it"}
}
