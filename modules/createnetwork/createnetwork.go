// Package createnetwork is the step create_network: a network that NICs attach to.
package createnetwork

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/nactl/nactl/modules/createvlan"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_network.
type Args struct {
	Name      string           `arg:"name,required,identity" doc:"name of the network, by which NICs refer to it"`
	Type      string           `arg:"type" enum:"nat|route|isolated|bridge|ovs" doc:"on nodes: nat leads out behind the node's address, route by the node's routes, isolated nowhere; bridge and ovs are bridges that the node has. Left out: nat with an address, bridge with a bridge, else isolated"`
	Bridge    string           `arg:"bridge" doc:"of type bridge, the Linux bridge; of ovs the Open vSwitch bridge, which may be left out where there is only one; of the others the bridge that libvirt makes, which may be left out"`
	Address   string           `arg:"address" doc:"of nat, route and isolated: the node's own address on it with the prefix length, as 192.168.50.1/24"`
	Forward   string           `arg:"forward" doc:"of nat and route: the only NIC of the node that it leads out of"`
	DHCP      DHCP             `arg:"dhcp" doc:"addresses that the node gives away on it"`
	DNS       DNS              `arg:"dns" doc:"the DNS server that the node runs on it"`
	Domain    string           `arg:"domain" doc:"the DNS domain of its VMs"`
	MTU       step.Opt[int]    `arg:"mtu" min:"576" max:"65535" doc:"largest packet, in bytes; a bridge of the node has its own"`
	Autostart step.Opt[bool]   `arg:"autostart" doc:"it starts with its node; left out: true"`
	Host      string           `arg:"host" doc:"only on this host; left out: on all hosts of the target, of the cluster on an engine"`
	Ovirt     createvlan.Ovirt `arg:"ovirt" doc:"what only oVirt engines have"`
}

// DHCP is the argument dhcp.
type DHCP struct {
	Start string  `arg:"start" doc:"first address of the range"`
	End   string  `arg:"end" doc:"last address of the range"`
	Hosts []Lease `arg:"hosts" doc:"addresses kept for one MAC each; an existing network gets them while it runs, and keeps those that are not named here"`
	Exact bool    `arg:"exact" doc:"kept addresses that are not named here are taken away"`
}

// Lease is one of dhcp's hosts.
type Lease struct {
	MAC  string `arg:"mac,required" doc:"MAC of the NIC, as 52:54:00:12:34:56"`
	IP   string `arg:"ip,required" doc:"its address"`
	Name string `arg:"name" doc:"its name, which the network's DNS server knows"`
}

// DNS is the argument dns.
type DNS struct {
	Enabled    step.Opt[bool]     `arg:"enabled" doc:"a DNS server answers on it; left out: true"`
	Forwarders step.Opt[[]string] `arg:"forwarders" doc:"addresses of the DNS servers that are asked for other names; left out: the node's own"`
}

// Spec describes create_network.
var Spec = &step.Spec{
	Name:    "create_network",
	Summary: "Makes a network on every host of the target, and brings the DHCP of one that is there to what is written",
	Doc: "On nodes it is a libvirt network, started now and with its node. Of one that is there only what is written is compared: DHCP is changed while the network runs, with its VMs attached, " +
		"and in its definition; for anything else that differs libvirt would have to stop the network under its VMs, so that is refused, and nothing is made anew.\n" +
		"On engines it is a VM network without a VLAN in the cluster's data centre, on each host of the cluster by `host_nic`; what nodes serve themselves an engine's networks do not have. " +
		"A network with a VLAN is made by create_vlan.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CreateNetwork{}},
	Output:  createvlan.Output{},
	Touches: virt.KindNetwork,
	Example: `- name: A network behind the node's own address
  create_network:
    name: inner
    type: nat
    address: 192.168.50.1/24
    domain: inner.example
    dhcp:
      start: 192.168.50.100
      end: 192.168.50.199
      hosts:
        - {mac: "52:54:00:12:34:56", ip: 192.168.50.10, name: web-1}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if (a.DHCP.Start == "") != (a.DHCP.End == "") {
		v.Errorf("dhcp", "a range of dhcp needs start and end")
	}
	if (v.Given("dhcp") || v.Given("dns") || v.Given("domain")) && (a.Type == "bridge" || a.Type == "ovs") {
		v.Errorf("type", "dhcp, dns and domain are for networks that the node serves: nat, route and isolated; what serves a bridge is elsewhere")
	}
	if (a.Type == "nat" || a.Type == "route") && !v.Given("address") && (a.DHCP.Start != "" || len(a.DHCP.Hosts) > 0) {
		return // the address may be that of a network that is there
	}
	if a.Address == "" {
		return
	}
	prefix, err := netip.ParsePrefix(a.Address)
	if err != nil {
		v.Errorf("address", "%q is not an address with a prefix length, as 192.168.50.1/24", a.Address)
		return
	}
	inside := func(what, text string) {
		if ip, err := netip.ParseAddr(text); text != "" && (err != nil || !prefix.Contains(ip)) {
			v.Errorf("dhcp", "%s %q is not an address of %s", what, text, prefix.Masked())
		}
	}
	inside("start", a.DHCP.Start)
	inside("end", a.DHCP.End)
	for _, h := range a.DHCP.Hosts {
		inside("ip", h.IP)
	}
}

// nodesOnly names the arguments that no engine's network has.
func (a *Args) nodesOnly() string {
	for _, x := range []struct {
		name  string
		given bool
	}{{"type", a.Type != ""}, {"bridge", a.Bridge != ""}, {"address", a.Address != ""}, {"forward", a.Forward != ""},
		{"dhcp", a.DHCP.Start != "" || len(a.DHCP.Hosts) > 0 || a.DHCP.Exact}, {"dns", a.DNS.Enabled.IsSet() || a.DNS.Forwarders.IsSet()}, {"domain", a.Domain != ""}, {"autostart", a.Autostart.IsSet()}} {
		if x.given {
			return x.name
		}
	}
	return ""
}

// Ensure makes it where it is missing, and brings its DHCP to what is written.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	ref := virt.NetworkRef(a.Name)
	if env.Platform.Type() == "ovirt" {
		if name := a.nodesOnly(); name != "" {
			return step.Result{}, &virt.Error{Kind: virt.ErrUnsupported, Object: ref, Summary: "is an engine's network, and has no " + name,
				Hint: "leave " + name + " out for this target: it is for networks of libvirt nodes"}
		}
		return (&createvlan.Args{Name: a.Name, MTU: a.MTU, Host: a.Host, Ovirt: a.Ovirt}).Ensure(ctx, env)
	}
	change := virt.CreateNetwork{On: virt.On{Ref: ref}, Type: a.kind(), MTU: a.MTU.Or(0), Bridge: a.Bridge,
		IP: a.served(), ExactLeases: a.DHCP.Exact, Autostart: a.Autostart.Opt}
	ready, _, _, err := createvlan.Among{Host: a.Host}.Hosts(ctx, env)
	if err != nil {
		return step.Result{}, err
	}
	change.Hosts = ready
	there, err := env.Platform.Network(ctx, a.Name)
	switch {
	case err == nil:
		change.Before = there
		if a.Type == "" { // of one that is there only what is written is compared
			change.Type = there.Type
		}
	case !errors.Is(err, virt.ErrNotFound):
		return step.Result{}, err
	}
	out, err := env.Apply(ctx, change)
	if err != nil {
		return step.Result{}, err
	}
	now := there
	if out.Changed {
		if now, err = env.Platform.Network(ctx, a.Name); err != nil {
			return step.Result{}, err
		}
	}
	return step.Result{Output: createvlan.Output{Name: a.Name, Hosts: createvlan.Report(there, now, ready, nil)}}, nil
}

// kind gives the type as virt calls it.
func (a *Args) kind() string {
	switch {
	case a.Type == "ovs":
		return "openvswitch"
	case a.Type != "":
		return a.Type
	case a.Address != "":
		return "nat"
	case a.Bridge != "":
		return "bridge"
	default:
		return "isolated"
	}
}

// served gives what the node is to serve.
func (a *Args) served() virt.NetworkIPSpec {
	s := virt.NetworkIPSpec{Address: a.Address, Forward: a.Forward, Domain: a.Domain, DNS: a.DNS.Enabled.Opt, Forwarders: a.DNS.Forwarders.Opt}
	if a.DHCP.Start != "" {
		s.Range = &virt.DHCPRange{Start: a.DHCP.Start, End: a.DHCP.End}
	}
	for _, h := range a.DHCP.Hosts {
		s.Leases = append(s.Leases, virt.DHCPHost{MAC: strings.ToLower(h.MAC), IP: h.IP, Name: h.Name})
	}
	return s
}
