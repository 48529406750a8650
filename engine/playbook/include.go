package playbook

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/source"
)

// include reads a file of steps in place of the entry that names it. It is read
// before the run, so that every step has the same id in each run and is checked
// with all others.
func (l *loader) include(n *source.Node, in inherited) *Block {
	b := &Block{Range: n.Range, inherited: in.clone(), conditional: n.Get("when") != nil}
	l.heading(b, n, includeWords, "an include")
	at := n.Get("include")
	path, ok := l.beside(at, "include")
	if !ok {
		return nil
	}
	if b.Name == "" {
		b.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	l.inFile(at, path, func(root *source.Node) { b.Body = l.nodes(root, b.inherited) })
	return b
}

// beside gives the path of a file that a playbook names: beside the file that
// names it unless it is absolute.
func (l *loader) beside(at *source.Node, what string) (string, bool) {
	if at.Kind != source.String || at.Str == "" {
		l.errorf(at.Range, "type", "%s: wanted the path of a file, found %s", what, at.Kind)
		return "", false
	}
	if IsDynamic(at) {
		l.errorf(at.Range, what, "%s: the path must be literal, so that all steps are known and checked before the run; use when to choose among files", what)
		return "", false
	}
	if filepath.IsAbs(at.Str) {
		return at.Str, true
	}
	return filepath.Join(filepath.Dir(l.file), at.Str), true
}

// The bounds on what one playbook takes from other files. Files that include each
// other several times over would grow without end.
const (
	maxUses  = 5_000
	maxBytes = 64 << 20
)

// afford counts the uses of files, and refuses the first that is too much; all that
// follow are left out.
func (l *loader) afford(at *source.Node, path string) bool {
	if l.uses > maxUses {
		return false
	}
	l.uses++
	l.bytes += len(l.sources.Text(path)) // 0 for one that is read for the first time: it is small enough
	if l.uses > maxUses || l.bytes > maxBytes {
		l.uses = maxUses + 1
		l.errorf(at.Range, "include", "this playbook uses other files more than %d times, or more than %d MiB of them: make one play of what is repeated, with loop or vars", maxUses, maxBytes>>20)
		return false
	}
	return true
}

// inFile reads another file; while it does, paths are relative to that file.
func (l *loader) inFile(at *source.Node, path string, read func(root *source.Node)) {
	if slices.Contains(l.open, path) {
		l.errorf(at.Range, "include", "%s includes itself: %s", path, strings.Join(append(l.open[slices.Index(l.open, path):], path), " → "))
		return
	}
	if !l.afford(at, path) {
		return
	}
	root, list := l.sources.ParseFile(path)
	for i := range list {
		if !list[i].Range.IsValid() {
			list[i].Summary, list[i].Range = path+": "+list[i].Summary, at.Range // the file could not be read: what names it is at fault
		}
	}
	l.list.Add(list...)
	if root == nil || list.HasErrors() {
		return
	}
	file := l.file
	l.file, l.open = path, append(l.open, path)
	defer func() { l.file, l.open = file, l.open[:len(l.open)-1] }()
	read(root)
}

// imported reads the plays of another playbook in place of the entry that names
// it.
func (l *loader) imported(n *source.Node, tags []string) []*Play {
	tags = slices.Clone(tags)
	for _, e := range n.Entries {
		switch e.Key.Str {
		case "import":
		case "name":
			l.text(e)
		case "tags":
			tags = append(tags, l.texts(e)...)
		default:
			l.foreignKey(e.Key, "an import", []string{"import", "name", "tags"})
		}
	}
	at := n.Get("import")
	path, ok := l.beside(at, "import")
	if !ok {
		return nil
	}
	var out []*Play
	l.inFile(at, path, func(root *source.Node) {
		if root.Kind != source.List {
			l.errorf(root.Range, "playbook", "a playbook is a list of plays, found %s", root.Kind)
			return
		}
		out = l.plays(root, tags)
	})
	return out
}
