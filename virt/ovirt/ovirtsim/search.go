package ovirtsim

import (
	"errors"
	"slices"
	"strings"
)

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

// plainFields are fields that are elements of the same name.
func plainFields(names string) fields {
	f := fields{"id": func(_ *Engine, o *object) []string { return one(o.id) }}
	for n := range strings.FieldsSeq(names) {
		f[n] = text(n)
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

// searchable are the collections that can be searched, with their fields.
var searchable = map[string]fields{
	"vms": plainFields("name comment status description fqdn type").add(fields{
		"host": nameOf("hosts", "host"), "cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf,
		"tag": tagsOf, "ip": vmIPs, "os": text("os/type"), "creationdate": text("creation_time"),
		"memory": megabytes("memory"), "guaranteed_memory": megabytes("memory_policy/guaranteed"),
		"architecture": text("cpu/architecture"), "next_run_config_exists": text("next_run_configuration_exists"),
		"bios_type": text("bios/type"), "vcpus": func(_ *Engine, o *object) []string { return one(num("", vcpus(o.body)).text) },
		"template": nameOf("templates", "template"), "uptime": none, "address": text("display/address"), "cpu_usage": none,
		"mem_usage": none, "network_usage": none, "apps": none, "pool": none, "loggedinuser": none, "quota": none,
		"compatibility_level": text("custom_compatibility_version/minor"), "has_illegal_images": none,
	}),
	"hosts": plainFields("name comment status address external_status type").add(fields{
		"cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf, "tag": tagsOf, "memory": megabytes("memory"),
		"active_vms": text("summary/active"), "cpu_model": text("cpu/name"), "version": text("version/full_version"),
		"cpus": text("cpu/topology/cores"), "load": none, "architecture": text("cpu/type"),
	}),
	"clusters": plainFields("name description comment").add(fields{
		"architecture": text("cpu/architecture"), "cpu_type": text("cpu/type"), "datacenter": dataCenterOf,
		"compatibility_level": func(_ *Engine, o *object) []string {
			return one(o.get("version/major") + "." + o.get("version/minor"))
		},
	}),
	"datacenters": plainFields("name description local status comment").add(fields{"compatibility_version": text("version/minor")}),
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
		"os": text("os/type"), "cluster": nameOf("clusters", "cluster"), "datacenter": dataCenterOf,
		"version_name": text("version/version_name"), "version_number": text("version/version_number"),
		"memory": megabytes("memory"), "creationdate": text("creation_time"),
	}),
	"disks": plainFields("alias name description status provisioned_size content_type format").add(fields{
		"disk_type": text("storage_type"), "size": text("provisioned_size"), "vm_names": func(e *Engine, o *object) []string {
			var out []string
			for _, v := range e.attachedTo(o.id) {
				out = append(out, v.name())
			}
			return out
		},
		"storage": nameOf("storagedomains", "storage_domains/storage_domain"),
	}),
	"storagedomains": plainFields("name description status type comment").add(fields{
		"datacenter": func(e *Engine, o *object) []string {
			if d := e.cols["datacenters"].ids[o.refID("data_centers/data_center")]; d != nil {
				return one(d.name())
			}
			return nil
		},
		"free_size": func(_ *Engine, o *object) []string { return one(num("", o.body.int("available")>>30).text) },
	}),
	"vnicprofiles": plainFields("name description port_mirroring").add(fields{
		"network_name": nameOf("networks", "network"), "datacenter": func(e *Engine, o *object) []string {
			if n := e.cols["networks"].ids[o.refID("network")]; n != nil {
				return dataCenterOf(e, n)
			}
			return nil
		},
	}),
	"jobs":          {"correlation_id": text("correlation_id")},
	"instancetypes": plainFields("name description").add(fields{"memory": megabytes("memory")}),
	"users":         plainFields("name user_name"),
	"events": plainFields("time severity correlation_id origin custom_id").add(fields{
		"type": text("code"), "message": text("description"), "host": nameOf("hosts", "host"), "vm": nameOf("vms", "vm"),
		"template": nameOf("templates", "template"), "storage": nameOf("storagedomains", "storage_domain"),
	}),
}

func none(*Engine, *object) []string { return nil }

// related are the prefixes of fields of other collections, as in host.name=x.
var related = map[string]map[string]string{
	"vms":   {"host": "hosts host", "hosts": "hosts host", "cluster": "clusters cluster", "template": "templates template"},
	"hosts": {"cluster": "clusters cluster"}, "clusters": {"datacenter": "datacenters data_center"},
	"networks":     {"datacenter": "datacenters data_center"},
	"vnicprofiles": {"network": "networks network"},
	"events":       {"vm": "vms vm", "host": "hosts host"},
}

// field finds the function of a field of a collection, nil when it has none.
func field(col, name string) func(*Engine, *object) []string {
	pre, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return searchable[col][name]
	}
	if pre == col || pre+"s" == col {
		return searchable[col][rest]
	}
	to, ref, ok := strings.Cut(related[col][pre], " ")
	if !ok || searchable[to][rest] == nil {
		return nil
	}
	return func(e *Engine, o *object) []string {
		if t := e.cols[to].ids[o.refID(ref)]; t != nil {
			return searchable[to][rest](e, t)
		}
		return nil
	}
}

// search applies the parameters search, case_sensitive, max and from to a
// top-level collection.
func (e *Engine) search(c *call, col string, list []*object) ([]*object, error) {
	text := strings.TrimSpace(c.params.Get("search"))
	if searchable[col] == nil {
		text = ""
	}
	q, err := parseQuery(text)
	if err == nil {
		err = q.check(col, text)
	}
	if err != nil {
		var s *syntaxError
		if errors.As(err, &s) {
			return nil, plain(400, "Operation Failed", s.Error())
		}
		return nil, err
	}
	fold := !c.param("case_sensitive")
	from, hasFrom := c.number("from")
	out := make([]*object, 0, len(list))
	for _, o := range list {
		if hasFrom && col == "events" && int(o.body.int("index")) <= from {
			continue
		}
		if q.where != nil && !q.where.eval(
			func(f string) []string { return field(col, f)(e, o) },
			func() []string { return e.everything(col, o) }, fold) {
			continue
		}
		out = append(out, o)
	}
	switch {
	case q.sort != "":
		get := field(col, q.sort)
		key := make(map[*object]string, len(out))
		for _, o := range out {
			key[o] = strings.Join(get(e, o), " ")
		}
		slices.SortStableFunc(out, func(a, b *object) int {
			n := compare(key[a], key[b], true)
			if q.desc {
				n = -n
			}
			return n
		})
	case col == "events":
		slices.Reverse(out) // newest first
	}
	n, ok := c.number("max")
	if !ok || n < 0 {
		if q.page == 0 {
			return out, nil
		}
		n = 100 // the engine's page
	}
	first := min(len(out), max(0, q.page-1)*n)
	return out[first:min(len(out), first+n)], nil
}

// check refuses fields that the collection does not have.
func (q *query) check(col, text string) error {
	for _, f := range append(slices.Clone(q.fields), q.sort) {
		if f != "" && field(col, f) == nil {
			i := max(0, strings.Index(strings.ToLower(text), f))
			return &syntaxError{text, i, min(len(text), i+len(f))}
		}
	}
	return nil
}

// everything is what a search without a field looks at.
func (e *Engine) everything(col string, o *object) []string {
	var out []string
	for _, get := range searchable[col] {
		out = append(out, get(e, o)...)
	}
	return out
}
