package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// env makes what a step can reach, for one item. In a plan the platform and the
// controller are dry runs, nothing waits and nobody is asked.
func (r *runner) env(ctx context.Context, sc *scope, rec *recorder) (*step.Env, error) {
	t := sc.on
	env := &step.Env{
		Target: step.Target{Name: t.Name, Kind: t.Kind, Groups: t.Groups},
		Files:  r.files(sc),
		Dir:    filepath.Dir(sc.play.file),
		Run:    r.opts.RunID,
		Image:  func(name string) (virt.ImageSource, error) { return r.world.Image(t.Name, name) },
		Warn: func(text string) {
			r.sink.Emit(event.Warning{At: rec.at, Text: text, Position: position(sc.step.Range)})
		},
		Message: func(text string) {
			if rec.hide {
				text = "(hidden by no_log)"
			}
			r.sink.Emit(event.Message{At: rec.at, Text: text})
		},
		Pending: rec.notePending,
	}
	local := r.world.Local
	switch {
	case r.opts.Check:
		local = sc.target.dryLocal(local)
	case rec.predicted:
		local = dryrun.NewController(local)
	}
	if rec.predicted {
		env.Wait, env.Sleep, env.Ask = lookOnce, noSleep, askNobody
	} else {
		env.Wait = func(ctx context.Context, w step.Waiting) error { return r.wait(ctx, env, rec, w) }
		env.Sleep = sleep
		env.Ask = func(ctx context.Context, prompt string) (string, bool, error) { return r.ask(ctx, rec.at, prompt) }
	}
	env.Local = controller{Local: local, rec: rec}
	if sc.step.Spec.Controller {
		return env, nil
	}
	p, err := t.connect(ctx, r)
	if err != nil {
		return nil, err
	}
	switch {
	case r.opts.Check: // the steps of a plan see what those before them would do
		rec.Platform = t.overlay
	case rec.predicted:
		rec.Platform = dryrun.New(dryrun.Tripwire(p))
	default:
		rec.Platform = p
	}
	env.Platform = rec
	return env, nil
}

// files gives what a step reads: of its role first, then of the project.
func (r *runner) files(sc *scope) step.Files {
	project := r.world.Files(sc.play.file)
	if sc.step.Role == nil {
		return project
	}
	dir, err := filepath.Rel(filepath.Dir(sc.play.file), filepath.Join(sc.step.Role.Dir, "files"))
	if err != nil {
		dir = filepath.Join(sc.step.Role.Dir, "files")
	}
	return roleFiles{project, dir}
}

// roleFiles are the files of a role, in front of those of the project.
type roleFiles struct {
	project step.Files
	dir     string
}

// ReadFile reads a file of the role; where it has none, of the project.
func (f roleFiles) ReadFile(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		b, err := f.project.ReadFile(filepath.Join(f.dir, path))
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return f.project.ReadFile(path)
}

// controller lets the recorder tell of changes to the controller, too.
type controller struct {
	step.Local
	rec *recorder
}

// Apply makes a change on the controller and tells of it.
func (c controller) Apply(ctx context.Context, change virt.Change) (virt.Outcome, error) {
	return c.rec.apply(ctx, c.Local, change)
}

// defaultInterval is the time between the first two looks at what a step waits
// for; it grows to slowestInterval, for what takes long is in no hurry.
const (
	defaultInterval = time.Second
	slowestInterval = 3 * time.Second
)

// wait looks again and again, woken by the platform's events.
func (r *runner) wait(ctx context.Context, env *step.Env, rec *recorder, w step.Waiting) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	interval := w.Interval
	if interval == 0 {
		interval = defaultInterval
	}
	var signals <-chan struct{}
	if w.VM != "" && env.Platform != nil {
		signals = env.Platform.Watch(ctx, w.VM)
	}
	last := ""
	for {
		done, missing, err := w.Look(ctx)
		if done {
			return nil
		}
		if err != nil && !(errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil) {
			return err
		}
		if missing != last && missing != "" {
			last = missing
			r.sink.Emit(event.NewProgress(rec.at, virt.Progress{What: "waiting for " + w.What + ": " + missing}))
		}
		timer := time.NewTimer(interval)
		interval = max(w.Interval, min(interval*3/2, slowestInterval))
		select {
		case _, open := <-signals:
			timer.Stop()
			if !open {
				signals = nil // nothing tells of events any more: look by the clock
			}
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if context.Cause(ctx) != context.DeadlineExceeded {
				return context.Cause(ctx)
			}
			return &virt.Error{
				Kind: virt.ErrTimeout, Object: virt.VMRef(w.VM), Summary: fmt.Sprintf("waited %s for %s", time.Since(start).Round(time.Second), w.What),
				Found: last, Hint: "give it more time with timeout, or look into the guest's console",
			}
		}
	}
}

// lookOnce is waiting in a plan: what is not there now is decided at run time.
func lookOnce(ctx context.Context, w step.Waiting) error {
	done, missing, err := w.Look(ctx)
	if done || err != nil {
		return err
	}
	return &virt.Error{Kind: virt.ErrUndecided, Object: virt.VMRef(w.VM), Summary: "would wait for " + w.What + ": " + missing}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func noSleep(context.Context, time.Duration) error { return nil }

func askNobody(context.Context, string) (string, bool, error) { return "", true, nil }

// answers keeps what was typed, so that a step asks once for all of its targets.
type answers struct {
	mu    sync.Mutex
	known map[string]*answer
}

type answer struct {
	once sync.Once
	text string
	err  error
}

// ask shows a prompt of a step, unless another target's turn has shown the same.
func (r *runner) ask(ctx context.Context, at event.At, prompt string) (string, bool, error) {
	if r.world.Ask == nil {
		return "", false, nil
	}
	key := fmt.Sprint(at.Step, "\x00", at.Attempt, "\x00", prompt)
	if at.Item != nil {
		key += fmt.Sprint("\x00", at.Item.Index)
	}
	r.answers.mu.Lock()
	if r.answers.known == nil {
		r.answers.known = map[string]*answer{}
	}
	a := r.answers.known[key]
	if a == nil {
		a = &answer{}
		r.answers.known[key] = a
	}
	r.answers.mu.Unlock()
	a.once.Do(func() { a.text, a.err = r.world.Ask(ctx, prompt, false) })
	return a.text, true, a.err
}
