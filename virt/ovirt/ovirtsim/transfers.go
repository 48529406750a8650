package ovirtsim

import (
	"bytes"
	"strings"
	"time"
)

// transfer is what an image transfer has beside its document.
type transfer struct {
	obj, disk *object
	host      string // that the client knows the engine by
	ticket    string // by which its data is reached; empty = none for now
	size      int64  // bytes that the ticket allows
	busy      int    // requests for its data that are under way
	active    time.Time
}

var transferDisks = command{"transfer", diskType}

const (
	transferStart = time.Second     // until a transfer takes data
	transferEnd   = 2 * time.Second // until it has ended
	transferKept  = 15 * time.Minute
)

// contentOf gives what a disk holds.
func (e *Engine) contentOf(disk string) *content {
	k := e.contents[disk]
	if k == nil {
		k = &content{}
		e.contents[disk] = k
	}
	return k
}

// addTransfer is POST /imagetransfers.
func (e *Engine) addTransfer(c *call, _ *object) (*object, error) {
	in := c.body
	if err := require(in, "add", "disk.id|name"); err != nil {
		return nil, err
	}
	list := e.col("disks").match(in.kid("disk"))
	if len(list) == 0 {
		return nil, entity("Disk", in.kid("disk"))
	}
	d := list[0]
	switch {
	case d.lock != nil:
		return nil, transferDisks.refuse(d.lock.key, d.lock.args...)
	case d.status() == "locked":
		return nil, transferDisks.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", d.get("alias"))
	case d.status() == "illegal":
		return nil, transferDisks.refuse("ACTION_TYPE_FAILED_ILLEGAL_DISK_OPERATION")
	}
	if err := e.idleDisk(d, transferDisks); err != nil {
		return nil, err
	}
	host := e.col("hosts").list
	var on *object
	for _, h := range host {
		if on == nil && h.status() == "up" {
			on = h
		}
	}
	if on == nil {
		return nil, transferDisks.refuse("ACTION_TYPE_FAILED_NO_VDS_IN_POOL")
	}
	direction := in.get("direction")
	if direction == "" {
		direction = "upload"
	}
	format := in.get("format")
	if format == "" {
		format = d.get("format")
	}
	timeout := in.int("inactivity_timeout")
	if timeout == 0 {
		timeout = 60
	}
	o := e.col("imagetransfers").add(e.newObject(kindTransfer, el("image_transfer", boolean("active", false), tx("direction", direction),
		tx("format", format), num("inactivity_timeout", timeout), tx("phase", "initializing"), boolean("shallow", false),
		tx("timeout_policy", "legacy"), num("transferred", 0), ref("host", on.id), ref("disk", d.id))))
	t := &transfer{obj: o, disk: d, host: c.r.Host}
	e.transfers[o.id] = t
	d.set("status", "locked")
	d.lock = &lock{"ACTION_TYPE_FAILED_DISK_IS_BEING_TRANSFERRED", []string{"DiskName", d.get("alias")}}
	e.job(c, "Transferring Disk "+d.get("alias"))
	e.openTicket(t)
	return o, nil
}

// idleDisk refuses what must not happen to a disk that a running VM has.
func (e *Engine) idleDisk(d *object, cmd command) error {
	for _, vm := range e.attachedTo(d.id) {
		if running(vm) && vm.find("diskattachments", d.id).body.bool("active") {
			return cmd.refuse("ACTION_TYPE_FAILED_DISK_PLUGGED_TO_NON_DOWN_VMS", "DiskName", d.get("alias"), "VmList", vm.name())
		}
	}
	return nil
}

// openTicket lets data come and go, once the host is ready for it.
func (e *Engine) openTicket(t *transfer) {
	phase := t.obj.get("phase")
	e.clock.after(transferStart, func() {
		if t.obj.get("phase") != phase {
			return // it was cancelled meanwhile
		}
		t.ticket, t.active = e.newID(), e.clock.now()
		t.size = t.disk.body.int("provisioned_size")
		if t.obj.get("format") == "cow" {
			if t.obj.get("direction") == "download" {
				t.size = e.contentOf(t.disk.id).length
			} else if n := t.disk.body.int("initial_size"); n > 0 {
				t.size = n
			} else {
				t.size += t.size/10 + mib
			}
		}
		e.tickets[t.ticket] = t
		at := "https://" + t.host + "/images/" + t.ticket
		t.obj.set("transfer_url", at)
		t.obj.set("proxy_url", at)
		t.obj.set("phase", "transferring")
		t.obj.set("active", "true")
		e.watchTransfer(t, t.ticket)
	})
}

// closeTicket ends the access to the data.
func (e *Engine) closeTicket(t *transfer) {
	delete(e.tickets, t.ticket)
	t.ticket = ""
	t.obj.set("active", "false")
	t.obj.drop("transfer_url", "proxy_url")
}

// watchTransfer pauses an upload that nobody goes on with, and cancels a download.
func (e *Engine) watchTransfer(t *transfer, ticket string) {
	limit := time.Duration(t.obj.body.int("inactivity_timeout")) * time.Second
	e.clock.after(limit, func() {
		switch {
		case t.ticket != ticket:
		case t.busy > 0 || e.age(t.active) < limit:
			e.watchTransfer(t, ticket)
		case t.obj.get("direction") == "upload":
			e.closeTicket(t)
			t.obj.set("phase", "paused_system")
		default:
			e.closeTicket(t)
			e.endTransfer(t, "cancelled_system")
		}
	})
}

// PauseTransfers lets the engine believe that nobody goes on with any upload.
func (e *Engine) PauseTransfers() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.transfers {
		if t.ticket != "" && t.obj.get("direction") == "upload" {
			e.closeTicket(t)
			t.obj.set("phase", "paused_system")
		}
	}
}

func (e *Engine) transferOf(o *object) *transfer { return e.transfers[o.id] }

// extendTransfer is the action extend.
func (e *Engine) extendTransfer(c *call, o *object) error {
	e.transferOf(o).active = e.clock.now()
	return nil
}

// pauseTransfer is the action pause.
func (e *Engine) pauseTransfer(c *call, o *object) error {
	if t := e.transferOf(o); t.ticket != "" {
		e.closeTicket(t)
		o.set("phase", "paused_user")
	}
	return nil
}

// resumeTransfer is the action resume: there is another ticket then.
func (e *Engine) resumeTransfer(c *call, o *object) error {
	if !strings.HasPrefix(o.get("phase"), "paused_") {
		return transferDisks.refuse("ACTION_TYPE_FAILED_CANNOT_RESUME_IMAGE_TRANSFER")
	}
	o.set("phase", "resuming")
	e.openTicket(e.transferOf(o))
	return nil
}

// cancelTransfer is the action cancel: what was uploaded is removed.
func (e *Engine) cancelTransfer(c *call, o *object) error {
	t := e.transferOf(o)
	if phase := o.get("phase"); strings.HasPrefix(phase, "finish") || strings.HasPrefix(phase, "cancelled") {
		return nil
	}
	e.closeTicket(t)
	e.endTransfer(t, "cancelled_user")
	return nil
}

// endTransfer ends a transfer that came to nothing.
func (e *Engine) endTransfer(t *transfer, phase string) {
	t.obj.set("phase", phase)
	e.clock.after(transferEnd, func() {
		t.disk.lock = nil
		t.disk.set("status", "ok")
		if t.obj.get("direction") == "upload" {
			e.col("disks").remove(t.disk)
			delete(e.contents, t.disk.id)
			e.useSpace(t.disk.refID("storage_domains/storage_domain"), -t.disk.body.int("provisioned_size"))
		}
		t.obj.set("phase", "finished_cleanup")
		e.forgetTransfer(t)
	})
}

func (e *Engine) forgetTransfer(t *transfer) {
	e.clock.after(transferKept, func() {
		e.col("imagetransfers").remove(t.obj)
		delete(e.transfers, t.obj.id)
	})
}

// finalizeTransfer is the action finalize: what was uploaded is looked at.
func (e *Engine) finalizeTransfer(c *call, o *object) error {
	t := e.transferOf(o)
	if phase := o.get("phase"); phase != "transferring" && !strings.HasPrefix(phase, "paused_") {
		return nil
	}
	e.closeTicket(t)
	o.set("phase", "finalizing_success")
	corr := c.corr
	e.clock.after(transferEnd, func() {
		k, ok := e.contentOf(t.disk.id), !e.rules["notransfer "+t.disk.get("alias")]
		if o.get("direction") == "upload" {
			head := make([]byte, 4)
			k.read(head, 0)
			ok = ok && (t.disk.get("format") == "cow") == bytes.Equal(head, []byte("QFI\xfb"))
			if t.disk.body.bool("sparse") {
				t.disk.set("actual_size", num("", k.stored()).text)
				t.disk.set("total_size", num("", k.stored()).text)
			}
		}
		t.disk.lock = nil
		t.disk.set("status", map[bool]string{true: "ok", false: "illegal"}[ok])
		o.set("phase", map[bool]string{true: "finished_success", false: "finished_failure"}[ok])
		if !ok {
			e.event(corr, evTransferFailed, "error", "Image Upload with disk "+t.disk.get("alias")+" failed: the uploaded image cannot be used.", t.disk)
		}
		e.forgetTransfer(t)
	})
	return nil
}

// FailTransfer lets the engine find an uploaded disk of that name unusable.
func (e *Engine) FailTransfer(disk string) { e.rule("notransfer " + disk) }

// copyDisk is the action copy of a disk.
func (e *Engine) copyDisk(c *call, d *object) error {
	cmd := command{"copy", diskType}
	switch {
	case d.lock != nil:
		return cmd.refuse(d.lock.key, d.lock.args...)
	case d.status() == "locked":
		return cmd.refuse("ACTION_TYPE_FAILED_DISKS_LOCKED", "diskAliases", d.get("alias"))
	}
	if err := e.idleDisk(d, cmd); err != nil {
		return err
	}
	to := d.refID("storage_domains/storage_domain")
	if c.body.has("storage_domain") {
		sd, err := e.storageFor(c.body, "", cmd)
		if err != nil {
			return err
		}
		to = sd.id
	}
	size := d.body.int("provisioned_size")
	if err := e.checkSpace(to, size, cmd); err != nil {
		return err
	}
	name := d.get("alias")
	for _, n := range []string{"disk/name", "disk/alias"} {
		if v := c.body.get(n); v != "" {
			name = v
		}
	}
	made := e.col("disks").add(e.newObject(kindDisk, d.body.with("name", name).with("alias", name).with("status", "locked").
		with("image_id", e.newID()).put(el("storage_domains", ref("storage_domain", to)))))
	e.useSpace(to, size)
	d.set("status", "locked")
	c.code = 202
	end := e.later(c, "Copying Disk "+d.get("alias"))
	e.clock.after(e.time.DiskCopy, func() {
		ok := !e.rules["nodisk "+name]
		e.contents[made.id] = e.contentOf(d.id).copied()
		made.set("status", map[bool]string{true: "ok", false: "illegal"}[ok])
		d.set("status", "ok")
		end(ok)
	})
	return nil
}
