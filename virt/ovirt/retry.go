package ovirt

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/nactl/nactl/virt"
)

// patience is how long and how often things are tried again.
type patience struct {
	first    time.Duration // an engine that has not answered yet: it may not be one
	restart  time.Duration // an engine that has answered: a restart takes minutes
	busy     time.Duration // a lock, where the context sets no deadline
	interval time.Duration // between the first two tries; it grows
	longest  time.Duration // interval
}

var defaultPatience = patience{first: 10 * time.Second, restart: 3 * time.Minute, busy: 3 * time.Minute,
	interval: time.Second, longest: 5 * time.Second}

func (p patience) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = p.interval, p.longest
	b.Reset()
	return b
}

// retry repeats what may be repeated: a GET, PUT or DELETE whose reply was lost,
// or for which a proxy answered in the engine's place; a POST only if no
// connection was made for it. A DELETE that finds nothing the second time has
// done its work the first time.
func (c *Client) retry(ctx context.Context, req request, try func(context.Context) error) error {
	var (
		intervals = c.patience.backoff()
		spent     time.Duration
		sent      bool // a try may have reached the engine
	)
	for again := false; ; again = true {
		start := time.Now()
		err := try(ctx)
		spent += time.Since(start)
		if err == nil || again && req.Method == http.MethodDelete && isGone(err) {
			return nil
		}
		sent = sent || mayHaveRun(err)
		wait := intervals.NextBackOff()
		if ctx.Err() != nil || !c.repeatable(req, err) || spent+wait > c.budget() {
			return c.final(ctx, req, sent, err)
		}
		if c.cfg.Sleep(ctx, wait) != nil {
			return c.final(ctx, req, sent, err)
		}
		spent += wait
	}
}

func (c *Client) budget() time.Duration {
	if c.answered.Load() {
		return c.patience.restart
	}
	return c.patience.first
}

// repeatable tells whether a request that ended in err may be sent again.
func (c *Client) repeatable(req request, err error) bool {
	idempotent := req.Method != http.MethodPost
	var (
		t *transportError
		f *Fault
	)
	switch {
	case errors.As(err, &t):
		if t.login {
			idempotent = false // each try may count as a wrong password
		}
		return !t.permanent() && (idempotent || !t.sent)
	case errors.As(err, &f):
		if f.login {
			return f.Status == http.StatusServiceUnavailable
		}
		switch f.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return idempotent
		case http.StatusNotFound: // an engine that starts has no API yet
			return f.foreign && idempotent && c.answered.Load()
		}
	}
	return false
}

// mayHaveRun tells whether the engine may have executed a request that ended in
// err.
func mayHaveRun(err error) bool {
	var (
		t *transportError
		f *Fault
		r *readError
	)
	switch {
	case errors.As(err, &t):
		return t.sent && !t.login
	case errors.As(err, &f):
		return !f.login && (f.Status == http.StatusBadGateway || f.Status == http.StatusGatewayTimeout || f.foreign && f.Status < 300)
	}
	return errors.As(err, &r)
}

// final gives the error that the caller sees.
func (c *Client) final(ctx context.Context, req request, sent bool, err error) error {
	var (
		t     *transportError
		f     *Fault
		known *virt.Error
	)
	answered := errors.As(err, &f) && !f.foreign && errors.Unwrap(f) != virt.ErrUnreachable
	switch {
	case errors.As(err, &known):
		return err
	case sent && !req.reads() && !answered:
		// Who cancelled is told so, whatever came in meanwhile.
		if end := context.Cause(ctx); end != nil && !errors.Is(err, end) {
			err = errors.Join(end, err)
		}
		return c.outcomeUnknown(req, err)
	case ctx.Err() != nil && !answered:
		return context.Cause(ctx)
	case errors.As(err, &t):
		return c.unreachable(err)
	case f != nil && f.foreign && errors.Is(f, virt.ErrUnreachable):
		return c.unreachable(err)
	}
	return err
}

// whileBusy repeats fn while the engine says that a lock is in the way, until
// the context ends; without a deadline, for three minutes. The error is then what
// the engine said last of the lock.
func (c *Client) whileBusy(ctx context.Context, fn func(context.Context) error) error {
	intervals := c.patience.backoff()
	_, bounded := ctx.Deadline()
	var busy error
	for spent := time.Duration(0); ; {
		start := time.Now()
		err := fn(ctx)
		if busy != nil && ctx.Err() != nil && !errors.Is(err, virt.ErrBusy) {
			return errors.Join(err, busy)
		}
		if err == nil || !errors.Is(err, virt.ErrBusy) {
			return err
		}
		busy = err
		wait := intervals.NextBackOff()
		spent += time.Since(start) + wait
		if !bounded && spent > c.patience.busy {
			return err
		}
		if c.cfg.Sleep(ctx, wait) != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
