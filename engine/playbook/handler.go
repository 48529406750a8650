package playbook

import (
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// handlers reads the steps of a play that run when others notify them.
func (l *loader) handlers(n *source.Node, in inherited) []*Step {
	var out []*Step
	for _, node := range l.nodes(n, in) {
		switch h := node.(type) {
		case *Step:
			out = append(out, h)
		case *Block:
			if len(h.Rescue)+len(h.Always) > 0 {
				l.errorf(h.Range, "handlers", "a handler is a step; a block cannot be notified")
			}
			out = append(out, flatten(h.Body)...)
		default:
			l.errorf(node.at(), "handlers", "a handler is a step; flush_handlers stands among the steps of the play")
		}
	}
	return out
}

// identifyHandlers gives handlers their ids: those of a role stand below its use.
func identifyHandlers(p *Play) {
	byRole := map[*Role][]*Step{}
	for _, h := range p.Handlers {
		byRole[h.Role] = append(byRole[h.Role], h)
	}
	for role, list := range byRole {
		prefix := p.ID
		if role != nil {
			prefix = role.block.ID
		}
		names := make([]string, len(list))
		for i, h := range list {
			names[i] = h.Name
		}
		labels := labels(names)
		for i, h := range list {
			h.ID = prefix + "/handlers/" + labels[i]
		}
	}
}

// link finds the handlers that steps notify.
func (l *loader) link(p *Play) {
	var names []string
	for i, h := range p.Handlers {
		if h.Name == "" && len(h.listen) == 0 {
			l.errorf(h.Range, "handlers", "the handler has no name, so nothing can notify it")
		}
		for _, other := range p.Handlers[:i] {
			if other.Role == h.Role && other.Name == h.Name && h.Name != "" {
				l.errorf(h.Range, "handlers", "two handlers are called %q, the other at %s; rename one, or let both listen to one topic", h.Name, other.Range.Pos)
			}
		}
		names = append(append(names, h.Name), h.listen...)
	}
	for _, s := range p.Steps {
		if len(s.listen) > 0 {
			l.errorf(s.Range, "handlers", "only handlers listen: put the step under the play's handlers, or write notify")
		}
	}
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		for _, n := range s.notify {
			switch {
			case n.Kind != source.String:
				l.errorf(n.Range, "type", "notify: wanted the name of a handler, found %s", n.Kind)
				continue
			case IsDynamic(n):
				l.errorf(n.Range, "handlers", "notify: the name must be literal; notify several handlers and give each a when")
				continue
			}
			found := p.notified(s, n.Str)
			if len(found) == 0 {
				hint := diag.DidYouMean(n.Str, names)
				if hint == "" && len(p.Handlers) == 0 {
					hint = "; the play has no handlers"
				}
				l.errorf(n.Range, "handlers", "no handler is called %q%s", n.Str, hint)
			}
			for _, h := range found {
				if !slices.Contains(s.Notify, h) {
					s.Notify = append(s.Notify, h)
				}
			}
		}
	}
	l.handlerCycles(p.Handlers)
}

// notified gives the handlers that a step means by a name or topic: those of its
// own role, else of the role around it, else of the play, else of any role.
func (p *Play) notified(s *Step, topic string) []*Step {
	in := func(fits func(*Role) bool) []*Step {
		var out []*Step
		for _, h := range p.Handlers {
			if fits(h.Role) && (h.Name == topic || slices.Contains(h.listen, topic)) {
				out = append(out, h)
			}
		}
		return out
	}
	for role := s.Role; role != nil; role = role.outer {
		if found := in(func(r *Role) bool { return r == role }); len(found) > 0 {
			return found
		}
	}
	if found := in(func(r *Role) bool { return r == nil }); len(found) > 0 {
		return found
	}
	return in(func(*Role) bool { return true })
}

// handlerCycles refuses handlers that notify each other without end.
func (l *loader) handlerCycles(handlers []*Step) {
	state := map[*Step]int{} // 1 = being looked at, 2 = done
	var visit func(h *Step, path []string)
	visit = func(h *Step, path []string) {
		state[h] = 1
		path = append(path, h.title())
		for _, next := range h.Notify {
			switch state[next] {
			case 0:
				visit(next, path)
			case 1:
				l.errorf(h.Range, "handlers", "handlers notify each other in a circle: %s", strings.Join(append(path, next.title()), " → "))
			}
		}
		state[h] = 2
	}
	for _, h := range handlers {
		if state[h] == 0 {
			visit(h, nil)
		}
	}
}
