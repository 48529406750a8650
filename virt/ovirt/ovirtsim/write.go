package ovirtsim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"slices"
	"time"
)

const base = "/ovirt-engine/api"

// refPath is the collection that a reference's href points into; references
// that are not here are written with their id alone.
var refPath = map[string]string{
	"vm": "vms", "host": "hosts", "cluster": "clusters", "data_center": "datacenters",
	"network": "networks", "vnic_profile": "vnicprofiles", "template": "templates",
	"original_template": "templates", "instance_type": "instancetypes", "base_template": "templates", "disk": "disks",
	"storage_domain": "storagedomains", "job": "jobs", "user": "users", "tag": "tags",
	"mac_pool": "macpools", "scheduling_policy": "schedulingpolicies", "cpu_profile": "cpuprofiles",
	"disk_profile": "diskprofiles", "large_icon": "icons", "small_icon": "icons",
	"network_filter": "networkfilters", "external_provider": "openstacknetworkproviders",
	"external_provider_physical_network": "networks", "affinity_label": "affinitylabels",
}

// listItem names the elements that are lists, and what they are lists of: JSON
// shows their children as one array, an update replaces them whole.
var listItem = map[string]string{
	"actions": "link", "affinity_groups": "affinity_group", "affinity_labels": "affinity_label",
	"applications": "application", "clusters": "cluster", "custom_properties": "custom_property",
	"custom_scheduling_policy_properties": "property", "data_centers": "data_center",
	"devices": "device", "disk_attachments": "disk_attachment", "disks": "disk", "events": "event",
	"files": "file", "host_nics": "host_nic", "hosts": "host", "ip_address_assignments": "ip_address_assignment",
	"instance_types": "instance_type", "ips": "ip", "jobs": "job", "logical_units": "logical_unit", "methods": "method",
	"network_attachments": "network_attachment", "network_labels": "network_label", "networks": "network",
	"nic_configurations": "nic_configuration", "nics": "nic", "options": "option",
	"pm_proxies": "pm_proxy", "properties": "property", "reported_configurations": "reported_configuration",
	"reported_devices": "reported_device", "required_rng_sources": "required_rng_source", "slaves": "host_nic",
	"snapshots": "snapshot", "statistics": "statistic", "steps": "step", "storage_domains": "storage_domain",
	"supported_rng_sources": "supported_rng_source", "supported_versions": "version", "tags": "tag",
	"templates": "template", "usages": "usage", "values": "value", "vms": "vm", "vnic_profiles": "vnic_profile",
	"modified_bonds": "host_nic", "modified_network_attachments": "network_attachment",
	"removed_bonds": "host_nic", "removed_network_attachments": "network_attachment",
	"synchronized_network_attachments": "network_attachment", "modified_labels": "network_label",
	"removed_labels": "network_label", "link": "",
}

// dates are the elements that JSON shows as milliseconds since the epoch.
var dates = []string{"creation_time", "start_time", "stop_time", "end_time", "last_updated", "date", "time"}

const dateFormat = "2006-01-02T15:04:05.000-07:00"

func date(name string, t time.Time) *elem { return tx(name, t.Format(dateFormat)) }

// attrs returns an element's attributes as they are written.
func (x *elem) attrs() (id, href string) {
	href = x.href
	if href == bare {
		return x.id, ""
	}
	if href == "" && x.id != "" && len(x.kids) == 0 {
		if p := refPath[x.name]; p != "" {
			href = base + "/" + p + "/" + x.id
		}
	}
	return x.id, href
}

func (x *elem) xml(b *bytes.Buffer) {
	b.WriteByte('<')
	b.WriteString(x.name)
	id, href := x.attrs()
	for _, a := range [...][2]string{{"href", href}, {"id", id}, {"rel", x.rel}} {
		if a[1] != "" {
			b.WriteByte(' ')
			b.WriteString(a[0])
			b.WriteString(`="`)
			escape(b, a[1])
			b.WriteByte('"')
		}
	}
	if len(x.kids) == 0 && x.text == "" && (id != "" || listItem[x.name] != "" || x.rel != "") {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	escape(b, x.text)
	for _, k := range x.kids {
		k.xml(b)
	}
	b.WriteString("</")
	b.WriteString(x.name)
	b.WriteByte('>')
}

func escape(b *bytes.Buffer, s string) {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		c := s[i]
		clean = c >= ' ' && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"' && c != '\''
	}
	if clean { // almost everything, and lists can be large
		b.WriteString(s)
		return
	}
	_ = xml.EscapeText(b, []byte(s)) // a Buffer never fails
}

// json writes what the engine's own JSON writer shows: every value a string,
// dates as milliseconds, lists as an object with one array.
func (x *elem) json(b *bytes.Buffer) {
	id, href := x.attrs()
	item := listItem[x.name]
	if len(x.kids) == 0 && id == "" && href == "" && item == "" {
		x.jsonText(b)
		return
	}
	b.WriteByte('{')
	sep := ""
	key := func(k string) {
		b.WriteString(sep)
		jsonString(b, k)
		b.WriteByte(':')
		sep = ","
	}
	for _, a := range [...][2]string{{"href", href}, {"id", id}, {"rel", x.rel}} {
		if a[1] != "" {
			key(a[0])
			jsonString(b, a[1])
		}
	}
	var seen []string
	for i, k := range x.kids {
		if slices.Contains(seen, k.name) {
			continue
		}
		seen = append(seen, k.name)
		key(k.name)
		again := slices.ContainsFunc(x.kids[i+1:], func(s *elem) bool { return s.name == k.name })
		if item != k.name && k.name != "link" && !again && !(x.name == "nics" && k.name == "host_nic") {
			k.json(b)
			continue
		}
		b.WriteByte('[')
		comma := ""
		for _, s := range x.kids[i:] {
			if s.name == k.name {
				b.WriteString(comma)
				s.json(b)
				comma = ","
			}
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
}

func (x *elem) jsonText(b *bytes.Buffer) {
	if slices.Contains(dates, x.name) {
		if t, err := time.Parse(dateFormat, x.text); err == nil {
			b.WriteString(num("", t.UnixMilli()).text)
			return
		}
	}
	jsonString(b, x.text)
}

func jsonString(b *bytes.Buffer, s string) {
	t, _ := json.Marshal(s) // a string always marshals
	b.Write(t)
}
