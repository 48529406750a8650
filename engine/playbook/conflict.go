package playbook

import (
	"maps"
	"slices"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// setting is the step that set a field of an object, and to what.
type setting struct {
	by    *Step
	value any
}

// conflicts refuses two steps of a play that set one field of one object to
// different values: each run would change it twice. Only what is certain counts:
// names and values that are literal, in steps without a condition or a loop.
func (l *loader) conflicts(p *Play) {
	set := map[virt.Ref]map[string]setting{}
	for _, s := range p.Steps {
		setter, ok := s.args.(step.Setter)
		if !ok {
			continue
		}
		ref, fields := setter.Sets()
		if fields == nil {
			if ref.Name == "" || s.Loop != nil { // any of them may go
				clear(set)
			}
			delete(set, ref)
			continue
		}
		if ref.Name == "" || !s.certain() {
			continue
		}
		if set[ref] == nil {
			set[ref] = map[string]setting{}
		}
		var clash []string
		for _, path := range slices.Sorted(maps.Keys(fields)) {
			before, ok := set[ref][path]
			if ok && before.value != fields[path] {
				clash = append(clash, path)
				continue
			}
			set[ref][path] = setting{s, fields[path]}
		}
		if len(clash) > 0 {
			l.clash(s, set[ref][clash[0]], ref, clash[0], fields[clash[0]])
		}
	}
}

func (l *loader) clash(s *Step, before setting, ref virt.Ref, path string, value any) {
	by := before.by.Word
	if before.by.Name != "" {
		by = "step " + before.by.title()
	}
	l.errorf(s.Range, "conflict", "%s of %s is set to %s here and to %s by %s at %s: each run would change it twice; keep one of them",
		path, ref, shown(value), shown(before.value), by, before.by.Range.Pos)
}

// shown writes a value as people would.
func shown(v any) string {
	if size, ok := v.(step.Size); ok {
		return virt.FormatSize(int64(size))
	}
	text, ok := step.Text(source.FromAny(v, diag.Range{}))
	if !ok {
		return "another value"
	}
	return text
}

// certain tells whether the step changes something once whenever its play runs.
func (s *Step) certain() bool {
	return s.when == nil && s.Loop == nil && !s.CheckMode && !s.rescue && !slices.Contains(s.Tags, "never")
}
