// Package virttest is the contract that every virt.Platform keeps, as tests that
// each platform runs on itself.
//
// For each kind of change: what is observed after it is what it asked for and
// what a dry run had predicted; applied again it changes nothing and sends
// nothing that writes; a missing object is ErrNotFound, and a clash ErrConflict;
// a cancelled context ends it soon and changes nothing; and what nactl does not
// know of is kept. What a platform cannot do is a list that it commits to, and
// has to answer with ErrUnsupported: nothing is skipped.
package virttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// Setup is a platform under test.
type Setup struct {
	// New gives the platform; it is called once, and closed by whoever made it.
	New func(t *testing.T) virt.Platform
	// Prefix begins the names of all that the tests make.
	Prefix string
	// VM says how the smallest VM is made. It should hold something that nactl does
	// not know, for Kept to look for.
	VM func(name string) virt.CreateVM
	// Kept gives an error when that something is gone; nil: nothing is looked for.
	Kept func(vm *virt.VM) error
	// Disk is a disk that can be attached.
	Disk func(name string) virt.DiskSpec
	// Networks are two networks that a NIC can be attached to.
	Networks [2]string
	// CDs are two images that can be put into a drive. Drive is its name where that is
	// the platform's choice; empty = it is not.
	CDs   [2]virt.Medium
	Drive string
	// Network says how a network is made.
	Network func(name string, vlan int) virt.CreateNetwork
	// Storage is a pool in which volumes can be made, and that Disk uses; of a cluster
	// it may be HOST/POOL. VolumeFormat is theirs, empty = qcow2.
	Storage, VolumeFormat string
	// Pool says how a pool is made.
	Pool func(name string) virt.CreatePool
	// Guest gives a running VM whose agent answers.
	Guest func(t *testing.T, p virt.Platform) string
	// GuestFile is a path inside that guest that can be written; empty means one in
	// /root.
	GuestFile string
	// GuestUser is a user of that guest, whose keys and password are changed. There is
	// no default: a guest that is this machine has users that are nobody's to change.
	GuestUser string
	// Elsewhere is a host that the smallest VM can be moved to, and that can be taken
	// out of service.
	Elsewhere string
	// Cluster is where the smallest VM is; empty = the only one. OtherCluster is one
	// that it can be moved to.
	Cluster, OtherCluster string
	// Writes counts the calls of a platform that write, as far as it was asked; nil
	// for a platform that does not count.
	Writes func(p virt.Platform) int
	// Unsupported lists what the platform cannot do, with the reason: a kind of
	// change, as attach_disk, or one case of it, as attach_disk/running.
	Unsupported map[string]string
	// OwnCPUMax says that the platform itself decides how many CPUs a VM can be
	// given while it runs, and that it can be given four.
	OwnCPUMax bool
	// Unpredicted lists fields, by their JSON names, that no prediction can know
	// beside those that it calls unknown.
	Unpredicted []string
}

// soon is how long a change may take to notice that its context has ended.
const soon = 5 * time.Second

// Run tests a platform.
func Run(t *testing.T, s Setup) {
	p := s.New(t)
	r := &runner{Setup: s, p: p, image: writeImage(t)}
	tested := map[string]bool{}
	for _, c := range r.cases() {
		tested[c.kind], tested[c.kind+"/"+c.name] = true, true
		t.Run(c.kind+"/"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { r.run(t, c) })
	}
	for kind := range s.Unsupported {
		if !tested[kind] {
			t.Errorf("%s is listed as unsupported, and no test asks for it", kind)
		}
	}
	t.Run("delete_host_vlan", r.deleteHostVLAN)
	t.Run("clash", r.clash)
	t.Run("diverged", r.diverged)
	t.Run("volumes", r.volumes)
	t.Run("names", r.names)
	t.Run("side_by_side", r.sideBySide)
	t.Run("reads", r.reads)
}

// runner runs the cases on one platform.
type runner struct {
	Setup
	p     virt.Platform
	n     int            // VMs made so far, for their names
	image virt.ImageFile // that upload cases send
	// host is anyHost, once it was asked for.
	host string
	// drives: VMs are looked at with their CD drives.
	drives bool
}

// testCase is one change and what it is to bring about.
type testCase struct {
	kind, name string
	arrange    []changeOf // applied before, to a VM that was just made
	change     changeOf
	shows      func(after virt.Object) error
	// object names what is changed, when it is not the VM.
	object func(vm string) virt.Ref
	// unfinished: the VM keeps its mark.
	unfinished bool
	// fresh: no VM is made before.
	fresh bool
	// makes: without its object the change makes one.
	makes bool
	// guest: the VM is Setup.Guest's.
	guest bool
	// absentIsDone: without its object there is nothing to do.
	absentIsDone bool
	// network: what is changed is a network; it is removed afterwards.
	network bool
	// host: what is changed is the host Elsewhere.
	host bool
	// alone: what is changed needs no VM.
	alone bool
	// becomes: the VM gets this name.
	becomes func(vm string) string
}

// changeOf makes a change of an object that was just read; nil when there is
// none.
type changeOf func(on virt.On) virt.Change

func (r *runner) run(t *testing.T, c testCase) {
	if kind := r.needsUnsupported(t, c); kind != "" {
		return // nothing can be where this case begins
	}
	name, begun := r.prepare(t, c)
	if !begun {
		return // what it begins with was refused already, as the platform's list says
	}
	r.drives = c.kind == "change_cdrom"
	defer func() { r.drives = false }()
	ref := virt.VMRef(name)
	if c.object != nil {
		ref = c.object(name)
	}
	if why := r.unsupported(c); why != "" {
		r.refuses(t, c, name, ref, why)
		return
	}
	before := r.look(t, ref)
	change := c.change(virt.On{Ref: ref, Before: before})
	if err := r.p.Supports(change); err != nil {
		t.Fatalf("%v; if the platform cannot do it, its list has to say so", err)
	}
	r.missing(t, c)
	r.cancelled(t, change, before)
	if c.becomes != nil {
		t.Cleanup(func() { r.remove(t, c.becomes(name)) })
	}

	dry := dryrun.New(r.p)
	planned, err := dry.Apply(t.Context(), change)
	if err != nil {
		t.Fatalf("dry run: %v", err)
	}
	var predicted virt.Object
	if change.Nature() == virt.Converge {
		if predicted, err = virt.Read(t.Context(), dry, ref); err != nil {
			t.Fatalf("dry run: %v", err)
		}
		if vm, ok := predicted.(*virt.VM); ok && vm != nil {
			if err := dry.DiskSizes(t.Context(), vm); err != nil {
				t.Fatalf("dry run: %v", err)
			}
			if r.drives {
				if err := dry.Drives(t.Context(), vm); err != nil {
					t.Fatalf("dry run: %v", err)
				}
			}
		}
	}
	out, err := r.p.Apply(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	if !out.Changed {
		t.Error("nothing was changed")
	}
	for _, d := range r.differ(planned.Fields, out.Fields) {
		t.Errorf("plan and play differ: %s", d)
	}
	after := r.look(t, ref)
	if c.shows != nil {
		if err := c.shows(after); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	if vm, ok := after.(*virt.VM); ok && vm != nil && r.Kept != nil && !c.guest {
		if err := r.Kept(vm); err != nil {
			t.Errorf("not kept: %v", err)
		}
	}
	if change.Nature() == virt.Action {
		return
	}
	for _, d := range r.differ(told(predicted), told(after)) {
		t.Errorf("predicted and seen differ: %s", d)
	}
	if c.becomes != nil {
		r.renamed(t, dry, c.becomes(name), before)
	}
	r.again(t, c, ref, after)
}

// told gives what of an object only changes can change: not how full a pool is, or
// which of several hosts has the most room in it, nor what memory a host has free.
func told(o virt.Object) virt.Object {
	switch o := o.(type) {
	case *virt.Storage:
		if o == nil {
			return o
		}
		c := o.Clone().(*virt.Storage)
		c.Host, c.Capacity, c.Available, c.Committed = "", 0, 0, 0
		return c
	case *virt.Host:
		if o == nil {
			return o
		}
		c := o.Clone().(*virt.Host)
		c.FreeMemory = 0
		return c
	default:
		return o
	}
}

// prepare makes the VM of a case, and brings it where the case begins. begun is
// false where the platform cannot do a part of that either.
func (r *runner) prepare(t *testing.T, c testCase) (name string, begun bool) {
	t.Helper()
	if c.guest {
		return r.Guest(t, r.p), true
	}
	if c.host {
		return r.prepareHost(t, c), true
	}
	if c.alone {
		return r.prepareAlone(t, c), true
	}
	if c.network {
		return r.prepareNetwork(t, c), true
	}
	name = r.newName()
	t.Cleanup(func() { r.remove(t, name) })
	if c.fresh {
		return name, true
	}
	r.apply(t, r.VM(name))
	ref := virt.VMRef(name)
	if !c.unfinished {
		r.apply(t, virt.FinishVM{On: virt.On{Ref: ref, Before: r.look(t, ref)}})
	}
	for _, f := range c.arrange {
		r.drives = c.kind == "change_cdrom"
		change := f(virt.On{Ref: ref, Before: r.look(t, ref)})
		r.drives = false
		_, err := r.p.Apply(lasting(t), change)
		switch {
		case err == nil:
		case r.unsupported(c) != "" && errors.Is(err, virt.ErrUnsupported):
			return name, false
		default:
			t.Fatalf("%s: %v", virt.KindOf(change), err)
		}
	}
	return name, true
}

// needsUnsupported gives the kind of change that a case begins with and that the
// platform cannot do, as it has to say.
func (r *runner) needsUnsupported(t *testing.T, c testCase) string {
	for _, f := range c.arrange {
		change := f(virt.On{Ref: virt.VMRef(r.Prefix + "ghost")})
		kind := virt.KindOf(change)
		if r.Unsupported[kind] == "" {
			continue
		}
		if err := r.p.Supports(change); !errors.Is(err, virt.ErrUnsupported) {
			t.Errorf("%s: %v; want ErrUnsupported", kind, err)
		}
		return kind
	}
	return ""
}

// unsupported gives the reason why the platform cannot do a case; empty when it
// can.
func (r *runner) unsupported(c testCase) string {
	if why := r.Unsupported[c.kind]; why != "" {
		return why
	}
	return r.Unsupported[c.kind+"/"+c.name]
}

// lasting is a context that serves a test's clean-up, too.
func lasting(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

func (r *runner) newName() string {
	r.n++
	return fmt.Sprintf("%s%d", r.Prefix, r.n)
}

// apply makes a change that a test builds upon.
func (r *runner) apply(t *testing.T, c virt.Change) {
	t.Helper()
	if _, err := r.p.Apply(lasting(t), c); err != nil {
		t.Fatalf("%s: %v", virt.KindOf(c), err)
	}
}

// remove takes a VM away after its test.
func (r *runner) remove(t *testing.T, name string) {
	ref := virt.VMRef(name)
	ctx, cancel := context.WithTimeout(lasting(t), time.Minute)
	defer cancel()
	r.p.Forget(ref)
	o, err := virt.Read(ctx, r.p, ref)
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
	if o == nil {
		return
	}
	if _, err := r.p.Apply(ctx, virt.DeleteVM{On: virt.On{Ref: ref, Before: o}, Volumes: true}); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

// look reads an object afresh, with all that there is to know; nil when it is
// not there.
func (r *runner) look(t *testing.T, ref virt.Ref) virt.Object {
	t.Helper()
	r.p.Forget(ref)
	o, err := virt.Read(lasting(t), r.p, ref)
	if err != nil {
		t.Fatal(err)
	}
	if vm, ok := o.(*virt.VM); ok {
		if err := r.p.DiskSizes(lasting(t), vm); err != nil {
			t.Fatal(err)
		}
		if r.drives {
			if err := r.p.Drives(lasting(t), vm); err != nil {
				t.Fatal(err)
			}
		}
	}
	return o
}

// again applies a change whose object is as wanted.
func (r *runner) again(t *testing.T, c testCase, ref virt.Ref, now virt.Object) {
	t.Helper()
	if c.kind == "create_vm" {
		return // a VM that is there is a clash, or one that has to be finished
	}
	writes := r.writes()
	out, err := r.p.Apply(t.Context(), c.change(virt.On{Ref: ref, Before: now}))
	if err != nil || out.Changed {
		t.Errorf("again: %+v, %v; want nothing to do", out, err)
	}
	if n := r.writes() - writes; n != 0 {
		t.Errorf("again: %d calls that write, want none", n)
	}
}

func (r *runner) writes() int {
	if r.Writes == nil {
		return 0
	}
	return r.Writes(r.p)
}

// missing applies the change to an object that is not there.
func (r *runner) missing(t *testing.T, c testCase) {
	t.Helper()
	ghost := virt.VMRef(r.Prefix + "ghost")
	if c.object != nil {
		ghost = c.object(ghost.Name)
	}
	if c.fresh || c.makes {
		return
	}
	out, err := r.p.Apply(t.Context(), c.change(virt.On{Ref: ghost}))
	switch {
	case c.absentIsDone && (err != nil || out.Changed):
		t.Errorf("of a missing object: %+v, %v; want nothing to do", out, err)
	case !c.absentIsDone && !errors.Is(err, virt.ErrNotFound):
		t.Errorf("on a missing object: %v, want ErrNotFound", err)
	}
}

// cancelled applies the change when nobody wants it any more.
func (r *runner) cancelled(t *testing.T, change virt.Change, before virt.Object) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	_, err := r.p.Apply(ctx, change)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v, want context.Canceled", err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("with a cancelled context it took %s", took)
	}
	for _, d := range r.differ(told(before), told(r.look(t, change.Object()))) {
		t.Errorf("with a cancelled context it changed: %s", d)
	}
}

// refuses wants ErrUnsupported, and that nothing happens to the VM.
func (r *runner) refuses(t *testing.T, c testCase, vm string, ref virt.Ref, why string) {
	t.Helper()
	before := r.look(t, virt.VMRef(vm))
	on := virt.On{Ref: ref}
	switch {
	case ref.Kind == virt.KindVM:
		on.Before = before
	case c.alone:
		on.Before = r.look(t, ref)
	}
	change := c.change(on)
	err := r.p.Supports(change)
	if err == nil {
		_, err = r.p.Apply(t.Context(), change)
	}
	if !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("%v; want ErrUnsupported, for %s", err, why)
	}
	for _, d := range r.differ(before, r.look(t, virt.VMRef(vm))) {
		t.Errorf("it was refused, and something changed: %s", d)
	}
}
