package ovirtsim

import "strings"

// fields are what objects of a collection can be searched by: a path of the
// document, or a function for what is not in it.
type fields map[string]func(e *Engine, o *object) []string

func text(p string) func(*Engine, *object) []string {
	return func(_ *Engine, o *object) []string { return one(o.get(p)) }
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// nameOf is the name of the object that a reference means.
func nameOf(col, field string) func(*Engine, *object) []string {
	return func(e *Engine, o *object) []string {
		if t := e.cols[col].ids[o.refID(field)]; t != nil {
			return one(t.name())
		}
		return nil
	}
}

func dataCenterOf(e *Engine, o *object) []string {
	id := o.refID("data_center")
	if id == "" {
		id = e.dcOf(o.refID("cluster"))
	}
	if d := e.cols["datacenters"].ids[id]; d != nil {
		return one(d.name())
	}
	return nil
}

// plainFields are fields that are elements of the same name, and id.
func plainFields(names string) fields {
	f := fields{}
	for n := range strings.FieldsSeq(names) {
		f[n] = text(n)
		if n == "id" {
			f[n] = func(_ *Engine, o *object) []string { return one(o.id) }
		}
	}
	return f
}

func (f fields) add(more fields) fields {
	for k, v := range more {
		f[k] = v
	}
	return f
}

// megabytes is a size as searches give it.
func megabytes(p string) func(*Engine, *object) []string {
	return func(_ *Engine, o *object) []string { return one(num("", o.body.int(p)>>20).text) }
}

func gigabytes(p string) func(*Engine, *object) []string {
	return func(_ *Engine, o *object) []string { return one(num("", o.body.int(p)>>30).text) }
}

// level is a compatibility version.
func level(p string) func(*Engine, *object) []string {
	return func(_ *Engine, o *object) []string {
		if o.body.at(p) == nil {
			return nil
		}
		return one(o.get(p+"/major") + "." + o.get(p+"/minor"))
	}
}

func levelOfCluster(e *Engine, o *object) []string {
	if c := e.cols["clusters"].ids[o.refID("cluster")]; c != nil {
		return level("version")(e, c)
	}
	return nil
}

func tagsOf(_ *Engine, o *object) []string {
	var out []string
	for _, t := range o.sub("tags") {
		out = append(out, t.name())
	}
	return out
}

func vmIPs(e *Engine, o *object) []string {
	var out []string
	for _, d := range e.reportedDevices(o, nil) {
		for _, ip := range d.body.list("ips") {
			out = append(out, ip.get("address"))
		}
	}
	return out
}

// searchable are the collections that can be searched, with their fields: those
// that real engines know, and no others.
var searchable = map[string]fields{
	"vms": plainFields("id name comment status description fqdn type").add(fields{
		"on_host": nameOf("hosts", "host"), "cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf,
		"tag": tagsOf, "ip": vmIPs, "os": text("os/type"), "creationdate": text("creation_time"),
		"memory": megabytes("memory"), "guaranteed_memory": megabytes("memory_policy/guaranteed"),
		"architecture": text("cpu/architecture"), "next_run_config_exists": text("next_run_configuration_exists"),
		"bios_type": text("bios/type"), "vcpus": func(_ *Engine, o *object) []string { return one(num("", vcpus(o.body)).text) },
		"uptime": none, "address": text("display/address"), "cpu_usage": none, "mem_usage": none, "network_usage": none,
		"migration_progress_percent": none, "apps": none, "pool": none, "loggedinuser": none, "quota": none,
		"custom_emulated_machine": text("custom_emulated_machine"), "custom_cpu_type": text("custom_cpu_model"),
		"compatibility_level": levelOfCluster, "custom_compatibility_level": level("custom_compatibility_version"),
		"created_by_user_id": none, "has_illegal_images": none, "k8s_namespace": none,
	}),
	"hosts": plainFields("id name comment status address external_status type update_available").add(fields{
		"cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf, "tag": tagsOf, "memory": megabytes("memory"),
		"active_vms": text("summary/active"), "migrating_vms": text("summary/migrating"), "cpu_model": text("cpu/name"),
		"cpu_speed": text("cpu/speed"), "version": text("version/full_version"), "cpus": text("cpu/topology/cores"),
		"cpu_usage": none, "mem_usage": none, "network_usage": none, "load": none, "committed_mem": none,
		"architecture": text("cpu/type"), "ha_score": none, "spm_id": none, "hw_id": text("hardware_information/uuid"),
	}),
	"clusters": plainFields("name description comment").add(fields{
		"architecture": text("cpu/architecture"), "cpu_type": text("cpu/type"), "compatibility_level": level("version"),
	}),
	"datacenters": plainFields("name description local status comment").add(fields{"compatibility_version": level("version")}),
	"networks": plainFields("name description comment stp mtu").add(fields{
		"datacenter": dataCenterOf, "vlanid": func(_ *Engine, o *object) []string { return one(o.refID("vlan")) },
		"vmnetwork": func(_ *Engine, o *object) []string { return one(boolean("", isVMNetwork(o.body)).text) },
		"label": func(_ *Engine, o *object) []string {
			var out []string
			for _, l := range o.sub("networklabels") {
				out = append(out, l.id)
			}
			return out
		}, "provider_name": none, "qos_name": none,
	}),
	"templates": plainFields("name comment status description").add(fields{
		"_vmt_id": func(_ *Engine, o *object) []string { return one(o.id) },
		"os":      text("os/type"), "cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf, "tag": tagsOf,
		"version_name": text("version/version_name"), "mem": megabytes("memory"), "creationdate": text("creation_time"),
		"childcount": none, "sealed": none, "quota": none, "architecture": text("cpu/architecture"),
	}),
	"disks": plainFields("id alias name description status shareable wipe_after_delete provisioned_size actual_size").add(fields{
		"size": text("provisioned_size"), "disk_type": text("storage_type"), "disk_content_type": text("content_type"),
		"creation_date": none, "last_modified": none, "allocation_policy": none, "quota": none,
		"number_of_vms": func(e *Engine, o *object) []string { return one(num("", len(e.attachedTo(o.id))).text) },
		"vm_names": func(e *Engine, o *object) []string { // one text of all their names
			var names []string
			for _, v := range e.attachedTo(o.id) {
				names = append(names, v.name())
			}
			return one(strings.Join(names, ","))
		},
	}),
	"storagedomains": plainFields("name description status external_status comment backup wipe_after_delete discard_after_delete").add(fields{
		"type": text("storage/type"), "shared_status": none, "datacenter": func(e *Engine, o *object) []string {
			return namesOf(referred("datacenters", "data_centers/data_center")(e, o))
		},
		"free_size": gigabytes("available"), "used_size": gigabytes("used"), "committed": gigabytes("committed"),
		"total_size": func(_ *Engine, o *object) []string {
			return one(num("", (o.body.int("available")+o.body.int("used"))>>30).text)
		},
	}),
	"vnicprofiles": plainFields("name description port_mirroring").add(fields{
		"network_name": nameOf("networks", "network"), "datacenter": func(e *Engine, o *object) []string {
			if n := e.cols["networks"].ids[o.refID("network")]; n != nil {
				return dataCenterOf(e, n)
			}
			return nil
		},
		"passthrough": none, "compatibility_version": none, "qos_name": none, "network_filter": none, "failover": none,
	}),
	"nics":          {"network_name": nicNetwork}, // of VMs and templates, only beside their own fields
	"jobs":          {"correlation_id": text("correlation_id")},
	"instancetypes": plainFields("name description").add(fields{"mem": megabytes("memory")}),
	"users": plainFields("name department").add(fields{
		"lastname": text("last_name"), "usrname": text("user_name"), "login": text("user_name"), "directory": text("domain/name"),
		"user_and_domain": none, "tag": none, "pool": none, "type": none,
	}),
	"events": plainFields("time severity correlation_id origin").add(fields{
		"type": text("code"), "message": text("description"), "usrname": none, "custom_event_id": text("custom_id"),
		"event_host": nameOf("hosts", "host"), "event_vm": nameOf("vms", "vm"), "event_template": nameOf("templates", "template"),
		"event_storage": nameOf("storagedomains", "storage_domain"), "event_datacenter": nameOf("datacenters", "data_center"),
	}),
}

func none(*Engine, *object) []string { return nil }

// relation leads from an object to those of another collection, by whose fields
// it can be searched, too.
type relation struct {
	col string
	of  func(e *Engine, o *object) []*object
}

func referred(col, path string) func(*Engine, *object) []*object {
	return func(e *Engine, o *object) []*object {
		if t := e.cols[col].ids[o.refID(path)]; t != nil {
			return []*object{t}
		}
		return nil
	}
}

// referring are the objects of a collection that refer to the object.
func referring(col, path string) func(*Engine, *object) []*object {
	return func(e *Engine, o *object) []*object { return e.filter(col, path, o.id) }
}

// related are the other objects that the conditions of a search may name, as in
// host.name=x: as real engines relate them. All but datacenter and storage have a
// plural, too.
var related = map[string]map[string]relation{
	"vms": {
		"host": {"hosts", referred("hosts", "host")}, "template": {"templates", referred("templates", "template")}, "vnic": {"nics", ownNICs},
		"event": {"events", referring("events", "vm")}, "user": {"users", nobody},
		"storage": {"storagedomains", func(e *Engine, o *object) []*object { return storageOf(e, o) }},
	},
	"hosts": {
		"vm": {"vms", referring("vms", "host")}, "event": {"events", referring("events", "host")}, "user": {"users", nobody},
	},
	"templates": {
		"vm": {"vms", referring("vms", "template")}, "vnic": {"nics", ownNICs}, "event": {"events", referring("events", "template")}, "user": {"users", nobody},
		"storage": {"storagedomains", func(e *Engine, o *object) []*object { return storageOf(e, o) }},
	},
	"clusters":    {"datacenter": {"datacenters", referred("datacenters", "data_center")}},
	"datacenters": {"cluster": {"clusters", referring("clusters", "data_center")}, "network": {"networks", referring("networks", "data_center")}},
	"disks":       {"storage": {"storagedomains", referred("storagedomains", "storage_domains/storage_domain")}},
	"events": {
		"vm": {"vms", referred("vms", "vm")}, "host": {"hosts", referred("hosts", "host")},
		"template": {"templates", referred("templates", "template")}, "cluster": {"clusters", referred("clusters", "cluster")},
	},
}

func ownNICs(_ *Engine, o *object) []*object { return o.sub("nics") }

// nicNetwork is the name of the network that a NIC is on.
func nicNetwork(e *Engine, nic *object) []string {
	p := e.cols["vnicprofiles"].ids[nic.refID("vnic_profile")]
	if p == nil {
		return nil
	}
	return namesOf(referred("networks", "network")(e, p))
}

func nobody(*Engine, *object) []*object { return nil }

// storageOf are the domains that a VM's or template's disks lie in.
func storageOf(e *Engine, o *object) []*object {
	var out []*object
	for _, a := range o.sub("diskattachments") {
		if d := e.cols["disks"].ids[a.refID("disk")]; d != nil {
			out = append(out, referred("storagedomains", "storage_domains/storage_domain")(e, d)...)
		}
	}
	return out
}

func namesOf(list []*object) []string {
	var out []string
	for _, o := range list {
		out = append(out, o.name())
	}
	return out
}

// field finds the function of a field of a collection, nil when it has none. The
// name of a relation alone stands for all fields of the related objects.
func field(col, name string) func(*Engine, *object) []string {
	if get := searchable[col][name]; get != nil {
		return get
	}
	pre, rest, dotted := strings.Cut(name, ".")
	if dotted && (pre == col || pre+"s" == col) {
		return searchable[col][rest]
	}
	r, ok := related[col][pre]
	if !ok {
		r, ok = related[col][strings.TrimSuffix(pre, "s")]
	}
	get := searchable[r.col][rest]
	if !dotted {
		get = func(e *Engine, o *object) []string { return e.everything(r.col, o) }
	}
	if !ok || get == nil {
		return nil
	}
	return func(e *Engine, o *object) []string {
		var out []string
		for _, t := range r.of(e, o) {
			out = append(out, get(e, t)...)
		}
		return out
	}
}
