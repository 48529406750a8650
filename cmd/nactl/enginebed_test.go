package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/virt/ovirt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// quick is how many seconds pass in one on engines, for what keeps a request
// waiting. Who waits between requests does not wait at all: see passage.
const quick = 200

// bed is a simulated engine with an inventory that leads to it.
type bed struct {
	sim       *ovirtsim.Engine
	dir       string
	inventory string
	passage   *passage // nil: time passes by the clock
	speed     float64

	anyHost bool // which host a VM runs on is no part of the state

	// before is told of each request to the API before it is sent; may be nil.
	before func(method string)
	engine *ovirt.Engine // of the last run
	begun  string        // state at a moment of the test's choice
}

func newBed(t testing.TB, o ovirtsim.Options) *bed {
	t.Helper()
	virtual := o.Speed == 0
	if virtual {
		o.Speed = quick
	}
	o.Session = 10000 * time.Hour // of the engine's, which pass quickly
	sim, err := ovirtsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	b := &bed{sim: sim, dir: t.TempDir(), speed: o.Speed}
	b.write(t, "password", sim.Password())
	if virtual {
		b.passage = &passage{sim: sim, limits: map[*limit]bool{}}
	}
	b.write(t, "ca.pem", string(sim.CA()))
	b.inventory = b.write(t, "inventory.yml", fmt.Sprintf("engines:\n  e1: {url: %q, username: %q, password: {secret: {file: password}}, ca_file: ca.pem}\n", sim.URL(), sim.User()))
	return b
}

func (b *bed) write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reach opens an engine whose waiting is as quick as the simulated one's time.
func (b *bed) reach(ctx context.Context, cfg ovirt.Config) (*ovirt.Engine, error) {
	cfg.Sleep = func(ctx context.Context, d time.Duration) error {
		timer := time.NewTimer(time.Duration(float64(d) / b.speed))
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if b.passage != nil {
		cfg.Sleep, cfg.Limit = b.passage.sleep, b.passage.limit
	}
	cfg.OnRequest = func(method, _ string) {
		if b.before != nil {
			b.before(method)
		}
	}
	e, err := ovirt.Open(ctx, cfg)
	b.engine = e
	return e, err
}

// play plays the steps of a playbook on the engine, within a time that only what
// hangs needs.
func (b *bed) play(t testing.TB, command, book string, args ...string) *observed {
	t.Helper()
	// No deadline, which would be one to those who ask the context for theirs.
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	hangs := time.AfterFunc(hangTime, func() { cancel(fmt.Errorf("it hangs: not over after %s", hangTime)) })
	defer hangs.Stop()
	o := observe(ctx, t, b.reach, append([]string{command, "-i", b.inventory, b.write(t, "book.yml", book)}, args...)...)
	if ctx.Err() != nil {
		t.Errorf("%v", context.Cause(ctx))
	}
	return o
}

// hangTime is in real seconds; none of these plays needs two, on a machine that
// has nothing else to do.
const hangTime = time.Minute

// passage lets the time that somebody waits pass at once, on the engine and for
// whatever has a limit. So nothing depends on how busy the machine is.
type passage struct {
	sim *ovirtsim.Engine

	mu     sync.Mutex
	now    time.Duration
	limits map[*limit]bool
}

type limit struct {
	at  time.Duration
	end func()
}

func (p *passage) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	p.now += d
	for l := range p.limits {
		if l.at <= p.now {
			l.end()
		}
	}
	p.mu.Unlock()
	p.sim.Advance(d)
	return context.Cause(ctx)
}

func (p *passage) limit(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	ctx, cancel := context.WithCancelCause(parent)
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &limit{at: p.now + d, end: func() { cancel(cause) }}
	p.limits[l] = true
	return ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.limits, l)
		cancel(nil)
	}
}

func isWrite(r ovirtsim.Request) bool {
	return r.Method != http.MethodGet && strings.Contains(r.Path, "/ovirt-engine/api")
}
