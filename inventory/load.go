package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// EnvInventory names the inventory where no option does; several paths are
// separated as in PATH.
const EnvInventory = "NACTL_INVENTORY"

// The local node that stands in where there is no inventory at all.
const (
	LocalName  = "local"
	EnvURI     = "LIBVIRT_DEFAULT_URI" // its URI, as libvirt's own tools read it
	DefaultURI = "qemu:///system"
)

// dynamicTimeout bounds a dynamic inventory.
const dynamicTimeout = time.Minute

// Options say where an inventory comes from. The zero Options are those of a
// command without configuration.
type Options struct {
	Dir        string     // where ./inventory.yml is looked for; empty = the current directory
	Config     []string   // the inventory that the configuration names
	LibvirtURI string     // the local node's URI in the configuration
	Local      bool       // nothing is looked for: it is the local node alone
	LibvirtAt  diag.Range // where the configuration has it
	// Sources keeps the texts, for excerpts, and opens files that are encrypted.
	// Nil keeps none and opens none.
	Sources *source.Sources
	// Env replaces os.LookupEnv.
	Env func(name string) (string, bool)
}

func (o *Options) setDefaults() {
	if o.Sources == nil {
		o.Sources = &source.Sources{}
	}
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
}

// Load reads the inventory from files, directories and executables, put together
// in this order. Without paths it is looked for: NACTL_INVENTORY, the
// configuration's, ./inventory.yml, ./inventory/, and last a single local node.
// The inventory is nil when the list holds errors; warnings may come with it.
func Load(ctx context.Context, paths []string, opts Options) (*Inventory, diag.List) {
	opts.setDefaults()
	l := &loader{ctx: ctx, opts: opts, inv: &Inventory{
		Images: map[string]*Image{}, byName: map[string]*entity{}, groups: map[string]*Group{},
	}}
	if len(paths) == 0 {
		paths = l.lookup()
	}
	if len(paths) == 0 {
		l.addLocal()
	}
	for _, p := range paths {
		l.path(p)
	}
	l.finish()
	l.varsDirs()
	l.list.Sort()
	if l.list.HasErrors() {
		return nil, l.list
	}
	return l.inv, l.list
}

// loader collects an inventory and everything that is wrong with it.
type loader struct {
	ctx  context.Context
	opts Options
	inv  *Inventory
	list diag.List
	dirs []string // of the files that were read, each once
	seen []string // files that were read

	members   []memberRef // what clusters name, looked up once all nodes are known
	ownGuests []ownGuests
}

// lookup gives the paths of the inventory that nobody named, or none.
func (l *loader) lookup() []string {
	if l.opts.Local {
		return nil
	}
	if v, ok := l.opts.Env(EnvInventory); ok && v != "" {
		return filepath.SplitList(v)
	}
	if len(l.opts.Config) > 0 {
		return l.opts.Config
	}
	for _, name := range []string{"inventory.yml", "inventory"} {
		p := filepath.Join(l.opts.Dir, name)
		info, err := os.Stat(p)
		// A folder that merely has that name, as one with source code, is none.
		if err == nil && info.IsDir() == (name == "inventory") && (!info.IsDir() || holdsInventory(p)) {
			return []string{p}
		}
	}
	return nil
}

// addLocal makes the one node of a machine without inventory.
func (l *loader) addLocal() {
	uri, at := l.opts.LibvirtURI, l.opts.LibvirtAt
	if v, ok := l.opts.Env(EnvURI); uri == "" && ok {
		uri, at = v, diag.Range{Pos: diag.Pos{File: EnvURI}}
	}
	if uri == "" {
		uri = DefaultURI
	}
	if problem := checkURI(uri); problem != "" {
		l.list.Errorf(at, "uri", "the local node's URI (configuration libvirt.uri or %s): %s", EnvURI, problem)
		return
	}
	n := &Node{Name: LocalName, URI: uri}
	l.inv.Nodes = append(l.inv.Nodes, n)
	l.add(&entity{name: LocalName, kind: KindNode, node: n})
}

// fileDir gives the directory at which the relative paths of a file start.
func fileDir(file string) string {
	if file == "" {
		return ""
	}
	return filepath.Dir(file)
}

// path reads one path that was asked for.
func (l *loader) path(p string) {
	at := diag.Range{Pos: diag.Pos{File: p}}
	info, err := os.Stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.list.Errorf(at, "inventory", "there is no such inventory")
	case err != nil:
		l.list.Errorf(at, "inventory", "cannot read the inventory: %s", reason(err))
	case info.IsDir():
		l.directory(p)
	default:
		l.file(p, info)
	}
}

func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// isData tells whether a name is that of a YAML or JSON file.
func isData(name string) bool {
	switch filepath.Ext(name) {
	case ".yml", ".yaml", ".json":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// inventoryFile tells whether a file of a directory is a part of an inventory.
func inventoryFile(path string) (fs.FileInfo, bool) {
	name := filepath.Base(path)
	info, err := os.Stat(path) // follows links
	if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
		return nil, false
	}
	return info, isData(name) || isExecutable(info)
}

// holdsInventory tells whether a directory has a file of an inventory.
func holdsInventory(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return true // let reading it say why
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		_, ok := inventoryFile(filepath.Join(dir, e.Name()))
		return ok
	})
}

// directory merges the inventory files of a directory in order of name: YAML,
// JSON, and executables. Other files, hidden ones and backups are left alone.
func (l *loader) directory(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.list.Errorf(diag.Range{Pos: diag.Pos{File: dir}}, "inventory", "cannot read the inventory: %s", reason(err))
		return
	}
	found := false
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, ok := inventoryFile(path); ok {
			found = true
			l.file(path, info)
		}
	}
	if !found {
		l.list.Errorf(diag.Range{Pos: diag.Pos{File: dir}}, "inventory", "there is no inventory file in this directory (*.yml, *.yaml, *.json, or an executable)")
	}
}

// isExecutable tells whether a file is a dynamic inventory. What is named like
// data is data, for on some file systems every file is executable.
func isExecutable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !isData(info.Name())
}

func (l *loader) file(path string, info fs.FileInfo) {
	if slices.Contains(l.seen, path) {
		return
	}
	l.seen = append(l.seen, path)
	l.inv.Files = append(l.inv.Files, path)
	if dir := filepath.Dir(path); !slices.Contains(l.dirs, dir) {
		l.dirs = append(l.dirs, dir)
	}
	if !l.private(path) {
		return
	}
	var n *source.Node
	var problems diag.List
	if isExecutable(info) {
		n, problems = l.dynamic(path)
	} else {
		n, problems = l.opts.Sources.ParseSealed(path, false)
	}
	if at, ini := iniSection(path, l.opts.Sources.Text(path)); ini {
		l.list.Errorf(at, "inventory", "this is an inventory in Ansible's INI form: write YAML, as nodes: {kvm-1: {address: 10.0.0.1}}")
		return
	}
	l.list.Add(problems...)
	if n != nil {
		l.document(n, filepath.Dir(path))
	}
}

// private tells whether only its owner can have written a file: an inventory says
// who is trusted with which keys, and can start programs; so can its variables.
func (l *loader) private(path string) bool {
	p := source.Exposed(path, false)
	if p != "" {
		l.list.Errorf(diag.Range{Pos: diag.Pos{File: path}}, "inventory", "refused: everybody can write %s, and it says who is trusted with which keys; take that right away: chmod o-w %s", p, p)
	}
	return p == ""
}

// iniHead is the head of a section as Ansible's older inventories have them, which
// YAML takes for a list.
var iniHead = regexp.MustCompile(`^\[[\w.-]+(?::(?:children|vars|hosts))?\]\s*$`)

// iniSection tells whether the first line that says something is such a head.
func iniSection(path string, text []byte) (diag.Range, bool) {
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		return diag.Range{Pos: diag.Pos{File: path, Line: number, Column: 1}, Width: len(line)}, iniHead.MatchString(line)
	}
	return diag.Range{}, false
}

// dynamic runs an executable, which prints an inventory as JSON (or YAML). It is
// called with --list, as Ansible's are, in its own directory.
func (l *loader) dynamic(path string) (*source.Node, diag.List) {
	var list diag.List
	fail := func(err error) (*source.Node, diag.List) {
		list.Errorf(diag.Range{Pos: diag.Pos{File: path}}, "dynamic-inventory", "the dynamic inventory failed: %s", oneLine(err))
		return nil, list
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(l.ctx, dynamicTimeout)
	defer cancel()
	out, err := runCommand(ctx, filepath.Dir(full), source.MaxSize, []string{full, "--list"})
	if err != nil {
		return fail(err)
	}
	return l.opts.Sources.Parse(path, out)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }

// document reads one inventory file; dir is where its relative paths start.
func (l *loader) document(n *source.Node, dir string) {
	if n.Kind == source.Map {
		if k, _ := n.Pair("vars"); k != nil {
			l.list.Errorf(k.Range, "unknown-key", `unknown key "vars" in the inventory: variables of all targets stand in groups: {all: {vars: …}}`)
			return
		}
		if k, _ := n.Pair("all"); k != nil {
			l.list.Errorf(k.Range, "unknown-key", `unknown key "all" in the inventory: variables of all targets stand in groups: {all: {vars: …}}; `+
				`hosts of an Ansible inventory stand in nodes`)
			return
		}
	}
	f, ok := newFields(&l.list, n, "the inventory", dir, sectionKeys)
	if !ok {
		return
	}
	for _, e := range n.Entries {
		section := f.mapping(e.Key.Str)
		if section == nil {
			continue
		}
		switch e.Key.Str {
		case "engines":
			l.each(section, "engine", func(name *source.Node, v *source.Node) { l.engine(name, v, dir) })
		case "nodes":
			l.each(section, "node", func(name *source.Node, v *source.Node) { l.node(name, v, dir) })
		case "clusters":
			l.each(section, "cluster", func(name *source.Node, v *source.Node) { l.cluster(name, v, dir) })
		case "images":
			for _, image := range section.Entries {
				l.image(image.Key, image.Value, dir)
			}
		case "guests":
			l.guests(e.Key, section, dir)
		case "groups":
			for _, g := range section.Entries {
				l.group(g.Key, g.Value, dir)
			}
		}
	}
}

// each calls add for every entry of a section, and once for each name that a
// range stands for.
func (l *loader) each(section *source.Node, what string, add func(name, value *source.Node)) {
	for _, e := range section.Entries {
		start := len(l.list)
		names, err := expand(e.Key.Str)
		if err != nil {
			l.list.Errorf(e.Key.Range, "range", "%s", err)
			continue
		}
		step := stepper{copies: len(names), words: map[*source.Node][]string{}, problem: func(at *source.Node, err error) {
			l.list.Errorf(at.Range, "range", "%s", err)
		}}
		for i, name := range names {
			if problem := badName(name); problem != "" {
				l.list.Errorf(e.Key.Range, "name", "%s %q: %s", what, name, problem)
				break
			}
			key, value := e.Key, e.Value
			if len(names) > 1 || name != e.Key.Str {
				k := *e.Key
				k.Str, key = name, &k
				value = step.copy(e.Value, i)
			}
			before := len(l.list)
			add(key, value)
			if i > 0 && before > start {
				l.list = l.list[:before] // the first copy has said it
			}
		}
	}
}

// membersSuffix selects the nodes of a cluster.
const membersSuffix = ".members"

// badName says what is wrong with the name of a target or group, or "".
func badName(name string) string {
	switch {
	case name == "":
		return "a name must not be empty"
	case name == "all":
		return `"all" always means all targets`
	case strings.HasSuffix(name, membersSuffix):
		return fmt.Sprintf("%q at the end of a name means a cluster's members", membersSuffix)
	case len(name) > 253:
		return "a name has 253 characters at most"
	}
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
		case i > 0 && (r == '-' || r == '.'):
		default:
			return "a name is made of letters, digits, _, - and ., and starts with none of the last two"
		}
	}
	return ""
}

// add takes a target into the inventory.
func (l *loader) add(e *entity) {
	if other, taken := l.inv.byName[e.name]; taken {
		l.list.Errorf(e.at, "name-clash", "%s %q: a %s of that name stands at %s", e.kind, e.name, other.kind, other.at.Pos)
		return
	}
	e.index = len(l.inv.targets)
	l.inv.byName[e.name] = e
	l.inv.targets = append(l.inv.targets, e)
	if e.vars != nil {
		checkSecrets(e.vars, &l.list)
		l.inv.level(0).target(e.name).add("target "+e.name, e.vars)
	}
}
