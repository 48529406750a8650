package local

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// capped keeps the beginning of what is written to it and counts the rest, so
// that a command which says too much neither blocks nor fills the memory.
type capped struct {
	limit int

	mu   sync.Mutex
	b    strings.Builder
	lost bool
}

// Write implements io.Writer. It takes everything.
func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	if room := c.limit - c.b.Len(); n > room {
		c.lost = true
		p = p[:room]
	}
	c.b.Write(p)
	return n, nil
}

// String gives what was kept. A character that the limit cut in two is left out.
func (c *capped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.b.String()
	if !c.lost {
		return s
	}
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if utf8.RuneStart(s[len(s)-i]) {
			if !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}

func (c *capped) truncated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}
