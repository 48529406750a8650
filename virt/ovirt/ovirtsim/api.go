package ovirtsim

import (
	"net/http"
	"strings"
)

// place is what a path means: a collection of parent (nil at the top) or, with
// obj set, an object.
type place struct {
	parent *object
	rel    string
	list   string // wrapper element
	item   []*object
	obj    *object
}

// serveAPI answers one call of the REST API.
func (e *Engine) serveAPI(c *call) {
	c.readParams()
	if v := c.r.Header.Get("Version"); v != "" && v != "4" {
		c.fail(&fault{status: 400, html: "Bad Request"})
		return
	}
	c.path = strings.TrimPrefix(c.path, base)
	if rest, ok := strings.CutPrefix(c.path, "/v4"); ok && (rest == "" || rest[0] == '/') {
		c.path = rest
	}
	status, x, err := e.execute(c)
	switch {
	case err != nil:
		c.fail(err)
	case x == nil:
		c.send(status, nil)
	default:
		c.document(status, x)
	}
}

// execute runs a call under the engine's lock and returns the reply's document.
func (e *Engine) execute(c *call) (int, *elem, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	if why := e.authenticate(c); why != "" {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="RESTAPI"`)
		return 0, nil, &fault{status: 401, html: why}
	}
	c.correlate()
	segs := strings.FieldsFunc(c.path, func(r rune) bool { return r == '/' })
	if len(segs) == 0 {
		if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
			return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
		}
		if err := c.admit(place{}, ""); err != nil {
			return 0, nil, err
		}
		c.w.Header().Set("Link", e.linkHeader(c.r.Host))
		return http.StatusOK, e.describe(c), nil
	}
	p, action, err := e.resolve(segs)
	if err == nil {
		err = c.admit(p, action)
	}
	if err != nil {
		return 0, nil, err
	}
	if action != "" {
		return e.act(c, p.obj, action)
	}
	switch {
	case c.r.Method == http.MethodGet, c.r.Method == http.MethodHead:
		return e.read(c, p)
	case c.r.Method == http.MethodPost && p.obj == nil:
		return e.add(c, p)
	case c.r.Method == http.MethodPut && p.obj != nil:
		return e.update(c, p.obj)
	case c.r.Method == http.MethodDelete && p.obj != nil:
		return e.remove(c, p.obj)
	}
	return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
}

// resolve walks a path.
func (e *Engine) resolve(segs []string) (p place, action string, err error) {
	at := place{}
	for i, s := range segs {
		switch {
		case at.obj != nil || i == 0:
			if at.obj != nil && at.obj.kind.has(s) && i == len(segs)-1 {
				return at, s, nil
			}
			next, ok := e.members(at.obj, s)
			if !ok {
				return at, "", notFound
			}
			at = next
		default:
			if err := checkUUID(s); err != nil && at.rel != "networklabels" && at.rel != "events" {
				return at, "", err
			}
			o := byID(at.item, s)
			if c := e.cols[at.rel]; at.parent == nil && c != nil {
				o = c.ids[s] // the list may be long
			}
			if o == nil {
				return at, "", notFound
			}
			at = place{obj: o}
		}
	}
	return at, "", nil
}

// read answers GET.
func (e *Engine) read(c *call, p place) (int, *elem, error) {
	tree, err := parseFollow(c.params.Get("follow"))
	if err != nil {
		return 0, nil, err
	}
	all := c.param("all_content") || truth(c.r.Header.Get("All-Content"))
	v := view{e: e, all: all, next: c.param("next_run"), current: c.param("current"), filtered: c.filtered()}
	if p.obj != nil {
		x, err := v.show(p.obj, tree)
		return http.StatusOK, x, err
	}
	list := c.permitted(p.item)
	if p.parent == nil && e.cols[p.rel] != nil {
		if list, err = e.search(c, p.rel, list); err != nil {
			return 0, nil, err
		}
	} else if n, ok := c.number("max"); ok && n >= 0 {
		list = list[:min(n, len(list))]
	}
	x := &elem{name: p.list, kids: make([]*elem, 0, len(list))}
	for _, o := range list {
		k, err := v.show(o, tree)
		if err != nil {
			return 0, nil, err
		}
		x.kids = append(x.kids, k)
	}
	return http.StatusOK, x, nil
}

// add answers POST to a collection.
func (e *Engine) add(c *call, p place) (int, *elem, error) {
	key := p.rel
	if p.parent != nil {
		key = p.parent.kind.path + "/" + p.rel
	}
	a, ok := adders[key]
	if !ok {
		return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
	}
	var err error
	if c.body, err = c.readBody(a.want); err != nil {
		return 0, nil, err
	}
	c.code = http.StatusCreated
	o, err := a.run(e, c, p.parent)
	if err != nil {
		return 0, nil, err
	}
	e.endJob(c)
	if c.code == http.StatusAccepted && strings.Contains(c.r.Header.Get("X-Ovirt-Expect"), "201-created") {
		if err := e.await(c); err != nil {
			return 0, nil, err
		}
		c.code = http.StatusCreated
	}
	c.w.Header().Set("Location", "https://"+c.r.Host+o.href())
	x, err := view{e: e}.show(o, nil)
	if c.code == http.StatusAccepted {
		x.kids = append(x.kids, tx("creation_status", "pending"),
			&elem{name: "link", rel: "creation_status", href: o.href() + "/creation_status/" + e.newID()})
	}
	return c.code, x, err
}

func (e *Engine) update(c *call, o *object) (int, *elem, error) {
	u, ok := updaters[o.kind]
	if !ok {
		return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
	}
	var err error
	if c.body, err = c.readBody(u.want); err != nil {
		return 0, nil, err
	}
	if c.body.id != "" && c.body.id != o.id {
		return 0, nil, plain(409, "Broken immutability constraint", "Attempt to set immutable field: id")
	}
	if err := u.run(e, c, o); err != nil {
		return 0, nil, err
	}
	e.endJob(c)
	x, err := view{e: e, next: c.param("next_run"), current: c.param("current")}.show(o, nil)
	return http.StatusOK, x, err
}

func (e *Engine) remove(c *call, o *object) (int, *elem, error) {
	r, ok := removers[o.kind]
	if !ok {
		return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
	}
	if err := r(e, c, o); err != nil {
		return 0, nil, err
	}
	e.endJob(c)
	if c.param("async") {
		return http.StatusAccepted, nil, nil
	}
	return http.StatusOK, c.done(), nil
}

// act answers POST to an action.
func (e *Engine) act(c *call, o *object, name string) (int, *elem, error) {
	if c.r.Method != http.MethodPost {
		return 0, nil, &fault{status: 405, html: "Method Not Allowed"}
	}
	c.action = name
	run, ok := actions[o.kind.name+" "+name]
	if !ok {
		return 0, nil, plain(500, "Operation Failed", "ovirtsim does not simulate "+name+" of a "+o.kind.name)
	}
	var err error
	if c.body, err = c.readBody("action"); err != nil {
		c.action = "" // the reader knows of no action yet
		return 0, nil, err
	}
	c.code = http.StatusOK
	if err := run(e, c, o); err != nil {
		e.failJob(c, err)
		return 0, nil, err
	}
	e.endJob(c)
	if c.code == http.StatusAccepted && c.body.has("async") && !c.body.bool("async") {
		if err := e.await(c); err != nil {
			return 0, nil, err
		}
		c.code = http.StatusOK
	}
	return c.code, c.done(), nil
}

// await waits for the end of the call's job.
func (e *Engine) await(c *call) error {
	for c.job.ends.IsZero() {
		if err := e.wait(c.ctx, e.clock.soon()); err != nil {
			return err
		}
	}
	return nil
}

// done is the reply to an action that was executed.
func (c *call) done() *elem {
	x := el("action")
	if c.job != nil {
		x.kids = append(x.kids, ref("job", c.job.id))
	}
	x.kids = append(x.kids, c.reply...)
	status := "complete"
	if c.code == http.StatusAccepted {
		status = "pending"
	}
	x.kids = append(x.kids, tx("status", status))
	return x
}

// An adder makes an object in a collection; want is the element that it reads.
type adder struct {
	want string
	run  func(e *Engine, c *call, parent *object) (*object, error)
}

type updater struct {
	want string
	run  func(e *Engine, c *call, o *object) error
}

// The commands, by collection (with the parent's, where there is one), kind,
// and kind with action.
var (
	adders   map[string]adder
	updaters map[*kind]updater
	removers map[*kind]func(e *Engine, c *call, o *object) error
	actions  map[string]func(e *Engine, c *call, o *object) error
)

func init() { // not literals: the commands use the tables' readers
	adders = map[string]adder{
		"vms": {"vm", (*Engine).addVM}, "vms/nics": {"nic", (*Engine).addNIC},
		"vms/diskattachments": {"disk_attachment", (*Engine).addAttachment},
		"vms/snapshots":       {"snapshot", (*Engine).addSnapshot}, "vms/tags": {"tag", (*Engine).assignTag},
		"disks": {"disk", (*Engine).addDisk}, "imagetransfers": {"image_transfer", (*Engine).addTransfer}, "templates": {"template", (*Engine).addTemplate},
		"tags": {"tag", (*Engine).addTag}, "networks": {"network", (*Engine).addNetwork},
		"networks/networklabels":  {"network_label", (*Engine).addLabel},
		"nics/networklabels":      {"network_label", (*Engine).addNICLabel},
		"networks/vnicprofiles":   {"vnic_profile", (*Engine).addProfile},
		"vnicprofiles":            {"vnic_profile", (*Engine).addProfile},
		"clusters/networks":       {"network", (*Engine).assignNetwork},
		"clusters/affinitygroups": {"affinity_group", (*Engine).addAffinity},
		"affinitylabels/vms":      {"vm", (*Engine).addMember}, "affinitylabels/hosts": {"host", (*Engine).addMember},
		"affinitygroups/vms": {"vm", (*Engine).addMember}, "affinitygroups/hosts": {"host", (*Engine).addMember},
		"affinitylabels":           {"affinity_label", (*Engine).addAffinityLabel},
		"hosts/networkattachments": {"network_attachment", (*Engine).addNetAttachment},
	}
	updaters = map[*kind]updater{
		kindVM: {"vm", (*Engine).updateVM}, kindNIC: {"nic", (*Engine).updateNIC},
		kindAtt: {"disk_attachment", (*Engine).updateAttachment}, kindDisk: {"disk", (*Engine).updateDisk},
		kindNetwork: {"network", (*Engine).updateNetwork}, kindClNetwork: {"network", (*Engine).updateClusterNetwork},
		kindProfile: {"vnic_profile", (*Engine).updateProfile}, kindNetAtt: {"network_attachment", (*Engine).updateNetAttachment},
		kindCdrom: {"cdrom", (*Engine).updateCdrom},
		kindTag:   {"tag", (*Engine).updateTag}, kindAffinity: {"affinity_group", (*Engine).updateAffinity},
	}
	removers = map[*kind]func(*Engine, *call, *object) error{
		kindVM: (*Engine).removeVM, kindNIC: (*Engine).removeNIC, kindAtt: (*Engine).removeAttachment,
		kindDisk: (*Engine).removeDisk, kindSnap: (*Engine).removeSnapshot, kindTag: (*Engine).removeTag,
		kindTemplate: (*Engine).removeTemplate, kindNetwork: (*Engine).removeNetwork,
		kindClNetwork: (*Engine).detachNetwork, kindProfile: (*Engine).removeProfile,
		kindNetAtt: (*Engine).removeNetAttachment, kindLabel: (*Engine).removeLabel,
		kindAffinity: (*Engine).removeAffinity, kindAffLabel: (*Engine).removeAffinityLabel,
		memberKinds["vms"]: (*Engine).removeMember, memberKinds["hosts"]: (*Engine).removeMember,
	}
	actions = map[string]func(*Engine, *call, *object) error{
		"vm start": (*Engine).startVM, "vm stop": (*Engine).stopVM, "vm shutdown": (*Engine).shutdownVM,
		"vm reboot": (*Engine).rebootVM, "vm suspend": (*Engine).suspendVM, "vm migrate": (*Engine).migrateVM,
		"vm cancelmigration": (*Engine).cancelMigration, "vm previewsnapshot": (*Engine).previewSnapshot,
		"vm commitsnapshot": (*Engine).commitSnapshot, "vm undosnapshot": (*Engine).undoSnapshot,
		"snapshot restore": (*Engine).restoreSnapshot, "nic activate": (*Engine).plugNIC, "nic deactivate": (*Engine).unplugNIC,
		"host activate": (*Engine).activateHost, "host deactivate": (*Engine).deactivateHost,
		"host setupnetworks": (*Engine).setupNetworks, "host commitnetconfig": (*Engine).commitNetworks,
		"host syncallnetworks": (*Engine).syncHost, "cluster syncallnetworks": (*Engine).syncCluster,
		"host refresh": (*Engine).refreshHost, "disk copy": (*Engine).copyDisk,
		"image_transfer cancel": (*Engine).cancelTransfer, "image_transfer extend": (*Engine).extendTransfer,
		"image_transfer finalize": (*Engine).finalizeTransfer, "image_transfer pause": (*Engine).pauseTransfer,
		"image_transfer resume": (*Engine).resumeTransfer,
	}
}
