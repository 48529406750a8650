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
