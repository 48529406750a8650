//go:build cgo

package libvirt

import (
	"slices"
	"strings"
	"sync"

	"github.com/beevik/etree"

	"github.com/nactl/nactl/virt"
)

// afterRestart is the reason of what a running VM never takes over.
const afterRestart = "after a restart"

// readDrift says where a running VM differs from its definition in what nactl
// neither sets by a step of its own nor changes while it runs. CPUs, memory and
// devices are looked at by notePending.
func readDrift(config, running *etree.Element) []virt.Pending {
	var out []virt.Pending
	add := func(field, live, configured string) {
		if live != configured {
			out = append(out, virt.Pending{Field: field, Live: live, Configured: configured, Reason: afterRestart})
		}
	}
	machine := func(e *etree.Element) string {
		if t := e.FindElement("./os/type"); t != nil {
			return t.SelectAttrValue("machine", "")
		}
		return ""
	}
	add("machine", machine(running), machine(config))
	add("firmware", readFirmware(running), readFirmware(config))
	// What a running VM has in place of host-model and the like is what these came to.
	if mode := attr(config, "cpu", "mode"); mode == "custom" || mode == "host-passthrough" || mode == "maximum" {
		add("cpu.mode", attr(running, "cpu", "mode"), mode)
	}
	model := func(e *etree.Element) string {
		if m := e.FindElement("./cpu/model"); m != nil {
			return m.Text()
		}
		return ""
	}
	if attr(config, "cpu", "mode") == "custom" && attr(running, "cpu", "mode") == "custom" {
		add("cpu.model", model(running), model(config))
	}
	add("title", text(running, "title"), text(config, "title"))
	add("description", text(running, "description"), text(config, "description"))
	return out
}

// guestHolds is the reason of a device that the guest was asked to let go of.
const guestHolds = "the guest was asked to let go of it and did not: it needs a driver for hot-plug, or a restart"

// holding remembers the devices that guests did not let go of, so that they are
// asked once in a run and not by every look.
type holding struct {
	mu     sync.Mutex
	fields map[string]any // what was wanted, by the VM's id and the field
}

func (h *holding) remember(vm *virt.VM, field string, wanted any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fields == nil {
		h.fields = map[string]any{}
	}
	h.fields[vm.ID.Or(vm.Name)+" "+field] = wanted
}

// is tells whether a guest was asked for this in vain.
func (h *holding) is(vm *virt.VM, field string, wanted any) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	have, ok := h.fields[vm.ID.Or(vm.Name)+" "+field]
	return ok && have == wanted
}

// whyPending gives the reasons that only this run knows.
func (n *Node) whyPending(vm *virt.VM) func(field string) string {
	return func(field string) string {
		for _, nic := range vm.NICs {
			if strings.HasPrefix(field, "nics."+nic.Name+".") && n.holding.is(vm, "nics."+nic.Name, nic.State()) {
				return guestHolds
			}
		}
		for _, k := range vm.Disks {
			if field == "disks."+k.Name && k.Device == "cdrom" && k.In.Config && !k.In.Live {
				return plugsNoDrive(k.Bus)
			}
		}
		return ""
	}
}

// plugsNoDrive tells why a drive cannot be plugged into a running VM; empty when it
// can.
func plugsNoDrive(bus string) string {
	if bus == "scsi" || bus == "usb" {
		return ""
	}
	return afterRestart + ": no drive is plugged into a running VM on bus " + bus
}

// liveNIC tells why an interface of a running VM cannot be connected otherwise at
// once.
func (n *Node) liveNIC(vm *virt.VM, nic string, want virt.NICState) string {
	switch {
	case n.holding.is(vm, "nics."+nic, want):
		return guestHolds
	case vm.State != virt.Running:
		return afterRestart + ": the VM is " + string(vm.State) + ", so its guest cannot take part"
	}
	return ""
}

// predictDevices adds to a prediction what is pending in devices, as a read would
// find it.
func (n *Node) predictDevices(before, after *virt.VM, c virt.Change, out *virt.Outcome) {
	asked := false
	if c, ok := c.(virt.SetVM); ok && after.Live != nil && c.Boot.IsSet() && !c.Boot.IsUnknown() {
		asked = true
		want, _ := c.Boot.Get()
		live := before.Boot
		if before.Live.Boot != nil {
			live = before.Live.Boot
		}
		after.Live.Boot = nil
		if !slices.Equal(live, want) {
			after.Live.Boot = append([]string{}, live...)
		}
	}
	virt.SetDevicesPending(after, n.whyPending(after))
	for _, p := range after.Pending {
		if asked && p.Field == "boot" {
			out.Pending = append(out.Pending, p)
		}
	}
}
