// Package createvlan is the step create_vlan: a network with a VLAN id.
package createvlan

import (
	"context"
	"errors"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_vlan.
type Args struct {
	ID     int           `arg:"id,required,identity" min:"1" max:"4094" doc:"VLAN id"`
	Name   string        `arg:"name,required,identity" doc:"name of the network, by which NICs refer to it"`
	Bridge string        `arg:"bridge" doc:"the Open vSwitch bridge that carries it; left out: the only one that the host has"`
	MTU    step.Opt[int] `arg:"mtu" min:"576" max:"65535" doc:"largest packet, in bytes"`
	Host   string        `arg:"host" doc:"only on this host; left out: on all hosts of the target"`
}

// Spec describes create_vlan.
var Spec = &step.Spec{
	Name:    "create_vlan",
	Summary: "Makes a network with a VLAN id on every host of the target",
	Doc:     "On libvirt nodes it is a network on an Open vSwitch bridge, whose ports get the VLAN's tag.",
	New:     func() step.Step { return &Args{} },
	Touches: virt.KindNetwork,
	Example: `- name: VLAN for the web tier
  create_vlan: {id: 2921, name: 2921-web, bridge: ovsbr0}
`,
}

// Ensure makes it where it is missing.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	mtu, _ := a.MTU.Get()
	change := virt.CreateNetwork{
		On: virt.On{Ref: virt.NetworkRef(a.Name)}, VLAN: a.ID, MTU: mtu, Type: "openvswitch", Bridge: a.Bridge,
	}
	hosts, err := env.Platform.Hosts(ctx)
	if err != nil {
		return step.Result{}, err
	}
	for _, h := range hosts {
		if a.Host == "" || h.Name == a.Host {
			change.Hosts = append(change.Hosts, h.Name)
		}
	}
	if len(change.Hosts) == 0 {
		return step.Result{}, virt.NotFound(virt.Ref{Kind: virt.KindHost, Name: a.Host}, "check the name of the host")
	}
	switch n, err := env.Platform.Network(ctx, a.Name); {
	case err == nil:
		change.Before = n
	case !errors.Is(err, virt.ErrNotFound):
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, change)
	return step.Result{}, err
}
