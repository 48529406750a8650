package ovirtsim

import (
	"strings"
)

// followed is a tree of what to inline: follow=nics,disk_attachments.disk.
// Names are compared without case and underscores.
type followed struct {
	name string // as it was given
	kids map[string]*followed
	used bool
}

// maxFollow bounds a path; engines have no deeper model.
const maxFollow = 10

func parseFollow(s string) (*followed, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	root := &followed{kids: map[string]*followed{}}
	for path := range strings.SplitSeq(s, ",") {
		at := root
		segs := strings.Split(strings.TrimSpace(path), ".")
		if len(segs) > maxFollow {
			return nil, plain(500, "Operation Failed", "Problem fetching '"+path+"'")
		}
		for _, seg := range segs {
			k := at.kids[squash(seg)]
			if k == nil {
				k = &followed{name: seg, kids: map[string]*followed{}}
				at.kids[squash(seg)] = k
			}
			at = k
		}
	}
	return root, nil
}

func (f *followed) get(name string) *followed {
	if f == nil {
		return nil
	}
	k := f.kids[squash(name)]
	if k != nil {
		k.used = true
	}
	return k
}

// references are the references that an object of a kind can have; one that it
// happens not to have is followed into nothing.
var references = map[string]string{
	"vm":       "host cluster template original_template cpu_profile quota instance_type storage_domain vm_pool",
	"host":     "cluster",
	"cluster":  "data_center mac_pool scheduling_policy management_network",
	"network":  "data_center cluster qos external_provider",
	"template": "cluster cpu_profile quota",
	"disk":     "storage_domains disk_profile quota vms snapshot template",
	"nic":      "vnic_profile vm network template", "vnic_profile": "network network_filter qos",
	"disk_attachment": "disk vm template", "storage_domain": "data_center data_centers host",
	"network_attachment": "network host host_nic", "host_nic": "network host base_interface",
	"data_center": "mac_pool", "snapshot": "vm host", "reported_device": "vm", "tag": "parent vm host",
	"event": "vm host cluster data_center template user storage_domain", "job": "owner", "affinity_group": "cluster vms hosts",
	"affinity_label": "vms hosts", "statistic": "vm host disk", "member": "",
}

// known is the fault of an unknown path.
func (f *followed) known(o *object) error {
	if f == nil {
		return nil
	}
	for key, k := range f.kids {
		if k.used {
			continue
		}
		ok := false
		for r := range strings.FieldsSeq(references[o.kind.name]) {
			ok = ok || squash(r) == key
		}
		for _, l := range o.kind.links {
			ok = ok || squash(l) == key
		}
		if !ok {
			return plain(500, "Operation Failed", "Problem fetching '"+k.name+"' from "+camel(o.kind.name))
		}
	}
	return nil
}

// followList is a link's collection, inlined.
func (v view) followList(o *object, rel string, f *followed) (*elem, error) {
	p, _ := v.e.members(o, rel)
	x := &elem{name: p.list}
	if o.kind == kindHost && squash(rel) == "nics" {
		x.name = "nics" // inside a host the list is called as its link
	}
	for _, k := range p.item {
		kx, err := v.show(k, f.deeper())
		if err != nil {
			return nil, err
		}
		x.kids = append(x.kids, kx)
	}
	return x, nil
}

// followRef is a reference, or a list of them, with the objects in place.
func (v view) followRef(k *elem, f *followed) (*elem, error) {
	if k.id == "" && len(k.kids) > 0 && listItem[k.name] != "" {
		x := &elem{name: k.name}
		for _, i := range k.kids {
			ix, err := v.followRef(i, f)
			if err != nil {
				return nil, err
			}
			x.kids = append(x.kids, ix)
		}
		return x, nil
	}
	o := v.e.target(k)
	if o == nil {
		return k, nil
	}
	x, err := v.show(o, f.deeper())
	if x != nil {
		x.name = k.name
	}
	return x, err
}

// deeper is the subtree, nil when it ends here.
func (f *followed) deeper() *followed {
	if len(f.kids) == 0 {
		return nil
	}
	return f
}

// target is the object that a reference means.
func (e *Engine) target(k *elem) *object {
	if k.href != "" && k.href != bare {
		p, _, err := e.resolve(strings.FieldsFunc(strings.TrimPrefix(k.href, base), func(r rune) bool { return r == '/' }))
		if err != nil {
			return nil
		}
		return p.obj
	}
	if c := e.cols[refPath[k.name]]; c != nil {
		return c.ids[k.id]
	}
	return nil
}
