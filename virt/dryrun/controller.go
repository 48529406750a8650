package dryrun

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/nactl/nactl/virt"
)

// Controller is an overlay over the controller: files that steps would write are
// there for those that follow.
type Controller struct {
	virt.Controller

	mu    sync.Mutex
	files map[virt.Ref]*virt.LocalFile // what a change left; nil for what it removed
}

var _ virt.Controller = (*Controller)(nil)

// NewController gives an overlay without changes.
func NewController(inner virt.Controller) *Controller {
	return &Controller{Controller: inner, files: map[virt.Ref]*virt.LocalFile{}}
}

// Apply predicts the change; nothing happens.
func (p *Controller) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	if err := p.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	if err := p.Check(ctx, nil, c); err != nil {
		return virt.Outcome{}, err
	}
	after, out, err := p.Predict(c.Seen(), c)
	if ref := c.Object(); err == nil && ref.Kind == virt.KindLocalFile {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.files[ref.Key()], _ = after.(*virt.LocalFile)
	}
	return out, err
}

// changed gives what the overlay has for a file.
func (p *Controller) changed(ref virt.Ref) (f *virt.LocalFile, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok = p.files[ref.Key()]
	return f, ok
}

// LocalFile looks at a file as the steps so far would leave it.
func (p *Controller) LocalFile(ctx context.Context, ref virt.Ref) (*virt.LocalFile, error) {
	f, ok := p.changed(ref)
	switch {
	case !ok:
		return p.Controller.LocalFile(ctx, ref)
	case f == nil:
		return nil, virt.NotFound(ref, "an earlier step removes it")
	default:
		return f.Clone().(*virt.LocalFile), nil
	}
}

// CachedImage looks at an image as if those had been fetched that the steps so far
// fetch.
func (p *Controller) CachedImage(ctx context.Context, url, sha256 string) (*virt.LocalFile, error) {
	f, err := p.Controller.CachedImage(ctx, url, sha256)
	var missing *virt.Error
	if errors.Is(err, virt.ErrNotFound) && errors.As(err, &missing) {
		if planned, ok := p.changed(missing.Object); ok && planned != nil {
			return planned.Clone().(*virt.LocalFile), nil
		}
	}
	return f, err
}

// Exists tells whether a path would be there.
func (p *Controller) Exists(ctx context.Context, path string) (bool, error) {
	p.mu.Lock()
	for ref, f := range p.files {
		if same(filepath.Join(ref.Scope, ref.Name), ref.Name, path) {
			p.mu.Unlock()
			return f != nil, nil
		}
	}
	p.mu.Unlock()
	return p.Controller.Exists(ctx, path)
}

// same tells whether a file, by its folder and name, stands at path.
func same(joined, name, path string) bool {
	if filepath.IsAbs(name) {
		joined = name
	}
	a, errA := filepath.Abs(joined)
	b, errB := filepath.Abs(path)
	return errA == nil && errB == nil && a == b
}

// patience is how long a plan waits for an answer: it looks, and does not wait.
const patience = 5 * time.Second

// Fetch asks, for that changes nothing. Whether a service that does not answer now,
// or not as it should, does so when the play gets there is for the play to see:
// earlier steps may be the ones that bring it up.
func (p *Controller) Fetch(ctx context.Context, r virt.HTTPRequest) (*virt.HTTPResponse, error) {
	if r.Timeout == 0 || r.Timeout > patience {
		r.Timeout = patience
	}
	resp, err := p.Controller.Fetch(ctx, r)
	var e *virt.Error
	switch {
	case errors.Is(err, virt.ErrNoAnswer) && errors.As(err, &e):
		return nil, &virt.Error{Kind: virt.ErrUndecided, Object: e.Object, Summary: e.Summary}
	case err == nil && !r.Expects(resp.Status):
		return nil, &virt.Error{Kind: virt.ErrUndecided, Object: virt.Ref{Kind: virt.KindLocal}, Summary: fmt.Sprintf("%s %s answers %d now", r.Method, r.URL, resp.Status)}
	}
	return resp, err
}
