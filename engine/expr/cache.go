package expr

import "sync"

// cache keeps what was compiled, by text. A text may have several variants: one
// for each set of types that its names had. Scopes derived from one another
// share it, so the same text in a thousand steps is compiled once.
type cache struct {
	opts Options

	mu       sync.Mutex
	variants map[string][]*program // guarded by mu
}

// maxVariants bounds the search for a variant: with more of them, compiling is
// the quicker way.
const maxVariants = 64

func newCache(opts Options) *cache {
	return &cache{opts: opts, variants: make(map[string][]*program)}
}

// get gives the program of text in scope s, compiled now or before. A program
// that could not be compiled carries its problem; it is kept like the others.
func (c *cache) get(text string, s *Scope) *program {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.variants[text] {
		if p.fits(s) {
			return p
		}
	}
	p := compile(text, s, c.opts)
	if p.problem == nil {
		p.scope = nil // it is not asked again, and names may change or go
	}
	if len(c.variants[text]) < maxVariants {
		c.variants[text] = append(c.variants[text], p)
	}
	return p
}

// fits tells whether s knows the same about every name that p reads.
// A program with a problem fits only the very same scope: its message may name
// any of the scope's names.
func (p *program) fits(s *Scope) bool {
	if p.problem != nil {
		return p.scope == s
	}
	for name, was := range p.roots {
		is, ok := s.find(name)
		if !was.known {
			if ok {
				return false
			}
			continue
		}
		if !ok || is != was.field {
			return false
		}
	}
	return true
}

// root is what a scope said about a top-level name when it was looked up.
type root struct {
	field Field
	known bool
}
