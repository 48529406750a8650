package ovirtsim

import (
	"regexp"
	"slices"
)

var labelName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// A network's label brings it to every NIC of its clusters' hosts that bears the
// same label, and takes it away again; the engine sees to that in the background.

// labelOf is the label of a network; empty without one.
func labelOf(n *object) string {
	if l := n.sub("networklabels"); len(l) > 0 {
		return l[0].id
	}
	return ""
}

// labelledNIC is the NIC of a host that bears a label, or nil.
func labelledNIC(nics []*object, label string) *object {
	if label == "" {
		return nil
	}
	for _, n := range nics {
		if n.find("networklabels", label) != nil {
			return n
		}
	}
	return nil
}

// byLabel tells whether an attachment is where a label put it.
func (e *Engine) byLabel(nics []*object, a *object) bool {
	n := e.col("networks").ids[a.refID("network")]
	if n == nil {
		return false
	}
	nic := labelledNIC(nics, labelOf(n))
	return nic != nil && nic.id == a.refID("host_nic")
}

// addLabel is POST /networks/{id}/networklabels.
func (e *Engine) addLabel(c *call, n *object) (*object, error) {
	cmd := command{"add", "Label"}
	if err := require(c.body, "add", "id"); err != nil {
		return nil, err
	}
	if !labelName.MatchString(c.body.id) {
		return nil, cmd.refuse("NETWORK_LABEL_FORMAT_INVALID")
	}
	if n.parent != nil {
		n = n.actual
	}
	if len(n.sub("networklabels")) > 0 {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_NETWORK_ALREADY_LABELED")
	}
	l := n.adopt("networklabels", &object{kind: kindLabel, id: c.body.id, body: el("network_label", ref("network", n.id))})
	e.clock.after(e.time.Push, func() { e.propagate(n) })
	return l, nil
}

// addNICLabel is POST /hosts/{id}/nics/{id}/networklabels.
func (e *Engine) addNICLabel(c *call, nic *object) (*object, error) {
	if err := require(c.body, "add", "id"); err != nil {
		return nil, err
	}
	if nic.parent.kind != kindHost {
		return nil, notFound
	}
	in := el("action", el("modified_labels", &elem{name: "network_label", id: c.body.id, kids: []*elem{nicRef(nic.parent, nic)}}))
	if err := e.setup(c, nic.parent, func(s *hostNet) error { return s.labels(in) }, true); err != nil {
		return nil, err
	}
	return byID(nic.parent.sub("nics"), nic.id).find("networklabels", c.body.id), nil
}

// removeLabel takes a label from a network or from a host's NIC.
func (e *Engine) removeLabel(c *call, l *object) error {
	owner := l.parent
	if owner.kind == kindHostNIC {
		in := el("action", el("removed_labels", &elem{name: "network_label", id: l.id}))
		return e.setup(c, owner.parent, func(s *hostNet) error { return s.labels(in) }, true)
	}
	owner.disown(l)
	e.clock.after(e.time.Push, func() { e.withdraw(owner.id, l.id, "") })
	return nil
}

// propagate brings a labelled network to the hosts of its clusters.
func (e *Engine) propagate(n *object) {
	for _, h := range e.col("hosts").list {
		cl := e.col("clusters").ids[h.refID("cluster")]
		nic := labelledNIC(h.sub("nics"), labelOf(n))
		if nic == nil || cl.find("networks", n.id) == nil || e.attachedNet(h, n.id) != nil || e.setupState(h) != nil || e.rules["nosetup "+h.name()] {
			continue
		}
		h.subs["networkattachments"] = append(slices.Clone(h.sub("networkattachments")), e.newAttachment(h, n, nic, nil))
		e.rewired(h)
	}
}

// withdraw takes a network from the NICs that bear a label; cluster narrows that
// down.
func (e *Engine) withdraw(network, label, cluster string) {
	for _, h := range e.col("hosts").list {
		nic := labelledNIC(h.sub("nics"), label)
		a := e.attachedNet(h, network)
		if nic == nil || a == nil || a.refID("host_nic") != nic.id || cluster != "" && h.refID("cluster") != cluster ||
			e.setupState(h) != nil || e.rules["nosetup "+h.name()] {
			continue
		}
		e.unplugNetwork(h, network)
	}
}

// unplugNetwork drops a host's attachment of a network.
func (e *Engine) unplugNetwork(h *object, network string) {
	h.subs["networkattachments"] = slices.DeleteFunc(slices.Clone(h.sub("networkattachments")), func(a *object) bool { return a.refID("network") == network })
	e.rewired(h)
}

func (e *Engine) rewired(h *object) {
	e.wire(h)
	h.commit()
	e.checkHost(h)
}

// labels gives labels to NICs and takes them away, with the networks that come by
// them.
func (s *hostNet) labels(in *elem) error {
	for _, x := range in.list("modified_labels") {
		nic := s.nic(x.kid("host_nic"))
		if nic == nil {
			return setupCmd.refuse("HOST_NETWORK_INTERFACE_NOT_EXIST")
		}
		if !labelName.MatchString(x.id) {
			return setupCmd.refuse("NETWORK_LABEL_FORMAT_INVALID")
		}
		if at := labelledNIC(s.nics, x.id); at != nil && at.id != nic.id {
			return setupCmd.refuse("OTHER_INTERFACE_ALREADY_LABELED", "NicLabel", x.id, "LabeledNic", at.name())
		} else if at == nil {
			s.relabel(nic, append(slices.Clone(nic.sub("networklabels")),
				&object{kind: kindLabel, id: x.id, home: "networklabels", body: el("network_label", nicRef(s.h, nic))}))
		}
		for _, k := range s.e.col("clusters").ids[s.h.refID("cluster")].sub("networks") {
			if k.actual == nil || labelOf(k.actual) != x.id {
				continue
			}
			if err := s.attach(el("network_attachment", ref("network", k.id), ref("host_nic", nic.id)), nil); err != nil {
				return err
			}
		}
	}
	for _, x := range in.list("removed_labels") {
		nic := labelledNIC(s.nics, x.id)
		if nic == nil {
			continue
		}
		s.atts = slices.DeleteFunc(s.atts, func(a *object) bool {
			n := s.network(a)
			return n != nil && labelOf(n) == x.id && a.refID("host_nic") == nic.id
		})
		s.relabel(nic, slices.DeleteFunc(slices.Clone(nic.sub("networklabels")), func(l *object) bool { return l.id == x.id }))
	}
	return nil
}

// relabel puts a copy of a NIC with other labels in its place.
func (s *hostNet) relabel(nic *object, labels []*object) {
	c := *nic
	c.subs = map[string][]*object{"networklabels": labels}
	for _, l := range labels {
		l.parent = &c
	}
	s.nics[slices.IndexFunc(s.nics, func(n *object) bool { return n.id == nic.id })] = &c
	s.changed = true
}
