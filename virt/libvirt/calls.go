//go:build cgo

package libvirt

import (
	"context"
	"fmt"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// do makes calls that may change something on the node's shared connection: fn
// may take moments, not seconds. op says what it is for, as "set the CPUs".
//
// When ctx ends, fn has a moment to come to its end; then the connection is cut,
// which fails the calls in flight. When the connection goes away under fn, the
// error is ErrOutcomeUnknown: nobody knows what the daemon has done.
func (n *Node) do(ctx context.Context, op string, fn func(c *lv.Connect) error) error {
	err := n.once(ctx, op, fn)
	if isLost(err) && ctx.Err() == nil {
		return n.outcomeUnknown(op, err)
	}
	return n.mapError(op, err)
}

// read makes calls that change nothing: when the connection goes away under fn
// it is run once more, on a new one.
func (n *Node) read(ctx context.Context, op string, fn func(c *lv.Connect) error) error {
	err := n.once(ctx, op, fn)
	if isLost(err) && ctx.Err() == nil {
		err = n.once(ctx, op, fn)
	}
	return n.mapError(op, err)
}

// long makes calls that may take long (a migration, an upload, an agent that
// thinks) on a connection of their own, so that the end of ctx ends nothing
// else. Then abort, when there is one, is called on the shared connection to end
// the job politely; if fn has not returned within the grace, it is cut off.
func (n *Node) long(ctx context.Context, op string, fn func(c *lv.Connect) error, abort func(c *lv.Connect)) error {
	return n.longOn(ctx, op, func(k *conn) error { return fn(k.c) }, abort)
}

// longOn is long for calls that need to know of the connection itself.
func (n *Node) longOn(ctx context.Context, op string, fn func(k *conn) error, abort func(c *lv.Connect)) error {
	if n.addr.direct {
		return n.do(ctx, op, func(c *lv.Connect) error { return fn(&conn{c: c}) })
	}
	select {
	case n.longSlots <- struct{}{}:
		defer func() { <-n.longSlots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	k, err := n.connect(ctx)
	if err != nil {
		return n.mapError(op, err)
	}
	defer k.retire(errOver)
	grace := cutGrace
	if abort != nil {
		grace = abortGrace
		stop := context.AfterFunc(ctx, func() {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
			defer cancel()
			// What cannot be aborted is cut off when the grace is over.
			_ = n.once(end, op, func(c *lv.Connect) error { abort(c); return nil })
		})
		defer stop()
	}
	err = n.run(ctx, k, grace, func(*lv.Connect) error { return fn(k) })
	if isLost(err) && ctx.Err() == nil {
		return n.outcomeUnknown(op, err)
	}
	return n.mapError(op, err)
}

// abortGrace is how long a job may take to end once it was asked to.
const abortGrace = 10 * time.Second

// withDomain looks a VM up and makes calls on it that may change something. A
// VM that is not there is an ErrNotFound that names it.
func (n *Node) withDomain(ctx context.Context, op, vm string, fn func(c *lv.Connect, d *lv.Domain) error) error {
	err := n.do(ctx, op, func(c *lv.Connect) error { return lookUp(c, vm, fn) })
	return aboutVM(err, vm)
}

// readDomain is withDomain for calls that change nothing.
func (n *Node) readDomain(ctx context.Context, op, vm string, fn func(c *lv.Connect, d *lv.Domain) error) error {
	err := n.read(ctx, op, func(c *lv.Connect) error { return lookUp(c, vm, fn) })
	return aboutVM(err, vm)
}

// longDomain is withDomain for calls that may take long; abort may be nil.
func (n *Node) longDomain(ctx context.Context, op, vm string, fn func(c *lv.Connect, d *lv.Domain) error, abort func(d *lv.Domain)) error {
	var polite func(c *lv.Connect)
	if abort != nil {
		polite = func(c *lv.Connect) {
			_ = lookUp(c, vm, func(_ *lv.Connect, d *lv.Domain) error { abort(d); return nil })
		}
	}
	err := n.long(ctx, op, func(c *lv.Connect) error { return lookUp(c, vm, fn) }, polite)
	return aboutVM(err, vm)
}

// lookUp finds a domain, hands it to fn, and frees it.
func lookUp(c *lv.Connect, vm string, fn func(c *lv.Connect, d *lv.Domain) error) error {
	d, err := c.LookupDomainByName(vm)
	if err != nil {
		return err
	}
	defer d.Free()
	return fn(c, d)
}

// aboutVM makes an error about the node one about a VM.
func aboutVM(err error, vm string) error {
	if isCode(err, lv.ERR_NO_DOMAIN) {
		return noVM(vm)
	}
	return about(err, virt.VMRef(vm))
}

func (n *Node) mapError(op string, err error) error { return mapError(op, hostRef(n.cfg.Name), err) }

func (n *Node) outcomeUnknown(op string, err error) error {
	return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: hostRef(n.cfg.Name),
		Summary: fmt.Sprintf("the connection was lost while it was asked to %s", op), Err: message(err),
		Hint: "look at the object before anything else: it may have been done"}
}

// once runs fn on the shared connection.
func (n *Node) once(ctx context.Context, op string, fn func(c *lv.Connect) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	k, err := n.shared(ctx)
	if err != nil {
		return err
	}
	defer k.release()
	if k.tunnel == nil {
		n.meter.local(op)
		defer n.meter.reply(1)
	}
	return n.run(ctx, k, cutGrace, fn)
}

// run runs fn on a connection, and cuts that off when ctx ends and fn does not
// within the grace. It returns only when fn has.
func (n *Node) run(ctx context.Context, k *conn, grace time.Duration, fn func(c *lv.Connect) error) error {
	done := make(chan error, 1)
	go func() { done <- fn(k.c) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if k.tunnel == nil {
		return <-done
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return endOf(ctx, err)
	case <-timer.C:
	}
	k.retire(context.Cause(ctx))
	return endOf(ctx, <-done)
}

// endOf tells a call that came to its own end after ctx did from one that was
// aborted or cut off because of it.
func endOf(ctx context.Context, err error) error {
	if isLost(err) || isCode(err, lv.ERR_OPERATION_ABORTED) {
		return context.Cause(ctx)
	}
	return err
}
