package virttest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/nactl/nactl/virt"
)

// Memory is a platform that holds its objects in memory and predicts by
// virt.Rules: what steps and the runner are tested against where no hypervisor is
// needed. It keeps the whole contract of virt.Platform, so a test that passes over
// it says something about real ones. It is safe for concurrent use; the exported
// functions are set before its first use.
type Memory struct {
	Rules virt.Rules

	// Before is asked before each Apply; an error is what Apply then returns.
	Before func(ctx context.Context, c virt.Change) error
	// After is asked once a change is made; an error is what Apply then returns, as
	// when its reply was lost.
	After func(c virt.Change) error
	// Settle gives what stands in the store after a change, where a test wants
	// another object than the predicted one.
	Settle func(c virt.Change, after virt.Object) virt.Object
	// Exec answers GuestExec and GuestProbe, and HostExec and HostProbe with the name
	// of the host; nil: every command ends with 0.
	Exec func(vm string, c virt.Command) (*virt.CommandResult, error)
	// Port answers GuestPort; nil: nobody listens.
	Port func(vm string, port int) (string, error)
	// Guest answers GuestInfo; nil: no agent answers.
	Guest func(vm string) (*virt.GuestInfo, error)
	// Unreachable, once set, is what every read and change returns.
	Unreachable error

	mu       sync.Mutex
	objects  map[virt.Ref]virt.Object
	applied  []virt.Change
	saved    map[virt.Ref]*virt.VM // what snapshots hold
	contents map[virt.Ref][]byte   // of volumes
	forgot   int
	made     int
}

var (
	_ virt.Platform = (*Memory)(nil)
	_ virt.Counter  = (*Memory)(nil)
)

// NewMemory makes a platform that holds these objects.
func NewMemory(objects ...virt.Object) *Memory {
	m := &Memory{objects: map[virt.Ref]virt.Object{}, saved: map[virt.Ref]*virt.VM{}, contents: map[virt.Ref][]byte{}, Rules: virt.Rules{Created: created}}
	for _, o := range objects {
		m.Put(o)
	}
	return m
}

// created keeps what a playbook says of engines.
func created(c virt.CreateVM, vm *virt.VM) {
	if c.Ovirt != nil {
		settings := c.Ovirt.OvirtSettings
		vm.Ovirt, vm.Tags = &settings, virt.TagEdit{Add: c.Ovirt.Tags}.Of(nil)
	}
}

// Put stores an object as another program would, past Apply.
func (m *Memory) Put(o virt.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[o.Ref().Key()] = o.Clone()
}

// Applied gives the changes that came to Apply and changed something, in order.
func (m *Memory) Applied() []virt.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.applied)
}

// Kinds names the changes of Applied, separated by spaces.
func (m *Memory) Kinds() string {
	var out []string
	for _, c := range m.Applied() {
		out = append(out, virt.KindOf(c))
	}
	return strings.Join(out, " ")
}

// Forgotten gives how often Forget was called.
func (m *Memory) Forgotten() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forgot
}

// Type implements virt.Platform.
func (m *Memory) Type() string { return "memory" }

// Close implements virt.Platform.
func (m *Memory) Close() error { return nil }

// Stats counts the changes that were made.
func (m *Memory) Stats() virt.Stats { return virt.Stats{Calls: len(m.Applied())} }

// Supports knows every change that virt predicts for a platform.
func (m *Memory) Supports(c virt.Change) error {
	if _, ok := c.(virt.LocalExec); ok {
		return virt.Unsupported("a platform in memory", c, "use the controller")
	}
	return nil
}

// Check finds nothing in the way but VMs that have a volume, and a host that is not
// there.
func (m *Memory) Check(ctx context.Context, view virt.Reader, c virt.Change) error {
	if _, ok := c.(virt.HostExec); ok {
		_, err := view.Host(ctx, c.Object().Name)
		return err
	}
	if r, ok := c.(virt.RenameVM); ok {
		if _, err := view.VM(ctx, r.Ref.Name); err != nil {
			return nil // that is Predict's to say
		}
		return virt.CheckRename(ctx, view, r)
	}
	if _, ok := c.(virt.DeleteVolume); !ok {
		return nil
	}
	vms, err := view.VMs(ctx)
	for _, vm := range vms {
		for _, k := range vm.Disks {
			if virt.VolumeRef(k.Storage, k.Volume).Same(c.Object()) {
				return &virt.Error{Kind: virt.ErrConflict, Object: c.Object(), Summary: "is in use and cannot be deleted", Found: vm.Ref().String()}
			}
		}
	}
	return err
}

// Predict goes by the rules.
func (m *Memory) Predict(before virt.Object, c virt.Change) (virt.Object, virt.Outcome, error) {
	return m.Rules.Predict(before, c)
}

// Apply makes a change in the store. What the prediction leaves unknown is known
// from then on.
func (m *Memory) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := m.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	if err := m.down(ctx); err != nil {
		return virt.Outcome{}, err
	}
	if m.Before != nil {
		if err := m.Before(ctx, c); err != nil {
			return virt.Outcome{}, err
		}
	}
	ref := c.Object().Key()
	if owner := ref.Owner(); owner != ref {
		if _, err := m.VM(ctx, owner.Name); err != nil {
			return virt.Outcome{}, err
		}
	}
	if err := m.Check(ctx, m, c); err != nil {
		return virt.Outcome{}, err
	}
	out, err := m.change(ref, c)
	var cmd *virt.Command
	switch c := c.(type) {
	case virt.GuestExec:
		cmd = &c.Command
	case virt.HostExec:
		cmd = &c.Command
	}
	if cmd != nil && err == nil {
		r, err := m.run(ref.Name, *cmd)
		if err != nil {
			return virt.Outcome{}, err
		}
		out.Result = r
	}
	if err == nil && out.Changed && m.After != nil {
		err = m.After(c)
	}
	return out, err
}

func (m *Memory) change(ref virt.Ref, c virt.Change) (virt.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.objects[ref]
	if r, ok := c.(virt.RenameVM); ok && now == nil {
		now = m.objects[r.Renamed().Key()]
	}
	after, out, err := virt.Decide(m, now, c)
	if err != nil || !out.Changed {
		return out, err
	}
	if revert, ok := c.(virt.RevertSnapshot); ok {
		if after, err = m.revert(revert); err != nil {
			return virt.Outcome{}, err
		}
		m.objects[ref] = after
	}
	if up, ok := c.(virt.UploadVolume); ok {
		if m.contents[ref], err = os.ReadFile(up.Source.Path); err != nil {
			return virt.Outcome{}, err
		}
	}
	m.applied = append(m.applied, c)
	if c.Nature() == virt.Action {
		return out, nil
	}
	after = m.known(after)
	if m.Settle != nil {
		after = m.Settle(c, after)
	}
	if r, ok := c.(virt.RenameVM); ok {
		delete(m.objects, ref)
		ref = r.Renamed().Key()
	}
	if after == nil {
		delete(m.objects, ref)
	} else {
		m.objects[ref] = after.Clone()
	}
	return out, nil
}

// known fills in what only a real platform would know.
func (m *Memory) known(o virt.Object) virt.Object {
	m.made++
	if s, ok := o.(*virt.Snapshot); ok {
		return m.take(s)
	}
	if v, ok := o.(*virt.Volume); ok && v.Path.IsUnknown() {
		v.Path = virt.Some("/pool/" + v.Name)
	}
	if v, ok := o.(*virt.HostVLAN); ok && v.Tool.IsUnknown() {
		v.Tool = virt.Some("ifupdown")
	}
	vm, ok := o.(*virt.VM)
	if !ok {
		return o
	}
	if vm.ID.IsUnknown() {
		vm.ID = virt.Some(fmt.Sprintf("00000000-0000-0000-0000-%012d", m.made))
	}
	if vm.Host.IsUnknown() {
		vm.Host = virt.Some("h1")
	}
	for i := range vm.NICs {
		if vm.NICs[i].MAC.IsUnknown() {
			vm.NICs[i].MAC = virt.Some(fmt.Sprintf("52:54:00:00:%02x:%02x", m.made%256, i))
		}
	}
	for i := range vm.Disks {
		k := &vm.Disks[i]
		if k.Path.IsUnknown() {
			k.Path = virt.Some("/pool/" + vm.Name + "-" + k.Name)
		}
	}
	return vm
}

func (m *Memory) run(vm string, c virt.Command) (*virt.CommandResult, error) {
	if m.Exec == nil {
		return &virt.CommandResult{}, nil
	}
	return m.Exec(vm, c)
}

func (m *Memory) down(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.Unreachable
}

// get reads one object.
func get[T virt.Object](ctx context.Context, m *Memory, ref virt.Ref) (T, error) {
	var none T
	if err := m.down(ctx); err != nil {
		return none, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[ref.Key()]
	if !ok {
		return none, virt.NotFound(ref, "")
	}
	return o.Clone().(T), nil
}

// all reads the objects of a kind, by name.
func all[T virt.Object](ctx context.Context, m *Memory, kind virt.Kind, scope string) ([]T, error) {
	if err := m.down(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []T
	for ref, o := range m.objects {
		if ref.Kind == kind && ref.Scope == scope {
			out = append(out, o.Clone().(T))
		}
	}
	slices.SortFunc(out, func(a, b T) int { return strings.Compare(a.Ref().Name, b.Ref().Name) })
	return out, nil
}

// VM implements virt.Reader.
func (m *Memory) VM(ctx context.Context, name string) (*virt.VM, error) {
	return get[*virt.VM](ctx, m, virt.VMRef(name))
}

// VMs implements virt.Reader.
func (m *Memory) VMs(ctx context.Context) ([]*virt.VM, error) {
	return all[*virt.VM](ctx, m, virt.KindVM, "")
}

// DiskSizes has nothing to do: sizes stand in the store.
func (m *Memory) DiskSizes(ctx context.Context, _ *virt.VM) error { return m.down(ctx) }

// Drives has nothing to do: they stand in the store.
func (m *Memory) Drives(ctx context.Context, _ *virt.VM) error { return m.down(ctx) }

// Network implements virt.Reader.
func (m *Memory) Network(ctx context.Context, name string) (*virt.Network, error) {
	return get[*virt.Network](ctx, m, virt.NetworkRef(name))
}

// Networks implements virt.Reader.
func (m *Memory) Networks(ctx context.Context) ([]*virt.Network, error) {
	return all[*virt.Network](ctx, m, virt.KindNetwork, "")
}

// Storage implements virt.Reader.
func (m *Memory) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	return get[*virt.Storage](ctx, m, virt.Ref{Kind: virt.KindStorage, Name: name})
}

// Storages implements virt.Reader.
func (m *Memory) Storages(ctx context.Context) ([]*virt.Storage, error) {
	return all[*virt.Storage](ctx, m, virt.KindStorage, "")
}

// Volume implements virt.Reader.
func (m *Memory) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	return get[*virt.Volume](ctx, m, virt.VolumeRef(storage, name))
}

// Volumes implements virt.Reader.
func (m *Memory) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	return all[*virt.Volume](ctx, m, virt.KindVolume, storage)
}

// VolumeSum has nothing to do: what is known stands in the store.
func (m *Memory) VolumeSum(ctx context.Context, _ *virt.Volume, _ int64) error { return m.down(ctx) }

// ReadVolume reads the file that was uploaded; of another volume, zeros.
func (m *Memory) ReadVolume(ctx context.Context, storage, name string, into virt.Sink) error {
	v, err := m.Volume(ctx, storage, name)
	if err != nil {
		return err
	}
	m.mu.Lock()
	text, ok := m.contents[v.Ref()]
	m.mu.Unlock()
	if !ok {
		return into.Hole(v.Size)
	}
	_, err = into.Write(text)
	return err
}

// Image implements virt.Reader.
func (m *Memory) Image(ctx context.Context, src virt.ImageSource) (*virt.Image, error) {
	return get[*virt.Image](ctx, m, virt.Ref{Kind: virt.KindImage, Name: src.Name})
}

// Host implements virt.Reader.
func (m *Memory) Host(ctx context.Context, name string) (*virt.Host, error) {
	return get[*virt.Host](ctx, m, virt.Ref{Kind: virt.KindHost, Name: name})
}

// Hosts implements virt.Reader.
func (m *Memory) Hosts(ctx context.Context) ([]*virt.Host, error) {
	return all[*virt.Host](ctx, m, virt.KindHost, "")
}

// AffinityGroup implements virt.Reader.
func (m *Memory) AffinityGroup(ctx context.Context, cluster, name string) (*virt.AffinityGroup, error) {
	return get[*virt.AffinityGroup](ctx, m, virt.AffinityRef(cluster, name))
}

// GuestInfo implements virt.Reader.
func (m *Memory) GuestInfo(ctx context.Context, vm string) (*virt.GuestInfo, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	if m.Guest == nil {
		return &virt.GuestInfo{Agent: virt.AgentDisconnected}, nil
	}
	return m.Guest(vm)
}

// GuestFile implements virt.Reader.
func (m *Memory) GuestFile(ctx context.Context, vm, path string, _ int64) (*virt.GuestFile, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	return get[*virt.GuestFile](ctx, m, virt.Ref{Kind: virt.KindGuestFile, Scope: vm, Name: path})
}

// SSHKeys implements virt.Reader: a user is there whose keys were Put.
func (m *Memory) SSHKeys(ctx context.Context, vm, user string) (*virt.SSHKeys, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	return get[*virt.SSHKeys](ctx, m, virt.SSHKeysRef(vm, user))
}

// GuestProbe implements virt.Reader.
func (m *Memory) GuestProbe(ctx context.Context, vm string, c virt.Command) (*virt.CommandResult, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return nil, err
	}
	return m.run(vm, c)
}

// GuestPort implements virt.Reader.
func (m *Memory) GuestPort(ctx context.Context, vm string, port int) (string, error) {
	if _, err := m.VM(ctx, vm); err != nil {
		return "", err
	}
	if m.Port == nil {
		return "", &virt.Error{Kind: virt.ErrAgent, Object: virt.VMRef(vm), Summary: fmt.Sprintf("nobody listens on port %d", port)}
	}
	return m.Port(vm, port)
}

// HostProbe implements virt.Reader.
func (m *Memory) HostProbe(ctx context.Context, c virt.HostExec) (*virt.CommandResult, error) {
	if err := m.down(ctx); err != nil {
		return nil, err
	}
	return m.run(c.Ref.Name, c.Command)
}

// HostFacts implements virt.Reader.
func (m *Memory) HostFacts(ctx context.Context, host string) (*virt.HostFacts, error) {
	h, err := m.Host(ctx, host)
	if err != nil {
		return nil, err
	}
	return &virt.HostFacts{Name: h.Name, State: h.State, Address: h.Address, CPU: virt.HostCPU{Count: h.CPUs},
		Memory: virt.HostMemory{Total: h.Memory, Free: h.FreeMemory}, VMs: virt.Some(h.VMs)}, nil
}

// HostVLANs implements virt.Reader.
func (m *Memory) HostVLANs(ctx context.Context, host string) ([]*virt.HostVLAN, error) {
	return all[*virt.HostVLAN](ctx, m, virt.KindHostVLAN, host)
}

// Forget counts: every read is fresh.
func (m *Memory) Forget(...virt.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgot++
}

// Watch gives no signals.
func (m *Memory) Watch(context.Context, string) <-chan struct{} { return nil }
