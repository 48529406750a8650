//go:build cgo

package libvirt

import (
	"sync"
	"time"

	"github.com/nactl/nactl/virt"
)

// snapshot keeps the VMs as they were read, for snapshotAge at most. A tick
// counts the drops: what was read before an object was dropped is not given any
// more, nor stored by a read that was under way.
type snapshot struct {
	mu      sync.Mutex
	tick    uint64
	all     mark                  // when all VMs were read; names holds theirs
	names   map[string]bool       // of the domains that all saw
	vms     map[string]snapshotVM // by name
	dropped map[string]uint64     // tick of the last drop, by name
	forgot  uint64                // tick of the last drop of everything
	singles map[string]bool       // VMs read one by one since everything was read
	bulk    chan struct{}         // held by whoever reads all VMs
	now     func() time.Time

	pools     *poolIndex
	poolsMark mark
	reading   chan struct{} // held by whoever reads the pools
}

// mark is when something was read.
type mark struct {
	at   time.Time
	tick uint64
}

type snapshotVM struct {
	vm *virt.VM
	mark
}

func (s *snapshot) init() {
	s.names, s.vms, s.dropped, s.singles = map[string]bool{}, map[string]snapshotVM{}, map[string]uint64{}, map[string]bool{}
	s.bulk, s.reading = make(chan struct{}, 1), make(chan struct{}, 1)
	s.now = time.Now
}

// begin marks the start of a read.
func (s *snapshot) begin() mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mark{at: s.now(), tick: s.tick}
}

// valid tells whether what was read at m about an object may be given: s.mu is
// held. An empty name is that of nothing in particular.
func (s *snapshot) valid(m mark, name string) bool {
	return !m.at.IsZero() && s.now().Sub(m.at) < snapshotAge && m.tick >= s.forgot && (name == "" || m.tick >= s.dropped[name])
}

// drop makes the next read of a VM a fresh one.
func (s *snapshot) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick++
	s.dropped[name] = s.tick
	delete(s.vms, name)
}

// forget makes the next read of everything a fresh one.
func (s *snapshot) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick++
	s.forgot = s.tick
	clear(s.vms)
	clear(s.dropped)
	clear(s.singles)
	s.pools = nil
}

// forgetPools makes the next look at the pools a fresh one.
func (s *snapshot) forgetPools() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools = nil
}

// answer is what the snapshot knows about one VM.
type answer int

const (
	unknown  answer = iota
	present         // here it is
	missing         // it is not there
	readMany        // unknown, and others were read before: read all at once
)

// bulkAfter is how many VMs are read one by one before all are read at once.
const bulkAfter = 2

// vm looks a VM up, and notes that it is about to be read when it is unknown.
func (s *snapshot) vm(name string) (*virt.VM, answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.vms[name]; ok && s.valid(e.mark, name) {
		return e.vm.Clone().(*virt.VM), present
	}
	if s.valid(s.all, "") {
		if s.valid(s.all, name) && !s.names[name] {
			return nil, missing
		}
		return nil, unknown // dropped since: this one alone
	}
	if !s.singles[name] && len(s.singles) >= bulkAfter {
		return nil, readMany
	}
	s.singles[name] = true
	return nil, unknown
}

// store keeps a VM that was read from m on.
func (s *snapshot) store(vm *virt.VM, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(vm, m)
}

func (s *snapshot) keep(vm *virt.VM, m mark) {
	if s.valid(m, vm.Name) {
		s.vms[vm.Name] = snapshotVM{vm: vm.Clone().(*virt.VM), mark: m}
	}
}

// storeAll keeps all VMs of the node, as read from m on.
func (s *snapshot) storeAll(vms []*virt.VM, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.valid(m, "") {
		return
	}
	s.all = m
	clear(s.names)
	clear(s.singles)
	for _, vm := range vms {
		s.names[vm.Name] = true
		s.keep(vm, m)
	}
}

// list gives all VMs that are known, and the names of those that were dropped
// since all were read; ok is false when all have to be read again.
func (s *snapshot) list() (vms []*virt.VM, dropped []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.valid(s.all, "") {
		return nil, nil, false
	}
	for name := range s.names {
		if e, held := s.vms[name]; held && s.valid(e.mark, name) {
			vms = append(vms, e.vm.Clone().(*virt.VM))
		} else {
			dropped = append(dropped, name)
		}
	}
	for name, tick := range s.dropped {
		if e, held := s.vms[name]; s.names[name] || tick <= s.all.tick {
			continue
		} else if held && s.valid(e.mark, name) {
			vms = append(vms, e.vm.Clone().(*virt.VM))
		} else {
			dropped = append(dropped, name)
		}
	}
	return vms, dropped, true
}

// poolIndex gives the pools that were read, nil when they have to be read.
func (s *snapshot) poolIndex() *poolIndex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools == nil || !s.valid(s.poolsMark, "") {
		return nil
	}
	return s.pools
}

func (s *snapshot) storePools(p *poolIndex, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools, s.poolsMark = p, m
}
