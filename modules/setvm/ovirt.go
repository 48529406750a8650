package setvm

import (
	"reflect"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Ovirt are the settings that only engines have, of VMs that are made and of those
// that are there.
type Ovirt struct {
	Tags             step.Tags         `arg:"tags" doc:"tags that the VM has: a list, others stay; or {add, remove, exactly}. Those that the engine lacks are made"`
	HAPriority       step.Opt[int]     `arg:"ha_priority" min:"0" max:"100" doc:"with autostart: which VMs are started first elsewhere"`
	Affinity         step.Opt[string]  `arg:"affinity" enum:"migratable|user_migratable|pinned" doc:"how closely the VM is bound to its hosts"`
	DeleteProtected  step.Opt[bool]    `arg:"delete_protected" doc:"the engine refuses to delete the VM"`
	CustomProperties map[string]string `arg:"custom_properties" doc:"custom properties that the engine knows; others stay, and an empty value takes one away. In force after a restart"`
}

// Settings gives what changes carry.
func (o Ovirt) Settings() virt.OvirtSettings {
	return virt.OvirtSettings{HAPriority: o.HAPriority.Opt, Affinity: o.Affinity.Opt, DeleteProtected: o.DeleteProtected.Opt,
		CustomProperties: o.CustomProperties}
}

// Said gives the settings, nil where nothing was said.
func Said(s virt.OvirtSettings) *virt.OvirtSettings {
	if reflect.ValueOf(s).IsZero() {
		return nil
	}
	return &s
}

// Say adds the settings to the fields that a Setter gives.
func (o Ovirt) Say(fields map[string]any) {
	o.Tags.Say(fields)
	step.Say(fields, "ovirt.ha_priority", o.HAPriority)
	step.Say(fields, "ovirt.affinity", o.Affinity)
	step.Say(fields, "ovirt.delete_protected", o.DeleteProtected)
	for name, v := range o.CustomProperties {
		fields["ovirt.custom_properties."+name] = v
	}
}
