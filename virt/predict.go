package virt

import (
	"fmt"
	"maps"
	"slices"
)

// Rules are what differs between platforms when a change is predicted. A nil
// function means that nothing stands in the way.
type Rules struct {
	// LiveCPU tells why the CPUs of a running VM cannot become want at once; empty
	// when they can. That want.Count is over the running maximum is known already.
	LiveCPU func(vm *VM, want CPU) string
	// LiveMemory does the same for memory.
	LiveMemory func(vm *VM, want Memory) string
	// NextRun tells why a running VM takes a setting of SetVM over only at its next
	// start, by its path; empty when it does so at once.
	NextRun func(path string) string
	// Created fills in what the platform gives a new VM by itself.
	Created func(c CreateVM, vm *VM)
	// Attached does the same for a disk that a VM is given later.
	Attached func(vm *VM, k *Disk)
	// LiveNIC tells why a running VM cannot have an interface as wanted at once, save
	// for its link.
	LiveNIC func(vm *VM, nic string, want NICState) string
	// NewDrive fills in where a CD drive goes that a VM is given, and tells why a
	// running VM cannot have it at once.
	NewDrive func(vm *VM, k *Disk) string
	// VolumeAt gives the volume that has a path; empty for none.
	VolumeAt func(path string) (storage, volume string)
	// Portgroups: what follows a slash in the name of a network is one of its
	// portgroups, and a NIC's Profile.
	Portgroups bool
	// Overlay merges a playbook's own XML into a VM's definition. nil means that the
	// platform has no such thing.
	Overlay func(vm *VM, overlay string) (merged string, changed bool, err error)
	// Refuse gives the reason why the platform never makes this change to this
	// object; nil when it does.
	Refuse func(before Object, c Change) error
}

// Predict implements Applier.Predict for every change of this package, by the
// rules of one platform. It is pure.
func (r Rules) Predict(before Object, c Change) (Object, Outcome, error) {
	if r.Refuse != nil {
		if err := r.Refuse(before, c); err != nil {
			return nil, Outcome{}, err
		}
	}
	switch c := c.(type) {
	case CreateVM:
		return r.createVM(before, c)
	case DeleteVM:
		return deleted(before, c.Ref)
	case CreateNetwork:
		return createNetwork(before, c)
	case DeleteNetwork:
		return deleteNetwork(before, c)
	case CreateHostVLAN:
		return createHostVLAN(before, c)
	case DeleteHostVLAN:
		return deleted(before, c.Ref)
	case HostMaintenance, HostActivate:
		return changeHost(before, c)
	case SetAffinity:
		return setAffinity(before, c)
	case DeleteAffinity:
		return deleted(before, c.Ref)
	case CreateVolume:
		return createVolume(before, c)
	case CloneVolume:
		return cloneVolume(before, c)
	case ResizeVolume:
		return resizeVolume(before, c)
	case UploadVolume:
		return uploadVolume(before, c)
	case DeleteVolume:
		return deleted(before, c.Ref)
	case CreatePool:
		return createPool(before, c)
	case StartPool:
		return changePool(before, c, true, c.Autostart)
	case StopPool:
		return changePool(before, c, false, c.Autostart)
	case DeletePool:
		return deletePool(before, c)
	case GuestWrite:
		return guestWrite(before, c)
	case SetSSHKeys:
		return setSSHKeys(before, c)
	case CreateSnapshot:
		return createSnapshot(before, c)
	case DeleteSnapshot:
		return deleteSnapshot(before, c)
	case LocalExec, HostExec:
		return before, Outcome{Changed: true}, nil
	case LocalWrite:
		return localWrite(before, c)
	case FetchImage:
		return fetchImage(before, c)
	case LocalDelete:
		return deleted(before, c.Ref)
	case DownloadVolume:
		return downloadVolume(before, c)
	case HTTPRequest:
		return before, Outcome{Changed: true, Summary: c.Method + " " + c.URL}, nil
	}
	vm, ok := before.(*VM)
	if !ok || vm == nil {
		return nil, Outcome{}, NotFound(c.Object(), "make it with create_vm, or check its name")
	}
	after := vm.Clone().(*VM)
	var d diff
	var err error
	switch c := c.(type) {
	case FinishVM:
		if vm.Unfinished != "" {
			d.set("unfinished", vm.Unfinished, nil, "")
			after.Unfinished = ""
		}
	case RenameVM:
		err = renameVM(vm, after, c, &d)
	case SetCPU:
		err = r.setCPU(vm, after, c, &d)
	case SetMemory:
		err = r.setMemory(vm, after, c, &d)
	case SetVM:
		err = r.setVM(vm, after, c, &d)
	case Start:
		d.state(after, Running)
	case Shutdown:
		d.state(after, Stopped)
	case PowerOff:
		d.state(after, Stopped)
	case Pause:
		err = d.fromRunning(after, Paused)
	case Suspend:
		err = d.fromRunning(after, Suspended)
	case Reboot, Reset, GuestExec:
		if !vm.State.IsLive() {
			return nil, Outcome{}, notRunning(vm)
		}
		d.out.Changed = true
	case SetPassword:
		if !vm.State.IsLive() {
			return nil, Outcome{}, notRunning(vm)
		}
		d.out.Changed, d.out.Summary = true, fmt.Sprintf("another password for %s in its guest", c.User)
	case RevertSnapshot:
		d.out.Changed, d.out.Summary = true, fmt.Sprintf("back to snapshot %q", c.Snapshot)
	case Migrate:
		err = migrate(vm, after, c, &d)
	case AttachDisk:
		err = r.attachDisk(vm, after, c, &d)
	case DetachDisk:
		detachDisk(vm, after, c, &d)
	case ResizeDisk:
		err = resizeDisk(vm, after, c, &d)
	case AttachNIC:
		err = r.attachNIC(vm, after, c, &d)
	case DetachNIC:
		detachNIC(vm, after, c, &d)
	case ChangeNIC:
		err = r.changeNIC(vm, after, c, &d)
	case ChangeCdrom:
		err = r.changeCdrom(vm, after, c, &d)
	default:
		err = Unsupported("any platform", c, "")
	}
	if err != nil {
		return nil, Outcome{}, err
	}
	return after, d.out, nil
}

// diff collects the fields that a change touches.
type diff struct{ out Outcome }

// set notes a field, unless it stays as it is.
func (d *diff) set(path string, before, after any, note string) {
	d.field(FieldChange{Path: path, Before: before, After: after, Note: note})
}

// bytes notes a size.
func (d *diff) bytes(path string, before, after int64, note string) {
	d.field(FieldChange{Path: path, Before: before, After: after, Unit: "bytes", Note: note})
}

func (d *diff) field(f FieldChange) {
	if equal(f.Before, f.After) && f.Note == "" {
		return
	}
	d.out.Changed = true
	d.out.Fields = append(d.out.Fields, f)
}

func (d *diff) pending(p Pending) { d.out.Pending = append(d.out.Pending, p) }

// afterwards notes a field that a change sets to a value which only the run will
// show; it tells whether it is so.
func afterwards[T any](d *diff, path string, before any, want Opt[T]) bool {
	if want.IsUnknown() {
		d.set(path, before, UnknownValue, "")
	}
	return want.IsUnknown()
}

func equal(a, b any) bool {
	if x, ok := a.([]string); ok {
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	}
	return a == b
}

// state notes a change of the power state and what follows from it.
func (d *diff) state(vm *VM, want PowerState) {
	if vm.State == want || vm.State == Crashed && want == Stopped {
		return
	}
	d.set("state", vm.State, want, "")
	wasLive := vm.State.IsLive()
	vm.State = want
	switch {
	case want.IsLive() && !wasLive:
		vm.Live = &Live{CPU: vm.CPU, Memory: vm.Memory}
		vm.Pending = nil
		for i := range vm.Disks {
			vm.Disks[i].In.Live, vm.Disks[i].Live = true, nil
		}
		for i := range vm.NICs {
			vm.NICs[i].In.Live, vm.NICs[i].Live = true, nil
		}
	case !want.IsLive():
		vm.Live, vm.Pending, vm.Agent = nil, nil, ""
		vm.Disks = slices.DeleteFunc(vm.Disks, func(k Disk) bool { return !k.In.Config })
		vm.NICs = slices.DeleteFunc(vm.NICs, func(n NIC) bool { return !n.In.Config })
		for i := range vm.Disks {
			vm.Disks[i].In.Live, vm.Disks[i].Live, vm.Disks[i].Chain = false, nil, nil
		}
		for i := range vm.NICs {
			vm.NICs[i].In.Live, vm.NICs[i].Live = false, nil
		}
	}
}

func (d *diff) fromRunning(vm *VM, want PowerState) error {
	if vm.State != want && !vm.State.IsLive() {
		return notRunning(vm)
	}
	d.state(vm, want)
	return nil
}

func notRunning(vm *VM) error {
	return &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: "is not running",
		Wanted: "a running VM", Found: string(vm.State), Hint: "start it with power: {state: running}"}
}

func (r Rules) createVM(before Object, c CreateVM) (Object, Outcome, error) {
	var d diff
	if vm, ok := before.(*VM); ok && vm != nil {
		if vm.Unfinished == "" {
			return nil, Outcome{}, &Error{Kind: ErrConflict, Object: vm.Ref(), Summary: "is there already",
				Hint: "choose another name, or delete it with delete_vm"}
		}
		d.set("unfinished", vm.Unfinished, c.Run, "finishes what an interrupted run began")
	}
	vm := &VM{
		Name: c.Ref.Name, ID: Unknown[string](), Title: c.Title, Description: c.Description,
		State: Stopped, CPU: c.CPU, Memory: c.Memory, Boot: slices.Clone(c.Boot), Firmware: c.Firmware,
		Machine: c.Machine, Autostart: c.Autostart, Metadata: maps.Clone(c.Metadata),
		Host: c.Host, Unfinished: c.Run,
	}
	if !vm.Host.IsSet() {
		vm.Host = Unknown[string]()
	}
	// The boot disk comes first: firmware starts from the first disk.
	disks := slices.Clone(c.Disks)
	slices.SortStableFunc(disks, func(a, b DiskSpec) int { return bit(b.Boot) - bit(a.Boot) })
	for _, s := range disks {
		vm.Disks = append(vm.Disks, newDisk(vm, s, c.Image))
	}
	for i, s := range c.NICs {
		vm.NICs = append(vm.NICs, r.newNIC(s, i+1))
	}
	if r.Created != nil {
		r.Created(c, vm)
	}
	d.set("cpu.count", nil, vm.CPU.Count, "")
	d.field(FieldChange{Path: "memory.current", After: vm.Memory.Current, Unit: "bytes"})
	for _, k := range vm.Disks {
		if k.Device != "disk" {
			continue // the seed, which nobody asked for by name
		}
		d.field(FieldChange{Path: "disks." + k.Name + ".size", After: k.Size, Unit: "bytes"})
	}
	for _, n := range vm.NICs {
		d.set("nics."+n.Name+".network", nil, n.Network, "")
	}
	d.set("host", nil, vm.Host.Any(), "")
	return vm, d.out, nil
}

func deleted(before Object, ref Ref) (Object, Outcome, error) {
	if isNil(before) {
		return nil, Outcome{}, nil
	}
	var d diff
	d.set(string(ref.Kind), ref.Name, nil, "")
	return nil, d.out, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// isNil tells whether there is no object, be it as a nil interface or a nil
// pointer in one.
func isNil(o Object) bool {
	switch o := o.(type) {
	case nil:
		return true
	case *VM:
		return o == nil
	case *Network:
		return o == nil
	case *Volume:
		return o == nil
	case *Storage:
		return o == nil
	case *GuestFile:
		return o == nil
	case *LocalFile:
		return o == nil
	case *Snapshot:
		return o == nil
	case *AffinityGroup:
		return o == nil
	case *SSHKeys:
		return o == nil
	case *HostVLAN:
		return o == nil
	default:
		return false
	}
}

func (r Rules) setCPU(vm, after *VM, c SetCPU, d *diff) error {
	count := afterwards(d, "cpu.count", vm.CPU.Count, c.Count)
	maximum := afterwards(d, "cpu.max", vm.CPU.Max, c.Max)
	if topology := afterwards(d, "cpu.topology", vm.CPU.Topology, c.Topology); count || maximum || topology {
		return nil // whether the others fit cannot be said yet
	}
	want := vm.CPU
	if n, ok := c.Count.Get(); ok {
		want.Count = n
	}
	if n, ok := c.Max.Get(); ok {
		want.Max = n
	} else {
		want.Max = max(want.Max, want.Count)
	}
	if t, ok := c.Topology.Get(); ok {
		want.Topology = t
	}
	if want.Count < 1 || want.Count > want.Max {
		return &Error{Kind: ErrInvalid, Object: vm.Ref(),
			Summary: fmt.Sprintf("cannot have %d CPUs with a maximum of %d", want.Count, want.Max),
			Hint:    "set max as well, at least as high as count"}
	}
	if n := want.Topology.Sockets * want.Topology.Cores * want.Topology.Threads; n != 0 && n != want.Max {
		return &Error{Kind: ErrInvalid, Object: vm.Ref(),
			Summary: fmt.Sprintf("the topology makes %d CPUs, the maximum is %d", n, want.Max),
			Hint:    "sockets × cores × threads has to equal cpu.max"}
	}
	after.CPU = want
	if after.Live == nil {
		d.set("cpu.count", vm.CPU.Count, want.Count, "")
		d.set("cpu.max", vm.CPU.Max, want.Max, "")
		d.set("cpu.topology", vm.CPU.Topology, want.Topology, "")
		return nil
	}
	live := &after.Live.CPU
	reason := ""
	switch {
	case want.Count > live.Max:
		reason = fmt.Sprintf("after a restart: the running VM was started for at most %d", live.Max)
	case want.Count != live.Count && r.LiveCPU != nil:
		reason = r.LiveCPU(vm, want)
	}
	d.both(after, "cpu.count", "", vm.CPU.Count, want.Count, live.Count, reason, func() { live.Count = want.Count })
	d.both(after, "cpu.max", "", vm.CPU.Max, want.Max, live.Max, afterRestart, nil)
	d.both(after, "cpu.topology", "", vm.CPU.Topology, want.Topology, live.Topology, afterRestart, nil)
	return nil
}

// afterRestart is the reason of what no platform changes in a running VM.
const afterRestart = "after a restart"

// both notes a field that has a stored and a live value. reason tells why the
// live value cannot follow; adopt makes it follow in the prediction.
func (d *diff) both(vm *VM, path, unit string, stored, want, live any, reason string, adopt func()) {
	switch {
	case live == want:
		if stored != want {
			d.field(FieldChange{Path: path, Before: stored, After: want, Unit: unit, Note: "configured"})
		}
		vm.Pending = slices.DeleteFunc(vm.Pending, func(p Pending) bool { return p.Field == path })
	case reason != "":
		if stored != want {
			d.field(FieldChange{Path: path, Before: stored, After: want, Unit: unit, Note: "pending: " + reason})
		}
		p := Pending{Field: path, Live: live, Configured: want, Reason: reason}
		d.pending(p)
		vm.Pending = append(slices.DeleteFunc(vm.Pending, func(p Pending) bool { return p.Field == path }), p)
	case stored == want:
		d.field(FieldChange{Path: path, Before: live, After: want, Unit: unit, Note: "live"})
		adopt()
	default:
		d.field(FieldChange{Path: path, Before: stored, After: want, Unit: unit, Note: "live and configured"})
		adopt()
	}
}

func (r Rules) setMemory(vm, after *VM, c SetMemory, d *diff) error {
	unknownCurrent := afterwards(d, "memory.current", vm.Memory.Current, c.Current)
	unknownMax := afterwards(d, "memory.max", vm.Memory.Max, c.Max)
	if afterwards(d, "memory.guaranteed", vm.Memory.Guaranteed, c.Guaranteed) || unknownCurrent || unknownMax {
		return nil // whether the others fit cannot be said yet
	}
	want := vm.Memory
	current, hasCurrent := c.Current.Get()
	maximum, hasMax := c.Max.Get()
	if hasCurrent {
		want.Current = current
	}
	switch {
	case hasMax && !hasCurrent:
		want.Max, want.Current = maximum, min(want.Current, maximum)
	case hasMax:
		want.Max = maximum
	default:
		want.Max = max(want.Max, want.Current)
	}
	if g, ok := c.Guaranteed.Get(); ok {
		want.Guaranteed = g
	}
	if want.Current <= 0 || want.Current > want.Max {
		return &Error{Kind: ErrInvalid, Object: vm.Ref(),
			Summary: fmt.Sprintf("cannot have %s of memory with a maximum of %s", FormatSize(want.Current), FormatSize(want.Max)),
			Hint:    "set max as well, at least as high as the memory itself"}
	}
	after.Memory = want
	d.bytes("memory.guaranteed", vm.Memory.Guaranteed, want.Guaranteed, "")
	if after.Live == nil {
		d.bytes("memory.current", vm.Memory.Current, want.Current, "")
		d.bytes("memory.max", vm.Memory.Max, want.Max, "")
		return nil
	}
	live := &after.Live.Memory
	reason := ""
	switch {
	case want.Current > live.Max:
		reason = fmt.Sprintf("after a restart: the running VM was started for at most %s", FormatSize(live.Max))
	case want.Current != live.Current && r.LiveMemory != nil:
		reason = r.LiveMemory(vm, want)
	}
	d.both(after, "memory.current", "bytes", vm.Memory.Current, want.Current, live.Current, reason, func() { live.Current = want.Current })
	d.both(after, "memory.max", "bytes", vm.Memory.Max, want.Max, live.Max, afterRestart, nil)
	return nil
}

func (r Rules) setVM(vm, after *VM, c SetVM, d *diff) error {
	str := func(path string, o Opt[string], field *string) {
		afterwards(d, path, *field, o)
		if v, ok := o.Get(); ok {
			d.set(path, *field, v, "")
			*field = v
		}
	}
	str("title", c.Title, &after.Title)
	str("description", c.Description, &after.Description)
	afterwards(d, "autostart", vm.Autostart, c.Autostart)
	afterwards(d, "boot", vm.Boot, c.Boot)
	afterwards(d, "libvirt", nil, c.LibvirtXML)
	if v, ok := c.Autostart.Get(); ok {
		d.set("autostart", vm.Autostart, v, "")
		after.Autostart = v
	}
	if v, ok := c.Boot.Get(); ok {
		r.later(d, after, "boot", vm.Boot, v)
		after.Boot = slices.Clone(v)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Metadata)) {
		if old, ok := vm.Metadata[k]; !ok {
			d.set("metadata."+k, nil, c.Metadata[k], "")
		} else {
			d.set("metadata."+k, old, c.Metadata[k], "")
		}
		if after.Metadata == nil {
			after.Metadata = map[string]string{}
		}
		after.Metadata[k] = c.Metadata[k]
	}
	setTags(after, c.Tags, d)
	r.setOvirt(after, c.Ovirt, d)
	overlay, ok := c.LibvirtXML.Get()
	if !ok {
		return nil
	}
	if r.Overlay == nil {
		return &Error{Kind: ErrUnsupported, Object: vm.Ref(), Summary: "has no domain XML: its platform is not libvirt",
			Hint: "leave the libvirt section out for this target"}
	}
	merged, changed, err := r.Overlay(vm, overlay)
	if err == nil && changed {
		d.set("libvirt", nil, overlay, configured(vm))
		after.Native = merged
	}
	return err
}

// configured is the note of what a running VM takes over at its next start.
func configured(vm *VM) string {
	if vm.State.IsLive() {
		return "configured; in force " + afterRestart
	}
	return ""
}

func migrate(vm, after *VM, c Migrate, d *diff) error {
	from, known := vm.Host.Get()
	switch {
	case bit(c.Host != "")+bit(c.Cluster != "")+bit(c.AwayFrom != "") != 1:
		return &Error{Kind: ErrInvalid, Object: vm.Ref(), Summary: "give one of host, cluster and away_from"}
	case c.Cluster != "":
		d.set("cluster", vm.Cluster, c.Cluster, "")
		after.Cluster = c.Cluster
		if d.out.Changed && vm.State.IsLive() {
			d.set("host", vm.Host.Any(), UnknownValue, "")
			after.Host = Unknown[string]()
		}
	case !known:
		return &Error{Kind: ErrUndecided, Object: vm.Ref(), Summary: "its host is known only afterwards"}
	case c.Host == from, c.AwayFrom != "" && c.AwayFrom != from:
		if vm.Arrived != "" {
			d.set("arrived_from", vm.Arrived, nil, "what a move that broke off has left there is cleared away")
			after.Arrived = ""
		}
		return nil
	case c.Host != "":
		d.set("host", from, c.Host, "")
		after.Host = Some(c.Host)
	default:
		d.set("host", from, UnknownValue, "")
		after.Host = Unknown[string]()
	}
	return nil
}

func createNetwork(before Object, c CreateNetwork) (Object, Outcome, error) {
	var d diff
	if err := c.IP.check(c.Ref, c.Type); err != nil {
		return nil, Outcome{}, err
	}
	n, _ := before.(*Network)
	if n == nil {
		n = &Network{Name: c.Ref.Name, VLAN: c.VLAN, MTU: c.MTU, Type: c.Type, Bridge: c.Bridge,
			Active: true, Autostart: c.Autostart.Or(true), Hosts: slices.Sorted(slices.Values(c.Hosts)), IP: c.IP.made()}
		d.set("network", nil, n.Name, "")
		if c.VLAN != 0 {
			d.set("vlan", nil, c.VLAN, "")
		}
		d.served(nil, n.IP)
		d.set("hosts", nil, n.Hosts, "")
		return d.onHosts(n, c)
	}
	after := n.Clone().(*Network)
	if n.VLAN != c.VLAN || n.Type != c.Type || c.Bridge != "" && n.Bridge != c.Bridge {
		return nil, Outcome{}, &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is there, and is another network",
			Wanted: describeNetwork(c.Type, c.Bridge, c.VLAN), Found: describeNetwork(n.Type, n.Bridge, n.VLAN),
			Hint: "choose another name, or delete that network with delete_network"}
	}
	if err := serve(n, after, c, &d); err != nil {
		return nil, Outcome{}, err
	}
	if c.MTU != 0 {
		d.set("mtu", n.MTU, c.MTU, "")
		after.MTU = c.MTU
	}
	autostart := true
	if a, ok := c.Autostart.Get(); ok {
		autostart = a
	}
	d.set("active", n.Active, true, "")
	d.set("autostart", n.Autostart, autostart, "")
	after.Active, after.Autostart = true, autostart
	hosts := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(n.Hosts), c.Hosts...))))
	d.set("hosts", n.Hosts, hosts, "")
	after.Hosts = hosts
	return d.onHosts(after, c)
}

func describeNetwork(typ, bridge string, vlan int) string {
	s := typ
	if bridge != "" {
		s += " on " + bridge
	}
	if vlan != 0 {
		s += fmt.Sprintf(", VLAN %d", vlan)
	}
	return s
}

func deleteNetwork(before Object, c DeleteNetwork) (Object, Outcome, error) {
	n, _ := before.(*Network)
	if n == nil {
		return nil, Outcome{}, nil
	}
	left := slices.DeleteFunc(slices.Clone(n.Hosts), func(h string) bool { return slices.Contains(c.Hosts, h) })
	var d diff
	if err := d.waitFor(c.Ref, c.Unready, c.AllHosts, func(h string) bool { return !n.on(h) }, n.keeps); err != nil {
		return nil, Outcome{}, err
	}
	// On a node a network is where it is defined; an engine has it without any host.
	if len(c.Hosts) == 0 || len(left) == 0 && n.Type != "engine" {
		d.set("network", n.Name, nil, "")
		return nil, d.out, nil
	}
	after := n.Clone().(*Network)
	d.set("hosts", n.Hosts, left, "")
	after.Hosts = left
	return after, d.out, nil
}

func guestWrite(before Object, c GuestWrite) (Object, Outcome, error) {
	var d diff
	after := &GuestFile{VM: c.Ref.Scope, Path: c.Ref.Name, Size: c.Size, SHA256: c.SHA256, Content: c.Content}
	f, _ := before.(*GuestFile)
	if f == nil {
		d.field(FieldChange{Path: "content", After: c.Size, Unit: "bytes"})
		f = &GuestFile{}
	} else {
		if f.SHA256 != c.SHA256 {
			d.set("content", "sha256:"+short(f.SHA256), "sha256:"+short(c.SHA256), "")
		}
		after.Mode, after.Owner, after.Group = f.Mode, f.Owner, f.Group
	}
	for _, a := range []struct {
		path string
		want Opt[string]
		have string
		to   *string
	}{{"mode", c.Mode, f.Mode, &after.Mode}, {"owner", c.Owner, f.Owner, &after.Owner}, {"group", c.Group, f.Group, &after.Group}} {
		afterwards(&d, a.path, a.have, a.want)
		if v, ok := a.want.Get(); ok {
			d.set(a.path, a.have, v, "")
			*a.to = v
		}
	}
	return after, d.out, nil
}

// short gives the beginning of a checksum, enough to tell two apart.
func short(sum string) string { return sum[:min(12, len(sum))] }
