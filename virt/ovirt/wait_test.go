package ovirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// statuses is what a poller sees: the status of each object as a function of the
// time since the start.
func statuses(polls *int, status func(id string, after time.Duration) (string, error)) *poller[string] {
	start := time.Now()
	return &poller[string]{every: 2 * time.Second, sleep: sleep, waiters: map[*waiter[string]]bool{},
		fetch: func(ctx context.Context, ids []string) (map[string]string, error) {
			*polls++
			asked := time.Since(start) // what comes is as old as the question
			if err := sleep(ctx, 100*time.Millisecond); err != nil {
				return nil, err
			}
			m := map[string]string{}
			for _, id := range ids {
				s, err := status(id, asked)
				if err != nil {
					return m, err
				}
				if s != "" {
					m[id] = s
				}
			}
			return m, nil
		}}
}

func until(g *goal) func(*string) (bool, error) {
	return func(now *string) (bool, error) {
		if now == nil {
			return g.look("", false)
		}
		return g.look(*now, true)
	}
}

// 100 VMs that boot within a minute cost one request each two seconds.
func TestOnePollForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		p := statuses(&polls, func(_ string, after time.Duration) (string, error) {
			if after < time.Minute {
				return "powering_up", nil
			}
			return "up", nil
		})
		var n atomic.Int32
		atOnce(100, func() {
			if err := p.wait(t.Context(), fmt.Sprint(n.Add(1)), until(goalVMUp())); err != nil {
				t.Error(err)
			}
		})
		if polls < 28 || polls > 31 {
			t.Errorf("%d requests, want about 30", polls)
		}
		before := polls
		time.Sleep(time.Minute)
		if polls != before {
			t.Errorf("%d requests while nobody waited", polls-before)
		}
		if err := p.wait(t.Context(), "1", until(goalVMUp())); err != nil || polls != before+1 {
			t.Errorf("who waits for what is already so: %v after %d requests", err, polls-before)
		}
	})
}

func TestGoals(t *testing.T) {
	for _, tt := range []struct {
		name     string
		goal     func() *goal
		statuses string // of one look after the other; the last one stays; - = not there
		text     string // empty = reached
		kind     error
	}{
		{"boots", goalVMUp, "wait_for_launch powering_up up", "", nil},
		{"boots late", goalVMUp, "down down wait_for_launch up", "", nil},
		{"falls back", goalVMUp, "wait_for_launch down", "did not start (status down)", nil},
		{"never leaves", goalVMUp, "down", "did not start", nil},
		{"is paused", goalVMUp, "wait_for_launch paused", "was paused", nil},
		{"is removed", goalVMUp, "powering_up -", "not there any more", virt.ErrNotFound},
		{"shuts down", goalVMDown, "up powering_down down", "", nil},
		{"does not listen", goalVMDown, "powering_down up", "did not shut down", nil},
		{"disk", goalDiskOK, "locked ok", "", nil},
		{"disk fails", goalDiskOK, "locked illegal", "cannot be used", nil},
		{"unlocks", goalVMUnlocked, "image_locked down", "", nil},
		{"goes", goalGone, "image_locked -", "", nil},
		{"too slow", goalGone, "down", "not happen in time", virt.ErrTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				words, polls := strings.Fields(tt.statuses), 0
				p := statuses(&polls, func(string, time.Duration) (string, error) {
					s := words[min(polls, len(words))-1]
					return strings.TrimSuffix(s, "-"), nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := p.wait(ctx, "1", until(tt.goal()))
				if tt.text == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantError(t, err, tt.kind, tt.text, "")
			})
		})
	}
}

// What was asked before somebody began to wait is too old for them: a VM that is
// still down in it was started since.
func TestNoStaleLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		p := statuses(&polls, func(_ string, after time.Duration) (string, error) {
			if after < 50*time.Millisecond {
				return "stale", nil
			}
			return "fresh", nil
		})
		go func() {
			_ = p.wait(t.Context(), "1", func(now *string) (bool, error) { return *now == "fresh", nil })
		}()
		time.Sleep(50 * time.Millisecond) // the first request is under way
		err := p.wait(t.Context(), "1", func(now *string) (bool, error) {
			if *now == "stale" {
				t.Error("saw an answer to a question from before")
			}
			return true, nil
		})
		if err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// Each waits by its own context, and an engine that is gone ends it for all.
func TestWaitErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		away := errors.New("away")
		p := statuses(&polls, func(_ string, after time.Duration) (string, error) {
			if after > 20*time.Second {
				return "", away
			}
			return "down", nil
		})
		never := func(*string) (bool, error) { return false, nil }
		short, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- p.wait(short, "1", never) }()
		second := make(chan error, 1)
		go func() { second <- p.wait(t.Context(), "2", never) }()
		time.Sleep(5 * time.Second)
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := <-second; !errors.Is(err, away) {
			t.Errorf("got %v", err)
		}
	})
}

// The real thing: by a search for the ids, 100 in a request.
func TestPollerSearches(t *testing.T) {
	var searches atomic.Int32
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		searches.Add(1)
		io.WriteString(w, "<vms>")
		for i, term := range strings.Split(r.URL.Query().Get("search"), " or ") {
			id, ok := strings.CutPrefix(term, "id=")
			if !ok || i >= idsPerPoll {
				t.Errorf("the engine was asked for %s", term)
			}
			if id != "gone" {
				fmt.Fprintf(w, `<vm id="%s"><status>up</status></vm>`, id)
			}
		}
		io.WriteString(w, "</vms>")
	})
	c := e.client(t)
	p := newPoller(c, kindVM, "/vms", []string{"reported_devices"}, func(vm *ovirtsdk.Vm) (string, error) {
		s, _ := vm.Status()
		return string(s), nil
	})
	found, err := p.fetch(t.Context(), []string{"a", "gone", "b"})
	if err != nil || len(found) != 2 || found["a"] != "up" {
		t.Errorf("got %v, %v", found, err)
	}
	searches.Store(0)
	p.sleep = func(ctx context.Context, _ time.Duration) error { return sleep(ctx, time.Millisecond) }
	if err := p.wait(t.Context(), "gone", until(goalGone())); err != nil {
		t.Error(err)
	}
	if err := p.wait(t.Context(), "a", until(goalVMUp())); err != nil {
		t.Error(err)
	}
	if n := searches.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestWhy(t *testing.T) {
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query(); got.Get("search") != "correlation_id=run1" {
			t.Errorf("asked for %v", got)
		}
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			io.WriteString(w, `<jobs><job id="1"><description>Launching VM web1</description><status>failed</status></job><job id="2"><status>started</status></job></jobs>`)
			return
		}
		io.WriteString(w, `<events><event id="3"><code>54</code><severity>error</severity><description>Failed to run VM web1.</description></event>
			<event id="2"><code>119</code><severity>error</severity><description>VM web1 is down with error. Exit message: no memory.</description></event>
			<event id="1"><code>153</code><severity>normal</severity><description>VM web1 was started by svc.</description></event></events>`)
	})
	c := e.client(t)
	ctx := WithCorrelation(t.Context(), "run1")
	if got, want := c.why(ctx), "VM web1 is down with error. Exit message: no memory. Failed to run VM web1."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.why(t.Context()); got != "" {
		t.Errorf("without an id: %q", got)
	}
	jobs, err := c.jobs(t.Context(), "run1")
	if err != nil || len(jobs) != 2 || !jobs[0].failed() || !jobs[0].ended() || jobs[1].ended() {
		t.Errorf("got %+v, %v", jobs, err)
	}
	if !slices.ContainsFunc(jobs, func(j job) bool { return j.Text == "Launching VM web1" }) {
		t.Errorf("got %+v", jobs)
	}
}

func TestInfo(t *testing.T) {
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ovirt-engine/api" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		io.WriteString(w, `<api><link rel="vms" href="/ovirt-engine/api/vms"/><product_info><name>oVirt Engine</name><version><full_version>4.5.6-1.el8</full_version><major>4</major><minor>5</minor></version></product_info></api>`)
	})
	got, err := e.client(t).info(t.Context())
	if want := (engineInfo{"oVirt Engine", "4.5.6-1.el8", 4, 5}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
