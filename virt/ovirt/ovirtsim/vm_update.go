package ovirtsim

import (
	"slices"
)

// anytime are the elements of a VM that can change while it runs.
var anytime = []string{"name", "description", "comment", "delete_protected", "high_availability", "migration",
	"migration_downtime", "placement_policy", "initialization", "large_icon", "small_icon", "quota", "cpu_profile"}

// anytimeIn are such elements of elements whose others cannot change.
var anytimeIn = []string{"os/type", "display/disconnect_action", "display/disconnect_action_delay", "display/allow_override"}

// atOnce returns a running VM's document with what can change in it.
func atOnce(live, want *elem) *elem {
	for _, name := range anytime {
		if k := want.kid(name); k != nil {
			live = live.put(k)
		}
	}
	for _, path := range anytimeIn {
		if want.has(path) {
			live = live.with(path, want.get(path))
		}
	}
	return live
}

// updateVM is PUT /vms/{id}.
func (e *Engine) updateVM(c *call, vm *object) error {
	in := c.body
	switch s := vm.status(); {
	case vm.lock != nil:
		return editVMs.refuse(vm.lock.key, vm.lock.args...)
	case s == "image_locked":
		return editVMs.refuse("ACTION_TYPE_FAILED_VM_IS_LOCKED")
	case s == "migrating", s == "saving_state", s == "restoring_state", s == "unknown", s == "suspended":
		return editVMs.refuse("VM_STATUS_NOT_VALID_FOR_UPDATE")
	}
	cluster := e.col("clusters").ids[vm.refID("cluster")]
	if in.has("cluster") {
		to, err := e.clusterOf(in)
		if err != nil {
			return err
		}
		if to != cluster && running(vm) {
			return editVMs.refuse("VM_STATUS_NOT_VALID_FOR_UPDATE")
		}
		if to != cluster {
			if err := e.canChangeCluster(vm, to, command{"edit", "VM"}); err != nil {
				return err
			}
		}
		cluster = to
	}
	in, err := e.placed(in, cluster, editVMs)
	if err != nil {
		return err
	}
	if n := in.get("name"); in.has("name") && n != vm.name() {
		if err := e.checkName(n, cluster.refID("data_center"), vm, editVMs); err != nil {
			return err
		}
	}
	old := vm.body
	if vm.next != nil && c.param("next_run") {
		old = vm.next // else what waits for the next start is overwritten
	}
	want := unplaced(old, in).merge(in.without("cluster", "template", "disk_attachments", "nics", "tags", "cdroms", "console", "rng_device",
		"soundcard", "virtio_scsi", "memory", "memory_policy", "status", "host"))
	want = updateMemory(want, in)
	want = want.put(ref("cluster", cluster.id))
	if err := checkSizes(want, editVMs); err != nil {
		return err
	}
	e.job(c, "Updating VM "+vm.name()+" properties")
	if h := in.only("console", "rng_device", "soundcard", "virtio_scsi"); len(h.kids) > 0 && vm.hidden != nil {
		vm.hidden = vm.hidden.merge(h)
	}
	if !running(vm) {
		vm.body = want
		return nil
	}
	return e.updateRunning(c, vm, want)
}

// updateMemory changes what is given, in whole MiB; the rest stays.
func updateMemory(x, in *elem) *elem {
	for _, p := range []string{"memory", "memory_policy/guaranteed", "memory_policy/max"} {
		if in.has(p) {
			x = x.with(p, num("", in.int(p)/mib*mib).text)
		}
	}
	if in.has("memory_policy/ballooning") {
		x = x.with("memory_policy/ballooning", in.get("memory_policy/ballooning"))
	}
	return x
}

// updateRunning applies at once what can be; the rest waits for the next start.
// What could be plugged in and was not is forgotten: the engine keeps a next-run
// configuration only for what it does not even try, and for a VM that has one.
func (e *Engine) updateRunning(c *call, vm *object, want *elem) error {
	old, live := vm.body, vm.body
	hot := !c.param("next_run")
	if hot {
		if err := checkHot(vm, want); err != nil {
			return err
		}
		live = e.hotMemory(c, vm, live, want)
		var err error
		if live, err = e.hotCPU(c, vm, live, want); err != nil {
			return err
		}
	}
	vm.body = atOnce(live, want)
	if vm.next == nil && !needsRestart(vm.status(), old, want, hot) {
		return nil
	}
	vm.set("next_run_configuration_exists", "true")
	vm.next = want.with("next_run_configuration_exists", "true")
	return nil
}

// needsRestart tells whether a change of a running VM touches what the engine
// leaves to the next start.
func needsRestart(status string, old, want *elem, hot bool) bool {
	if hot && status == "up" {
		const sockets = "cpu/topology/sockets"
		want = want.with(sockets, old.get(sockets))
		if (want.int("memory")-old.int("memory"))%plugStep == 0 {
			want = want.with("memory", old.get("memory"))
			want = want.with("memory_policy/guaranteed", old.get("memory_policy/guaranteed"))
		}
	}
	return !sameConfig(atOnce(old, want), want)
}

// plugStep is in what units memory is plugged in and out.
const plugStep = 128 * mib

// checkHot refuses memory that cannot be plugged in, and any change at once of a
// VM for which other memory waits already.
func checkHot(vm *object, want *elem) error {
	now, to := vm.body.int("memory"), want.int("memory")
	if vm.next != nil {
		if waits := vm.next.int("memory"); waits != now && waits != to {
			return editVMs.refuse("HOT_CHANGE_MEMORY_WITH_NEXT_RUN")
		}
	}
	if to > now && (to-now)%plugStep != 0 {
		return editVMs.refuse("ACTION_TYPE_FAILED_HOT_PLUGGED_MEMORY_MUST_BE_DIVIDABLE_BY",
			"memoryAdded", num("", (to-now)/mib).text, "requiredFactor", num("", plugStep/mib).text)
	}
	return nil
}

// hotMemory plugs or unplugs memory. A guest that refuses leaves everything as
// it was, and the call succeeds all the same.
func (e *Engine) hotMemory(c *call, vm *object, live, want *elem) *elem {
	now, to := live.int("memory"), want.int("memory")
	guaranteed := want.get("memory_policy/guaranteed")
	switch {
	case vm.status() != "up", (to-now)%plugStep != 0:
		return live
	case to == now:
	case e.rules["hotplug "+vm.name()], to > live.int("memory_policy/max"):
		e.event(c.corr, evMemFailed, "error", "Failed to hot set memory to VM "+vm.name()+".", vm)
		return live
	}
	return live.with("memory", num("", to).text).with("memory_policy/guaranteed", guaranteed)
}

// hotCPU plugs or unplugs sockets.
func (e *Engine) hotCPU(c *call, vm *object, live, want *elem) (*elem, error) {
	const t = "cpu/topology/"
	now, to := live.int(t+"sockets"), want.int(t+"sockets")
	if now == to || vm.status() != "up" || live.get(t+"cores") != want.get(t+"cores") || live.get(t+"threads") != want.get(t+"threads") {
		return live, nil
	}
	if h := e.col("hosts").ids[vm.refID("host")]; h != nil {
		if n := h.body.int("cpu/topology/sockets") * h.body.int("cpu/topology/cores") * h.body.int("cpu/topology/threads"); n > 0 && vcpus(want) > n {
			return live, editVMs.refuse("CPU_HOTPLUG_TOPOLOGY_INVALID")
		}
	}
	if e.rules["hotplug "+vm.name()] {
		e.event(c.corr, evCPUFailed, "error", "Failed to hot set number of CPUs to VM "+vm.name()+".", vm)
		return live, nil
	}
	return live.with(t+"sockets", num("", to).text), nil
}

// volatileFields are elements of a VM's document that are no configuration.
var volatileFields = []string{"status", "host", "start_time", "stop_time", "stop_reason", "fqdn", "run_once",
	"next_run_configuration_exists", "creation_time"}

// sameConfig compares the configuration of two VM documents.
func sameConfig(a, b *elem) bool {
	return equal(a.without(volatileFields...), b.without(volatileFields...))
}

// equal compares trees; the order of children matters in lists only.
func equal(a, b *elem) bool {
	if a.name != b.name || a.text != b.text || a.id != b.id || len(a.kids) != len(b.kids) {
		return false
	}
	if listItem[a.name] != "" {
		return slices.EqualFunc(a.kids, b.kids, equal)
	}
	for _, k := range a.kids {
		o := b.kid(k.name)
		if o == nil || !equal(k, o) {
			return false
		}
	}
	return true
}
