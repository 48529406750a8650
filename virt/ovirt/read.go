package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// Network implements virt.Reader.
func (e *Engine) Network(ctx context.Context, name string) (*virt.Network, error) {
	n, err := e.network(ctx, virt.NetworkRef(name))
	if err != nil {
		return nil, err
	}
	return &n.net, nil
}

// network gives the network of a name, with where it is.
func (e *Engine) network(ctx context.Context, ref virt.Ref) (networkInfo, error) {
	all, err := e.networks(ctx)
	if err != nil {
		return networkInfo{}, err
	}
	centre, plain := qualified(ref.Name)
	var found []networkInfo
	var where []string
	for _, n := range all {
		if n.net.Name == plain && (centre == "" || n.net.DataCentre == centre) {
			found = append(found, n)
			where = append(where, n.net.DataCentre+"/"+plain)
		}
	}
	switch len(found) {
	case 0:
		return networkInfo{}, virt.NotFound(ref, "make it with create_vlan, or check its name")
	case 1:
		found[0].net.Name = ref.Name
		return found[0], nil
	}
	return networkInfo{}, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is the name of several networks",
		Found: strings.Join(where, ", "), Hint: "write it with its data centre, as " + where[0]}
}

// Networks implements virt.Reader.
func (e *Engine) Networks(ctx context.Context) ([]*virt.Network, error) {
	all, err := e.networks(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*virt.Network, len(all))
	for i := range all {
		out[i] = &all[i].net
	}
	return out, nil
}

// networks gives all networks, with the clusters and hosts that have them; they
// are the caller's.
func (e *Engine) networks(ctx context.Context) ([]networkInfo, error) {
	byID, err := e.networkMap(ctx)
	if err != nil {
		return nil, err
	}
	members, err := e.memberMap(ctx)
	if err != nil {
		return nil, err
	}
	carriers, err := e.carrierMap(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Collect(maps.Values(byID))
	for i := range all {
		n := &all[i]
		n.net.DataCentre = centreName(members, n.centre)
		for _, c := range members {
			if c.networks[n.id] {
				n.net.Clusters = append(n.net.Clusters, c.name)
			}
		}
		for _, h := range carriers {
			for _, k := range h.nets {
				if k.network == n.id {
					n.net.Hosts = append(n.net.Hosts, h.host.Name)
					n.net.Attachments = append(n.net.Attachments, virt.Attachment{Host: h.host.Name, NIC: k.nic, InSync: k.inSync})
				}
			}
		}
		slices.Sort(n.net.Clusters)
		slices.Sort(n.net.Hosts)
		sortBy(n.net.Attachments, func(a virt.Attachment) string { return a.Host })
	}
	sortBy(all, func(n networkInfo) string { return n.net.Name + "\x00" + n.net.DataCentre })
	return all, nil
}

// domainStates gives the state of each storage domain, by id. They have one only
// as members of a data centre.
func (e *Engine) domainStates(ctx context.Context) (map[string]string, error) {
	return e.dir.states.get(ctx, "", func(ctx context.Context) (map[string]string, error) {
		states := map[string]string{}
		_, err := list(ctx, e.Client, kindDataCenter, "/datacenters", query{Follow: []string{"storage_domains"}}, func(dc *ovirtsdk.DataCenter) (bool, error) {
			domains, sent := items(dc.StorageDomains())
			if !sent {
				return false, errNotSent
			}
			for _, d := range domains {
				states[value(d.Id())] = string(value(d.Status()))
			}
			return true, nil
		})
		return states, explain("read its storage domains", e.Ref(), err)
	})
}

// Storages implements virt.Reader.
func (e *Engine) Storages(ctx context.Context) ([]*virt.Storage, error) {
	domains, err := e.domainMap(ctx, "")
	if err != nil {
		return nil, err
	}
	states, err := e.domainStates(ctx)
	if err != nil {
		return nil, err
	}
	clusters, err := e.clusterMap(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []*virt.Storage
	for _, d := range domains {
		s := d.storage
		if state, ok := states[d.id]; ok && state != "" {
			s.Active = state == string(ovirtsdk.STORAGEDOMAINSTATUS_ACTIVE)
		}
		var centres []string
		for _, c := range d.centres {
			centres = append(centres, centreName(clusters, c))
		}
		slices.Sort(centres)
		s.DataCentre = strings.Join(centres, ", ")
		out = append(out, &s)
	}
	sortBy(out, func(s *virt.Storage) string { return s.Name })
	return out, nil
}

// Storage implements virt.Reader.
func (e *Engine) Storage(ctx context.Context, name string) (*virt.Storage, error) {
	all, err := e.Storages(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, &virt.Error{Kind: virt.ErrNotFound, Object: virt.Ref{Kind: virt.KindStorage, Name: name}, Summary: "is not there",
		Found: strings.Join(names, ", "), Hint: checkName("the name of the storage domain", name, names)}
}

// domain gives the storage domain of a name that a data centre has.
func (e *Engine) domain(ctx context.Context, name, centre string) (domainInfo, error) {
	domains, err := e.domainMap(ctx, "")
	if err != nil {
		return domainInfo{}, err
	}
	var names []string
	for _, d := range domains {
		if centre != "" && !slices.Contains(d.centres, centre) {
			continue
		}
		if d.storage.Name == name {
			return d, nil
		}
		if d.data {
			names = append(names, d.storage.Name)
		}
	}
	slices.Sort(names)
	summary := "is not there"
	if centre != "" {
		summary += " in this data centre"
	}
	return domainInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: virt.Ref{Kind: virt.KindStorage, Name: name}, Summary: summary,
		Found: strings.Join(names, ", "), Hint: checkName("the name of the storage domain", name, names)}
}

// Volumes implements virt.Reader: the disks of a storage domain.
func (e *Engine) Volumes(ctx context.Context, storage string) ([]*virt.Volume, error) {
	d, err := e.domain(ctx, storage, "")
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, e.Client, kindDisk, path("storagedomains", d.id, "disks"), query{}, convDisk)
	if err != nil {
		return nil, explain("list its disks", d.storage.Ref(), err)
	}
	var out []*virt.Volume
	whole := map[string]bool{}
	for _, k := range all {
		whole[k.alias] = true
	}
	for _, k := range all {
		v := k.volume(storage)
		if name, part := strings.CutSuffix(v.Name, partSuffix); part {
			if whole[name] {
				continue // what is to take its place
			}
			v.Name, v.Unfinished = name, true
		}
		out = append(out, v)
	}
	sortBy(out, func(v *virt.Volume) string { return v.Name })
	return out, nil
}

func (k *diskInfo) volume(storage string) *virt.Volume {
	v := &virt.Volume{Storage: storage, Name: k.alias, Format: k.disk.Format, Size: k.disk.Size, ActualSize: k.disk.ActualSize,
		Unfinished: k.status != ovirtsdk.DISKSTATUS_OK}
	if v.Format == "raw" {
		v.Stored = v.Size // how long a qcow2 image is, only reading it tells
	}
	return v
}

// Volume implements virt.Reader.
func (e *Engine) Volume(ctx context.Context, storage, name string) (*virt.Volume, error) {
	k, err := e.diskNamed(ctx, storage, name)
	if errors.Is(err, virt.ErrNotFound) {
		part, partial := e.diskNamed(ctx, storage, name+partSuffix)
		if partial != nil {
			if errors.Is(partial, virt.ErrNotFound) {
				partial = err
			}
			return nil, partial
		}
		v := part.volume(storage)
		v.Name, v.Unfinished = name, true
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	return k.volume(storage), nil
}

// floating gives a disk by its name and storage domain, to be used.
func (e *Engine) floating(ctx context.Context, storage, name string) (diskInfo, error) {
	k, err := e.diskNamed(ctx, storage, name)
	if err == nil && k.status == ovirtsdk.DISKSTATUS_ILLEGAL {
		return diskInfo{}, &virt.Error{Kind: virt.ErrConflict, Object: virt.VolumeRef(storage, name), Summary: "cannot be used: its creation or its copy failed",
			Found: "status " + string(k.status), Hint: "delete it with delete_volume, and make it anew"}
	}
	return k, err
}

// diskNamed gives a disk by its name and storage domain.
func (e *Engine) diskNamed(ctx context.Context, storage, name string) (diskInfo, error) {
	d, err := e.domain(ctx, storage, "")
	if err != nil {
		return diskInfo{}, err
	}
	ref := virt.VolumeRef(storage, name)
	found, err := byName(ctx, e.Client, kindDisk, "/disks", name, "", query{}, convDisk)
	if err != nil {
		return diskInfo{}, explain("look for the disk", ref, err)
	}
	found = slices.DeleteFunc(found, func(k diskInfo) bool { return k.domain != d.id })
	switch len(found) {
	case 0:
		return diskInfo{}, virt.NotFound(ref, "check the name of the disk and its storage domain")
	case 1:
		return found[0], nil
	}
	return diskInfo{}, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("is the name of %d disks", len(found)),
		Hint: "give them different names on the engine"}
}

// Image implements virt.Reader: on engines an image is a template.
func (e *Engine) Image(ctx context.Context, src virt.ImageSource) (*virt.Image, error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	if src.Template == "" {
		return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: "names no template, and engines make VMs from templates",
			Hint: "give the image a template for this target in the inventory"}
	}
	t, err := e.template(ctx, ref, src.Template, "")
	if err != nil {
		return nil, err
	}
	img := &virt.Image{Source: src, CPU: virt.CPU{Count: t.cpu.Count}, Memory: t.memory}
	if b := t.boot(); b != nil {
		img.Size, img.Format = b.disk.Size, b.disk.Format
	}
	return img, nil
}

// template gives the newest version of a template. centre is the id of the data
// centre that it is for; empty = whichever has one.
func (e *Engine) template(ctx context.Context, ref virt.Ref, name, centre string) (templateInfo, error) {
	in, plain := qualified(name)
	found, err := e.dir.template(ctx, plain, func(ctx context.Context) ([]templateInfo, error) {
		return byName(ctx, e.Client, kindTemplate, "/templates", plain, "", query{Follow: []string{"disk_attachments.disk"}}, convTemplate)
	})
	if err != nil {
		return templateInfo{}, explain("look for template "+plain, ref, err)
	}
	clusters, err := e.clusterMap(ctx, "")
	if err != nil {
		return templateInfo{}, err
	}
	newest := map[string]templateInfo{} // by data centre
	for _, t := range found {
		dc := clusters[t.cluster].centre
		if t.cluster != "" && (centre != "" && dc != centre || in != "" && clusters[t.cluster].centreName != in) {
			continue
		}
		if old, ok := newest[dc]; !ok || t.version > old.version {
			newest[dc] = t
		}
	}
	switch len(newest) {
	case 0:
		known, err := e.templateNames(ctx)
		if err != nil {
			return templateInfo{}, explain("list the templates", ref, err)
		}
		return templateInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: ref, Summary: fmt.Sprintf("template %q is not there", name),
			Found: strings.Join(known, ", "), Hint: checkName("the name of the template, and its data centre", name, known)}
	case 1:
		for _, t := range newest {
			return t, nil
		}
	}
	var where []string
	for dc := range newest {
		where = append(where, centreName(clusters, dc)+"/"+plain)
	}
	slices.Sort(where)
	if centre == "" && sameShape(newest) {
		return newest[slices.Sorted(maps.Keys(newest))[0]], nil // which one, the cluster says
	}
	return templateInfo{}, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: fmt.Sprintf("template %q is there in several data centres", plain),
		Found: strings.Join(where, ", "), Hint: "write it with its data centre, as " + where[0]}
}

// templateNames gives the names of all templates, for who looks for one that is
// not there.
func (e *Engine) templateNames(ctx context.Context) ([]string, error) {
	names, err := list(ctx, e.Client, kindTemplate, "/templates", query{}, func(t *ovirtsdk.Template) (string, error) { return value(t.Name()), nil })
	slices.Sort(names)
	return slices.Compact(names), err
}

// sameShape tells whether templates are alike in all that an image shows.
func sameShape(all map[string]templateInfo) bool {
	var first *templateInfo
	for _, t := range all {
		if first == nil {
			first = &t
			continue
		}
		a, b := first.boot(), t.boot()
		if t.cpu != first.cpu || t.memory != first.memory || (a == nil) != (b == nil) || a != nil && a.disk.Size != b.disk.Size {
			return false
		}
	}
	return true
}

// Host implements virt.Reader.
func (e *Engine) Host(ctx context.Context, name string) (*virt.Host, error) {
	all, err := e.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if h.Name == name {
			return h, nil
		}
	}
	return nil, virt.NotFound(virt.Ref{Kind: virt.KindHost, Name: name}, "check the name of the host")
}

// Hosts implements virt.Reader.
func (e *Engine) Hosts(ctx context.Context) ([]*virt.Host, error) {
	byID, err := e.carrierMap(ctx)
	if err != nil {
		return nil, err
	}
	clusters, err := e.memberMap(ctx)
	if err != nil {
		return nil, err
	}
	var out []*virt.Host
	for _, i := range byID {
		h := i.host
		h.IP = i.managed(clusters[i.cluster].management)
		h.Cluster, h.DataCentre = clusters[i.cluster].name, clusters[i.cluster].centreName
		out = append(out, &h)
	}
	sortBy(out, func(h *virt.Host) string { return h.Name })
	return out, nil
}

// findHost gives the host of a name.
func (e *Engine) findHost(ctx context.Context, name string) (hostInfo, error) {
	byID, err := e.hostMap(ctx, "")
	if err != nil {
		return hostInfo{}, err
	}
	var names []string
	for _, h := range byID {
		if h.host.Name == name {
			return h, nil
		}
		names = append(names, h.host.Name)
	}
	slices.Sort(names)
	return hostInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: virt.Ref{Kind: virt.KindHost, Name: name}, Summary: "is not there",
		Found: strings.Join(names, ", "), Hint: checkName("the name of the host", name, names)}
}

// HostVLANs implements virt.Reader: an engine sees to its hosts' VLANs itself.
func (e *Engine) HostVLANs(context.Context, string) ([]*virt.HostVLAN, error) { return nil, nil }

// HostFacts implements virt.Reader: what the engine knows of a host.
func (e *Engine) HostFacts(ctx context.Context, name string) (*virt.HostFacts, error) {
	e.Forget(virt.Ref{Kind: virt.KindHost, Name: name})
	h, err := e.Host(ctx, name)
	if err != nil {
		return nil, err
	}
	return get(ctx, e.Client, kindHost, path("hosts", h.ID), query{}, func(x *ovirtsdk.Host) (*virt.HostFacts, error) { return convFacts(h, x), nil })
}

// GuestInfo implements virt.Reader: what the agent has told the engine.
func (e *Engine) GuestInfo(ctx context.Context, vm string) (*virt.GuestInfo, error) {
	e.Forget(virt.VMRef(vm))
	m, err := e.machine(ctx, vm)
	if err != nil {
		return nil, err
	}
	info := m.guest
	info.Addresses = slices.Clone(info.Addresses)
	return &info, nil
}

const (
	portTime   = 5 * time.Second
	bannerTime = 2 * time.Second
	maxBanner  = 512
)

// GuestPort implements virt.Reader: to the addresses that the agent reports, from
// this machine, or from the last that guests are reached through.
func (e *Engine) GuestPort(ctx context.Context, vm string, port int) (string, error) {
	m, err := e.machine(ctx, vm)
	if err != nil {
		return "", err
	}
	if len(m.vm.Addresses) == 0 {
		e.Forget(virt.VMRef(vm)) // it may have one the next time
		return "", &virt.Error{Kind: virt.ErrAgent, Object: m.vm.Ref(), Summary: "has no address yet",
			Hint: "its guest agent reports it, once it runs"}
	}
	var errs []error
	for _, address := range m.vm.Addresses {
		conn, err := e.dialGuest(ctx, net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(bannerTime))
		buf := make([]byte, maxBanner)
		n, _ := conn.Read(buf) // who waits for the client says nothing
		line, _, _ := strings.Cut(string(buf[:n]), "\n")
		return strings.TrimRight(line, "\r"), nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", &virt.Error{Kind: virt.ErrAgent, Object: m.vm.Ref(), Summary: fmt.Sprintf("nobody listens on port %d", port), Err: errors.Join(errs...)}
}
