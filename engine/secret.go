package engine

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
)

// secrets keeps what {secret: …} mappings stand for, so that each is asked for
// once in a run, by whichever target comes first.
type secrets struct {
	mu    sync.Mutex
	known map[string]*secret
}

type secret struct {
	once sync.Once
	text string
	err  error
}

// secret gives what a {secret: …} mapping stands for, and makes it known to the
// writer of events before anybody can show it.
func (r *runner) secret(ctx context.Context, n *source.Node) (string, error) {
	spec, err := json.Marshal(n.Any())
	if err != nil {
		return "", err
	}
	// A relative path in it belongs to the file that it stands in.
	key := n.Range.File + "\x00" + string(spec)
	r.secrets.mu.Lock()
	if r.secrets.known == nil {
		r.secrets.known = map[string]*secret{}
	}
	s := r.secrets.known[key]
	if s == nil {
		s = &secret{}
		r.secrets.known[key] = s
	}
	r.secrets.mu.Unlock()
	s.once.Do(func() {
		if s.text, s.err = r.world.Secret(ctx, n); s.err == nil {
			r.hide(s.text)
		}
	})
	return s.text, s.err
}

// unlock gives arguments with every {secret: …} in them replaced by what it stands
// for.
func (r *runner) unlock(ctx context.Context, n *source.Node) (*source.Node, error) {
	if playbook.IsSecret(n) {
		text, err := r.secret(ctx, n)
		if err != nil {
			return nil, err
		}
		return source.FromAny(text, n.Range).WithSecret(), nil
	}
	if len(n.Entries) == 0 && len(n.Items) == 0 {
		return n, nil
	}
	out := *n
	out.Entries, out.Items = slices.Clone(n.Entries), slices.Clone(n.Items)
	var err error
	for i, e := range out.Entries {
		if out.Entries[i].Value, err = r.unlock(ctx, e.Value); err != nil {
			return nil, err
		}
	}
	for i, item := range out.Items {
		if out.Items[i], err = r.unlock(ctx, item); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// hide makes a secret known to the writer of events.
func (r *runner) hide(text string) {
	if r.opts.Mask == nil {
		return
	}
	if err := r.opts.Mask.Add(text); err != nil {
		r.sink.Emit(event.Warning{Text: err.Error()})
	}
}

// hideMade makes known what an expression made of a secret. What is too short to
// be masked has been warned of with the secret itself.
func (r *runner) hideMade(text string) {
	if r.opts.Mask != nil {
		_ = r.opts.Mask.Add(text)
	}
}

// masked gives a text without secrets. It is for what is cut before the writer of
// events sees it, which would not know the beginning of a secret.
func (r *runner) masked(text string) string {
	if r.opts.Mask == nil {
		return text
	}
	return r.opts.Mask.String(text)
}
