//go:build cgo

package libvirt

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/nactl/nactl/virt"
)

// metadataNS is the namespace of what nactl keeps in a domain's <metadata>.
const metadataNS = "https://nactl.dev/xmlns/1"

// aliasPrefix begins the device aliases that users may choose; nactl's name of
// a device follows it.
const aliasPrefix = "ua-"

// agentChannel is the name of the channel that the QEMU guest agent listens on.
const agentChannel = "org.qemu.guest_agent.0"

// domainFacts is what a domain's XML does not tell.
type domainFacts struct {
	state     virt.PowerState
	autostart bool
	pools     *poolIndex
}

// parseDomain makes a VM of a domain's stored XML and, when it runs, its live
// XML; live is empty otherwise. The sizes of disks are left out.
func parseDomain(stored, live string, facts domainFacts) (*virt.VM, error) {
	config, err := domainElement(stored)
	if err != nil {
		return nil, err
	}
	vm := &virt.VM{
		Name: text(config, "name"), ID: virt.Some(text(config, "uuid")),
		Title: text(config, "title"), Description: text(config, "description"),
		State: facts.state, CPU: readCPU(config), Memory: readMemory(config),
		Boot: readBoot(config), Firmware: readFirmware(config), Accel: config.SelectAttrValue("type", ""),
		Autostart: facts.autostart, Native: stored,
	}
	if t := config.FindElement("./os/type"); t != nil {
		vm.Machine = t.SelectAttrValue("machine", "")
	}
	readMetadata(config, vm)
	var running *etree.Element
	if live != "" && facts.state.IsLive() {
		if running, err = domainElement(live); err != nil {
			return nil, err
		}
		vm.Live = &virt.Live{CPU: readCPU(running), Memory: readMemory(running)}
		vm.Agent = readAgent(running)
		vm.Accel = running.SelectAttrValue("type", "")
	}
	vm.Disks = readDisks(vm.Name, config, running, facts.pools)
	vm.NICs = readNICs(config, running)
	if running != nil {
		if boot := readBoot(running); !slices.Equal(boot, vm.Boot) {
			vm.Live.Boot = append([]string{}, boot...)
		}
		vm.Pending = readDrift(config, running)
	}
	return vm, nil
}

func domainElement(xml string) (*etree.Element, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(xml); err != nil {
		return nil, fmt.Errorf("domain XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "domain" {
		return nil, fmt.Errorf("domain XML from libvirt: there is no <domain> in it")
	}
	return root, nil
}

// text gives a child's text; empty when there is no such child.
func text(e *etree.Element, tag string) string {
	if c := e.SelectElement(tag); c != nil {
		return c.Text()
	}
	return ""
}

// attr gives an attribute of a child; empty when there is none.
func attr(e *etree.Element, tag, name string) string {
	if c := e.SelectElement(tag); c != nil {
		return c.SelectAttrValue(name, "")
	}
	return ""
}

func number(s string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(s)) // libvirt writes numbers; 0 for what is not there
	return n
}

func readCPU(domain *etree.Element) virt.CPU {
	cpu := virt.CPU{Max: number(text(domain, "vcpu"))}
	cpu.Count = cpu.Max
	if n := number(attr(domain, "vcpu", "current")); n != 0 {
		cpu.Count = n
	}
	if t := domain.FindElement("./cpu/topology"); t != nil {
		dies := max(1, number(t.SelectAttrValue("dies", "1")))
		cpu.Topology = virt.Topology{
			Sockets: number(t.SelectAttrValue("sockets", "")) * dies,
			Cores:   number(t.SelectAttrValue("cores", "")), Threads: number(t.SelectAttrValue("threads", "")),
		}
	}
	return cpu
}

func readMemory(domain *etree.Element) virt.Memory {
	m := virt.Memory{Max: readSize(domain.SelectElement("memory")), Current: readSize(domain.SelectElement("currentMemory"))}
	if m.Current == 0 {
		m.Current = m.Max
	}
	return m
}

// sizeFactors are libvirt's units; an absent one is KiB.
var sizeFactors = map[string]int64{
	"": virt.KiB, "b": 1, "bytes": 1, "k": virt.KiB, "KiB": virt.KiB, "KB": 1e3,
	"M": virt.MiB, "MiB": virt.MiB, "MB": 1e6, "G": virt.GiB, "GiB": virt.GiB, "GB": 1e9, "T": virt.TiB, "TiB": virt.TiB, "TB": 1e12,
}

// readSize reads an element with a unit, in bytes; 0 when it is not there.
func readSize(e *etree.Element) int64 {
	if e == nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(e.Text()), 10, 64)
	return n * sizeFactors[e.SelectAttrValue("unit", "")]
}

func readFirmware(domain *etree.Element) string {
	os := domain.SelectElement("os")
	switch {
	case os == nil || text(os, "type") != "hvm":
		return ""
	case os.SelectAttrValue("firmware", "") == "efi", attr(os, "loader", "type") == "pflash":
		return "efi"
	default:
		return "bios"
	}
}

// readBoot gives the classes of devices to boot from, in order: from the devices
// that have an order of their own, else from the list under <os>.
func readBoot(domain *etree.Element) []string {
	type ordered struct {
		order int
		class string
	}
	var devices []ordered
	if e := domain.SelectElement("devices"); e != nil {
		for _, d := range e.ChildElements() {
			if n := number(attr(d, "boot", "order")); n != 0 {
				devices = append(devices, ordered{n, bootClass(d)})
			}
		}
	}
	slices.SortFunc(devices, func(a, b ordered) int { return a.order - b.order })
	var boot []string
	add := func(class string) {
		if class != "" && !slices.Contains(boot, class) {
			boot = append(boot, class)
		}
	}
	for _, d := range devices {
		add(d.class)
	}
	if len(devices) == 0 {
		for _, b := range domain.FindElements("./os/boot") {
			add(b.SelectAttrValue("dev", ""))
		}
	}
	return boot
}

func bootClass(device *etree.Element) string {
	switch {
	case device.Tag == "interface":
		return "network"
	case device.Tag != "disk":
		return device.Tag
	case device.SelectAttrValue("device", "disk") == "cdrom":
		return "cdrom"
	case device.SelectAttrValue("device", "disk") == "floppy":
		return "fd"
	default:
		return "hd"
	}
}

// readMetadata reads what nactl keeps in the domain.
func readMetadata(domain *etree.Element, vm *virt.VM) {
	meta := domain.SelectElement("metadata")
	if meta == nil {
		return
	}
	for _, own := range meta.ChildElements() {
		if own.Tag == arrivalTag && own.NamespaceURI() == arrivalNS {
			vm.Arrived = own.SelectAttrValue("from", "")
		}
		if own.Tag != "vm" || own.NamespaceURI() != metadataNS {
			continue
		}
		for _, e := range own.ChildElements() {
			switch e.Tag {
			case "unfinished":
				vm.Unfinished = e.SelectAttrValue("run", "unknown")
			case "entry":
				if vm.Metadata == nil {
					vm.Metadata = map[string]string{}
				}
				vm.Metadata[e.SelectAttrValue("key", "")] = e.Text()
			}
		}
	}
}

func readAgent(running *etree.Element) virt.AgentState {
	for _, t := range running.FindElements("./devices/channel/target") {
		if t.SelectAttrValue("name", "") != agentChannel {
			continue
		}
		if t.SelectAttrValue("state", "") == "connected" {
			return virt.AgentConnected
		}
		return virt.AgentDisconnected
	}
	return virt.AgentAbsent
}

// readDisks merges the stored and the live disks by their target device.
func readDisks(vm string, config, running *etree.Element, pools *poolIndex) []virt.Disk {
	var disks []virt.Disk
	for _, e := range config.FindElements("./devices/disk") {
		d := readDisk(vm, e, pools)
		d.In.Config = true
		disks = append(disks, d)
	}
	if running != nil {
		for _, e := range running.FindElements("./devices/disk") {
			d := readDisk(vm, e, pools)
			i := slices.IndexFunc(disks, func(x virt.Disk) bool { return x.Target == d.Target })
			if i < 0 {
				d.In.Live = true
				disks = append(disks, d)
				continue
			}
			disks[i].In.Live = true
			disks[i].SetRunning(d.Medium())
			if disks[i].Backing == "" {
				disks[i].Backing = d.Backing
			}
			if len(disks[i].Chain) == 0 {
				disks[i].Chain = d.Chain
			}
		}
	}
	if i := bootDisk(config, disks); i >= 0 {
		disks[i].Boot = true
	}
	return disks
}

func readDisk(vm string, e *etree.Element, pools *poolIndex) virt.Disk {
	d := virt.Disk{
		Target: attr(e, "target", "dev"), Bus: attr(e, "target", "bus"),
		Device: e.SelectAttrValue("device", "disk"), Format: attr(e, "driver", "type"),
		ReadOnly: e.SelectElement("readonly") != nil, Serial: text(e, "serial"),
		Backing: backing(e),
	}
	if images := chain(e); len(images) > 2 {
		d.Chain = images[1:]
	}
	d.Sparse = d.Format == "qcow2"
	if src := e.SelectElement("source"); src != nil {
		switch {
		case src.SelectAttr("pool") != nil:
			d.Storage, d.Volume = src.SelectAttrValue("pool", ""), src.SelectAttrValue("volume", "")
		case src.SelectAttr("file") != nil:
			d.Path = virt.Some(src.SelectAttrValue("file", ""))
		case src.SelectAttr("dev") != nil:
			d.Path = virt.Some(src.SelectAttrValue("dev", ""))
		case src.SelectAttr("name") != nil: // a network disk: rbd, gluster, …
			d.Path = virt.Some(src.SelectAttrValue("name", ""))
		}
	}
	if p, ok := d.Path.Get(); ok && d.Volume == "" {
		d.Storage, d.Volume = pools.volumeOf(p)
	}
	d.Name = deviceName(e)
	if d.Name == "" {
		d.Name = diskName(vm, d)
	}
	return d
}

// backing gives the path of the image that a disk lies over.
func backing(disk *etree.Element) string {
	s := disk.FindElement("./backingStore/source")
	if s == nil {
		return ""
	}
	return s.SelectAttrValue("file", s.SelectAttrValue("dev", ""))
}

// deviceName gives the name that a device got from its user alias.
func deviceName(device *etree.Element) string {
	name, ok := strings.CutPrefix(attr(device, "alias", "name"), aliasPrefix)
	if !ok {
		return ""
	}
	return name
}

// diskName names a disk without an alias: after its volume <vm>-NAME.ext where
// that fits, else after its target.
func diskName(vm string, d virt.Disk) string {
	file := d.Volume
	if p, ok := d.Path.Get(); ok && file == "" {
		file = path.Base(p)
	}
	name, ok := strings.CutPrefix(file, vm+"-")
	name, _, _ = strings.Cut(name, ".") // and what a snapshot lays over it is called NAME.SNAPSHOT.qcow2
	if !ok || name == "" {
		return d.Target
	}
	return name
}

// bootDisk gives the disk that the VM starts from: the one with the lowest
// order, else the first; -1 when there is none.
func bootDisk(config *etree.Element, disks []virt.Disk) int {
	best, lowest := -1, 0
	for _, e := range config.FindElements("./devices/disk") {
		order := number(attr(e, "boot", "order"))
		if order == 0 || best >= 0 && order >= lowest || bootClass(e) != "hd" {
			continue
		}
		target := attr(e, "target", "dev")
		best, lowest = slices.IndexFunc(disks, func(d virt.Disk) bool { return d.Target == target }), order
	}
	if best >= 0 {
		return best
	}
	return slices.IndexFunc(disks, func(d virt.Disk) bool { return d.Device == "disk" })
}

// readNICs merges the stored and the live interfaces by their MAC address.
func readNICs(config, running *etree.Element) []virt.NIC {
	var nics []virt.NIC
	for _, e := range config.FindElements("./devices/interface") {
		n := readNIC(e, len(nics))
		n.In.Config = true
		nics = append(nics, n)
	}
	if running == nil {
		return nics
	}
	for _, e := range running.FindElements("./devices/interface") {
		n := readNIC(e, len(nics))
		i := slices.IndexFunc(nics, func(x virt.NIC) bool { return x.MAC == n.MAC })
		if i < 0 {
			n.In.Live = true
			nics = append(nics, n)
			continue
		}
		nics[i].In.Live = true
		nics[i].SetRunning(n.State())
	}
	return nics
}

func readNIC(e *etree.Element, index int) virt.NIC {
	n := virt.NIC{
		Name: deviceName(e), MAC: virt.Some(attr(e, "mac", "address")), Model: attr(e, "model", "type"),
		LinkUp: attr(e, "link", "state") != "down",
	}
	if n.Name == "" {
		n.Name = fmt.Sprintf("nic%d", index+1)
	}
	if src := e.SelectElement("source"); src != nil {
		n.Network, n.Profile = src.SelectAttrValue("network", ""), src.SelectAttrValue("portgroup", "")
		if n.Network == "" {
			n.Bridge = src.SelectAttrValue("bridge", src.SelectAttrValue("dev", ""))
		}
	}
	if tag := e.FindElement("./vlan/tag"); tag != nil {
		n.VLAN = number(tag.SelectAttrValue("id", ""))
	}
	return n
}
