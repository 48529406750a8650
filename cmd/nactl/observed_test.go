package main

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/libvirt"
	"github.com/nactl/nactl/virt/ovirt"
)

// observed is a command of nactl that was run in this process, with everything
// that it sent.
type observed struct {
	code   int
	events []event.Record
	stderr string
	nodes  []*libvirt.Node

	mu    sync.Mutex
	sent  map[string]int // calls by name
	write map[string]int // those that are not only reads
}

// play runs a command and reads its events.
func play(t *testing.T, args ...string) *observed {
	t.Helper()
	return observe(t.Context(), t, ovirt.Open, args...)
}

// observe is play with engines reached in a way of the test's own.
func observe(ctx context.Context, t testing.TB, reach opener, args ...string) *observed {
	t.Helper()
	o := &observed{sent: map[string]int{}, write: map[string]int{}}
	var stdout, stderr bytes.Buffer
	a := &application{stdout: &stdout, stderr: &stderr, dial: o.dial, reach: reach}
	o.code = a.run(ctx, append([]string{"nactl"}, append(args, "-o", "json")...))
	o.stderr = stderr.String()
	for line := range bytes.Lines(stdout.Bytes()) {
		var r event.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		o.events = append(o.events, r)
	}
	return o
}

// must demands that the command ended well.
func (o *observed) must(t testing.TB) *observed {
	t.Helper()
	if o.code == 0 {
		return o
	}
	for i, f := range o.failures() {
		if i < 3 {
			t.Errorf("%+v", f)
		}
	}
	t.Fatalf("exit code %d\n%s", o.code, o.stderr)
	return o
}

func (o *observed) dial(ctx context.Context, cfg libvirt.Config) (*libvirt.Node, error) {
	cfg.OnCall = func(program, number uint32) {
		o.mu.Lock()
		defer o.mu.Unlock()
		name := libvirt.ProcedureName(program, number)
		o.sent[name]++
		if !libvirt.ReadsOnly(program, number) {
			o.write[name]++
		}
	}
	n, err := libvirt.Open(ctx, cfg)
	if err == nil {
		o.nodes = append(o.nodes, n)
	}
	return n, err
}

// stats sums up what all nodes were sent.
func (o *observed) stats() virt.Stats {
	sum := virt.Stats{Procedures: map[string]int{}}
	for _, n := range o.nodes {
		s := n.Stats()
		sum.Connections += s.Connections
		sum.Calls += s.Calls
		sum.Trips += s.Trips
		for name, k := range s.Procedures {
			sum.Procedures[name] += k
		}
	}
	return sum
}

func (o *observed) recap(t testing.TB) event.Recap {
	t.Helper()
	for _, r := range o.events {
		if recap, ok := r.Event.(event.Recap); ok {
			return recap
		}
	}
	t.Fatalf("no recap\n%s", o.stderr)
	return event.Recap{}
}

// failures gives what went wrong with items and steps, each once.
func (o *observed) failures() []event.Failure {
	var all []event.Failure
	for _, r := range o.events {
		if res, ok := r.Event.(event.Result); ok && res.Error != nil && res.Items == 0 {
			all = append(all, *res.Error)
		}
	}
	return all
}
