package ovirtsim

const affinityType = "Affinity Group"

// addAffinity is POST /clusters/{id}/affinitygroups.
func (e *Engine) addAffinity(c *call, cluster *object) (*object, error) {
	if err := require(c.body, "add", "name"); err != nil {
		return nil, err
	}
	if named(cluster.sub("affinitygroups"), c.body.get("name")) != nil {
		return nil, command{"add", affinityType}.refuse("ACTION_TYPE_FAILED_AFFINITY_GROUP_NAME_EXISTS")
	}
	rule := func(name string) *elem {
		return el(name, boolean("enabled", false), boolean("enforcing", false), boolean("positive", false))
	}
	x := el("affinity_group", tx("name", c.body.get("name")), tx("description", c.body.get("description")),
		boolean("broken", false), boolean("enforcing", c.body.bool("enforcing")), rule("hosts_rule"), tx("priority", "1.0"),
		rule("vms_rule"), ref("cluster", cluster.id))
	if c.body.has("positive") {
		x = x.put(el("vms_rule", boolean("enabled", true), boolean("enforcing", c.body.bool("enforcing")),
			boolean("positive", c.body.bool("positive"))))
	}
	g := cluster.adopt("affinitygroups", e.newObject(kindAffinity, x.merge(c.body.only("vms_rule", "hosts_rule", "priority"))))
	return g, e.addMembers(g, c.body)
}

func (e *Engine) updateAffinity(c *call, g *object) error {
	if o := named(g.parent.sub("affinitygroups"), c.body.get("name")); o != nil && o != g {
		return command{"edit", affinityType}.refuse("ACTION_TYPE_FAILED_AFFINITY_GROUP_NAME_EXISTS")
	}
	g.body = g.body.merge(c.body.only("name", "description", "enforcing", "vms_rule", "hosts_rule", "priority"))
	for _, rel := range []string{"vms", "hosts"} {
		if c.body.has(rel) {
			g.subs[rel] = nil
		}
	}
	return e.addMembers(g, c.body)
}

func (e *Engine) removeAffinity(_ *call, g *object) error {
	g.parent.disown(g)
	return nil
}

// addMembers adds the vms and hosts of a body.
func (e *Engine) addMembers(g *object, in *elem) error {
	for _, rel := range []string{"vms", "hosts"} {
		for _, m := range in.list(rel) {
			if _, err := e.join(g, rel, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) join(g *object, rel string, m *elem) (*object, error) {
	found := e.col(rel).match(m)
	if len(found) == 0 {
		return nil, entity(camel(m.name), m)
	}
	if old := g.find(rel, found[0].id); old != nil {
		return old, nil
	}
	k := memberKinds[rel]
	o := &object{kind: k, id: found[0].id, body: el(k.name, tx("name", found[0].name())), actual: found[0]}
	return g.adopt(rel, o), nil
}

// unfit names the scheduler's filter that keeps a VM off a host by the rules of its
// affinity groups that are enforced; empty when none does.
func (e *Engine) unfit(vm, h *object) string {
	together := map[string]bool{} // hosts of those that it has to run with
	for _, cl := range e.col("clusters").list {
		for _, g := range cl.sub("affinitygroups") {
			if g.find("vms", vm.id) == nil {
				continue
			}
			if on, positive := enforced(g, "hosts_rule"); on && (g.find("hosts", h.id) != nil) != positive {
				return "VmToHostsAffinityGroups"
			}
			on, positive := enforced(g, "vms_rule")
			if !on {
				continue
			}
			for _, m := range g.sub("vms") {
				other := e.col("vms").ids[m.id]
				if other == nil || other == vm {
					continue
				}
				at := other.refID("host")
				switch {
				case at == "": // does not run
				case positive:
					together[at] = true
				case at == h.id:
					return "VmAffinityGroups"
				}
			}
		}
	}
	if len(together) > 0 && !together[h.id] {
		return "VmAffinityGroups"
	}
	return ""
}

func enforced(g *object, rule string) (on, positive bool) {
	r := g.body.kid(rule)
	return r != nil && r.bool("enabled") && r.bool("enforcing"), r != nil && r.bool("positive")
}

// addMember is POST …/vms or …/hosts of a group or label.
func (e *Engine) addMember(c *call, g *object) (*object, error) {
	if err := require(c.body, "add", "id|name"); err != nil {
		return nil, err
	}
	return e.join(g, c.body.name+"s", c.body)
}

// removeMember takes one out.
func (e *Engine) removeMember(_ *call, m *object) error {
	m.parent.disown(m)
	return nil
}

// forgetMember takes a removed VM or host out of all groups and labels.
func (e *Engine) forgetMember(rel, id string) {
	for _, cl := range e.col("clusters").list {
		for _, g := range cl.sub("affinitygroups") {
			if m := g.find(rel, id); m != nil {
				g.disown(m)
			}
		}
	}
	for _, l := range e.col("affinitylabels").list {
		if m := l.find(rel, id); m != nil {
			l.disown(m)
		}
	}
}

// addAffinityLabel is POST /affinitylabels.
func (e *Engine) addAffinityLabel(c *call, _ *object) (*object, error) {
	if err := require(c.body, "add", "name"); err != nil {
		return nil, err
	}
	if named(e.col("affinitylabels").list, c.body.get("name")) != nil {
		return nil, command{"add", "Affinity Label"}.refuse("AFFINITY_LABEL_NAME_ALREADY_EXISTS")
	}
	l := e.col("affinitylabels").add(e.newObject(kindAffLabel, el("affinity_label", tx("name", c.body.get("name")),
		boolean("has_implicit_affinity_group", false), boolean("read_only", false))))
	return l, e.addMembers(l, c.body)
}

func (e *Engine) removeAffinityLabel(_ *call, l *object) error {
	if len(l.sub("vms"))+len(l.sub("hosts")) > 0 {
		return command{"remove", "Affinity Label"}.refuse("AFFINITY_LABEL_NOT_EMPTY")
	}
	e.col("affinitylabels").remove(l)
	return nil
}
