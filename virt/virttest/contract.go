package virttest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nactl/nactl/virt"
)

// clash makes what is there already, as something else.
func (r *runner) clash(t *testing.T) {
	name, _ := r.prepare(t, testCase{})
	_, err := r.p.Apply(t.Context(), r.VM(name))
	var e *virt.Error
	if !errors.As(err, &e) || !errors.Is(err, virt.ErrConflict) || !e.Object.Same(virt.VMRef(name)) {
		t.Errorf("create_vm of a VM that is there: %v, want ErrConflict about it", err)
	}
	if r.Unsupported["create_network"] != "" {
		return
	}
	net := r.Network(r.newName(), 11)
	r.apply(t, net)
	t.Cleanup(func() {
		o := r.look(t, net.Ref)
		r.apply(t, virt.DeleteNetwork{On: virt.On{Ref: net.Ref, Before: o}})
		if o := r.look(t, net.Ref); o != nil {
			t.Errorf("delete_network: %s is still there", o.Ref())
		}
	})
	other := r.Network(net.Ref.Name, 12)
	other.Before = r.look(t, net.Ref)
	_, err = r.p.Apply(t.Context(), other)
	if !errors.As(err, &e) || !errors.Is(err, virt.ErrConflict) || e.Wanted == "" || e.Found == "" {
		t.Errorf("create_network of one that is another: %v, want ErrConflict that names both", err)
	}
}

// diverged changes a VM that somebody else has changed since it was looked at.
func (r *runner) diverged(t *testing.T) {
	name, _ := r.prepare(t, testCase{})
	on := virt.On{Ref: virt.VMRef(name), Before: r.look(t, virt.VMRef(name))}
	r.apply(t, virt.SetVM{On: on, Description: virt.Some("by somebody else")})
	if _, err := r.p.Apply(t.Context(), virt.SetVM{On: on, Description: virt.Some("by us")}); !errors.Is(err, virt.ErrDiverged) {
		t.Errorf("got %v, want ErrDiverged", err)
	}
	// What somebody else has done already needs not be done again.
	out, err := r.p.Apply(t.Context(), virt.SetVM{On: on, Description: virt.Some("by somebody else")})
	if err != nil || out.Changed {
		t.Errorf("what is done already: %+v, %v", out, err)
	}
}

// sideBySide changes several VMs at once, and one VM in several ways.
func (r *runner) sideBySide(t *testing.T) {
	const vms = 4
	names := make([]string, vms)
	for i := range names {
		names[i], _ = r.prepare(t, testCase{})
	}
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for i, name := range names {
		on := virt.On{Ref: virt.VMRef(name), Before: r.look(t, virt.VMRef(name))}
		for _, c := range []virt.Change{
			virt.SetVM{On: on, Description: virt.Some(fmt.Sprintf("number %d", i))},
			virt.SetVM{On: on, Title: virt.Some(name)},
			virt.SetCPU{On: on, Count: virt.Some(2), Max: virt.Some(2)},
		} {
			wg.Go(func() {
				_, err := r.p.Apply(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		vm := r.look(t, virt.VMRef(name)).(*virt.VM)
		if vm.Description != fmt.Sprintf("number %d", i) || vm.Title != name || vm.CPU.Count != 2 {
			t.Errorf("%s: %q, %q, %+v", name, vm.Description, vm.Title, vm.CPU)
		}
	}
}

// reads looks at what is there and at what is not.
func (r *runner) reads(t *testing.T) {
	name, _ := r.prepare(t, testCase{})
	ctx := t.Context()
	vms, err := r.p.VMs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, vm := range vms {
		found = found || vm.Name == name
	}
	if !found {
		t.Errorf("%s is not among the VMs", name)
	}
	vm, err := r.p.VM(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	// What was given belongs to the caller: it may do with it what it likes.
	vm.Description, vm.NICs, vm.Metadata = "scribbled over", nil, map[string]string{"x": "y"}
	if again, err := r.p.VM(ctx, name); err != nil || again.Description == "scribbled over" || again.Metadata["x"] != "" {
		t.Errorf("a caller's edit shows up in the next read: %+v, %v", again, err)
	}
	ghost := r.Prefix + "ghost"
	for _, ref := range []virt.Ref{virt.VMRef(ghost), virt.NetworkRef(ghost), {Kind: virt.KindStorage, Name: ghost}, {Kind: virt.KindHost, Name: ghost}} {
		var err error
		switch ref.Kind {
		case virt.KindVM:
			_, err = r.p.VM(ctx, ghost)
		case virt.KindNetwork:
			_, err = r.p.Network(ctx, ghost)
		case virt.KindStorage:
			_, err = r.p.Storage(ctx, ghost)
		case virt.KindHost:
			_, err = r.p.Host(ctx, ghost)
		}
		var e *virt.Error
		if !errors.As(err, &e) || e.Kind != virt.ErrNotFound || !e.Object.Same(ref) {
			t.Errorf("%s: %v, want a not-found that names it", ref, err)
		}
	}
	hosts, err := r.p.Hosts(ctx)
	if err != nil || len(hosts) == 0 {
		t.Errorf("hosts: %v, %v", hosts, err)
	}
	for _, h := range hosts {
		f, err := r.p.HostFacts(ctx, h.Name)
		if err != nil || f.Name != h.Name || f.CPU.Count != h.CPUs || f.Memory.Total != h.Memory {
			t.Errorf("facts of %s: %+v, %v; the host is %+v", h.Name, f, err, h)
		}
	}
	if _, err := r.p.HostFacts(ctx, ghost); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("facts of a host that is not there: %v, want a not-found", err)
	}
	if _, err := r.p.Networks(ctx); err != nil {
		t.Error(err)
	}
	if _, err := r.p.Storages(ctx); err != nil {
		t.Error(err)
	}
}
