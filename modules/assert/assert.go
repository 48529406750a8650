// Package assert is the step assert: conditions that have to hold.
package assert

import (
	"context"
	"strings"

	"github.com/nactl/nactl/modules/step"
)

// Args are the arguments of assert.
type Args struct {
	That []step.Checked `arg:"that,required" doc:"a condition, or a list of them, without braces"`
	Msg  string         `arg:"msg" doc:"what to say when one does not hold"`
}

// Spec describes assert.
var Spec = &step.Spec{
	Name:       "assert",
	Summary:    "Fails unless all conditions hold",
	New:        func() step.Step { return &Args{} },
	Bare:       "that",
	Controller: true,
	Conditions: []string{"that"},
	Example: `- name: It moved
  assert:
    that: web.host == "n2"
    msg: "web-1 is on {{ web.host }}"
`,
}

// Ensure looks at the conditions, which the runner has evaluated.
func (a *Args) Ensure(context.Context, *step.Env) (step.Result, error) {
	var failed []string
	for _, c := range a.That {
		if !c.OK {
			failed = append(failed, c.Expr)
		}
	}
	if len(failed) == 0 {
		return step.Result{}, nil
	}
	msg := a.Msg
	if msg == "" {
		msg = "does not hold: " + strings.Join(failed, "; ")
	}
	return step.Result{}, &step.Failure{Message: msg, Detail: "not true: " + strings.Join(failed, "\nnot true: ")}
}
