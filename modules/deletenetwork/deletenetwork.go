// Package deletenetwork is the step delete_network: no network of that name.
package deletenetwork

import (
	"github.com/nactl/nactl/modules/deletevlan"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of delete_network: those of delete_vlan.
type Args struct {
	deletevlan.Args
}

// Spec describes delete_network.
var Spec = &step.Spec{
	Name:    "delete_network",
	Summary: "Removes a network from every host of the target",
	Doc:     deletevlan.Spec.Doc + "\nOn nodes a bridge that is the node's own stays; one that libvirt made for the network goes with it.",
	New:     func() step.Step { return &Args{} },
	Changes: deletevlan.Spec.Changes,
	Output:  deletevlan.Output{},
	Touches: virt.KindNetwork,
	Bare:    "name",
	Example: `- name: No longer needed
  delete_network: {name: inner}
`,
}
