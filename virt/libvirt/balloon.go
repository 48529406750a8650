//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nactl/nactl/virt"
)

// balloonWait is how long a guest has to give or take memory before it is
// pending.
const balloonWait = 10 * time.Second

const balloonStuck = "the guest was asked and did not follow: it needs a memory balloon driver"

// balloons remembers the guests that did not follow, so that they are asked once
// in a run and not by every look.
type balloons struct {
	mu  sync.Mutex
	vms map[string]balloon // by the VM's id
}

// balloon is a wish that came to nothing: the memory that the guest kept, and
// what it was asked for.
type balloon struct{ kept, target int64 }

func (b *balloons) remember(vm *virt.VM, wish balloon) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.vms == nil {
		b.vms = map[string]balloon{}
	}
	b.vms[vm.ID.Or(vm.Name)] = wish
}

// stuck tells whether a VM was asked for the memory that it is configured for,
// and has kept what it had.
func (b *balloons) stuck(vm *virt.VM) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	wish, ok := b.vms[vm.ID.Or(vm.Name)]
	return ok && wish == balloon{kept: vm.Live.Memory.Current, target: vm.Memory.Current}
}

// waitBalloon waits until the running VM has so much memory. When its guest does
// not follow, the field is pending; and where nothing else was to be done, then
// nothing was changed.
func (n *Node) waitBalloon(ctx context.Context, e *edit, target int64) error {
	name := e.vm().Name
	var last *virt.VM
	err := n.wait(ctx, name, balloonWait, func() (bool, error) {
		vm, err := n.freshVM(ctx, name)
		if err != nil {
			return false, err
		}
		last = vm
		// Once it is off, the stored value is what counts.
		return vm.Live == nil || vm.Live.Memory.Current == target, nil
	})
	if !errors.Is(err, errWaited) {
		return err
	}
	n.balloons.remember(last, balloon{kept: last.Live.Memory.Current, target: target})
	notYet(e, "memory.current", last.Live.Memory.Current, target, balloonStuck, nil)
	e.out.Fields = slices.DeleteFunc(e.out.Fields, func(f virt.FieldChange) bool {
		return f.Path == "memory.current" && e.vm().Memory.Current == target
	})
	e.out.Changed = len(e.out.Fields) > 0
	return nil
}
