package ovirtsim

import (
	"slices"
	"strconv"
	"strings"
)

// elem is an element of a document: what the API reads and writes. A published
// elem never changes, so that documents can be shared (between VMs, with
// snapshots, with a reply that is being written); with, without and merge
// return changed copies.
type elem struct {
	name, text    string
	id, href, rel string // the only attributes that the API knows
	kids          []*elem
}

// bare as the href of a reference says that it is written without one.
const bare = "-"

func el(name string, kids ...*elem) *elem { return &elem{name: name, kids: kids} }

func tx(name, text string) *elem { return &elem{name: name, text: text} }

func num[T ~int | ~int64](name string, n T) *elem { return tx(name, strconv.FormatInt(int64(n), 10)) }

func boolean(name string, v bool) *elem { return tx(name, strconv.FormatBool(v)) }

// ref is a reference to another object; its href is made when it is written.
func ref(name, id string) *elem { return &elem{name: name, id: id} }

// kid returns the first child of that name, or nil.
func (x *elem) kid(name string) *elem {
	if x == nil {
		return nil
	}
	for _, k := range x.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// at follows a path as "os/boot/devices"; nil where it ends.
func (x *elem) at(path string) *elem {
	for name := range strings.SplitSeq(path, "/") {
		x = x.kid(name)
	}
	return x
}

func (x *elem) has(path string) bool { return x.at(path) != nil }

// get returns the text at a path, empty where there is none.
func (x *elem) get(path string) string {
	if x = x.at(path); x == nil {
		return ""
	}
	return x.text
}

// refID returns the id attribute at a path.
func (x *elem) refID(path string) string {
	if x = x.at(path); x == nil {
		return ""
	}
	return x.id
}

// int reads a number that the schema has checked; zero where there is none.
func (x *elem) int(path string) int64 {
	n, _ := strconv.ParseInt(x.get(path), 10, 64)
	return n
}

func (x *elem) bool(path string) bool { return truth(x.get(path)) }

func (x *elem) list(path string) []*elem {
	if x = x.at(path); x == nil {
		return nil
	}
	return x.kids
}

// put returns a copy in which the child of k's name is k, at the same place or
// at the end.
func (x *elem) put(k *elem) *elem {
	c := *x
	c.kids = slices.Clone(x.kids)
	for i, old := range c.kids {
		if old.name == k.name {
			c.kids[i] = k
			return &c
		}
	}
	c.kids = append(c.kids, k)
	return &c
}

// with returns a copy that has text at a path, whose parents are made.
func (x *elem) with(path, text string) *elem {
	name, rest, deep := strings.Cut(path, "/")
	if !deep {
		return x.put(tx(name, text))
	}
	k := x.kid(name)
	if k == nil {
		k = el(name)
	}
	return x.put(k.with(rest, text))
}

// without returns a copy that lacks the children of those names.
func (x *elem) without(names ...string) *elem {
	c := *x
	c.kids = slices.DeleteFunc(slices.Clone(x.kids), func(k *elem) bool { return slices.Contains(names, k.name) })
	return &c
}

// merge returns a copy changed as an update's body says: elements with children
// are merged, lists and values replaced.
func (x *elem) merge(in *elem) *elem {
	for _, k := range in.kids {
		old := x.kid(k.name)
		if old != nil && len(k.kids) > 0 && len(old.kids) > 0 && listItem[k.name] == "" {
			k = old.merge(k)
		}
		x = x.put(k)
	}
	return x
}

// only returns a copy with the children of those names.
func (x *elem) only(names ...string) *elem {
	c := &elem{name: x.name}
	for _, k := range x.kids {
		if slices.Contains(names, k.name) {
			c.kids = append(c.kids, k)
		}
	}
	return c
}

// truth reads a boolean as the API's parameters do.
func truth(s string) bool {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "1":
		return true
	}
	return false
}
