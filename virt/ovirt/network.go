package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// connectivityTime is how many seconds a host has to be heard of after its
// networks were changed; then it takes the change back.
const connectivityTime = 60

func networkID(n *ovirtsdk.Network) (string, error) { return value(n.Id()), nil }

// predictNetwork adds to a prediction what only engines have: the cluster, and
// where on the hosts.
func predictNetwork(before *virt.Network, c virt.CreateNetwork, after *virt.Network, out *virt.Outcome) {
	after.Comment = c.Comment
	if before != nil {
		after.Comment = before.Comment
	}
	for _, h := range after.Hosts {
		if !slices.ContainsFunc(after.Attachments, func(a virt.Attachment) bool { return a.Host == h }) {
			after.Attachments = append(after.Attachments, virt.Attachment{Host: h, NIC: c.HostNIC, InSync: true})
		}
	}
	sortBy(after.Attachments, func(a virt.Attachment) string { return a.Host })
	for i := range after.Attachments {
		a := &after.Attachments[i]
		unready := slices.IndexFunc(c.Unready, func(h virt.HostState) bool { return h.Host == a.Host })
		switch {
		case a.InSync, len(c.Hosts) > 0 && !slices.Contains(c.Hosts, a.Host) && unready < 0:
		case c.Sync && unready >= 0:
			wait(out, virt.Pending{Field: "hosts." + a.Host + ".in_sync", Live: false, Configured: true,
				Reason: fmt.Sprintf("the host is %s; play again when its networks can be set up", c.Unready[unready].State)})
		case c.Sync:
			a.InSync = true
			out.Fields, out.Changed = append(out.Fields, virt.FieldChange{Path: "hosts." + a.Host + ".in_sync", Before: false, After: true}), true
		default:
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s: host %s has it otherwise than the engine describes it; synchronize it on the engine", c.Ref, a.Host))
		}
	}
	if c.Cluster == "" || slices.Contains(after.Clusters, c.Cluster) {
		return
	}
	was := slices.Clone(after.Clusters)
	after.Clusters = append(after.Clusters, c.Cluster)
	slices.Sort(after.Clusters)
	f := virt.FieldChange{Path: "clusters", After: slices.Clone(after.Clusters)}
	if before != nil {
		f.Before = was
	}
	out.Fields, out.Changed = append(out.Fields, f), true
}

// createNetwork makes a network in the cluster's data centre, gives it to the
// cluster, and then to each of the hosts that lacks it. What is there already is
// not sent again.
func (e *Engine) createNetwork(ctx context.Context, c virt.CreateNetwork, d *edit) error {
	cluster, err := e.findCluster(ctx, c.Ref, c.Cluster, "")
	if err != nil {
		return err
	}
	var id string
	if before, _ := d.now.(*virt.Network); before == nil {
		id, err = e.makeNetwork(ctx, c, cluster)
	} else {
		id, err = e.changeNetwork(ctx, c, d)
	}
	if err != nil {
		return err
	}
	if err := e.joinCluster(ctx, id, cluster); err != nil {
		return err
	}
	hosts, err := e.lacking(ctx, c, id, cluster, d.out)
	if err != nil || len(hosts) == 0 {
		return err
	}
	return e.setupAll(ctx, hosts, func(h hostInfo) *actionXML {
		return setup(func(a *actionXML) {
			if k := h.carries(id); k != nil {
				a.Synchronized = &[]networkAttachmentXML{{ID: Text(k.id)}}
				return
			}
			a.Modified = &[]networkAttachmentXML{{Network: byID(id), HostNIC: &hostNICXML{Name: textOf(c.HostNIC)}}}
		})
	})
}

// carries gives how a host has a network; nil when it has not.
func (h *hostInfo) carries(network string) *hostNetwork {
	for i := range h.nets {
		if h.nets[i].network == network {
			return &h.nets[i]
		}
	}
	return nil
}

// setup makes the body of a setupnetworks whose change lasts.
func setup(fill func(*actionXML)) *actionXML {
	yes, seconds := true, connectivityTime
	a := &actionXML{CheckConnectivity: &yes, ConnectivityTimeout: &seconds, CommitOnSuccess: &yes}
	fill(a)
	return a
}

func (e *Engine) makeNetwork(ctx context.Context, c virt.CreateNetwork, cluster clusterInfo) (string, error) {
	name := plainName(c.Ref.Name)
	body := networkXML{Name: textOf(name), DataCenter: byID(cluster.centre), Usages: &[]Text{"vm"}}
	if c.Description != "" {
		body.Description = textOf(c.Description)
	}
	if c.Comment != "" {
		body.Comment = textOf(c.Comment)
	}
	if c.VLAN != 0 {
		body.VLAN = &vlanXML{ID: c.VLAN}
	}
	if c.MTU != 0 {
		body.MTU = &c.MTU
	}
	var id string
	err := e.whileBusy(ctx, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindNetwork, "/networks", nil, body, networkID)
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrConflict) {
		return id, err
	}
	// The answer was lost, or another run was quicker.
	found, lookErr := byName(ctx, e.Client, kindNetwork, "/networks", name, "", query{}, convNetwork)
	if lookErr != nil {
		return "", errors.Join(err, lookErr)
	}
	for _, n := range found {
		if n.centre == cluster.centre && n.net.VLAN == c.VLAN {
			return n.id, nil
		}
	}
	return "", err
}

// changeNetwork changes what differs of a network that is there.
func (e *Engine) changeNetwork(ctx context.Context, c virt.CreateNetwork, d *edit) (string, error) {
	n, err := e.network(ctx, c.Ref)
	if err != nil || !d.changes("mtu") {
		return n.id, err
	}
	return n.id, e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindNetwork, path("networks", n.id), nil, networkXML{MTU: &c.MTU}, networkID)
		return err
	})
}

// joinCluster gives a network to a cluster. It says that the network is not
// required: a required network takes every host that lacks it out of service.
func (e *Engine) joinCluster(ctx context.Context, id string, cluster clusterInfo) error {
	members, err := e.memberMap(ctx)
	if err != nil || members[cluster.id].networks[id] {
		return err
	}
	no := false
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := create(ctx, e.Client, kindNetwork, path("clusters", cluster.id, "networks"), nil, networkXML{ID: Text(id), Required: &no}, networkID)
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrConflict) {
		return err
	}
	e.dir.members.drop()
	if members, lookErr := e.memberMap(ctx); lookErr == nil && members[cluster.id].networks[id] {
		return nil
	}
	return err
}

// settableStates are those of hosts whose networks can be set up.
var settableStates = []ovirtsdk.HostStatus{ovirtsdk.HOSTSTATUS_UP, ovirtsdk.HOSTSTATUS_MAINTENANCE, ovirtsdk.HOSTSTATUS_NON_OPERATIONAL}

// lacking gives the hosts of the cluster that are to get a network and lack it, or
// that have it otherwise and are to have it as it is. Without a NIC for it none
// lacks it: it is the cluster's then, and nobody asked for more.
// Those that cannot be set up now are pending, or with AllHosts an error.
func (e *Engine) lacking(ctx context.Context, c virt.CreateNetwork, id string, cluster clusterInfo, out *virt.Outcome) ([]hostInfo, error) {
	e.dir.carriers.drop()
	carriers, err := e.carrierMap(ctx)
	if err != nil {
		return nil, err
	}
	var hosts []hostInfo
	var errs []error
	for _, h := range carriers {
		named := slices.Contains(c.Hosts, h.host.Name)
		switch {
		case h.cluster != cluster.id && named:
			errs = append(errs, &virt.Error{Kind: virt.ErrInvalid, Object: h.host.Ref(), Summary: "is not in cluster " + cluster.name,
				Hint: "name hosts of that cluster"})
			continue
		case h.cluster != cluster.id, len(c.Hosts) > 0 && !named:
			continue
		}
		switch k := h.carries(id); {
		case k == nil && c.HostNIC == "", k != nil && (k.inSync || !c.Sync):
			continue
		case slices.Contains(settableStates, h.status):
			hosts = append(hosts, h)
		case c.AllHosts:
			errs = append(errs, notSettable(h))
		case k == nil:
			wait(out, virt.Pending{Field: "hosts." + h.host.Name, Configured: c.HostNIC,
				Reason: fmt.Sprintf("the host is %s; play again when its networks can be set up", h.status)})
		default:
			wait(out, virt.Pending{Field: "hosts." + h.host.Name + ".in_sync", Live: false, Configured: true,
				Reason: fmt.Sprintf("the host is %s; play again when its networks can be set up", h.status)})
		}
	}
	sortBy(hosts, func(h hostInfo) string { return h.host.Name })
	return hosts, errors.Join(errs...)
}

// setupAll sets up the networks of several hosts side by side, and reports all
// that fail.
func (e *Engine) setupAll(ctx context.Context, hosts []hostInfo, body func(hostInfo) *actionXML) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		done int64
	)
	for _, h := range hosts {
		wg.Go(func() {
			err := e.whileBusy(ctx, func(ctx context.Context) error {
				_, err := act(ctx, e.Client, path("hosts", h.id, "setupnetworks"), body(h))
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			done++
			virt.Report(ctx, virt.Progress{What: "setting up the networks of hosts", Done: done, Total: int64(len(hosts))})
			errs = append(errs, explain("set up its networks", h.host.Ref(), err))
		})
	}
	wg.Wait()
	e.dir.carriers.drop()
	return errors.Join(errs...)
}

// checkCreateNetwork looks for what stands in the way of a network.
func (e *Engine) checkCreateNetwork(ctx context.Context, c virt.CreateNetwork) error {
	cluster, err := e.findCluster(ctx, c.Ref, c.Cluster, "")
	if err != nil {
		return err
	}
	if in, plain := qualified(c.Ref.Name); in != "" && in != cluster.centreName {
		return &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("cannot be in cluster %s, which is in data centre %s", cluster.name, cluster.centreName),
			Hint: "write " + cluster.centreName + "/" + plain}
	}
	n, err := e.network(ctx, c.Ref)
	if err == nil && n.centre != cluster.centre {
		return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "is the name of a network of another data centre",
			Wanted: "data centre " + cluster.centreName, Found: "data centre " + n.net.DataCentre,
			Hint: "write it with its data centre, as " + cluster.centreName + "/" + plainName(c.Ref.Name)}
	}
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		return err
	}
	if c.HostNIC == "" {
		return nil
	}
	return e.checkHostNICs(ctx, c, cluster)
}

// checkHostNICs looks whether the hosts have the NIC or bond.
func (e *Engine) checkHostNICs(ctx context.Context, c virt.CreateNetwork, cluster clusterInfo) error {
	carriers, err := e.carrierMap(ctx)
	if err != nil {
		return err
	}
	without := map[string][]string{} // hosts, by the NICs that they have
	var names, nics []string
	for _, h := range carriers {
		switch {
		case h.cluster != cluster.id, len(c.Hosts) > 0 && !slices.Contains(c.Hosts, h.host.Name), slices.Contains(h.nics, c.HostNIC),
			!slices.Contains(settableStates, h.status):
			continue
		}
		have := strings.Join(h.nics, ", ")
		without[have] = append(without[have], h.host.Name)
		names = append(names, h.host.Name)
		nics = append(nics, h.nics...)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	slices.Sort(nics)
	var found []string
	for _, have := range slices.Sorted(maps.Keys(without)) {
		slices.Sort(without[have])
		found = append(found, have+" on "+strings.Join(without[have], ", "))
	}
	summary := fmt.Sprintf("has no NIC or bond %q", c.HostNIC)
	if others := len(names) - 1; others > 0 {
		summary += fmt.Sprintf(", nor have others of cluster %s (%d)", cluster.name, others)
	}
	return &virt.Error{Kind: virt.ErrNotFound, Object: virt.Ref{Kind: virt.KindHost, Name: names[0]}, Summary: summary,
		Found: strings.Join(found, "; "), Hint: checkName("host_nic", c.HostNIC, nics)}
}
