//go:build cgo

package libvirt

import (
	"encoding/binary"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nactl/nactl/virt"
)

// meter counts libvirt's calls where they pass the tunnel. All connections of a
// node share one.
type meter struct {
	onCall  func(program, procedure uint32)
	onReply func(program, procedure uint32) // before the reply is passed on

	mu          sync.Mutex
	connections int
	calls       int
	trips       int
	outstanding int
	procedures  map[string]int
	out, in     atomic.Int64 // bytes
}

func newMeter(onCall func(program, procedure uint32)) *meter {
	return &meter{onCall: onCall, procedures: map[string]int{}}
}

func (m *meter) connected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections++
}

// call notes that a call goes out.
func (m *meter) call(program, procedure uint32) {
	if m.onCall != nil {
		m.onCall(program, procedure)
	}
	m.local(ProcedureName(program, procedure))
}

// local notes a call by its name; the caller notes its end by reply.
func (m *meter) local(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.procedures[name]++
	if m.outstanding == 0 {
		m.trips++
	}
	m.outstanding++
}

// reply notes that n calls have ended.
func (m *meter) reply(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outstanding -= n
}

func (m *meter) stats() virt.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return virt.Stats{Connections: m.connections, Calls: m.calls, Trips: m.trips, Procedures: maps.Clone(m.procedures),
		Sent: m.out.Load(), Received: m.in.Load()}
}

// The parts of libvirt's message header, six big-endian words after the length
// (which counts itself): program, version, procedure, type, serial, status.
const (
	lengthSize = 4
	headerSize = 6 * 4

	typeCall        = 0
	typeReply       = 1
	typeCallWithFDs = 4
	typeReplyFDs    = 5
)

// frames follows one direction of a libvirt connection, and gives the header of
// each message as soon as it has passed, in whatever pieces it comes.
type frames struct {
	head []byte        // of the message that is passing, up to lengthSize+headerSize
	left uint32        // of its payload
	sum  *atomic.Int64 // bytes that passed
	bad  bool          // lost step: no libvirt stream; nothing is counted from here on
	on   func(program, procedure, typ uint32)
}

// Write looks at the bytes that pass; it keeps none and never fails.
func (f *frames) Write(b []byte) (int, error) {
	n := len(b)
	f.sum.Add(int64(n))
	for len(b) > 0 && !f.bad {
		if f.left > 0 {
			skip := min(uint64(f.left), uint64(len(b)))
			f.left -= uint32(skip)
			b = b[skip:]
			continue
		}
		take := min(lengthSize+headerSize-len(f.head), len(b))
		f.head = append(f.head, b[:take]...)
		b = b[take:]
		if len(f.head) == lengthSize+headerSize {
			f.header()
		}
	}
	return n, nil
}

func (f *frames) header() {
	word := func(i int) uint32 { return binary.BigEndian.Uint32(f.head[4*i:]) }
	length := word(0)
	if length < lengthSize+headerSize {
		f.bad = true
		return
	}
	f.left = length - lengthSize - headerSize
	f.on(word(1), word(3), word(4))
	f.head = f.head[:0]
}

// sent follows what the client sends, received what the daemon answers. open
// holds what is unanswered when the connection ends.
func (m *meter) sent(open *openCalls) *frames {
	return &frames{sum: &m.out, on: func(program, procedure, typ uint32) {
		if program != programKeepAlive && (typ == typeCall || typ == typeCallWithFDs) {
			if open.add(1) {
				m.call(program, procedure)
			}
		}
	}}
}

func (m *meter) received(open *openCalls) *frames {
	return &frames{sum: &m.in, on: func(program, procedure, typ uint32) {
		if program != programKeepAlive && (typ == typeReply || typ == typeReplyFDs) {
			if m.onReply != nil {
				m.onReply(program, procedure)
			}
			if open.add(-1) {
				m.reply(1)
			}
		}
	}}
}

// openCalls counts the unanswered calls of one connection.
type openCalls struct {
	mu    sync.Mutex
	n     int
	ended bool
}

// add says false, and does nothing, once the connection has ended.
func (o *openCalls) add(d int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.n += d
	return true
}

// drain ends the count and gives it.
func (o *openCalls) drain() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	return o.n
}
