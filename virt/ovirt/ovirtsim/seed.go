package ovirtsim

import (
	"fmt"
	"slices"
	"time"
)

// DataCenter is one to begin with.
type DataCenter struct {
	Name     string
	Clusters []Cluster
	Storage  []Storage
	Networks []Network // besides ovirtmgmt
}

// Cluster is one to begin with.
type Cluster struct {
	Name       string
	Overcommit int // percent; 0 is 100
	Hosts      []Host
}

// Host is one to begin with; it is up and carries ovirtmgmt on its first NIC.
type Host struct {
	Name, Address string
	Memory        int64             // bytes; 0 is 64 GiB
	CPUs          int               // cores; 0 is 16
	NICs          []string          // nil is eth0, eth1, eth2
	Labels        map[string]string // by NIC
}

// Storage is a data domain to begin with.
type Storage struct {
	Name string
	Type string // nfs, iscsi, fcp, glusterfs, posixfs; empty is nfs
	Size int64  // bytes; 0 is 1 TiB
}

// Network is a logical network to begin with, attached to all clusters of its
// data center, and to the hosts' second NIC if Hosts is set.
type Network struct {
	Name     string
	VLAN     int // 0 is untagged
	MTU      int
	Required bool
	Hosts    bool
	Label    string // brings it to the hosts' NICs that bear it
}

// Template is one to begin with.
type Template struct {
	Name    string
	Cluster string
	Memory  int64 // bytes; 0 is 1 GiB
	OS      string
	Disks   []Disk
	NICs    []NIC
}

// Disk is a disk of a template or VM to begin with; the first is bootable.
type Disk struct {
	Name    string // empty is <owner>_Disk<n>
	Size    int64  // bytes
	Storage string // empty is the data center's first
	Raw     bool
}

// NIC is a network interface to begin with.
type NIC struct {
	Name    string
	Network string // empty is one that is not connected; the profile has its name
	IPs     []string
}

// VM is a virtual machine to begin with.
type VM struct {
	Name, Cluster string
	Template      string // empty is Blank
	Memory        int64  // bytes; 0 is 1 GiB
	Sockets       int
	Running       bool
	Disks         []Disk
	NICs          []NIC
	Tags          []string
}

const gib = 1 << 30

// Small is an engine to begin with: data center Default with cluster Default,
// hosts host1 and host2, domains data (NFS) and block (iSCSI), and a template
// debian-12 with a 10 GiB disk and a NIC.
func Small() Options {
	return Options{
		DataCenters: []DataCenter{{
			Name:     "Default",
			Clusters: []Cluster{{Name: "Default", Hosts: []Host{{Name: "host1"}, {Name: "host2"}}}},
			Storage:  []Storage{{Name: "data"}, {Name: "block", Type: "iscsi"}},
		}},
		Templates: []Template{{
			Name: "debian-12", Cluster: "Default", OS: "debian_12_x64",
			Disks: []Disk{{Size: 10 * gib}}, NICs: []NIC{{Name: "nic1", Network: management}},
		}},
	}
}

// Load is an engine of n VMs on m hosts in one cluster; every other VM runs.
func Load(n, m int) Options {
	o := Small()
	o.DataCenters[0].Clusters[0].Hosts = nil
	for i := range m {
		o.DataCenters[0].Clusters[0].Hosts = append(o.DataCenters[0].Clusters[0].Hosts,
			Host{Name: fmt.Sprintf("host%03d", i+1), Memory: 1 << 50})
	}
	o.DataCenters[0].Storage[0].Size = 1 << 60
	for i := range n {
		o.VMs = append(o.VMs, VM{
			Name: fmt.Sprintf("vm%05d", i+1), Cluster: "Default", Running: i%2 == 0 && m > 0,
			Disks: []Disk{{Size: 10 * gib}}, NICs: []NIC{{Name: "nic1", Network: management}},
		})
	}
	return o
}

// Fleet are k engines of n VMs on m hosts each. The first is called sim1; the names
// of its hosts and VMs begin with sim1-.
func Fleet(k, n, m int) []Options {
	fleet := make([]Options, k)
	for i := range fleet {
		o := Load(n, m)
		o.Name = fmt.Sprintf("sim%d", i+1)
		hosts := o.DataCenters[0].Clusters[0].Hosts
		for j := range hosts {
			hosts[j].Name = o.Name + "-" + hosts[j].Name
		}
		for j := range o.VMs {
			o.VMs[j].Name = o.Name + "-" + o.VMs[j].Name
		}
		fleet[i] = o
	}
	return fleet
}

// seed makes the objects of the options.
func (e *Engine) seed(o Options) error {
	e.col("tags").add(&object{kind: kindTag, id: blankID, body: el("tag", tx("name", "root"), tx("description", "root"))})
	blank := el("template", tx("name", "Blank"), tx("description", "Blank template"), tx("comment", ""))
	blank.kids = append(blank.kids, vmDefaults.kids...)
	blank.kids = append(blank.kids, tx("status", "ok"), el("version", tx("version_name", "base version"), tx("version_number", "1"),
		ref("base_template", blankID)))
	e.col("templates").add(&object{kind: kindTemplate, id: blankID, body: blank})
	e.seedInstanceTypes()
	for _, d := range o.DataCenters {
		e.seedDataCenter(d)
	}
	for _, t := range o.Templates {
		if err := e.seedTemplate(t); err != nil {
			return err
		}
	}
	index := e.seedIndex()
	for _, v := range o.VMs {
		if err := e.seedVM(v, index); err != nil {
			return err
		}
	}
	return nil
}

// seedInstanceTypes makes those that every engine has.
func (e *Engine) seedInstanceTypes() {
	for _, t := range []struct {
		name     string
		mib, cpu int
	}{{"Tiny", 512, 1}, {"Small", 2048, 1}, {"Medium", 4096, 2}, {"Large", 8192, 2}, {"XLarge", 16384, 4}} {
		x := el("instance_type", tx("name", t.name), tx("description", t.name+" instance type"),
			el("cpu", el("topology", tx("cores", "1"), num("sockets", t.cpu), tx("threads", "1"))))
		x = setMemory(x, el("", num("memory", t.mib*mib)), 100)
		e.col("instancetypes").add(e.newObject(kindInstance, x))
	}
}

func (e *Engine) seedDataCenter(d DataCenter) {
	version := el("version", tx("major", "4"), tx("minor", "7"))
	dc := e.col("datacenters").add(e.newObject(kindDataCenter, el("data_center", tx("name", d.Name), tx("description", ""),
		boolean("local", false), tx("quota_mode", "disabled"), tx("status", "up"), tx("storage_format", "v5"),
		el("supported_versions", version), version)))
	for _, s := range d.Storage {
		e.seedStorage(dc, s)
	}
	nets := append([]Network{{Name: management, Required: true}}, d.Networks...)
	made := make([]*object, len(nets))
	for i, n := range nets {
		in := el("network", tx("name", n.Name), num("mtu", n.MTU))
		if n.VLAN > 0 {
			in.kids = append(in.kids, &elem{name: "vlan", id: num("", n.VLAN).text})
		}
		made[i] = e.newNetwork(in, dc.id)
		if n.Label != "" {
			made[i].adopt("networklabels", &object{kind: kindLabel, id: n.Label, body: el("network_label", ref("network", made[i].id))})
		}
	}
	for _, c := range d.Clusters {
		e.seedCluster(dc, c, nets, made)
	}
}

func (e *Engine) seedStorage(dc *object, s Storage) {
	kind, size := orElse(s.Type, "nfs"), s.Size
	if size == 0 {
		size = 1 << 40
	}
	storage := el("storage", tx("address", "storage.example"), tx("path", "/exports/"+s.Name), tx("type", kind))
	if kind == "iscsi" || kind == "fcp" {
		storage = el("storage", tx("type", kind), &elem{name: "volume_group", id: e.newID()})
	}
	x := el("storage_domain", tx("name", s.Name), tx("description", ""), tx("comment", ""), num("available", size),
		boolean("backup", false), tx("block_size", "512"), tx("committed", "0"), tx("critical_space_action_blocker", "5"),
		boolean("discard_after_delete", false), tx("external_status", "ok"), boolean("master", len(dc.sub("storagedomains")) == 0),
		storage, tx("storage_format", "v5"), boolean("supports_discard", false), boolean("supports_discard_zeroes_data", false),
		tx("type", "data"), tx("used", "0"), tx("warning_low_space_indicator", "10"), boolean("wipe_after_delete", false),
		el("data_centers", ref("data_center", dc.id)))
	o := e.col("storagedomains").add(e.newObject(kindStorage, x))
	dc.adopt("storagedomains", &object{kind: kindDCStorage, id: o.id, body: x.put(tx("status", "active")).put(ref("data_center", dc.id))})
}

func (e *Engine) seedCluster(dc *object, c Cluster, nets []Network, made []*object) {
	percent := c.Overcommit
	if percent == 0 {
		percent = 100
	}
	cl := e.col("clusters").add(e.newObject(kindCluster, el("cluster", tx("name", c.Name), tx("description", ""), tx("comment", ""),
		boolean("ballooning_enabled", true), tx("bios_type", "q35_sea_bios"),
		el("cpu", tx("architecture", "x86_64"), tx("type", "Secure Intel Cascadelake Server Family")),
		el("error_handling", tx("on_error", "migrate")), tx("firewall_type", "firewalld"), boolean("gluster_service", false),
		boolean("ha_reservation", false), el("ksm", boolean("enabled", true), boolean("merge_across_nodes", true)),
		el("memory_policy", el("over_commit", num("percent", percent)), el("transparent_hugepages", boolean("enabled", true))),
		tx("switch_type", "legacy"), boolean("threads_as_cores", false), el("version", tx("major", "4"), tx("minor", "7")),
		boolean("virt_service", true), ref("data_center", dc.id))))
	for i, n := range made {
		k := e.assign(cl, n, nets[i].Required)
		if n.name() == management {
			k.manage()
		}
	}
	for _, h := range c.Hosts {
		e.seedHost(cl, h, nets, made)
	}
}

// manage gives a cluster's network the roles that the management network has.
func (o *object) manage() {
	o.put(el("usages", tx("usage", "default_route"), tx("usage", "display"), tx("usage", "management"),
		tx("usage", "migration"), tx("usage", "vm")))
	o.set("display", "true")
}

func (e *Engine) seedHost(cl *object, s Host, nets []Network, made []*object) {
	mem, cpus, nics := s.Memory, s.CPUs, s.NICs
	if mem == 0 {
		mem = 64 * gib
	}
	if cpus == 0 {
		cpus = 16
	}
	if nics == nil {
		nics = []string{"eth0", "eth1", "eth2"}
	}
	h := e.col("hosts").add(e.newObject(kindHost, el("host", tx("name", s.Name), tx("comment", ""),
		tx("address", orElse(s.Address, s.Name+".example")), tx("auto_numa_status", "unknown"),
		el("cpu", tx("name", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"), tx("speed", "2500"),
			el("topology", num("cores", cpus), tx("sockets", "1"), tx("threads", "1")), tx("type", "Secure Intel Cascadelake Server Family")),
		tx("external_status", "ok"), el("hardware_information", tx("manufacturer", "ovirtsim"), tx("uuid", e.newID())),
		tx("kdump_status", "disabled"), num("max_scheduling_memory", mem-mem/32), num("memory", mem),
		el("os", tx("custom_kernel_cmdline", ""), tx("type", "RHEL"), el("version", tx("full_version", "9 - 4.el9"), tx("major", "9"))),
		tx("port", "54321"), tx("protocol", "stomp"), el("se_linux", tx("mode", "enforcing")),
		el("spm", tx("priority", "5"), tx("status", map[bool]string{true: "spm", false: "none"}[len(e.col("hosts").list) == 0])),
		tx("status", "up"), tx("type", "rhel"), boolean("update_available", false),
		el("version", tx("build", "6"), tx("full_version", "vdsm-4.50.5.1-1.el9"), tx("major", "4"), tx("minor", "50"), tx("revision", "0")),
		ref("cluster", cl.id))))
	h.subs = map[string][]*object{}
	for _, n := range nics {
		nic := e.hostNIC(h, n)
		if label := s.Labels[n]; label != "" {
			nic.adopt("networklabels", &object{kind: kindLabel, id: label, body: el("network_label", nicRef(h, nic))})
		}
		h.subs["nics"] = append(h.subs["nics"], nic)
	}
	for i, n := range made {
		port := 0
		ips := managementIP(len(e.col("hosts").list) - 1)
		if i > 0 {
			ips = nil
			if port = 1; !nets[i].Hosts || len(nics) < 2 {
				port = slices.Index(h.subs["nics"], labelledNIC(h.subs["nics"], nets[i].Label))
			}
		}
		if port >= 0 {
			h.subs["networkattachments"] = append(h.subs["networkattachments"], e.newAttachment(h, n, h.subs["nics"][port], ips))
		}
	}
	e.wire(h)
	h.commit()
}

// managementIP is the address that the n-th host has got by DHCP.
func managementIP(n int) *elem {
	address := fmt.Sprintf("198.18.%d.%d", n/250, n%250+1)
	return el("ip_address_assignments",
		el("ip_address_assignment", tx("assignment_method", "dhcp"),
			el("ip", tx("address", address), tx("netmask", "255.254.0.0"), tx("version", "v4"))),
		el("ip_address_assignment", tx("assignment_method", "none"), el("ip", tx("version", "v6"))))
}

func (e *Engine) seedTemplate(s Template) error {
	cl := named(e.col("clusters").list, s.Cluster)
	if cl == nil {
		return fmt.Errorf("ovirtsim: template %s: no cluster %q", s.Name, s.Cluster)
	}
	x := el("template", tx("name", s.Name), tx("description", ""), tx("comment", ""))
	x.kids = append(x.kids, vmDefaults.kids...)
	if s.Memory > 0 {
		x = setMemory(x, el("", num("memory", s.Memory)), 100)
	}
	if s.OS != "" {
		x = x.with("os/type", s.OS)
	}
	t := e.newObject(kindTemplate, x)
	t.put(ref("cluster", cl.id))
	t.put(tx("status", "ok"))
	t.put(date("creation_time", e.clock.now()))
	t.put(el("version", tx("version_name", "base version"), tx("version_number", "1"), ref("base_template", t.id)))
	e.col("templates").add(t)
	if err := e.seedDisks(t, s.Disks, cl); err != nil {
		return err
	}
	return e.seedNICs(t, s.NICs, cl.refID("data_center"), nil)
}

func (e *Engine) seedDisks(owner *object, disks []Disk, cl *object) error {
	dc := e.col("datacenters").ids[cl.refID("data_center")]
	for i, s := range disks {
		var sd *object
		for _, d := range dc.sub("storagedomains") {
			if s.Storage == "" || d.name() == s.Storage {
				sd = d
				break
			}
		}
		if sd == nil {
			return fmt.Errorf("ovirtsim: disk of %s: no storage domain %q in data center %s", owner.name(), s.Storage, dc.name())
		}
		format := map[bool]string{true: "raw", false: "cow"}[s.Raw]
		d := e.col("disks").add(e.newObject(kindDisk,
			e.diskBody(orElse(s.Name, fmt.Sprintf("%s_Disk%d", owner.name(), i+1)), s.Size, format, !s.Raw, sd.id)))
		e.useSpace(sd.id, s.Size)
		owner.adopt("diskattachments", attachment(d.id, el("", boolean("bootable", i == 0)), ref(owner.kind.name, owner.id)))
	}
	return nil
}

func (e *Engine) seedNICs(owner *object, nics []NIC, dc string, profiles map[string]*object) error {
	for _, s := range nics {
		in := el("nic", tx("name", s.Name))
		if s.Network != "" {
			p := profiles[dc+s.Network]
			if profiles == nil {
				p = e.seedIndex()[dc+s.Network]
			}
			if p == nil {
				return fmt.Errorf("ovirtsim: NIC %s of %s: no network %q", s.Name, owner.name(), s.Network)
			}
			in.kids = append(in.kids, ref("vnic_profile", p.id))
		}
		n := e.newNIC(owner, in)
		if len(s.IPs) > 0 {
			owner.addrs[n.get("mac/address")] = s.IPs
		}
	}
	return nil
}

// seedIndex finds profiles by data center and name, which lists would make slow
// for many VMs.
func (e *Engine) seedIndex() map[string]*object {
	m := map[string]*object{}
	for _, p := range e.col("vnicprofiles").list {
		m[e.col("networks").ids[p.refID("network")].refID("data_center")+p.name()] = p
	}
	return m
}

func (e *Engine) seedVM(s VM, profiles map[string]*object) error {
	cl := named(e.col("clusters").list, s.Cluster)
	if cl == nil {
		return fmt.Errorf("ovirtsim: VM %s: no cluster %q", s.Name, s.Cluster)
	}
	t := named(e.col("templates").list, orElse(s.Template, "Blank"))
	if t == nil {
		return fmt.Errorf("ovirtsim: VM %s: no template %q", s.Name, s.Template)
	}
	in := el("vm", tx("name", s.Name))
	if s.Memory > 0 {
		in.kids = append(in.kids, num("memory", s.Memory))
	}
	if s.Sockets > 0 {
		in = in.with("cpu/topology/sockets", num("", s.Sockets).text)
	}
	vm := e.newObject(kindVM, e.vmBody(t, in, cl))
	vm.hidden, vm.addrs, vm.inited = hiddenDefaults, map[string][]string{}, true
	e.col("vms").add(vm)
	if err := e.seedDisks(vm, s.Disks, cl); err != nil {
		return err
	}
	if err := e.seedNICs(vm, s.NICs, cl.refID("data_center"), profiles); err != nil {
		return err
	}
	e.activeSnapshot(vm)
	for _, tag := range s.Tags {
		o := named(e.col("tags").list, tag)
		if o == nil {
			o = e.col("tags").add(e.newObject(kindTag, el("tag", tx("name", tag), tx("description", ""))))
		}
		vm.adopt("tags", &object{kind: kindTag, id: o.id, body: o.body})
	}
	if s.Running {
		hosts := e.filter("hosts", "cluster", cl.id)
		if len(hosts) == 0 {
			return fmt.Errorf("ovirtsim: VM %s: no host in cluster %s to run on", s.Name, s.Cluster)
		}
		vm.put(ref("host", hosts[len(e.vms())%len(hosts)].id))
		vm.put(date("start_time", e.clock.now().Add(-time.Hour)))
		e.booted(vm, false)
	}
	return nil
}
