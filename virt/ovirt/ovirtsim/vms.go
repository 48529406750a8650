package ovirtsim

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// blankID is the id of the template that every engine has.
const blankID = "00000000-0000-0000-0000-000000000000"

const mib = 1 << 20

// The limits of a cluster of compatibility level 4.7.
const (
	maxSockets = 16
	maxVCPUs   = 710
	maxName    = 64
)

var vmName = regexp.MustCompile(`^[\p{L}\p{N}._-]+$`)

var (
	addVMs    = command{"add", "VM"}
	editVMs   = command{"edit", "VM"}
	removeVMs = command{"remove", "VM"}
)

// live are the states in which a VM has a host.
var live = []string{"up", "powering_up", "powering_down", "paused", "migrating", "unknown", "not_responding",
	"wait_for_launch", "reboot_in_progress", "saving_state", "restoring_state"}

func running(vm *object) bool { return slices.Contains(live, vm.status()) }

func vcpus(x *elem) int64 {
	return max(1, x.int("cpu/topology/sockets")) * max(1, x.int("cpu/topology/cores")) * max(1, x.int("cpu/topology/threads"))
}

// clusterOf finds the cluster that a body refers to.
func (e *Engine) clusterOf(x *elem) (*object, error) {
	found := e.col("clusters").match(x.kid("cluster"))
	if len(found) == 0 {
		return nil, entity("Cluster", x.kid("cluster"))
	}
	return found[0], nil
}

// templateOf finds the template of a body in a data center: the newest version.
func (e *Engine) templateOf(x *elem, dc string) (*object, error) {
	var best *object
	for _, t := range e.col("templates").match(x.kid("template")) {
		if t.id != blankID && e.dcOf(t.refID("cluster")) != dc {
			continue
		}
		if best == nil || t.body.int("version/version_number") > best.body.int("version/version_number") {
			best = t
		}
	}
	if best == nil {
		return nil, plain(404, "Operation Failed", "Entity not found: GetVmTemplate")
	}
	return best, nil
}

// addVM is POST /vms.
func (e *Engine) addVM(c *call, _ *object) (*object, error) {
	in := c.body
	for _, f := range []string{"cluster.id|name", "name", "template.id|name"} {
		if err := require(in, "add", f); err != nil {
			return nil, err
		}
	}
	cluster, err := e.clusterOf(in)
	if err != nil {
		return nil, err
	}
	t, err := e.templateOf(in, cluster.refID("data_center"))
	if err != nil {
		return nil, err
	}
	if in, err = e.ofInstanceType(in); err != nil {
		return nil, err
	}
	want, err := templateDisks(t, in)
	if err != nil {
		return nil, err
	}
	if err := e.checkName(in.get("name"), cluster.refID("data_center"), nil, addVMs); err != nil {
		return nil, err
	}
	if t.status() == "locked" {
		return nil, addVMs.refuse("VM_TEMPLATE_IMAGE_IS_LOCKED")
	}
	if t.lock != nil {
		return nil, addVMs.refuse(t.lock.key, t.lock.args...)
	}
	if in, err = e.placed(in, cluster, addVMs); err != nil {
		return nil, err
	}
	body := e.vmBody(t, in, cluster)
	if err := checkSizes(body, addVMs); err != nil {
		return nil, err
	}
	if found := e.col("instancetypes").match(in.kid("instance_type")); len(found) > 0 {
		body = body.put(ref("instance_type", found[0].id))
	}
	vm := e.newObject(kindVM, body)
	vm.hidden = hiddenDefaults.merge(in.only("console", "rng_device", "soundcard", "virtio_scsi"))
	clone := c.param("clone")
	what := "Creating VM " + vm.name() + " from Template " + t.name() + " in Cluster " + cluster.name()
	if err := e.cloneDisks(c, vm, t, want, clone, what); err != nil {
		return nil, err
	}
	e.col("vms").add(vm)
	for _, n := range t.sub("nics") {
		e.newNIC(vm, n.body.only("name", "interface", "linked", "plugged", "vnic_profile"))
	}
	e.activeSnapshot(vm)
	return vm, nil
}

// ofInstanceType adds to a create's body what it takes from an instance type.
func (e *Engine) ofInstanceType(in *elem) (*elem, error) {
	want := in.kid("instance_type")
	if want == nil {
		return in, nil
	}
	found := e.col("instancetypes").match(want)
	if len(found) == 0 {
		return nil, entity("InstanceType", want)
	}
	x := found[0].body.only("memory", "memory_policy", "cpu")
	x.name = in.name
	return x.merge(in), nil
}

// placed turns the hosts that a body's placement policy names into references.
func (e *Engine) placed(in *elem, cluster *object, cmd command) (*elem, error) {
	hosts := in.at("placement_policy/hosts")
	if hosts == nil {
		return in, nil
	}
	refs := el("hosts")
	for _, x := range hosts.kids {
		found := e.col("hosts").match(x)
		switch {
		case x.id == "" && x.get("name") == "":
			return nil, plain(400, "Incomplete parameters", "Host [id|name] required for validateAndUpdateHostsInPlacementPolicy")
		case len(found) == 0 && x.id == "":
			return nil, plain(404, "Operation Failed", "Entity not found: "+x.get("name"))
		case len(found) == 0:
			return nil, cmd.refuse("ACTION_TYPE_FAILED_DEDICATED_VDS_DOES_NOT_EXIST")
		case found[0].refID("cluster") != cluster.id:
			return nil, cmd.refuse("ACTION_TYPE_FAILED_DEDICATED_VDS_NOT_IN_SAME_CLUSTER")
		}
		refs.kids = append(refs.kids, ref("host", found[0].id))
	}
	policy := in.kid("placement_policy").without("hosts")
	if len(refs.kids) > 0 {
		policy = policy.put(refs)
	}
	return in.put(policy), nil
}

// unplaced takes the hosts of a placement policy away where another one is sent:
// the engine resets them, whether or not that one has hosts.
func unplaced(x, in *elem) *elem {
	p := x.kid("placement_policy")
	if p == nil || !in.has("placement_policy") {
		return x
	}
	return x.put(p.without("hosts"))
}

// hiddenDefaults is what a VM has that only all_content shows.
var hiddenDefaults = el("vm", el("console", boolean("enabled", false)), el("rng_device", tx("source", "urandom")),
	el("soundcard", boolean("enabled", false)), el("virtio_scsi", boolean("enabled", true)))

// notStored are the elements of a create or update that are not stored as they
// came.
var notStored = []string{"cluster", "template", "disk_attachments", "nics", "tags", "cdroms", "console", "rng_device",
	"soundcard", "virtio_scsi", "name", "description", "comment", "instance_type", "memory", "memory_policy", "status"}

// vmBody makes the document of a new VM: what is not given is the template's.
func (e *Engine) vmBody(t *object, in *elem, cluster *object) *elem {
	x := el("vm", tx("name", in.get("name")), tx("description", in.get("description")), tx("comment", in.get("comment")))
	from := t.body.without("name", "description", "comment", "status", "version", "cluster", "creation_time", "vm", "cpu_profile", "quota",
		"large_icon", "small_icon")
	x.kids = append(x.kids, from.kids...)
	for _, k := range vmDefaults.kids {
		if x.kid(k.name) == nil {
			x.kids = append(x.kids, k)
		}
	}
	x = unplaced(x, in).merge(in.without(notStored...))
	x = x.with("cpu/architecture", "x86_64")
	if b := x.get("bios/type"); b == "" || b == "cluster_default" {
		x = x.with("bios/type", "q35_sea_bios")
	}
	x = setMemory(x, in, cluster.body.int("memory_policy/over_commit/percent"))
	now := e.clock.now()
	for _, k := range []*elem{date("creation_time", now), tx("status", "down"), ref("cluster", cluster.id),
		ref("template", t.id), ref("original_template", t.id), boolean("next_run_configuration_exists", false),
		boolean("run_once", false), date("stop_time", now), tx("stop_reason", "")} {
		x = x.put(k)
	}
	return x
}

// vmDefaults is what a VM of Blank has.
var vmDefaults = el("vm",
	el("bios", el("boot_menu", boolean("enabled", false)), tx("type", "q35_sea_bios")),
	el("cpu", tx("architecture", "x86_64"), el("topology", tx("cores", "1"), tx("sockets", "1"), tx("threads", "1"))),
	tx("cpu_shares", "0"), boolean("delete_protected", false),
	el("display", boolean("allow_override", false), boolean("copy_paste_enabled", true), tx("disconnect_action", "LOCK_SCREEN"),
		boolean("file_transfer_enabled", true), tx("monitors", "1"), boolean("smartcard_enabled", false), tx("type", "vnc")),
	el("high_availability", boolean("enabled", false), tx("priority", "1")),
	el("io", tx("threads", "1")),
	tx("memory", "1073741824"), el("memory_policy", tx("guaranteed", "1073741824"), tx("max", "4294967296"), boolean("ballooning", true)),
	el("migration", tx("auto_converge", "inherit"), tx("compressed", "inherit"), tx("encrypted", "inherit")),
	tx("migration_downtime", "-1"), boolean("multi_queues_enabled", true), tx("origin", "ovirt"),
	el("os", el("boot", el("devices", tx("device", "hd"))), tx("type", "other")),
	el("placement_policy", tx("affinity", "migratable")),
	el("sso", el("methods", &elem{name: "method", id: "guest_agent"})),
	boolean("start_paused", false), boolean("stateless", false), tx("storage_error_resume_behaviour", "auto_resume"),
	el("time_zone", tx("name", "Etc/GMT")), tx("type", "server"), el("usb", boolean("enabled", false)),
	tx("numa_tune_mode", "interleave"))

// setMemory applies a body's memory, in whole MiB, and derives what it does not
// give.
func setMemory(x, in *elem, percent int64) *elem {
	whole := func(p string) int64 { return in.int(p) / mib * mib }
	if in.has("memory") {
		m := whole("memory")
		x = x.with("memory", num("", m).text).with("memory_policy/max", num("", 4*m).text)
		x = x.with("memory_policy/guaranteed", num("", m*100/max(percent, 100)/mib*mib).text)
	}
	for _, p := range []string{"memory_policy/guaranteed", "memory_policy/max"} {
		if in.has(p) {
			x = x.with(p, num("", whole(p)).text)
		}
	}
	if in.has("memory_policy/ballooning") {
		x = x.with("memory_policy/ballooning", in.get("memory_policy/ballooning"))
	}
	return x
}

// checkSizes is the validation of memory and CPUs.
func checkSizes(x *elem, cmd command) error {
	m := x.int("memory")
	switch {
	case x.int("memory_policy/guaranteed") > m:
		return cmd.refuse("ACTION_TYPE_FAILED_MIN_MEMORY_CANNOT_EXCEED_MEMORY_SIZE")
	case m > x.int("memory_policy/max"):
		return cmd.refuse("ACTION_TYPE_FAILED_MAX_MEMORY_CANNOT_BE_SMALLER_THAN_MEMORY_SIZE",
			"memory", num("", m/mib).text, "maxMemory", num("", x.int("memory_policy/max")/mib).text)
	case x.int("cpu/topology/sockets") > maxSockets:
		return cmd.refuse("ACTION_TYPE_FAILED_MAX_NUM_SOCKETS")
	case vcpus(x) > maxVCPUs:
		return cmd.refuse("ACTION_TYPE_FAILED_MAX_NUM_CPU")
	}
	return nil
}

// checkName is the validation of a VM's name in a data center.
func (e *Engine) checkName(name, dc string, self *object, cmd command) error {
	if len([]rune(name)) > maxName {
		return cmd.refuse("ACTION_TYPE_FAILED_NAME_LENGTH_IS_TOO_LONG")
	}
	if !vmName.MatchString(name) {
		return cmd.refuse("ACTION_TYPE_FAILED_NAME_MAY_NOT_CONTAIN_SPECIAL_CHARS")
	}
	for _, o := range e.vms() {
		if o != self && o.name() == name && e.dcOf(o.refID("cluster")) == dc {
			return cmd.refuse("ACTION_TYPE_FAILED_NAME_ALREADY_USED")
		}
	}
	return nil
}

// templateDisks matches the disks of a create's body with the template's.
func templateDisks(t *object, in *elem) (map[string]*elem, error) {
	want := map[string]*elem{}
	if t.id == blankID {
		return want, nil
	}
	for _, a := range in.list("disk_attachments") {
		id := a.refID("disk")
		if id == "" {
			continue
		}
		if t.find("diskattachments", id) == nil {
			return nil, plain(404, "Operation Failed", "Entity not found: Disk: id="+id)
		}
		want[id] = a.kid("disk")
	}
	return want, nil
}

// cloneDisks copies the template's disks; the VM's image is locked until the
// last is there.
func (e *Engine) cloneDisks(c *call, vm, t *object, want map[string]*elem, clone bool, what string) error {
	var disks []*object
	if len(t.sub("diskattachments")) > 0 {
		if err := e.canStore(e.dcOf(vm.refID("cluster")), addVMs); err != nil {
			return err
		}
	}
	for _, a := range t.sub("diskattachments") {
		src := e.col("disks").ids[a.id]
		sd := src.refID("storage_domains/storage_domain")
		spec := want[a.id]
		if to := spec.at("storage_domains/storage_domain"); to != nil {
			found := e.col("storagedomains").match(to)
			if len(found) == 0 {
				return addVMs.refuse("ACTION_TYPE_FAILED_STORAGE_DOMAIN_NOT_EXIST")
			}
			if clone {
				sd = found[0].id
			}
		}
		size := src.body.int("provisioned_size")
		if err := e.checkSpace(sd, size, addVMs); clone && err != nil {
			return err
		}
		body := e.diskBody(vm.name()+"_Disk"+num("", len(disks)+1).text, size, "cow", true, sd)
		if clone {
			body = body.merge(src.body.only("format", "sparse"))
		}
		if spec != nil {
			body = body.merge(spec.only("name", "alias", "description", "format", "sparse"))
			if n := spec.get("name"); n != "" {
				body = body.with("alias", n)
			}
		}
		d := e.newObject(kindDisk, body)
		d.set("status", "locked")
		disks = append(disks, d)
		vm.adopt("diskattachments", attachment(d.id, a.body.only("active", "bootable", "interface", "pass_discard", "read_only",
			"uses_scsi_reservation"), ref("vm", vm.id)))
	}
	for _, d := range disks {
		e.col("disks").add(d)
		if clone {
			e.useSpace(d.refID("storage_domains/storage_domain"), d.body.int("provisioned_size"))
		}
	}
	vm.thin = !clone && len(disks) > 0
	end := e.later(c, what)
	finish := func(ok bool) {
		end(ok)
		if ok {
			e.event(c.corr, evAdded, "normal", "VM "+vm.name()+" creation has been completed.", vm)
		}
	}
	if len(disks) == 0 {
		finish(true)
		return nil
	}
	c.code = 202
	vm.set("status", "image_locked")
	took := e.time.DiskThin
	if clone {
		took = e.time.DiskCopy
	}
	e.clock.after(took, func() {
		ok := !e.rules["nocopy "+vm.name()]
		for _, d := range disks {
			if ok {
				d.set("status", "ok")
			} else {
				d.set("status", "illegal")
			}
		}
		vm.set("status", "down")
		if !ok {
			e.event(c.corr, evAddFailed, "error", "Failed to complete VM "+vm.name()+" creation.", vm)
		}
		finish(ok)
	})
	return nil
}

// removeVM is DELETE /vms/{id}.
func (e *Engine) removeVM(c *call, vm *object) error {
	switch s := vm.status(); {
	case vm.lock != nil:
		return removeVMs.refuse(vm.lock.key, vm.lock.args...)
	case s == "image_locked" && !c.param("force"):
		return removeVMs.refuse("ACTION_TYPE_FAILED_VM_IS_LOCKED")
	case s == "suspended":
		return removeVMs.refuse("VM_CANNOT_REMOVE_VM_WHEN_STATUS_IS_NOT_DOWN")
	case s != "down" && s != "image_locked" && s != "unassigned":
		return removeVMs.refuse("ACTION_TYPE_FAILED_VM_IS_RUNNING")
	case vm.body.bool("delete_protected"):
		return removeVMs.refuse("ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED")
	}
	keep := c.param("detach_only")
	if keep && vm.thin {
		return removeVMs.refuse("VM_CANNOT_REMOVE_WITH_DETACH_DISKS_BASED_ON_TEMPLATE")
	}
	if keep && len(vm.sub("snapshots")) > 1 {
		return removeVMs.refuse("VM_CANNOT_REMOVE_WITH_DETACH_DISKS_SNAPSHOTS_EXIST")
	}
	if l := e.lockedDisks(vm); len(l) > 0 && !c.param("force") {
		return removeVMs.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", strings.Join(l, ", "))
	}
	end := e.later(c, "Removing VM "+vm.name()+" from system")
	vm.gen++
	e.col("vms").remove(vm)
	e.forgetMember("vms", vm.id)
	var took time.Duration
	if !keep {
		for _, d := range e.disksOf(vm) {
			took = e.time.DiskDrop
			_ = e.dropDisk(d, nil) // without a call it is not refused
		}
	}
	e.event(c.corr, evRemoved, "normal", "VM "+vm.name()+" was successfully removed.")
	e.clock.after(took, func() { end(true) })
	return nil
}

// disksOf returns the disks of a VM in the order of their attachments.
func (e *Engine) disksOf(vm *object) []*object {
	var out []*object
	for _, a := range vm.sub("diskattachments") {
		if d := e.col("disks").ids[a.id]; d != nil {
			out = append(out, d)
		}
	}
	return out
}

// lockedDisks are the aliases of a VM's disks that are locked.
func (e *Engine) lockedDisks(vm *object) []string {
	var out []string
	for _, d := range e.disksOf(vm) {
		if d.status() == "locked" {
			out = append(out, d.get("alias"))
		}
	}
	return out
}
