package inventory

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// The directories of variables that stand beside an inventory or a playbook.
const (
	groupVarsDir  = "group_vars"
	targetVarsDir = "target_vars"
)

// Var is one value that a variable could have on a target.
type Var struct {
	Name   string
	Value  *source.Node
	Origin diag.Range // of the name, where it is set
	From   string     // who sets it: "group kvm", "target n1", "group_vars/all"
}

// Vars are the variables of one target.
type Vars struct {
	byName map[string][]Var // the winner last
}

// Get gives the winner.
func (v Vars) Get(name string) (Var, bool) {
	all := v.byName[name]
	if len(all) == 0 {
		return Var{}, false
	}
	return all[len(all)-1], true
}

// Explain gives every candidate, the winner last.
func (v Vars) Explain(name string) []Var { return slices.Clone(v.byName[name]) }

// Names gives the names in order.
func (v Vars) Names() []string { return slices.Sorted(maps.Keys(v.byName)) }

// Nodes gives the winners by name.
func (v Vars) Nodes() map[string]*source.Node {
	out := make(map[string]*source.Node, len(v.byName))
	for name, all := range v.byName {
		out[name] = all[len(all)-1].Value
	}
	return out
}

// level is what one source says of variables: the inventory itself, the
// directories beside it, or the one beside a playbook.
type level struct {
	all     layers
	groups  map[string]*layers
	targets map[string]*layers
}

// layers are mappings of variables for the same targets, the lowest first.
type layers []layer

type layer struct {
	from string
	vars *source.Node
}

func (l *layers) add(from string, vars *source.Node) { *l = append(*l, layer{from, vars}) }

// level gives the i-th level, which may be one more than there are.
func (inv *Inventory) level(i int) *level {
	for len(inv.levels) <= i {
		inv.levels = append(inv.levels, &level{groups: map[string]*layers{}, targets: map[string]*layers{}})
	}
	return inv.levels[i]
}

func (l *level) group(name string) *layers  { return named(l.groups, name) }
func (l *level) target(name string) *layers { return named(l.targets, name) }

func named(m map[string]*layers, name string) *layers {
	if m[name] == nil {
		m[name] = &layers{}
	}
	return m[name]
}

// varsOf puts the variables of a target together, from low to high: in the
// inventory those of all, of its groups (parents before children, else by name)
// and its own; then the same from each directory of variables.
func (inv *Inventory) varsOf(e *entity) Vars {
	out := Vars{byName: map[string][]Var{}}
	put := func(all layers) {
		for _, l := range all {
			for _, entry := range l.vars.Entries {
				name := entry.Key.Str
				out.byName[name] = append(out.byName[name], Var{Name: name, Value: entry.Value, Origin: entry.Key.Range, From: l.from})
			}
		}
	}
	for _, l := range inv.levels {
		put(l.all)
		for _, g := range e.groups {
			if of := l.groups[g.Name]; of != nil {
				put(*of)
			}
		}
		if of := l.targets[e.name]; of != nil {
			put(*of)
		}
	}
	return out
}

// varsDirs reads the directories of variables beside the files that were read.
// All of them are one level, whatever file they stand beside.
func (l *loader) varsDirs() {
	for _, dir := range l.dirs {
		l.readVarsDir(dir, 1)
	}
}

// WithVarsBeside gives the inventory with the variables that stand in group_vars
// and target_vars of a directory, above all that it has. It is meant for the
// directory of a playbook; one that was read already changes nothing.
func (inv *Inventory) WithVarsBeside(dir string, opts Options) (*Inventory, diag.List) {
	opts.setDefaults()
	for _, f := range inv.Files {
		if same(filepath.Dir(f), dir) {
			return inv, nil
		}
	}
	out := *inv
	out.levels = slices.Clone(inv.levels)
	l := &loader{opts: opts, inv: &out}
	l.readVarsDir(dir, max(2, len(inv.levels)))
	return &out, l.list
}

func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func (l *loader) readVarsDir(dir string, level int) {
	for _, kind := range []string{groupVarsDir, targetVarsDir} {
		root := filepath.Join(dir, kind)
		entries, err := os.ReadDir(root)
		if err != nil {
			if _, there := os.Lstat(root); there == nil {
				l.list.Errorf(diag.Range{Pos: diag.Pos{File: root}}, "vars", "cannot read the variables: %s", reason(err))
			}
			continue
		}
		for _, e := range entries {
			path := filepath.Join(root, e.Name())
			info, err := os.Stat(path)
			switch {
			case err != nil || strings.HasPrefix(e.Name(), "."):
			case info.IsDir():
				files, _ := filepath.Glob(filepath.Join(globEscape(path), "*"))
				for _, file := range files {
					if isData(filepath.Base(file)) {
						l.varsFile(kind, e.Name(), file, level)
					}
				}
			case isData(e.Name()):
				l.varsFile(kind, strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), path, level)
			}
		}
	}
}

func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// varsFile reads one file of variables.
func (l *loader) varsFile(kind, name, path string, level int) {
	if !l.private(path) {
		return
	}
	at := diag.Range{Pos: diag.Pos{File: path}}
	var of *layers
	switch {
	case kind == groupVarsDir && name == "all":
		of = &l.inv.level(level).all
	case kind == groupVarsDir:
		if l.inv.groups[name] == nil {
			l.list.Warnf(at, "unknown-group", "there is no group %q%s", name, diag.DidYouMean(name, l.inv.groupNames()))
			return
		}
		of = l.inv.level(level).group(name)
	default:
		if l.inv.byName[name] == nil {
			l.list.Warnf(at, "unknown-target", "there is no target %q%s", name, diag.DidYouMean(name, l.inv.Names()))
			return
		}
		of = l.inv.level(level).target(name)
	}
	vars, problems := LoadVars(path, l.opts)
	l.list.Add(problems...)
	if vars != nil {
		of.add(kind+"/"+name, vars)
	}
}

// LoadVars reads a file of variables: a mapping, or nothing. Of one that is
// encrypted all values are secret. The node is nil when the file holds no
// variables.
func LoadVars(path string, opts Options) (*source.Node, diag.List) {
	opts.setDefaults()
	n, problems := opts.Sources.ParseSealed(path, true)
	if len(problems) == 1 && problems[0].Rule == source.RuleEmpty {
		return nil, nil
	}
	if n == nil || problems.HasErrors() {
		return nil, problems
	}
	if n.Kind != source.Map {
		problems.Errorf(n.Range, "type", "a file of variables must hold a mapping, not %s", n.Kind)
		return nil, problems
	}
	checkSecrets(n, &problems)
	return n, problems
}
