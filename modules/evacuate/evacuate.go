// Package evacuate is the step evacuate: a host without VMs.
package evacuate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/nactl/nactl/modules/migrate"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of evacuate.
type Args struct {
	Host    string   `arg:"host,required,identity" doc:"the host that its VMs are to leave"`
	To      []string `arg:"to,identity" doc:"the hosts that they may go to; left out: all others of the target"`
	Side    int      `arg:"parallel" default:"1" min:"1" max:"16" doc:"how many move at once"`
	Stopped bool     `arg:"stopped" doc:"move VMs that do not run, too; of nodes only"`
	migrate.How
}

// Output is what evacuate gives.
type Output struct {
	Moved []virt.MovedVM `json:"moved"` // in this run, by name
	Left  []string       `json:"left"`  // VMs that stayed: they do not run, or are unfinished
}

// Spec describes evacuate.
var Spec = &step.Spec{
	Name:    "evacuate",
	Summary: "Moves all VMs of a host to other hosts, by the memory that these have free",
	Doc: "The largest VM is placed first, each on the host that has most memory left by then and has what the VM needs. A plan shows which goes where. " +
		"If there is no place for one, all reasons are reported before anything moves.\n" +
		"A move that fails stops none of the others; the error says which VMs have stayed, and the same step goes on from there.\n" +
		"VMs that do not run stay, unless `stopped: true`. New VMs can still be placed on the host: a node is kept free by `maintenance: true` in the inventory, an engine's host by `host_maintenance`.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.Migrate{}},
	Touches: virt.KindVM,
	Output:  Output{},
	Example: `- name: Make n1 empty
  evacuate: {host: n1, parallel: 2}
`,
}

// Validate refuses a host as its own destination.
func (a *Args) Validate(v *step.Validation) {
	if a.Host != "" && slices.Contains(a.To, a.Host) {
		v.Errorf("to", "%s is the host that the VMs are to leave", a.Host)
	}
	a.Check(v)
}

// room is a host that VMs may go to, and the memory that it has left.
type room struct {
	host string
	free int64
}

// Ensure moves what is on the host.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	out := Output{Moved: []virt.MovedVM{}, Left: []string{}}
	leaving, err := a.leaving(ctx, env, &out)
	if err != nil {
		return step.Result{}, err
	}
	if len(leaving) == 0 {
		return step.Result{Output: out}, nil
	}
	rooms, err := a.rooms(ctx, env)
	if err != nil {
		return step.Result{}, err
	}
	moves, err := a.place(ctx, env, leaving, rooms)
	if err != nil {
		return step.Result{}, err
	}
	var mu sync.Mutex
	var errs []error
	var stayed []string
	g := errgroup.Group{}
	g.SetLimit(max(1, a.Side))
	for _, c := range moves {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil // nothing more begins
			}
			_, err := env.Apply(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs, stayed = append(errs, err), append(stayed, c.Ref.Name)
				return nil
			}
			out.Moved = append(out.Moved, virt.MovedVM{VM: c.Ref.Name, To: c.Host})
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	slices.SortFunc(out.Moved, func(a, b virt.MovedVM) int { return cmp.Compare(a.VM, b.VM) })
	if ctx.Err() != nil {
		return step.Result{}, errors.Join(append(errs, context.Cause(ctx))...)
	}
	if len(errs) > 0 {
		slices.Sort(stayed)
		return step.Result{}, fmt.Errorf("%d of %d VMs have left %s, not %s: %w", len(out.Moved), len(moves), a.Host, strings.Join(stayed, ", "), errors.Join(errs...))
	}
	return step.Result{Output: out}, nil
}

// leaving gives the VMs that are to leave the host, the largest first.
func (a *Args) leaving(ctx context.Context, env *step.Env, out *Output) ([]*virt.VM, error) {
	if _, err := env.Platform.Host(ctx, a.Host); err != nil {
		return nil, err
	}
	vms, err := env.Platform.VMs(ctx)
	if err != nil {
		return nil, err
	}
	var list []*virt.VM
	for _, vm := range vms {
		switch host, known := vm.Host.Get(); {
		case !known || host != a.Host:
		case vm.Unfinished != "":
			out.Left = append(out.Left, vm.Name)
		case vm.State.IsLive() || a.Stopped:
			list = append(list, vm)
		default:
			out.Left = append(out.Left, vm.Name)
		}
	}
	slices.SortFunc(list, func(a, b *virt.VM) int {
		return cmp.Or(cmp.Compare(memory(b), memory(a)), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// memory is what a VM takes of its host.
func memory(vm *virt.VM) int64 {
	switch {
	case vm.Live != nil:
		return vm.Live.Memory.Current
	case vm.State.IsLive():
		return vm.Memory.Current
	default:
		return 0
	}
}

// rooms gives the hosts that VMs may go to.
func (a *Args) rooms(ctx context.Context, env *step.Env) ([]*room, error) {
	hosts, err := env.Platform.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range a.To {
		if !slices.ContainsFunc(hosts, func(h *virt.Host) bool { return h.Name == name }) {
			_, err := env.Platform.Host(ctx, name) // says which there are
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var rooms []*room
	var reasons []string
	for _, h := range hosts {
		switch {
		case h.Name == a.Host, len(a.To) > 0 && !slices.Contains(a.To, h.Name):
		case h.State != "up" || h.Maintenance:
			reasons = append(reasons, h.Name+" is "+h.State)
		default:
			rooms = append(rooms, &room{h.Name, h.FreeMemory})
		}
	}
	if len(rooms) == 0 {
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: virt.Ref{Kind: virt.KindHost, Name: a.Host}, Summary: "its VMs have nowhere to go",
			Wanted: "another host that is up", Found: strings.Join(reasons, ", "), Hint: "bring another host up, or name others in to"}
	}
	return rooms, nil
}

// place finds a host for each VM, and all reasons where there is none.
func (a *Args) place(ctx context.Context, env *step.Env, vms []*virt.VM, rooms []*room) ([]virt.Migrate, error) {
	var moves []virt.Migrate
	var errs []error
	for _, vm := range vms {
		slices.SortFunc(rooms, func(a, b *room) int { return cmp.Or(cmp.Compare(b.free, a.free), cmp.Compare(a.host, b.host)) })
		need := memory(vm)
		var reasons []error
		for _, r := range rooms {
			c := a.Change(vm)
			c.Host = r.host
			err := env.Platform.Supports(c)
			if err == nil && r.free < need {
				err = &virt.Error{Kind: virt.ErrConflict, Object: vm.Ref(), Summary: "does not fit on " + r.host + " beside those that go there before it",
					Wanted: virt.FormatSize(need), Found: virt.FormatSize(max(0, r.free))}
			} else if err == nil {
				err = env.Platform.Check(ctx, env.Platform, c)
			}
			if err == nil {
				r.free -= need
				moves, reasons = append(moves, c), nil
				break
			}
			reasons = append(reasons, err)
		}
		errs = append(errs, reasons...)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return moves, errors.Join(errs...)
}
