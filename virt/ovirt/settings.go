package ovirt

import (
	"context"
	"net/url"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// nextRun makes a PUT change the next-run configuration alone.
var nextRun = url.Values{"next_run": {"true"}}

// live is what of a running VM may differ from its configuration.
type live struct {
	cpu    virt.CPU
	memory virt.Memory
}

func convLive(v *ovirtsdk.Vm) (live, error) {
	return live{cpu: cpuOf(v.Cpu()), memory: memoryOf(v.Memory())(v.MemoryPolicy())}, nil
}

// atOnce is the query of a PUT that changes a VM at once: what waits in its
// next-run configuration is kept only by a PUT that changes that as well.
func (m *machine) atOnce() url.Values {
	if m.nextRun {
		return nextRun
	}
	return nil
}

// put changes a VM, again while a lock is in the way.
func (e *Engine) put(ctx context.Context, id string, q url.Values, body vmXML) error {
	return e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindVM, path("vms", id), q, body, convLive)
		return err
	})
}

// running asks what a VM runs with now. The answer to a PUT need not show it.
func (e *Engine) running(ctx context.Context, id string) (live, error) {
	return get(ctx, e.Client, kindVM, path("vms", id), query{}, convLive)
}

// hotPlug changes a running VM at once, and stores what the VM did not take as its
// next-run configuration: a hot-plug that failed is a success to the engine, and
// leaves no trace but an event. took tells whether the VM shows it.
func (e *Engine) hotPlug(ctx context.Context, id string, body vmXML, took func(live) bool) (bool, error) {
	if err := e.put(ctx, id, nil, body); err != nil {
		return false, err
	}
	now, err := e.running(ctx, id)
	if err != nil || took(now) {
		return err == nil, err
	}
	return false, e.put(ctx, id, nextRun, body)
}

// swallowed notes that a running VM did not take a change.
func (e *Engine) swallowed(ctx context.Context, d *edit, path string, was any) {
	reason := "after a restart: the running VM did not take it"
	if text := e.why(ctx); text != "" {
		reason += "; the engine says: " + text
	}
	for i := range d.out.Fields {
		f := &d.out.Fields[i]
		if f.Path == path {
			f.Note = "pending: " + reason
			d.out.Pending = append(d.out.Pending, virt.Pending{Field: path, Live: was, Configured: f.After, Reason: reason})
		}
	}
}

func topologyOf(c virt.CPU) *cpuXML {
	t := c.Topology
	return &cpuXML{Topology: &topologyXML{Sockets: c.Count / (t.Cores * t.Threads), Cores: t.Cores, Threads: t.Threads}}
}

// setCPU changes the CPUs: at once where the VM does not run or only sockets come
// or go, else in the next-run configuration.
func (e *Engine) setCPU(ctx context.Context, d *edit) error {
	want := d.want().CPU
	body := vmXML{CPU: topologyOf(want)}
	switch {
	case d.vm().Live == nil:
		return e.put(ctx, d.m.id, nil, body)
	case d.waits("cpu.count"), d.waits("cpu.max"), d.waits("cpu.topology"), d.want().Live.CPU == d.vm().Live.CPU:
		return e.put(ctx, d.m.id, nextRun, body)
	}
	took, err := e.hotPlug(ctx, d.m.id, body, func(l live) bool { return l.cpu.Count == want.Count })
	if err == nil && !took {
		e.swallowed(ctx, d, "cpu.count", d.vm().Live.CPU.Count)
	}
	return err
}

// setMemory changes the memory likewise. The maximum of a running VM changes with
// its next start.
func (e *Engine) setMemory(ctx context.Context, d *edit) error {
	want := d.want().Memory
	all := vmXML{Memory: &want.Current, MemoryPolicy: &memoryPolicyXML{Max: &want.Max, Guaranteed: &want.Guaranteed}}
	if d.vm().Live == nil {
		return e.put(ctx, d.m.id, nil, all)
	}
	plugs := d.want().Live.Memory.Current != d.vm().Live.Memory.Current
	if plugs {
		// It goes first: with memory in the next-run configuration, none is plugged in.
		took, err := e.hotPlug(ctx, d.m.id, vmXML{Memory: &want.Current}, func(l live) bool { return l.memory.Current == want.Current })
		if err != nil {
			return err
		}
		if !took {
			e.swallowed(ctx, d, "memory.current", d.vm().Live.Memory.Current)
		}
	}
	switch {
	case d.waits("memory.current"), d.waits("memory.max"), d.changes("memory.max"), !plugs && d.changes("memory.current"):
		return e.put(ctx, d.m.id, nextRun, all)
	case d.changes("memory.guaranteed"):
		return e.put(ctx, d.m.id, d.m.atOnce(), vmXML{MemoryPolicy: &memoryPolicyXML{Guaranteed: &want.Guaranteed}})
	}
	return nil
}

func bootOrder(devices []string) *osXML {
	return &osXML{Boot: &bootXML{Devices: texts(devices)}}
}

// finishVM takes the unfinished mark away.
func (e *Engine) finishVM(ctx context.Context, d *edit) error {
	return e.put(ctx, d.m.id, d.m.atOnce(), vmXML{Description: textOf(d.want().Description)})
}

// deleteVM removes a VM, with its disks or without, and waits until they are gone.
func (e *Engine) deleteVM(ctx context.Context, c virt.DeleteVM, d *edit) error {
	id := d.m.id
	if d.m.status == ovirtsdk.VMSTATUS_IMAGE_LOCKED {
		if err := e.waitVM(ctx, id, diskTime, goalVMUnlocked()); err != nil {
			return err
		}
	}
	if s := d.vm().State; s != virt.Stopped && s != virt.Crashed {
		if err := e.cutPower(ctx, id); err != nil {
			return err
		}
	}
	q := url.Values{}
	if !c.Volumes && len(d.m.disks) > 0 {
		q.Set("detach_only", "true")
	}
	if err := e.drop(ctx, id, q); err != nil {
		return deletionHint(err, d.vm().Ref())
	}
	if !c.Volumes {
		return nil
	}
	for _, k := range d.m.disks {
		if k.disk.Device != "disk" {
			continue // a LUN is not the engine's to delete
		}
		if err := e.waitDisk(ctx, k.id, goalGone()); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a VM that does not run, and waits until it has gone.
func (e *Engine) drop(ctx context.Context, id string, q url.Values) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("vms", id), q)
		return err
	})
	if err != nil && !isGone(err) {
		return err
	}
	return e.waitVM(ctx, id, stopTime, goalGone())
}

func deletionHint(err error, vm virt.Ref) error {
	var hint string
	switch text := err.Error(); {
	case strings.Contains(text, "Delete protection"):
		hint = "take the delete protection away on the engine, if it may go"
	case strings.Contains(text, "based from template"):
		hint = "its disks lie over a template's and cannot be kept: delete them with it (volumes: true)"
	default:
		return err
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: vm, Summary: "cannot delete it", Err: err, Hint: hint}
}
