// Package createvlan is the step create_vlan: a network with a VLAN id.
package createvlan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_vlan.
type Args struct {
	ID     int    `arg:"id,required,identity" min:"1" max:"4094" doc:"VLAN id"`
	Name   string `arg:"name,required,identity" doc:"name of the network, by which NICs refer to it"`
	Bridge string `arg:"bridge" doc:"the Open vSwitch bridge that carries it; left out: the only one that the host has. With nic: the Linux bridge to make; left out: br-ID"`
	NIC    string `arg:"nic" doc:"on nodes without Open vSwitch: the NIC or bond that carries it. A VLAN interface over it and a Linux bridge are made on each node, at once and for good, by what configures the node's network: ifupdown, systemd-networkd or NetworkManager"`
	// Confirm is the time after which a node takes the change back.
	Confirm step.Duration `arg:"confirm_within" default:"30s" doc:"with nic: the node takes the change to its network back by itself, unless nactl can log in to it anew within this time"`
	MTU     step.Opt[int] `arg:"mtu" min:"576" max:"65535" doc:"largest packet, in bytes"`
	Host    string        `arg:"host" doc:"only on this host; left out: on all hosts of the target, of the cluster on an engine"`
	Reuse   bool          `arg:"reuse" doc:"take a network of another name, if one has this VLAN id"`
	Ovirt   Ovirt         `arg:"ovirt" doc:"what only oVirt engines have"`
}

// Output is what create_vlan gives.
type Output struct {
	Name  string       `json:"name"`  // of the network, also of one of another name
	Hosts []HostReport `json:"hosts"` // what became of each host
}

// Ovirt is the argument ovirt.
type Ovirt struct {
	Cluster     string `arg:"cluster,identity" doc:"the cluster that gets it; may be left out where there is only one"`
	HostNIC     string `arg:"host_nic" doc:"NIC or bond that carries it on the cluster's hosts; left out: the hosts are not touched"`
	Sync        bool   `arg:"sync" doc:"hosts that have the network otherwise than the engine describes it get it anew; left out, they are warned of"`
	Unreachable string `arg:"unreachable_hosts" enum:"skip|fail" default:"skip" doc:"hosts whose networks cannot be set up now, as they are down, non-responsive or being installed: skip leaves them out as pending, and a later run completes them; fail makes them an error before anything is done. A host in maintenance is set up like one that is up; one that is named as host is never left out"`
	Comment     string `arg:"comment,create_only" doc:"a comment"`
	Description string `arg:"description,create_only" doc:"a description"`
}

// Spec describes create_vlan.
var Spec = &step.Spec{
	Name:    "create_vlan",
	Summary: "Makes a network with a VLAN id on every host of the target",
	Doc: "On libvirt nodes it is a network on an Open vSwitch bridge, whose ports get the VLAN's tag. " +
		"With `nic` they get a VLAN interface and a Linux bridge instead, which are there after a restart, too; what somebody else made there is never taken over or changed.\n" +
		"On engines it is a network of the cluster's data centre that no host is required to have; each host of the cluster gets it on `host_nic`, for good, " +
		"but for those that cannot be set up now: see `unreachable_hosts`. `hosts` of what is registered says of each what became of it.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CreateHostVLAN{}, virt.CreateNetwork{}},
	Output:  Output{},
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
	engine := env.Platform.Type() == "ovirt"
	if engine {
		change.Type, change.Cluster, change.HostNIC = "engine", a.Ovirt.Cluster, a.Ovirt.HostNIC
		change.Sync = a.Ovirt.Sync
		change.Comment, change.Description = a.Ovirt.Comment, a.Ovirt.Description
	}
	var ready []string
	if !engine || a.Ovirt.HostNIC != "" || a.Ovirt.Sync {
		among := Among{Host: a.Host, Unreachable: a.Ovirt.Unreachable}
		if engine {
			among.Cluster = a.Ovirt.Cluster
		}
		var err error
		if ready, change.Unready, change.AllHosts, err = among.Hosts(ctx, env); err != nil {
			return step.Result{}, err
		}
	}
	if !engine || a.Ovirt.HostNIC != "" {
		change.Hosts = ready
	}
	there, err := a.find(ctx, env)
	if err != nil {
		return step.Result{}, err
	}
	if there != nil {
		change.On = virt.On{Ref: there.Ref(), Before: there}
	}
	if a.NIC != "" {
		if engine {
			return step.Result{}, &virt.Error{Kind: virt.ErrUnsupported, Object: change.Ref, Summary: "is an engine's network: its hosts' NIC is named elsewhere",
				Hint: "leave nic out for this target, and give ovirt: {host_nic: " + a.NIC + "}"}
		}
		if err := a.onHosts(ctx, env, ready); err != nil {
			return step.Result{}, err
		}
		change.Type, change.Bridge, change.VLAN, change.MTU = "bridge", a.linuxBridge(), 0, 0
	}
	out, err := env.Apply(ctx, change)
	if err != nil {
		return step.Result{}, err
	}
	now := there
	if out.Changed {
		if now, err = env.Platform.Network(ctx, change.Ref.Name); err != nil {
			return step.Result{}, err
		}
	}
	return step.Result{Output: Output{Name: change.Ref.Name, Hosts: Report(there, now, ready, change.Unready)}}, nil
}

// linuxBridge names the bridge that is made with nic.
func (a *Args) linuxBridge() string { return cmp.Or(a.Bridge, fmt.Sprintf("br-%d", a.ID)) }

// onHosts makes the VLAN on each of the hosts, side by side.
func (a *Args) onHosts(ctx context.Context, env *step.Env, hosts []string) error {
	_, err := step.OnEach(ctx, hosts, func(ctx context.Context, host string) (virt.Outcome, error) {
		ref := virt.HostVLANRef(host, virt.VLANInterface(a.NIC, a.ID))
		change := virt.CreateHostVLAN{On: virt.On{Ref: ref}, NIC: a.NIC, ID: a.ID, Bridge: a.linuxBridge(), MTU: a.MTU.Or(0), Network: a.Name,
			Confirm: time.Duration(a.Confirm)}
		if err := env.Platform.Supports(change); err != nil {
			return virt.Outcome{}, err
		}
		there, err := virt.Read(ctx, env.Platform, ref)
		if err != nil {
			return virt.Outcome{}, err
		}
		change.Before = there
		return env.Apply(ctx, change)
	})
	return err
}

// find gives the network that is there: the one of that name, or with reuse one
// of another name that has the VLAN id. nil means that there is none.
func (a *Args) find(ctx context.Context, env *step.Env) (*virt.Network, error) {
	n, err := env.Platform.Network(ctx, a.Name)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, virt.ErrNotFound):
		return nil, err
	case !a.Reuse:
		return nil, nil
	}
	all, err := env.Platform.Networks(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if n.VLAN == a.ID && (a.Ovirt.Cluster == "" || slices.Contains(n.Clusters, a.Ovirt.Cluster)) {
			return n, nil
		}
	}
	return nil, nil
}
