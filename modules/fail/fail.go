// Package fail is the step fail: it fails with a message.
package fail

import (
	"context"

	"github.com/nactl/nactl/modules/step"
)

// Args are the arguments of fail.
type Args struct {
	Msg string `arg:"msg" default:"failed as requested" doc:"what to say"`
}

// Spec describes fail.
var Spec = &step.Spec{
	Name:       "fail",
	Summary:    "Fails with a message",
	New:        func() step.Step { return &Args{} },
	Bare:       "msg",
	Controller: true,
	Example: `- name: Not here
  fail: {msg: "production needs a change number"}
  when: change == ""
`,
}

// Ensure fails.
func (a *Args) Ensure(context.Context, *step.Env) (step.Result, error) {
	return step.Result{}, &step.Failure{Message: a.Msg}
}
