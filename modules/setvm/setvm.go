// Package setvm is the step set_vm: what describes a VM, and what is rarely changed.
package setvm

import (
	"context"
	"fmt"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of set_vm.
type Args struct {
	VM          string            `arg:"vm,required,identity" doc:"name of the VM"`
	Title       step.Opt[string]  `arg:"title" doc:"a short title; on engines the comment"`
	Description step.Opt[string]  `arg:"description" doc:"a description"`
	Autostart   step.Opt[bool]    `arg:"autostart" doc:"start it with its host; on engines high availability"`
	Boot        step.Opt[[]Boot]  `arg:"boot" doc:"boot order: hd, cdrom, network; of a running VM after a restart"`
	Metadata    map[string]string `arg:"metadata" doc:"nodes only: key-value pairs that nactl keeps with the VM; other keys stay"`
	Libvirt     Libvirt           `arg:"libvirt" doc:"what only libvirt nodes have"`
	Ovirt       Existing          `arg:"ovirt" doc:"what only oVirt engines have"`
}

// Boot is a class of devices to boot from.
type Boot string

// Decode reads one class.
func (b *Boot) Decode(n *source.Node) error {
	text, _ := step.Text(n)
	switch text {
	case "hd", "cdrom", "network":
		*b = Boot(text)
		return nil
	}
	return fmt.Errorf("wanted hd, cdrom or network, found %q", text)
}

// Shape describes a class.
func (*Boot) Shape() step.Shape {
	return step.Shape{Word: "hd, cdrom, network", Text: true, Enum: []string{"hd", "cdrom", "network"}}
}

// Order gives a boot order as changes carry it.
func Order(boot []Boot) []string {
	var out []string
	for _, b := range boot {
		out = append(out, string(b))
	}
	return out
}

// Libvirt is the argument libvirt.
type Libvirt struct {
	XML step.Opt[string] `arg:"xml" doc:"an XML fragment that is merged into the domain's definition"`
}

// Existing is the argument ovirt of a VM that is there.
type Existing struct {
	Ovirt
	Hosts step.Opt[[]string] `arg:"hosts" doc:"the hosts that it starts on; []: any of its cluster"`
}

// settings gives what changes carry; nil where nothing was said.
func (o Existing) settings() *virt.OvirtSettings {
	s := o.Settings()
	s.Hosts = o.Hosts.Opt
	return Said(s)
}

// Spec describes set_vm.
var Spec = &step.Spec{
	Name:    "set_vm",
	Summary: "Sets what describes a VM that is there, and what is rarely changed of it",
	Doc: "Arguments that are left out stay as they are. What a running VM takes over only at its next start is stored, and on engines reported as pending.\n" +
		"CPU and memory are changed by set_cpu and set_memory, disks and network interfaces by steps of their own.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetVM{}},
	Touches: virt.KindVM,
	Example: `- name: Web server of the shop
  set_vm:
    vm: web-1
    title: shop
    description: serves the shop's pages
    autostart: true
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if !v.Partial {
		a.Ovirt.Tags.Check(v, "ovirt.tags")
	}
}

// Sets says what is set to which values.
func (a *Args) Sets() (virt.Ref, map[string]any) {
	fields := map[string]any{}
	step.Say(fields, "title", a.Title)
	step.Say(fields, "description", a.Description)
	step.Say(fields, "autostart", a.Autostart)
	for key, v := range a.Metadata {
		fields["metadata."+key] = v
	}
	a.Ovirt.Say(fields)
	return virt.VMRef(a.VM), fields
}

// Ensure compares and sets.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	_, err = env.Apply(ctx, virt.SetVM{
		On: virt.OnVM(vm), Title: a.Title.Opt, Description: a.Description.Opt, Autostart: a.Autostart.Opt, Boot: step.Map(a.Boot, Order),
		Metadata: a.Metadata, LibvirtXML: a.Libvirt.XML.Opt, Tags: a.Ovirt.Tags.Edit(), Ovirt: a.Ovirt.settings(),
	})
	return step.Result{}, err
}
