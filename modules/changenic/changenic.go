// Package changenic is the step change_nic: where a network interface of a VM is
// connected, and whether its link is up.
package changenic

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of change_nic.
type Args struct {
	VM      string           `arg:"vm,required,identity" doc:"name of the VM"`
	NIC     string           `arg:"nic,required,identity" doc:"name of the interface, or its MAC address"`
	Network step.Opt[string] `arg:"network" doc:"network to connect it to; on an engine also NETWORK/PROFILE, where the network has several vNIC profiles, on a node NETWORK/PORTGROUP"`
	Model   step.Opt[string] `arg:"model" enum:"virtio|e1000|e1000e|rtl8139" doc:"the model that the guest sees; on a running VM the interface is unplugged for a moment"`
	LinkUp  step.Opt[bool]   `arg:"link_up" doc:"whether the guest sees a link"`
}

// Spec describes change_nic.
var Spec = &step.Spec{
	Name:    "change_nic",
	Summary: "Connects a network interface of a VM to another network, or sets its link, at once when it runs",
	Doc: "The interface keeps its name and MAC address. It has to be there: attach_nic makes one. What libvirt does not change in a running VM is unplugged and plugged in again; " +
		"a guest that does not let go of it in a minute keeps it as it is until its restart, which is reported as pending. On an engine a network without profile written takes the vNIC profile " +
		"of the network's own name, else its only one.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.ChangeNIC{}},
	Touches: virt.KindVM,
	Example: `- name: Into quarantine
  change_nic: {vm: web-1, nic: nic1, network: quarantine}

- name: Or off the net
  change_nic: {vm: web-1, nic: nic2, link_up: false}
`,
}

// Validate demands that something is wanted.
func (a *Args) Validate(v *step.Validation) {
	if !v.Given("network") && !v.Given("link_up") && !v.Given("model") && !v.Partial {
		v.Errorf("nic", "change_nic changes nothing: write network, model or link_up")
	}
}

// Ensure changes it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.ChangeNIC{On: virt.OnVM(vm), NIC: a.NIC, Network: a.Network.Opt, Model: a.Model.Opt, LinkUp: a.LinkUp.Opt})
	return step.Result{}, err
}
