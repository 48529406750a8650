package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/local"
	"github.com/nactl/nactl/virt/ovirt"
)

const (
	// doctorWait is how long a target may take for everything.
	doctorWait = time.Minute
	// fullPercent is from which on a storage is as good as full: the next VM may not
	// fit.
	fullPercent = 90
)

// broken tells of an error, as far as it says the way out itself.
func (f *findings) broken(check string, err error) {
	var e *virt.Error
	says, do := err.Error(), ""
	if errors.As(err, &e) {
		do = e.Hint
		if e.Found != "" {
			says += "; found: " + e.Found
		}
	}
	f.fail(check, strings.ReplaceAll(says, "\n", "; "), do)
	if errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth) {
		f.list[len(f.list)-1].code = engine.ExitUnreachable
	}
}

// target looks at what a target has and what its runs would miss.
func (f *findings) target(ctx context.Context, p virt.Platform, inv *inventory.Inventory, t inventory.Target) {
	ctx, cancel := context.WithTimeoutCause(ctx, doctorWait, fmt.Errorf("it took more than %s", doctorWait))
	defer cancel()
	began := time.Now()
	hosts, err := p.Hosts(ctx)
	if err != nil {
		f.broken("reachable", err)
		return
	}
	f.ok("reachable", "in %s", time.Since(began).Round(time.Millisecond))
	if e, ok := p.(*ovirt.Engine); ok {
		f.engine(ctx, e)
	}
	if t.Cluster != nil { // its members tell of themselves; what they share has to be the same
		if _, err := p.Storages(ctx); err != nil {
			f.broken("shared pools", err)
		} else {
			f.ok("shared pools", "%s", cmp.Or(strings.Join(t.Cluster.SharedPools, ", "), "none is named"))
		}
	} else {
		f.hosts(ctx, p, hosts, t)
		f.storages(ctx, p)
		f.networks(ctx, p)
		f.agents(ctx, p)
	}
	f.images(ctx, p, inv, t)
}

func (f *findings) engine(ctx context.Context, e *ovirt.Engine) {
	product, version, err := e.Version(ctx)
	if err != nil {
		f.broken("engine", err)
		return
	}
	f.ok("engine", "%s %s", product, version)
}

// hosts looks at hypervisors: whether they can run VMs, and how well.
func (f *findings) hosts(ctx context.Context, p virt.Platform, hosts []*virt.Host, t inventory.Target) {
	up := 0
	for _, h := range hosts {
		switch {
		case h.Maintenance || h.State == "maintenance":
			f.warn("host "+h.Name, "is in maintenance: no VM starts there", "host_activate, when it is to serve again")
		case h.State != "up":
			f.warn("host "+h.Name, "is "+h.State, "look at its events in the engine")
		default:
			up++
		}
	}
	if t.Engine != nil {
		if up == 0 {
			f.fail("hosts", "none is up", "")
		} else {
			f.ok("hosts", "%d of %d up", up, len(hosts))
		}
		return
	}
	for _, h := range hosts {
		facts, err := p.HostFacts(ctx, h.Name)
		if err != nil {
			f.broken("host "+h.Name, err)
			continue
		}
		f.ok("libvirt", "%s", strings.TrimSpace(fmt.Sprintf("%s, %s %s", facts.Libvirt.Or("of unknown version"), facts.Hypervisor.Or(""), facts.QEMU.Or(""))))
		if kvm, known := facts.CPU.KVM.Get(); known && !kvm {
			f.warn("KVM", "is not there: guests are emulated, ten times slower", "switch virtualisation on in the firmware and load kvm_intel or kvm_amd")
		} else if known {
			f.ok("KVM", "%s", "guests run at the speed of the CPU")
		}
	}
}

func (f *findings) storages(ctx context.Context, p virt.Platform) {
	all, err := p.Storages(ctx)
	if err != nil {
		f.broken("storage", err)
		return
	}
	if len(all) == 0 {
		f.fail("storage", "there is none: disks have no place", "virsh pool-define-as default dir --target /var/lib/libvirt/images, then pool-build and pool-start")
	}
	for _, s := range all {
		check := "storage " + s.Name
		switch used := s.Capacity - s.Available; {
		case !s.Active:
			f.warn(check, "is not active", "virsh pool-start "+s.Name+", or activate the domain in the engine")
		case s.Capacity > 0 && used*100/s.Capacity >= fullPercent:
			f.warn(check, fmt.Sprintf("is %d %% full, %s are left", used*100/s.Capacity, virt.FormatSize(s.Available)), "make room: nactl list storage shows what is committed, too")
		default:
			f.ok(check, "%s of %s left", virt.FormatSize(s.Available), virt.FormatSize(s.Capacity))
		}
	}
}

func (f *findings) networks(ctx context.Context, p virt.Platform) {
	all, err := p.Networks(ctx)
	if err != nil {
		f.broken("networks", err)
		return
	}
	var idle []string
	for _, n := range all {
		if !n.Active {
			idle = append(idle, n.Name)
		}
	}
	switch {
	case len(idle) > 0:
		f.warn("networks", "not started: "+strings.Join(idle, ", "), "virsh net-start NAME, and net-autostart NAME")
	default:
		f.ok("networks", "%d", len(all))
	}
}

// agents looks for running guests whose agent does not answer: commands, files and
// addresses of them are not to be had.
func (f *findings) agents(ctx context.Context, p virt.Platform) {
	vms, err := p.VMs(ctx)
	if err != nil {
		f.broken("VMs", err)
		return
	}
	var without, silent, unfinished []string
	running := 0
	for _, vm := range vms {
		if vm.Unfinished != "" {
			unfinished = append(unfinished, vm.Name)
		}
		if vm.State != virt.Running {
			continue
		}
		running++
		switch vm.Agent {
		case virt.AgentAbsent:
			without = append(without, vm.Name)
		case virt.AgentDisconnected:
			silent = append(silent, vm.Name)
		}
	}
	if len(unfinished) > 0 {
		f.warn("VMs", "not finished, a run broke off: "+few(unfinished), "play their create_vm again, or delete them")
	} else {
		f.ok("VMs", "%d, %d running", len(vms), running)
	}
	if len(without) > 0 {
		f.warn("agent", "no channel for one: "+few(without), "create_vm makes it; add the channel org.qemu.guest_agent.0 to the definition")
	}
	if len(silent) > 0 {
		f.warn("agent", "does not answer: "+few(silent), "install and start qemu-guest-agent in the guest")
	}
}

// images looks whether what the inventory calls an image is there.
func (f *findings) images(ctx context.Context, p virt.Platform, inv *inventory.Inventory, t inventory.Target) {
	var names []string
	for name := range inv.Images {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		src, err := inv.Image(name, t.Name)
		if err != nil {
			continue // the inventory has none for this target, which is no mistake
		}
		if err := lookAtImage(ctx, p, src); err != nil {
			f.broken("image "+name, err)
		} else {
			f.ok("image "+name, "is there")
		}
	}
}

// lookAtImage looks whether an image is there: on the target, on this machine, or at
// its address. An engine makes no VMs of the latter two, and takes them as they are.
func lookAtImage(ctx context.Context, p virt.Platform, src virt.ImageSource) error {
	here := local.New()
	var err error
	switch {
	case src.URL != "":
		if _, err = here.CachedImage(ctx, src.URL, src.SHA256); err != nil {
			_, _, err = step.AskImage(ctx, here, src)
		}
	case src.File != "" && p.Type() == "ovirt":
		_, err = here.LocalFile(ctx, virt.LocalFileRef("", src.File))
	default:
		_, err = p.Image(ctx, src)
	}
	return err
}

// few names some of many.
func few(names []string) string {
	const most = 5
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
