package ovirt

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nactl/nactl/virt"
)

// snapshotAge is how old at most what is read may be.
const snapshotAge = 30 * time.Second

// kept is a list that is read whole, and again when it is old.
type kept[T any] struct {
	lock  chan struct{}
	drops atomic.Uint64 // what was read before the last is not given any more

	at   time.Time // zero: not read
	tick uint64    // of drops, when it was read
	byID map[string]T
}

func (k *kept[T]) init() { k.lock = make(chan struct{}, 1) }

// get gives the list, read by one caller while the others wait. need is an id
// that it should hold: without it the list is read again, if it was not just now.
func (k *kept[T]) get(ctx context.Context, need string, read func(context.Context) (map[string]T, error)) (map[string]T, error) {
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	age := time.Since(k.at)
	_, has := k.byID[need]
	if k.tick == k.drops.Load() && age < snapshotAge && (need == "" || has || age < time.Second) {
		return k.byID, nil
	}
	began, tick := time.Now(), k.drops.Load()
	byID, err := read(ctx)
	if err != nil {
		return nil, err
	}
	k.byID, k.at, k.tick = byID, began, tick
	return byID, nil
}

// drop makes the next get read.
func (k *kept[T]) drop() { k.drops.Add(1) }

// directory is what the objects are called that others refer to by ids. Its maps
// are never changed once they were read.
type directory struct {
	clusters kept[clusterInfo] // with their data centres
	hosts    kept[hostInfo]
	domains  kept[domainInfo]
	profiles kept[profileInfo] // with their networks
	networks kept[networkInfo]
	members  kept[clusterInfo] // clusters with their networks
	carriers kept[hostInfo]    // hosts with their networks
	states   kept[string]      // of storage domains
	tags     kept[string]      // ids by names

	mu        sync.Mutex
	templates map[string]keptTemplates // by name
}

type keptTemplates struct {
	at    time.Time
	found []templateInfo
}

// template gives the templates of a name.
func (d *directory) template(ctx context.Context, name string, read func(context.Context) ([]templateInfo, error)) ([]templateInfo, error) {
	d.mu.Lock()
	k, ok := d.templates[name]
	d.mu.Unlock()
	if ok && time.Since(k.at) < snapshotAge {
		return k.found, nil
	}
	began := time.Now()
	found, err := read(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.templates[name] = keptTemplates{at: began, found: found}
	return found, nil
}

func (d *directory) init() {
	d.clusters.init()
	d.hosts.init()
	d.domains.init()
	d.profiles.init()
	d.networks.init()
	d.members.init()
	d.carriers.init()
	d.states.init()
	d.tags.init()
	d.templates = map[string]keptTemplates{}
}

// dropNetworks forgets all that a change of networks can change.
func (d *directory) dropNetworks() {
	d.profiles.drop()
	d.networks.drop()
	d.members.drop()
	d.carriers.drop()
}

func (d *directory) drop() {
	d.clusters.drop()
	d.hosts.drop()
	d.domains.drop()
	d.states.drop()
	d.tags.drop()
	d.dropNetworks()
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.templates)
}

// listed reads a whole collection into a map.
func listed[S, T any](ctx context.Context, e *Engine, k kind[S], path string, follow []string, conv func(*S) (T, error), id func(T) string) (map[string]T, error) {
	all, err := list(ctx, e.Client, k, path, query{Follow: follow}, conv)
	if err != nil {
		return nil, explain("read its "+k.list, e.Ref(), err)
	}
	m := make(map[string]T, len(all))
	for _, o := range all {
		m[id(o)] = o
	}
	return m, nil
}

func (e *Engine) clusterMap(ctx context.Context, need string) (map[string]clusterInfo, error) {
	return e.dir.clusters.get(ctx, need, func(ctx context.Context) (map[string]clusterInfo, error) {
		return listed(ctx, e, kindCluster, "/clusters", []string{"data_center"}, convCluster, func(c clusterInfo) string { return c.id })
	})
}

func (e *Engine) hostMap(ctx context.Context, need string) (map[string]hostInfo, error) {
	return e.dir.hosts.get(ctx, need, func(ctx context.Context) (map[string]hostInfo, error) {
		return listed(ctx, e, kindHost, "/hosts", nil, convHost, func(h hostInfo) string { return h.id })
	})
}

func (e *Engine) domainMap(ctx context.Context, need string) (map[string]domainInfo, error) {
	return e.dir.domains.get(ctx, need, func(ctx context.Context) (map[string]domainInfo, error) {
		return listed(ctx, e, kindStorageDomain, "/storagedomains", nil, convDomain, func(d domainInfo) string { return d.id })
	})
}

func (e *Engine) profileMap(ctx context.Context, need string) (map[string]profileInfo, error) {
	return e.dir.profiles.get(ctx, need, func(ctx context.Context) (map[string]profileInfo, error) {
		return listed(ctx, e, kindVNICProfile, "/vnicprofiles", []string{"network"}, convProfile, func(p profileInfo) string { return p.id })
	})
}

func (e *Engine) networkMap(ctx context.Context) (map[string]networkInfo, error) {
	return e.dir.networks.get(ctx, "", func(ctx context.Context) (map[string]networkInfo, error) {
		return listed(ctx, e, kindNetwork, "/networks", nil, convNetwork, func(n networkInfo) string { return n.id })
	})
}

func (e *Engine) memberMap(ctx context.Context) (map[string]clusterInfo, error) {
	return e.dir.members.get(ctx, "", func(ctx context.Context) (map[string]clusterInfo, error) {
		return listed(ctx, e, kindCluster, "/clusters", []string{"data_center", "networks"}, convCluster, func(c clusterInfo) string { return c.id })
	})
}

func (e *Engine) carrierMap(ctx context.Context) (map[string]hostInfo, error) {
	return e.dir.carriers.get(ctx, "", func(ctx context.Context) (map[string]hostInfo, error) {
		return listed(ctx, e, kindHost, "/hosts", []string{"nics", "network_attachments"}, convCarrier, func(h hostInfo) string { return h.id })
	})
}

// name fills in what a machine's ids are called.
func (e *Engine) name(ctx context.Context, m *machine) error {
	clusters, err := e.clusterMap(ctx, m.cluster)
	if err != nil {
		return err
	}
	c := clusters[m.cluster]
	m.vm.Cluster, m.vm.DataCentre, m.centre = c.name, c.centreName, c.centre
	if m.host != "" {
		hosts, err := e.hostMap(ctx, m.host)
		if err != nil {
			return err
		}
		m.vm.Host = virt.Some(hosts[m.host].host.Name)
	}
	if len(m.bound) > 0 {
		hosts, err := e.hostMap(ctx, m.bound[0])
		if err != nil {
			return err
		}
		m.vm.Ovirt.Hosts = virt.Some(hostNames(hosts, m.bound))
	}
	for i := range m.disks {
		if m.disks[i].domain == "" {
			continue
		}
		domains, err := e.domainMap(ctx, m.disks[i].domain)
		if err != nil {
			return err
		}
		m.disks[i].disk.Storage = domains[m.disks[i].domain].storage.Name
		m.vm.Disks[i].Storage = m.disks[i].disk.Storage
	}
	for i := range m.nics {
		if m.nics[i].profile == "" {
			continue
		}
		profiles, err := e.profileMap(ctx, m.nics[i].profile)
		if err != nil {
			return err
		}
		nic := &m.nics[i].nic
		nic.Network, nic.Profile = networkName(profiles, m.nics[i].profile), profiles[m.nics[i].profile].name
		m.vm.NICs[i].Network, m.vm.NICs[i].Profile = nic.Network, nic.Profile
	}
	return nil
}

// hostNames gives what hosts are called, sorted.
func hostNames(hosts map[string]hostInfo, ids []string) []string {
	names := []string{}
	for _, id := range ids {
		names = append(names, cmp.Or(hosts[id].host.Name, id))
	}
	slices.Sort(names)
	return names
}

// networkName is what a playbook calls the network of a profile: by its own name
// where the profile is the one that anybody would take, else with the profile's.
func networkName(profiles map[string]profileInfo, id string) string {
	p := profiles[id]
	if usual, err := usualProfile(profiles, p.network); err == nil && usual.id == id {
		return p.networkName
	}
	return p.networkName + "/" + p.name
}

// usualProfile gives the profile of a network that has its name, else its only
// one.
func usualProfile(profiles map[string]profileInfo, network string) (profileInfo, error) {
	var of []profileInfo
	for _, p := range profiles {
		if p.network != network {
			continue
		}
		if p.name == p.networkName {
			return p, nil
		}
		of = append(of, p)
	}
	if len(of) == 1 {
		return of[0], nil
	}
	return profileInfo{}, fmt.Errorf("%d profiles, none with its name", len(of))
}

// profileFor gives the vNIC profile that a VM of a data centre gets for a network:
// written as NETWORK, or as NETWORK/PROFILE.
func (e *Engine) profileFor(ctx context.Context, vm virt.Ref, centre, network string) (profileInfo, error) {
	profiles, err := e.profileMap(ctx, "")
	if err != nil {
		return profileInfo{}, err
	}
	p, err := pickProfile(profiles, vm, centre, network)
	if err == nil {
		return p, nil
	}
	e.dir.profiles.drop() // it may have been made since
	if profiles, again := e.profileMap(ctx, ""); again == nil {
		return pickProfile(profiles, vm, centre, network)
	}
	return profileInfo{}, err
}

func pickProfile(profiles map[string]profileInfo, vm virt.Ref, centre, network string) (profileInfo, error) {
	name, wanted, explicit := strings.Cut(network, "/")
	id := ""
	var known, of []string
	for _, p := range profiles {
		if p.centre != centre {
			continue
		}
		known = append(known, p.networkName)
		if p.networkName != name {
			continue
		}
		id = p.network
		of = append(of, p.name)
		if explicit && p.name == wanted {
			return p, nil
		}
	}
	slices.Sort(known)
	slices.Sort(of)
	switch {
	case id == "":
		return profileInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: virt.NetworkRef(name),
			Summary: "has no vNIC profile in the data centre of " + vm.String(), Found: strings.Join(slices.Compact(known), ", "),
			Hint: "make it with create_vlan, or " + checkName("its name", name, known)}
	case explicit:
		return profileInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: virt.NetworkRef(name), Summary: fmt.Sprintf("has no vNIC profile %q", wanted),
			Found: strings.Join(of, ", ")}
	}
	p, err := usualProfile(profiles, id)
	if err != nil {
		return p, &virt.Error{Kind: virt.ErrConflict, Object: virt.NetworkRef(name), Summary: "has several vNIC profiles, none with its name",
			Found: strings.Join(of, ", "), Hint: "write network: " + name + "/PROFILE"}
	}
	return p, nil
}

// qualified takes a name apart that may be written with its data centre.
func qualified(name string) (centre, plain string) {
	if centre, plain, ok := strings.Cut(name, "/"); ok {
		return centre, plain
	}
	return "", name
}

// centreName gives the name of a data centre.
func centreName(clusters map[string]clusterInfo, id string) string {
	for _, c := range clusters {
		if c.centre == id {
			return c.centreName
		}
	}
	return id
}

// findCluster gives the cluster of a name, or the only one there is.
func (e *Engine) findCluster(ctx context.Context, about virt.Ref, name, centre string) (clusterInfo, error) {
	clusters, err := e.clusterMap(ctx, "")
	if err != nil {
		return clusterInfo{}, err
	}
	var names []string
	var fit []clusterInfo
	for _, id := range slices.Sorted(maps.Keys(clusters)) {
		c := clusters[id]
		if centre != "" && c.centreName != centre {
			continue
		}
		names = append(names, c.name)
		if name == "" || c.name == name {
			fit = append(fit, c)
		}
	}
	slices.Sort(names)
	where := e.Ref().String()
	if centre != "" {
		where += ", data centre " + centre
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case name == "" && len(fit) > 1:
		return clusterInfo{}, &virt.Error{Kind: virt.ErrInvalid, Object: about, Summary: "does not say in which cluster it is to be",
			Found: strings.Join(names, ", "), Hint: "name one as cluster (for create_vm and create_vlan below ovirt:), for " + where + " has several"}
	default:
		return clusterInfo{}, &virt.Error{Kind: virt.ErrNotFound, Object: virt.Ref{Kind: kindOfCluster, Name: name}, Summary: "is not there on " + where,
			Found: strings.Join(names, ", "), Hint: checkName("the name of the cluster", name, names)}
	}
}

// kindOfCluster is the kind of the object that errors about a cluster name.
const kindOfCluster virt.Kind = "cluster"
