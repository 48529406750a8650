package virt

import (
	"maps"
	"slices"
)

// OvirtSettings are what a VM has on an engine only. Of a VM, what is unknown is
// the template's; in a change, what is absent stays as it is.
type OvirtSettings struct {
	HAPriority Opt[int]    `json:"ha_priority,omitzero"` // 0 to 100; which VMs are started first elsewhere
	Affinity   Opt[string] `json:"affinity,omitzero"`    // to Hosts: migratable, user_migratable, pinned
	// Hosts are where it starts; none: on any of its cluster.
	Hosts           Opt[[]string] `json:"hosts,omitzero"`
	DeleteProtected Opt[bool]     `json:"delete_protected,omitzero"`
	// CustomProperties of a change are merged: others stay, and an empty value takes
	// one away.
	CustomProperties map[string]string `json:"custom_properties,omitempty"`
}

// clone returns a deep copy; nil for nil.
func (s *OvirtSettings) clone() *OvirtSettings {
	if s == nil {
		return nil
	}
	c := *s
	if hosts, ok := s.Hosts.Get(); ok {
		c.Hosts = Some(slices.Clone(hosts))
	}
	c.CustomProperties = maps.Clone(s.CustomProperties)
	return &c
}

// TagEdit says which tags a VM is to have.
type TagEdit struct {
	Exactly Opt[[]string] `json:"exactly,omitzero"` // these and no others; absent: others stay
	Add     []string      `json:"add,omitempty"`
	Remove  []string      `json:"remove,omitempty"`
}

// IsZero tells whether nothing is said about tags.
func (t TagEdit) IsZero() bool { return !t.Exactly.IsSet() && len(t.Add)+len(t.Remove) == 0 }

// Of gives the tags of a VM that has these, sorted.
func (t TagEdit) Of(have []string) []string {
	tags := append(slices.Clone(t.Exactly.Or(have)), t.Add...)
	tags = slices.DeleteFunc(tags, func(tag string) bool { return slices.Contains(t.Remove, tag) })
	slices.Sort(tags)
	return slices.Compact(tags)
}

func setTags(after *VM, edit TagEdit, d *diff) {
	if edit.IsZero() || afterwards(d, "tags", after.Tags, edit.Exactly) {
		return
	}
	tags := edit.Of(after.Tags)
	d.set("tags", after.Tags, tags, "")
	after.Tags = tags
}

func (r Rules) setOvirt(after *VM, want *OvirtSettings, d *diff) {
	if want == nil {
		return
	}
	if after.Ovirt == nil {
		after.Ovirt = &OvirtSettings{}
	}
	s := after.Ovirt
	take(d, "ovirt.ha_priority", &s.HAPriority, want.HAPriority)
	take(d, "ovirt.affinity", &s.Affinity, want.Affinity)
	take(d, "ovirt.hosts", &s.Hosts, want.Hosts)
	take(d, "ovirt.delete_protected", &s.DeleteProtected, want.DeleteProtected)
	for _, name := range slices.Sorted(maps.Keys(want.CustomProperties)) {
		path, value := "ovirt.custom_properties."+name, want.CustomProperties[name]
		old, had := s.CustomProperties[name]
		if s.CustomProperties == nil {
			s.CustomProperties = map[string]string{}
		}
		switch {
		case value != "":
			s.CustomProperties[name] = value
		default:
			delete(s.CustomProperties, name)
		}
		r.later(d, after, path, textOrNil(old, had), textOrNil(value, value != ""))
	}
}

func textOrNil(text string, there bool) any {
	if !there {
		return nil
	}
	return text
}

// take notes that an optional field becomes what is wanted, if anything is.
func take[T any](d *diff, path string, have *Opt[T], want Opt[T]) {
	if !want.IsSet() {
		return
	}
	d.set(path, have.Any(), want.Any(), "")
	*have = want
}

// later notes a setting that a running VM takes over at its next start, where
// the platform says so. What it runs with until then stands in Pending.
func (r Rules) later(d *diff, after *VM, path string, stored, want any) {
	reason := ""
	if r.NextRun != nil && after.State.IsLive() {
		reason = r.NextRun(path)
	}
	if reason == "" {
		d.set(path, stored, want, "")
		return
	}
	live := stored
	after.Pending = slices.DeleteFunc(after.Pending, func(p Pending) bool {
		if p.Field == path {
			live = p.Live
		}
		return p.Field == path
	})
	if equal(live, want) {
		d.set(path, stored, want, "")
		return
	}
	if !equal(stored, want) {
		d.field(FieldChange{Path: path, Before: stored, After: want, Note: "pending: " + reason})
	}
	p := Pending{Field: path, Live: live, Configured: want, Reason: reason}
	d.pending(p)
	after.Pending = append(after.Pending, p)
}
