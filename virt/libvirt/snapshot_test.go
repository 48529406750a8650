//go:build cgo

package libvirt

import (
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

func newSnapshot() (*snapshot, *time.Time) {
	s := &snapshot{}
	s.init()
	clock := time.Unix(1_000_000, 0)
	s.now = func() time.Time { return clock }
	return s, &clock
}

func vmNamed(name string) *virt.VM { return &virt.VM{Name: name} }

func TestSnapshotReadsManyOnceAFewWereAskedFor(t *testing.T) {
	s, _ := newSnapshot()
	for i, want := range []answer{unknown, unknown, readMany} {
		if _, got := s.vm(string(rune('a' + i))); got != want {
			t.Errorf("VM %d: %v, want %v", i, got, want)
		}
	}
	if _, got := s.vm("a"); got != unknown {
		t.Errorf("the first again: %v", got)
	}
	s.storeAll([]*virt.VM{vmNamed("a"), vmNamed("b")}, s.begin())
	if _, got := s.vm("b"); got != present {
		t.Errorf("b: %v", got)
	}
	if _, got := s.vm("z"); got != missing {
		t.Errorf("z: %v", got)
	}
}

func TestSnapshotGrowsOld(t *testing.T) {
	s, clock := newSnapshot()
	s.storeAll([]*virt.VM{vmNamed("a")}, s.begin())
	*clock = clock.Add(snapshotAge - time.Second)
	if _, got := s.vm("a"); got != present {
		t.Errorf("before its time: %v", got)
	}
	*clock = clock.Add(time.Second)
	if _, got := s.vm("a"); got != unknown {
		t.Errorf("after its time: %v", got)
	}
	if _, _, ok := s.list(); ok {
		t.Error("the list outlives its time")
	}
}

func TestSnapshotDrops(t *testing.T) {
	s, _ := newSnapshot()
	s.storeAll([]*virt.VM{vmNamed("a"), vmNamed("b")}, s.begin())
	// A read that began before the drop must not bring back what it saw.
	late := s.begin()
	s.drop("a")
	s.store(vmNamed("a"), late)
	if _, got := s.vm("a"); got != unknown {
		t.Errorf("a: %v", got)
	}
	if _, got := s.vm("b"); got != present {
		t.Errorf("b: %v", got)
	}
	// A VM that was made since the list is not called missing.
	s.drop("new")
	if _, got := s.vm("new"); got != unknown {
		t.Errorf("new: %v", got)
	}
	vms, dropped, ok := s.list()
	if !ok || len(vms) != 1 || len(dropped) != 2 {
		t.Errorf("%v, %v, %v", vms, dropped, ok)
	}
	s.store(vmNamed("new"), s.begin())
	if vms, dropped, ok = s.list(); !ok || len(vms) != 2 || len(dropped) != 1 {
		t.Errorf("%v, %v, %v", vms, dropped, ok)
	}
	s.forget()
	if _, got := s.vm("b"); got != unknown {
		t.Errorf("after forget: %v", got)
	}
}

func TestSnapshotGivesCopies(t *testing.T) {
	s, _ := newSnapshot()
	vm := vmNamed("a")
	s.storeAll([]*virt.VM{vm}, s.begin())
	vm.Title = "scribbled"
	got, _ := s.vm("a")
	if got.Title != "" {
		t.Error("the reader's object is shared with the snapshot")
	}
	got.Title = "scribbled"
	if again, _ := s.vm("a"); again.Title != "" {
		t.Error("the caller's object is shared with the snapshot")
	}
}
