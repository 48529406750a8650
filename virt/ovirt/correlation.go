package ovirt

import (
	"context"
	"strings"
)

type correlationKey struct{}

// maxCorrelation is where the engine cuts the id.
const maxCorrelation = 36

// WithCorrelation makes the requests that use the context, the engine's jobs and
// its events carry id. What the engine would strip from it is stripped here, so
// that searching for CorrelationOf finds them.
func WithCorrelation(ctx context.Context, id string) context.Context {
	id = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '_', r == '-':
			return r
		}
		return -1
	}, id)
	return context.WithValue(ctx, correlationKey{}, id[:min(len(id), maxCorrelation)])
}

// CorrelationOf gives the id that requests with the context carry; empty when
// the engine makes one up.
func CorrelationOf(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
