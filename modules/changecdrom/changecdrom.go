// Package changecdrom is the step change_cdrom: what is in a VM's CD drive.
package changecdrom

import (
	"context"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of change_cdrom.
type Args struct {
	VM      string `arg:"vm,required,identity" doc:"name of the VM"`
	ISO     string `arg:"iso" doc:"the image: a volume of storage, or an absolute path on the node; on an engine a disk or a file of storage"`
	Storage string `arg:"storage" doc:"the pool or domain that the image is in; left out: that of the VM's own disk"`
	Eject   bool   `arg:"eject" doc:"take out what is in the drive"`
	Drive   string `arg:"drive" doc:"name or target device of the drive; left out: the only one beside that of cloud-init. One that is not there is made"`
	Force   bool   `arg:"force" doc:"also out of a drive that the guest has locked; an engine does not ask the guest"`
}

// Spec describes change_cdrom.
var Spec = &step.Spec{
	Name:    "change_cdrom",
	Summary: "Puts an ISO image into a VM's CD drive, or takes it out, at once when it runs",
	Doc: "A VM without a drive is given one: on its SCSI controller at once, else after a restart, until which it is reported as pending. " +
		"\n\nA VM of an engine has one drive, cdrom. What is put into it is a file of an ISO domain, or a disk of a data domain that was uploaded as an ISO image: upload_volume makes one of a file whose volume is called NAME.iso.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.ChangeCdrom{}},
	Touches: virt.KindVM,
	Example: `- name: The rescue system
  change_cdrom: {vm: web-1, iso: rescue.iso, storage: images}

- name: And out again
  change_cdrom: {vm: web-1, eject: true}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	if a.Eject == (a.ISO != "") {
		v.Errorf("", "change_cdrom takes either iso or eject: true")
	}
	if a.Storage != "" && strings.HasPrefix(a.ISO, "/") {
		v.Errorf("storage", "a path is in no storage: leave storage out, or write the volume's name as iso")
	}
}

// Ensure changes what is in the drive.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	if err := env.Platform.Drives(ctx, vm); err != nil {
		return step.Result{}, err
	}
	c := virt.ChangeCdrom{On: virt.OnVM(vm), Drive: a.Drive, Storage: a.Storage, Force: a.Force}
	switch {
	case a.Eject:
		c.Storage = ""
	case strings.HasPrefix(a.ISO, "/"):
		c.Path = a.ISO
	default:
		c.Volume = a.ISO
	}
	_, err = env.Apply(ctx, c)
	return step.Result{}, err
}
