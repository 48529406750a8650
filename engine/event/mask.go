package event

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Masked stands where a secret stood.
const Masked = "***"

// MinSecret is the least number of characters of a secret. Anything shorter would
// be found by chance all over a log.
const MinSecret = 6

// ErrShortSecret says that a value is too short to be masked.
var ErrShortSecret = errors.New("a secret needs at least 6 characters to be masked; shorter ones would be found by chance everywhere")

// prefixLen is the number of bytes by which patterns are looked up. No encoding
// of MinSecret characters is shorter.
const prefixLen = 4

// Mask takes secrets out of text, in every encoding that nactl emits. The zero
// Mask is not ready; use NewMask. All methods are safe for concurrent use.
type Mask struct {
	mu    sync.RWMutex
	seen  map[string]bool
	pairs [1 << 16 / 64]uint64         // first two bytes of any pattern
	index map[[prefixLen]byte][]string // patterns by their first bytes, longest first
}

// NewMask makes a mask that knows no secret.
func NewMask() *Mask {
	return &Mask{seen: map[string]bool{}, index: map[[prefixLen]byte][]string{}}
}

// Add makes a secret known. A secret of several lines is masked as a whole and
// line by line, for that is how output shows it. ErrShortSecret is returned for
// what has fewer than MinSecret characters; it is not masked.
func (m *Mask) Add(secret string) error {
	trimmed := strings.TrimSpace(secret)
	if utf8.RuneCountInString(trimmed) < MinSecret {
		return ErrShortSecret
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(trimmed)
	lines := strings.FieldsFunc(trimmed, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 1 {
		return nil
	}
	for _, l := range lines {
		l = strings.TrimSpace(l)
		// A PEM armour is no secret, and hiding it would hide what a file is.
		if utf8.RuneCountInString(l) >= MinSecret && !strings.HasPrefix(l, "-----") {
			m.add(l)
		}
	}
	return nil
}

func (m *Mask) add(secret string) {
	if m.seen[secret] {
		return
	}
	m.seen[secret] = true
	for _, p := range encodings(secret) {
		key := [prefixLen]byte([]byte(p))
		list := m.index[key]
		if slices.Contains(list, p) {
			continue
		}
		at, _ := slices.BinarySearchFunc(list, p, func(a, b string) int { return len(b) - len(a) })
		m.index[key] = slices.Insert(list, at, p)
		m.setPair(p[0], p[1])
	}
}

func (m *Mask) setPair(a, b byte) {
	i := int(a)<<8 | int(b)
	m.pairs[i>>6] |= 1 << (i & 63)
}

func (m *Mask) hasPair(a, b byte) bool {
	i := int(a)<<8 | int(b)
	return m.pairs[i>>6]&(1<<(i&63)) != 0
}

// String gives s with every secret replaced by Masked. Secrets that overlap or
// touch become one mark, so that nothing of the second is left over.
func (m *Mask) String(s string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	// What stands around a mark may, with it, read like a secret again; a mark is
	// shorter than any pattern, so this ends.
	for {
		out, found := m.once(s)
		if !found {
			return s
		}
		s = out
	}
}

func (m *Mask) once(s string) (string, bool) {
	if len(m.index) == 0 {
		return s, false
	}
	var b strings.Builder
	copied := 0          // s[:copied] is dealt with
	start, end := -1, -1 // the run of overlapping matches that is open
	flush := func() {
		if start >= 0 {
			b.WriteString(s[copied:start])
			b.WriteString(Masked)
			copied = end
		}
	}
	for i := 0; i+prefixLen <= len(s); i++ {
		if !m.hasPair(s[i], s[i+1]) {
			continue
		}
		for _, p := range m.index[[prefixLen]byte([]byte(s[i:i+prefixLen]))] {
			if !strings.HasPrefix(s[i:], p) {
				continue
			}
			if i > end {
				flush()
				start = i
			}
			end = max(end, i+len(p))
			break
		}
	}
	if start < 0 {
		return s, false
	}
	flush()
	b.WriteString(s[copied:])
	return b.String(), true
}
