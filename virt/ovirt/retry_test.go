package ovirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// lost executes a request and cuts the connection before the reply.
func lost(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

const (
	doneAction = `<action><job id="7"/><status>complete</status></action>`
	webPage    = `<html><head><title>503 Service Unavailable</title></head></html>`
)

// page answers as a proxy in the engine's place.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	io.WriteString(w, webPage)
}

func TestWhatIsRepeated(t *testing.T) {
	ok := map[string]string{"GET": oneVM, "PUT": `<vm id="1"/>`, "POST": `<vm id="1"/>`, "DELETE": doneAction}
	for _, tt := range []struct {
		name, method string
		fail         func(w http.ResponseWriter) // the first two requests
		calls        int
		kind         error // nil = success
	}{
		{"GET, lost", "GET", lost, 3, nil},
		{"GET, 503", "GET", func(w http.ResponseWriter) { page(w, 503) }, 3, nil},
		{"GET, 502", "GET", func(w http.ResponseWriter) { page(w, 502) }, 3, nil},
		{"GET, 504", "GET", func(w http.ResponseWriter) { w.WriteHeader(504) }, 3, nil},
		{"GET, 500", "GET", func(w http.ResponseWriter) { says(500, "<fault><reason>Operation Failed</reason></fault>")(w, nil) }, 1, errAny},
		{"GET, page 404 at first sight", "GET", func(w http.ResponseWriter) { page(w, 404) }, 1, virt.ErrUnreachable},
		{"PUT, lost", "PUT", lost, 3, nil},
		{"PUT, 503", "PUT", func(w http.ResponseWriter) { page(w, 503) }, 3, nil},
		{"DELETE, lost", "DELETE", lost, 3, nil},
		{"DELETE, page 404", "DELETE", func(w http.ResponseWriter) { page(w, 404) }, 1, virt.ErrUnreachable},
		{"POST, lost", "POST", lost, 1, virt.ErrOutcomeUnknown},
		{"POST, 502", "POST", func(w http.ResponseWriter) { page(w, 502) }, 1, virt.ErrOutcomeUnknown},
		{"POST, 504", "POST", func(w http.ResponseWriter) { page(w, 504) }, 1, virt.ErrOutcomeUnknown},
		{"POST, 503", "POST", func(w http.ResponseWriter) { page(w, 503) }, 1, virt.ErrUnreachable},
		{"POST, page with 200", "POST", func(w http.ResponseWriter) { page(w, 200) }, 1, virt.ErrOutcomeUnknown},
		{"POST, cut off", "POST", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `<vm id="1">`)
		}, 1, virt.ErrOutcomeUnknown},
		{"POST, not readable", "POST", func(w http.ResponseWriter) { io.WriteString(w, `<vm id="1"><memory>much</memory></vm>`) }, 1, virt.ErrOutcomeUnknown},
		{"POST, accepted without a word", "POST", func(w http.ResponseWriter) {
			w.Header().Del("Content-Type")
			w.WriteHeader(202)
		}, 1, virt.ErrOutcomeUnknown},
		{"POST, 409", "POST", func(w http.ResponseWriter) {
			says(409, "<fault><reason>Operation Failed</reason><detail>[Cannot add VM. The VM name is already in use, please choose a unique name and try again.]</detail></fault>")(w, nil)
		}, 1, virt.ErrConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= 2 {
					tt.fail(w)
					return
				}
				io.WriteString(w, ok[r.Method])
			})
			c := e.client(t)
			var err error
			switch tt.method {
			case "GET":
				_, err = vmNames(t.Context(), c, query{})
			case "PUT":
				_, err = update(t.Context(), c, kindVM, path("vms", "1"), nil, vmXML{}, nameOfVM)
			case "POST":
				_, err = create(t.Context(), c, kindVM, "/vms", nil, vmXML{}, nameOfVM)
			case "DELETE":
				_, err = remove(t.Context(), c, path("vms", "1"), nil)
			}
			switch {
			case tt.kind == nil && err != nil, tt.kind != nil && err == nil:
				t.Errorf("got %v", err)
			case tt.kind != nil && tt.kind != errAny && !errors.Is(err, tt.kind):
				t.Errorf("%v: is not of the kind %v", err, tt.kind)
			case tt.kind == virt.ErrUnreachable && errors.Is(err, virt.ErrNotFound):
				t.Errorf("%v: passes for a missing object", err)
			}
			if n := int(calls.Load()); n != tt.calls {
				t.Errorf("%d requests, want %d", n, tt.calls)
			}
			if n := e.loginCount(); n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
		})
	}
}

var errAny = errors.New("any")

// An engine that has answered before and is starting anew has no API for a while.
func TestRestart(t *testing.T) {
	var calls atomic.Int32
	e := newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := calls.Add(1); n > 1 && n < 20 {
			page(w, 404)
			return
		}
		io.WriteString(w, oneVM)
	})
	var slept time.Duration
	c := e.client(t, func(cfg *Config) {
		cfg.Sleep = func(_ context.Context, d time.Duration) error { slept += d; return nil }
	})
	for range 2 {
		if _, err := vmNames(t.Context(), c, query{}); err != nil {
			t.Fatal(err)
		}
	}
	if slept < 30*time.Second || slept > c.patience.restart {
		t.Errorf("waited %s", slept)
	}
}

// A DELETE that finds nothing has failed, unless an earlier try of it may have
// done the work.
func TestDeleteTwice(t *testing.T) {
	var calls atomic.Int32
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ovirt-engine/api/vms/lost" && calls.Add(1) == 1 {
			lost(w)
			return
		}
		w.Header().Del("Content-Type")
		w.WriteHeader(404)
	})
	c := e.client(t)
	if _, err := remove(t.Context(), c, path("vms", "lost"), url.Values{"detach_only": {"true"}}); err != nil {
		t.Errorf("after a lost reply: %v", err)
	}
	if calls.Load() != 2 {
		t.Errorf("%d requests, want 2", calls.Load())
	}
	_, err := remove(t.Context(), c, path("vms", "none"), nil)
	wantError(t, explain("delete", virt.VMRef("web1"), err), virt.ErrNotFound, "vm web1: is not there", "")
}

// A list whose reply breaks off is read anew: nothing is delivered twice.
func TestListBreaksOff(t *testing.T) {
	var calls atomic.Int32
	e := newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			io.WriteString(w, `<vms><vm id="1"><name>a</name></vm><vm id="2"><na`)
			w.(http.Flusher).Flush()
			lost(w)
			return
		}
		io.WriteString(w, `<vms><vm id="1"><name>a</name></vm><vm id="2"><name>b</name></vm></vms>`)
	})
	for _, q := range []query{{}, {PageSize: 10}} {
		calls.Store(0)
		names, err := vmNames(t.Context(), e.client(t), q)
		if err != nil || !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("%+v: got %v, %v", q, names, err)
		}
	}
}

// Without a connection nothing was sent, so that even a POST is repeated.
func TestRefusedConnection(t *testing.T) {
	e := newEngine(t, says(201, `<vm id="1"><name>a</name></vm>`))
	c := e.client(t)
	dial, tries := c.transport.DialContext, 0
	c.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if tries++; tries <= 2 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return dial(ctx, network, addr)
	}
	if _, err := create(t.Context(), c, kindVM, "/vms", nil, vmXML{}, nameOfVM); err != nil {
		t.Error(err)
	}

	e = newEngine(t, says(200, oneVM))
	e.Close()
	var slept time.Duration
	c = e.client(t, func(cfg *Config) {
		cfg.Sleep = func(_ context.Context, d time.Duration) error { slept += d; return nil }
	})
	_, err := create(t.Context(), c, kindVM, "/vms", nil, vmXML{}, nameOfVM)
	wantError(t, err, virt.ErrUnreachable, "connection refused", "look whether the engine is up")
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Error("nothing was sent, and yet the outcome is unknown")
	}
	if slept > c.patience.first {
		t.Errorf("an engine that never answered was waited for %s", slept)
	}
}

func TestCancelled(t *testing.T) {
	came, release := make(chan struct{}, 1), make(chan struct{})
	e := newEngine(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client left
		came <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	c := e.client(t)
	for _, tt := range []struct {
		name    string
		do      func(context.Context) error
		unknown bool
	}{
		{"read", func(ctx context.Context) error { _, err := vmNames(ctx, c, query{}); return err }, false},
		{"write", func(ctx context.Context) error { _, err := act(ctx, c, path("vms", "1", "start"), nil); return err }, true},
		{"delete", func(ctx context.Context) error { _, err := remove(ctx, c, path("vms", "1"), nil); return err }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error, 1)
			go func() { got <- tt.do(ctx) }()
			<-came
			cancel()
			err := <-got
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if errors.Is(err, virt.ErrOutcomeUnknown) != tt.unknown {
				t.Errorf("outcome unknown: %v, want %v (%v)", !tt.unknown, tt.unknown, err)
			}
		})
	}
}

// A request that hangs is given up and, where that is harmless, repeated.
func TestHanging(t *testing.T) {
	var calls atomic.Int32
	release := make(chan struct{})
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			<-release
			return
		}
		io.WriteString(w, oneVM)
	})
	defer close(release)
	c := e.client(t, func(cfg *Config) { cfg.Timeout = 300 * time.Millisecond })
	if _, err := vmNames(t.Context(), c, query{}); err != nil {
		t.Error(err)
	}
	if calls.Load() != 2 {
		t.Errorf("%d requests, want 2", calls.Load())
	}
}

func TestWhileBusy(t *testing.T) {
	const locked = "<action><fault><reason>Operation Failed</reason><detail>[Cannot run VM. Related operation is currently in progress. Please try again later.]</detail></fault><status>failed</status></action>"
	var calls atomic.Int32
	left := int32(4)
	e := newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) <= left {
			says(409, locked)(w, nil)
			return
		}
		io.WriteString(w, doneAction)
	})
	var waits []time.Duration
	c := e.client(t, func(cfg *Config) {
		cfg.Sleep = func(ctx context.Context, d time.Duration) error { waits = append(waits, d); return context.Cause(ctx) }
	})
	start := func(ctx context.Context) error { _, err := act(ctx, c, path("vms", "1", "start"), nil); return err }
	if err := c.whileBusy(t.Context(), start); err != nil {
		t.Error(err)
	}
	if len(waits) != 4 || waits[0] > 2*time.Second || waits[3] > 8*time.Second {
		t.Errorf("waited %v", waits)
	}

	left = 1 << 30
	waits = nil
	err := c.whileBusy(t.Context(), start)
	wantError(t, err, virt.ErrBusy, "Related operation", "")
	var sum time.Duration
	for _, w := range waits {
		sum += w
	}
	if sum > c.patience.busy || sum < c.patience.busy/2 {
		t.Errorf("gave up after %s", sum)
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = c.whileBusy(ctx, func(ctx context.Context) error { defer cancel(); return start(ctx) })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, virt.ErrBusy) {
		t.Errorf("cancelled while it waited: %v", err)
	}
}

// A token's loss during a retry, and other things that come together.
func TestRestartDropsTheToken(t *testing.T) {
	var calls atomic.Int32
	var e *testEngine
	e = newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 2 {
			e.expire()
			page(w, 503)
			return
		}
		fmt.Fprint(w, oneVM)
	})
	c := e.client(t)
	for range 2 {
		if _, err := vmNames(t.Context(), c, query{}); err != nil {
			t.Fatal(err)
		}
	}
	if e.loginCount() != 2 || calls.Load() != 3 {
		t.Errorf("%d logins and %d answers, want 2 and 3", e.loginCount(), calls.Load())
	}
}
