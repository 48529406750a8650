// Package setvars is the step set_vars: variables for the steps that follow.
package setvars

import (
	"context"

	"github.com/nactl/nactl/modules/step"
)

// Args has no fields: the names are the author's, and the runner sets them.
type Args struct{}

// Spec describes set_vars.
var Spec = &step.Spec{
	Name:       "set_vars",
	Summary:    "Sets variables of the target for the steps that follow",
	New:        func() step.Step { return &Args{} },
	Controller: true,
	Vars:       true,
	Example: `- name: Remember the address
  set_vars:
    web_ip: "{{ web.ip }}"
`,
}

// Ensure has nothing to do: the runner takes the values.
func (a *Args) Ensure(context.Context, *step.Env) (step.Result, error) { return step.Result{}, nil }
