// Package detachnic is the step detach_nic: a VM without a network interface.
package detachnic

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of detach_nic.
type Args struct {
	VM  string `arg:"vm,required,identity" doc:"name of the VM"`
	NIC string `arg:"nic,required,identity" doc:"name of the interface, or its MAC address"`
}

// Spec describes detach_nic.
var Spec = &step.Spec{
	Name:    "detach_nic",
	Summary: "Takes a network interface from a VM, at once when it runs",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.DetachNIC{}},
	Touches: virt.KindVM,
	Example: `- name: Out of the backup network
  detach_nic: {vm: web-1, nic: nic2}
`,
}

// Ensure detaches it, if it is there.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.DetachNIC{On: virt.OnVM(vm), NIC: a.NIC})
	return step.Result{}, err
}
