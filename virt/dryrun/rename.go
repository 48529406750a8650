package dryrun

import (
	"slices"

	"github.com/nactl/nactl/virt"
)

// below gives the name by which the platform underneath knows a VM: another one
// where an earlier change renames it.
func (p *Platform) below(vm string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name, ok := p.renamed[vm]; ok {
		return name
	}
	return vm
}

// rename moves all that is kept of a VM to its new name. p.mu is held.
func (p *Platform) rename(from, to virt.Ref, after virt.Object) {
	p.objects[from], p.objects[to] = nil, after
	for ref, o := range p.objects {
		if ref.Owner() != from || ref == from {
			continue
		}
		delete(p.objects, ref)
		ref.Scope = to.Name
		switch o := o.(type) {
		case *virt.GuestFile:
			o.VM = to.Name
		case *virt.SSHKeys:
			o.VM = to.Name
		}
		p.objects[ref] = o
	}
	for _, o := range p.objects {
		if g, ok := o.(*virt.AffinityGroup); ok && g != nil {
			g.VMs = renamed(g.VMs, from.Name, to.Name)
		}
	}
	if p.booting[from.Name] {
		p.booting[to.Name] = true
	}
	delete(p.booting, from.Name)
	if p.isMaybe(from) {
		p.maybe[to] = true
	}
	kept := p.snapshots[from.Name]
	delete(p.snapshots, to.Name) // of a VM that had the name and is gone
	if kept != nil {
		for _, s := range kept.added {
			s.VM = to.Name
		}
		p.snapshots[to.Name] = kept
	}
	p.snapshots[from.Name] = &snapshots{gone: true}
	origin, ok := p.renamed[from.Name]
	if !ok {
		origin = from.Name
	}
	delete(p.renamed, from.Name)
	p.renamed[to.Name] = origin
}

// renamed gives a sorted list of names with one of them replaced.
func renamed(names []string, from, to string) []string {
	i := slices.Index(names, from)
	if i < 0 {
		return names
	}
	names = slices.Clone(names)
	names[i] = to
	slices.Sort(names)
	return names
}

// current gives a group as the platform underneath has it with the names that its
// VMs have by now.
func (p *Platform) current(g *virt.AffinityGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Clone(g.VMs)
	for i, name := range names {
		for to, from := range p.renamed {
			if from == name {
				names[i] = to
			}
		}
	}
	slices.Sort(names)
	g.VMs = names
}
