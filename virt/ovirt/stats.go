package ovirt

import (
	"maps"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/nactl/nactl/virt"
)

// meter counts the requests to an engine, and its connections.
type meter struct {
	on func(method, pattern string)

	mu          sync.Mutex
	stats       virt.Stats
	outstanding int
}

func newMeter(on func(method, pattern string)) *meter {
	return &meter{on: on, stats: virt.Stats{Procedures: map[string]int{}}}
}

func (m *meter) connected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Connections++
}

// request notes that a request goes out, repeated ones too; the caller notes its
// end by done.
func (m *meter) request(method, path string) {
	pattern := pathPattern(path)
	if m.on != nil {
		m.on(method, pattern)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Calls++
	m.stats.Procedures[method+" "+pattern]++
	if m.outstanding == 0 {
		m.stats.Trips++
	}
	m.outstanding++
}

func (m *meter) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outstanding--
}

func (m *meter) snapshot() virt.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Procedures = maps.Clone(s.Procedures)
	return s
}

// pathPattern writes {id} in place of the ids in a path: of UUIDs, and of the
// numbers that events and networks' ports have.
func pathPattern(path string) string {
	words := strings.Split(path, "/")
	for i, w := range words {
		w, params, _ := strings.Cut(w, ";")
		if !isID(w) {
			continue
		}
		words[i] = "{id}"
		if params != "" {
			words[i] += ";" + params
		}
	}
	return strings.Join(words, "/")
}

func isID(s string) bool {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return true
	}
	return len(s) == 36 && uuid.Validate(s) == nil
}
