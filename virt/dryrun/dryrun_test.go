package dryrun_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/virttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// over gives an overlay over a platform that holds these objects, and the
// platform itself.
func over(objects ...virt.Object) (*dryrun.Platform, *virttest.Memory) {
	m := virttest.NewMemory(objects...)
	return dryrun.New(dryrun.Tripwire(m)), m
}

func vm(name string, state virt.PowerState) *virt.VM {
	v := &virt.VM{Name: name, State: state, Host: virt.Some("h1"), CPU: virt.CPU{Count: 1, Max: 4}, Memory: virt.Memory{Current: virt.GiB, Max: virt.GiB}}
	if state.IsLive() {
		v.Live = &virt.Live{CPU: v.CPU, Memory: v.Memory}
	}
	return v
}

func on(name string) virt.On { return virt.On{Ref: virt.VMRef(name)} }

func apply(t *testing.T, p *dryrun.Platform, c virt.Change) {
	t.Helper()
	if out, err := p.Apply(t.Context(), c); err != nil || !out.Changed {
		t.Fatalf("%s: changed %v, %v", virt.KindOf(c), out.Changed, err)
	}
}

func names[T virt.Object](list []T, err error) string {
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, o := range list {
		out = append(out, o.Ref().Name)
	}
	return strings.Join(out, " ")
}

func TestOverlay(t *testing.T) {
	ctx := t.Context()
	p, m := over(vm("b", virt.Running), vm("c", virt.Stopped), &virt.Network{Name: "lan"})
	apply(t, p, virt.CreateVM{On: on("d"), CPU: virt.CPU{Count: 2, Max: 2}, Memory: virt.Memory{Current: 1, Max: 1}})
	apply(t, p, virt.CreateVM{On: on("a"), CPU: virt.CPU{Count: 2, Max: 2}, Memory: virt.Memory{Current: 1, Max: 1}})
	b, err := p.VM(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, p, virt.SetCPU{On: virt.OnVM(b), Count: virt.Some(3)})
	apply(t, p, virt.DeleteVM{On: virt.On{Ref: virt.VMRef("c"), Before: vm("c", virt.Stopped)}})
	apply(t, p, virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("dmz")}, VLAN: 5, Type: "openvswitch"})

	if got := names(p.VMs(ctx)); got != "b a d" {
		t.Errorf("the VMs are %q, want those underneath as they became, then the new ones: b a d", got)
	}
	if got := names(p.Networks(ctx)); got != "lan dmz" {
		t.Errorf("the networks are %q", got)
	}
	if b, err = p.VM(ctx, "b"); err != nil || b.CPU.Count != 3 || b.Live.CPU.Count != 3 {
		t.Errorf("b is %+v, %v; want it with 3 CPUs", b, err)
	}
	if d, err := p.VM(ctx, "d"); err != nil || !d.ID.IsUnknown() || d.State != virt.Stopped {
		t.Errorf("d is %+v, %v; want it stopped, its id unknown", d, err)
	}
	_, err = p.VM(ctx, "c")
	var e *virt.Error
	if !errors.As(err, &e) || e.Kind != virt.ErrNotFound || e.Hint != "an earlier step removes it" {
		t.Errorf("the deleted one: %v", err)
	}
	b.CPU.Count = 99
	if again, _ := p.VM(ctx, "b"); again.CPU.Count != 3 {
		t.Error("what was read can be changed from outside")
	}
	if got := m.Kinds(); got != "" {
		t.Errorf("the platform underneath was asked to %s", got)
	}
	if real, _ := m.VM(ctx, "b"); real.CPU.Count != 1 {
		t.Error("the VM underneath changed")
	}
	// What is as wanted is not a change, and is not kept.
	b.CPU.Count = 3
	if out, err := p.Apply(ctx, virt.SetCPU{On: virt.OnVM(b), Count: virt.Some(3)}); err != nil || out.Changed {
		t.Errorf("again: %+v, %v", out, err)
	}
}

func TestSeenBeforeAnotherChanged(t *testing.T) {
	p, _ := over(vm("a", virt.Running))
	seen, err := p.VM(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, p, virt.SetCPU{On: virt.OnVM(seen), Count: virt.Some(2)})
	if _, err := p.Apply(t.Context(), virt.SetCPU{On: virt.OnVM(seen), Count: virt.Some(3)}); !errors.Is(err, virt.ErrDiverged) {
		t.Errorf("a change decided on an older look: %v, want ErrDiverged", err)
	}
}

func TestChangesSideBySideAreAllKept(t *testing.T) {
	p, _ := over(vm("a", virt.Stopped))
	const n = 16
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := p.Apply(t.Context(), virt.SetVM{On: virt.On{Ref: virt.VMRef("a"), Before: vm("a", virt.Stopped)},
				Metadata: map[string]string{string(rune('a' + i)): "x"}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a, err := p.VM(t.Context(), "a")
	if err != nil || len(a.Metadata) != n {
		t.Errorf("of %d changes %d are left, %v", n, len(a.Metadata), err)
	}
}

func TestGuestThatNobodyCanAsk(t *testing.T) {
	ctx := t.Context()
	for name, change := range map[string]virt.Change{
		"start":    virt.Start{On: on("off")},
		"reboot":   virt.Reboot{On: on("on")},
		"shutdown": virt.Shutdown{On: virt.On{Ref: virt.VMRef("on"), Before: vm("on", virt.Running)}},
		"create":   virt.CreateVM{On: on("new"), CPU: virt.CPU{Count: 1, Max: 1}, Memory: virt.Memory{Current: 1, Max: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := over(vm("on", virt.Running), vm("off", virt.Stopped))
			who := change.Object().Name
			if s, ok := change.(virt.Start); ok {
				s.Before = vm("off", virt.Stopped)
				change = s
			}
			if _, err := p.GuestInfo(ctx, "on"); err != nil {
				t.Fatalf("before: %v", err)
			}
			apply(t, p, change)
			for what, err := range asked(ctx, p, who) {
				if !errors.Is(err, virt.ErrUndecided) {
					t.Errorf("%s after %s: %v, want ErrUndecided", what, name, err)
				}
			}
			if who != "on" {
				if _, err := p.GuestInfo(ctx, "on"); err != nil {
					t.Errorf("another guest: %v", err)
				}
			}
		})
	}
}

func asked(ctx context.Context, p *dryrun.Platform, vm string) map[string]error {
	_, info := p.GuestInfo(ctx, vm)
	_, file := p.GuestFile(ctx, vm, "/f", 0)
	_, probe := p.GuestProbe(ctx, vm, virt.Command{Argv: []string{"true"}})
	_, port := p.GuestPort(ctx, vm, 22)
	return map[string]error{"info": info, "file": file, "probe": probe, "port": port}
}

func TestGuestOfADeletedVM(t *testing.T) {
	p, _ := over(vm("a", virt.Running))
	apply(t, p, virt.GuestWrite{On: virt.On{Ref: virt.Ref{Kind: virt.KindGuestFile, Scope: "a", Name: "/f"}}, SHA256: "x", Size: 1})
	if f, err := p.GuestFile(t.Context(), "a", "/f", 1); err != nil || f.SHA256 != "x" {
		t.Fatalf("the file that was written: %+v, %v", f, err)
	}
	apply(t, p, virt.DeleteVM{On: virt.On{Ref: virt.VMRef("a"), Before: vm("a", virt.Running)}})
	for what, err := range asked(t.Context(), p, "a") {
		if !errors.Is(err, virt.ErrNotFound) {
			t.Errorf("%s in a VM that is gone: %v, want ErrNotFound", what, err)
		}
	}
	apply(t, p, virt.CreateVM{On: on("a"), CPU: virt.CPU{Count: 1, Max: 1}, Memory: virt.Memory{Current: 1, Max: 1}})
	if _, err := p.GuestFile(t.Context(), "a", "/f", 1); !errors.Is(err, virt.ErrUndecided) {
		t.Errorf("the file in a new VM of that name: %v, want ErrUndecided", err)
	}
}

func TestMarkMaybe(t *testing.T) {
	ctx := t.Context()
	p, _ := over(vm("a", virt.Stopped))
	missing := virt.SetCPU{On: on("b"), Count: virt.Some(2)}
	conflict := virt.CreateVM{On: virt.On{Ref: virt.VMRef("a"), Before: vm("a", virt.Stopped)}}
	check := func(want error, maybe string) {
		t.Helper()
		_, read := p.VM(ctx, "b")
		_, change := p.Apply(ctx, missing)
		_, _, predict := p.Predict(nil, missing)
		for what, err := range map[string]error{"reading": read, "changing": change, "predicting": predict} {
			if !errors.Is(err, want) {
				t.Errorf("%s what is not there, with %s: %v, want %v", what, maybe, err, want)
			}
		}
	}
	check(virt.ErrNotFound, "nothing maybe")
	p.MarkMaybe(virt.VMRef("c"), virt.NetworkRef("b"))
	check(virt.ErrNotFound, "others maybe")
	p.MarkMaybe(virt.VMRef("b"))
	check(virt.ErrUndecided, "it maybe")
	if _, err := p.GuestInfo(ctx, "a"); err != nil {
		t.Errorf("a guest that nobody touched: %v", err)
	}
	if _, err := p.Apply(ctx, conflict); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("a clash that nobody may have removed: %v", err)
	}
	p.MarkMaybe(virt.Ref{Kind: virt.KindVM})
	if _, err := p.Apply(ctx, conflict); !errors.Is(err, virt.ErrUndecided) {
		t.Errorf("a clash with any VM maybe: %v", err)
	}
	if _, err := p.Network(ctx, "x"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a network with any VM maybe: %v", err)
	}
	if _, err := p.GuestInfo(ctx, "a"); !errors.Is(err, virt.ErrUndecided) {
		t.Errorf("a guest that may have been touched: %v", err)
	}
}

// sizes is a platform whose disks have sizes only when they are asked for.
type sizes struct{ *virttest.Memory }

func (s sizes) DiskSizes(_ context.Context, vm *virt.VM) error {
	for i := range vm.Disks {
		if vm.Disks[i].Size == 0 {
			vm.Disks[i].Size = 7 * virt.GiB
		}
	}
	return nil
}

func TestDiskSizes(t *testing.T) {
	ctx := t.Context()
	a := vm("a", virt.Stopped)
	a.Disks = []virt.Disk{{Name: "root", Target: "vda", In: virt.Presence{Config: true}}}
	p := dryrun.New(dryrun.Tripwire(sizes{virttest.NewMemory(a)}))
	apply(t, p, virt.AttachDisk{On: virt.On{Ref: virt.VMRef("a"), Before: a}, Disk: virt.DiskSpec{Name: "data", Size: virt.GiB}})
	apply(t, p, virt.CreateVM{On: on("b"), CPU: virt.CPU{Count: 1, Max: 1}, Memory: virt.Memory{Current: 1, Max: 1}, Disks: []virt.DiskSpec{{Name: "root", Size: virt.MiB}}})
	for name, want := range map[string][]int64{"a": {7 * virt.GiB, virt.GiB}, "b": {virt.MiB}} {
		vm, err := p.VM(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.DiskSizes(ctx, vm); err != nil {
			t.Fatal(err)
		}
		for i, size := range want {
			if vm.Disks[i].Size != size {
				t.Errorf("disk %d of %s has %d bytes, want %d", i, name, vm.Disks[i].Size, size)
			}
		}
	}
}

func TestTripwire(t *testing.T) {
	m := virttest.NewMemory(vm("a", virt.Running))
	wire := dryrun.Tripwire(m)
	if _, err := wire.Apply(t.Context(), virt.PowerOff{On: on("a")}); err == nil || !strings.Contains(err.Error(), "power_off of vm a") {
		t.Errorf("a change came through: %v", err)
	}
	if m.Kinds() != "" {
		t.Error("it was made")
	}
	if _, err := wire.VM(t.Context(), "a"); err != nil {
		t.Errorf("reading: %v", err)
	}
	if _, ok := wire.(virt.Counter); !ok {
		t.Error("what the platform counts cannot be seen through the tripwire")
	}
}
