package migrate

import (
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// How are the arguments that say how a VM gets to another host.
type How struct {
	Live         bool                `arg:"live" default:"true" doc:"keep the guest running while it moves; a stopped VM moves as a definition"`
	CopyStorage  bool                `arg:"copy_storage" doc:"copy disks that both hosts do not share"`
	Bandwidth    step.Opt[step.Size] `arg:"bandwidth" doc:"at most this much a second"`
	Networks     map[string]string   `arg:"networks" doc:"networks that have another name on the destination: {here: there}"`
	Mode         string              `arg:"mode" enum:"client|peer" doc:"who conducts a move between nodes: this process, or the source's libvirt; left out: client"`
	PostCopy     bool                `arg:"post_copy" doc:"let the guest go on at its destination after one pass over its memory, with the rest to follow: the move always ends, and from there on the guest is lost if either host or the way between them is. Nodes only"`
	AutoConverge step.Opt[bool]      `arg:"auto_converge" doc:"slow the guest down while it writes faster than its memory is sent; left out: nodes do. Nodes only"`
	Compressed   bool                `arg:"compressed" doc:"send memory that changed again as its difference. Nodes only"`
	Parallel     int                 `arg:"connections" min:"2" max:"255" doc:"send the memory over so many connections at once. Nodes only"`
	Timeout      step.Duration       `arg:"timeout" doc:"give a move up that takes longer; left out: never"`
}

// Check demands arguments that go together: QEMU has neither compression nor
// post-copy over several connections.
func (h *How) Check(v *step.Validation) {
	for _, key := range []string{"post_copy", "compressed"} {
		if v.Given(key) && v.Given("connections") {
			v.Errorf(key, "%s and connections do not go together: QEMU cannot do both at once", key)
		}
	}
	if h.PostCopy && !h.Live {
		v.Errorf("post_copy", "post_copy needs live: true: a guest that stands still has nothing to gain by it")
	}
}

// Change gives the change that moves a VM so; where to is left open.
func (h *How) Change(vm *virt.VM) virt.Migrate {
	bandwidth, _ := h.Bandwidth.Get()
	return virt.Migrate{
		On: virt.OnVM(vm), Live: h.Live && vm.State.IsLive(), CopyStorage: h.CopyStorage, Bandwidth: int64(bandwidth), Networks: h.Networks,
		Tuning: virt.Tuning{Mode: h.Mode, PostCopy: h.PostCopy, AutoConverge: h.AutoConverge.Opt, Compressed: h.Compressed,
			Parallel: h.Parallel, Timeout: time.Duration(h.Timeout)},
	}
}
