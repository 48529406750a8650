package ovirtsim

// addTag is POST /tags.
func (e *Engine) addTag(c *call, _ *object) (*object, error) {
	if err := require(c.body, "add", "name"); err != nil {
		return nil, err
	}
	if named(e.col("tags").list, c.body.get("name")) != nil {
		return nil, command{"add", "Tag"}.refuse("TAGS_SPECIFY_TAG_IS_IN_USE")
	}
	parent := blankID
	if p := c.body.kid("parent"); p != nil {
		found := e.col("tags").match(p)
		if len(found) == 0 {
			return nil, entity("Tag", p)
		}
		parent = found[0].id
	}
	return e.col("tags").add(e.newObject(kindTag, el("tag", tx("name", c.body.get("name")),
		tx("description", c.body.get("description")), &elem{name: "parent", id: parent, href: base + "/tags/" + parent}))), nil
}

func (e *Engine) updateTag(c *call, t *object) error {
	if t.parent != nil {
		return notFound
	}
	if o := named(e.col("tags").list, c.body.get("name")); o != nil && o != t {
		return command{"edit", "Tag"}.refuse("TAGS_SPECIFY_TAG_IS_IN_USE")
	}
	t.body = t.body.merge(c.body.only("name", "description"))
	return nil
}

// removeTag unassigns a VM's tag, or removes a tag of the engine.
func (e *Engine) removeTag(_ *call, t *object) error {
	if t.parent != nil {
		t.parent.disown(t)
		return nil
	}
	if t.id == blankID {
		return command{"remove", "Tag"}.refuse("TAGS_CANNOT_EDIT_READONLY_TAG")
	}
	e.col("tags").remove(t)
	for _, vm := range e.vms() {
		if a := vm.find("tags", t.id); a != nil {
			vm.disown(a)
		}
	}
	return nil
}

// assignTag is POST /vms/{id}/tags.
func (e *Engine) assignTag(c *call, vm *object) (*object, error) {
	if err := require(c.body, "add", "id|name"); err != nil {
		return nil, err
	}
	found := e.col("tags").match(c.body)
	if len(found) == 0 {
		return nil, entity("Tag", c.body)
	}
	if a := vm.find("tags", found[0].id); a != nil {
		return a, nil
	}
	return vm.adopt("tags", &object{kind: kindTag, id: found[0].id, body: found[0].body.put(ref("vm", vm.id))}), nil
}
