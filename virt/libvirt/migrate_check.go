//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// migrateOptions is what the cluster knows about a move.
type migrateOptions struct {
	// SharedPools are the pools that the inventory says hold the same volumes on
	// every member. Only for them is libvirt told that a move is safe although it
	// cannot see that for itself.
	SharedPools []string
}

// movePlan says how each disk of a VM gets to the other node.
type movePlan struct {
	stay   []virt.Disk // on storage that both nodes see
	copied []virt.Disk // on storage of the node's own
	listed bool        // all that stay are in pools that the inventory lists as shared
}

// checkMigrate looks for all that stands in the way of a move, on both nodes,
// and reports it together. It changes nothing. What a dry run has only imagined
// is seen through view.
func checkMigrate(ctx context.Context, from, to *Node, view virt.Reader, vm *virt.VM, c virt.Migrate, opts migrateOptions) error {
	m := &moveCheck{ctx: ctx, from: from, to: to, view: view, vm: vm, c: c, opts: opts}
	host, err := to.Host(ctx, to.cfg.Name)
	if err != nil {
		// Nothing else can be known of a node that does not answer.
		return fmt.Errorf("%s: cannot move to %s: %w", vm.Ref(), to.cfg.Name, err)
	}
	if host.Maintenance || to.cfg.Maintenance {
		m.refuse(virt.ErrConflict, "it is in maintenance", "a node that takes VMs", "maintenance", "choose another host, or end the maintenance in the inventory")
	}
	m.state()
	m.name()
	m.networks()
	m.disks()
	m.snapshots()
	m.machine()
	if vm.State.IsLive() {
		m.memory(host)
		m.cpu()
	}
	return errors.Join(m.errs...)
}

// moveCheck collects what it finds.
type moveCheck struct {
	ctx      context.Context
	from, to *Node
	view     virt.Reader
	vm       *virt.VM
	c        virt.Migrate
	opts     migrateOptions
	errs     []error
}

// refuse notes a reason against the move.
func (m *moveCheck) refuse(kind error, reason, wanted, found, hint string) {
	m.errs = append(m.errs, &virt.Error{Kind: kind, Object: m.vm.Ref(),
		Summary: fmt.Sprintf("cannot move to %s: %s", m.to.cfg.Name, reason), Wanted: wanted, Found: found, Hint: hint})
}

// failed notes a question that could not be asked.
func (m *moveCheck) failed(what string, err error) {
	m.errs = append(m.errs, fmt.Errorf("%s: %s: %w", m.vm.Ref(), what, err))
}

// missing tells an object that is not there from a question that failed, which
// it notes.
func (m *moveCheck) missing(what string, err error) bool {
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		m.failed(what, err)
	}
	return errors.Is(err, virt.ErrNotFound)
}

func (m *moveCheck) state() {
	switch m.vm.State {
	case virt.Running, virt.Paused, virt.Stopped:
	case virt.InMigration:
		// One that a broken move has left standing goes on first.
		if at := m.from.ask(m.ctx, m.vm.Name); !at.stranded() {
			m.refuse(virt.ErrBusy, "it is just being moved", "a running, paused or stopped VM", at.String(), "wait until that move is over")
		}
	case virt.Suspended:
		m.refuse(virt.ErrConflict, "it is saved to the disk of "+m.from.cfg.Name, "a running or stopped VM", string(m.vm.State),
			"restore it first with power: {state: running}")
	default:
		m.refuse(virt.ErrConflict, "it is "+string(m.vm.State), "a running, paused or stopped VM", string(m.vm.State),
			"bring it to running or stopped first with power")
	}
}

// name asks whether the destination has a VM of this name.
func (m *moveCheck) name() {
	m.to.Forget(virt.VMRef(m.vm.Name))
	other, err := m.to.VM(m.ctx, m.vm.Name)
	if err == nil {
		m.refuse(virt.ErrConflict, "it has a VM of that name", "no VM "+m.vm.Name,
			fmt.Sprintf("%s, UUID %s", other.State, other.ID), "delete or rename one of the two")
		return
	}
	m.missing("look for the name on "+m.to.cfg.Name, err)
}

// networks asks for each network of the VM, under its name there.
func (m *moveCheck) networks() {
	used := map[string]bool{}
	for _, nic := range m.vm.NICs {
		switch {
		case nic.Network != "" && !used[nic.Network]:
			used[nic.Network] = true
			name := nic.Network
			if other, ok := m.c.Networks[name]; ok {
				name = other
			}
			m.network(nic.Name, name)
		case nic.Network == "" && nic.Bridge != "":
			m.bridge(nic)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.c.Networks)) {
		if !used[name] {
			m.refuse(virt.ErrInvalid, fmt.Sprintf("networks maps %q, to which the VM is not connected", name),
				"one of: "+strings.Join(slices.Sorted(maps.Keys(used)), ", "), name, "mend the name in networks")
		}
	}
}

func (m *moveCheck) network(nic, name string) {
	hint := fmt.Sprintf("make it there with create_vlan, or map it: networks: {%s: OTHER}", name)
	real, err := m.to.Network(m.ctx, name)
	switch {
	case err == nil && real.Active:
		return
	case err == nil:
		m.refuse(virt.ErrConflict, fmt.Sprintf("network %q is not active there", name), "an active network "+name+" for "+nic, "inactive",
			"start it with create_vlan, or on the node")
		return
	case !m.missing("look for network "+name+" on "+m.to.cfg.Name, err):
		return
	}
	// An earlier step of a dry run may have made it.
	if planned, err := m.view.Network(m.ctx, name); err == nil && planned.Active && slices.Contains(planned.Hosts, m.to.cfg.Name) {
		return
	}
	m.refuse(virt.ErrConflict, fmt.Sprintf("network %q is not there", name), "network "+name+" for "+nic, m.networksThere(), hint)
}

func (m *moveCheck) networksThere() string {
	list, err := m.to.Networks(m.ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	return "networks there: " + strings.Join(names, ", ")
}

func (m *moveCheck) bridge(nic virt.NIC) {
	ok, err := m.to.hasFile(m.ctx, "/sys/class/net/"+nic.Bridge)
	switch {
	case err != nil:
		m.failed("look for bridge "+nic.Bridge+" on "+m.to.cfg.Name, err)
	case !ok:
		m.refuse(virt.ErrConflict, fmt.Sprintf("bridge %q is not there", nic.Bridge), "bridge "+nic.Bridge+" for "+nic.Name, "no such interface",
			"make the bridge, or connect "+nic.Name+" to a network first")
	}
}

// hasFile tells whether a path exists on the node, as its root sees it.
func (n *Node) hasFile(ctx context.Context, path string) (bool, error) {
	host, err := n.host(ctx)
	if err != nil {
		return false, err
	}
	r, err := host.Exec(ctx, ssh.Command{Argv: []string{"test", "-e", path}, Become: true})
	return r.RC == 0, err
}

// disks sorts the disks, and looks at the pools of both nodes.
func (m *moveCheck) disks() {
	plan := m.plan()
	if len(plan.copied) > 0 && m.c.AwayFrom != "" && !m.c.CopyStorage {
		m.refuse(virt.ErrConflict, "its disks are on storage of "+m.from.cfg.Name+" alone", "shared storage", names(plan.copied),
			"say copy_storage: true to have them copied, or move it by hand with host:")
		return
	}
	need := map[string]int64{}
	if len(plan.copied) > 0 {
		if err := m.view.DiskSizes(m.ctx, m.vm); err != nil {
			m.failed("read the sizes of the disks", err)
		}
	}
	for _, k := range plan.copied {
		m.copied(k, need)
	}
	for _, pool := range slices.Sorted(maps.Keys(need)) {
		if there, err := m.to.Storage(m.ctx, pool); err == nil && there.Available < need[pool] {
			m.refuse(virt.ErrConflict, fmt.Sprintf("pool %q has too little room", pool), virt.FormatSize(need[pool])+" free",
				virt.FormatSize(there.Available)+" free", "make room there, or choose another host")
		}
	}
	for _, k := range plan.stay {
		m.shared(k)
	}
}

func names(disks []virt.Disk) string {
	var out []string
	for _, k := range disks {
		out = append(out, fmt.Sprintf("%s in %s", k.Name, k.Storage))
	}
	return strings.Join(out, ", ")
}

// plan sorts the disks by whether both nodes see their storage. Disks without a
// pool, and pools that the destination lacks, are reasons against the move.
func (m *moveCheck) plan() movePlan {
	plan := movePlan{listed: true}
	for _, k := range m.vm.Disks {
		if k.Storage == "" && k.Volume == "" && k.Path.Or("") == "" {
			continue // a drive without a medium
		}
		if k.Storage == "" {
			m.refuse(virt.ErrUnsupported, fmt.Sprintf("disk %s is in no storage pool of %s", k.Name, m.from.cfg.Name), "a disk in a pool",
				k.Path.Or("no path"), "refresh the pool that should hold it, or define one over its directory")
			continue
		}
		here, err := m.from.Storage(m.ctx, k.Storage)
		if err != nil {
			m.failed("look at pool "+k.Storage+" on "+m.from.cfg.Name, err)
			continue
		}
		there, err := m.to.Storage(m.ctx, k.Storage)
		if err != nil {
			if m.missing("look at pool "+k.Storage+" on "+m.to.cfg.Name, err) {
				m.refuse(virt.ErrConflict, fmt.Sprintf("storage pool %q is not there", k.Storage), "pool "+k.Storage+" for disk "+k.Name, "no such pool",
					"define a pool of that name there, with the path "+here.Path)
			}
			continue
		}
		if !there.Active {
			m.refuse(virt.ErrConflict, fmt.Sprintf("storage pool %q is not active there", k.Storage), "an active pool for disk "+k.Name, "inactive", "start the pool")
			continue
		}
		if here.Path != there.Path {
			m.refuse(virt.ErrConflict, fmt.Sprintf("storage pool %q has another path there", k.Storage), here.Path, there.Path, "give the pool the same path on both nodes")
			continue
		}
		listed := slices.Contains(m.opts.SharedPools, k.Storage)
		if listed || sameSource(here, there) {
			plan.stay = append(plan.stay, k)
			plan.listed = plan.listed && listed
		} else {
			plan.copied = append(plan.copied, k)
		}
	}
	return plan
}

// sameSource tells whether two pools are one place in the network.
func sameSource(a, b *virt.Storage) bool {
	switch a.Type {
	case "netfs", "rbd", "gluster", "iscsi", "iscsi-direct":
		return a.Type == b.Type && a.Source != "" && a.Source == b.Source
	default:
		return false
	}
}

// shared asks whether the destination sees a disk that is to stay where it is.
func (m *moveCheck) shared(k virt.Disk) {
	for _, p := range []string{k.Path.Or(""), k.Backing} {
		if p == "" || !strings.HasPrefix(p, "/") {
			continue // made by an earlier step of a dry run, or no file
		}
		ok, err := m.to.hasFile(m.ctx, p)
		switch {
		case err != nil:
			m.failed("look for "+p+" on "+m.to.cfg.Name, err)
		case !ok:
			m.refuse(virt.ErrConflict, fmt.Sprintf("pool %q is said to be shared, and the file of disk %s is not there", k.Storage, k.Name), p, "no such file",
				"mount the shared storage there, or take the pool out of shared_pools")
		}
	}
}

// copied asks whether a disk that is to be copied has a place there.
func (m *moveCheck) copied(k virt.Disk, need map[string]int64) {
	byQEMU := m.vm.State.IsLive() && !isReadOnly(k)
	need[k.Storage] += k.ActualSize
	if byQEMU && k.Size > k.ActualSize {
		need[k.Storage] += k.Size - k.ActualSize // QEMU copies the holes, too
	}
	v, err := m.to.Volume(m.ctx, k.Storage, k.Volume)
	if err == nil && v.Unfinished {
		// An interrupted move has left it: it is made anew.
	} else if err == nil {
		m.refuse(virt.ErrConflict, fmt.Sprintf("volume %s/%s is there already", k.Storage, k.Volume), "no volume of that name", "a volume",
			"look whether anything needs it, and delete it")
	} else {
		m.missing("look for volume "+k.Storage+"/"+k.Volume+" on "+m.to.cfg.Name, err)
	}
	if k.Backing == "" || byQEMU {
		return // QEMU copies what the guest sees, backing images included
	}
	if ok, err := m.to.hasFile(m.ctx, k.Backing); err != nil {
		m.failed("look for "+k.Backing+" on "+m.to.cfg.Name, err)
	} else if !ok {
		m.refuse(virt.ErrConflict, fmt.Sprintf("disk %s rests on an image that is not there", k.Name), k.Backing, "no such file",
			"copy that image there, or start the VM first: a running VM is copied with it")
	}
}

// isReadOnly tells whether QEMU leaves a disk out when it copies storage.
func isReadOnly(k virt.Disk) bool {
	return k.ReadOnly || k.Device == "cdrom" || k.Device == "floppy"
}

// snapshots asks libvirt whether there are any: it does not move them.
func (m *moveCheck) snapshots() {
	count := 0
	err := m.from.readDomain(m.ctx, "count the snapshots", m.vm.Name, func(_ *lv.Connect, d *lv.Domain) (err error) {
		count, err = d.SnapshotNum(0)
		return err
	})
	switch {
	case errors.Is(err, virt.ErrNotFound), errors.Is(err, virt.ErrUnsupported):
		// A VM that a dry run has made has none.
	case err != nil:
		m.failed("count the snapshots", err)
	case count > 0:
		m.refuse(virt.ErrConflict, "libvirt does not move a VM that has snapshots", "no snapshots", fmt.Sprintf("%d", count), "delete the snapshots first, with delete_snapshot")
	}
}

// memory asks whether the VM fits.
func (m *moveCheck) memory(host *virt.Host) {
	need := m.vm.Memory.Current
	if m.vm.Live != nil {
		need = m.vm.Live.Memory.Current
	}
	if planned, err := m.view.Host(m.ctx, m.to.cfg.Name); err == nil {
		host = planned
	}
	if host.FreeMemory < need {
		m.refuse(virt.ErrConflict, "it has too little free memory", virt.FormatSize(need), virt.FormatSize(host.FreeMemory),
			"choose another host, or move or stop VMs there")
	}
}

// domainType is what libvirt needs to know of a VM to speak of its hypervisor.
type domainType struct{ emulator, arch, machine, virt string }

func domainTypeOf(vm *virt.VM) (domainType, bool) {
	doc := etree.NewDocument()
	if vm.Native == "" || doc.ReadFromString(vm.Native) != nil || doc.Root() == nil {
		return domainType{}, false // made by an earlier step of a dry run
	}
	t := domainType{machine: vm.Machine, virt: vm.Accel}
	if e := doc.FindElement("/domain/devices/emulator"); e != nil {
		t.emulator = e.Text()
	}
	if e := doc.FindElement("/domain/os/type"); e != nil {
		t.arch = e.SelectAttrValue("arch", "")
		t.machine = e.SelectAttrValue("machine", t.machine)
	}
	return t, t.machine != "" && t.virt != "test"
}

// machine asks whether the destination's QEMU offers the machine type.
func (m *moveCheck) machine() {
	t, ok := domainTypeOf(m.vm)
	if !ok {
		return
	}
	err := m.to.read(m.ctx, "look at the machine types", func(c *lv.Connect) error {
		_, err := c.GetDomainCapabilities(t.emulator, t.arch, t.machine, t.virt, 0)
		return err
	})
	switch {
	case err == nil:
	case errors.Is(err, virt.ErrUnreachable):
		m.failed("look at the machine types of "+m.to.cfg.Name, err)
	default:
		var e *virt.Error
		found := err.Error()
		if errors.As(err, &e) && e.Err != nil {
			found = e.Err.Error()
		}
		m.refuse(virt.ErrConflict, "its QEMU does not offer what the VM needs",
			fmt.Sprintf("%s, machine %s, type %s", path.Base(t.emulator), t.machine, t.virt), found, "install the same or a newer QEMU there")
	}
}

// cpu asks whether the destination's CPU can do what the guest was given. An
// emulated CPU is the same everywhere.
func (m *moveCheck) cpu() {
	t, ok := domainTypeOf(m.vm)
	if !ok || m.vm.Accel != "kvm" {
		return
	}
	cpu, err := m.from.guestCPU(m.ctx, m.vm.Name)
	if err != nil {
		m.failed("look at the CPU on "+m.from.cfg.Name, err)
		return
	}
	err = m.to.read(m.ctx, "compare the CPUs", func(c *lv.Connect) error {
		_, err := c.CompareHypervisorCPU(t.emulator, t.arch, t.machine, t.virt, cpu, lv.CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
		return err
	})
	switch {
	case err == nil, errors.Is(err, virt.ErrUnsupported):
	case isCode(err, lv.ERR_CPU_INCOMPATIBLE):
		m.refuse(virt.ErrConflict, "its CPU lacks what the guest uses", "the CPU features of "+m.from.cfg.Name, err.Error(),
			"move it while it is stopped, or give it a CPU model that both nodes have")
	default:
		m.failed("compare the CPUs", err)
	}
}

// guestCPU gives the CPU that a running guest sees, as XML for a comparison: the
// node's own where the guest was given that as it is.
func (n *Node) guestCPU(ctx context.Context, vm string) (cpu string, err error) {
	err = n.readDomain(ctx, "read the CPU of the guest", vm, func(c *lv.Connect, d *lv.Domain) error {
		text, err := d.GetXMLDesc(lv.DOMAIN_XML_MIGRATABLE)
		if err != nil {
			return err
		}
		if cpu, err = subtree(text, "/domain/cpu"); err != nil || cpu != "" && !strings.Contains(cpu, "host-passthrough") {
			return err
		}
		if text, err = c.GetCapabilities(); err != nil {
			return err
		}
		cpu, err = subtree(text, "/capabilities/host/cpu")
		return err
	})
	return cpu, err
}

// subtree cuts one element out of a document; empty when it has none.
func subtree(text, at string) (string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return "", err
	}
	e := doc.FindElement(at)
	if e == nil {
		return "", nil
	}
	part := etree.NewDocument()
	part.SetRoot(e.Copy())
	return part.WriteToString()
}
