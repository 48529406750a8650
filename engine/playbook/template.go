package playbook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/source"
)

// template gives the text of the file that an argument names, as the argument's
// value. So all that holds of expressions in a playbook holds of those in the file:
// they are compiled against the names at this step, and their mistakes stand at
// their place in the file.
func (l *loader) template(n *source.Node, role *Role) *source.Node {
	nothing := &source.Node{Kind: source.String, Range: n.Range}
	if n.Kind != source.String || n.Str == "" {
		l.errorf(n.Range, "template", "template: wanted the path of a file, found %s", n.Kind)
		return nothing
	}
	if IsDynamic(n) {
		l.errorf(n.Range, "template", "template: the path must be literal, so that the file is checked before the run; use when to choose among files")
		return nothing
	}
	var tried []string
	for _, path := range l.templatePaths(n.Str, role) {
		if slices.Contains(tried, path) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			tried = append(tried, path)
			continue
		}
		text, list := l.sources.ParseText(path)
		for i := range list {
			list[i].Summary, list[i].Range = path+": "+list[i].Summary, n.Range
		}
		l.list.Add(list...)
		if text == nil {
			return nothing
		}
		return text
	}
	l.errorf(n.Range, "template", "there is no template %q: looked for %s", n.Str, strings.Join(tried, ", and "))
	return nothing
}

// templatePaths gives the places where a template may be: among those of the role,
// then beside the playbook, as the other files that steps read.
func (l *loader) templatePaths(path string, role *Role) []string {
	if filepath.IsAbs(path) {
		return []string{path}
	}
	beside := filepath.Join(filepath.Dir(l.open[0]), path)
	if role == nil {
		return []string{beside}
	}
	return []string{filepath.Join(role.Dir, "templates", path), beside}
}
