package createvm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nactl/nactl/modules/attachdisk"
	"github.com/nactl/nactl/modules/attachnic"
	"github.com/nactl/nactl/modules/power"
	"github.com/nactl/nactl/modules/setcpu"
	"github.com/nactl/nactl/modules/setvm"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Output is what create_vm gives.
type Output struct {
	Name    string           `json:"name"`
	ID      virt.Opt[string] `json:"id"`   // UUID
	Host    virt.Opt[string] `json:"host"` // where it is now
	MAC     virt.Opt[string] `json:"mac"`  // of the first NIC
	Created bool             `json:"created"`
}

// Spec describes create_vm.
var Spec = &step.Spec{
	Name:    "create_vm",
	Summary: "Makes a VM from an image, with its disks, network interfaces and first-boot settings, and keeps it as described",
	Doc: "On a VM that is there, only what is written is compared; arguments about the making (image, users, ssh_keys, run, …) are never changed later.\n" +
		"A VM whose making was interrupted is completed by running the step again.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.FetchImage{}, virt.CreateVM{}, virt.FinishVM{}, virt.SetCPU{}, virt.SetMemory{}, virt.SetVM{}, virt.Start{}, virt.Shutdown{}, virt.PowerOff{}, virt.Pause{}, virt.Suspend{}, virt.AttachDisk{}, virt.ResizeDisk{}, virt.AttachNIC{}, virt.ChangeNIC{}},
	Touches: virt.KindVM,
	Output:  Output{},
	Example: `- name: Web server
  create_vm:
    name: web-1
    image: debian-12
    cpu: {count: 2, max: 4}
    memory: 1GiB
    disks:
      - {name: root, size: 8GiB, boot: true}
      - {name: data, size: 20GiB, mount_point: /srv}
    nics:
      - {network: 2921-web, address: 10.0.0.11/24, gateway: 10.0.0.1}
    ssh_keys: ["{{ file('~/.ssh/id_ed25519.pub') }}"]
`,
}

// creationDefaults hold where neither the playbook nor the image says anything.
const (
	defaultCPUs   = 1
	defaultMemory = virt.GiB
)

// guestPatience is how long a guest has to power off when create_vm is to stop it.
const guestPatience = 2 * time.Minute

// Ensure makes the VM, completes it, or compares what is written with what is
// there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	env.Unfinished = true
	vm, err := env.VM(ctx, a.Name)
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		return step.Result{}, err
	}
	created := vm == nil || vm.Unfinished != ""
	if created {
		err = a.create(ctx, env, vm)
	} else {
		err = a.converge(ctx, env, vm)
	}
	if err != nil {
		return step.Result{}, err
	}
	return a.output(ctx, env, created)
}

func (a *Args) output(ctx context.Context, env *step.Env, created bool) (step.Result, error) {
	vm, err := env.VM(ctx, a.Name)
	if err != nil {
		return step.Result{}, err
	}
	out := Output{Name: vm.Name, ID: vm.ID, Host: vm.Host, Created: created}
	if len(vm.NICs) > 0 {
		out.MAC = vm.NICs[0].MAC
	}
	return step.Result{Output: out}, nil
}

// create makes the VM and starts it; the last change takes the unfinished mark
// away. before is nil, or what an interrupted run left.
func (a *Args) create(ctx context.Context, env *step.Env, before *virt.VM) error {
	// A VM is started only once it is complete, so a running one needs but the end.
	if before == nil || !before.State.IsLive() {
		change, err := a.creation(ctx, env)
		if err != nil {
			return err
		}
		change.On = virt.On{Ref: virt.VMRef(a.Name)}
		if before != nil {
			change.On = virt.OnVM(before)
		}
		if _, err := env.Apply(ctx, change); err != nil {
			return err
		}
	}
	state := virt.PowerState(a.State)
	if state == "" {
		state = virt.Running
	}
	if err := a.bring(ctx, env, state); err != nil {
		return err
	}
	vm, err := env.VM(ctx, a.Name)
	if err != nil {
		return err
	}
	_, err = env.Apply(ctx, virt.FinishVM{On: virt.OnVM(vm)})
	return err
}

func (a *Args) bring(ctx context.Context, env *step.Env, state virt.PowerState) error {
	vm, err := env.VM(ctx, a.Name)
	if err != nil {
		return err
	}
	return power.Bring(ctx, env, vm, state, power.Patience{Timeout: guestPatience})
}

// creation gathers what a new VM is to be, filling in the image's values and the
// defaults.
func (a *Args) creation(ctx context.Context, env *step.Env) (virt.CreateVM, error) {
	for _, key := range a.afterwards() {
		env.Warn(fmt.Sprintf("vm %s: %s is known only afterwards; the default stands in for it here", a.Name, key))
	}
	c := virt.CreateVM{
		Run: env.Run, Title: a.Title.Or(""), Description: a.Description.Or(""), Boot: setvm.Order(a.Boot.Or(nil)),
		Firmware: a.Firmware, Machine: a.Machine, Autostart: a.Autostart.Or(false), Metadata: a.Metadata,
		Host: a.Host.Opt, Placement: a.Placement, LibvirtXML: a.Libvirt.XML.Or(""),
		Cluster: a.Ovirt.Cluster, DataCentre: a.Ovirt.DataCentre, Ovirt: a.Ovirt.virt(),
	}
	var image virt.Image
	if a.madeFrom() != "" {
		src, err := a.source(env)
		if err != nil {
			return c, err
		}
		if env.Target.Kind != "engine" { // which makes VMs of templates alone, and says so
			if src, err = env.Fetched(ctx, src); err != nil {
				return c, err
			}
		}
		img, err := env.Platform.Image(ctx, src)
		if err != nil {
			return c, err
		}
		image, c.Image = *img, img
	}
	c.CPU, c.Memory = a.size(image)
	c.Disks = a.disks(image)
	for i, n := range a.NICs {
		spec := n.Spec()
		if spec.Name == "" {
			spec.Name = fmt.Sprintf("nic%d", i+1)
		}
		c.NICs = append(c.NICs, spec)
	}
	if a.CloudInit.Or(true) && a.madeFrom() != "" {
		c.CloudInit = a.seed()
	}
	return c, nil
}

// madeFrom names the image or template; empty where the VM is made from nothing.
func (a *Args) madeFrom() string { return cmp.Or(a.Ovirt.Template, a.Image) }

// source finds what the VM is made from on this target.
func (a *Args) source(env *step.Env) (virt.ImageSource, error) {
	if t := a.Ovirt.Template; t != "" {
		return virt.ImageSource{Name: t, Template: t}, nil
	}
	return env.Image(a.Image)
}

// afterwards names the sizes of a new VM that only the run will show.
func (a *Args) afterwards() []string {
	var out []string
	cpu, memory := a.CPU.Or(CPU{}), a.Memory.Or(Memory{})
	for _, f := range []struct {
		name    string
		unknown bool
	}{
		{"cpu", a.CPU.IsUnknown() || cpu.Count.IsUnknown() || cpu.Max.IsUnknown() || cpu.Topology.IsUnknown()},
		{"memory", a.Memory.IsUnknown() || memory.Current.IsUnknown() || memory.Max.IsUnknown()},
		{"the size of a disk", slices.ContainsFunc(a.Disks, func(d Disk) bool { return d.Size.IsUnknown() })},
	} {
		if f.unknown {
			out = append(out, f.name)
		}
	}
	return out
}

// size gives the CPUs and the memory of a new VM.
func (a *Args) size(image virt.Image) (virt.CPU, virt.Memory) {
	cpu, memory := a.CPU.Or(CPU{}), a.Memory.Or(Memory{})
	count := cpu.Count.Or(max(image.CPU.Count, 0))
	if count == 0 {
		count = defaultCPUs
	}
	c := virt.CPU{Count: count, Max: max(count, cpu.Max.Or(0), image.CPU.Max), Topology: virt.Topology(cpu.Topology.Or(setcpu.Topology{}))}
	if n, ok := cpu.Max.Get(); ok {
		c.Max = n
	}
	current := int64(memory.Current.Or(0))
	if current == 0 {
		current = int64(memory.Max.Or(0))
	}
	if current == 0 {
		current = image.Memory.Current
	}
	if current == 0 {
		current = defaultMemory
	}
	m := virt.Memory{Current: current, Max: max(current, int64(memory.Max.Or(0))), Guaranteed: int64(memory.Guaranteed.Or(0))}
	return c, m
}

// disks gives the disks of a new VM; an image brings a boot disk even where none
// is written.
func (a *Args) disks(image virt.Image) []virt.DiskSpec {
	var specs []virt.DiskSpec
	boot := slices.IndexFunc(a.Disks, func(d Disk) bool { return d.Boot })
	if boot < 0 && a.madeFrom() != "" {
		specs = append(specs, virt.DiskSpec{Name: "root", Boot: true, Sparse: true, Storage: image.Source.Storage, Format: image.Format, Size: image.Size})
	}
	for _, d := range a.Disks {
		spec := d.Spec()
		spec.Boot = d.Boot
		if spec.Boot && spec.Name == "" {
			spec.Name = "root"
		}
		if spec.Storage == "" {
			spec.Storage = image.Source.Storage
		}
		if spec.Boot && spec.Volume == "" {
			spec.Size = cmp.Or(spec.Size, image.Size)
			if spec.Format == "" {
				spec.Format = image.Format
			}
		}
		specs = append(specs, spec)
	}
	return specs
}

func (a *Args) seed() *virt.CloudInit {
	ci := &virt.CloudInit{Hostname: a.Hostname, SSHKeys: a.SSHKeys}
	for _, u := range a.Users {
		ci.Users = append(ci.Users, virt.GuestUser{
			Name: u.Name, Groups: u.Groups, Shell: u.Shell, Sudo: string(u.Sudo), SSHKeys: u.SSHKeys, PasswordHash: u.PasswordHash,
		})
	}
	for _, r := range a.Run {
		ci.Run = append(ci.Run, r.command())
	}
	return ci
}

// converge changes what differs from what is written.
func (a *Args) converge(ctx context.Context, env *step.Env, vm *virt.VM) error {
	if err := a.isIt(vm); err != nil {
		return err
	}
	for _, ensure := range []func(context.Context, *step.Env, *virt.VM) error{a.ensureCPU, a.ensureMemory, a.ensureSettings} {
		if err := ensure(ctx, env, vm); err != nil {
			return err
		}
		var err error
		if vm, err = env.VM(ctx, a.Name); err != nil {
			return err
		}
	}
	if err := a.ensureDevices(ctx, env); err != nil {
		return err
	}
	if a.State == "" {
		return nil
	}
	return a.bring(ctx, env, virt.PowerState(a.State))
}

// isIt refuses a VM that only has the name: what it boots from is not what is
// written here, and must be neither grown nor taken for it.
func (a *Args) isIt(vm *virt.VM) error {
	i := slices.IndexFunc(a.Disks, func(d Disk) bool { return d.Boot })
	if i < 0 {
		return nil
	}
	want, boot := a.Disks[i].Name, vm.BootDisk()
	found := "no disk that it boots from"
	if boot != nil {
		if want == "" || vm.Disk(want) == boot {
			return nil
		}
		found = fmt.Sprintf("boot disk %q", boot.Name)
		if boot.Volume != "" {
			found += " on volume " + boot.Storage + "/" + boot.Volume
		}
	}
	wanted := "a boot disk"
	if want != "" {
		wanted = fmt.Sprintf("boot disk %q", want)
	}
	if from := a.madeFrom(); from != "" {
		wanted += " made from image " + from
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: vm.Ref(), Summary: "is there, with other disks", Wanted: wanted, Found: found,
		Hint: "choose another name, delete that VM with delete_vm, or call its disk in disks what it is called"}
}

func (a *Args) ensureCPU(ctx context.Context, env *step.Env, vm *virt.VM) error {
	if !a.CPU.IsSet() {
		return nil
	}
	cpu := a.CPU.Or(CPU{})
	change := virt.SetCPU{On: virt.OnVM(vm), Count: cpu.Count.Opt, Max: cpu.Max.Opt, Topology: step.Map(cpu.Topology, setcpu.Topology.Virt)}
	if a.CPU.IsUnknown() {
		change.Count = virt.Unknown[int]()
	}
	_, err := env.Apply(ctx, change)
	return err
}

func (a *Args) ensureMemory(ctx context.Context, env *step.Env, vm *virt.VM) error {
	if !a.Memory.IsSet() {
		return nil
	}
	memory := a.Memory.Or(Memory{})
	change := virt.SetMemory{On: virt.OnVM(vm), Current: step.Bytes(memory.Current), Max: step.Bytes(memory.Max),
		Guaranteed: step.Bytes(memory.Guaranteed)}
	if a.Memory.IsUnknown() {
		change.Current = virt.Unknown[int64]()
	}
	_, err := env.Apply(ctx, change)
	return err
}

func (a *Args) ensureSettings(ctx context.Context, env *step.Env, vm *virt.VM) error {
	change := virt.SetVM{
		On: virt.OnVM(vm), Title: a.Title.Opt, Description: a.Description.Opt, Autostart: a.Autostart.Opt,
		Boot: step.Map(a.Boot, setvm.Order), Metadata: a.Metadata, LibvirtXML: a.Libvirt.XML.Opt,
	}
	if env.Platform.Type() != "libvirt" { // which leaves the section out of account at creation, too
		change.Tags, change.Ovirt = a.Ovirt.Tags.Edit(), setvm.Said(a.Ovirt.Settings())
	}
	_, err := env.Apply(ctx, change)
	return err
}

// ensureDevices attaches what is missing and grows what is too small. What the VM
// has beyond that stays.
func (a *Args) ensureDevices(ctx context.Context, env *step.Env) error {
	for _, d := range a.Disks {
		vm, err := env.VM(ctx, a.Name)
		if err != nil {
			return err
		}
		if d.Size.IsUnknown() {
			return &virt.Error{Kind: virt.ErrUndecided, Object: vm.Ref(), Summary: "the size of a disk is known only afterwards"}
		}
		spec := d.Spec()
		spec.Boot = d.Boot
		if d.Boot {
			spec.Volume = "" // the boot disk is the VM's own, whatever its volume is called
		}
		if err := attachdisk.Bring(ctx, env, vm, spec); err != nil {
			return err
		}
	}
	for i, n := range a.NICs {
		vm, err := env.VM(ctx, a.Name)
		if err != nil {
			return err
		}
		spec := n.Spec()
		if spec.Name == "" {
			spec.Name = fmt.Sprintf("nic%d", i+1)
		}
		if err := attachnic.Bring(ctx, env, vm, spec); err != nil {
			return err
		}
	}
	return nil
}
