package ovirtsim

import (
	"strconv"
	"strings"
)

const (
	netType     = "Network"
	profileType = "VM network interface profile"
	management  = "ovirtmgmt"
)

// isVMNetwork tells whether VMs can use a network.
func isVMNetwork(x *elem) bool {
	for _, u := range x.list("usages") {
		if u.text == "vm" {
			return true
		}
	}
	return false
}

// mtuOf is the effective MTU; 0 stands for the engine's default.
func mtuOf(x *elem) int64 {
	if m := x.int("mtu"); m > 0 {
		return m
	}
	return 1500
}

// addNetwork is POST /networks.
func (e *Engine) addNetwork(c *call, _ *object) (*object, error) {
	cmd, in := command{"add", netType}, c.body
	if err := require(in, "add", "name", "data_center.name|id"); err != nil {
		return nil, err
	}
	found := e.col("datacenters").match(in.kid("data_center"))
	if len(found) == 0 {
		return nil, entity("Datacenter", in.kid("data_center"))
	}
	if err := e.checkNetwork(in, found[0].id, nil, cmd); err != nil {
		return nil, err
	}
	e.job(c, "Creating Logical Network "+in.get("name"))
	return e.newNetwork(in, found[0].id), nil
}

func (e *Engine) newNetwork(in *elem, dc string) *object {
	x := el("network", tx("name", in.get("name")), tx("description", in.get("description")), tx("comment", in.get("comment")),
		tx("mtu", "0"), boolean("port_isolation", false), boolean("stp", false), el("usages", tx("usage", "vm")), ref("data_center", dc))
	x = x.merge(in.only("mtu", "port_isolation", "stp", "usages", "dns_resolver_configuration"))
	if in.has("usages") { // only this one is the network's own
		x = x.put(el("usages"))
		if isVMNetwork(in) {
			x = x.put(el("usages", tx("usage", "vm")))
		}
	}
	if v := in.kid("vlan"); v != nil && v.id != "" {
		x = x.put(&elem{name: "vlan", id: v.id})
	}
	vdsm := in.get("name")
	if len(vdsm) > 15 || strings.ContainsAny(vdsm, " .-") {
		vdsm = "on" + strings.ReplaceAll(e.derive(vdsm), "-", "")[:13]
	}
	x = x.put(tx("vdsm_name", vdsm))
	n := e.col("networks").add(e.newObject(kindNetwork, x))
	if isVMNetwork(x) && (!in.has("profile_required") || in.bool("profile_required")) {
		e.newProfile(el("vnic_profile", tx("name", n.name())), n)
	}
	return n
}

// checkNetwork is the validation of a network's name and VLAN.
func (e *Engine) checkNetwork(in *elem, dc string, self *object, cmd command) error {
	name := in.get("name")
	if strings.HasPrefix(name, "bond") {
		return cmd.refuse("NETWORK_CANNOT_CONTAIN_BOND_NAME")
	}
	if v := in.refID("vlan"); v != "" {
		if n, err := strconv.Atoi(v); err != nil {
			return plain(400, "Request syntactically incorrect.", "vlan id "+v)
		} else if n < 0 || n > 4094 {
			return cmd.refuse("NETWORK_VLAN_OUT_OF_RANGE")
		}
	}
	for _, n := range e.filter("networks", "data_center", dc) {
		if n != self && n.name() == name {
			return cmd.refuse("ACTION_TYPE_FAILED_NETWORK_NAME_IN_USE", "NetworkName", name)
		}
	}
	return nil
}

// updateNetwork is PUT /networks/{id}: hosts get the change in the background.
func (e *Engine) updateNetwork(c *call, n *object) error {
	cmd, in := command{"edit", netType}, c.body
	if n.parent != nil {
		n = n.actual
	}
	if err := e.checkNetwork(in.only("vlan").merge(el("", tx("name", orElse(in.get("name"), n.name())))), n.refID("data_center"), n, cmd); err != nil {
		return err
	}
	n.body = n.body.merge(in.only("name", "description", "comment", "mtu", "stp", "port_isolation"))
	if in.has("usages") {
		n.put(el("usages"))
		if isVMNetwork(in) {
			n.put(el("usages", tx("usage", "vm")))
		}
	}
	if v := in.kid("vlan"); v != nil {
		n.drop("vlan")
		if v.id != "" {
			n.put(&elem{name: "vlan", id: v.id})
		}
	}
	e.clock.after(e.time.Push, func() {
		for _, h := range e.col("hosts").list {
			if a := e.attachedNet(h, n.id); a != nil && h.status() == "up" && !e.rules["nosetup "+h.name()] {
				a.hidden = expected(n.body)
				e.wire(h)
			}
		}
	})
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// netUsers are the VMs with a NIC on a network.
func (e *Engine) netUsers(network string) []*object { return e.usersOf("vms", network) }

func (e *Engine) usersOf(col, network string) []*object {
	var out []*object
	for _, vm := range e.col(col).list {
		for _, n := range vm.sub("nics") {
			if p := e.col("vnicprofiles").ids[n.refID("vnic_profile")]; p != nil && p.refID("network") == network {
				out = append(out, vm)
				break
			}
		}
	}
	return out
}

func (e *Engine) removeNetwork(c *call, n *object) error {
	cmd := command{"remove", netType}
	if n.parent != nil {
		n = n.actual
	}
	if n.name() == management {
		return cmd.refuse("NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK", "NetworkName", n.name())
	}
	if err := cmd.unused("virtual machine", e.netUsers(n.id)); err != nil {
		return err
	}
	if err := cmd.unused("template", e.usersOf("templates", n.id)); err != nil {
		return err
	}
	e.job(c, "Removing Logical Network "+n.name())
	for _, p := range e.filter("vnicprofiles", "network", n.id) {
		e.col("vnicprofiles").remove(p)
	}
	for _, cl := range e.col("clusters").list {
		if k := cl.find("networks", n.id); k != nil {
			cl.disown(k)
		}
	}
	e.col("networks").remove(n)
	// What hosts still carry nobody manages any more.
	for _, h := range e.col("hosts").list {
		if e.attachedNet(h, n.id) != nil {
			e.unplugNetwork(h, n.id)
		}
	}
	return nil
}

// unused refuses what VMs or templates use.
func (c command) unused(what string, by []*object) error {
	var names []string
	for _, o := range by {
		names = append(names, o.name())
	}
	switch len(by) {
	case 0:
		return nil
	case 1:
		return c.refuse("ACTION_TYPE_FAILED_NETWORK_IN_ONE_USE", "entities", what, "ACTION_TYPE_FAILED_NETWORK_IN_ONE_USE_ENTITY", names[0])
	default:
		return c.refuse("ACTION_TYPE_FAILED_NETWORK_IN_MANY_USES", "entities", what+"s",
			"ACTION_TYPE_FAILED_NETWORK_IN_MANY_USES_LIST_COUNTER", strconv.Itoa(len(by)),
			"ACTION_TYPE_FAILED_NETWORK_IN_MANY_USES_LIST", "\n\t"+strings.Join(names, "\n\t"))
	}
}

// newProfile makes a vNIC profile of a network.
func (e *Engine) newProfile(in *elem, n *object) *object {
	x := el("vnic_profile", tx("name", in.get("name")), el("pass_through", tx("mode", "disabled")), boolean("port_mirroring", false),
		ref("network", n.id))
	return e.col("vnicprofiles").add(e.newObject(kindProfile, x.merge(in.only("description", "comment", "pass_through",
		"port_mirroring", "migratable", "custom_properties"))))
}

// addProfile is POST /vnicprofiles, or …/vnicprofiles of a network.
func (e *Engine) addProfile(c *call, n *object) (*object, error) {
	cmd, in := command{"add", profileType}, c.body
	if err := require(in, "add", "name"); err != nil {
		return nil, err
	}
	if n == nil {
		if err := require(in, "add", "network.id"); err != nil {
			return nil, err
		}
		if n = e.col("networks").ids[in.refID("network")]; n == nil {
			return nil, cmd.refuse("NETWORK_NOT_EXISTS")
		}
	}
	if !isVMNetwork(n.body) {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_CANNOT_ADD_VNIC_PROFILE_TO_NON_VM_NETWORK")
	}
	if named(e.filter("vnicprofiles", "network", n.id), in.get("name")) != nil {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VNIC_PROFILE_NAME_IN_USE")
	}
	return e.newProfile(in, n), nil
}

func (e *Engine) updateProfile(c *call, p *object) error {
	if o := named(e.filter("vnicprofiles", "network", p.refID("network")), c.body.get("name")); o != nil && o != p {
		return command{"edit", profileType}.refuse("ACTION_TYPE_FAILED_VNIC_PROFILE_NAME_IN_USE")
	}
	p.body = p.body.merge(c.body.only("name", "description", "comment", "pass_through", "port_mirroring", "migratable", "custom_properties"))
	return nil
}

func (e *Engine) removeProfile(_ *call, p *object) error {
	for _, vm := range e.vms() {
		for _, n := range vm.sub("nics") {
			if n.refID("vnic_profile") == p.id {
				return command{"remove", profileType}.refuse("ACTION_TYPE_FAILED_VNIC_PROFILE_IN_ONE_USE",
					"entities", "VM", "ENTITIES_USING_VNIC_PROFILE", vm.name())
			}
		}
	}
	e.col("vnicprofiles").remove(p)
	return nil
}

// assignNetwork is POST /clusters/{id}/networks.
func (e *Engine) assignNetwork(c *call, cluster *object) (*object, error) {
	if err := require(c.body, "add", "id|name"); err != nil {
		return nil, err
	}
	var n *object
	for _, o := range e.col("networks").match(c.body) {
		if o.refID("data_center") == cluster.refID("data_center") {
			n = o
		}
	}
	if n == nil {
		return nil, entity("Network", c.body)
	}
	if c.body.id != "" && c.body.has("name") && c.body.get("name") != n.name() {
		return nil, plain(400, "Operation Failed", "Network ID provided, but name is not the same as the network name")
	}
	if cluster.find("networks", n.id) != nil {
		return nil, command{"attach", netType}.refuse("NETWORK_ALREADY_ATTACHED_TO_CLUSTER")
	}
	e.job(c, "Attaching Network "+n.name()+" to Cluster "+cluster.name())
	required := !c.body.has("required") || c.body.bool("required")
	k := e.assign(cluster, n, required)
	e.clock.after(e.time.Push, func() {
		e.propagate(n)
		e.checkHosts(cluster.id)
	})
	return k, nil
}

func (e *Engine) assign(cluster, n *object, required bool) *object {
	usages := el("usages")
	if isVMNetwork(n.body) {
		usages.kids = append(usages.kids, tx("usage", "vm"))
	}
	return cluster.adopt("networks", &object{kind: kindClNetwork, id: n.id, actual: n,
		body: el("network", boolean("display", false), boolean("required", required), usages)})
}

// clusterNetworkDocument shows a network with what holds for it in a cluster.
func (e *Engine) clusterNetworkDocument(k *object) *elem {
	if k.actual == nil {
		return k.body
	}
	x := k.actual.body.put(ref("cluster", k.parent.id))
	status := "operational"
	for _, h := range e.filter("hosts", "cluster", k.parent.id) {
		if e.attachedNet(h, k.id) == nil && (h.status() == "up" || h.status() == "non_operational") {
			status = "non_operational"
		}
	}
	return x.put(k.body.kid("display")).put(k.body.kid("required")).put(tx("status", status)).put(k.body.kid("usages"))
}

func (e *Engine) updateClusterNetwork(c *call, k *object) error {
	if k.actual.name() == management && c.body.has("required") && !c.body.bool("required") {
		return command{"edit", netType}.refuse("ACTION_TYPE_FAILED_MANAGEMENT_NETWORK_REQUIRED", "NetworkName", management)
	}
	k.body = k.body.merge(c.body.only("required"))
	if c.body.has("usages") {
		u := el("usages", c.body.list("usages")...)
		k.put(u)
		display := false
		for _, x := range u.kids {
			display = display || x.text == "display"
		}
		k.put(boolean("display", display))
	}
	e.clock.after(e.time.Push, func() { e.checkHosts(k.parent.id) })
	return nil
}

// detachNetwork is DELETE /clusters/{id}/networks/{id}.
func (e *Engine) detachNetwork(_ *call, k *object) error {
	cmd := command{"detach", netType}
	if k.actual.name() == management {
		return cmd.refuse("NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK", "NetworkName", management)
	}
	for _, vm := range append(e.netUsers(k.id), e.usersOf("templates", k.id)...) {
		if vm.refID("cluster") == k.parent.id {
			return cmd.refuse("NETWORK_CLUSTER_NETWORK_IN_USE")
		}
	}
	k.parent.disown(k)
	if label := labelOf(k.actual); label != "" {
		e.clock.after(e.time.Push, func() { e.withdraw(k.id, label, k.parent.id) })
	}
	return nil
}
