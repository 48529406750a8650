package ovirt

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// machine is a VM with what the noun leaves out: the ids that requests need, and
// the engine's own word for its state.
type machine struct {
	vm      *virt.VM
	id      string
	status  ovirtsdk.VmStatus
	cluster string // id
	host    string // id; empty while it does not run
	centre  string // id, of the cluster's data centre; filled in with the names
	disks   []attachment
	nics    []nicInfo
	tags    map[string]string // ids by names
	bound   []string          // ids of the hosts that it starts on; none: on any
	guest   virt.GuestInfo
	// nextRun says that a configuration waits for the next start; staged that vm
	// shows it.
	nextRun, staged bool

	hostKey hostKey            // its guest's SSH host key, as far as the engine has it
	script  string             // the user data that are stored with it, while it is down
	stored  *initializationXML // what its guest is to be told, only of one whose host key is still to be made
	stopped int64              // when it was last stopped, in milliseconds; 0 = never
	os      string             // the engine's word, as rhel_8x64
}

// nicInfo is a NIC of a VM.
type nicInfo struct {
	nic     virt.NIC
	id      string
	profile string // id; empty: on no network
}

// vmFollow is what is sent along with each VM that is read whole. Tags are not
// shown to users without rights, for whom the whole request would fail.
func (e *Engine) vmFollow() []string {
	follow := []string{"nics", "disk_attachments.disk", "reported_devices"}
	if !e.cfg.Filter {
		follow = append(follow, "tags")
	}
	return follow
}

// vmStates maps the engine's states; what is missing is unreachable.
var vmStates = map[ovirtsdk.VmStatus]virt.PowerState{
	ovirtsdk.VMSTATUS_UP:                 virt.Running,
	ovirtsdk.VMSTATUS_DOWN:               virt.Stopped,
	ovirtsdk.VMSTATUS_IMAGE_LOCKED:       virt.Stopped,
	ovirtsdk.VMSTATUS_UNASSIGNED:         virt.Stopped,
	ovirtsdk.VMSTATUS_PAUSED:             virt.Paused,
	ovirtsdk.VMSTATUS_SUSPENDED:          virt.Suspended,
	ovirtsdk.VMSTATUS_MIGRATING:          virt.InMigration,
	ovirtsdk.VMSTATUS_POWERING_UP:        virt.Starting,
	ovirtsdk.VMSTATUS_WAIT_FOR_LAUNCH:    virt.Starting,
	ovirtsdk.VMSTATUS_RESTORING_STATE:    virt.Starting,
	ovirtsdk.VMSTATUS_REBOOT_IN_PROGRESS: virt.Starting,
	ovirtsdk.VMSTATUS_POWERING_DOWN:      virt.Stopping,
	ovirtsdk.VMSTATUS_SAVING_STATE:       virt.Stopping,
	ovirtsdk.VMSTATUS_UNKNOWN:            virt.Unreachable,
	ovirtsdk.VMSTATUS_NOT_RESPONDING:     virt.Unreachable,
}

func vmState(s ovirtsdk.VmStatus) virt.PowerState {
	if state, ok := vmStates[s]; ok {
		return state
	}
	return virt.Unreachable
}

// convVM takes a VM with what vmFollow names.
func (e *Engine) convVM(v *ovirtsdk.Vm) (*machine, error) {
	m := &machine{id: value(v.Id()), status: value(v.Status()), cluster: idIn(v.Cluster()), host: idIn(v.Host()),
		nextRun: value(v.NextRunConfigurationExists())}
	vm := &virt.VM{Name: value(v.Name()), ID: virt.Some(m.id), State: vmState(m.status), FQDN: value(v.Fqdn()), Host: virt.Some("")}
	m.vm = vm
	m.bound = configure(vm, v)
	if vm.State.IsLive() {
		vm.Live = &virt.Live{CPU: vm.CPU, Memory: vm.Memory}
	}
	if m.status == ovirtsdk.VMSTATUS_IMAGE_LOCKED {
		vm.Locked = "the engine is working on its disks"
	}
	if err := m.devices(v); err != nil {
		return nil, err
	}
	if !e.cfg.Filter {
		var err error
		if m.tags, err = tagsOf(v); err != nil {
			return nil, err
		}
		vm.Tags = slices.Sorted(maps.Keys(m.tags))
	}
	m.listen(v)
	m.told(v)
	return m, nil
}

// configure takes what is stored of a VM; of one with a next-run configuration
// that is the latter. It gives the ids of the hosts that the VM starts on.
func configure(vm *virt.VM, v *ovirtsdk.Vm) (hosts []string) {
	vm.Description, vm.Unfinished = splitMark(value(v.Description()))
	vm.Comment = value(v.Comment())
	vm.Title = vm.Comment
	vm.CPU, vm.Memory = cpuOf(v.Cpu()), memoryOf(v.Memory())(v.MemoryPolicy())
	vm.Boot, vm.Firmware, vm.Machine = bootOf(v.Os()), firmwareOf(v.Bios()), value(v.CustomEmulatedMachine())
	if ha, ok := v.HighAvailability(); ok && ha != nil {
		vm.Autostart = value(ha.Enabled())
	}
	vm.Ovirt, hosts = ovirtOf(v)
	return hosts
}

func (m *machine) devices(v *ovirtsdk.Vm) error {
	attachments, sent := items(v.DiskAttachments())
	nics, sentNICs := items(v.Nics())
	if !sent || !sentNICs {
		return errNotSent
	}
	live := m.vm.State.IsLive()
	for _, a := range attachments {
		k, err := convAttachment(a)
		if err != nil {
			return err
		}
		k.disk.Name = diskName(m.vm.Name, k.alias)
		k.disk.In.Live = k.disk.In.Live && live
		if k.status == ovirtsdk.DISKSTATUS_LOCKED && m.vm.Locked == "" {
			m.vm.Locked = "the engine is working on disk " + k.disk.Name
		}
		if k.status == ovirtsdk.DISKSTATUS_ILLEGAL {
			k.disk.Broken = "its copy or creation failed, or never ended"
		}
		m.disks = append(m.disks, k)
	}
	for _, n := range nics {
		i := nicInfo{id: value(n.Id()), profile: idIn(n.VnicProfile())}
		plugged := value(n.Plugged())
		i.nic = virt.NIC{Name: value(n.Name()), Model: string(value(n.Interface())), LinkUp: value(n.Linked()),
			In: virt.Presence{Config: plugged, Live: plugged && live}}
		if mac, ok := n.Mac(); ok && mac != nil {
			i.nic.MAC = virt.Some(value(mac.Address()))
		}
		m.nics = append(m.nics, i)
	}
	m.order()
	return nil
}

// order puts the boot disk first, and keeps disks and NICs of the noun and of the
// machine side by side. Within that, the engine's order has no meaning.
func (m *machine) order() {
	sortBy(m.disks, func(k attachment) string {
		if k.boot {
			return "0"
		}
		return "1" + k.alias
	})
	sortBy(m.nics, func(n nicInfo) string { return n.nic.Name })
	m.vm.Disks, m.vm.NICs = nil, nil
	for _, k := range m.disks {
		m.vm.Disks = append(m.vm.Disks, k.disk)
	}
	for _, n := range m.nics {
		m.vm.NICs = append(m.vm.NICs, n.nic)
	}
}

// disk finds a disk by the name that the noun has for it.
func (m *machine) disk(name string) *attachment {
	for i := range m.disks {
		if m.disks[i].disk.Name == name {
			return &m.disks[i]
		}
	}
	return nil
}

// nic finds a NIC by its name or MAC address.
func (m *machine) nic(name string) *nicInfo {
	n := m.vm.NIC(name)
	if n == nil {
		return nil
	}
	for i := range m.nics {
		if m.nics[i].nic.Name == n.Name {
			return &m.nics[i]
		}
	}
	return nil
}

// Disks carry their VM's name on an engine, for nothing else tells one VM's from
// another's there: disk data of VM web-1 is called web-1-data.

// diskName gives the playbook's name for a disk.
func diskName(vm, alias string) string {
	if name, ok := strings.CutPrefix(alias, vm+"-"); ok && name != "" {
		return name
	}
	return alias
}

// diskAlias gives the engine's name for a disk that is to be made.
func diskAlias(vm, name string) string {
	if strings.HasPrefix(name, vm+"-") {
		return name
	}
	return vm + "-" + name
}

// listen takes what the guest's agent reports. The addresses are in the order of
// the NICs, IPv4 before IPv6, without the loopback's and link-local ones.
func (m *machine) listen(v *ovirtsdk.Vm) {
	vm := m.vm
	devices, _ := items(v.ReportedDevices())
	order := map[string]int{}
	for i, n := range vm.NICs {
		order[strings.ToLower(n.MAC.Or(""))] = i + 1
	}
	type found struct {
		address netip.Addr
		nic     int // 0 = none of ours
	}
	var all []found
	for _, d := range devices {
		g := virt.GuestInterface{Name: value(d.Name())}
		if mac, ok := d.Mac(); ok && mac != nil {
			g.MAC = value(mac.Address())
		}
		nic := order[strings.ToLower(g.MAC)]
		ips, ok := d.Ips()
		if !ok || ips == nil {
			continue
		}
		for _, ip := range ips.Slice() {
			a, err := netip.ParseAddr(value(ip.Address()))
			if err != nil {
				continue
			}
			g.Addresses = append(g.Addresses, a.String())
			// The interface lo is none of the VM's NICs.
			if !a.IsLinkLocalUnicast() && (nic > 0 || !a.IsLoopback()) {
				all = append(all, found{a, nic})
			}
		}
		m.guest.Addresses = append(m.guest.Addresses, g)
	}
	sortBy(all, func(f found) string {
		place := fmt.Sprintf("%03d", f.nic)
		if f.nic == 0 {
			place = "x"
		}
		if f.address.Is6() {
			return "6" + place
		}
		return "4" + place
	})
	for _, f := range all {
		vm.Addresses = append(vm.Addresses, f.address.String())
	}
	m.guest.Hostname = vm.FQDN
	if os, ok := v.GuestOperatingSystem(); ok && os != nil {
		m.guest.OS = strings.TrimSpace(value(os.Distribution()) + " " + versionText(os.Version()))
	}
	if vm.State == virt.Running {
		vm.Agent = virt.AgentDisconnected
		if vm.FQDN != "" || len(m.guest.Addresses) > 0 {
			vm.Agent = virt.AgentConnected
		}
	}
	m.guest.Agent = cmp.Or(vm.Agent, virt.AgentDisconnected)
}

func versionText(v *ovirtsdk.Version, ok bool) string {
	if !ok || v == nil {
		return ""
	}
	return value(v.FullVersion())
}

// The unfinished mark stands at the end of a VM's description.

var markPattern = regexp.MustCompile(`^(?s)(.*?) ?\[nactl: unfinished ([^\]\s]+)\]$`)

func splitMark(description string) (text, run string) {
	if m := markPattern.FindStringSubmatch(description); m != nil {
		return m[1], m[2]
	}
	return description, ""
}

func withMark(description, run string) string {
	if run == "" {
		return description
	}
	return description + " [nactl: unfinished " + run + "]"
}
