package virt

import (
	"context"
	"errors"
)

// Read gives the object that ref names, as view sees it; nil when it is not
// there, or when the kind is one that nobody observes (the controller).
func Read(ctx context.Context, view Reader, ref Ref) (Object, error) {
	var o Object
	var err error
	switch ref.Kind {
	case KindVM:
		o, err = object(view.VM(ctx, ref.Name))
	case KindNetwork:
		o, err = object(view.Network(ctx, ref.Name))
	case KindVolume:
		o, err = object(view.Volume(ctx, ref.Scope, ref.Name))
	case KindStorage:
		o, err = object(view.Storage(ctx, ref.Name))
	case KindHost:
		o, err = object(view.Host(ctx, ref.Name))
	case KindSnapshot:
		var all []*Snapshot
		if all, err = view.Snapshots(ctx, ref.Scope); err == nil {
			o, err = object(FindSnapshot(all, ref.Scope, ref.Name))
		}
	case KindHostVLAN:
		var all []*HostVLAN
		if all, err = view.HostVLANs(ctx, ref.Scope); err == nil {
			for _, v := range all {
				if v.Name == ref.Name {
					return v, nil
				}
			}
		}
	case KindAffinityGroup:
		o, err = object(view.AffinityGroup(ctx, ref.Scope, ref.Name))
	case KindSSHKeys:
		o, err = object(view.SSHKeys(ctx, ref.Scope, ref.Name))
	case KindGuestFile:
		// Its content is not wanted, its checksum is: limit 0 would leave that out.
		o, err = object(view.GuestFile(ctx, ref.Scope, ref.Name, 1))
	}
	// Only the object's own absence counts: a file is not missing because its VM is.
	var missing *Error
	if errors.As(err, &missing) && missing.Kind == ErrNotFound && missing.Object.Kind == ref.Kind {
		return nil, nil
	}
	return o, err
}

// ReadFor gives the object of a change as Read does, with all that Predict
// compares: the sizes of a VM's disks and its CD drives where the change is about these, the checksum
// of a volume whose content is to be a file's, and the VM that is renamed already.
func ReadFor(ctx context.Context, view Reader, c Change) (Object, error) {
	if _, ok := c.(HostExec); ok {
		return nil, nil // a command needs nothing of its host but a way to it
	}
	o, err := Read(ctx, view, c.Object())
	if vm, ok := o.(*VM); ok && err == nil {
		switch c.(type) {
		case AttachDisk, DetachDisk, ResizeDisk:
			err = view.DiskSizes(ctx, vm)
		case ChangeCdrom:
			err = view.Drives(ctx, vm)
		}
	}
	if r, ok := c.(RenameVM); ok && err == nil && o == nil {
		return Read(ctx, view, r.Renamed())
	}
	if up, ok := c.(UploadVolume); ok && err == nil {
		if v, ok := o.(*Volume); ok && !v.Unfinished {
			err = view.VolumeSum(ctx, v, up.Source.Length)
		}
	}
	return o, err
}

// object keeps a nil pointer from becoming a non-nil interface.
func object[T interface {
	comparable
	Object
}](o T, err error) (Object, error) {
	var zero T
	if o == zero {
		return nil, err
	}
	return o, err
}

// Decide compares what is there now with what the step saw, as Apply must before
// it changes anything: an outcome that is not Changed means that there is nothing
// to do; ErrDiverged means that the step must look again, for the change now
// calls for other edits than those that were decided upon.
func Decide(a Applier, now Object, c Change) (after Object, out Outcome, err error) {
	after, out, err = a.Predict(now, c)
	if err != nil || !out.Changed || c.Nature() == Action {
		return after, out, err
	}
	_, seen, err := a.Predict(c.Seen(), c)
	if err != nil || !sameFields(seen.Fields, out.Fields) {
		return nil, Outcome{}, Diverged(c.Object(), "other values than a moment ago")
	}
	return after, out, nil
}

func sameFields(a, b []FieldChange) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Path != b[i].Path || !equal(a[i].Before, b[i].Before) || !equal(a[i].After, b[i].After) {
			return false
		}
	}
	return true
}
