package ovirtsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// statusWords are how validation messages name a VM's status.
var statusWords = map[string]string{
	"down": "Down", "up": "Up", "powering_up": "Powering Up", "powering_down": "Powering Down", "paused": "Paused",
	"migrating": "Migrating From", "suspended": "Suspended", "image_locked": "Image Locked", "saving_state": "Saving State",
	"restoring_state": "Restoring State", "wait_for_launch": "Wait For Launch", "reboot_in_progress": "Reboot in Progress",
	"not_responding": "Not Responding", "unknown": "Unknown", "unassigned": "Unassigned",
}

// runnable is the check that all commands on a VM's power have in common: the
// engine's locks and the image's.
func (c command) runnable(vm *object) error {
	switch {
	case vm.lock != nil:
		return c.refuse(vm.lock.key, vm.lock.args...)
	case vm.status() == "image_locked":
		return c.refuse("ACTION_TYPE_FAILED_VM_IS_LOCKED")
	}
	return nil
}

func (c command) badStatus(vm *object) error {
	return c.refuse("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", "vmStatus", statusWords[vm.status()])
}

// vmAfter runs fn after d unless another power change came in between.
func (e *Engine) vmAfter(vm *object, d time.Duration, fn func()) {
	vm.gen++
	gen := vm.gen
	e.clock.after(d, func() {
		if vm.gen == gen {
			fn()
		}
	})
}

// startVM is the action start.
func (e *Engine) startVM(c *call, vm *object) error {
	cmd := command{"run", "VM"}
	inits := 0
	for _, f := range []string{"use_cloud_init", "use_sysprep", "use_ignition"} {
		if c.body.bool(f) {
			inits++
		}
	}
	if inits > 1 {
		return plain(409, "Cannot use multiple initialization tags simultaneously when running VM.", "")
	}
	if err := cmd.runnable(vm); err != nil {
		return err
	}
	was := vm.status()
	if was != "down" && was != "suspended" && was != "paused" {
		return cmd.refuse("ACTION_TYPE_FAILED_VM_IS_RUNNING")
	}
	c.reply = []*elem{ref("vm", vm.id)}
	if was == "paused" {
		vm.set("status", "up")
		return nil
	}
	body := vm.body
	once := c.body.kid("vm")
	var on *object // the only host to start on, nil for any
	if once != nil {
		body = body.merge(once.only("os", "initialization", "stateless", "display", "custom_properties"))
		to, err := e.placed(once, e.col("clusters").ids[vm.refID("cluster")], cmd)
		if err != nil {
			return err
		}
		if hosts := to.list("placement_policy/hosts"); len(hosts) > 0 {
			on = e.col("hosts").ids[hosts[0].id]
		}
	}
	if err := e.bootable(vm, body, cmd); err != nil {
		return err
	}
	if l := e.lockedDisks(vm); len(l) > 0 {
		return cmd.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", strings.Join(l, ", "))
	}
	host, err := e.schedule(vm, body, func(h *object) bool { return on == nil || h == on }, cmd)
	if err != nil {
		return err
	}
	// What is for this run only goes to the host and is stored nowhere: a VM is shown
	// as its configuration is.
	vm.told = body.kid("initialization")
	vm.body = vm.body.without("stop_reason")
	if was == "down" {
		vm.set("run_once", boolean("", once != nil).text)
	}
	vm.put(ref("host", host.id))
	e.launch(c, vm, host, was == "suspended", c.body.bool("pause") || body.bool("start_paused"))
	return nil
}

// launch takes a VM from a host's acceptance to up.
func (e *Engine) launch(c *call, vm, host *object, restore, pause bool) {
	end := e.later(c, "Launching VM "+vm.name())
	corr := c.corr
	cloudInit := c.body.bool("use_cloud_init") || c.body.bool("use_initialization")
	if !vm.inited && !c.body.has("use_cloud_init") {
		cloudInit = vm.body.has("initialization")
	}
	vm.set("status", "wait_for_launch")
	vm.put(date("start_time", e.clock.now()))
	if !restore {
		for _, cd := range e.cdroms(vm) {
			cd.inDrive = cd.body.kid("file")
		}
	}
	e.vmAfter(vm, e.time.Launch, func() {
		if e.rules["nostart "+vm.name()] {
			e.event(corr, evStartFailed, "error", "Failed to run VM "+vm.name()+".", vm, host)
			end(false)
			e.powerOff(vm)
			return
		}
		end(true)
		e.event(corr, evStarted, "normal", fmt.Sprintf("VM %s was started by %s (Host: %s).", vm.name(), e.opts.User, host.name()), vm, host)
		took := e.time.Boot
		vm.set("status", "powering_up")
		if restore {
			vm.set("status", "restoring_state")
			took = e.time.Suspend
		}
		if pause {
			vm.set("status", "paused")
			return
		}
		e.vmAfter(vm, took, func() { e.booted(vm, cloudInit) })
	})
}

// booted is the guest agent's first report.
func (e *Engine) booted(vm *object, cloudInit bool) {
	vm.set("status", "up")
	vm.inited = true
	if e.rules["noagent "+vm.name()] {
		return
	}
	if vm.addrs == nil {
		vm.addrs = map[string][]string{}
	}
	told := vm.told
	if told == nil {
		told = el("initialization")
	}
	if cloudInit {
		vm.userData = told.get("custom_script")
	}
	given := told.list("nic_configurations")
	for i, n := range vm.sub("nics") {
		mac := n.get("mac/address")
		if cloudInit && !vm.pinned && i < len(given) && given[i].get("ip/address") != "" {
			vm.addrs[mac] = []string{given[i].get("ip/address")}
		}
		if len(vm.addrs[mac]) == 0 && !vm.fixed {
			e.leases++
			vm.addrs[mac] = []string{fmt.Sprintf("10.%d.%d.%d", e.leases>>16&255, e.leases>>8&255, e.leases&255)}
		}
	}
	fqdn := vm.get("initialization/host_name")
	if fqdn == "" {
		fqdn = vm.name()
	}
	vm.set("fqdn", fqdn)
}

// bootable is the check of what a VM boots from.
func (e *Engine) bootable(vm *object, body *elem, cmd command) error {
	for _, d := range body.list("os/boot/devices") {
		if d.text != "hd" {
			return nil // the firmware goes on to the next device
		}
	}
	plugged, boots := false, false
	for _, a := range vm.sub("diskattachments") {
		boots = boots || a.body.bool("bootable")
		plugged = plugged || a.body.bool("active")
	}
	switch {
	case !boots:
		return cmd.refuse("VM_CANNOT_RUN_FROM_DISK_WITHOUT_DISK")
	case !plugged:
		return cmd.refuse("VM_CANNOT_RUN_FROM_DISK_WITHOUT_PLUGGED_DISK")
	}
	return nil
}

// schedule picks the host with the most free memory of those that may be taken.
func (e *Engine) schedule(vm *object, body *elem, may func(host *object) bool, cmd command) (*object, error) {
	pinned := body.list("placement_policy/hosts")
	var best *object
	var bestFree int64
	var why []string
	up := 0
	for _, h := range e.filter("hosts", "cluster", body.refID("cluster")) {
		if !may(h) || h.status() != "up" {
			continue
		}
		up++
		if len(pinned) > 0 && body.get("placement_policy/affinity") == "pinned" &&
			!slices.ContainsFunc(pinned, func(p *elem) bool { return p.id == h.id }) {
			why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter PinToHost.", h.name()))
			continue
		}
		free := h.body.int("max_scheduling_memory") - e.committed(h)
		if free < body.int("memory_policy/guaranteed") {
			why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter Memory because its available memory is too low (%d MB) to run the VM.",
				h.name(), max(0, free/mib)))
			continue
		}
		if missing := e.missingNetworks(vm, h); len(missing) > 0 {
			why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter Network because network(s) %s are missing.",
				h.name(), strings.Join(missing, ", ")))
			continue
		}
		if filter := e.unfit(vm, h); filter != "" {
			why = append(why, fmt.Sprintf("The host %s did not satisfy internal filter %s.", h.name(), filter))
			continue
		}
		if best == nil || free > bestFree {
			best, bestFree = h, free
		}
	}
	if best != nil {
		return best, nil
	}
	if up == 0 {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_NO_VDS_AVAILABLE_IN_CLUSTER")
	}
	f := cmd.refuse("SCHEDULING_ALL_HOSTS_FILTERED_OUT")
	f.detail = strings.TrimSuffix(f.detail, "]") + ", " + strings.Join(why, ", ") + "]"
	return nil, f
}

// committed is the memory that running VMs were promised on a host.
func (e *Engine) committed(h *object) int64 {
	var sum int64
	for _, v := range e.vms() {
		if v.refID("host") == h.id {
			sum += v.body.int("memory_policy/guaranteed")
		}
	}
	return sum
}

// missingNetworks are the VM networks that a host would have to carry.
func (e *Engine) missingNetworks(vm, h *object) []string {
	var out []string
	for _, n := range vm.sub("nics") {
		p := e.col("vnicprofiles").ids[n.refID("vnic_profile")]
		if p == nil || !n.body.bool("plugged") {
			continue
		}
		net := e.col("networks").ids[p.refID("network")]
		if net != nil && !net.body.has("external_provider") && e.attachedNet(h, net.id) == nil {
			out = append(out, net.name())
		}
	}
	return out
}

// powerOff is the end of every run: the next-run configuration comes into force.
func (e *Engine) powerOff(vm *object) {
	vm.gen++
	if vm.next != nil {
		vm.body, vm.next = vm.next, nil
	}
	vm.drop("host", "fqdn", "start_time")
	vm.set("status", "down")
	vm.set("run_once", "false")
	vm.set("next_run_configuration_exists", "false")
	vm.put(date("stop_time", e.clock.now()))
}

// stopVM is the action stop.
func (e *Engine) stopVM(c *call, vm *object) error {
	cmd := command{"stop", "VM"}
	if err := cmd.stoppable(vm); err != nil {
		return err
	}
	e.halt(c, vm, e.time.Down, "Stopping VM "+vm.name())
	return nil
}

func (c command) stoppable(vm *object) error {
	if err := c.runnable(vm); err != nil && vm.status() != "migrating" {
		return err
	}
	switch vm.status() {
	case "down":
		return c.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_RUNNING")
	case "saving_state", "restoring_state", "unassigned", "unknown":
		return c.badStatus(vm)
	}
	return nil
}

func (e *Engine) halt(c *call, vm *object, d time.Duration, what string) {
	end := e.later(c, what)
	corr := c.corr
	reason := c.body.get("reason")
	vm.lock = nil
	if vm.status() == "suspended" {
		d = 0
	}
	vm.set("status", "powering_down")
	c.reply = []*elem{ref("vm", vm.id)}
	e.vmAfter(vm, d, func() {
		e.powerOff(vm)
		vm.set("stop_reason", reason)
		e.event(corr, evDown, "normal", "VM "+vm.name()+" is down.", vm)
		end(true)
	})
}

// shutdownVM is the action shutdown: a stop when the guest cannot be asked.
func (e *Engine) shutdownVM(c *call, vm *object) error {
	cmd := command{"shutdown", "VM"}
	if err := cmd.stoppable(vm); err != nil {
		return err
	}
	if vm.status() != "up" {
		e.halt(c, vm, e.time.Down, "Stopping VM "+vm.name())
		return nil
	}
	if e.rules["noshutdown "+vm.name()] {
		vm.set("status", "powering_down")
		e.vmAfter(vm, e.time.Shutdown, func() { vm.set("status", "up") })
		return nil
	}
	e.halt(c, vm, e.time.Shutdown, "Shutting down VM "+vm.name())
	return nil
}

// rebootVM is the action reboot.
func (e *Engine) rebootVM(c *call, vm *object) error {
	cmd := command{"restart", "VM"}
	if err := cmd.runnable(vm); err != nil {
		return err
	}
	if s := vm.status(); s != "up" && s != "powering_up" {
		return cmd.badStatus(vm)
	}
	end := e.later(c, "Rebooting VM "+vm.name())
	vm.set("status", "reboot_in_progress")
	e.event(c.corr, evRebooted, "normal", "User "+e.opts.User+" initiated reboot for VM "+vm.name()+".", vm)
	e.vmAfter(vm, e.time.Reboot, func() {
		if vm.next != nil { // the engine makes it a cold reboot
			host := vm.body.kid("host")
			vm.body, vm.next = vm.next, nil
			vm.put(host)
			vm.set("next_run_configuration_exists", "false")
		}
		vm.set("status", "up")
		end(true)
	})
	return nil
}

// suspendVM is the action suspend.
func (e *Engine) suspendVM(c *call, vm *object) error {
	cmd := command{"hibernate", "VM"}
	if err := cmd.runnable(vm); err != nil {
		return err
	}
	if vm.status() != "up" {
		if !running(vm) {
			return cmd.refuse("ACTION_TYPE_FAILED_VM_IS_NOT_RUNNING")
		}
		return cmd.badStatus(vm)
	}
	end := e.later(c, "Hibernating VM "+vm.name())
	vm.lock = &lock{key: "ACTION_TYPE_FAILED_OBJECT_LOCKED"}
	vm.set("status", "saving_state")
	corr := c.corr
	c.code = 202
	e.vmAfter(vm, e.time.Suspend, func() {
		vm.lock = nil
		vm.set("status", "suspended")
		vm.drop("host")
		e.event(corr, evSuspended, "normal", "VM "+vm.name()+" is suspended.", vm)
		end(true)
	})
	return nil
}
