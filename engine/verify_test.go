package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

func TestConverges(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	const text = "- set_cpu: {vm: x, count: 3}\n  register: r\n- debug: \"{{ r.changed }}\"\n"
	x := s.play(text)
	s.want("first", x.results()+" "+x.said(), "changed\nok true")
	s.want("made", s.targets["a"].Kinds(), "set_cpu")
	x = s.play(text)
	s.want("second", x.results()+" "+x.said(), "ok\nok false")
	if n := len(all[event.Intent](x)); n != 0 {
		t.Errorf("an unchanged run tells of %d intents", n)
	}
	s.want("made", s.targets["a"].Kinds(), "set_cpu")
}

func TestDidNotConverge(t *testing.T) {
	s := on(t, "a", vm("x", virt.Stopped))
	s.targets["a"].Settle = func(c virt.Change, o virt.Object) virt.Object {
		o.(*virt.VM).CPU.Count = 1 // another program undoes it
		return o
	}
	synctestRun(t, s, func() {
		start := time.Now()
		x := s.play("- set_cpu: {vm: x, count: 3}")
		s.want("result", x.results(), "failed: did not converge")
		r := all[event.Result](x)[0].Error
		s.want("found", r.Found, "the step would change again: set_cpu of vm x, cpu.count")
		s.want("do", r.Do, "another program may be setting the same to another value")
		if took := time.Since(start); took < 10*time.Second || took > 13*time.Second {
			t.Errorf("live values had %s to settle, want some 10 s", took)
		}
	})
	s.want("without verification", s.play("- set_cpu: {vm: x, count: 3}\n  verify: false").results(), "changed")
}

// Two items of a loop that set one VM to different values, each undoing the
// other, are both named.
func TestDidNotConvergeNamesBoth(t *testing.T) {
	s := on(t, "a", vm("x", virt.Stopped))
	s.targets["a"].Settle = func(c virt.Change, o virt.Object) virt.Object {
		if c.(virt.SetCPU).Count.Or(0) == 2 {
			o.(*virt.VM).CPU.Count = 1 // it takes a while, and then the other comes
		}
		return o
	}
	s.targets["a"].Before = func(_ context.Context, c virt.Change) error {
		if c.(virt.SetCPU).Count.Or(0) == 3 {
			time.Sleep(50 * time.Millisecond)
		}
		return nil
	}
	synctestRun(t, s, func() {
		x := s.play("- name: More\n  set_cpu: {vm: x, count: \"{{ item }}\"}\n  loop: [2, 3]\n  parallel: 2\n")
		var bad []string
		for _, r := range all[event.Result](x) {
			if r.Item != nil && r.Error != nil {
				bad = append(bad, r.Item.Label+" "+r.Error.Do)
			}
		}
		if len(bad) != 1 {
			t.Errorf("%d items did not converge, want the one that was overwritten: %v", len(bad), bad)
			return
		}
		if !strings.HasPrefix(bad[0], "2 ") || !strings.Contains(bad[0], "P/More, item 2 (3), set cpu.count of vm x meanwhile") {
			t.Errorf("the failure does not name the other: %s", bad[0])
		}
	})
}

func TestSettles(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	m := s.targets["a"]
	m.Settle = func(c virt.Change, o virt.Object) virt.Object {
		v := o.(*virt.VM)
		late := v.Clone()
		go func() {
			time.Sleep(4 * time.Second)
			m.Put(late)
		}()
		v.Live.CPU.Count = 1
		return v
	}
	synctestRun(t, s, func() {
		start := time.Now()
		s.want("result", s.play("- set_cpu: {vm: x, count: 3}").results(), "changed")
		if took := time.Since(start); took < 4*time.Second || took > 7*time.Second {
			t.Errorf("it took %s, want a little over the 4 s that the value took", took)
		}
		if m.Forgotten() < 2 {
			t.Error("what is verified was not read afresh")
		}
	})
}

func TestDiverged(t *testing.T) {
	for name, tc := range map[string]struct {
		times  int
		result string
		tries  int
	}{
		"once":   {1, "changed", 2},
		"always": {99, "failed: changed since it was looked at", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a", vm("x", virt.Stopped))
			tries := 0
			s.targets["a"].Before = func(_ context.Context, c virt.Change) error {
				if tries++; tries <= tc.times {
					return virt.Diverged(c.Object(), "")
				}
				return nil
			}
			s.want("result", s.play("- set_cpu: {vm: x, count: 3}").results(), tc.result)
			if tries != tc.tries {
				t.Errorf("it was tried %d times, want %d", tries, tc.tries)
			}
		})
	}
}

func TestBusy(t *testing.T) {
	for name, tc := range map[string]struct {
		busy   time.Duration
		result string
	}{"for a while": {30 * time.Second, "changed"}, "for good": {time.Hour, "failed: is locked"}} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a", vm("x", virt.Stopped))
			synctestRun(t, s, func() {
				start := time.Now()
				s.targets["a"].Before = func(_ context.Context, c virt.Change) error {
					if time.Since(start) < tc.busy {
						return &virt.Error{Kind: virt.ErrBusy, Object: c.Object(), Summary: "is locked"}
					}
					return nil
				}
				x := s.play("- set_cpu: {vm: x, count: 3}")
				s.want("result", x.results(), tc.result)
				if took := time.Since(start); took > 3*time.Minute {
					t.Errorf("it was tried for %s", took)
				}
				if len(all[event.Progress](x)) == 0 {
					t.Error("nothing said that it waits")
				}
			})
		})
	}
}

func TestPending(t *testing.T) {
	s := on(t, "a", vm("x", virt.Running))
	x := s.play("- set_cpu: {vm: x, count: 6}\n  register: r\n- debug: \"{{ r.pending }}\"")
	s.want("recap", x.recap("a"), "ok=2 changed=1 unreachable=0 failed=0 skipped=0 ignored=0 pending=1 undecided=0")
	r := all[event.Result](x)[0]
	if r.Status != event.Changed || !r.Pending || len(r.PendingFields) != 2 {
		t.Errorf("the first run: %+v", r)
	}
	x = s.play("- set_cpu: {vm: x, count: 6}\n  register: r\n- debug: \"{{ r.pending }}\"")
	s.want("said", x.said(), "true")
	s.want("again", x.recap("a"), "ok=2 changed=0 unreachable=0 failed=0 skipped=0 ignored=0 pending=1 undecided=0")
	// A step that also stops the VM leaves nothing pending.
	x = s.play("- create_vm: {name: x, cpu: 7, state: stopped}")
	if r := all[event.Result](x)[0]; r.Pending || r.Status != event.Changed {
		t.Errorf("after the power was cut: %+v", r)
	}
}

func TestWaiting(t *testing.T) {
	s := on(t, "a", vm("x", virt.Stopped))
	m := s.targets["a"]
	synctestRun(t, s, func() {
		start := time.Now()
		go func() {
			time.Sleep(20 * time.Second)
			m.Put(vm("x", virt.Running))
		}()
		s.want("result", s.play("- wait_for: {vm: x, for: state, state: running, timeout: 1m}").results(), "ok")
		if took := time.Since(start); took > 24*time.Second {
			t.Errorf("it took %s", took)
		}
		x := s.play("- wait_for: {vm: x, for: port, port: 22, timeout: 30s}")
		s.want("result", x.results(), "failed: waited 30s for port on vm x")
		if f := all[event.Result](x)[0].Error; !strings.Contains(f.Found, "nobody listens on port 22") {
			t.Errorf("found: %q", f.Found)
		}
		x = s.play("- wait_for: {vm: x, for: agent, timeout: 1h}\n  timeout: 5s")
		s.want("result", x.results(), "failed: the step's timeout of 5s is over")
	})
}

// closedEvents is a platform whose events have ended.
type closedEvents struct{ virt.Platform }

func (closedEvents) Watch(context.Context, string) <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestWaitingWhenEventsEnd(t *testing.T) {
	s := on(t, "a")
	looks := 0
	s.steps = []*step.Spec{probeSpec(func(ctx context.Context, env *step.Env, vm string) (step.Result, error) {
		env.Platform = closedEvents{env.Platform}
		return step.Result{}, env.Wait(ctx, step.Waiting{What: "it", VM: vm, Timeout: 10 * time.Second, Interval: time.Second,
			Look: func(context.Context) (bool, string, error) { looks++; return false, "it", nil }})
	})}
	synctestRun(t, s, func() {
		s.want("result", s.play("- probe: x").results(), "failed: waited 10s for it")
		if looks > 12 {
			t.Errorf("it looked %d times in 10 s", looks)
		}
	})
}

func TestExitCodes(t *testing.T) {
	s := on(t, "a")
	if x := s.play("- debug: hi"); x.code != engine.ExitOK {
		t.Errorf("exit code %d", x.code)
	}
	if x := s.play("- fail: no"); x.code != engine.ExitFailed {
		t.Errorf("exit code %d", x.code)
	}
}

// When the reply to a change is lost, what is there now tells whether it was made.
func TestLostReply(t *testing.T) {
	lost := &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: virt.VMRef("x"), Summary: "the reply was lost"}
	s := on(t, "a", vm("x", virt.Running))
	s.targets["a"].After = func(virt.Change) error { return lost }
	x := s.play("- set_cpu: {vm: x, count: 3}")
	s.want("made", x.results(), "changed")
	if o := all[event.Outcome](x); len(o) != 1 || len(o[0].Warnings) != 1 || len(o[0].Fields) != 1 {
		t.Errorf("outcomes: %+v; want one that says what was made, and warns", o)
	}
	s.want("an action", s.play("- power: {vm: x, action: reset}").results(), "failed: the reply was lost")
	s.targets["a"].After = nil
	s.targets["a"].Before = func(context.Context, virt.Change) error { return lost }
	s.want("not made", s.play("- set_cpu: {vm: x, count: 4}").results(), "failed: the reply was lost")
}
