package ovirtsim

import (
	"regexp"
	"slices"
	"strings"
)

var setupCmd = command{"setup", "Networks"}

var bondName = regexp.MustCompile(`^bond[A-Za-z0-9_]+$`)

// hostNet is a network configuration of a host while it is being worked out.
type hostNet struct {
	e       *Engine
	h       *object
	nics    []*object
	atts    []*object
	changed bool
}

// setupNetworks is the action setupnetworks: one change from one state that is
// valid to another. The call blocks until the host is done.
func (e *Engine) setupNetworks(c *call, h *object) error {
	if err := e.setupState(h); err != nil {
		return err
	}
	deadline := e.clock.now().Add(e.time.Attempt)
	for h.lock != nil {
		if !e.clock.now().Before(deadline) {
			return setupCmd.refuse("ACTION_TYPE_FAILED_SETUP_NETWORKS_OR_REFRESH_IN_PROGRESS")
		}
		step := min(deadline.Sub(e.clock.now()), e.time.SetupNets/4+1)
		if err := e.wait(c.ctx, e.clock.now().Add(step)); err != nil {
			return err
		}
	}
	return e.setup(c, h, func(s *hostNet) error { return s.apply(c.body) }, c.body.bool("commit_on_success"))
}

func (e *Engine) setupState(h *object) error {
	if s := h.status(); s != "up" && s != "maintenance" && s != "non_operational" {
		return setupCmd.refuse("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", "hostStatus", "Maintenance, Up, NonOperational")
	}
	return nil
}

// setup works a change out, sends it to the host and waits for it. The host
// finishes even when the client is gone.
func (e *Engine) setup(c *call, h *object, change func(*hostNet) error, commit bool) error {
	s := &hostNet{e: e, h: h, nics: slices.Clone(h.sub("nics")), atts: slices.Clone(h.sub("networkattachments"))}
	if err := change(s); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if !s.changed {
		if commit {
			h.commit()
		}
		return nil
	}
	end := e.later(c, "Configuring networks on host "+h.name())
	h.lock = &lock{key: "ACTION_TYPE_FAILED_SETUP_NETWORKS_OR_REFRESH_IN_PROGRESS"}
	var result error
	corr := c.corr
	done := e.clock.now().Add(e.time.SetupNets)
	if d := e.slow[h.name()]; d > 0 {
		done = e.clock.now().Add(d)
	}
	e.clock.due(done, func() {
		h.lock = nil
		if e.rules["nosetup "+h.name()] || h.status() == "non_responsive" {
			result = failed("Illegal Network parameters")
			e.event(corr, evSetupFailed, "error", "Failed to apply changes on host "+h.name()+". (User: "+e.opts.User+")", h)
			end(false)
			return
		}
		h.subs["nics"], h.subs["networkattachments"] = s.nics, s.atts
		e.wire(h)
		if commit {
			h.commit()
		}
		e.checkHost(h)
		e.event(corr, evSetup, "normal", "Network changes were saved on host "+h.name(), h)
		end(true)
	})
	if err := e.wait(c.ctx, done); err != nil {
		return err
	}
	return result
}

// apply is the whole diff of a setupnetworks.
func (s *hostNet) apply(in *elem) error {
	synced := map[string]bool{}
	for _, x := range in.list("synchronized_network_attachments") {
		a, err := s.attachment(x)
		if err != nil {
			return err
		}
		if a != nil {
			synced[a.id] = true
			if !s.e.inSync(a) {
				s.replace(a, func(c *object) { c.hidden = expected(s.network(a).body) })
			}
		}
	}
	for _, x := range in.list("removed_network_attachments") {
		if err := s.removeAttachment(x); err != nil {
			return err
		}
	}
	for _, x := range in.list("removed_bonds") {
		b := s.nic(x)
		if b == nil {
			return setupCmd.refuse("NETWORK_BOND_RECORDS_DOES_NOT_EXISTS", "NETWORK_BOND_RECORDS_DOES_NOT_EXISTS_LIST", orElse(x.get("name"), x.id))
		}
		s.changed = true
		s.nics = slices.DeleteFunc(s.nics, func(n *object) bool { return n.id == b.id })
	}
	for _, x := range in.list("modified_bonds") {
		if err := s.bond(x); err != nil {
			return err
		}
	}
	for _, x := range in.list("modified_network_attachments") {
		if err := s.attach(x, synced); err != nil {
			return err
		}
	}
	return s.labels(in)
}

// nic finds an interface that a body names.
func (s *hostNet) nic(x *elem) *object {
	if x == nil {
		return nil
	}
	if x.id != "" {
		return byID(s.nics, x.id)
	}
	return named(s.nics, x.get("name"))
}

func (s *hostNet) network(a *object) *object { return s.e.col("networks").ids[a.refID("network")] }

// attachment finds the attachment that a body means: by its id, else by its
// network. Nil is one that does not exist yet.
func (s *hostNet) attachment(x *elem) (*object, error) {
	if x.id != "" {
		if a := byID(s.atts, x.id); a != nil {
			return a, nil
		}
		return nil, setupCmd.refuse("MODIFIED_NETWORK_ATTACHMENT_DOES_NOT_EXISTS",
			"MODIFIED_NETWORK_ATTACHMENT_DOES_NOT_EXISTS_ENTITY", x.id)
	}
	n, err := s.netOf(x.kid("network"))
	if err != nil {
		return nil, err
	}
	for _, a := range s.atts {
		if a.refID("network") == n.id {
			return a, nil
		}
	}
	return nil, nil
}

// netOf finds a network in the host's cluster.
func (s *hostNet) netOf(x *elem) (*object, error) {
	if x == nil || (x.id == "" && !x.has("name")) {
		return nil, plain(400, "Incomplete parameters", "NetworkAttachment [network.id|name] required for setupNetworks")
	}
	dc := s.e.dcOf(s.h.refID("cluster"))
	var n *object
	for _, o := range s.e.col("networks").match(x) {
		if o.refID("data_center") == dc {
			n = o
		}
	}
	switch {
	case n == nil && x.id != "":
		return nil, setupCmd.refuse("NETWORK_HAVING_ID_NOT_EXISTS", "NETWORK_HAVING_ID_NOT_EXISTS_ENTITY", x.id)
	case n == nil:
		return nil, setupCmd.refuse("NETWORK_HAVING_NAME_NOT_EXISTS", "NETWORK_HAVING_NAME_NOT_EXISTS_ENTITY", x.get("name"))
	}
	if s.e.col("clusters").ids[s.h.refID("cluster")].find("networks", n.id) == nil {
		return nil, setupCmd.refuse("NETWORK_OF_GIVEN_NAME_NOT_EXISTS_IN_CLUSTER",
			"NETWORK_OF_GIVEN_NAME_NOT_EXISTS_IN_CLUSTER_ENTITY", n.name())
	}
	return n, nil
}

// replace puts a changed copy in an attachment's place.
func (s *hostNet) replace(a *object, change func(*object)) {
	c := *a
	change(&c)
	s.atts[slices.IndexFunc(s.atts, func(o *object) bool { return o.id == a.id })] = &c
	s.changed = true
}

// attach makes an attachment or changes one, which includes moving it.
func (s *hostNet) attach(x *elem, synced map[string]bool) error {
	a, err := s.attachment(x)
	if err != nil {
		return err
	}
	nic := s.nic(x.kid("host_nic"))
	if nic == nil && (a == nil || x.has("host_nic")) {
		h := x.kid("host_nic")
		if h != nil && h.id != "" {
			return setupCmd.refuse("HOST_NETWORK_INTERFACE_HAVING_ID_DOES_NOT_EXIST", "nicId", h.id)
		}
		return setupCmd.refuse("HOST_NETWORK_INTERFACE_HAVING_NAME_DOES_NOT_EXIST",
			"HOST_NETWORK_INTERFACE_HAVING_NAME_DOES_NOT_EXIST_ENTITY", h.get("name"))
	}
	if nic != nil && (nic.body.has("vlan") || s.slave(nic)) {
		net := x.get("network/name")
		return setupCmd.refuse("CANNOT_ADD_NETWORK_ATTACHMENT_ON_SLAVE_OR_VLAN", "networkName", net, "nicName", nic.name())
	}
	ips := x.kid("ip_address_assignments")
	if err := checkIPs(ips, x, nic); err != nil {
		return err
	}
	if a == nil {
		n, err := s.netOf(x.kid("network"))
		if err != nil {
			return err
		}
		s.atts = append(s.atts, s.e.newAttachment(s.h, n, nic, ips))
		s.changed = true
		return nil
	}
	if s.same(a, nic, ips) {
		return nil
	}
	if !s.e.inSync(a) && !synced[a.id] {
		n := s.network(a)
		return setupCmd.refuse("NETWORK_NOT_IN_SYNC", "NETWORK_NOT_IN_SYNC", n.name(), "OUT_OF_SYNC_VALUES", s.e.outOfSync(a, n))
	}
	if nic != nil && a.refID("host_nic") != nic.id && s.e.byLabel(s.nics, a) {
		n := s.network(a)
		return setupCmd.refuse("ACTION_TYPE_FAILED_CANNOT_MOVE_LABELED_NETWORK_TO_ANOTHER_NIC", "networkName", n.name(),
			"ACTION_TYPE_FAILED_CANNOT_MOVE_LABELED_NETWORK_TO_ANOTHER_NIC_ENTITY", labelOf(n))
	}
	s.replace(a, func(c *object) {
		if nic != nil {
			c.put(nicRef(s.h, nic))
		}
		if ips != nil {
			c.put(ips)
		}
		c.hidden = expected(s.network(a).body)
	})
	return nil
}

func (s *hostNet) same(a, nic *object, ips *elem) bool {
	return (nic == nil || a.refID("host_nic") == nic.id) && (ips == nil || equal(ips, a.body.kid("ip_address_assignments")))
}

// checkIPs refuses a static address that is not whole.
func checkIPs(ips, x *elem, nic *object) error {
	if ips == nil {
		return nil
	}
	for _, ip := range ips.kids {
		if ip.get("assignment_method") == "static" && (ip.get("ip/address") == "" || ip.get("ip/netmask") == "") {
			name := ""
			if nic != nil {
				name = nic.name()
			}
			return setupCmd.refuse("NETWORK_ATTACHMENT_IP_CONFIGURATION_STATIC_BOOT_PROTOCOL_MISSING_IP_ADDRESS_DETAILS",
				"networkName", x.get("network/name"), "interfaceName", name)
		}
	}
	return nil
}

// outOfSync lists how an attachment differs from its network.
func (e *Engine) outOfSync(a, n *object) string {
	var out []string
	for _, k := range expected(n.body).kids {
		if got := a.hidden.get(k.name); got != k.text {
			out = append(out, strings.ToUpper(k.name)+" (actual: "+got+", expected: "+k.text+")")
		}
	}
	return strings.Join(out, ", ")
}

// slave tells whether an interface belongs to a bond.
func (s *hostNet) slave(nic *object) bool {
	return slices.ContainsFunc(s.nics, func(b *object) bool {
		return slices.ContainsFunc(b.body.list("bonding/slaves"), func(x *elem) bool { return x.id == nic.id })
	})
}

func (s *hostNet) removeAttachment(x *elem) error {
	a, err := s.attachment(x)
	if err != nil || a == nil {
		return setupCmd.refuse("NETWORK_ATTACHMENTS_TO_BE_REMOVED_DOES_NOT_EXISTS",
			"NETWORK_ATTACHMENTS_TO_BE_REMOVED_DOES_NOT_EXISTS_LIST", orElse(x.id, x.get("network/name")))
	}
	n := s.network(a)
	if n.name() == management {
		return setupCmd.refuse("NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK", "NetworkName", n.name())
	}
	if s.e.byLabel(s.nics, a) {
		return setupCmd.refuse("ACTION_TYPE_FAILED_CANNOT_REMOVE_LABELED_NETWORK_FROM_NIC",
			"ACTION_TYPE_FAILED_CANNOT_REMOVE_LABELED_NETWORK_FROM_NIC_LIST", n.name())
	}
	var users []string
	for _, vm := range s.e.netUsers(n.id) {
		if vm.refID("host") == s.h.id {
			users = append(users, vm.name())
		}
	}
	if len(users) > 0 {
		return setupCmd.refuse("NETWORK_CANNOT_DETACH_NETWORK_USED_BY_VMS", "networkName", n.name(), "vmNames", strings.Join(users, ", "))
	}
	s.atts = slices.DeleteFunc(s.atts, func(o *object) bool { return o.id == a.id })
	s.changed = true
	return nil
}

// bond makes a bond or changes one; its slaves are the whole wanted set.
func (s *hostNet) bond(x *elem) error {
	old := s.nic(x)
	if old == nil && x.id != "" {
		return setupCmd.refuse("NETWORK_BOND_NOT_EXISTS")
	}
	name := x.get("name")
	if old != nil {
		name = old.name()
	}
	if !bondName.MatchString(name) {
		return setupCmd.refuse("NETWORK_BOND_NAME_BAD_FORMAT", "NETWORK_BOND_NAME_BAD_FORMAT_ENTITY", name)
	}
	var slaves []*object
	for _, sx := range x.list("bonding/slaves") {
		n := s.nic(sx)
		switch {
		case n == nil:
			return setupCmd.refuse("NETWORK_INTERFACES_DONT_EXIST", "NETWORK_INTERFACES_DONT_EXIST_LIST", orElse(sx.get("name"), sx.id))
		case slices.Contains(slaves, n):
			return setupCmd.refuse("NETWORK_INTERFACE_REFERENCED_AS_A_SLAVE_MULTIPLE_TIMES",
				"NETWORK_INTERFACE_REFERENCED_AS_A_SLAVE_MULTIPLE_TIMES_ENTITY", n.name())
		case s.slave(n) && (old == nil || !slices.ContainsFunc(old.body.list("bonding/slaves"), func(k *elem) bool { return k.id == n.id })):
			return setupCmd.refuse("NETWORK_INTERFACE_ALREADY_IN_BOND", "NETWORK_INTERFACE_ALREADY_IN_BOND_ENTITY", n.name())
		}
		slaves = append(slaves, n)
	}
	if len(slaves) < 2 {
		return setupCmd.refuse("NETWORK_BONDS_INVALID_SLAVE_COUNT", "NETWORK_BONDS_INVALID_SLAVE_COUNT_ENTITY", name)
	}
	b := s.e.bondNIC(s.h, old, name, slaves, x.at("bonding/options"))
	if old == nil {
		s.nics = append(s.nics, b)
		s.changed = true
	} else if !equal(old.body, b.body) {
		s.nics[slices.Index(s.nics, old)] = b
		s.changed = true
	}
	return nil
}

// check is the validation of the configuration as a whole.
func (s *hostNet) check() error {
	untagged := map[string]bool{}
	for _, a := range s.atts {
		nic := byID(s.nics, a.refID("host_nic"))
		n := s.network(a)
		if nic == nil || n == nil {
			if nic == nil && s.changed {
				return setupCmd.refuse("HOST_NETWORK_INTERFACE_NOT_EXIST")
			}
			continue
		}
		if s.slave(nic) {
			return setupCmd.refuse("NETWORK_INTERFACE_ATTACHED_TO_NETWORK_CANNOT_BE_SLAVE",
				"NETWORK_INTERFACE_ATTACHED_TO_NETWORK_CANNOT_BE_SLAVE_ENTITY", nic.name(), "networkName", n.name())
		}
		if n.refID("vlan") != "" {
			continue
		}
		if untagged[nic.id] {
			return setupCmd.refuse("NETWORK_INTERFACES_NOT_EXCLUSIVELY_USED_BY_UNTAGGED_NETWORK",
				"NETWORK_INTERFACES_NOT_EXCLUSIVELY_USED_BY_UNTAGGED_NETWORK_LIST", nic.name())
		}
		untagged[nic.id] = true
	}
	return nil
}

func (e *Engine) commitNetworks(_ *call, h *object) error {
	if err := e.setupState(h); err != nil {
		return err
	}
	h.commit()
	return nil
}

// syncHost is the action syncallnetworks of a host.
func (e *Engine) syncHost(c *call, h *object) error {
	if err := e.setupState(h); err != nil {
		return err
	}
	return e.setup(c, h, func(s *hostNet) error {
		for _, a := range slices.Clone(s.atts) {
			if !e.inSync(a) && s.network(a) != nil && a.hidden != nil {
				s.replace(a, func(c *object) { c.hidden = expected(s.network(a).body) })
			}
		}
		return nil
	}, true)
}

// syncCluster is the action syncallnetworks of a cluster: in the background.
func (e *Engine) syncCluster(_ *call, cl *object) error {
	e.clock.after(e.time.SetupNets, func() {
		for _, h := range e.filter("hosts", "cluster", cl.id) {
			for _, a := range h.sub("networkattachments") {
				if n := e.col("networks").ids[a.refID("network")]; n != nil && a.hidden != nil && h.status() == "up" {
					a.hidden = expected(n.body)
				}
			}
			e.wire(h)
		}
	})
	return nil
}

// The commands on one attachment are a setup that nobody commits.

func (e *Engine) addNetAttachment(c *call, h *object) (*object, error) {
	if err := require(c.body, "add", "network.id|name"); err != nil {
		return nil, err
	}
	var id string
	err := e.setup(c, h, func(s *hostNet) error {
		if a, err := s.attachment(c.body.without("id")); err != nil {
			return err
		} else if a != nil {
			return setupCmd.refuse("NETWORK_ALREADY_ATTACHED_TO_HOST", "networkName", s.network(a).name(), "hostName", h.name())
		}
		if err := s.attach(c.body, nil); err != nil {
			return err
		}
		id = s.atts[len(s.atts)-1].id
		return nil
	}, false)
	if err != nil {
		return nil, err
	}
	return byID(h.sub("networkattachments"), id), nil
}

func (e *Engine) updateNetAttachment(c *call, a *object) error {
	x := *c.body
	x.id = a.id
	return e.setup(c, a.parent, func(s *hostNet) error { return s.attach(&x, nil) }, false)
}

func (e *Engine) removeNetAttachment(c *call, a *object) error {
	return e.setup(c, a.parent, func(s *hostNet) error { return s.removeAttachment(&elem{id: a.id}) }, false)
}
