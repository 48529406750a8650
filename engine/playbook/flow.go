package playbook

import (
	"maps"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
)

// known is what is known of the names at one point of a play: on every way that
// leads there.
type known struct {
	names   map[string]expr.Field
	lacking map[string][]string // name → the targets that lack it
	maybe   map[string]string   // name → why it may have no value
}

func (k known) clone() known {
	return known{maps.Clone(k.names), maps.Clone(k.lacking), maps.Clone(k.maybe)}
}

// has tells whether every target has a value for the name.
func (k known) has(name string) bool {
	_, ok := k.names[name]
	return ok && len(k.lacking[name]) == 0 && k.maybe[name] == ""
}

// set notes that a step gives the name a value. why says when it does not; "" for
// one that always does.
func (k known) set(name string, f expr.Field, why string) {
	if why != "" {
		if k.has(name) {
			f.Type = expr.Union(k.names[name].Type, f.Type)
		} else {
			k.maybe[name], f.Optional = why, true
		}
		k.names[name] = f
		return
	}
	k.names[name] = f
	delete(k.lacking, name)
	delete(k.maybe, name)
}

// meet gives what is known where two ways come together.
func meet(a, b known, why string) known {
	out := known{map[string]expr.Field{}, map[string][]string{}, map[string]string{}}
	for _, pair := range [][2]known{{a, b}, {b, a}} {
		one, other := pair[0], pair[1]
		for name, f := range one.names {
			g, both := other.names[name]
			if both {
				f.Type = expr.Union(f.Type, g.Type)
				f.Optional = f.Optional || g.Optional
			}
			switch {
			case one.lacking[name] != nil:
				out.lacking[name] = one.lacking[name]
			case one.maybe[name] != "":
				out.maybe[name] = one.maybe[name]
			case !both:
				out.maybe[name], f.Optional = why, true
			}
			out.names[name] = f
		}
	}
	return out
}

// nodes compiles steps in the order in which they run.
func (c *compiler) nodes(list []Node) {
	for _, n := range list {
		switch n := n.(type) {
		case *Step:
			c.step(n)
			c.notified(n)
		case *Block:
			c.block(n)
		case *Flush:
			c.flush()
		}
	}
}

// The names that tell a rescue what it is for.
const (
	FailedStep   = "failed_step"   // name, word and id of the step that failed
	FailedResult = "failed_result" // what it would have registered
)

// block compiles a block. Its rescue knows of the body only what had been set for
// certain before any step could fail; so does always.
func (c *compiler) block(b *Block) {
	before := c.clone()
	restore := c.blockLoop(b)
	start := c.clone()
	c.roleInputs(b)
	c.nodes(b.Body)
	if len(b.Rescue)+len(b.Always) > 0 {
		c.afterBody(b, start)
	}
	restore()
	if b.Loop != nil && (b.Loop.Kind != source.List || len(b.Loop.Items) == 0) {
		c.known = meet(before, c.known, "it is set only when the loop of a block has items")
	}
	if !b.conditional {
		return
	}
	after := c.known
	c.known = meet(before, after, "it is set only when the condition of a block holds")
	// A result is registered even of a step that was skipped.
	Walk([]Node{b}, func(s *Step) {
		if after.has(s.Register) {
			c.set(s.Register, after.names[s.Register], "")
		}
	})
}

// blockLoop compiles the loop of a block, and gives its steps their item until the
// function that it returns is called.
func (c *compiler) blockLoop(b *Block) (restore func()) {
	if b.Loop == nil {
		return func() {}
	}
	b.Compiled.Loop = c.template(b.Loop, c.scope(nil))
	names := loopNames(b.LoopVar, b.Compiled.Loop)
	b.Compiled.LoopLabel = c.template(b.LoopLabel, c.scope(names))
	outer := c.clone()
	for name, f := range names {
		c.set(name, f, "")
	}
	return func() {
		for name := range names {
			delete(c.names, name)
			if f, ok := outer.names[name]; ok {
				c.set(name, f, outer.maybe[name])
			}
			if lacking := outer.lacking[name]; lacking != nil {
				c.lacking[name] = lacking
			}
		}
	}
}

// afterBody compiles what follows the body of a block.
func (c *compiler) afterBody(b *Block, before known) {
	after := c.known
	broken := meet(before, after, "a step before may have failed")
	if s := first(b.Body); s != nil && s.Register != "" {
		broken.set(s.Register, s.fields()[s.Register], "") // whatever failed, this one had ended
	}
	if len(b.Rescue) > 0 {
		c.known = broken.clone()
		c.rescue(b.Rescue)
		const why = "the block may have been rescued"
		after, broken = meet(after, c.known, why), meet(broken, c.known, why)
	}
	c.known = broken
	c.nodes(b.Always)
	for name, f := range c.names {
		if c.has(name) && !after.has(name) {
			after.set(name, f, "")
		}
	}
	c.known = after
}

// rescue compiles steps that know what failed.
func (c *compiler) rescue(list []Node) {
	outer := c.clone()
	c.set(FailedStep, expr.Field{Type: expr.ClosedMap(map[string]expr.Field{
		"name": {Type: expr.StringType}, "word": {Type: expr.StringType}, "id": {Type: expr.StringType},
	})}, "")
	c.set(FailedResult, expr.Field{Type: expr.OpenMap}, "")
	c.nodes(list)
	for _, name := range []string{FailedStep, FailedResult} {
		delete(c.names, name)
		if f, ok := outer.names[name]; ok {
			c.names[name] = f // of the rescue around this block
		}
	}
}

// notified notes which handlers may run from here on.
func (c *compiler) notified(s *Step) {
	for _, h := range s.Notify {
		if !c.pending[h] {
			c.pending[h] = true
			c.notified(h)
		}
	}
}

// flush notes what the handlers that may run here can read.
func (c *compiler) flush() {
	for h := range c.pending {
		now := c.clone()
		if before, ok := c.handlers[h]; ok {
			now = meet(before, now, "its step comes later than a flush_handlers")
		}
		c.handlers[h] = now
	}
	for h := range c.pending {
		for name, f := range h.fields() {
			c.set(name, f, "handler "+h.title()+" may not have run")
		}
	}
}

// playHandlers compiles the handlers, after everything that may notify them.
func (c *compiler) playHandlers() {
	c.flush()
	end := c.known
	for _, h := range c.play.Handlers {
		c.known = end.clone()
		if at, ok := c.handlers[h]; ok {
			c.known = at.clone()
		}
		for _, other := range c.play.Handlers {
			for name, f := range other.fields() {
				if other != h {
					c.set(name, f, "handler "+other.title()+" may not have run")
				}
			}
		}
		c.step(h)
	}
	c.known = end
}
