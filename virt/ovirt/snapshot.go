package ovirt

import (
	"slices"
	"sync"
	"time"
)

// snapshot keeps VMs as they were read, for snapshotAge at most. A tick counts the
// drops: what was read before an object was dropped is not given any more, nor
// kept by a read that was under way.
type snapshot struct {
	mu      sync.Mutex
	tick    uint64
	vms     map[string]entry // by name
	all     mark             // when all were read
	dropped map[string]uint64
	forgot  uint64
	wanted  map[string]bool // names that somebody is waiting for, or will ask for
	singles int             // reads of one VM since all were read
	total   int             // VMs of the engine; -1 = not asked yet
	reading chan struct{}   // held by whoever reads
}

// mark is when something was read.
type mark struct {
	at   time.Time
	tick uint64
}

// entry is what was found under a name: none, one, or several in different data
// centres.
type entry struct {
	mark
	found []*machine
}

func (s *snapshot) init() {
	s.vms, s.dropped, s.wanted = map[string]entry{}, map[string]uint64{}, map[string]bool{}
	s.reading = make(chan struct{}, 1)
	s.total = -1
}

func (s *snapshot) begin() mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mark{at: time.Now(), tick: s.tick}
}

// valid tells whether what was read at m about a VM may be given: s.mu is held.
func (s *snapshot) valid(m mark, name string) bool {
	return !m.at.IsZero() && time.Since(m.at) < snapshotAge && m.tick >= s.forgot && m.tick >= s.dropped[name]
}

// get gives what is known of a name; known is false when it has to be read.
func (s *snapshot) get(name string) (found []*machine, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.vms[name]; ok && s.valid(e.mark, name) {
		return e.found, true
	}
	if s.valid(s.all, name) {
		return nil, true // all were read, and it was not among them
	}
	s.wanted[name] = true
	return nil, false
}

// last gives what was known of a VM before: its id is still its id. dropped tells
// that it was dropped since, and did not just grow old.
func (s *snapshot) last(name string) (m *machine, dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.vms[name]
	if len(e.found) == 1 {
		m = e.found[0]
	}
	return m, s.dropped[name] > max(e.tick, s.forgot)
}

// alone tells whether nobody waits for another VM.
func (s *snapshot) alone(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.wanted)
	if s.wanted[name] {
		n--
	}
	return n == 0
}

// batch gives the names that are wanted and not known, up to most, own first.
func (s *snapshot) batch(own string, most int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{own}
	delete(s.wanted, own)
	for name := range s.wanted {
		if len(names) == most {
			break
		}
		delete(s.wanted, name)
		if e, ok := s.vms[name]; name != own && !(ok && s.valid(e.mark, name)) {
			names = append(names, name)
		}
	}
	return names
}

// store keeps what was found under a name.
func (s *snapshot) store(name string, found []*machine, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, name)
	if s.valid(m, name) {
		s.vms[name] = entry{mark: m, found: found}
	}
}

// storeAll keeps all VMs of the engine.
func (s *snapshot) storeAll(all []*machine, m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.tick < s.forgot {
		return
	}
	fresh := map[string]entry{}
	for _, vm := range all {
		e := fresh[vm.vm.Name]
		e.mark = m
		e.found = append(e.found, vm)
		fresh[vm.vm.Name] = e
	}
	for name, old := range s.vms {
		if old.at.After(m.at) || s.dropped[name] > m.tick {
			fresh[name] = old
		}
	}
	s.vms, s.all, s.total, s.singles = fresh, m, len(all), 0
}

// list gives all VMs that are known, and the names that were dropped since all
// were read; ok is false when all have to be read again.
func (s *snapshot) list() (all []*machine, stale []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.valid(s.all, "") {
		return nil, nil, false
	}
	for name, e := range s.vms {
		if s.valid(e.mark, name) {
			all = append(all, e.found...)
		}
	}
	for name, tick := range s.dropped {
		if e, held := s.vms[name]; tick > s.all.tick && !(held && s.valid(e.mark, name)) {
			stale = append(stale, name)
		}
	}
	return all, stale, true
}

// replace puts a VM of which more is known now in the place of what was read.
func (s *snapshot) replace(old, with *machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.vms[old.vm.Name]
	if i := slices.Index(e.found, old); i >= 0 {
		e.found = slices.Clone(e.found)
		e.found[i] = with
		s.vms[old.vm.Name] = e
	}
}

// searched counts a look-up of names that nobody knew, and tells how many there
// were before it.
func (s *snapshot) searched() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.singles++
	return s.singles - 1
}

// drop makes the next read of a VM a fresh one.
func (s *snapshot) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick++
	s.dropped[name] = s.tick
}

// forget makes the next read of every VM a fresh one.
func (s *snapshot) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick++
	s.forgot = s.tick
	clear(s.dropped)
	s.singles = 0
}

// want notes names that will be asked for.
func (s *snapshot) want(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.wanted[n] = true
	}
}
