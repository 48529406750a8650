package ovirt

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query says what of a collection is wanted.
type query struct {
	Search     string   // in the engine's language, without sortby and page; see equals
	Follow     []string // links to be sent along, as nics or disk_attachments.disk
	Max        int      // at most so many; 0 = all
	PageSize   int      // 0 = all in one request; else so many in each
	AllContent bool     // also what is left out for being costly: console, virtio_scsi
	NextRun    bool     // of one VM: as it will be after its next start
	Current    bool     // of one CD drive: as the running VM has it
}

func (q query) values() url.Values {
	v := url.Values{}
	if q.Search != "" {
		v.Set("search", q.Search)
	}
	if len(q.Follow) > 0 {
		v.Set("follow", strings.Join(q.Follow, ","))
	}
	if q.Max > 0 {
		v.Set("max", strconv.Itoa(q.Max))
	}
	if q.AllContent {
		v.Set("all_content", "true")
	}
	if q.NextRun {
		v.Set("next_run", "true")
	}
	if q.Current {
		v.Set("current", "true")
	}
	return v
}

// page gives the query of page n, from 1. The order is stable, so that no object
// is on two pages unless others came or went meanwhile.
func (q query) page(n int) url.Values {
	v := q.values()
	v.Set("search", strings.TrimSpace(fmt.Sprintf("%s sortby name page %d", q.Search, n)))
	v.Set("max", strconv.Itoa(q.PageSize))
	return v
}

// path joins words to a path under the API's root, escaping them.
func path(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(w))
	}
	return b.String()
}

// list reads a collection. conv is called with each object as it comes in, and
// makes of it what is kept: go-ovirt's objects are four times as large.
//
// With an *IncompleteError the objects that could be read come along; they must
// not be taken for all. Pages are no snapshot: an object that moved from one to
// the next is delivered once, one that moved back may be missed.
func list[S, T any](ctx context.Context, c *Client, k kind[S], path string, q query, conv func(*S) (T, error)) ([]T, error) {
	if q.PageSize <= 0 {
		l := collected[S, T]{conv: conv}
		err := l.read(ctx, c, k, path, q.values())
		return l.items, err
	}
	l := collected[S, T]{conv: conv, seen: map[string]bool{}}
	for n := 1; ; n++ {
		before := l.received
		if err := l.read(ctx, c, k, path, q.page(n)); err != nil {
			return l.items, err
		}
		if q.Max > 0 && len(l.items) >= q.Max {
			return l.items[:q.Max], nil
		}
		if l.received-before < q.PageSize {
			return l.items, nil
		}
	}
}

// collected gathers a list over its pages.
type collected[S, T any] struct {
	conv     func(*S) (T, error)
	items    []T
	received int             // with those that came twice
	seen     map[string]bool // ids; nil = all are taken
}

// read adds the reply to one request. A GET that breaks off is repeated, and then
// begins anew.
func (l *collected[S, T]) read(ctx context.Context, c *Client, k kind[S], path string, v url.Values) error {
	var fresh collected[S, T]
	err := c.do(ctx, request{Method: http.MethodGet, Path: path, Query: v}, func(rep *reply) error {
		fresh = collected[S, T]{}
		var ids map[string]bool
		if l.seen != nil {
			ids = map[string]bool{}
		}
		fresh.seen = ids
		incomplete := &IncompleteError{What: k.list}
		err := each(rep, k, func(s *S) error {
			fresh.received++
			if ids != nil {
				id := idOf(s)
				if id != "" && (l.seen[id] || ids[id]) {
					return nil
				}
				ids[id] = true
			}
			item, err := l.conv(s)
			if err != nil {
				incomplete.Bad = append(incomplete.Bad, fmt.Errorf("%s %s: %w", k.item, idOf(s), err))
				return nil
			}
			fresh.items = append(fresh.items, item)
			return nil
		})
		return incomplete.with(err, len(fresh.items))
	})
	l.items = append(l.items, fresh.items...)
	l.received += fresh.received
	for id := range fresh.seen {
		l.seen[id] = true
	}
	return err
}

// with adds what could not be converted to what could not be read.
func (e *IncompleteError) with(err error, read int) error {
	other, ok := err.(*IncompleteError) // each returns it as it is
	switch {
	case err != nil && !ok:
		return err
	case ok:
		e.Bad = append(e.Bad, other.Bad...)
	}
	if len(e.Bad) == 0 {
		return nil
	}
	e.Read = read
	return e
}

func idOf(obj any) string {
	if o, ok := obj.(interface{ Id() (string, bool) }); ok {
		id, _ := o.Id()
		return id
	}
	return ""
}

// get reads one object. One that is not there is a *Fault of kind ErrNotFound.
func get[S, T any](ctx context.Context, c *Client, k kind[S], path string, q query, conv func(*S) (T, error)) (T, error) {
	var item T
	err := c.do(ctx, request{Method: http.MethodGet, Path: path, Query: q.values()}, func(rep *reply) error {
		s, err := one(rep, k)
		if err != nil {
			return err
		}
		if item, err = conv(s); err != nil {
			return &readError{fmt.Errorf("%s %s: %w", k.item, idOf(s), err)}
		}
		return nil
	})
	return item, err
}

// byName gives the objects of a searchable collection that have the name, exactly:
// the engine's search is blind to case, and names are unique only within a data
// centre or network. None is no error. scope narrows the search down and may be
// empty.
func byName[S, T any](ctx context.Context, c *Client, k kind[S], path, name, scope string, q query, conv func(*S) (T, error)) ([]T, error) {
	if term, ok := equals("name", name); ok {
		q.Search = and(term, scope)
	} else {
		q.Search = scope
	}
	found, err := list(ctx, c, k, path, q, func(s *S) (*T, error) {
		if nameOf(s) != name {
			return nil, nil
		}
		t, err := conv(s)
		return &t, err
	})
	var out []T
	for _, t := range found {
		if t != nil {
			out = append(out, *t)
		}
	}
	return out, err
}

func nameOf(obj any) string {
	if o, ok := obj.(interface{ Name() (string, bool) }); ok {
		name, _ := o.Name()
		return name
	}
	return ""
}

// equals gives the search for objects whose field has the value. ok is false when
// the search language cannot say it: it has no escape for quotes and wildcards.
// Then all are to be listed, and compared here.
func equals(field, value string) (term string, ok bool) {
	if value == "" || strings.ContainsAny(value, "\"*%\\\n\r\t") {
		return "", false
	}
	return field + `="` + value + `"`, true
}

// anyOf gives the search for objects whose field has one of the values.
func anyOf(field string, values ...string) (term string, ok bool) {
	var terms []string
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		t, ok := equals(field, v)
		if !ok {
			return "", false
		}
		terms = append(terms, t)
	}
	return strings.Join(terms, " or "), len(terms) > 0
}

// and joins searches; empty ones are left out.
func and(terms ...string) string {
	terms = slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return t == "" })
	if len(terms) > 1 {
		for i, t := range terms {
			if strings.Contains(t, " or ") {
				terms[i] = "(" + t + ")"
			}
		}
	}
	return strings.Join(terms, " and ")
}
