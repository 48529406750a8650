//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

var (
	_ virt.Consoled = (*Node)(nil)
	_ virt.Consoled = (*Cluster)(nil)
)

// consoleChunk is how much of a console's output is read at once, in bytes.
const consoleChunk = 4096

// errHungUp ends a console whose user has left it.
var errHungUp = errors.New("the console was left")

// Console connects to the serial console of a VM (virDomainOpenConsole), on a
// connection of its own.
func (n *Node) Console(ctx context.Context, vm string, force bool, keys <-chan []byte, out io.Writer) error {
	ctx, hangUp := context.WithCancelCause(ctx)
	defer hangUp(nil)
	err := n.longDomain(ctx, "open the console", vm, func(c *lv.Connect, d *lv.Domain) error {
		stream, err := c.NewStream(0)
		if err != nil {
			return err
		}
		defer stream.Free()
		var flags lv.DomainConsoleFlags
		if force {
			flags = lv.DOMAIN_CONSOLE_FORCE
		}
		if err := d.OpenConsole("", stream, flags); err != nil {
			return err
		}
		// A read that waits is ended by cutting the connection, which is this
		// console's alone: see run. Whoever types ends with it.
		var typing sync.WaitGroup
		over := make(chan struct{})
		typing.Go(func() { typeInto(ctx, stream, keys, over, hangUp) })
		err = show(stream, out)
		close(over)
		typing.Wait()
		return err
	}, nil)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errHungUp):
		return nil
	case ctx.Err() != nil:
		return cause
	case err != nil && strings.Contains(err.Error(), "Active console session exists"):
		return &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(vm), Summary: "its console is in use", Err: message(err), Hint: "take it over with --force"}
	case err != nil && strings.Contains(err.Error(), "cannot find character device"):
		return &virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef(vm), Summary: "has no serial console", Err: message(err),
			Hint: "give it one by libvirt: {xml: \"<devices><console type='pty'/></devices>\"}, and restart it"}
	}
	return err
}

// typeInto sends keys until there are none, or the console is over.
func typeInto(ctx context.Context, stream *lv.Stream, keys <-chan []byte, over <-chan struct{}, hangUp context.CancelCauseFunc) {
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case typed, open := <-keys:
			if !open {
				hangUp(errHungUp)
				return
			}
			for len(typed) > 0 {
				n, err := stream.Send(typed)
				if err != nil {
					hangUp(fmt.Errorf("the console takes nothing more: %w", err))
					return
				}
				typed = typed[n:]
			}
		}
	}
}

// show writes what the console says until that ends.
func show(stream *lv.Stream, out io.Writer) error {
	buf := make([]byte, consoleChunk)
	for {
		n, err := stream.Recv(buf)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return stream.Finish() // the VM has stopped
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// Console connects to the console of a VM.
func (c *Cluster) Console(ctx context.Context, vm string, force bool, keys <-chan []byte, out io.Writer) error {
	n, err := c.holder(ctx, vm)
	if err != nil {
		return err
	}
	return n.Console(ctx, vm, force, keys, out)
}
