package virt

import (
	"context"
	"io"
)

// Consoled is a Platform that can connect to the serial consoles of VMs.
type Consoled interface {
	// Console connects to the console of a running VM: what keys brings goes in,
	// what comes goes to out. It ends when keys is closed or ctx ends, which is no
	// error, or when the console does. Another's connection is in the way, an
	// ErrConflict, unless force takes its place.
	Console(ctx context.Context, vm string, force bool, keys <-chan []byte, out io.Writer) error
}
