package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// fields reads the keys of one mapping, and reports what does not fit.
type fields struct {
	list *diag.List
	node *source.Node
	what string // "node n1": the words of messages
	dir  string // relative paths start here
	keys []Key
}

// newFields makes sure that n is a mapping and holds no other keys than these.
func newFields(list *diag.List, n *source.Node, what, dir string, keys []Key) (fields, bool) {
	f := fields{list: list, node: n, what: what, dir: dir, keys: keys}
	if n.Kind == source.Null {
		return f, true // all of it left out
	}
	if n.Kind != source.Map {
		list.Errorf(n.Range, "type", "%s must be a mapping, not %s", what, n.Kind)
		return f, false
	}
	known := keyNames(keys)
	for _, e := range n.Entries {
		if slices.Contains(known, e.Key.Str) {
			continue
		}
		if here := ansibleKeys[e.Key.Str]; here != "" && slices.Contains(known, here) {
			list.Errorf(e.Key.Range, "unknown-key", "unknown key %q in %s: here it is %s", e.Key.Str, what, here)
			continue
		}
		list.Errorf(e.Key.Range, "unknown-key", "unknown key %q in %s%s", e.Key.Str, what, orList(e.Key.Str, known))
	}
	return f, true
}

// ansibleKeys are words of Ansible's inventories, and what stands for them here.
var ansibleKeys = map[string]string{
	"hosts": "nodes", "ansible_host": "address", "ansible_port": "port", "ansible_user": "user", "ansible_become": "become",
	"ansible_ssh_private_key_file": "identity_file", "ansible_private_key_file": "identity_file", "ansible_ssh_common_args": "jump",
	"ansible_connection": "uri",
}

// orList gives the nearest of some names, else all of them when they are few.
func orList(name string, known []string) string {
	if s := diag.DidYouMean(name, known); s != "" {
		return s
	}
	if len(known) > 0 && len(known) <= 6 {
		return "; there are: " + strings.Join(known, ", ")
	}
	return ""
}

// get gives the value of a key, or nil when it is absent or nothing.
func (f fields) get(key string) *source.Node {
	if n := f.node.Get(key); n != nil && n.Kind != source.Null {
		return n
	}
	return nil
}

func (f fields) wrong(n *source.Node, key, want string) {
	f.list.Errorf(n.Range, "type", "%s of %s must be %s, not %s", key, f.what, want, n.Kind)
}

// text reads a scalar as text. Numbers count as written: a user may be 1000.
func (f fields) text(n *source.Node, key string) string {
	s, ok := scalarText(n)
	if !ok {
		f.wrong(n, key, "a text")
		return ""
	}
	if strings.Contains(s, "{{") {
		f.list.Errorf(n.Range, "expression", "%s of %s is read before expressions are: {{ }} is not possible here", key, f.what)
		return ""
	}
	return s
}

func scalarText(n *source.Node) (string, bool) {
	switch n.Kind {
	case source.String:
		return n.Str, true
	case source.Int, source.Float, source.Bool:
		return n.Raw, n.Raw != ""
	default:
		return "", false
	}
}

func (f fields) str(key string) string {
	n := f.get(key)
	if n == nil {
		return ""
	}
	return f.text(n, key)
}

// key gives what is said of a key.
func (f fields) key(name string) Key {
	return f.keys[slices.IndexFunc(f.keys, func(k Key) bool { return k.Name == name })]
}

// oneOf reads a text that must be one of the key's words.
func (f fields) oneOf(key string) string {
	words := f.key(key).Enum
	s := f.str(key)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	f.list.Errorf(f.get(key).Range, "value", "%s of %s must be %s, not %q", key, f.what, strings.Join(words, " or "), s)
	return ""
}

// strs reads a text or a list of texts. It gives nil for an absent key, and an
// empty list for an empty one.
func (f fields) strs(key string) []string {
	n := f.get(key)
	switch {
	case n == nil:
		return nil
	case n.Kind != source.List:
		if s := f.text(n, key); s != "" {
			return []string{s}
		}
		return nil
	}
	out := make([]string, 0, len(n.Items))
	for _, item := range n.Items {
		if s := f.text(item, key); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// nodes gives the elements of a list of texts, or the one text, as nodes.
func (f fields) nodes(key string) []*source.Node {
	n := f.get(key)
	if n == nil {
		return nil
	}
	items := []*source.Node{n}
	if n.Kind == source.List {
		items = n.Items
	}
	out := make([]*source.Node, 0, len(items))
	for _, item := range items {
		if f.text(item, key) != "" {
			out = append(out, item)
		}
	}
	return out
}

// path reads a path: ~ is the home, a relative one starts at the inventory.
func (f fields) path(key string) string {
	if s := f.str(key); s != "" {
		return resolvePath(f.dir, s)
	}
	return ""
}

func (f fields) paths(key string) []string {
	out := f.strs(key)
	for i, p := range out {
		out[i] = resolvePath(f.dir, p)
	}
	return out
}

func resolvePath(dir, path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, path[1:])
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// integer reads a whole number within the key's bounds; 0 when it is absent.
func (f fields) integer(key string) int {
	low, high := f.key(key).Low, f.key(key).High
	n := f.get(key)
	if n == nil {
		return 0
	}
	if n.Kind != source.Int {
		f.wrong(n, key, "a whole number")
		return 0
	}
	if n.Int < int64(low) || n.Int > int64(high) {
		f.list.Errorf(n.Range, "value", "%s of %s must be between %d and %d", key, f.what, low, high)
		return 0
	}
	return int(n.Int)
}

func (f fields) boolean(key string) bool {
	n := f.get(key)
	if n == nil {
		return false
	}
	if n.Kind != source.Bool {
		want := "true or false"
		if v, ok := source.BoolWord(n.Str); ok && n.Kind == source.String {
			want = fmt.Sprintf("true or false (write %t)", v)
		}
		f.wrong(n, key, want)
		return false
	}
	return n.Bool
}

// duration reads 90s or 10m; 0 when it is absent.
func (f fields) duration(key string) time.Duration {
	n := f.get(key)
	if n == nil {
		return 0
	}
	switch n.Kind {
	case source.Int, source.Float:
		f.list.Errorf(n.Range, "value", "%s of %s needs a unit: %ss or %sm", key, f.what, n.Raw, n.Raw)
		return 0
	case source.String:
		d, err := time.ParseDuration(n.Str)
		if err == nil && d > 0 {
			return d
		}
		f.list.Errorf(n.Range, "value", "%s of %s must be a duration such as 90s or 10m, not %q", key, f.what, n.Str)
	default:
		f.wrong(n, key, "a duration such as 90s")
	}
	return 0
}

// mapping reads variables, or whatever else stays as it is written.
func (f fields) mapping(key string) *source.Node {
	n := f.get(key)
	if n != nil && n.Kind != source.Map {
		f.wrong(n, key, "a mapping")
		return nil
	}
	return n
}
