package ovirt

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// snapshotNames lists the snapshots of web-1.
func snapshotNames(t *testing.T, e *Engine) string {
	t.Helper()
	all, err := e.Snapshots(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

// takes makes a snapshot of web-1 as a step does.
func takes(t *testing.T, p virt.Platform, name string) (virt.Outcome, error) {
	t.Helper()
	ref := virt.SnapshotRef("web-1", name)
	now, err := virt.Read(t.Context(), p, ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	return p.Apply(t.Context(), virt.CreateSnapshot{On: virt.On{Ref: ref, Before: now}})
}

func drops(t *testing.T, p virt.Platform, name string) (virt.Outcome, error) {
	t.Helper()
	ref := virt.SnapshotRef("web-1", name)
	now, err := virt.Read(t.Context(), p, ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	return p.Apply(t.Context(), virt.DeleteSnapshot{On: virt.On{Ref: ref, Before: now}})
}

func reverts(t *testing.T, p virt.Platform, name string) error {
	t.Helper()
	vm, err := p.VM(t.Context(), "web-1")
	if err == nil {
		_, err = p.Apply(t.Context(), virt.RevertSnapshot{On: virt.OnVM(vm), Snapshot: name})
	}
	return err
}

// withVM starts an engine with the finished VM web-1.
func withVM(t *testing.T) (*ovirtsim.Engine, *Engine) {
	t.Helper()
	sim, e := simulated(t, small())
	finished(t, e)
	return sim, e
}

// finished makes the VM web-1.
func finished(t *testing.T, e *Engine) {
	t.Helper()
	if _, err := e.Apply(t.Context(), web("web-1")); err != nil {
		t.Fatal(err)
	}
	vm, err := e.VM(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(t.Context(), virt.FinishVM{On: virt.OnVM(vm)}); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotIsMadeOnceThoughItsAnswerIsLost(t *testing.T) {
	sim, e := withVM(t)
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPost, "/vms/*/snapshots"), Times: 1, LoseReply: true})
	if out, err := takes(t, e, "a"); err != nil || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := snapshotNames(t, e); got != "a" {
		t.Errorf("snapshots: %q", got)
	}
	if out, err := takes(t, e, "a"); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
	if n := sim.Count(ovirtsim.On(http.MethodPost, "/vms/*/snapshots")); n != 1 {
		t.Errorf("%d requests made a snapshot", n)
	}
}

func TestRevertThoughItsAnswerIsLost(t *testing.T) {
	// Time passes by requests: however slow the machine, the engine is still at work
	// when it is looked at.
	o := small()
	o.Speed = 1e-9
	var sim *ovirtsim.Engine
	sim, e := simulated(t, o, func(c *Config) {
		c.OnRequest = func(string, string) { sim.Advance(2 * time.Second) }
	})
	finished(t, e)
	sim.SetTiming(ovirtsim.Timing{Snapshot: time.Minute})
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	sim.Inject(ovirtsim.Injection{Match: ovirtsim.On(http.MethodPost, "/vms/*/snapshots/*/restore"), Times: 1, LoseReply: true})
	if err := reverts(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	if n := sim.Count(ovirtsim.On(http.MethodPost, "/vms/*/snapshots/*/restore")); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestSnapshotWaitsForAnother(t *testing.T) {
	sim, e := withVM(t)
	if _, err := takes(t, e, "old"); err != nil {
		t.Fatal(err)
	}
	sim.SetTiming(ovirtsim.Timing{Merge: 100 * time.Second})
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.Snapshots(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else deletes it in the meantime.
	if _, err := remove(t.Context(), e.Client, path("vms", m.id, "snapshots", all[0].ID.Or("")), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := takes(t, e, "new"); err != nil {
		t.Fatal(err)
	}
	if got := snapshotNames(t, e); got != "new" {
		t.Errorf("snapshots: %q", got)
	}
}

// Who asks for a snapshot that is being made waits for it.
func TestSnapshotThatIsBeingMade(t *testing.T) {
	sim, e := withVM(t)
	sim.SetTiming(ovirtsim.Timing{Snapshot: 200 * time.Second})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := takes(t, e, "a"); err != nil && !errors.Is(err, virt.ErrDiverged) {
				t.Error(err)
			}
			if all, err := e.Snapshots(t.Context(), "web-1"); err != nil || len(all) != 1 {
				t.Errorf("%d snapshots, %v", len(all), err)
			}
		})
	}
	wg.Wait()
	if out, err := takes(t, e, "a"); err != nil || out.Changed {
		t.Errorf("in the end: %+v, %v", out, err)
	}
}

// An asynchronous failure is told in the engine's own words.
func TestSnapshotFailures(t *testing.T) {
	sim, e := withVM(t)
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	sim.FailSnapshot("web-1")
	for what, err := range map[string]error{
		"Failed to complete snapshot 'b' creation for VM 'web-1'":        func() error { _, err := takes(t, e, "b"); return err }(),
		"Failed to delete snapshot 'a' for VM 'web-1'":                   func() error { _, err := drops(t, e, "a"); return err }(),
		"Failed to complete restoring from Snapshot of VM web-1":         reverts(t, e, "a"),
		`cannot make it: the engine took it back`:                        func() error { _, err := takes(t, e, "b"); return err }(),
		`snapshot "a" of vm web-1: cannot delete it: its disks were not`: func() error { _, err := drops(t, e, "a"); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v; want %q", err, what)
		}
	}
	if got := snapshotNames(t, e); got != "a" {
		t.Errorf("snapshots: %q", got)
	}
	sim.Heal()
	// What was said before counts no more, also while nothing new is said yet.
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	last, err := e.lastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.restored(t.Context(), m.id, last); err != nil {
		t.Errorf("an old failure counts: %v", err)
	}
	if err := e.restored(t.Context(), m.id, 0); err == nil {
		t.Error("the failure is not there")
	}
	if err := reverts(t, e, "a"); err != nil {
		t.Errorf("healed: %v", err)
	}
	if _, err := drops(t, e, "a"); err != nil {
		t.Errorf("healed: %v", err)
	}
}

func TestSnapshotsOfOneName(t *testing.T) {
	_, e := withVM(t)
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	err = e.alone(t.Context(), m.id, func(ctx context.Context) error {
		_, err := create(ctx, e.Client, kindSnapshot, path("vms", m.id, "snapshots"), nil, snapshotXML{Description: "a"}, convSnapshot)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.Snapshots(t.Context(), "web-1")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d, %v", len(all), err)
	}
	first, second := all[0].ID.Or(""), all[1].ID.Or("")
	_, err = drops(t, e, "a")
	var conflict *virt.Error
	if !errors.As(err, &conflict) || !errors.Is(err, virt.ErrConflict) ||
		!strings.Contains(conflict.Found, first) || !strings.Contains(conflict.Found, second) || !strings.Contains(conflict.Found, "UTC") {
		t.Fatalf("%v, found %q", err, conflict.Found)
	}
	plan := dryrun.New(e)
	for _, p := range []virt.Platform{plan, e} {
		if out, err := drops(t, p, first); err != nil || !out.Changed {
			t.Fatalf("by id: %+v, %v", out, err)
		}
		left, err := p.Snapshots(t.Context(), "web-1")
		if err != nil || len(left) != 1 || left[0].ID.Or("") != second {
			t.Errorf("%d are left, %v", len(left), err)
		}
	}
}

func TestSnapshotInPreview(t *testing.T) {
	_, e := withVM(t)
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	m, err := e.machine(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.Snapshots(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	preview := `<action><snapshot id="` + all[0].ID.Or("") + `"/></action>`
	if err := e.do(t.Context(), request{Method: http.MethodPost, Path: path("vms", m.id, "previewsnapshot"), Body: []byte(preview)},
		func(*reply) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.waitHistory(t.Context(), m.id, "the preview", func(h *history) (bool, error) { return !h.busy(), nil }); err != nil {
		t.Fatal(err)
	}
	before := writes(e)
	for what, err := range map[string]error{
		"make":   func() error { _, err := takes(t, e, "b"); return err }(),
		"delete": func() error { _, err := drops(t, e, "a"); return err }(),
		"revert": reverts(t, e, "a"),
	} {
		var conflict *virt.Error
		if !errors.As(err, &conflict) || conflict.Kind != virt.ErrConflict || !strings.Contains(err.Error(), "is in preview") || !strings.Contains(conflict.Hint, "commit") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := writes(e) - before; n != 0 {
		t.Errorf("%d requests that write", n)
	}
}

func TestRevertDemandsAStoppedVM(t *testing.T) {
	_, e := withVM(t)
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	vm, err := e.VM(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(t.Context(), virt.Start{On: virt.OnVM(vm)}); err != nil {
		t.Fatal(err)
	}
	err = reverts(t, e, "a")
	var conflict *virt.Error
	if !errors.As(err, &conflict) || conflict.Kind != virt.ErrConflict || !strings.Contains(conflict.Hint, "power: {vm: web-1, state: stopped}") {
		t.Errorf("%v", err)
	}
}

// A snapshot with memory resumes the guest; those that are newer go.
func TestRevertWithMemory(t *testing.T) {
	_, e := withVM(t)
	change := func(f func(on virt.On) virt.Change) {
		t.Helper()
		e.Forget()
		vm, err := e.VM(t.Context(), "web-1")
		if err == nil {
			_, err = e.Apply(t.Context(), f(virt.OnVM(vm)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	state := func() virt.PowerState {
		vm, err := e.VM(t.Context(), "web-1")
		if err != nil {
			t.Fatal(err)
		}
		return vm.State
	}
	change(func(o virt.On) virt.Change { return virt.Start{On: o} })
	ref := virt.SnapshotRef("web-1", "live")
	out, err := e.Apply(t.Context(), virt.CreateSnapshot{On: virt.On{Ref: ref}, Memory: virt.Some(true), Description: "words"})
	if err != nil || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "no description") {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := takes(t, e, "newer"); err != nil {
		t.Fatal(err)
	}
	change(func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	change(func(o virt.On) virt.Change { return virt.RevertSnapshot{On: o, Snapshot: "live"} })
	if s := state(); s != virt.Suspended {
		t.Errorf("it is %s", s)
	}
	if got := snapshotNames(t, e); got != "live" {
		t.Errorf("snapshots: %q", got)
	}
	change(func(o virt.On) virt.Change { return virt.PowerOff{On: o} })
	change(func(o virt.On) virt.Change { return virt.RevertSnapshot{On: o, Snapshot: "live", Start: true} })
	if s := state(); s != virt.Running {
		t.Errorf("with start it is %s", s)
	}
}

// What is not asked for costs nothing, and an unchanged snapshot costs one request.
func TestSnapshotBudget(t *testing.T) {
	sim, e := withVM(t)
	if _, err := takes(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	all := func(r ovirtsim.Request) bool { return strings.Contains(r.Path, "/snapshots") }
	before := sim.Count(all)
	e.Forget()
	if _, err := e.VMs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := sim.Count(all) - before; n != 0 {
		t.Errorf("a list of VMs asked %d times for snapshots", n)
	}
	before = sim.Count(nil)
	ref := virt.SnapshotRef("web-1", "a")
	now, err := virt.Read(t.Context(), e, ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, out, err := e.Predict(now, virt.CreateSnapshot{On: virt.On{Ref: ref, Before: now}}); err != nil || out.Changed {
		t.Errorf("%+v, %v", out, err)
	}
	if n := sim.Count(nil) - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}
