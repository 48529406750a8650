// Package vmfacts is the step vm_facts: what is known of a VM.
package vmfacts

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of vm_facts.
type Args struct {
	VM string `arg:"vm,required,identity" doc:"name of the VM"`
}

// Facts are the output of vm_facts. Sizes are bytes.
type Facts struct {
	Exists     bool               `json:"exists"`
	Name       string             `json:"name"`
	ID         virt.Opt[string]   `json:"id"`
	State      virt.PowerState    `json:"state"`
	CPU        virt.CPU           `json:"cpu"`
	Memory     virt.Memory        `json:"memory"`
	Disks      []virt.Disk        `json:"disks"`
	NICs       []virt.NIC         `json:"nics"`
	Autostart  bool               `json:"autostart"`
	Host       virt.Opt[string]   `json:"host"`
	Metadata   map[string]string  `json:"metadata"`
	Tags       []string           `json:"tags"` // engines only
	Pending    []virt.Pending     `json:"pending"`
	Unfinished bool               `json:"unfinished"`
	Agent      virt.Opt[string]   `json:"agent"`     // connected, disconnected, absent; empty when stopped
	Hostname   virt.Opt[string]   `json:"hostname"`  // as the guest calls itself
	OS         virt.Opt[string]   `json:"os"`        // as the guest calls its system
	Addresses  virt.Opt[[]string] `json:"addresses"` // without prefix length; loopback and link-local ones left out
	IP         virt.Opt[string]   `json:"ip"`        // the first IPv4 address, else the first address, else empty
}

// Spec describes vm_facts.
var Spec = &step.Spec{
	Name:    "vm_facts",
	Summary: "Reads what is known of a VM, from the platform and from the agent inside it",
	Doc:     "A VM that is not there is no failure: `exists` is false then. Always read afresh.",
	New:     func() step.Step { return &Args{} },
	Output:  Facts{},
	Bare:    "vm",
	Example: `- name: Where is it
  vm_facts: {vm: web-1}
  register: web
`,
}

// Ensure reads.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	env.Platform.Forget(virt.VMRef(a.VM))
	vm, err := env.Platform.VM(ctx, a.VM)
	if errors.Is(err, virt.ErrNotFound) {
		return step.Result{Output: Facts{Name: a.VM}}, nil
	}
	if err != nil {
		return step.Result{}, err
	}
	if err := env.Platform.DiskSizes(ctx, vm); err != nil {
		return step.Result{}, err
	}
	f := Facts{
		Exists: true, Name: vm.Name, ID: vm.ID, State: vm.State, CPU: vm.CPU, Memory: vm.Memory, Disks: vm.Disks, NICs: vm.NICs,
		Autostart: vm.Autostart, Host: vm.Host, Metadata: vm.Metadata, Tags: vm.Tags, Pending: vm.Pending, Unfinished: vm.Unfinished != "",
		Agent: virt.Some(""), Hostname: virt.Some(""), OS: virt.Some(""), Addresses: virt.Some([]string{}), IP: virt.Some(""),
	}
	if vm.State != virt.Running {
		return step.Result{Output: f}, nil
	}
	info, err := env.Platform.GuestInfo(ctx, a.VM)
	switch {
	case errors.Is(err, virt.ErrUndecided):
		f.Agent, f.Hostname, f.OS, f.IP = virt.Unknown[string](), virt.Unknown[string](), virt.Unknown[string](), virt.Unknown[string]()
		f.Addresses = virt.Unknown[[]string]()
	case err != nil:
		return step.Result{}, err
	default:
		addresses := Addresses(info)
		f.Agent, f.Hostname, f.OS = virt.Some(string(info.Agent)), virt.Some(info.Hostname), virt.Some(info.OS)
		f.Addresses, f.IP = virt.Some(addresses), virt.Some(FirstIP(addresses))
	}
	return step.Result{Output: f}, nil
}

// Addresses gives the addresses by which others can reach a guest.
func Addresses(info *virt.GuestInfo) []string {
	out := []string{}
	for _, nic := range info.Addresses {
		for _, text := range nic.Addresses {
			text, _, _ = strings.Cut(text, "/")
			if ip, err := netip.ParseAddr(text); err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
				out = append(out, text)
			}
		}
	}
	return out
}

// FirstIP gives the first IPv4 address, else the first address, else "".
func FirstIP(addresses []string) string {
	for _, a := range addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is4() {
			return a
		}
	}
	if len(addresses) > 0 {
		return addresses[0]
	}
	return ""
}
