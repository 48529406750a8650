// Package modules is the list of the steps that a playbook can use.
package modules

import (
	"github.com/nactl/nactl/modules/assert"
	"github.com/nactl/nactl/modules/attachdisk"
	"github.com/nactl/nactl/modules/attachnic"
	"github.com/nactl/nactl/modules/changenic"
	"github.com/nactl/nactl/modules/createsnapshot"
	"github.com/nactl/nactl/modules/createvlan"
	"github.com/nactl/nactl/modules/createvm"
	"github.com/nactl/nactl/modules/debug"
	"github.com/nactl/nactl/modules/deleteaffinity"
	"github.com/nactl/nactl/modules/deletesnapshot"
	"github.com/nactl/nactl/modules/deletevlan"
	"github.com/nactl/nactl/modules/deletevm"
	"github.com/nactl/nactl/modules/detachdisk"
	"github.com/nactl/nactl/modules/detachnic"
	"github.com/nactl/nactl/modules/fail"
	"github.com/nactl/nactl/modules/guestexec"
	"github.com/nactl/nactl/modules/guestfile"
	"github.com/nactl/nactl/modules/hostactivate"
	"github.com/nactl/nactl/modules/hostexec"
	"github.com/nactl/nactl/modules/hostfacts"
	"github.com/nactl/nactl/modules/hostmaintenance"
	"github.com/nactl/nactl/modules/httprequest"
	"github.com/nactl/nactl/modules/localexec"
	"github.com/nactl/nactl/modules/localfile"
	"github.com/nactl/nactl/modules/migrate"
	"github.com/nactl/nactl/modules/pause"
	"github.com/nactl/nactl/modules/power"
	"github.com/nactl/nactl/modules/resizedisk"
	"github.com/nactl/nactl/modules/revertsnapshot"
	"github.com/nactl/nactl/modules/setaffinity"
	"github.com/nactl/nactl/modules/setcpu"
	"github.com/nactl/nactl/modules/setmemory"
	"github.com/nactl/nactl/modules/setpassword"
	"github.com/nactl/nactl/modules/setvars"
	"github.com/nactl/nactl/modules/setvm"
	"github.com/nactl/nactl/modules/sshkeys"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/modules/vmfacts"
	"github.com/nactl/nactl/modules/waitfor"
)

// Registry gives all steps.
func Registry() *step.Registry {
	return step.NewRegistry(
		assert.Spec,
		attachdisk.Spec,
		attachnic.Spec,
		changenic.Spec,
		createsnapshot.Spec,
		createvlan.Spec,
		createvm.Spec,
		debug.Spec,
		deleteaffinity.Spec,
		deletesnapshot.Spec,
		deletevlan.Spec,
		deletevm.Spec,
		detachdisk.Spec,
		detachnic.Spec,
		fail.Spec,
		guestexec.Spec,
		guestfile.Spec,
		hostactivate.Spec,
		hostexec.Spec,
		hostfacts.Spec,
		hostmaintenance.Spec,
		httprequest.Spec,
		localexec.Spec,
		localfile.Spec,
		migrate.Spec,
		pause.Spec,
		power.Spec,
		resizedisk.Spec,
		revertsnapshot.Spec,
		setaffinity.Spec,
		setcpu.Spec,
		setmemory.Spec,
		setpassword.Spec,
		setvars.Spec,
		setvm.Spec,
		sshkeys.Spec,
		vmfacts.Spec,
		waitfor.Spec,
	)
}
