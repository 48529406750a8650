package ovirtsim

import (
	"hash/fnv"
	"slices"
	"strconv"
)

// memberKinds are VMs and hosts as members of an affinity group or label.
var memberKinds = map[string]*kind{
	"vms":   newKind("vm", "vms", "vms", "", ""),
	"hosts": newKind("host", "hosts", "hosts", "", ""),
}

// members returns a collection of an object, or of the top with nil. False is a
// path that leads nowhere.
func (e *Engine) members(o *object, rel string) (place, bool) {
	if o == nil {
		c := e.cols[rel]
		if c == nil {
			l, ok := vacantRoots[rel]
			return place{rel: rel, list: l}, ok
		}
		if rel == "jobs" {
			e.purgeJobs()
		}
		return place{rel: rel, list: c.kind.list, item: c.list}, true
	}
	p := place{parent: o, rel: rel, list: linkList(rel), item: o.subs[rel]}
	links := o.kind.links
	switch o.kind.name + " " + rel {
	case "data_center clusters", "data_center networks":
		p.item = e.filter(rel, "data_center", o.id)
		for i, k := range p.item {
			p.item[i] = o.view(rel, k)
		}
	case "network vnicprofiles":
		p.item = e.filter("vnicprofiles", "network", o.id)
	case "storage_domain disks":
		p.item = e.disksOn(o)
	case "storage_domain vms", "storage_domain templates":
		p.item = e.ownersOn(o, rel)
	case "vm cdroms":
		p.item = e.cdroms(o)
	case "vm reporteddevices":
		if p.item == nil {
			p.item = e.reportedDevices(o, nil)
		}
	case "nic reporteddevices":
		if o.parent.kind == kindVM {
			p.item = e.reportedDevices(o.parent, o)
		}
	case "vm statistics", "host statistics", "nic statistics", "disk statistics":
		if p.item == nil {
			p.item = e.statistics(o)
		}
	case "host_nic networkattachments":
		for _, a := range o.parent.sub(rel) {
			if a.refID("host_nic") == o.id {
				p.item = append(p.item, a)
			}
		}
	case "vm affinitylabels", "host affinitylabels":
		for _, l := range e.col(rel).list {
			if l.find(o.kind.path, o.id) != nil {
				p.item = append(p.item, l)
			}
		}
	}
	if name := listNames[o.kind.name+" "+rel]; name != "" {
		p.list = name
	}
	return p, p.item != nil || slices.Contains(links, rel) || slices.Contains(unlinked[o.kind.name], rel)
}

// disksOn are the disks of a storage domain.
func (e *Engine) disksOn(domain *object) []*object {
	var out []*object
	for _, d := range e.col("disks").list {
		if d.refID("storage_domains/storage_domain") == domain.id {
			out = append(out, d)
		}
	}
	return out
}

// ownersOn are the VMs or templates that have a disk on a storage domain.
func (e *Engine) ownersOn(domain *object, rel string) []*object {
	on := map[string]bool{}
	for _, d := range e.disksOn(domain) {
		on[d.id] = true
	}
	var out []*object
	for _, o := range e.col(rel).list {
		if slices.ContainsFunc(o.sub("diskattachments"), func(a *object) bool { return on[a.id] }) {
			out = append(out, domain.view(rel, o))
		}
	}
	return out
}

// filter returns the objects of a top-level collection that refer to an id.
func (e *Engine) filter(path, field, id string) []*object {
	var out []*object
	for _, o := range e.col(path).list {
		if o.refID(field) == id {
			out = append(out, o)
		}
	}
	return out
}

// view is another object as a member of o's collection, with the address that
// it has there.
func (o *object) view(rel string, k *object) *object {
	return &object{kind: k.kind, id: k.id, body: k.body, parent: o, home: rel, actual: k, subs: k.subs}
}

// reportedDevices are what the guest agent of a running VM reports; of one NIC,
// or of all with nil.
func (e *Engine) reportedDevices(vm, nic *object) []*object {
	if vm.status() != "up" {
		return nil
	}
	var out []*object
	for i, n := range vm.sub("nics") {
		if (nic != nil && n != nic) || !n.body.bool("plugged") {
			continue
		}
		mac := n.get("mac/address")
		ips := el("ips")
		for _, a := range vm.addrs[mac] {
			v := "v4"
			for _, r := range a {
				if r == ':' {
					v = "v6"
				}
			}
			ips.kids = append(ips.kids, el("ip", tx("address", a), tx("version", v)))
		}
		d := &object{kind: kindReported, id: e.derive(n.id + "reported"), parent: vm, home: "reporteddevices",
			body: el("reported_device", tx("name", "eth"+strconv.Itoa(i)), tx("description", "guest reported data"),
				ips, el("mac", tx("address", mac)), tx("type", "network"), ref("vm", vm.id))}
		out = append(out, d)
	}
	return out
}

// statistic is one sample.
type statistic struct {
	name, text, kind, unit string
	n                      int64
}

// statistics are what the engine samples; the numbers are the same for the same
// object.
func (e *Engine) statistics(o *object) []*object {
	h := fnv.New32a()
	_, _ = h.Write([]byte(o.id)) // never fails
	busy := int64(h.Sum32() % 50)
	if o.status() != "up" && o.kind != kindNIC && o.kind != kindDisk {
		busy = 0
	}
	mem := o.body.int("memory")
	samples := []statistic{
		{"memory.installed", "Total memory configured", "gauge", "bytes", mem},
		{"memory.used", "Memory used (agent)", "gauge", "bytes", mem / 100 * busy},
		{"cpu.current.guest", "CPU used by guest", "gauge", "percent", busy},
		{"cpu.current.total", "Total CPU used", "gauge", "percent", busy},
	}
	switch o.kind {
	case kindNIC:
		samples = []statistic{
			{"data.current.rx", "Receive data rate", "gauge", "bytes_per_second", 1000 * busy},
			{"data.current.tx", "Transmit data rate", "gauge", "bytes_per_second", 100 * busy},
			{"data.total.rx", "Total received data", "counter", "bytes", 1 << 20},
			{"data.total.tx", "Total transmitted data", "counter", "bytes", 1 << 18},
		}
	case kindDisk:
		samples = []statistic{
			{"data.current.read", "Read data rate", "gauge", "bytes_per_second", 4096 * busy},
			{"data.current.write", "Write data rate", "gauge", "bytes_per_second", 8192 * busy},
		}
	}
	var out []*object
	for _, s := range samples {
		body := el("statistic", tx("name", s.name), tx("description", s.text), tx("kind", s.kind), tx("type", "integer"),
			tx("unit", s.unit), el("values", el("value", num("datum", s.n))), ref(o.kind.name, o.id))
		out = append(out, &object{kind: kindStat, id: e.derive(o.id + s.name), parent: o, home: "statistics", body: body})
	}
	return out
}
