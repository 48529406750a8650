package virttest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nactl/nactl/virt"
)

// Snapshots implements virt.Reader.
func (m *Memory) Snapshots(ctx context.Context, vm string) ([]*virt.Snapshot, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	out, err := all[*virt.Snapshot](ctx, m, virt.KindSnapshot, vm)
	slices.SortStableFunc(out, func(a, b *virt.Snapshot) int { return a.Created.Or(time.Time{}).Compare(b.Created.Or(time.Time{})) })
	return out, err
}

// take fills in what only a real platform knows of a snapshot that is made, and
// keeps the VM for it; m.mu is held.
func (m *Memory) take(s *virt.Snapshot) *virt.Snapshot {
	if !s.ID.IsUnknown() {
		return s
	}
	vm, _ := m.objects[virt.VMRef(s.VM)].(*virt.VM)
	var disks []string
	for _, k := range vm.Disks {
		disks = append(disks, k.Name)
	}
	for ref, o := range m.objects {
		if other, ok := o.(*virt.Snapshot); ok && ref.Scope == s.VM {
			other.Current = false
		}
	}
	if s.Memory.IsUnknown() {
		s.Memory = virt.Some(false)
	}
	s.ID, s.Disks, s.Parent = virt.Some(fmt.Sprintf("s-%d", m.made)), virt.Some(disks), virt.Some("")
	s.Created = virt.Some(time.Date(2024, 5, 1, 12, 0, m.made, 0, time.UTC))
	m.saved[s.Ref().Key()] = vm.Clone().(*virt.VM)
	return s
}

// revert gives the VM as a snapshot holds it; m.mu is held.
func (m *Memory) revert(c virt.RevertSnapshot) (*virt.VM, error) {
	ref := virt.SnapshotRef(c.Ref.Name, c.Snapshot)
	saved := m.saved[ref]
	if saved == nil || m.objects[ref] == nil {
		return nil, virt.NotFound(ref, "")
	}
	if !c.Start {
		return saved.Clone().(*virt.VM), nil
	}
	after, _, err := m.Rules.Predict(saved.Clone(), virt.Start{On: virt.OnVM(saved)})
	if err != nil {
		return nil, err
	}
	return after.(*virt.VM), nil
}
