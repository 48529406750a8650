package ovirt

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// snapshotInfo is a snapshot as the engine tells of it.
type snapshotInfo struct {
	snapshot virt.Snapshot
	regular  bool // made by somebody, and not by the engine for itself
}

// Snapshots implements virt.Reader.
func (e *Engine) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	m, err := e.machine(ctx, vm)
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, e.Client, kindSnapshot, path("vms", m.id, "snapshots"), query{Follow: []string{"disks"}}, convSnapshot)
	var f *Fault
	if errors.As(err, &f) && f.Status == http.StatusInternalServerError {
		// The active layer has no link to disks, and an engine may fail to follow what
		// is not there.
		all, err = list(ctx, e.Client, kindSnapshot, path("vms", m.id, "snapshots"), query{}, convSnapshot)
	}
	if isGone(err) {
		return nil, virt.NotFound(virt.VMRef(vm), "it has gone since it was looked at")
	}
	if err != nil {
		return nil, explain("read its snapshots", virt.VMRef(vm), err)
	}
	var out []*virt.Snapshot
	for _, i := range all {
		if !i.regular {
			continue
		}
		s := i.snapshot
		s.VM = vm
		if aliases, ok := s.Disks.Get(); ok {
			for k := range aliases {
				aliases[k] = diskName(plainName(vm), aliases[k])
			}
			slices.Sort(aliases)
		}
		out = append(out, &s)
	}
	slices.SortStableFunc(out, func(a, b *virt.Snapshot) int { return a.Created.Or(time.Time{}).Compare(b.Created.Or(time.Time{})) })
	if len(out) > 0 {
		out[len(out)-1].Current = true
	}
	return out, nil
}

func convSnapshot(s *ovirtsdk.Snapshot) (snapshotInfo, error) {
	i := snapshotInfo{regular: value(s.SnapshotType()) == ovirtsdk.SNAPSHOTTYPE_REGULAR}
	i.snapshot = virt.Snapshot{Name: value(s.Description()), ID: virt.Some(value(s.Id())), Memory: virt.Some(value(s.PersistMemorystate())),
		State: snapshotState(s)}
	if at, ok := s.Date(); ok {
		i.snapshot.Created = virt.Some(at.UTC())
	}
	if disks, sent := items(s.Disks()); sent {
		aliases := []string{}
		for _, k := range disks {
			aliases = append(aliases, value(k.Alias()))
		}
		i.snapshot.Disks = virt.Some(aliases)
	}
	return i, nil
}

func snapshotState(s *ovirtsdk.Snapshot) virt.SnapshotState {
	switch st := value(s.SnapshotStatus()); st {
	case ovirtsdk.SNAPSHOTSTATUS_IN_PREVIEW:
		return virt.SnapshotInPreview
	case ovirtsdk.SNAPSHOTSTATUS_LOCKED:
		return virt.SnapshotLocked
	case ovirtsdk.SNAPSHOTSTATUS_OK:
		return virt.SnapshotOK
	default:
		return virt.SnapshotState(st)
	}
}

// history is what those who wait for a snapshot look at.
type history struct {
	status    string // of the VM
	snapshots map[string]virt.SnapshotState
}

// busy tells whether an operation on a snapshot is under way.
func (h *history) busy() bool {
	for _, s := range h.snapshots {
		if s == virt.SnapshotLocked {
			return true
		}
	}
	return h.status == string(ovirtsdk.VMSTATUS_IMAGE_LOCKED)
}

func convHistory(v *ovirtsdk.Vm) (history, error) {
	h := history{status: string(value(v.Status())), snapshots: map[string]virt.SnapshotState{}}
	all, sent := items(v.Snapshots())
	if !sent {
		return h, errors.New("its snapshots did not come with it")
	}
	for _, s := range all {
		h.snapshots[value(s.Id())] = snapshotState(s)
	}
	return h, nil
}

// waitHistory waits until until says true of a VM's snapshots.
func (e *Engine) waitHistory(ctx context.Context, vm, what string, until func(h *history) (bool, error)) error {
	ctx, cancel := e.cfg.Limit(ctx, diskTime, nil)
	defer cancel()
	return e.histories.wait(ctx, vm, func(now *history) (bool, error) {
		if now == nil {
			return false, &virt.Error{Kind: virt.ErrNotFound, Summary: "is not there any more"}
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the engine, " + what})
		return until(now)
	})
}

// alone sends what works on a VM's snapshots. An engine does one such thing at a
// time: another one, which may be a merge of hours, is waited for.
func (e *Engine) alone(ctx context.Context, vm string, send func(context.Context) error) error {
	err := send(ctx)
	if !errors.Is(err, virt.ErrBusy) {
		return err
	}
	if waitErr := e.waitHistory(ctx, vm, "another operation on a snapshot of the VM", func(h *history) (bool, error) { return !h.busy(), nil }); waitErr != nil {
		return errors.Join(waitErr, err)
	}
	return e.whileBusy(ctx, send)
}

// createSnapshot makes a snapshot, or waits for the one that is being made. There
// was none of its name when the change was decided upon, so that after a lost
// answer one of that name is the one that was asked for.
func (e *Engine) createSnapshot(ctx context.Context, c virt.CreateSnapshot, d *edit) error {
	if s, ok := d.now.(*virt.Snapshot); ok && s != nil {
		return e.waitSnapshot(ctx, d.m.id, s.ID.Or(""))
	}
	memory := c.Memory.Or(false) && d.m.vm.State.IsLive()
	body := snapshotXML{Description: Text(c.Ref.Name), PersistMemory: &memory}
	var id string
	err := e.alone(ctx, d.m.id, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindSnapshot, path("vms", d.m.id, "snapshots"), nil, body,
			func(s *ovirtsdk.Snapshot) (string, error) { return value(s.Id()), nil })
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		id, err = e.madeSnapshot(ctx, c, err)
	}
	if err != nil {
		return err
	}
	return e.waitSnapshot(ctx, d.m.id, id)
}

// madeSnapshot looks for a snapshot whose making was not answered.
func (e *Engine) madeSnapshot(ctx context.Context, c virt.CreateSnapshot, lost error) (string, error) {
	all, err := e.Snapshots(ctx, c.Ref.Scope)
	if err != nil {
		return "", errors.Join(lost, err)
	}
	for _, s := range all {
		if s.Name == c.Ref.Name {
			return s.ID.Or(""), nil
		}
	}
	return "", lost
}

// waitSnapshot waits until a snapshot that is being made can be used, and its VM
// is free again. The engine drops one that it cannot make.
func (e *Engine) waitSnapshot(ctx context.Context, vm, id string) error {
	return e.waitHistory(ctx, vm, "the snapshot is being made", func(h *history) (bool, error) {
		if _, there := h.snapshots[id]; !there {
			return false, &stateError{status: "gone", why: "the engine took it back"}
		}
		return !h.busy(), nil
	})
}

// deleteSnapshot removes a snapshot, and waits until its disks are merged: hours,
// where much was written since.
func (e *Engine) deleteSnapshot(ctx context.Context, d *edit) error {
	id := d.now.(*virt.Snapshot).ID.Or("")
	err := e.alone(ctx, d.m.id, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("vms", d.m.id, "snapshots", id), nil)
		return err
	})
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	g := &goal{gone: true, back: map[string]string{string(virt.SnapshotOK): "its disks were not merged"}}
	return e.waitHistory(ctx, d.m.id, "the snapshot's disks are being merged", func(h *history) (bool, error) {
		state, there := h.snapshots[id]
		ok, err := g.look(string(state), there)
		return ok && !h.busy(), err
	})
}

// revertSnapshot brings a VM back to a snapshot. The engine tries the snapshot
// out and then keeps it, which drops those that are newer.
func (e *Engine) revertSnapshot(ctx context.Context, c virt.RevertSnapshot, d *edit) error {
	all, err := e.Snapshots(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	s, err := virt.FindSnapshot(all, c.Ref.Name, c.Snapshot)
	if err != nil {
		return err
	}
	id := s.ID.Or("")
	memory := s.Memory.Or(false)
	last, err := e.lastEvent(ctx)
	if err != nil {
		return err
	}
	err = e.alone(ctx, d.m.id, func(ctx context.Context) error {
		_, err := act(ctx, e.Client, path("vms", d.m.id, "snapshots", id, "restore"), &actionXML{RestoreMemory: &memory})
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		err = e.restores(ctx, d.m.id, err)
	}
	if err != nil {
		return err
	}
	trying := 0
	err = e.waitHistory(ctx, d.m.id, "the VM goes back to the snapshot", func(h *history) (bool, error) {
		state, there := h.snapshots[id]
		switch {
		case !there:
			return false, &stateError{status: "gone", why: "the snapshot has gone meanwhile"}
		case h.busy():
			return false, nil
		case state == virt.SnapshotInPreview:
			if trying++; trying < backAfter {
				return false, nil // between its two halves
			}
			return false, &stateError{status: string(state), why: "the snapshot was tried out and not kept: the VM is in a preview, " +
				"which commit or undo in the engine's own pages ends"}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := e.restored(ctx, d.m.id, last); err != nil || !c.Start {
		return err
	}
	e.Forget(c.Ref)
	if d.m, err = e.machine(ctx, c.Ref.Name); err != nil {
		return err
	}
	d.now = d.m.vm
	return e.start(ctx, d)
}

// restoreCorrelation is the id that an engine gives its work on a restore,
// whatever id the request has.
const restoreCorrelation = "RestoreSnapshot"

// restores tells whether the engine works on a restore that was not answered. One
// that is through leaves no trace that is surely its own: then nobody knows.
func (e *Engine) restores(ctx context.Context, vm string, lost error) error {
	now, err := get(ctx, e.Client, kindVM, path("vms", vm), query{Follow: []string{"snapshots"}}, convHistory)
	if err != nil {
		return errors.Join(lost, err)
	}
	if now.busy() {
		return nil
	}
	for _, s := range now.snapshots {
		if s == virt.SnapshotInPreview {
			return nil
		}
	}
	return lost
}

// restored gives an error when the engine's last word on a restore of a VM, since
// an event, is that it failed: the VM and its snapshots look then as they did
// before.
func (e *Engine) restored(ctx context.Context, vm string, since int64) error {
	all, err := e.events(ctx, restoreCorrelation)
	if err != nil {
		return err
	}
	for _, ev := range slices.Backward(all) {
		if ev.VM != vm || ev.Index <= since {
			continue
		}
		if ev.Severity != "normal" {
			return &stateError{status: "unchanged", why: "the engine says: " + ev.Text}
		}
		return nil
	}
	return nil
}

// checkSnapshot looks whether the snapshots of a VM can be worked upon, and
// whether the one that is gone back to is there.
func (e *Engine) checkSnapshot(ctx context.Context, view virt.Reader, vm, revertTo string) error {
	all, err := view.Snapshots(ctx, vm)
	if err != nil {
		return err
	}
	if err := virt.CheckPreview(all); err != nil || revertTo == "" {
		return err
	}
	_, err = virt.FindSnapshot(all, vm, revertTo)
	return err
}
