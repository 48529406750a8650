package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// Ask puts the questions of the plays' vars_prompt, before anything is opened.
// What the command line gives is not asked for. Where nobody can type, a prompt
// without a default is an error that says how to give the value.
func (p *Prepared) Ask(ctx context.Context, w *World, o Options) (diag.List, error) {
	var list diag.List
	for _, pl := range p.plays {
		pl.answers = map[string]*source.Node{}
		for _, q := range pl.Prompts {
			if o.Extra[q.Name] != nil {
				continue
			}
			if w.Ask == nil {
				if q.Default == nil {
					list.Errorf(q.Range, "vars_prompt", "%s is asked for, and nobody can type here: give it with -e %s=…", q.Name, q.Name)
					continue
				}
				pl.answers[q.Name] = q.Default
				continue
			}
			n, err := question(ctx, w, q)
			if err != nil {
				return list, err
			}
			pl.answers[q.Name] = n
			if n.Secret && o.Mask != nil {
				if err := o.Mask.Add(n.Str); err != nil {
					list.Warnf(q.Range, "vars_prompt", "%s: %v", q.Name, err)
				}
			}
		}
	}
	return list, nil
}

// question asks until there is an answer, and twice for what has to be typed twice.
func question(ctx context.Context, w *World, q playbook.Prompt) (*source.Node, error) {
	text := q.Text
	if q.Default != nil {
		text += fmt.Sprintf(" [%v]", q.Default.Any())
	}
	for {
		line, err := w.Ask(ctx, text+":", q.Private)
		if err != nil {
			return nil, err
		}
		if line == "" && q.Default != nil {
			return q.Default, nil
		}
		if q.Confirm {
			again, err := w.Ask(ctx, "once more, "+text+":", q.Private)
			if err != nil {
				return nil, err
			}
			if again != line {
				text = "the two differ; " + q.Text
				continue
			}
		}
		return &source.Node{Kind: source.String, Str: line, Range: q.Range, Secret: q.Private}, nil
	}
}

// confirmed asks whether a step is to be done, where the user wants to be asked.
func (r *runner) confirmed(ctx context.Context, s *playbook.Step, name string) bool {
	if !r.opts.Confirm || r.world.Ask == nil {
		return true
	}
	r.asking.Lock() // with the free strategy steps begin side by side
	defer r.asking.Unlock()
	if r.sure.Load() {
		return true
	}
	if name == "" {
		name = s.Word
	}
	line, err := r.world.Ask(ctx, fmt.Sprintf("do %q? (y)es, (n)o, (c)ontinue without asking:", name), false)
	answer := strings.ToLower(strings.TrimSpace(line))
	if err == nil && slices.Contains([]string{"c", "continue"}, answer) {
		r.sure.Store(true)
		return true
	}
	return err == nil && slices.Contains([]string{"y", "yes"}, answer)
}
