// Package debug is the step debug: it shows a text or a value.
package debug

import (
	"context"
	"encoding/json"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// Args are the arguments of debug.
type Args struct {
	Msg *source.Node `arg:"msg,required" doc:"what to show: a text, or any value"`
}

// Spec describes debug.
var Spec = &step.Spec{
	Name:       "debug",
	Summary:    "Shows a text or a value",
	New:        func() step.Step { return &Args{} },
	Bare:       "msg",
	Controller: true,
	Example: `- name: What did we get
  debug: "{{ web.ip }}"
`,
}

// Ensure shows it.
func (a *Args) Ensure(_ context.Context, env *step.Env) (step.Result, error) {
	if text, ok := step.Text(a.Msg); ok {
		env.Message(text)
		return step.Result{}, nil
	}
	if a.Msg.ContainsUnknown() {
		env.Message("(known afterwards)")
		return step.Result{}, nil
	}
	text, err := json.MarshalIndent(a.Msg.Any(), "", "  ")
	if err != nil {
		return step.Result{}, err
	}
	env.Message(string(text))
	return step.Result{}, nil
}
