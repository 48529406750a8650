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

// link finds the handlers that steps notify.
func (l *loader) link(p *Play) {
	byName := map[string][]*Step{}
	var names []string
	for _, h := range p.Handlers {
		if h.Name == "" && len(h.listen) == 0 {
			l.errorf(h.Range, "handlers", "the handler has no name, so nothing can notify it")
		}
		topics := h.listen
		if h.Name != "" {
			if other := byName[h.Name]; len(other) > 0 && other[0].Name == h.Name {
				l.errorf(h.Range, "handlers", "two handlers are called %q, the other at %s; rename one, or let both listen to one topic", h.Name, other[0].Range.Pos)
				continue
			}
			topics = append(slices.Clone(topics), h.Name)
		}
		for _, topic := range topics {
			if !slices.Contains(byName[topic], h) {
				byName[topic] = append(byName[topic], h)
			}
			names = append(names, topic)
		}
	}
	for _, s := range p.Steps {
		if len(s.listen) > 0 {
			l.errorf(s.Range, "handlers", "only handlers listen: put the step under the play's handlers, or write notify")
		}
	}
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		for _, n := range s.notify {
			found := byName[n.Str]
			switch {
			case n.Kind != source.String:
				l.errorf(n.Range, "type", "notify: wanted the name of a handler, found %s", n.Kind)
			case IsDynamic(n):
				l.errorf(n.Range, "handlers", "notify: the name must be literal; notify several handlers and give each a when")
			case len(found) == 0:
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
