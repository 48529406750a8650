package ovirtsim

import (
	"net/http"
	"slices"
)

// User is somebody who is no administrator: who may see and use some VMs, and see
// what these are made of. Such a user has to ask for filtered replies.
type User struct {
	Name     string   // with profile
	Password string   // empty is secret
	VMs      []string // names
}

// filtered tells whether a reply is to show only what the user has permissions
// on, and nothing of hosts.
func (c *call) filtered() bool { return c.param("filter") || truth(c.r.Header.Get("Filter")) }

// admit refuses what the user may not do at all.
func (c *call) admit(p place, action string) error {
	read := action == "" && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead)
	switch {
	case c.user == nil:
		return nil
	case read && !c.filtered():
		return plain(400, "Operation Failed", "Query execution failed due to insufficient permissions.")
	case p.obj != nil && !c.sees(p.obj), p.parent != nil && !c.sees(p.parent):
		return notFound
	case read:
		return nil
	}
	o := p.obj
	if o == nil {
		o = p.parent
	}
	if o == nil || o.root().kind != kindVM {
		return plain(403, "Operation Failed", "[User is not authorized to perform this action.]")
	}
	return nil
}

// permitted are the objects of a list that the user sees.
func (c *call) permitted(list []*object) []*object {
	if c.user == nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(o *object) bool { return !c.sees(o) })
}

// root is the object of a top-level collection that o is a part of.
func (o *object) root() *object {
	for o.parent != nil {
		o = o.parent
	}
	return o
}

// sees tells whether the user has permissions on an object, or by way of a VM.
func (c *call) sees(o *object) bool {
	if c.user == nil {
		return true
	}
	o = o.root()
	switch o.kind {
	case kindInstance:
		return true
	case kindVM:
		return slices.Contains(c.user.VMs, o.name())
	case kindTemplate:
		if o.id == blankID {
			return true
		}
	}
	return slices.ContainsFunc(c.e.vms(), func(vm *object) bool {
		return slices.Contains(c.user.VMs, vm.name()) && c.e.madeOf(vm, o)
	})
}

// madeOf tells whether a VM leads to an object: its cluster and data center, its
// template, its disks with their storage, its NICs with their networks.
func (e *Engine) madeOf(vm, o *object) bool {
	disk := func(match func(*object) bool) bool {
		return slices.ContainsFunc(vm.sub("diskattachments"), func(a *object) bool {
			d := e.col("disks").ids[a.id]
			return d != nil && match(d)
		})
	}
	profile := func(match func(*object) bool) bool {
		return slices.ContainsFunc(vm.sub("nics"), func(n *object) bool {
			p := e.col("vnicprofiles").ids[n.refID("vnic_profile")]
			return p != nil && match(p)
		})
	}
	is := func(d *object) bool { return d == o }
	switch o.kind {
	case kindCluster:
		return vm.refID("cluster") == o.id
	case kindDataCenter:
		return e.dcOf(vm.refID("cluster")) == o.id
	case kindTemplate:
		return vm.refID("template") == o.id
	case kindDisk:
		return disk(is)
	case kindStorage:
		return disk(func(d *object) bool { return d.refID("storage_domains/storage_domain") == o.id })
	case kindProfile:
		return profile(is)
	case kindNetwork:
		return profile(func(p *object) bool { return p.refID("network") == o.id })
	}
	return false
}
