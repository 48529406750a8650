//go:build cgo

package libvirt

import (
	"context"
	"sync"

	lv "libvirt.org/go/libvirt"
)

// hub passes the daemon's events on: to the snapshot, which drops what changed,
// and to those who watch a VM. libvirt calls it on its event loop, so nothing
// here blocks or calls libvirt.
type hub struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]bool
}

func (h *hub) init() { h.watchers = map[string]map[chan struct{}]bool{} }

// watch gives a channel that gets a signal for each batch of events of a VM,
// until ctx ends.
func (h *hub) watch(ctx context.Context, vm string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	h.add(ctx, vm, ch)
	return ch
}

// add is watch with a channel that may watch other nodes as well. It needs a
// buffer.
func (h *hub) add(ctx context.Context, vm string, ch chan struct{}) {
	h.mu.Lock()
	if h.watchers[vm] == nil {
		h.watchers[vm] = map[chan struct{}]bool{}
	}
	h.watchers[vm][ch] = true
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers[vm], ch)
		if len(h.watchers[vm]) == 0 {
			delete(h.watchers, vm)
		}
	})
}

// signal wakes those who watch a VM; with an empty name, all.
func (h *hub) signal(vm string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, chans := range h.watchers {
		if vm != "" && vm != name {
			continue
		}
		for ch := range chans {
			select {
			case ch <- struct{}{}:
			default: // it has not looked at the last signal yet
			}
		}
	}
}

// Watch gives a signal when libvirt tells that something about the VM changed.
func (n *Node) Watch(ctx context.Context, vm string) <-chan struct{} { return n.hub.watch(ctx, vm) }

// event notes that something about a VM has changed.
func (n *Node) event(d *lv.Domain) {
	name, err := d.GetName() // known to the client: no call
	if err != nil {
		return
	}
	n.snap.drop(name)
	n.hub.signal(name)
}

// subscribe asks for the events of all domains on a connection. A driver that
// does not know one of them is polled for it.
func (n *Node) subscribe(k *conn) error {
	c := k.c
	register := []func() (int, error){
		func() (int, error) {
			return c.DomainEventLifecycleRegister(nil, func(_ *lv.Connect, d *lv.Domain, _ *lv.DomainEventLifecycle) { n.event(d) })
		},
		func() (int, error) {
			return c.DomainEventAgentLifecycleRegister(nil, func(_ *lv.Connect, d *lv.Domain, _ *lv.DomainEventAgentLifecycle) { n.event(d) })
		},
		func() (int, error) {
			return c.DomainEventDeviceAddedRegister(nil, func(_ *lv.Connect, d *lv.Domain, _ *lv.DomainEventDeviceAdded) { n.event(d) })
		},
		func() (int, error) {
			return c.DomainEventDeviceRemovedRegister(nil, func(_ *lv.Connect, d *lv.Domain, _ *lv.DomainEventDeviceRemoved) { n.event(d) })
		},
		func() (int, error) {
			return c.DomainEventMetadataChangeRegister(nil, func(_ *lv.Connect, d *lv.Domain, _ *lv.DomainEventMetadataChange) { n.event(d) })
		},
	}
	ids := make([]int, len(register))
	errs := make([]error, len(register))
	var wg sync.WaitGroup
	for i, f := range register {
		wg.Go(func() { ids[i], errs[i] = f() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !isCode(err, lv.ERR_NO_SUPPORT, lv.ERR_ARGUMENT_UNSUPPORTED, lv.ERR_INVALID_ARG) {
			return err
		}
	}
	k.onClose = append(k.onClose, func() {
		for i, id := range ids {
			if errs[i] == nil {
				// It fails where the connection is gone, and drops our side all the same.
				_ = c.DomainEventDeregister(id)
			}
		}
	})
	n.hub.signal("") // what happened while nobody listened is not known
	return nil
}
