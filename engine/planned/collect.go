package planned

import (
	"sync"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// Collector reads a plan off the events of a plan pass. It is an event.Reader.
type Collector struct {
	// Changes tells whether a step, by its word, can change anything: what only looks
	// may stay undecided.
	Changes func(word string) bool

	mu      sync.Mutex
	plan    Plan
	words   map[string]string // of steps, by id
	intents map[call]event.Intent
	doubt   map[field]bool // what a change under a condition sets, so that nobody knows what it was before the next
}

type field struct{ target, object, path string }

// call is one change of a step, for an item of its loop (-1 = it has none).
type call struct {
	step, target string
	item, n      int
}

// NewCollector makes a collector.
func NewCollector(changes func(word string) bool) *Collector {
	return &Collector{Changes: changes, words: map[string]string{}, intents: map[call]event.Intent{}, doubt: map[field]bool{}}
}

// String names the reader in errors.
func (*Collector) String() string { return "the plan" }

// Close implements event.Reader.
func (*Collector) Close() error { return nil }

// Read implements event.Reader.
func (c *Collector) Read(r event.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := r.Event.(type) {
	case event.StepStarted:
		c.words[e.Step] = e.Word
	case event.Intent:
		c.intents[place(e.At, e.N)] = e
	case event.Outcome:
		intent, ok := c.intents[place(e.At, e.N)]
		delete(c.intents, place(e.At, e.N))
		if ok && e.Predicted && e.Changed && e.Error == nil {
			made := New(intent, e.Fields)
			made.Maybe = e.Maybe
			for i, f := range made.Fields {
				at := field{made.Target, made.Object.Key().String(), f.Path}
				if c.doubt[at] {
					made.Fields[i].Before = virt.UnknownValue
				}
				c.doubt[at] = c.doubt[at] || e.Maybe
			}
			c.plan.Changes = append(c.plan.Changes, made)
		}
	case event.Result:
		if e.Status != event.Undecided || e.Items > 0 || !c.Changes(c.words[e.Step]) {
			return nil
		}
		if e.Foreseen {
			return nil // what it would do stands among the changes
		}
		c.plan.Undecided = append(c.plan.Undecided, Undecided{Step: e.Step, Target: e.Target, Reason: e.Reason})
	}
	return nil
}

// Plan gives what was read.
func (c *Collector) Plan() *Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.plan
	return &p
}

func place(at event.At, n int) call {
	index := -1
	if at.Item != nil {
		index = at.Item.Index
	}
	return call{at.Step, at.Target, index, n}
}
