package virt

import (
	"context"
	"time"
)

// Progress is how far a change in flight has come. Total 0 means that nobody
// knows.
type Progress struct {
	What  string        `json:"what"` // as "moving memory", "waiting for the guest to power off"
	Done  int64         `json:"done,omitempty"`
	Total int64         `json:"total,omitempty"`
	Unit  string        `json:"unit,omitempty"` // "bytes", or empty for a count
	Rate  int64         `json:"rate,omitempty"` // of the unit, a second
	ETA   time.Duration `json:"eta,omitempty"`
}

type progressKey struct{}

// WithProgress gives a context whose changes report how far they have come. fn
// must not block and may be called from several goroutines.
func WithProgress(ctx context.Context, fn func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}

// Report tells the context's listener, if there is one.
func Report(ctx context.Context, p Progress) {
	if fn, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		fn(p)
	}
}

// Gauge reports how far a transfer has come, with the time that the rest will take
// at the pace so far. It is for one goroutine.
type Gauge struct {
	ctx   context.Context
	p     Progress
	began time.Time
	last  time.Time
}

// gaugeInterval is how often a gauge reports at most.
const gaugeInterval = 100 * time.Millisecond

// NewGauge gives the gauge of a transfer of total bytes, which reports to the
// listener of the context.
func NewGauge(ctx context.Context, what string, total int64) *Gauge {
	now := time.Now()
	return &Gauge{ctx: ctx, p: Progress{What: what, Total: total, Unit: "bytes"}, began: now, last: now}
}

// Add notes that n more bytes are done.
func (g *Gauge) Add(n int64) {
	g.p.Done += n
	now := time.Now()
	if now.Sub(g.last) < gaugeInterval && (g.p.Done < g.p.Total || g.last.Equal(g.began)) {
		return // nobody needs to be told of what is over at once
	}
	g.last = now
	if g.p.Total > 0 && g.p.Done > 0 {
		g.p.ETA = time.Duration(float64(now.Sub(g.began)) * float64(g.p.Total-g.p.Done) / float64(g.p.Done)).Round(time.Second)
	}
	Report(g.ctx, g.p)
}
