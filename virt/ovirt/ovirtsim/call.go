package ovirtsim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// call is one request on its way through the engine.
type call struct {
	e   *Engine
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context

	path   string     // without matrix parameters
	user   *User      // who is no administrator; nil for one
	params url.Values // of the query and the last path segment
	corr   string     // correlation id
	body   *elem      // what the client sent
	action string     // name of the action that is called, empty otherwise
	why    string     // why a body was not readable, for the request log
	status int        // of the reply
	job    *object    // made by the first command
	reply  []*elem    // what an action's reply shows beside the job
	code   int        // of the reply when it is not the usual
	log    *Request
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// param tells whether a boolean parameter is true; without a value it is.
func (c *call) param(name string) bool {
	v, ok := c.params[name]
	if ok && len(v) > 0 && v[0] != "" {
		return truth(v[0])
	}
	return ok
}

// number returns an integer parameter; what is none counts as missing.
func (c *call) number(name string) (int, bool) {
	n, err := strconv.Atoi(c.params.Get(name))
	return n, err == nil
}

// readParams takes the parameters of the query and the matrix parameters of the
// path's last segment, which it cuts off.
func (c *call) readParams() {
	c.params = c.r.URL.Query()
	path := c.r.URL.EscapedPath()
	segs := strings.Split(strings.Trim(path, "/"), "/")
	last := len(segs) - 1
	var matrix []string
	for i, s := range segs {
		name, rest, _ := strings.Cut(s, ";")
		if u, err := url.PathUnescape(name); err == nil {
			name = u
		}
		segs[i] = name
		if i == last && rest != "" {
			matrix = strings.Split(rest, ";")
		}
	}
	for _, m := range matrix {
		k, v, _ := strings.Cut(m, "=")
		if u, err := url.PathUnescape(v); err == nil {
			v = u
		}
		c.params.Add(k, v)
	}
	c.path = "/" + strings.Join(segs, "/")
}

// correlate chooses the correlation id as the engine does.
func (c *call) correlate() {
	id := c.r.Header.Get("Correlation-Id")
	if id == "" {
		id = c.params.Get("correlation_id")
	}
	id = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '_', r == '-':
			return r
		}
		return -1
	}, id)
	if id = id[:min(len(id), 36)]; id == "" {
		id = uuid.NewString()
	}
	c.corr = id
	c.w.Header().Set("Correlation-Id", id)
}

// wantsJSON tells which of its two forms a reply has.
func (c *call) wantsJSON() bool {
	a := c.r.Header.Get("Accept")
	return strings.Contains(a, "application/json") && !strings.HasPrefix(a, "application/xml")
}

// document sends one.
func (c *call) document(status int, x *elem) {
	var b bytes.Buffer
	if c.wantsJSON() {
		c.w.Header().Set("Content-Type", "application/json")
		x.json(&b)
	} else {
		c.w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
		x.xml(&b)
	}
	c.send(status, b.Bytes())
}

// fail sends a refusal: as a fault, or as an action that failed.
func (c *call) fail(err error) {
	var f *fault
	switch {
	case errors.As(err, &f):
	case errors.Is(err, context.Canceled):
		return
	default:
		f = plain(500, "Operation Failed", err.Error())
	}
	switch {
	case f.html != "":
		c.page(f.status, f.html)
		return
	case f.empty:
		c.send(f.status, nil)
		return
	}
	x := el("fault", tx("detail", f.detail), tx("reason", f.reason))
	if c.action != "" {
		var kids []*elem
		if c.job != nil {
			kids = append(kids, ref("job", c.job.id))
		}
		x = el("action", append(kids, x, tx("status", "failed"))...)
	}
	c.document(f.status, x)
}
