package dryrun

import (
	"context"
	"fmt"

	"github.com/nactl/nactl/virt"
)

// Tripwire gives a platform that can be read, and that refuses every change. It
// stands under each dry run: should one ever be handed through by mistake, the
// run fails and nothing was written.
func Tripwire(p virt.Platform) virt.Platform { return tripwire{p} }

type tripwire struct{ virt.Platform }

// Apply refuses.
func (tripwire) Apply(_ context.Context, c virt.Change) (virt.Outcome, error) {
	return virt.Outcome{}, fmt.Errorf("a dry run tried to make a change: %s of %s; this is a mistake in nactl, nothing was changed",
		virt.KindOf(c), c.Object())
}

// Stats passes on what the platform underneath counts.
func (t tripwire) Stats() virt.Stats {
	if c, ok := t.Platform.(virt.Counter); ok {
		return c.Stats()
	}
	return virt.Stats{}
}
