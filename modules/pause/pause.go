// Package pause is the step pause: it waits for a while, or for a person.
package pause

import (
	"context"
	"time"

	"github.com/nactl/nactl/modules/step"
)

// Args are the arguments of pause.
type Args struct {
	Duration step.Duration `arg:"duration" doc:"how long to wait"`
	Prompt   string        `arg:"prompt" doc:"what to ask for; the run goes on once a line was typed"`
}

// Output is what pause gives.
type Output struct {
	Answer string `json:"answer"` // what was typed
}

// Spec describes pause.
var Spec = &step.Spec{
	Name:       "pause",
	Summary:    "Waits for a while, or until somebody presses Enter",
	Doc:        "A plan does not wait. Where nobody can type, a prompt is skipped with a warning.",
	New:        func() step.Step { return &Args{} },
	Output:     Output{},
	Bare:       "duration",
	Controller: true,
	Example: `- name: Let the cluster settle
  pause: {duration: 10s}
`,
}

// Validate demands one of the two.
func (a *Args) Validate(v *step.Validation) { v.OneOf("pause", "duration", "prompt") }

// Ensure waits.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	if a.Prompt == "" {
		return step.Result{}, env.Sleep(ctx, time.Duration(a.Duration))
	}
	answer, ok, err := env.Ask(ctx, a.Prompt)
	if err != nil {
		return step.Result{}, err
	}
	if !ok {
		env.Warn("nobody can answer the prompt here, going on")
	}
	return step.Result{Output: Output{Answer: answer}}, nil
}
