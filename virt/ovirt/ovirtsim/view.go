package ovirtsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// view makes the documents that replies show of objects.
type view struct {
	e    *Engine
	all  bool // all_content
	next bool // next_run

	current bool // of a CD drive: the running VM's

	filtered bool // without what is about hosts
}

// show makes an object's document with its links and actions, and with what is
// followed in place of links and references.
func (v view) show(o *object, f *followed) (*elem, error) {
	src := v.e.document(o, v)
	x := &elem{name: o.kind.name, id: o.id, href: o.href()}
	if o.noHref {
		x.href = bare
	}
	n := len(o.kind.actions) + len(src.kids)
	x.kids = make([]*elem, 0, n+len(o.kind.links))
	acts := o.kind.actions
	if o.acted {
		acts = o.acts
	}
	if !o.noHref && (len(acts) > 0 || o.kind == kindHostNIC) {
		a := &elem{name: "actions", kids: make([]*elem, len(acts))}
		for i, r := range acts {
			a.kids[i] = &elem{name: "link", rel: r, href: x.href + "/" + r}
		}
		x.kids = append(x.kids, a)
	}
	head := 0
	for _, k := range src.kids {
		if k.name != "name" && k.name != "description" && k.name != "comment" {
			break
		}
		head++
	}
	x.kids = append(x.kids, src.kids[:head]...)
	for _, r := range o.shownLinks() {
		if sub := f.get(r); sub != nil {
			k, err := v.followList(o, r, sub)
			if err != nil {
				return nil, err
			}
			x.kids = append(x.kids, k)
			continue
		}
		x.kids = append(x.kids, &elem{name: "link", rel: r, href: x.href + "/" + r})
	}
	for _, k := range src.kids[head:] {
		sub := f.get(k.name)
		if sub == nil {
			x.kids = append(x.kids, k)
			continue
		}
		fk, err := v.followRef(k, sub)
		if err != nil {
			return nil, err
		}
		x.kids = append(x.kids, fk)
	}
	return x, f.known(o)
}

// shownLinks are the links of the object's kind, less those that a particular
// object lacks.
func (o *object) shownLinks() []string {
	if o.linked {
		return o.links
	}
	switch {
	case o.noHref:
		return nil
	case o.kind == kindSnap && o.get("snapshot_type") == "active":
		return nil
	case o.kind == kindNIC && o.parent.kind == kindTemplate:
		return []string{}
	}
	return o.kind.links
}

// document is the object's own document as it is now, without links: what
// searches see too.
func (e *Engine) document(o *object, v view) *elem {
	switch o.kind {
	case kindVM:
		return e.vmDocument(o, v)
	case kindHost:
		return e.hostDocument(o)
	case kindStorage:
		if o.refID("data_centers/data_center") != "" {
			return o.body.without("status")
		}
	case kindClNetwork:
		return e.clusterNetworkDocument(o)
	case kindCdrom:
		return cdromDocument(o, v)
	case kindNetAtt:
		return e.attachmentDocument(o)
	}
	return o.body
}

// vmDocument hides what plain replies do not show, and applies the next-run
// configuration when that is asked for.
func (e *Engine) vmDocument(o *object, v view) *elem {
	x := o.body
	if v.next && o.next != nil {
		x = o.next
		for _, live := range []string{"status", "host", "start_time", "stop_time", "fqdn"} {
			if k := o.body.kid(live); k != nil {
				x = x.put(k)
			}
		}
	}
	if i := x.kid("initialization"); i != nil {
		x = x.put(i.without("root_password"))
	}
	if v.filtered {
		x = x.without("host", "placement_policy")
	}
	if v.all && o.hidden != nil {
		x = &elem{name: x.name, kids: slices.Concat(x.kids, o.hidden.kids)}
	}
	return x
}

// describe is GET /ovirt-engine/api.
func (e *Engine) describe(c *call) *elem {
	x := el("api")
	for _, rel := range e.apiLinks() {
		x.kids = append(x.kids, &elem{name: "link", rel: rel, href: base + "/" + rel})
		if e.cols[rel] != nil && searchable[rel] != nil {
			x.kids = append(x.kids, &elem{name: "link", rel: rel + "/search", href: base + "/" + rel + "?search={query}"})
		}
	}
	v := strings.SplitN(strings.SplitN(e.opts.Version, "-", 2)[0], ".", 4)
	v = append(v, "0", "0", "0")
	count := func(path, status string) (n int) {
		for _, o := range e.col(path).list {
			if o.status() == status {
				n++
			}
		}
		return n
	}
	sum := func(name, path, active string) *elem {
		return el(name, num("active", count(path, active)), num("total", len(e.col(path).list)))
	}
	storage := 0
	for _, d := range e.col("datacenters").list {
		for _, s := range d.sub("storagedomains") {
			if s.status() == "active" {
				storage++
			}
		}
	}
	blank := ref("blank_template", blankID)
	blank.href = base + "/templates/" + blankID
	root := ref("root_tag", blankID)
	root.href = base + "/tags/" + blankID
	user := func(name string) *elem {
		u := ref(name, e.admin.id)
		u.href = base + "/users/" + e.admin.id
		return u
	}
	x.kids = append(x.kids,
		el("product_info", tx("instance_id", e.space.String()), tx("name", e.opts.Product), tx("vendor", "ovirt.org"),
			el("version", tx("build", v[2]), tx("full_version", e.opts.Version), tx("major", v[0]), tx("minor", v[1]), tx("revision", "0"))),
		el("special_objects", blank, root),
		el("summary", sum("hosts", "hosts", "up"), el("storage_domains", num("active", storage), num("total", len(e.col("storagedomains").list))),
			sum("users", "users", ""), sum("vms", "vms", "up")),
		date("time", e.clock.now()), user("authenticated_user"), user("effective_user"))
	if c.filtered() {
		return x.without("summary")
	}
	return x
}

func (e *Engine) apiLinks() []string {
	links := slices.Collect(maps.Keys(vacantRoots))
	for _, k := range roots {
		links = append(links, k.path)
	}
	slices.Sort(links)
	return links
}

// linkHeader is the list of links that GET /ovirt-engine/api has as a header too.
func (e *Engine) linkHeader(host string) string {
	var b strings.Builder
	for i, rel := range e.apiLinks() {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("<https://" + host + base + "/" + rel + ">; rel=" + rel)
	}
	return b.String()
}

// age tells how long ago an event was, in engine time.
func (e *Engine) age(t time.Time) time.Duration { return e.clock.now().Sub(t) }
