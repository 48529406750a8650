package ovirtsim

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
)

var errNotOne = errors.New("not one document")

// readXML reads one document into a tree. It is as strict as XML: anything
// after the root but white space is an error.
func readXML(r io.Reader) (*elem, error) {
	d := xml.NewDecoder(r)
	var root *elem
	var open []*elem
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			x := &elem{name: t.Name.Local}
			if err := x.readAttrs(t.Attr); err != nil {
				return nil, err
			}
			if len(open) > 0 {
				up := open[len(open)-1]
				up.kids = append(up.kids, x)
			} else if root != nil {
				return nil, errNotOne
			} else {
				root = x
			}
			open = append(open, x)
		case xml.EndElement:
			x := open[len(open)-1]
			open = open[:len(open)-1]
			if len(x.kids) > 0 { // white space between the children
				if strings.TrimSpace(x.text) != "" {
					return nil, fmt.Errorf("text beside the children of <%s>", x.name)
				}
				x.text = ""
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if strings.TrimSpace(string(t)) != "" {
				return nil, errNotOne
			}
		case xml.Directive:
			return nil, errors.New("a document type is not allowed")
		}
	}
	if root == nil {
		return nil, errNotOne
	}
	return root, nil
}

func (x *elem) readAttrs(attrs []xml.Attr) error {
	for _, a := range attrs {
		switch a.Name.Local {
		case "id":
			x.id = a.Value
		case "href":
			x.href = a.Value
		case "rel":
			x.rel = a.Value
		default:
			return fmt.Errorf("unknown attribute %s of <%s>", a.Name.Local, x.name)
		}
	}
	return nil
}

// readJSON reads a JSON object into the tree that its XML would have been.
func readJSON(r io.Reader, name string) (*elem, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, errNotOne
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotOne
	}
	return fromJSON(name, v)
}

func fromJSON(name string, v any) (*elem, error) {
	x := &elem{name: name}
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if s, ok := v[k].(string); ok && (k == "id" || k == "href" || k == "rel") {
				switch k {
				case "id":
					x.id = s
				case "href":
					x.href = s
				default:
					x.rel = s
				}
				continue
			}
			vs, many := v[k].([]any)
			if !many {
				vs = []any{v[k]}
			}
			for _, e := range vs {
				c, err := fromJSON(k, e)
				if err != nil {
					return nil, err
				}
				x.kids = append(x.kids, c)
			}
		}
	case string:
		x.text = v
	case json.Number:
		x.text = v.String()
	case bool:
		x.text = fmt.Sprint(v)
	case nil:
	default:
		return nil, fmt.Errorf("%s is an array of arrays", name)
	}
	return x, nil
}

// readBody reads and checks the body of a POST or PUT; any fault is the one
// that a real engine's reader gives.
func (c *call) readBody(want string) (*elem, error) {
	bad := &fault{status: 400, reason: "Request syntactically incorrect.",
		detail: "For correct usage, see: https://" + c.r.Host + "/ovirt-engine/apidoc#services/" +
			strings.ReplaceAll(want, "_", "-") + "/methods/" + map[string]string{"POST": "add", "PUT": "update"}[c.r.Method]}
	var x *elem
	var err error
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		x, err = readJSON(c.r.Body, want)
	case "application/xml", "text/xml":
		x, err = readXML(c.r.Body)
	default:
		return nil, &fault{status: 415, html: "Unsupported Media Type"}
	}
	if err == nil {
		err = schemas[want].check(x, want)
	}
	if err != nil {
		var f *fault
		if errors.As(err, &f) {
			return nil, f
		}
		c.why = err.Error()
		return nil, bad
	}
	return x, nil
}
