package inventory

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// hidden stands where a value is not shown.
const hidden = "***"

// Object is a mapping whose keys keep their order, in JSON, too.
type Object []Field

// Field is one key of an Object.
type Field struct {
	Key   string
	Value any
}

// MarshalJSON writes the keys in their order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(f.Key); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(f.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// put adds a key, unless the value is that of a key left out. An empty list is
// said: it is not the same as none.
func (o *Object) put(key string, value any) {
	if d, ok := value.(time.Duration); ok && d != 0 {
		value = d.String()
	}
	if v := reflect.ValueOf(value); v.IsValid() && (!v.IsZero() || v.Kind() == reflect.Slice && !v.IsNil()) {
		*o = append(*o, Field{key, value})
	}
}

// Document gives the inventory in the form of an inventory file: names expanded,
// paths absolute, and each target with all variables that it has, those of groups
// and of the folders beside the inventory included. Reading it gives the same
// targets. What is secret is not in it: omitted names the places.
func (inv *Inventory) Document() (doc Object, omitted []string) {
	d := &documenter{inv: inv}
	var engines, nodes, clusters, images, groups Object
	for _, e := range inv.Engines {
		engines = append(engines, Field{e.Name, d.engine(e)})
	}
	for _, n := range inv.Nodes {
		nodes = append(nodes, Field{n.Name, d.node(n)})
	}
	for _, c := range inv.Clusters {
		clusters = append(clusters, Field{c.Name, d.cluster(c)})
	}
	for _, name := range slices.Sorted(maps.Keys(inv.Images)) {
		images = append(images, Field{name, d.image(inv.Images[name])})
	}
	for _, g := range inv.Groups {
		var o Object
		o.put("members", g.Members)
		o.put("children", g.Children)
		groups = append(groups, Field{g.Name, o})
	}
	doc.put("engines", engines)
	doc.put("nodes", nodes)
	doc.put("clusters", clusters)
	doc.put("images", images)
	if inv.Guests.Range.IsValid() {
		doc.put("guests", d.guests(inv.Guests))
	}
	doc.put("groups", groups)
	return doc, d.omitted
}

// Describe gives one target as it stands in Document, with what it is.
func (inv *Inventory) Describe(t Target) (doc Object, omitted []string) {
	d := &documenter{inv: inv}
	doc = Object{{"name", t.Name}, {"kind", string(t.Kind)}, {"groups", slices.Clone(t.Groups)}}
	if t.Groups == nil {
		doc[2].Value = []string{}
	}
	var settings Object
	switch {
	case t.Engine != nil:
		settings = d.engine(t.Engine)
	case t.Node != nil:
		doc.put("cluster", t.Node.Cluster)
		settings = d.node(t.Node)
	case t.Cluster != nil:
		settings = d.cluster(t.Cluster)
	}
	return append(doc, settings...), d.omitted
}

// documenter writes parts of an inventory, and notes what it does not show.
type documenter struct {
	inv     *Inventory
	omitted []string
}

func (d *documenter) hide(where string) string {
	d.omitted = append(d.omitted, where)
	return hidden
}

func (d *documenter) engine(e *Engine) (o Object) {
	o.put("url", e.URL)
	o.put("username", e.Username)
	if e.Password != nil {
		o.put("password", d.secret(e.Password, e.Name+".password"))
	}
	o.put("ca_file", absolute(e.CAFile))
	o.put("insecure", e.Insecure)
	o.put("timeout", e.Timeout)
	if e.Guests != nil && !reflect.DeepEqual(*e.Guests, d.inv.Guests) {
		o.put("guests", d.guests(*e.Guests))
	}
	if e.Hosts != nil {
		o.put("hosts", d.guests(*e.Hosts))
	}
	return d.vars(o, e.Name)
}

func (d *documenter) secret(s *Secret, where string) any {
	switch {
	case s.env != "":
		return Object{{"secret", Object{{"env", s.env}}}}
	case s.file != "":
		return Object{{"secret", Object{{"file", absolute(s.file)}}}}
	case len(s.command) > 0:
		return Object{{"secret", Object{{"command", s.command}}}}
	}
	return d.hide(where)
}

func (d *documenter) node(n *Node) (o Object) {
	o.put("uri", n.URI)
	o.put("address", n.Address)
	o.put("port", n.Port)
	o.put("user", n.User)
	o.put("identity_file", absolutes(n.IdentityFiles))
	o.put("identities_only", n.IdentitiesOnly)
	o.put("agent", n.Agent)
	o.put("known_hosts", absolutes(n.KnownHosts))
	o.put("host_key_alias", n.HostKeyAlias)
	o.put("ssh_config", configPath(n.SSHConfig))
	o.put("jump", n.Jump)
	o.put("become", n.Become)
	o.put("socket", n.Socket)
	o.put("accel", n.Accel)
	o.put("migration_address", n.MigrationAddress)
	o.put("maintenance", n.Maintenance)
	o.put("connect_timeout", n.ConnectTimeout)
	o.put("keepalive", n.KeepAlive)
	o.put("keepalive_count", n.KeepAliveCount)
	return d.vars(o, n.Name)
}

func (d *documenter) cluster(c *Cluster) (o Object) {
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.Name)
	}
	o.put("nodes", names)
	o.put("placement", c.Placement)
	o.put("shared_pools", c.SharedPools)
	return d.vars(o, c.Name)
}

// guests says outright what a section of all engines could have said otherwise.
func (d *documenter) guests(g Guests) (o Object) {
	o.put("user", g.User)
	o.put("port", g.Port)
	o.put("identity_file", absolutes(g.IdentityFiles))
	o = append(o, Field{"identities_only", g.IdentitiesOnly})
	o.put("agent", g.Agent)
	o.put("known_hosts", absolutes(g.KnownHosts))
	o.put("ssh_config", configPath(g.SSHConfig))
	o.put("jump", g.Jump)
	become, key := "none", "strict"
	if g.Become != "" {
		become = g.Become
	}
	if g.AcceptNew {
		key = "accept_new"
	}
	o = append(o, Field{"become", become}, Field{"host_key", key})
	o.put("connect_timeout", g.ConnectTimeout)
	o.put("keepalive", g.KeepAlive)
	o.put("keepalive_count", g.KeepAliveCount)
	return o
}

func (d *documenter) image(im *Image) (o Object) {
	if im.Engines != nil {
		o.put("engines", imageObject(*im.Engines))
	}
	if im.Nodes != nil {
		o.put("nodes", imageObject(*im.Nodes))
	}
	var targets Object
	for _, t := range im.Targets {
		targets = append(targets, Field{t.Name, imageObject(t.Source)})
	}
	o.put("targets", targets)
	return o
}

func imageObject(s virt.ImageSource) (o Object) {
	o.put("template", s.Template)
	if s.Volume != "" {
		o.put("volume", s.Storage+"/"+s.Volume)
	}
	o.put("url", s.URL)
	o.put("sha256", s.SHA256)
	o.put("file", absolute(s.File))
	return o
}

// vars adds the variables of a target.
func (d *documenter) vars(o Object, name string) Object {
	var vars Object
	all := d.inv.varsOf(d.inv.byName[name])
	for _, key := range all.Names() {
		v, _ := all.Get(key)
		vars = append(vars, Field{key, d.value(v.Value, name+".vars."+key)})
	}
	o.put("vars", vars)
	return o
}

// value gives a value as it is written, without what is secret.
func (d *documenter) value(n *source.Node, where string) any {
	switch {
	case n.Secret:
		return d.hide(where)
	case isSecret(n):
		if s, _ := ParseSecret(n, fileDir(n.Range.File)); s != nil {
			return d.secret(s, where)
		}
		return d.hide(where)
	case n.Kind == source.Map:
		out := Object{}
		for _, e := range n.Entries {
			out = append(out, Field{e.Key.Str, d.value(e.Value, where+"."+e.Key.Str)})
		}
		return out
	case n.Kind == source.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = d.value(item, where)
		}
		return out
	default:
		return n.Any()
	}
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

func absolutes(paths []string) []string {
	if paths == nil {
		return nil
	}
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = absolute(p)
	}
	return out
}

// configPath keeps the word that stands for no ssh_config.
func configPath(path string) string {
	if path == "none" {
		return path
	}
	return absolute(path)
}
