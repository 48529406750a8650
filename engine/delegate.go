package engine

import "context"

// delegate finds the target on which a step acts. reason is set when only the run
// will show it.
func (r *runner) delegate(ctx context.Context, sc *scope) (reason string, err error) {
	n, err := sc.eval(ctx, sc.step.Compiled.DelegateTo)
	if err != nil {
		return "", err
	}
	if n.ContainsUnknown() {
		return "delegate_to is known only afterwards", nil
	}
	t, err := r.world.find(n)
	if err != nil {
		return "", err
	}
	sc.on = r.targets[t.Name]
	return "", nil
}
