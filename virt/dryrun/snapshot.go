package dryrun

import (
	"context"
	"errors"
	"slices"

	"github.com/nactl/nactl/virt"
)

// snapshots are what changes made of the snapshots of one VM.
type snapshots struct {
	gone    bool            // with the VM that had them
	removed map[string]bool // by identity
	added   []*virt.Snapshot
	saved   map[string]*virt.VM // what the added ones hold, by name
}

// Snapshots reads the snapshots of a VM, with what changes made of them.
func (p *Platform) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	if _, err := p.VM(ctx, vm); err != nil {
		return nil, err
	}
	below, err := p.inner.Snapshots(ctx, p.below(vm))
	if err != nil && !errors.Is(err, virt.ErrNotFound) { // a VM that is made here has none there
		return nil, err
	}
	for _, s := range below {
		s.VM = vm
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := p.snapshots[vm]
	if mine == nil {
		return below, nil
	}
	all := slices.DeleteFunc(below, func(s *virt.Snapshot) bool { return mine.gone || mine.removed[identity(s)] })
	for _, s := range mine.added {
		for _, older := range all {
			older.Current = older.Current && !s.Current
		}
		all = append(all, s.Clone().(*virt.Snapshot))
	}
	return all, nil
}

// keepSnapshot keeps what a change makes of a snapshot of vm.
func (p *Platform) keepSnapshot(vm *virt.VM, now, after virt.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := p.snapshots[vm.Name]
	if mine == nil {
		mine = &snapshots{}
		p.snapshots[vm.Name] = mine
	}
	if mine.removed == nil {
		mine.removed, mine.saved = map[string]bool{}, map[string]*virt.VM{}
	}
	if old, ok := now.(*virt.Snapshot); ok && old != nil {
		mine.removed[identity(old)] = true
		mine.added = slices.DeleteFunc(mine.added, func(s *virt.Snapshot) bool { return identity(s) == identity(old) })
		delete(mine.saved, old.Name)
	}
	if made, ok := after.(*virt.Snapshot); ok && made != nil {
		mine.added = append(mine.added, made.Clone().(*virt.Snapshot))
		if now == nil {
			mine.saved[made.Name] = vm.Clone().(*virt.VM)
		}
	}
}

// revert makes a VM what it was when a snapshot was planned. What an older
// snapshot holds only the run will show. p.mu is held.
func (p *Platform) revert(c virt.RevertSnapshot) {
	ref := c.Ref.Key()
	p.booting[ref.Name] = true
	var saved *virt.VM
	memory := false // or not known
	if mine := p.snapshots[ref.Name]; mine != nil {
		saved = mine.saved[c.Snapshot]
		memory = slices.ContainsFunc(mine.added, func(s *virt.Snapshot) bool { return s.Name == c.Snapshot && s.Memory.Or(true) })
	}
	if saved == nil || memory && saved.State.IsLive() { // with its memory, whether it then runs is the platform's
		p.maybe[ref] = true
		return
	}
	vm := saved.Clone()
	if saved.State.IsLive() {
		stopped, _, err := p.inner.Predict(vm, virt.PowerOff{On: virt.On{Ref: ref, Before: vm}})
		if err != nil {
			p.maybe[ref] = true
			return
		}
		vm = stopped
	}
	if c.Start {
		running, _, err := p.inner.Predict(vm, virt.Start{On: virt.On{Ref: ref, Before: vm}})
		if err != nil {
			p.maybe[ref] = true
			return
		}
		vm = running
	}
	p.objects[ref] = vm
}

// identity tells the snapshots of a VM apart: by the id, or the name of one that
// is only planned.
func identity(s *virt.Snapshot) string { return s.ID.Or("planned " + s.Name) }
