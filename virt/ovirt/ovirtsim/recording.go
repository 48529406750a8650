package ovirtsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recorded is one request of a recording's index.json.
type recorded struct {
	Method, Path, Query, File string
	Status, N                 int
}

// load makes the objects that a recording of a real engine shows: a folder with
// the bodies of GET replies and an index.json that names them. Of several
// replies to one request the first counts. What a search found is all there is
// where nothing else tells of the collection.
func (e *Engine) load(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return fmt.Errorf("ovirtsim: recording: %w", err)
	}
	var index []recorded
	if err := json.Unmarshal(b, &index); err != nil {
		return fmt.Errorf("ovirtsim: recording %s: %w", dir, err)
	}
	whole := map[string]bool{}
	for _, r := range index {
		whole[r.Path] = whole[r.Path] || r.Query == ""
	}
	index = slices.DeleteFunc(index, func(r recorded) bool { return r.N > 0 || r.Query != "" && whole[r.Path] })
	depth := func(r recorded) int { return strings.Count(r.Path, "/") }
	slices.SortStableFunc(index, func(a, b recorded) int { return cmp.Compare(depth(a), depth(b)) })
	for _, r := range index {
		if err := e.loadReply(dir, r); err != nil {
			return fmt.Errorf("ovirtsim: recording %s: %s: %w", dir, r.Path, err)
		}
	}
	e.completeRecording()
	return nil
}

func (e *Engine) loadReply(dir string, r recorded) error {
	f, err := os.Open(filepath.Join(dir, filepath.Base(r.File)))
	if err != nil {
		return err
	}
	defer f.Close()
	x, err := readXML(f)
	if err != nil {
		return err
	}
	segs := strings.Split(strings.TrimPrefix(r.Path, base+"/"), "/")
	rel := segs[len(segs)-1]
	if len(segs) == 1 {
		c := e.cols[rel]
		if c == nil {
			return fmt.Errorf("no such collection")
		}
		for _, k := range x.kids {
			c.add(recall(c.kind, k))
		}
		return nil
	}
	p, _, err := e.resolve(segs[:len(segs)-1])
	if err != nil || p.obj == nil {
		return nil // a part of an object that the lists do not show
	}
	o := p.obj
	if o.subs == nil {
		o.subs = map[string][]*object{}
	}
	o.subs[rel] = []*object{} // not nil: nothing is made up
	for _, k := range x.kids {
		kind := kindOf(o.kind, rel, k.name)
		if kind == nil {
			return fmt.Errorf("unknown element <%s>", k.name)
		}
		kid := o.adopt(rel, recall(kind, k))
		if c := e.col("storagedomains"); kind == kindDCStorage && c.ids[kid.id] == nil {
			c.add(&object{kind: kindStorage, id: kid.id, body: kid.body}) // no list of all was recorded
		}
	}
	return nil
}

// kindOf is the kind of an element of a sub-collection.
func kindOf(parent *kind, rel, name string) *kind {
	if parent == kindDataCenter && rel == "storagedomains" {
		return kindDCStorage
	}
	for _, k := range []*kind{kindNIC, kindAtt, kindSnap, kindTag, kindHostNIC, kindNetAtt, kindReported, kindStat, kindApp,
		kindFile, kindDisk, kindLabel, kindAffinity} {
		if k.name == name {
			return k
		}
	}
	return nil
}

// recall makes an object of a recorded element. Its address, links, actions and
// the addresses of what it refers to are kept only where they are not what the
// engine would write itself.
func recall(k *kind, x *elem) *object {
	o := &object{kind: k, id: x.id, noHref: x.href == "", recorded: true}
	var links, acts []string
	for _, c := range x.kids {
		if c.name == "link" {
			links = append(links, c.rel)
		}
	}
	for _, c := range x.list("actions") {
		acts = append(acts, c.rel)
	}
	o.links, o.linked = links, !sameSet(links, k.links)
	o.acts, o.acted = acts, !sameSet(acts, k.actions)
	o.body = plainRefs(x.without("actions", "link"))
	o.body.id, o.body.href = "", ""
	return o
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// plainRefs drops the addresses that are written from the id anyway.
func plainRefs(x *elem) *elem {
	c := *x
	if c.id != "" && len(c.kids) == 0 {
		own := c
		own.href = ""
		switch _, href := own.attrs(); {
		case c.href == href:
			c.href = ""
		case c.href == "":
			c.href = bare
		}
	}
	c.kids = make([]*elem, len(x.kids))
	for i, k := range x.kids {
		c.kids[i] = plainRefs(k)
	}
	return &c
}

// completeRecording adds what commands need and recordings do not have.
func (e *Engine) completeRecording() {
	for _, cl := range e.col("clusters").list {
		if cl.sub("networks") == nil {
			for _, n := range e.filter("networks", "data_center", cl.refID("data_center")) {
				if k := e.assign(cl, n, n.name() == management); n.name() == management {
					k.manage()
				}
			}
		}
	}
	for _, vm := range e.vms() {
		vm.hidden, vm.inited, vm.fixed = hiddenDefaults, true, true
		vm.thin = vm.refID("template") != blankID
		vm.addrs = map[string][]string{}
		for _, d := range vm.sub("reporteddevices") {
			for _, ip := range d.body.list("ips") {
				mac := d.get("mac/address")
				vm.addrs[mac] = append(vm.addrs[mac], ip.get("address"))
			}
		}
	}
	for _, h := range e.col("hosts").list {
		h.commit()
	}
}
