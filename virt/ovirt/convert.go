package ovirt

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// The conversions make of go-ovirt's objects what is kept of them, one by one.
// They know ids only: names are filled in from the directory.

// value drops whether there was one.
func value[T any](v T, _ bool) T { return v }

// identified is one of go-ovirt's objects.
type identified interface {
	comparable
	Id() (string, bool)
}

// idIn gives the id of an object that another refers to; empty without one.
func idIn[T identified](o T, ok bool) string {
	var none T
	if !ok || o == none {
		return ""
	}
	return value(o.Id())
}

// errNotSent says that a collection which was asked for did not come along.
var errNotSent = errors.New("the engine did not send what was to be followed")

// cpuOf gives the CPUs of a topology in the terms of virt: engines plug in whole
// sockets, up to maxSockets, and the guest sees them all.
func cpuOf(c *ovirtsdk.Cpu, ok bool) virt.CPU {
	if !ok || c == nil {
		return virt.CPU{}
	}
	t, ok := c.Topology()
	if !ok || t == nil {
		return virt.CPU{}
	}
	sockets, cores, threads := int(value(t.Sockets())), int(value(t.Cores())), int(value(t.Threads()))
	return cpuFor(max(sockets, 1), max(cores, 1), max(threads, 1))
}

// maxSockets is how many sockets a VM can have on an engine as it is delivered
// (MaxNumOfVmSockets).
const maxSockets = 16

func cpuFor(sockets, cores, threads int) virt.CPU {
	most := max(sockets, maxSockets)
	return virt.CPU{Count: sockets * cores * threads, Max: most * cores * threads,
		Topology: virt.Topology{Sockets: most, Cores: cores, Threads: threads}}
}

func memoryOf(current int64, _ bool) func(p *ovirtsdk.MemoryPolicy, ok bool) virt.Memory {
	return func(p *ovirtsdk.MemoryPolicy, ok bool) virt.Memory {
		m := virt.Memory{Current: current, Max: current}
		if ok && p != nil {
			m.Max = max(current, value(p.Max()))
			m.Guaranteed = value(p.Guaranteed())
		}
		return m
	}
}

func bootOf(os *ovirtsdk.OperatingSystem, ok bool) []string {
	if !ok || os == nil {
		return nil
	}
	b, ok := os.Boot()
	if !ok || b == nil {
		return nil
	}
	var out []string
	for _, d := range value(b.Devices()) {
		out = append(out, string(d))
	}
	return out
}

// firmwareOf tells BIOS from UEFI; empty where it is the cluster's.
func firmwareOf(b *ovirtsdk.Bios, ok bool) string {
	if !ok || b == nil {
		return ""
	}
	switch value(b.Type()) {
	case ovirtsdk.BIOSTYPE_Q35_OVMF, ovirtsdk.BIOSTYPE_Q35_SECURE_BOOT:
		return "efi"
	case ovirtsdk.BIOSTYPE_Q35_SEA_BIOS, ovirtsdk.BIOSTYPE_I440FX_SEA_BIOS:
		return "bios"
	}
	return ""
}

// The engine's words for formats and buses, and ours.
var (
	formats = words{"cow": "qcow2", "raw": "raw"}
	buses   = words{"virtio": "virtio", "virtio_scsi": "scsi", "sata": "sata", "ide": "ide", "spapr_vscsi": "spapr"}
)

// words maps the engine's words to ours.
type words map[string]string

// ours gives our word; the engine's where we have none.
func (w words) ours(s string) string {
	if t, ok := w[s]; ok {
		return t
	}
	return s
}

// theirs gives the engine's word for ours, which may be the engine's already.
func (w words) theirs(s string) string {
	for theirs, ours := range w {
		if ours == s {
			return theirs
		}
	}
	return s
}

// hostInfo is a host, with the id of its cluster and what it carries.
type hostInfo struct {
	host    virt.Host
	id      string
	cluster string
	status  ovirtsdk.HostStatus
	nets    []hostNetwork
	nics    []string          // sorted; with bonds, without VLANs
	ips     map[string]string // by id of the network that the NIC or bond is on
}

// hostNetwork is a network on a host.
type hostNetwork struct {
	id, network, nic string // ids; nic is a name where the engine sent it
	inSync           bool
}

func convHost(h *ovirtsdk.Host) (hostInfo, error) {
	i := hostInfo{id: value(h.Id()), cluster: idIn(h.Cluster()), status: value(h.Status())}
	i.host = virt.Host{
		ID: i.id, Name: value(h.Name()), State: hostState(i.status), Address: value(h.Address()),
		Memory: value(h.Memory()), FreeMemory: value(h.MaxSchedulingMemory()), Maintenance: i.status == ovirtsdk.HOSTSTATUS_MAINTENANCE,
	}
	if c, ok := h.Cpu(); ok && c != nil {
		if t, ok := c.Topology(); ok && t != nil {
			i.host.CPUs = int(max(value(t.Sockets()), 1) * max(value(t.Cores()), 1) * max(value(t.Threads()), 1))
		}
	}
	if s, ok := h.Summary(); ok && s != nil {
		i.host.VMs = int(value(s.Active()))
	}
	if v, ok := h.Version(); ok && v != nil {
		i.host.Hypervisor = "vdsm " + value(v.FullVersion())
	}
	return i, nil
}

// convCarrier also takes the networks of a host, which have to be followed.
func convCarrier(h *ovirtsdk.Host) (hostInfo, error) {
	i, err := convHost(h)
	if err != nil {
		return i, err
	}
	attachments, sent := items(h.NetworkAttachments())
	nics, sentNICs := items(h.Nics())
	if !sent || !sentNICs {
		return i, errNotSent
	}
	names := map[string]string{}
	i.ips = map[string]string{}
	for _, n := range nics {
		if ip := cmp.Or(addressOf(n.Ip()), addressOf(n.Ipv6())); ip != "" {
			i.ips[idIn(n.Network())] = ip
		}
		names[value(n.Id())] = value(n.Name())
		if _, isVLAN := n.Vlan(); !isVLAN {
			i.nics = append(i.nics, value(n.Name()))
		}
	}
	slices.Sort(i.nics)
	for _, a := range attachments {
		nic := idIn(a.HostNic())
		k := hostNetwork{id: value(a.Id()), network: idIn(a.Network()), nic: nic, inSync: true}
		if name := names[nic]; name != "" {
			k.nic = name
		}
		if in, ok := a.InSync(); ok {
			k.inSync = in
		}
		i.nets = append(i.nets, k)
	}
	return i, nil
}

// addressOf gives the address of a host's NIC; empty without one.
func addressOf(ip *ovirtsdk.Ip, ok bool) string {
	if !ok || ip == nil {
		return ""
	}
	return value(ip.Address())
}

// managed gives the address that a host has on the management network of its
// cluster.
func (i *hostInfo) managed(management string) string {
	if _, err := netip.ParseAddr(i.host.Address); err == nil {
		return i.host.Address
	}
	if ip := i.ips[management]; ip != "" || len(i.ips) != 1 {
		return ip
	}
	for _, only := range i.ips {
		return only
	}
	return ""
}

// hostState gives the three states that hosts have on every platform, and the
// engine's own word for the others.
func hostState(s ovirtsdk.HostStatus) string {
	switch s {
	case ovirtsdk.HOSTSTATUS_NON_RESPONSIVE, ovirtsdk.HOSTSTATUS_CONNECTING, ovirtsdk.HOSTSTATUS_DOWN:
		return "unreachable"
	}
	return string(s)
}

// clusterInfo is a cluster.
type clusterInfo struct {
	id, name, comment, description string
	centre                         string // id
	centreName                     string
	networks                       map[string]bool // ids; nil where they were not followed
	management                     string          // id of the network by which its hosts are managed; likewise
}

func convCluster(c *ovirtsdk.Cluster) (clusterInfo, error) {
	i := clusterInfo{id: value(c.Id()), name: value(c.Name()), comment: value(c.Comment()), description: value(c.Description()), centre: idIn(c.DataCenter())}
	if dc, ok := c.DataCenter(); ok && dc != nil {
		i.centreName = value(dc.Name())
	}
	if nets, sent := items(c.Networks()); sent {
		i.networks = map[string]bool{}
		for _, n := range nets {
			i.networks[value(n.Id())] = true
			if slices.Contains(value(n.Usages()), ovirtsdk.NETWORKUSAGE_MANAGEMENT) {
				i.management = value(n.Id())
			}
		}
	}
	return i, nil
}

// networkInfo is a network, with the id of its data centre.
type networkInfo struct {
	net    virt.Network
	id     string
	centre string
}

func convNetwork(n *ovirtsdk.Network) (networkInfo, error) {
	i := networkInfo{id: value(n.Id()), centre: idIn(n.DataCenter())}
	i.net = virt.Network{Name: value(n.Name()), MTU: int(value(n.Mtu())), Comment: value(n.Comment()), Type: "engine", Active: true, Autostart: true}
	if v, ok := n.Vlan(); ok && v != nil {
		i.net.VLAN = int(value(v.Id()))
	}
	return i, nil
}

// profileInfo is a vNIC profile, by which NICs get their network.
type profileInfo struct {
	id, name    string
	network     string // id
	networkName string
	centre      string // id, of the network
}

func convProfile(p *ovirtsdk.VnicProfile) (profileInfo, error) {
	i := profileInfo{id: value(p.Id()), name: value(p.Name()), network: idIn(p.Network())}
	n, ok := p.Network()
	if !ok || n == nil {
		return i, errNotSent
	}
	i.networkName, i.centre = value(n.Name()), idIn(n.DataCenter())
	return i, nil
}

// domainInfo is a storage domain.
type domainInfo struct {
	storage virt.Storage
	id      string
	centres []string // ids
	block   bool
	data    bool
	iso     bool
}

func convDomain(d *ovirtsdk.StorageDomain) (domainInfo, error) {
	i := domainInfo{id: value(d.Id()), data: value(d.Type()) == ovirtsdk.STORAGEDOMAINTYPE_DATA, iso: value(d.Type()) == ovirtsdk.STORAGEDOMAINTYPE_ISO}
	available, used := value(d.Available()), value(d.Used())
	i.storage = virt.Storage{ID: i.id, Name: value(d.Name()), Capacity: available + used, Available: available, Committed: value(d.Committed()),
		Shared: true, Comment: value(d.Comment())}
	if s, ok := d.Storage(); ok && s != nil {
		kind := value(s.Type())
		i.storage.Type, i.storage.Path = string(kind), value(s.Path())
		if address := value(s.Address()); address != "" {
			i.storage.Source = address + ":" + i.storage.Path
		}
		i.block = kind == ovirtsdk.STORAGETYPE_ISCSI || kind == ovirtsdk.STORAGETYPE_FCP
		i.storage.Shared = kind != ovirtsdk.STORAGETYPE_LOCALFS
	}
	if dcs, ok := d.DataCenters(); ok && dcs != nil {
		for _, dc := range dcs.Slice() {
			i.centres = append(i.centres, value(dc.Id()))
		}
	}
	if dc := idIn(d.DataCenter()); dc != "" && !slices.Contains(i.centres, dc) {
		i.centres = append(i.centres, dc)
	}
	switch value(d.Status()) {
	case "", ovirtsdk.STORAGEDOMAINSTATUS_ACTIVE:
		// The list of all domains tells the state of those only that no data centre has.
		i.storage.Active = len(i.centres) > 0
	}
	return i, nil
}

// diskInfo is a disk.
type diskInfo struct {
	disk   virt.Disk
	id     string
	alias  string
	status ovirtsdk.DiskStatus
	domain string // id

	description string
	iso         bool // it can be put into a drive
}

func convDisk(d *ovirtsdk.Disk) (diskInfo, error) {
	i := diskInfo{id: value(d.Id()), alias: value(d.Alias()), status: value(d.Status()), description: value(d.Description()), iso: value(d.ContentType()) == ovirtsdk.DISKCONTENTTYPE_ISO}
	if i.alias == "" {
		i.alias = value(d.Name())
	}
	i.disk = virt.Disk{Device: "disk", Size: value(d.ProvisionedSize()), ActualSize: value(d.ActualSize()),
		Format: formats.ours(string(value(d.Format()))), Sparse: value(d.Sparse()), Volume: i.alias, Serial: i.id[:min(len(i.id), serialLength)]}
	if value(d.StorageType()) == ovirtsdk.DISKSTORAGETYPE_LUN {
		i.disk.Device = "lun"
	}
	if list, ok := d.StorageDomains(); ok && list != nil && len(list.Slice()) > 0 {
		i.domain = value(list.Slice()[0].Id())
	} else if d := idIn(d.StorageDomain()); d != "" {
		i.domain = d
	}
	return i, nil
}

// serialLength is how much of its id a disk on virtio shows as its serial.
const serialLength = 20

// attachment is a disk of a VM.
type attachment struct {
	diskInfo
	boot bool
}

func convAttachment(a *ovirtsdk.DiskAttachment) (attachment, error) {
	d, ok := a.Disk()
	if !ok || d == nil {
		return attachment{}, errNotSent
	}
	if _, full := d.Status(); !full {
		if _, sized := d.ProvisionedSize(); !sized {
			return attachment{}, errNotSent
		}
	}
	info, err := convDisk(d)
	if err != nil {
		return attachment{}, err
	}
	k := &info.disk
	k.Bus, k.Boot, k.ReadOnly = buses.ours(string(value(a.Interface()))), value(a.Bootable()), value(a.ReadOnly())
	k.In = virt.Presence{Config: value(a.Active()), Live: value(a.Active())}
	return attachment{diskInfo: info, boot: k.Boot}, nil
}

// templateInfo is a template.
type templateInfo struct {
	id, name, cluster string
	version           int64
	locked            bool
	cpu               virt.CPU
	memory            virt.Memory
	disks             []attachment
	firmware          string
}

func convTemplate(t *ovirtsdk.Template) (templateInfo, error) {
	i := templateInfo{id: value(t.Id()), name: value(t.Name()), cluster: idIn(t.Cluster()), version: 1,
		locked: value(t.Status()) != ovirtsdk.TEMPLATESTATUS_OK, cpu: cpuOf(t.Cpu()), memory: memoryOf(t.Memory())(t.MemoryPolicy()),
		firmware: firmwareOf(t.Bios())}
	if v, ok := t.Version(); ok && v != nil {
		i.version = value(v.VersionNumber())
	}
	list, sent := items(t.DiskAttachments())
	if !sent {
		return i, errNotSent
	}
	for _, a := range list {
		k, err := convAttachment(a)
		if err != nil {
			return i, err
		}
		i.disks = append(i.disks, k)
	}
	return i, nil
}

// boot gives the disk that the template starts from; nil without one.
func (t *templateInfo) boot() *attachment {
	for i := range t.disks {
		if t.disks[i].boot {
			return &t.disks[i]
		}
	}
	if len(t.disks) > 0 {
		return &t.disks[0]
	}
	return nil
}
