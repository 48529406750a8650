package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// onTarget runs a step on one target: once, or for each item of its loop.
func (r *runner) onTarget(ctx context.Context, p *play, s *playbook.Step, t *target, f frame) {
	if r.stopped(ctx) {
		return
	}
	sc := r.scope(p, t, s, f)
	at := event.At{Step: f.round.id(s.ID), Target: t.Name}
	if ctx.Err() != nil {
		res := failure(sc, event.Result{At: at}, context.Cause(ctx))
		r.ended(t, s, res, registered(&res, nil))
		return
	}
	if s.Loop == nil {
		res, value := r.item(ctx, sc, at)
		r.ended(t, s, res, value)
		return
	}
	start := time.Now()
	items, reason, err := r.items(ctx, sc)
	switch {
	case err != nil:
		res := failure(sc, event.Result{At: at, Elapsed: event.Seconds(time.Since(start))}, err)
		r.ended(t, s, res, registered(&res, nil))
	case reason != "":
		r.uncertain(ctx, sc, nil, nil)
		res := event.Result{At: at, Status: event.Undecided, Reason: reason, Predicted: true}
		r.ended(t, s, res, expr.Unknown{})
	default:
		r.loop(ctx, sc, at, items, start)
	}
}

// items evaluates a loop. reason is set when only the run will show its items.
func (r *runner) items(ctx context.Context, sc *scope) (items []*source.Node, reason string, err error) {
	n, err := sc.eval(ctx, sc.step.Compiled.Loop)
	switch {
	case err != nil:
		return nil, "", err
	case n.Kind == source.Unknown:
		return nil, "its loop is known only afterwards", nil
	case n.Kind != source.List:
		return nil, "", diag.Diagnostic{Range: sc.step.Loop.Range, Summary: fmt.Sprintf("loop: wanted a list, found %s", n.Kind)}
	}
	return n.Items, "", nil
}

// loop runs the items, side by side as far as the step allows, and sums them up.
func (r *runner) loop(ctx context.Context, sc *scope, at event.At, items []*source.Node, start time.Time) {
	s, t := sc.step, sc.target
	results := make([]event.Result, len(items))
	values := make([]any, len(items))
	r.foreseeItems(ctx, sc, items)
	each(s.Parallel, len(items), func(i int) {
		mine := sc.with(map[string]any{
			s.LoopVar: expr.FromNode(items[i]),
			"loop": map[string]any{
				"index": i + 1, "index0": i, "first": i == 0, "last": i == len(items)-1, "length": len(items),
			},
		})
		where := at
		where.Item = &event.Item{Index: i, Total: len(items), Label: label(ctx, mine, items[i])}
		if ctx.Err() != nil {
			results[i] = failure(sc, event.Result{At: where}, context.Cause(ctx))
			return // nothing new is started; the sum says why
		}
		results[i], values[i] = r.item(ctx, mine, where)
		if m, ok := values[i].(map[string]any); ok {
			m["item"] = expr.FromNode(items[i])
		}
		r.counts.Add(results[i])
		r.sink.Emit(results[i])
	})
	sum := summary(at, results)
	sum.Elapsed = event.Seconds(time.Since(start))
	for i, v := range values {
		if v == nil {
			values[i] = registered(&results[i], nil)
		}
	}
	r.ended(t, s, sum, registeredLoop(&sum, results, values))
}

// label gives an item of a step's loop in short.
func label(ctx context.Context, sc *scope, item *source.Node) string {
	if sc.hidden() {
		return event.Masked
	}
	return labelOf(ctx, sc, sc.step.Compiled.LoopLabel, item)
}

// labelOf gives an item in short, by its loop_label where there is one.
func labelOf(ctx context.Context, sc *scope, t *expr.Template, item *source.Node) string {
	if t != nil {
		if n, err := sc.eval(ctx, t); err == nil {
			item = n
		}
	}
	if item.ContainsSecret() {
		return event.Masked
	}
	for _, key := range []string{"name", "vm", "id"} {
		if text, ok := step.Text(item.Get(key)); ok {
			return text
		}
	}
	if item.ContainsUnknown() {
		return virt.UnknownValue.String()
	}
	switch item.Kind {
	case source.Map, source.List:
		b, err := json.Marshal(item.Any())
		if err != nil {
			return ""
		}
		return shorten(sc.run.masked(string(b)), 60)
	default:
		return shorten(sc.run.masked(fmt.Sprint(item.Any())), 60)
	}
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// summary makes one result of a loop's items: the worst of them counts.
func summary(at event.At, results []event.Result) event.Result {
	rank := []event.Status{event.Unreachable, event.Failed, event.Rescued, event.Ignored, event.Undecided, event.Changed, event.OK, event.Skipped}
	sum := event.Result{At: at, Items: len(results), Status: event.Skipped, Reason: "the loop is empty"}
	best := len(rank)
	for _, res := range results {
		sum.Predicted = sum.Predicted || res.Predicted
		sum.Pending = sum.Pending || res.Pending
		sum.Altered = sum.Altered || res.Altered || res.Status == event.Changed
		for i, status := range rank {
			if status == res.Status && i < best {
				best, sum.Status, sum.Reason, sum.Error = i, status, res.Reason, res.Error
			}
		}
	}
	if sum.Status != event.Failed && sum.Status != event.Rescued && sum.Status != event.Ignored {
		sum.Altered = false
	}
	if sum.Status == event.Changed {
		sum.WouldRun = true
		for _, res := range results {
			if res.Status == event.Changed && !res.WouldRun {
				sum.WouldRun = false
			}
		}
	}
	return sum
}

// ended tells the result of a step on a target, counts it, and leaves what the
// step registers.
func (r *runner) ended(t *target, s *playbook.Step, res event.Result, value any) {
	if s.Register != "" {
		t.put(s.Register, value)
	}
	t.ended(s, res, value, time.Since(r.start))
	t.notify(s, res.Status)
	r.counts.Add(res)
	r.sink.Emit(res)
}

// failure fills in a result that did not end well.
func failure(sc *scope, res event.Result, err error) event.Result {
	s := sc.step
	res.Altered = res.Altered || res.Status == event.Changed && !res.Predicted
	res.Error = event.NewFailure(err)
	lost := errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth)
	if sc.hidden() && !lost {
		res.Error = &event.Failure{Kind: res.Error.Kind, Object: res.Error.Object, Summary: "failed; no_log hides how"}
	}
	res.Error.At = where(s, err)
	if !sc.hidden() {
		explain(res.Error, err)
	}
	switch {
	case lost:
		res.Status = event.Unreachable
	case sc.run.shut.Load():
		res.Status = event.Failed // nothing may take over
	case s.IgnoreErrors:
		res.Status = event.Ignored
	case sc.frame.rescued:
		res.Status = event.Rescued
	default:
		res.Status = event.Failed
	}
	return res
}

// explain takes over what a mistake in an expression says beside its summary; its
// place stands beside it.
func explain(f *event.Failure, err error) {
	var list diag.List
	switch e := err.(type) {
	case diag.Diagnostic:
		list = diag.List{e}
	case *diag.Failure:
		list = e.List
	}
	if len(list) == 0 {
		return
	}
	f.Summary, f.Do = list[0].Summary, list[0].Detail
	for _, d := range list[1:] {
		f.More = append(f.More, event.Failure{Summary: d.Summary, Do: d.Detail, At: position(d.Range)})
	}
}

// where gives the place in the playbook that an error is about: that of the
// expression, where it was one, else that of the step.
func where(s *playbook.Step, err error) event.Position {
	var f *diag.Failure
	if errors.As(err, &f) && len(f.List) > 0 {
		return position(f.List[0].Range)
	}
	var d diag.Diagnostic
	if errors.As(err, &d) && d.Range.IsValid() {
		return position(d.Range)
	}
	return position(s.Range)
}

func position(r diag.Range) event.Position {
	return event.Position{File: r.File, Line: r.Line, Column: r.Column}
}
