package ovirt

import (
	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// convFacts takes what an engine knows of a host: what the host has told it.
func convFacts(h *virt.Host, x *ovirtsdk.Host) *virt.HostFacts {
	f := &virt.HostFacts{Name: h.Name, State: h.State, Address: h.Address, VMs: virt.Some(h.VMs), Hypervisor: virt.Some("qemu"),
		CPU: virt.HostCPU{Count: h.CPUs}, Memory: virt.HostMemory{Total: h.Memory, Free: h.FreeMemory}}
	if cpu, ok := x.Cpu(); ok && cpu != nil {
		f.CPU.Model = said(cpu.Name())
	}
	if os, ok := x.Os(); ok && os != nil {
		if v, ok := os.Version(); ok && v != nil {
			name := value(os.Type())
			f.OS = &virt.HostOS{ID: name, Version: value(v.FullVersion()), Name: name + " " + value(v.FullVersion())}
		}
	}
	if v, ok := x.LibvirtVersion(); ok && v != nil {
		f.Libvirt = said(v.FullVersion())
	}
	return f
}

// said gives a text that an engine sent and that says something.
func said(s string, ok bool) virt.Opt[string] {
	if !ok || s == "" {
		return virt.Opt[string]{}
	}
	return virt.Some(s)
}
