// Package hostactivate is the step host_activate: a host that takes VMs.
package hostactivate

import (
	"context"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of host_activate.
type Args struct {
	Host    string        `arg:"host,required,identity" doc:"name of the host"`
	Timeout step.Duration `arg:"timeout" default:"10m" doc:"how long it has to come up"`
}

// Output is what host_activate gives.
type Output struct {
	State string `json:"state"` // of the host: up
}

// Spec describes host_activate.
var Spec = &step.Spec{
	Name:    "host_activate",
	Summary: "Brings a host back into service",
	Doc: "The step waits until the host is up. One that ends in another state, as non-operational because it lacks a required network, is an error that says why.\n" +
		"VMs do not move back by themselves, unless the cluster's scheduling policy balances them.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.HostActivate{}},
	Touches: virt.KindHost,
	Output:  Output{},
	Bare:    "host",
	Example: `- name: Back in service
  host_activate: host1
`,
}

// Ensure brings the host back, if it is not up.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	change := virt.HostActivate{On: virt.On{Ref: virt.Ref{Kind: virt.KindHost, Name: a.Host}}, Timeout: time.Duration(a.Timeout)}
	if err := env.Platform.Supports(change); err != nil {
		return step.Result{}, err
	}
	h, err := env.Platform.Host(ctx, a.Host)
	if err != nil {
		return step.Result{}, err
	}
	change.Before = h
	if _, err := env.Apply(ctx, change); err != nil {
		return step.Result{}, err
	}
	if h, err = env.Platform.Host(ctx, a.Host); err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: Output{State: h.State}}, nil
}
