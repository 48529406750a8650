package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nactl/nactl/virt/ovirt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// quick is how many seconds pass in one, for simulated engines and for who waits
// for them alike.
const quick = 1000

// bed is a simulated engine with an inventory that leads to it.
type bed struct {
	sim       *ovirtsim.Engine
	dir       string
	inventory string
	speed     float64

	// before is told of each request to the API before it is sent; may be nil.
	before func(method string)
	engine *ovirt.Engine // of the last run
}

func newBed(t testing.TB, o ovirtsim.Options) *bed {
	t.Helper()
	if o.Speed == 0 {
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
	t.Setenv("ENGINE_PASSWORD", sim.Password())
	b.write(t, "ca.pem", string(sim.CA()))
	b.inventory = b.write(t, "inventory.yml", fmt.Sprintf("engines:\n  e1: {url: %q, username: %q, password: {secret: {env: ENGINE_PASSWORD}}, ca_file: ca.pem}\n", sim.URL(), sim.User()))
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
	ctx, cancel := context.WithTimeoutCause(t.Context(), hangTime, fmt.Errorf("it hangs: not over after %s", hangTime))
	defer cancel()
	o := observe(ctx, t, b.reach, append([]string{command, "-i", b.inventory, b.write(t, "book.yml", book)}, args...)...)
	if ctx.Err() != nil {
		t.Errorf("%v", context.Cause(ctx))
	}
	return o
}

// hangTime is in real seconds; none of these plays needs two.
const hangTime = 20 * time.Second
