package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// item runs a step once: as a whole, or for one item of its loop. value is what
// it registers.
func (r *runner) item(ctx context.Context, sc *scope, at event.At) (res event.Result, value any) {
	s := sc.step
	start := time.Now()
	defer func() { res.Elapsed = event.Seconds(time.Since(start)) }()
	r.sink.Emit(event.ItemStarted{At: at})
	res = event.Result{At: at, Predicted: r.predicts(sc), Maybe: sc.frame.maybe != ""}
	holds, unknown, err := sc.holds(ctx, s.Compiled.When)
	switch {
	case err != nil:
		res = failure(sc, res, err)
		return res, registered(&res, nil)
	case unknown:
		res.Maybe = true
	case !holds:
		res.Status, res.Reason = event.Skipped, "when does not hold"
		return res, registered(&res, nil)
	}
	if s.DelegateTo != nil {
		var reason string
		if reason, err = r.delegate(ctx, sc); err != nil {
			res = failure(sc, res, err)
			return res, registered(&res, nil)
		}
		if reason != "" {
			r.uncertain(ctx, sc, nil, nil)
			res.Status, res.Reason = event.Undecided, reason
			return res, expr.Unknown{}
		}
		res.Delegated = sc.on.Name
	}
	if s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("the step's timeout of %s is over", s.Timeout))
		defer cancel()
	}
	return r.attempts(ctx, sc, res)
}

// predicts tells whether a step only shows what it would do.
func (r *runner) predicts(sc *scope) bool { return r.opts.Check || sc.step.CheckMode }

// attempts runs a step until its until holds.
func (r *runner) attempts(ctx context.Context, sc *scope, res event.Result) (event.Result, any) {
	s := sc.step
	for attempt := 1; ; attempt++ {
		if s.Compiled.Until != nil {
			res.Attempt = attempt
		}
		out, values := r.attempt(ctx, sc, res)
		if s.Compiled.Until == nil || out.Status == event.Unreachable || out.Status == event.Undecided {
			return out, registeredOrUnknown(&out, values)
		}
		done, unknown, err := sc.with(r.resultLocals(sc, &out, values)).holds(ctx, s.Compiled.Until)
		switch {
		case r.predicts(sc):
			out = r.looked(ctx, sc, out, done && !unknown, err)
			return out, registeredOrUnknown(&out, values)
		case err != nil && out.Error == nil: // an attempt that failed may have given nothing to ask for
			out = failure(sc, out, err)
			return out, registeredOrUnknown(&out, values)
		case done && err == nil:
			return out, registeredOrUnknown(&out, values)
		case attempt > s.Retries:
			if out.Error == nil {
				out = failure(sc, out, &step.Failure{Message: fmt.Sprintf("until does not hold after %d attempts", attempt)})
			}
			return out, registeredOrUnknown(&out, values)
		}
		r.sink.Emit(event.NewProgress(out.At, virt.Progress{What: "until does not hold yet", Done: int64(attempt), Total: int64(s.Retries + 1)}))
		if err := sleep(ctx, s.Delay); err != nil {
			out = failure(sc, out, err)
			return out, registeredOrUnknown(&out, values)
		}
	}
}

// looked ends an until that a plan looks at once. What would run has no result
// that until could ask for.
func (r *runner) looked(ctx context.Context, sc *scope, out event.Result, done bool, err error) event.Result {
	switch {
	case out.Error != nil || out.WouldRun || done:
		return out
	case err != nil:
		return failure(sc, out, err)
	default:
		r.uncertain(ctx, sc, nil, nil)
		out.Status, out.Reason = event.Undecided, "it is tried until its until holds"
		return out
	}
}

func registeredOrUnknown(res *event.Result, values map[string]any) any {
	if res.Status == event.Undecided {
		return expr.Unknown{}
	}
	return registered(res, values)
}

func (r *runner) resultLocals(sc *scope, res *event.Result, values map[string]any) map[string]any {
	v := registeredOrUnknown(res, values)
	locals := map[string]any{"result": v}
	if sc.step.Register != "" {
		locals[sc.step.Register] = v
	}
	return locals
}

// attempt runs the step once. One that a plan is not sure to come to cannot fail
// it.
func (r *runner) attempt(ctx context.Context, sc *scope, res event.Result) (event.Result, map[string]any) {
	out, values := r.try(ctx, sc, res)
	if out.Maybe && (out.Status == event.Failed || out.Status == event.Rescued || out.Status == event.Ignored) {
		r.uncertain(ctx, sc, nil, nil)
		out.Status, out.Reason, out.Error = event.Undecided, sc.doubt()+"; if it holds: "+out.Error.Summary, nil
	}
	return out, values
}

// doubt says why a plan does not know whether a step runs.
func (s *scope) doubt() string {
	return cmp.Or(s.frame.maybe, "when is known only afterwards")
}

// try evaluates the arguments, lets the step ensure, proves that it took, and
// judges the end.
func (r *runner) try(ctx context.Context, sc *scope, res event.Result) (event.Result, map[string]any) {
	s := sc.step
	call, reason, err := r.arguments(ctx, sc)
	if err != nil {
		return failure(sc, res, err), nil
	}
	if reason != "" {
		r.uncertain(ctx, sc, call.node, nil)
		res.Status, res.Reason = event.Undecided, reason
		return res, nil
	}
	if s.Spec.Vars {
		return r.setVars(ctx, sc, call, res)
	}
	rec := &recorder{sink: r.sink, at: res.At, predicted: res.Predicted, maybe: res.Maybe, hide: sc.hidden(), wrote: sc.on.noteWriter, gate: r.gate}
	env, err := r.env(ctx, sc, rec)
	if err != nil {
		return failure(sc, res, err), nil
	}
	result, err := r.ensure(ctx, sc, call, env, rec)
	return r.judge(ctx, sc, call, res, rec, result, err)
}

// call is a step with its arguments for one item.
type call struct {
	node *source.Node
	step step.Step
}

// arguments evaluates and decodes the arguments. reason is set when one that has
// to be known is not.
func (r *runner) arguments(ctx context.Context, sc *scope) (c call, reason string, err error) {
	s := sc.step
	n, err := sc.eval(ctx, s.Compiled.Args)
	if err != nil {
		return c, "", err
	}
	for _, key := range s.Spec.Conditions {
		checked, unknown, err := r.conditions(ctx, sc, key)
		if err != nil {
			return c, "", err
		}
		if unknown {
			return c, "a condition is known only afterwards", nil
		}
		if checked != nil {
			merged := *n
			merged.Entries = append(slices.Clone(n.Entries), source.Entry{Key: &source.Node{Kind: source.String, Str: key, Range: n.Range}, Value: checked})
			n = &merged
		}
	}
	if n, err = r.surrounded(ctx, sc, n); err != nil {
		return c, "", err
	}
	c.node = n
	if s.Spec.Vars {
		return c, "", nil
	}
	if c.node, err = r.unlock(ctx, n); err != nil {
		return c, "", err
	}
	c.step = s.Spec.New()
	info, list := step.Decode(c.node, c.step, s.Word, step.Mode{})
	if len(info.Unknown) == 0 && !list.HasErrors() {
		list.Add(step.Validate(c.step, c.node, false)...)
	}
	if list.HasErrors() {
		return c, "", list.Err()
	}
	if len(info.Unknown) > 0 {
		return c, info.Unknown[0] + " is known only afterwards", nil
	}
	return c, "", nil
}

// surrounded gives arguments with the environment variables of the step and of
// what is around it.
func (r *runner) surrounded(ctx context.Context, sc *scope, n *source.Node) (*source.Node, error) {
	var environments []*source.Node
	for _, t := range sc.step.Compiled.Environment {
		env, err := sc.eval(ctx, t)
		if err != nil {
			return nil, err
		}
		environments = append(environments, env)
	}
	out, wrong := playbook.WithEnvironment(n, environments)
	if wrong != nil {
		var list diag.List
		list.Errorf(wrong.Range, "type", "environment: wanted a mapping of variables to texts, found %s", wrong.Kind)
		return nil, list.Err()
	}
	return out, nil
}

// conditions evaluates the bare expressions of one argument, each by itself.
func (r *runner) conditions(ctx context.Context, sc *scope, key string) (n *source.Node, unknown bool, err error) {
	cond := sc.step.Compiled.Conditions[key]
	if cond == nil {
		return nil, false, nil
	}
	values, err := sc.values(ctx, cond.Names())
	if err != nil {
		return nil, false, err
	}
	var out []any
	for i := range cond.Len() {
		ok, unknown, err := cond.EvalTerm(ctx, i, values)
		if err != nil || unknown {
			return nil, unknown, err
		}
		out = append(out, map[string]any{"expr": fmt.Sprint(cond.Term(i).Any()), "ok": ok})
		if !ok {
			break // later conditions may rely on this one
		}
	}
	return source.FromAny(out, sc.step.Range), false, nil
}

// setVars gives the target its variables.
func (r *runner) setVars(ctx context.Context, sc *scope, c call, res event.Result) (event.Result, map[string]any) {
	values := map[string]any{}
	for _, e := range c.node.Entries { // each by itself: a variable may be called secret
		v, err := r.reveal(ctx, e.Value)
		if err != nil {
			return failure(sc, res, err), nil
		}
		if res.Maybe {
			v = expr.Unknown{}
		}
		values[e.Key.Str] = v
	}
	for name, v := range values {
		sc.target.put(name, v)
	}
	res.Status = event.OK
	if res.Maybe {
		res.Status, res.Reason = event.Undecided, sc.doubt()
		return res, nil
	}
	res, err := r.decide(ctx, sc, res, nil)
	if err != nil {
		return failure(sc, res, err), nil
	}
	return res, nil
}

// ensure calls the step, again when what it saw had changed meanwhile, and then
// proves that the changes took.
func (r *runner) ensure(ctx context.Context, sc *scope, c call, env *step.Env, rec *recorder) (result step.Result, err error) {
	for range 3 {
		result, err = guarded(ctx, c.step, env)
		if !errors.Is(err, virt.ErrDiverged) {
			break
		}
		if rec.Platform != nil {
			rec.Platform.Forget()
		}
		c = r.again(sc, c)
	}
	converge, _ := rec.made()
	if err != nil || len(converge) == 0 || rec.predicted || !sc.step.Verify {
		return result, err
	}
	return result, r.verify(ctx, sc, c, rec.at, touched(converge))
}

// again gives the same call with fresh arguments, for a step may have changed its
// own.
func (r *runner) again(sc *scope, c call) call {
	fresh := sc.step.Spec.New()
	step.Decode(c.node, fresh, sc.step.Word, step.Mode{}) // the same node decoded well before
	return call{node: c.node, step: fresh}
}

// guarded calls Ensure and turns a panic into an error of this one item: the
// other targets go on.
func guarded(ctx context.Context, s step.Step, env *step.Env) (result step.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a mistake in nactl: %v", p)
		}
	}()
	return s.Ensure(ctx, env)
}

// judge turns the end of Ensure into a result, as changed_when and failed_when
// see it.
func (r *runner) judge(ctx context.Context, sc *scope, c call, res event.Result, rec *recorder, result step.Result, err error) (event.Result, map[string]any) {
	s := sc.step
	converge, actions := rec.made()
	res.PendingFields, res.Pending, res.Object = rec.pending, len(rec.pending) > 0, rec.object
	if !rec.hide {
		res.Reason, res.Message = result.SkipReason, result.Message
	}
	changed := len(converge)+len(actions) > 0
	res.WouldRun = res.Predicted && len(converge) == 0 && len(actions) > 0
	values, convErr := outputValues(s.Spec, result.Output, res.Predicted && changed)
	if err == nil {
		err = convErr
	}
	var bad *step.Failure
	switch {
	case errors.Is(err, virt.ErrUndecided) && res.Predicted:
		r.uncertain(ctx, sc, c.node, converge)
		res.Status, res.Reason = event.Undecided, reasonOf(err)
		return res, nil
	case err != nil && !(errors.As(err, &bad) && s.Compiled.FailedWhen != nil):
		if ctx.Err() != nil && !errors.Is(err, virt.ErrOutcomeUnknown) {
			err = interrupted(ctx, err)
		}
		res.Altered = changed && !res.Predicted
		res = failure(sc, res, err)
		if bad != nil && len(actions) == 0 && !rec.hide {
			res.Error.Found = bad.Detail // what a command said stands at its change
		}
		return res, values
	}
	res.Status = event.OK
	if changed {
		res.Status = event.Changed
	}
	res, err = r.decide(ctx, sc, res, values)
	if err != nil {
		return failure(sc, res, err), values
	}
	if res.Maybe {
		r.uncertain(ctx, sc, c.node, converge)
		res.Status, res.Reason, res.Foreseen = event.Undecided, sc.doubt(), true
	}
	if r.opts.Verbosity > 1 && !rec.hide {
		res.Output = result.Output
	}
	return res, values
}

// decide applies changed_when and failed_when.
func (r *runner) decide(ctx context.Context, sc *scope, res event.Result, values map[string]any) (event.Result, error) {
	s := sc.step
	after := sc.with(r.resultLocals(sc, &res, values))
	if s.Compiled.ChangedWhen != nil {
		changed, unknown, err := after.holds(ctx, s.Compiled.ChangedWhen)
		if err != nil {
			return res, err
		}
		if !unknown {
			res.Status = event.OK
			if changed {
				res.Status = event.Changed
			}
			res.WouldRun = res.WouldRun && changed
		}
	}
	if s.Compiled.FailedWhen != nil {
		failed, unknown, err := after.holds(ctx, s.Compiled.FailedWhen)
		if err != nil {
			return res, err
		}
		if failed && !unknown {
			return res, &step.Failure{Message: "failed_when holds", Detail: fmt.Sprint(s.Compiled.FailedWhen.Term(0).Any())}
		}
	}
	return res, nil
}

// uncertain marks what an undecided step may touch: what it changed so far, and
// the object that its arguments name. args are nil where they were not evaluated.
func (r *runner) uncertain(ctx context.Context, sc *scope, args *source.Node, list []applied) {
	kind := sc.step.Spec.Touches
	if !r.opts.Check || kind == "" && len(list) == 0 {
		return
	}
	if _, err := sc.on.connect(ctx, r); err != nil {
		return // the next step that needs the target says so
	}
	refs := touched(list)
	if kind != "" {
		refs = append(refs, virt.Ref{Kind: kind, Name: objectName(sc.step, args, "vm", "name")})
		if to := sc.step.Spec.Renames; to != "" {
			refs = append(refs, virt.Ref{Kind: kind, Name: objectName(sc.step, args, to)})
		}
	}
	sc.on.overlay.MarkMaybe(refs...)
}

// objectName gives the name of an object that a step is about, by the first of its
// arguments keys that is given; "" where only the run will show it, so that it may be
// any.
func objectName(s *playbook.Step, args *source.Node, keys ...string) string {
	if args == nil {
		args = s.Args
	}
	for _, key := range keys {
		if n := args.Get(key); n != nil && !playbook.IsDynamic(n) {
			text, _ := step.Text(n)
			return text
		}
	}
	return ""
}

func reasonOf(err error) string {
	var e *virt.Error
	if errors.As(err, &e) && e.Summary != "" {
		return e.Summary
	}
	return err.Error()
}

// interrupted says why a context ended, in front of what that did to the step.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
