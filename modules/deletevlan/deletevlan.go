// Package deletevlan is the step delete_vlan: no network of that name.
package deletevlan

import (
	"context"
	"errors"
	"slices"

	"github.com/nactl/nactl/modules/createvlan"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_vlan.
type Args struct {
	Name  string `arg:"name,required,identity" doc:"name of the network"`
	Host  string `arg:"host" doc:"only on this host; left out: on all hosts of the target"`
	Ovirt Ovirt  `arg:"ovirt" doc:"what only oVirt engines have"`
}

// Ovirt is the argument ovirt.
type Ovirt struct {
	Unreachable string `arg:"unreachable_hosts" enum:"skip|fail" default:"skip" doc:"hosts that have the network and whose networks cannot be set up now, as they are down, non-responsive or being installed: skip removes the network all the same, and they keep it until they are set up anew; fail makes them an error before anything is done"`
}

// Output is what delete_vlan gives.
type Output struct {
	Hosts []createvlan.HostReport `json:"hosts"` // what became of each host that had it
}

// Spec describes delete_vlan.
var Spec = &step.Spec{
	Name:    "delete_vlan",
	Summary: "Removes a network from every host of the target",
	Doc: "A network that VMs or templates use is not removed: the error names them, and nothing is done.\n" +
		"What create_vlan made of it on nodes with `nic`, VLAN interfaces and bridges, goes too, and nothing else.\n" +
		"On engines it is taken from the hosts, from its clusters and from its data centre, in this order, with its vNIC profiles. " +
		"Where it came to hosts by a label, it loses the label first.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DeleteNetwork{}, virt.DeleteHostVLAN{}},
	Output:  Output{},
	Touches: virt.KindNetwork,
	Bare:    "name",
	Example: `- name: No longer needed
  delete_vlan: {name: 2921-web}
`,
}

// Ensure removes it where it is.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	n, err := env.Platform.Network(ctx, a.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return step.Result{Output: Output{Hosts: []createvlan.HostReport{}}}, a.offHosts(ctx, env)
	}
	if err != nil {
		return step.Result{}, err
	}
	change := virt.DeleteNetwork{On: virt.On{Ref: n.Ref(), Before: n}}
	var ready []string
	if env.Platform.Type() == "ovirt" {
		among := createvlan.Among{Host: a.Host, Unreachable: a.Ovirt.Unreachable}
		if ready, change.Unready, change.AllHosts, err = among.Hosts(ctx, env); err != nil {
			return step.Result{}, err
		}
	} else {
		ready = n.Hosts
	}
	if a.Host != "" {
		change.Hosts = []string{a.Host}
	}
	if _, err = env.Apply(ctx, change); err != nil {
		return step.Result{}, err
	}
	if n.Type == "bridge" {
		if err := a.offHosts(ctx, env); err != nil {
			return step.Result{}, err
		}
	}
	now, err := env.Platform.Network(ctx, a.Name)
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		return step.Result{}, err
	}
	change.Unready = slices.DeleteFunc(change.Unready, func(h virt.HostState) bool { return !slices.Contains(n.Hosts, h.Host) })
	return step.Result{Output: Output{Hosts: createvlan.Report(n, now, ready, change.Unready)}}, nil
}

// offHosts removes the VLAN interfaces and bridges that create_vlan made for the
// network on hosts, side by side: also those that an interrupted run left.
func (a *Args) offHosts(ctx context.Context, env *step.Env) error {
	if env.Platform.Type() == "ovirt" {
		return nil // an engine sees to its hosts itself
	}
	hosts, err := env.Hosts(ctx, a.Host)
	if err != nil {
		return err
	}
	_, err = step.OnEach(ctx, hosts, func(ctx context.Context, host string) (virt.Outcome, error) {
		vlans, err := env.Platform.HostVLANs(ctx, host)
		if err != nil {
			return virt.Outcome{}, err
		}
		for _, v := range vlans {
			if v.Network != a.Name {
				continue
			}
			if _, err := env.Apply(ctx, virt.DeleteHostVLAN{On: virt.On{Ref: v.Ref(), Before: v}}); err != nil {
				return virt.Outcome{}, err
			}
		}
		return virt.Outcome{}, nil
	})
	return err
}
