// Package attachnic is the step attach_nic: a further network interface of a VM.
package attachnic

import (
	"context"
	"fmt"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of attach_nic.
type Args struct {
	VM      string `arg:"vm,required,identity" doc:"name of the VM"`
	Name    string `arg:"name,required,identity" doc:"what to call it; the key by which it is found again"`
	Network string `arg:"network,required" doc:"network to connect it to; on an engine also NETWORK/PROFILE, where the network has several vNIC profiles"`
	MAC     string `arg:"mac,create_only" doc:"left out: the platform gives one"`
	Model   string `arg:"model,create_only" doc:"left out: virtio"`
}

// Spec describes attach_nic.
var Spec = &step.Spec{
	Name:    "attach_nic",
	Summary: "Gives a VM a further network interface, at once when it runs",
	Doc:     "An interface of that name is connected to `network`, if it is on another one.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.AttachNIC{}, virt.ChangeNIC{}},
	Touches: virt.KindVM,
	Example: `- name: Into the backup network
  attach_nic: {vm: web-1, name: nic2, network: backup}
`,
}

// Ensure attaches it, or connects it elsewhere.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	return step.Result{}, Bring(ctx, env, vm, virt.NICSpec{Name: a.Name, Network: a.Network, MAC: a.MAC, Model: a.Model})
}

// Bring gives a VM an interface, or connects the one that it has to the network
// that is wanted.
func Bring(ctx context.Context, env *step.Env, vm *virt.VM, want virt.NICSpec) error {
	if have := vm.NIC(want.Name); have != nil {
		warn(env, vm, have, want)
		if !have.IsOn(want.Network) {
			if _, err := env.Apply(ctx, virt.ChangeNIC{On: virt.OnVM(vm), NIC: have.Name, Network: virt.Some(want.Network)}); err != nil {
				return err
			}
			var err error
			if vm, err = env.VM(ctx, vm.Name); err != nil {
				return err
			}
		}
	}
	_, err := env.Apply(ctx, virt.AttachNIC{On: virt.OnVM(vm), NIC: want})
	return err
}

// warn tells of what is written about an interface that was made otherwise, and
// that nobody changes any more.
func warn(env *step.Env, vm *virt.VM, have *virt.NIC, want virt.NICSpec) {
	for _, f := range []struct{ name, want, have string }{{"MAC address", want.MAC, have.MAC.Or("")}, {"model", want.Model, have.Model}} {
		if f.want != "" && f.have != "" && !strings.EqualFold(f.want, f.have) {
			env.Warn(fmt.Sprintf("%s: NIC %q has %s %s and keeps it; %s would hold for a new one", vm.Ref(), have.Name, f.name, f.have, f.want))
		}
	}
}
