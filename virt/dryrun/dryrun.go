// Package dryrun shows what changes would do without making them: a Platform
// that reads through to another one, and keeps every change in an overlay.
//
// A step that runs over it sees the changes of the steps before it, so it needs
// no notion of a check mode; and since the overlay holds the only Apply that is
// called, nothing can be written. What cannot be known without making the change
// is virt.ErrUndecided. A Platform is safe for concurrent use.
package dryrun

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nactl/nactl/virt"
)

// Platform is an overlay over another platform.
type Platform struct {
	inner virt.Platform

	mu        sync.Mutex
	objects   map[virt.Ref]virt.Object // what a change left; nil for what it removed
	booting   map[string]bool          // VMs whose guest nobody can ask: made, started or stopped here
	maybe     map[virt.Ref]bool        // what an undecided step may have touched; without a name: all of the kind
	snapshots map[string]*snapshots    // what changes made of a VM's, by its name
	renamed   map[string]string        // by the name of a VM: the one that it has underneath
	locks     virt.Locks               // held from reading an object to keeping what becomes of it
}

var _ virt.Platform = (*Platform)(nil)

// New gives an overlay without changes. Closing it leaves inner open.
func New(inner virt.Platform) *Platform {
	return &Platform{inner: inner, objects: map[virt.Ref]virt.Object{}, booting: map[string]bool{},
		maybe: map[virt.Ref]bool{}, snapshots: map[string]*snapshots{}, renamed: map[string]string{}}
}

// Type names the platform underneath.
func (p *Platform) Type() string { return p.inner.Type() }

// Close does nothing: the platform underneath belongs to somebody else.
func (p *Platform) Close() error { return nil }

// Supports asks the platform underneath.
func (p *Platform) Supports(c virt.Change) error { return p.inner.Supports(c) }

// Predict asks the platform underneath.
func (p *Platform) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	after, out, err := p.inner.Predict(before, c)
	return after, out, p.undecided(c.Object(), err)
}

// Check lets the platform underneath look for obstacles, through view.
func (p *Platform) Check(ctx context.Context, view virt.Reader, c virt.Change) error {
	return p.undecided(c.Object(), p.inner.Check(ctx, view, c))
}

// Apply predicts the change and keeps the prediction. Nothing is sent.
func (p *Platform) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if ctx.Err() != nil {
		return virt.Outcome{}, context.Cause(ctx)
	}
	if err := p.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	// One change at a time is predicted for an object, or the later of two would
	// overwrite the other's.
	unlock, err := p.locks.Lock(ctx, virt.Touched(c)...)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	now, err := virt.ReadFor(ctx, p, c)
	if err != nil {
		return virt.Outcome{}, err
	}
	after, out, err := virt.Decide(p, now, c)
	if err != nil {
		return virt.Outcome{}, err
	}
	if !out.Changed {
		return out, nil
	}
	if err := p.Check(ctx, p, c); err != nil {
		return virt.Outcome{}, err
	}
	if ref := c.Object(); ref.Kind == virt.KindSnapshot {
		vm, err := p.VM(ctx, ref.Scope)
		if err != nil {
			return virt.Outcome{}, err
		}
		p.keepSnapshot(vm, now, after)
		return out, nil
	}
	p.keep(c, after)
	return out, nil
}

func (p *Platform) keep(c virt.Change, after virt.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ref := c.Object().Key()
	switch c := c.(type) {
	case virt.CreateVM, virt.DeleteVM, virt.Start, virt.Shutdown, virt.PowerOff, virt.Pause, virt.Suspend, virt.Reboot, virt.Reset:
		p.booting[ref.Name] = true
	case virt.RevertSnapshot:
		p.revert(c)
	case virt.RenameVM:
		p.rename(ref, c.Renamed().Key(), after)
		return
	}
	if _, ok := c.(virt.DeleteVM); ok {
		p.snapshots[ref.Name] = &snapshots{gone: true}
		delete(p.renamed, ref.Name)
		maps.DeleteFunc(p.objects, func(r virt.Ref, _ virt.Object) bool {
			return (r.Kind == virt.KindGuestFile || r.Kind == virt.KindSSHKeys) && r.Scope == ref.Name
		})
	}
	if c.Nature() == virt.Converge {
		p.objects[ref] = after
	}
}

// MarkMaybe says that an undecided step may have touched these objects: what is
// then missing or in the way is no error, but decided at run time. A reference
// without a name stands for all objects of its kind.
func (p *Platform) MarkMaybe(refs ...virt.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range refs {
		p.maybe[r.Key()] = true
	}
}

// undecided turns an error that an undecided step may have removed into
// ErrUndecided.
func (p *Platform) undecided(ref virt.Ref, err error) error {
	if !errors.Is(err, virt.ErrNotFound) && !errors.Is(err, virt.ErrConflict) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var e *virt.Error
	if p.isMaybe(ref) || errors.As(err, &e) && p.isMaybe(e.Object) {
		return &virt.Error{Kind: virt.ErrUndecided, Object: ref, Summary: "an earlier step decides at run time what becomes of it"}
	}
	return err
}

// isMaybe tells whether an undecided step may have touched an object. p.mu is held.
func (p *Platform) isMaybe(ref virt.Ref) bool {
	return p.maybe[ref.Key()] || p.maybe[virt.Ref{Kind: ref.Kind, Name: ref.Name}] || p.maybe[virt.Ref{Kind: ref.Kind}]
}

// changed gives what the overlay has for an object.
func (p *Platform) changed(ref virt.Ref) (virt.Object, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.objects[ref.Key()]
	return o, ok
}

// read gives an object from the overlay, else from the platform underneath.
func read[T virt.Object](p *Platform, ref virt.Ref, inner func() (T, error)) (T, error) {
	var none T
	if o, ok := p.changed(ref); ok {
		if o == nil {
			return none, p.undecided(ref, virt.NotFound(ref, "an earlier step removes it"))
		}
		return o.Clone().(T), nil
	}
	o, err := inner()
	return o, p.undecided(ref, err)
}

// list gives all objects of a kind: those underneath with the overlay's changes,
// then those that only the overlay has, by name.
func list[T virt.Object](p *Platform, kind virt.Kind, scope string, inner func() ([]T, error)) ([]T, error) {
	below, err := inner()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []T
	seen := map[virt.Ref]bool{}
	for _, o := range below {
		ref := o.Ref().Key()
		seen[ref] = true
		switch mine, ok := p.objects[ref]; {
		case !ok:
			out = append(out, o)
		case mine != nil:
			out = append(out, mine.Clone().(T))
		}
	}
	var added []T
	for ref, o := range p.objects {
		if ref.Kind == kind && ref.Scope == scope && o != nil && !seen[ref] {
			added = append(added, o.Clone().(T))
		}
	}
	slices.SortFunc(added, func(a, b T) int { return strings.Compare(a.Ref().Name, b.Ref().Name) })
	return append(out, added...), nil
}

// VM reads one VM.
func (p *Platform) VM(ctx context.Context, name string) (*virt.VM, error) {
	return read(p, virt.VMRef(name), func() (*virt.VM, error) { return p.inner.VM(ctx, name) })
}

// VMs reads all VMs.
func (p *Platform) VMs(ctx context.Context) ([]*virt.VM, error) {
	return list(p, virt.KindVM, "", func() ([]*virt.VM, error) { return p.inner.VMs(ctx) })
}

// DiskSizes reads the sizes that no change has decided.
func (p *Platform) DiskSizes(ctx context.Context, vm *virt.VM) error {
	as := vm.Clone().(*virt.VM)
	as.Name = p.below(vm.Name)
	_, err := p.inner.VM(ctx, as.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return nil // made here, with the sizes that it was made with
	}
	if err != nil {
		return err
	}
	err = p.inner.DiskSizes(ctx, as)
	vm.Disks = as.Disks
	return err
}

// Drives reads the CD drives that no change has decided.
func (p *Platform) Drives(ctx context.Context, vm *virt.VM) error {
	as := vm.Clone().(*virt.VM)
	as.Name = p.below(vm.Name)
	err := p.inner.Drives(ctx, as)
	vm.Disks = as.Disks
	return err
}

// Network reads one network.
func (p *Platform) Network(ctx context.Context, name string) (*virt.Network, error) {
	return read(p, virt.NetworkRef(name), func() (*virt.Network, error) { return p.inner.Network(ctx, name) })
}

// Networks reads all networks.
func (p *Platform) Networks(ctx context.Context) ([]*virt.Network, error) {
	return list(p, virt.KindNetwork, "", func() ([]*virt.Network, error) { return p.inner.Networks(ctx) })
}

// Volume reads one volume.
func (p *Platform) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	ref := virt.VolumeRef(storage, name)
	v, err := read(p, p.known(ref), func() (*virt.Volume, error) { return p.inner.Volume(ctx, storage, name) })
	if err == nil {
		v.Storage = storage
	}
	if errors.Is(err, virt.ErrNotFound) && p.made(virt.StorageRef(storage)) {
		err = virt.NotFound(ref, "an earlier step makes its pool")
	}
	return v, err
}

// VolumeSum takes the checksum of a volume that no change has touched; of another
// it is known already, or not at all.
func (p *Platform) VolumeSum(ctx context.Context, v *virt.Volume, length int64) error {
	if _, ok := p.changed(p.known(v.Ref())); ok {
		return nil
	}
	return p.inner.VolumeSum(ctx, v, length)
}

// ReadVolume reads a volume that no change has touched.
func (p *Platform) ReadVolume(ctx context.Context, storage, name string, into virt.Sink) error {
	ref := virt.VolumeRef(storage, name)
	if _, ok := p.changed(p.known(ref)); ok {
		return &virt.Error{Kind: virt.ErrUndecided, Object: ref, Summary: "an earlier step makes it"}
	}
	return p.inner.ReadVolume(ctx, storage, name, into)
}

// known gives the name by which the overlay has what belongs to a pool: that of the
// pool on one host, or that of the pool wherever it is.
func (p *Platform) known(ref virt.Ref) virt.Ref {
	if _, ok := p.changed(ref); ok {
		return ref
	}
	plain := ref
	if ref.Kind == virt.KindStorage {
		_, plain.Name = virt.HostOf(ref.Name)
	} else {
		_, plain.Scope = virt.HostOf(ref.Scope)
	}
	if _, ok := p.changed(plain); ok {
		return plain
	}
	return ref
}

// made tells whether a change makes a pool.
func (p *Platform) made(ref virt.Ref) bool {
	o, ok := p.changed(p.known(ref))
	return ok && o != nil
}

// Volumes reads the volumes of a storage.
func (p *Platform) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	return list(p, virt.KindVolume, storage, func() ([]*virt.Volume, error) {
		all, err := p.inner.Volumes(ctx, storage)
		if errors.Is(err, virt.ErrNotFound) && p.made(virt.StorageRef(storage)) {
			return nil, nil
		}
		return all, err
	})
}

// Storage reads one storage.
func (p *Platform) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	ref := virt.StorageRef(name)
	s, err := read(p, p.known(ref), func() (*virt.Storage, error) { return p.inner.Storage(ctx, name) })
	if err != nil {
		return nil, err
	}
	s.Name = name
	if host, _ := virt.HostOf(name); host != "" && !slices.Contains(s.Hosts, host) {
		return nil, virt.NotFound(ref, "make it there with create_pool")
	}
	return s, nil
}

// Storages reads all storages.
func (p *Platform) Storages(ctx context.Context) ([]*virt.Storage, error) {
	return list(p, virt.KindStorage, "", func() ([]*virt.Storage, error) { return p.inner.Storages(ctx) })
}

// Image reads an image.
func (p *Platform) Image(ctx context.Context, src virt.ImageSource) (*virt.Image, error) {
	return p.inner.Image(ctx, src)
}

// Host reads one host.
func (p *Platform) Host(ctx context.Context, name string) (*virt.Host, error) {
	return read(p, virt.Ref{Kind: virt.KindHost, Name: name}, func() (*virt.Host, error) { return p.inner.Host(ctx, name) })
}

// Hosts reads all hosts.
func (p *Platform) Hosts(ctx context.Context) ([]*virt.Host, error) {
	return list(p, virt.KindHost, "", func() ([]*virt.Host, error) { return p.inner.Hosts(ctx) })
}

// AffinityGroup reads one affinity group.
func (p *Platform) AffinityGroup(ctx context.Context, cluster, name string) (*virt.AffinityGroup, error) {
	return read(p, virt.AffinityRef(cluster, name), func() (*virt.AffinityGroup, error) {
		g, err := p.inner.AffinityGroup(ctx, cluster, name)
		if err == nil {
			p.current(g)
		}
		return g, err
	})
}

// guest tells whether the guest in a VM can be asked.
func (p *Platform) guest(ctx context.Context, vm string) error {
	p.mu.Lock()
	booting, maybe := p.booting[vm], p.isMaybe(virt.VMRef(vm))
	p.mu.Unlock()
	if !booting && !maybe {
		return nil
	}
	if _, err := p.VM(ctx, vm); err != nil {
		return err
	}
	summary := "an earlier step starts or stops its guest"
	if !booting {
		summary = "an earlier step decides at run time what becomes of it"
	}
	return &virt.Error{Kind: virt.ErrUndecided, Object: virt.VMRef(vm), Summary: summary}
}

// GuestInfo asks the guest, unless an earlier change decides whether it runs.
func (p *Platform) GuestInfo(ctx context.Context, vm string) (*virt.GuestInfo, error) {
	if err := p.guest(ctx, vm); err != nil {
		return nil, err
	}
	return p.inner.GuestInfo(ctx, p.below(vm))
}

// GuestFile looks into the guest, unless an earlier change decides whether it
// runs.
func (p *Platform) GuestFile(ctx context.Context, vm, path string, limit int64) (*virt.GuestFile, error) {
	ref := virt.Ref{Kind: virt.KindGuestFile, Scope: vm, Name: path}
	return read(p, ref, func() (*virt.GuestFile, error) {
		if err := p.guest(ctx, vm); err != nil {
			return nil, err
		}
		f, err := p.inner.GuestFile(ctx, p.below(vm), path, limit)
		if err == nil {
			f.VM = vm
		}
		return f, err
	})
}

// SSHKeys reads a user's keys, unless an earlier change decides whether the guest
// runs.
func (p *Platform) SSHKeys(ctx context.Context, vm, user string) (*virt.SSHKeys, error) {
	return read(p, virt.SSHKeysRef(vm, user), func() (*virt.SSHKeys, error) {
		if err := p.guest(ctx, vm); err != nil {
			return nil, err
		}
		k, err := p.inner.SSHKeys(ctx, p.below(vm), user)
		if err == nil {
			k.VM = vm
		}
		return k, err
	})
}

// GuestProbe asks the guest, unless an earlier change decides whether it runs.
func (p *Platform) GuestProbe(ctx context.Context, vm string, c virt.Command) (*virt.CommandResult, error) {
	if err := p.guest(ctx, vm); err != nil {
		return nil, err
	}
	return p.inner.GuestProbe(ctx, p.below(vm), c)
}

// GuestPort asks the guest, unless an earlier change decides whether it runs.
func (p *Platform) GuestPort(ctx context.Context, vm string, port int) (string, error) {
	if err := p.guest(ctx, vm); err != nil {
		return "", err
	}
	return p.inner.GuestPort(ctx, p.below(vm), port)
}

// HostProbe asks the host.
func (p *Platform) HostProbe(ctx context.Context, c virt.HostExec) (*virt.CommandResult, error) {
	return p.inner.HostProbe(ctx, c)
}

// HostFacts asks the host.
func (p *Platform) HostFacts(ctx context.Context, host string) (*virt.HostFacts, error) {
	return p.inner.HostFacts(ctx, host)
}

// HostVLANs reads the VLAN interfaces of a host.
func (p *Platform) HostVLANs(ctx context.Context, host string) ([]*virt.HostVLAN, error) {
	return list(p, virt.KindHostVLAN, host, func() ([]*virt.HostVLAN, error) {
		all, err := p.inner.HostVLANs(ctx, host)
		return all, err
	})
}

// Forget makes the platform underneath read afresh; the overlay stays.
func (p *Platform) Forget(refs ...virt.Ref) { p.inner.Forget(refs...) }

// Watch gives nothing: a dry run looks once and never waits.
func (p *Platform) Watch(context.Context, string) <-chan struct{} { return nil }
