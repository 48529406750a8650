package engine

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/nactl/nactl/engine/event"
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

// hide makes a secret known to the writer of events.
func (r *runner) hide(text string) {
	if r.opts.Mask == nil {
		return
	}
	if err := r.opts.Mask.Add(text); err != nil {
		r.sink.Emit(event.Warning{Text: err.Error()})
	}
}
