package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/local"
	"github.com/nactl/nactl/virt/virttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is where plays are tested: targets in memory, the real steps, and all
// events kept.
type stage struct {
	t       *testing.T
	targets map[string]*virttest.Memory
	order   []string
	vars    map[string]map[string]any // of the inventory
	groups  map[string][]string
	steps   []*step.Spec // beside those of modules
	opts    engine.Options
	openErr map[string]error
	secrets func(n *source.Node) (string, error)
	ask     func(ctx context.Context, prompt string, hidden bool) (string, error)
	ctx     context.Context
	dir     string
}

// on makes a stage whose targets each hold copies of these objects.
func on(t *testing.T, targets string, objects ...virt.Object) *stage {
	s := &stage{t: t, targets: map[string]*virttest.Memory{}, vars: map[string]map[string]any{}, groups: map[string][]string{}, openErr: map[string]error{}, ctx: t.Context(), dir: t.TempDir()}
	for _, name := range strings.Fields(targets) {
		s.targets[name] = virttest.NewMemory(objects...)
		s.order = append(s.order, name)
	}
	s.groups["all"] = s.order
	s.opts = engine.Options{RunID: "r1", User: "ada", Version: "test"}
	return s
}

// show is what a run left.
type show struct {
	code   int
	events []event.Event
}

// log keeps events.
type log struct {
	mu     sync.Mutex
	events []event.Event
	on     func(event.Event)
}

func (l *log) Emit(e event.Event) {
	l.mu.Lock()
	l.events = append(l.events, e)
	l.mu.Unlock()
	if l.on != nil {
		l.on(e)
	}
}

func (s *stage) world() *engine.World {
	w := &engine.World{
		Groups: s.groups, Local: local.New(), Host: expr.LocalHost{Root: s.dir},
		Open: func(_ context.Context, name string) (virt.Platform, error) {
			if err := s.openErr[name]; err != nil {
				return nil, err
			}
			return s.targets[name], nil
		},
		Image:  func(_, name string) (virt.ImageSource, error) { return virt.ImageSource{Name: name}, nil },
		Files:  func(string) step.Files { return nil },
		Ask:    s.ask,
		Secret: func(_ context.Context, n *source.Node) (string, error) { return s.secrets(n) },
	}
	for _, name := range s.order {
		vars := map[string]*source.Node{}
		for k, v := range s.vars[name] {
			vars[k] = source.FromAny(v, diag.Range{})
		}
		w.All = append(w.All, engine.Target{Name: name, Kind: "node", Groups: []string{"all"}, Vars: vars})
	}
	w.Select = func(pattern *source.Node) ([]engine.Target, diag.List) {
		var out []engine.Target
		names := strings.Split(pattern.Str, ",")
		for _, n := range pattern.Items {
			names = append(names, n.Str)
		}
		for _, t := range w.All {
			if pattern.Str == "all" || slices.Contains(names, t.Name) {
				out = append(out, t)
			}
		}
		return out, nil
	}
	return w
}

// prepare loads the text of a playbook, or of the steps of a play on all targets.
func (s *stage) prepare(text string) (*engine.Prepared, *engine.World, diag.List) {
	s.t.Helper()
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "targets:") {
		text = "- name: P\n  targets: all\n  steps:\n    " + strings.ReplaceAll(text, "\n", "\n    ")
	}
	file := filepath.Join(s.dir, "play.yml")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	w := s.world()
	registry := modules.Registry()
	if s.steps != nil {
		registry = step.NewRegistry(append(registry.All(), s.steps...)...)
	}
	p, list := engine.Prepare(s.ctx, []string{file}, &source.Sources{}, registry, w, s.opts)
	return p, w, list
}

// play runs a playbook that has no mistakes.
func (s *stage) play(text string) *show {
	s.t.Helper()
	p, w, list := s.prepare(text)
	if list.HasErrors() {
		s.t.Fatalf("the playbook has mistakes:\n%v", list.Err())
	}
	if asked, err := p.Ask(s.ctx, w, s.opts); err != nil || asked.HasErrors() {
		s.t.Fatalf("asking: %v, %v", err, asked.Err())
	}
	kept := &log{}
	if l, ok := s.opts.Sink.(*log); ok {
		kept = l
	}
	o := s.opts
	o.Sink = kept
	out := &show{}
	out.code = engine.Run(s.ctx, p, w, o)
	out.events = kept.events
	s.wellFormed(out)
	return out
}

func (s *stage) plan(text string) *show {
	s.t.Helper()
	s.opts.Check = true
	return s.play(text)
}

// wellFormed looks after what holds of every stream of events.
func (s *stage) wellFormed(x *show) {
	s.t.Helper()
	if _, ok := x.events[0].(event.RunStarted); !ok {
		s.t.Errorf("the first event is a %s", x.events[0].Type())
	}
	n := len(x.events)
	end, ok := x.events[n-1].(event.RunEnded)
	if !ok || end.ExitCode != x.code {
		s.t.Errorf("the last event is %+v; the exit code was %d", x.events[n-1], x.code)
	}
	if _, ok := x.events[n-2].(event.Recap); !ok {
		s.t.Errorf("the last event but one is a %s", x.events[n-2].Type())
	}
	open := map[string]int{}
	for _, e := range x.events {
		switch e := e.(type) {
		case event.Intent:
			open[fmt.Sprint(turnOf(e.At), e.Attempt, e.N)]++
		case event.Outcome:
			open[fmt.Sprint(turnOf(e.At), e.Attempt, e.N)]--
			if s.opts.Check && !e.Predicted {
				s.t.Errorf("a plan made a change: %+v", e)
			}
		case event.StepStarted:
			open["step "+e.Step]++
		case event.StepEnded:
			open["step "+e.Step]--
		}
	}
	for what, n := range open {
		if n != 0 {
			s.t.Errorf("%s: %d begun and not ended", what, n)
		}
	}
	if s.opts.Check {
		for name, m := range s.targets {
			if kinds := m.Kinds(); kinds != "" {
				s.t.Errorf("a plan made %s on %s", kinds, name)
			}
		}
	}
}

func turnOf(at event.At) string {
	s := at.Step + "@" + at.Target
	if at.Item != nil {
		s += fmt.Sprintf("#%d", at.Item.Index)
	}
	return s
}

// all gives the events of a type.
func all[T event.Event](x *show) []T {
	var out []T
	for _, e := range x.events {
		if e, ok := e.(T); ok {
			out = append(out, e)
		}
	}
	return out
}

// results writes the final results in order: status, and the reason or error.
func (x *show) results() string {
	var out []string
	for _, r := range all[event.Result](x) {
		if r.Item != nil {
			continue
		}
		out = append(out, tell(r))
	}
	return strings.Join(out, "\n")
}

func tell(r event.Result) string {
	s := string(r.Status)
	if r.WouldRun {
		s += " run"
	}
	if r.Reason != "" {
		s += ": " + r.Reason
	}
	if r.Error != nil {
		s += ": " + r.Error.Summary
	}
	return s
}

// said gives what debug showed, in order.
func (x *show) said() string {
	var out []string
	for _, m := range all[event.Message](x) {
		out = append(out, m.Text)
	}
	return strings.Join(out, "|")
}

func (x *show) recap(target string) string {
	for _, r := range all[event.Recap](x)[0].Targets {
		if r.Target == target {
			return fmt.Sprintf("ok=%d changed=%d unreachable=%d failed=%d skipped=%d ignored=%d pending=%d undecided=%d",
				r.OK, r.Changed, r.Unreachable, r.Failed, r.Skipped, r.Ignored, r.Pending, r.Undecided)
		}
	}
	return "no target " + target
}

func (s *stage) want(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// vm gives a VM as a platform holds it.
func vm(name string, state virt.PowerState) *virt.VM {
	v := &virt.VM{Name: name, ID: virt.Some("id-" + name), State: state, Host: virt.Some("h1"), CPU: virt.CPU{Count: 1, Max: 4},
		Memory: virt.Memory{Current: virt.GiB, Max: 2 * virt.GiB}}
	if state.IsLive() {
		v.Live = &virt.Live{CPU: v.CPU, Memory: v.Memory}
	}
	return v
}
