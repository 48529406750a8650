package ovirtsim

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// object is a thing with an id: a VM, a disk, a job.
type object struct {
	kind   *kind
	id     string
	parent *object // nil in the top-level collections
	body   *elem   // its document without links and actions
	subs   map[string][]*object
	home   string // collection of the parent that it is in
	noHref bool   // as a snapshot's disks are shown

	lock     *lock
	next     *elem               // VM: next-run configuration, nil without one
	hidden   *elem               // VM: what only all_content shows
	gen      int                 // VM: counts power changes; a task of an older one is void
	told     *elem               // VM: the initialization of its present run
	userData string              // VM: what cloud-init in it was told last
	inited   bool                // VM: cloud-init ran
	savedAt  []*object           // snapshot: the attachments it holds
	actual   *object             // view: the object that it shows in another collection
	ends     time.Time           // job: when it ended
	thin     bool                // VM: its images are layers on a template's
	fixed    bool                // VM: its addresses are given, no others are made up
	pinned   bool                // VM: a test has set its addresses
	moving   func(ok bool)       // VM: ends its migration
	inDrive  *elem               // CD drive: the file that the running VM has in it
	preview  func(keep bool)     // VM: ends the preview of a snapshot
	addrs    map[string][]string // VM: what the guest agent reports, by MAC
	persist  []*object           // host: network attachments that survive a reboot
	nics     []*object           // host: interfaces that survive a reboot
	acts     []string            // recorded objects: actions that differ from the kind's
	acted    bool
	links    []string // recorded objects: links that differ from the kind's
	linked   bool     // links is set
	recorded bool     // host: its summary is a recorded one
}

// lock is an engine lock: a command that meets it fails with its text.
type lock struct {
	key  string // message
	args []string
}

// kind is what objects of one type have in common.
type kind struct {
	name    string // element: vnic_profile
	list    string // wrapper: vnic_profiles
	path    string // segment: vnicprofiles
	actions []string
	links   []string
}

func (k *kind) has(action string) bool { return slices.Contains(k.actions, action) }

// href is the object's address.
func (o *object) href() string {
	if o.parent != nil {
		return o.parent.href() + "/" + o.home + "/" + o.id
	}
	return base + "/" + o.kind.path + "/" + o.id
}

func (o *object) get(path string) string { return o.body.get(path) }
func (o *object) name() string           { return o.body.get("name") }
func (o *object) status() string         { return o.body.get("status") }
func (o *object) set(path, text string)  { o.body = o.body.with(path, text) }
func (o *object) put(k *elem)            { o.body = o.body.put(k) }
func (o *object) drop(names ...string)   { o.body = o.body.without(names...) }
func (o *object) refID(path string) string {
	return o.body.refID(path)
}

func (o *object) sub(rel string) []*object { return o.subs[rel] }

// adopt makes a new object a member of o's sub-collection.
func (o *object) adopt(rel string, kid *object) *object {
	kid.parent, kid.home = o, rel
	if o.subs == nil {
		o.subs = map[string][]*object{}
	}
	o.subs[rel] = append(o.subs[rel], kid)
	return kid
}

func (o *object) disown(kid *object) {
	o.subs[kid.home] = slices.DeleteFunc(o.subs[kid.home], func(k *object) bool { return k == kid })
}

// find looks a sub-object up by its id.
func (o *object) find(rel, id string) *object { return byID(o.subs[rel], id) }

func byID(list []*object, id string) *object {
	for _, k := range list {
		if k.id == id {
			return k
		}
	}
	return nil
}

func named(list []*object, name string) *object {
	for _, k := range list {
		if k.name() == name {
			return k
		}
	}
	return nil
}

// collection is a top-level collection in the order in which it was filled.
type collection struct {
	kind *kind
	list []*object
	ids  map[string]*object
}

func (c *collection) add(o *object) *object {
	c.list = append(c.list, o)
	c.ids[o.id] = o
	return o
}

func (c *collection) remove(o *object) {
	delete(c.ids, o.id)
	c.list = slices.DeleteFunc(c.list, func(k *object) bool { return k == o })
}

// match returns the objects that a reference in a body can mean: all with that
// id or name.
func (c *collection) match(x *elem) []*object {
	if x == nil {
		return nil
	}
	if x.id != "" {
		if o := c.ids[x.id]; o != nil {
			return []*object{o}
		}
		return nil
	}
	name := x.get("name")
	var found []*object
	for _, o := range c.list {
		if name != "" && o.name() == name {
			found = append(found, o)
		}
	}
	return found
}

// newObject makes an object with an id that is the same in each run of the same
// commands.
func (e *Engine) newObject(k *kind, body *elem) *object {
	return &object{kind: k, id: e.newID(), body: body}
}

func (e *Engine) newID() string {
	e.ids++
	return uuid.NewSHA1(e.space, []byte(num("", e.ids).text)).String()
}

func (e *Engine) col(path string) *collection { return e.cols[path] }

func (e *Engine) vms() []*object { return e.cols["vms"].list }

// dcOf returns the data center id of a cluster id.
func (e *Engine) dcOf(cluster string) string {
	c := e.cols["clusters"].ids[cluster]
	if c == nil {
		return ""
	}
	return c.refID("data_center")
}

func squash(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
