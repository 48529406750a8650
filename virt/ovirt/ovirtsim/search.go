package ovirtsim

import (
	"errors"
	"slices"
	"strings"
)

// search applies the parameters search, case_sensitive, max and from to a
// top-level collection.
func (e *Engine) search(c *call, col string, list []*object) ([]*object, error) {
	text := strings.TrimSpace(c.params.Get("search"))
	if searchable[col] == nil {
		text = ""
	}
	q, err := parseQuery(text)
	if err == nil {
		err = q.check(col, text)
	}
	if err != nil {
		var s *syntaxError
		if errors.As(err, &s) {
			return nil, plain(400, "Operation Failed", s.Error())
		}
		return nil, err
	}
	fold := !c.param("case_sensitive")
	from, hasFrom := c.number("from")
	out := make([]*object, 0, len(list))
	for _, o := range list {
		if hasFrom && col == "events" && int(o.body.int("index")) <= from {
			continue
		}
		if q.where != nil && !q.where.eval(
			func(f string) []string { return field(col, f)(e, o) },
			func() []string { return e.everything(col, o) }, fold) {
			continue
		}
		out = append(out, o)
	}
	switch {
	case q.sort != "":
		get := field(col, q.sort)
		key := make(map[*object]string, len(out))
		for _, o := range out {
			key[o] = strings.Join(get(e, o), " ")
		}
		slices.SortStableFunc(out, func(a, b *object) int {
			n := compare(key[a], key[b], true)
			if q.desc {
				n = -n
			}
			return n
		})
	case col == "events":
		slices.Reverse(out) // newest first
	}
	n, ok := c.number("max")
	if !ok || n < 0 {
		if q.page == 0 {
			return out, nil
		}
		n = 100 // the engine's page
	}
	first := min(len(out), max(0, q.page-1)*n)
	return out[first:min(len(out), first+n)], nil
}

// check refuses fields that the collection does not have.
func (q *query) check(col, text string) error {
	for _, f := range append(slices.Clone(q.fields), q.sort) {
		if f != "" && field(col, f) == nil {
			i := max(0, strings.Index(strings.ToLower(text), f))
			return &syntaxError{text, i, min(len(text), i+len(f))}
		}
	}
	return nil
}

// everything is what a search without a field looks at.
func (e *Engine) everything(col string, o *object) []string {
	var out []string
	for _, get := range searchable[col] {
		out = append(out, get(e, o)...)
	}
	return out
}
