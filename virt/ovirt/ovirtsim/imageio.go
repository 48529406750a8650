package ovirtsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// imageio answers for the data of images: on a real engine a service of its own, on
// each host and as a proxy beside the engine.
func (e *Engine) imageio(c *call) {
	id, sub, _ := strings.Cut(strings.TrimPrefix(c.path, "/images/"), "/")
	e.mu.Lock()
	e.clock.settle()
	t := e.tickets[id]
	if t == nil {
		e.mu.Unlock()
		c.w.Header().Set("Connection", "close")
		c.plainText(http.StatusForbidden, "You are not allowed to access this resource: No such ticket "+id)
		return
	}
	k, size, upload, cow := e.contentOf(t.disk.id), t.size, t.obj.get("direction") == "upload", t.obj.get("format") == "cow"
	features := []string{"checksum", "extents"}
	if upload {
		features = append(features, "flush", "zero")
	}
	if e.rules["oldimageio"] {
		features = nil
	}
	t.busy++
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		t.busy--
		t.active = e.clock.now()
	}()
	switch m := c.r.Method; {
	case m == http.MethodOptions && features == nil, m == http.MethodPatch && features == nil:
		c.plainText(http.StatusMethodNotAllowed, "Method not allowed")
	case m == http.MethodOptions:
		c.w.Header().Set("Allow", map[bool]string{true: "OPTIONS,GET,PUT,PATCH", false: "OPTIONS,GET"}[upload])
		c.sendJSON(map[string]any{"features": features, "max_readers": 8, "max_writers": map[bool]int{true: 1, false: 8}[cow], "unix_socket": "\x00/org/ovirt/imageio"})
	case m == http.MethodGet && sub == "extents" && features == nil:
		c.plainText(http.StatusNotFound, "No handler for "+c.path)
	case m == http.MethodGet && sub == "extents" && cow:
		c.sendJSON([]extent{{Length: size}}) // a file that is served as it is
	case m == http.MethodGet && sub == "extents":
		c.sendJSON(k.extents(size))
	case sub != "":
		c.plainText(http.StatusNotFound, "No handler for "+c.path)
	case m == http.MethodGet:
		c.imageData(k, size)
	case !upload:
		c.plainText(http.StatusForbidden, "You are not allowed to access this resource: Ticket "+id+" forbids write")
	case m == http.MethodPut:
		c.takeData(k, size)
	case m == http.MethodPatch:
		c.patchData(k, size)
	default:
		c.plainText(http.StatusMethodNotAllowed, "Method not allowed")
	}
}

// imageData is GET: a range, or all of it.
func (c *call) imageData(k *content, size int64) {
	from, to := int64(0), size-1
	status := http.StatusOK
	if r := c.r.Header.Get("Range"); r != "" {
		first, last, ok := strings.Cut(strings.TrimPrefix(r, "bytes="), "-")
		var err error
		if from, err = strconv.ParseInt(first, 10, 64); err != nil || !ok {
			c.plainText(http.StatusRequestedRangeNotSatisfiable, "suffix-byte-range-spec not supported yet")
			return
		}
		if last != "" {
			if to, err = strconv.ParseInt(last, 10, 64); err != nil {
				c.plainText(http.StatusBadRequest, "Invalid range "+r)
				return
			}
		}
		if from > to || to >= size {
			c.outOfRange(size)
			return
		}
		status = http.StatusPartialContent
		c.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Length", strconv.FormatInt(to-from+1, 10))
	c.status = status
	c.e.finish(c, status)
	c.w.WriteHeader(status)
	buf := make([]byte, 256<<10)
	for at := from; at <= to; at += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), to-at+1)]
		k.read(p, at)
		if _, err := c.w.Write(p); err != nil {
			return
		}
	}
}

// takeData is PUT.
func (c *call) takeData(k *content, size int64) {
	length, at := c.r.ContentLength, int64(0)
	if length < 0 {
		c.plainText(http.StatusBadRequest, "Content-Length header is required")
		return
	}
	if r := c.r.Header.Get("Content-Range"); r != "" {
		first, _, _ := strings.Cut(strings.TrimPrefix(r, "bytes "), "-")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			c.plainText(http.StatusBadRequest, "Invalid content-range "+r)
			return
		}
		at = n
	}
	if at+length > size {
		c.outOfRange(size)
		return
	}
	buf := make([]byte, 256<<10)
	for left := length; left > 0; {
		n, err := io.ReadFull(c.r.Body, buf[:min(int64(len(buf)), left)])
		k.write(buf[:n], at) // as much as came is written
		at, left = at+int64(n), left-int64(n)
		if err != nil {
			c.plainText(http.StatusBadRequest, fmt.Sprintf("Requested %d bytes, available %d bytes", length, length-left))
			return
		}
	}
	c.send(http.StatusOK, nil)
}

// patchData is PATCH: zero, or flush.
func (c *call) patchData(k *content, size int64) {
	var m struct {
		Op     string `json:"op"`
		Offset int64  `json:"offset"`
		Size   *int64 `json:"size"`
		Flush  bool   `json:"flush"`
	}
	if err := json.NewDecoder(io.LimitReader(c.r.Body, 1<<16)).Decode(&m); err != nil {
		c.plainText(http.StatusBadRequest, "Invalid JSON message "+err.Error())
		return
	}
	switch {
	case m.Op == "flush":
	case m.Op != "zero":
		c.plainText(http.StatusBadRequest, fmt.Sprintf("Invalid value for 'op': %q", m.Op))
		return
	case m.Size == nil:
		c.plainText(http.StatusBadRequest, "Missing required value for 'size'")
		return
	case m.Offset < 0 || *m.Size < 0 || m.Offset+*m.Size > size:
		c.outOfRange(size)
		return
	default:
		k.zero(m.Offset, *m.Size)
	}
	c.send(http.StatusOK, nil)
}

func (c *call) outOfRange(size int64) {
	c.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
	c.plainText(http.StatusRequestedRangeNotSatisfiable, "Requested range is not satisfiable")
}

func (c *call) plainText(status int, text string) {
	c.w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	c.send(status, []byte(text+"\n"))
}

func (c *call) sendJSON(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.plainText(http.StatusInternalServerError, err.Error())
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.send(http.StatusOK, b)
}

// OldImageio lets the service for images know nothing but GET and PUT.
func (e *Engine) OldImageio() { e.rule("oldimageio") }
