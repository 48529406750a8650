// Package createvm is the step create_vm: a VM with all that belongs to it.
package createvm

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/setcpu"
	"github.com/nactl/nactl/modules/setvm"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_vm. On an existing VM an argument that is left
// out means "leave it"; defaults apply at creation only.
type Args struct {
	Name        string                 `arg:"name,required,identity" doc:"name of the VM"`
	Image       string                 `arg:"image,create_only" doc:"an image of the inventory to make the boot disk from; left out: no boot disk but those in disks"`
	CPU         step.Opt[CPU]          `arg:"cpu" doc:"a number of CPUs, or {count, max, topology}; left out at creation: the image's, else 1"`
	Memory      step.Opt[Memory]       `arg:"memory" doc:"a size, or {current, max}; left out at creation: the image's, else 1GiB"`
	Disks       []Disk                 `arg:"disks" doc:"disks; the one with boot: true is the image's own. Others that the VM has stay"`
	NICs        []step.NICArgs         `arg:"nics" doc:"network interfaces. Others that the VM has stay"`
	State       string                 `arg:"state" enum:"running|stopped|paused|suspended" doc:"left out at creation: running"`
	Autostart   step.Opt[bool]         `arg:"autostart" doc:"start it with its host"`
	Title       step.Opt[string]       `arg:"title" doc:"a short title"`
	Description step.Opt[string]       `arg:"description" doc:"a description"`
	Metadata    map[string]string      `arg:"metadata" doc:"key-value pairs that nactl keeps with the VM; other keys stay"`
	Boot        step.Opt[[]setvm.Boot] `arg:"boot" doc:"boot order: hd, cdrom, network"`
	Firmware    string                 `arg:"firmware,create_only" enum:"bios|efi" doc:"left out: the platform's default"`
	Machine     string                 `arg:"machine,create_only" doc:"machine type; left out: the platform's default"`
	Host        step.Opt[string]       `arg:"host,create_only" doc:"the host to make it on; it may have moved since"`
	Placement   string                 `arg:"placement,create_only" enum:"most_free_memory" doc:"how a host is chosen; left out: as the cluster says"`
	Hostname    string                 `arg:"hostname,create_only" doc:"host name inside the guest; left out: the VM's name"`
	SSHKeys     []string               `arg:"ssh_keys,create_only" doc:"public keys of the image's default user"`
	Users       []User                 `arg:"users,create_only" doc:"accounts that the guest makes at its first boot"`
	Run         []First                `arg:"run,create_only" doc:"commands that the guest runs once, at its first boot: lists of arguments, lines for /bin/sh, or scripts"`
	CloudInit   step.Opt[bool]         `arg:"cloud_init,create_only" doc:"false: no seed for cloud-init is made"`
	Libvirt     Libvirt                `arg:"libvirt" doc:"what only libvirt nodes have"`
	Ovirt       Ovirt                  `arg:"ovirt" doc:"what only oVirt engines have"`
}

// CPU is the argument cpu.
type CPU struct {
	Count    step.Opt[int]             `arg:"count" min:"1" doc:"CPUs that the guest has"`
	Max      step.Opt[int]             `arg:"max" min:"1" doc:"CPUs that it can be given without a restart; left out: count"`
	Topology step.Opt[setcpu.Topology] `arg:"topology" doc:"how the guest sees max CPUs"`
}

// Bare lets cpu: 2 stand for a count.
func (*CPU) Bare() string { return "count" }

// Memory is the argument memory.
type Memory struct {
	Current step.Opt[step.Size] `arg:"current" doc:"what the guest has"`
	Max     step.Opt[step.Size] `arg:"max" doc:"what it can have without a restart; left out: current"`
	// Guaranteed is the engine's.
	Guaranteed step.Opt[step.Size] `arg:"guaranteed" doc:"engines only: never taken away from the VM; left out at creation: current"`
}

// Bare lets memory: 4GiB stand for what the guest has.
func (*Memory) Bare() string { return "current" }

// Disk is one of disks.
type Disk struct {
	step.DiskArgs
	Boot bool `arg:"boot" doc:"the image's own disk"`
}

// User is one of users.
type User struct {
	Name         string   `arg:"name,required" doc:"account name"`
	Groups       []string `arg:"groups" doc:"further groups"`
	Shell        string   `arg:"shell" default:"/bin/bash" doc:"login shell"`
	Sudo         Sudo     `arg:"sudo" doc:"true: all commands without a password; or a sudoers rule"`
	SSHKeys      []string `arg:"ssh_keys" doc:"public keys"`
	PasswordHash string   `arg:"password_hash" doc:"as crypt(5); left out: no password login"`
}

// Sudo is a sudoers rule; true stands for all commands without a password.
type Sudo string

// Decode reads a rule, or true or false.
func (s *Sudo) Decode(n *source.Node) error {
	switch n.Kind {
	case source.Bool:
		if n.Bool {
			*s = "ALL=(ALL) NOPASSWD:ALL"
		}
		return nil
	case source.String:
		*s = Sudo(n.Str)
		return nil
	default:
		return fmt.Errorf("wanted true, false or a sudoers rule, found %s", n.Kind)
	}
}

// Shape describes both.
func (*Sudo) Shape() step.Shape {
	return step.Shape{Word: "boolean or text", Text: true, Boolean: true}
}

// First is one of run.
type First struct {
	Line     Line           `arg:"line" doc:"a list of arguments, or a line for /bin/sh"`
	Template *step.Template `arg:"template" doc:"a file of the project, or of the role's templates: a script for /bin/sh whose expressions are replaced by their values"`
}

// Bare lets run: [[apt, update]] stand for lines.
func (*First) Bare() string { return "line" }

// command gives what the guest runs.
func (f First) command() []string {
	if f.Template != nil {
		return Line{"/bin/sh", "-c", f.Template.Text}
	}
	return f.Line
}

// Line is a command: a list of arguments, or a line for /bin/sh.
type Line []string

// Decode reads either.
func (l *Line) Decode(n *source.Node) error {
	if n.Kind == source.String {
		*l = Line{"/bin/sh", "-c", n.Str}
		return nil
	}
	return (*step.Argv)(l).Decode(n)
}

// Shape describes both.
func (*Line) Shape() step.Shape { return step.CommandLine() }

// Libvirt is the argument libvirt.
type Libvirt struct {
	XML step.Opt[string] `arg:"xml" doc:"an XML fragment that is merged into the domain's definition"`
}

// Sets says what is set to which values, by arguments that are compared on an
// existing VM, too.
func (a *Args) Sets() (virt.Ref, map[string]any) {
	fields := map[string]any{}
	cpu, memory := a.CPU.Or(CPU{}), a.Memory.Or(Memory{})
	step.Say(fields, "cpu.count", cpu.Count)
	step.Say(fields, "cpu.max", cpu.Max)
	step.Say(fields, "cpu.topology", cpu.Topology)
	step.Say(fields, "memory.current", memory.Current)
	step.Say(fields, "memory.max", memory.Max)
	step.Say(fields, "memory.guaranteed", memory.Guaranteed)
	step.Say(fields, "title", a.Title)
	step.Say(fields, "description", a.Description)
	step.Say(fields, "autostart", a.Autostart)
	for key, v := range a.Metadata {
		fields["metadata."+key] = v
	}
	a.Ovirt.Say(fields)
	return virt.VMRef(a.Name), fields
}

// Ovirt is the argument ovirt.
type Ovirt struct {
	Cluster      string `arg:"cluster,create_only" doc:"left out where the engine has only one"`
	DataCentre   string `arg:"data_center,create_only" doc:"where two have a cluster of that name"`
	Template     string `arg:"template,create_only" doc:"a template to make the VM from, instead of an image of the inventory"`
	Type         string `arg:"type,create_only" enum:"server|desktop|high_performance" doc:"left out: the template's"`
	BIOSType     string `arg:"bios_type,create_only" doc:"as q35_ovmf; left out: as firmware says"`
	InstanceType string `arg:"instance_type,create_only" doc:"left out: none"`
	setvm.Ovirt
}

// virt gives what a creation carries; nil when nothing was said.
func (o Ovirt) virt() *virt.OvirtVM {
	out := virt.OvirtVM{Type: o.Type, BIOSType: o.BIOSType, InstanceType: o.InstanceType, Tags: o.Tags.Edit().Of(nil), OvirtSettings: o.Settings()}
	if reflect.ValueOf(out).IsZero() {
		return nil
	}
	return &out
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	a.validateSize(v)
	a.Ovirt.Tags.Check(v, "ovirt.tags")
	if a.Image != "" && a.Ovirt.Template != "" {
		v.Errorf("ovirt.template", "the VM is made from image %s or from template %s: write one of them", a.Image, a.Ovirt.Template)
	}
	seen := map[string]bool{}
	boot := 0
	for i, d := range a.Disks {
		at := fmt.Sprintf("disks[%d]", i)
		if d.Boot {
			boot++
			if d.MountPoint != "" {
				v.Errorf(at+".mount_point", "the boot disk is the guest's own, it takes no mount_point")
			}
			if a.madeFrom() == "" && d.Volume == "" {
				v.Errorf(at, "a disk with boot: true is the image's own; name an image, or a volume to boot from")
			}
		} else {
			d.Check(v, at)
		}
		if d.Name != "" && seen[d.Name] {
			v.Errorf(at+".name", "two disks are called %q", d.Name)
		}
		seen[d.Name] = true
	}
	for i, r := range a.Run {
		if (r.Template != nil) == (r.Line != nil) {
			v.Errorf(fmt.Sprintf("run[%d]", i), "run: an entry is a command, or names a template")
		}
	}
	if boot > 1 {
		v.Errorf("disks", "%d disks have boot: true; one is the image's own", boot)
	}
	a.validateNICs(v)
}

// validateSize refuses more than the maximum that is written beside it.
func (a *Args) validateSize(v *step.Validation) {
	cpu, memory := a.CPU.Or(CPU{}), a.Memory.Or(Memory{})
	count, hasCount := cpu.Count.Get()
	most, hasMax := cpu.Max.Get()
	if hasCount && hasMax && count > most {
		v.Errorf("cpu.count", "cpu: count %d is over max %d", count, most)
	}
	if !hasMax {
		most, hasMax = count, hasCount
	}
	if t, ok := cpu.Topology.Get(); ok && hasMax && t.Sockets*t.Cores*t.Threads != most {
		v.Errorf("cpu.topology", "cpu: the topology makes %d CPUs, the maximum is %d", t.Sockets*t.Cores*t.Threads, most)
	}
	current, hasCurrent := memory.Current.Get()
	if least, ok := memory.Guaranteed.Get(); ok && hasCurrent && least > current {
		v.Errorf("memory.guaranteed", "memory: %s are guaranteed, and the VM has %s", virt.FormatSize(int64(least)), virt.FormatSize(int64(current)))
	}
	if limit, ok := memory.Max.Get(); ok && hasCurrent && current > limit {
		v.Errorf("memory.current", "memory: %s is over max %s", virt.FormatSize(int64(current)), virt.FormatSize(int64(limit)))
	}
}

func (a *Args) validateNICs(v *step.Validation) {
	names := map[string]bool{}
	for i, n := range a.NICs {
		name := n.Name
		if name == "" {
			name = fmt.Sprintf("nic%d", i+1)
		}
		if names[name] {
			v.Errorf(fmt.Sprintf("nics[%d]", i), "two NICs are called %q", name)
		}
		names[name] = true
		if n.Address != "" {
			if _, err := netip.ParsePrefix(n.Address); err != nil {
				v.Errorf(fmt.Sprintf("nics[%d].address", i), "NIC %q: address needs a prefix length, as 10.0.0.5/24, found %q", name, n.Address)
			}
		}
		if n.Gateway != "" {
			if _, err := netip.ParseAddr(n.Gateway); err != nil {
				v.Errorf(fmt.Sprintf("nics[%d].gateway", i), "NIC %q: gateway is no address: %q", name, n.Gateway)
			}
		}
	}
}
