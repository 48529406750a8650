//go:build cgo

package libvirt

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"

	"github.com/nactl/nactl/virt"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const qemuCaps = `<capabilities>
  <host><cpu><arch>x86_64</arch></cpu></host>
  <guest><os_type>hvm</os_type><arch name='i686'><machine>pc</machine><domain type='qemu'/></arch></guest>
  <guest><os_type>hvm</os_type><arch name='x86_64'>
    <machine>pc-i440fx-7.2</machine><machine canonical='pc-i440fx-7.2'>pc</machine>
    <machine>pc-q35-7.2</machine><machine canonical='pc-q35-7.2'>q35</machine>
    <domain type='qemu'/>KVM</arch></guest>
</capabilities>`

func TestChooseGuest(t *testing.T) {
	for _, tc := range []struct {
		name, kvm, accel, machine string
		want                      guestKind
		err                       string
	}{
		{name: "emulated", want: guestKind{domain: "qemu", arch: "x86_64", machine: "q35"}},
		{name: "kvm where it is offered", kvm: "<domain type='kvm'/>", want: guestKind{domain: "kvm", arch: "x86_64", machine: "q35"}},
		{name: "kvm switched off", kvm: "<domain type='kvm'/>", accel: "qemu", want: guestKind{domain: "qemu", arch: "x86_64", machine: "q35"}},
		{name: "kvm demanded and not offered", accel: "kvm", err: "kvm is demanded"},
		{name: "a machine of its own", machine: "pc", want: guestKind{domain: "qemu", arch: "x86_64", machine: "pc"}},
		{name: "kvm has machines of its own", kvm: "<domain type='kvm'><machine>microvm</machine></domain>", machine: "microvm", want: guestKind{domain: "kvm", arch: "x86_64", machine: "microvm"}},
		{name: "no such machine", machine: "s390", err: "pc-q35-7.2, q35"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var caps libvirtxml.Caps
			if err := caps.Unmarshal(strings.Replace(qemuCaps, "KVM", tc.kvm, 1)); err != nil {
				t.Fatal(err)
			}
			got, err := chooseGuest(&caps, tc.accel, tc.machine)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %q in it", err, tc.err)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("%+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
	if _, err := chooseGuest(&libvirtxml.Caps{}, "", ""); err == nil {
		t.Error("a node that offers nothing")
	}
}

func TestChooseCPU(t *testing.T) {
	caps := func(models string) *libvirtxml.DomainCaps {
		var c libvirtxml.DomainCaps
		if err := c.Unmarshal("<domainCapabilities><cpu><mode name='maximum' supported='yes'/><mode name='custom' supported='yes'>" + models + "</mode></cpu></domainCapabilities>"); err != nil {
			t.Fatal(err)
		}
		return &c
	}
	emulated := guestKind{domain: "qemu"}
	for _, tc := range []struct {
		name string
		kind guestKind
		caps *libvirtxml.DomainCaps
		want string
	}{
		{"kvm", guestKind{domain: "kvm"}, nil, "host-model"},
		{"the driver cannot tell", guestKind{domain: "test"}, nil, ""},
		{"the best that is there", emulated, caps("<model usable='yes'>qemu64</model><model usable='yes'>Westmere</model>"), "Westmere"},
		{"the best is not usable", emulated, caps("<model usable='no'>Westmere</model><model usable='yes'>Nehalem</model>"), "Nehalem"},
		{"none known", emulated, caps("<model usable='yes'>cortex-a57</model>"), "maximum"},
	} {
		got := ""
		if cpu := chooseCPU(tc.kind, tc.caps); cpu != nil {
			got = cpu.Mode
			if cpu.Model != nil {
				got = cpu.Model.Value
			}
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestBuildDomain holds the definitions against golden files. That libvirt takes
// them is shown where real ones are made.
func TestBuildDomain(t *testing.T) {
	n := &Node{addr: address{driver: "qemu"}}
	n.rules = n.nodeRules()
	pools := map[string]poolTarget{
		"default": {name: "default", typ: "dir", path: "/var/lib/libvirt/images"},
		"vg":      {name: "vg", typ: "logical", path: "/dev/vg"}}
	for _, tc := range []struct {
		name  string
		c     virt.CreateVM
		guest guestKind
	}{
		{"q35", virt.CreateVM{
			On: virt.On{Ref: virt.VMRef("web")}, Run: "run-1", Title: "Web & <more>", Description: "one\ntwo",
			Image: &virt.Image{Source: debian, Format: "qcow2", Size: virt.GiB},
			CPU:   virt.CPU{Count: 2, Max: 4, Topology: virt.Topology{Sockets: 1, Cores: 2, Threads: 2}}, Memory: virt.Memory{Current: virt.GiB, Max: 2 * virt.GiB},
			Disks: []virt.DiskSpec{{Name: "logs", Storage: "vg", Format: "raw", Size: virt.GiB, Bus: "scsi", ReadOnly: true},
				{Name: "root", Boot: true, Size: 8 * virt.GiB}, {Name: "data", Size: virt.GiB, MountPoint: "/srv"}},
			NICs:     []virt.NICSpec{{Name: "nic1", Network: "lan", MAC: "52:54:00:00:00:01"}, {Network: "dmz", Model: "e1000e", MAC: "52:54:00:00:00:02"}},
			Metadata: map[string]string{"b": `"2" & more`, "a": "1"},
		}, guestKind{domain: "qemu", arch: "x86_64", machine: "q35", cpu: &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Model: &libvirtxml.DomainCPUModel{Fallback: "forbid", Value: "Westmere"}}}},
		{"efi", virt.CreateVM{
			On: virt.On{Ref: virt.VMRef("efi")}, Run: "run-1", CPU: virt.CPU{Count: 1}, Memory: virt.Memory{Current: 512 * virt.MiB},
			Firmware: "efi", Boot: []string{"network", "hd"}, Disks: []virt.DiskSpec{{Name: "root", Size: virt.GiB, Format: "raw", Bus: "sata"}},
		}, guestKind{domain: "kvm", arch: "x86_64", machine: "pc", cpu: &libvirtxml.DomainCPU{Mode: "host-model"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			after, _, err := n.Predict(nil, tc.c)
			if err != nil {
				t.Fatal(err)
			}
			vm := after.(*virt.VM)
			for i := range vm.Disks {
				vm.Disks[i].Path = virt.Opt[string]{}
			}
			got, err := buildDomain(tc.c, vm, tc.guest, pools, "")
			if err != nil {
				t.Fatal(err)
			}
			golden := "testdata/domain-" + tc.name + ".xml"
			if *update {
				if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got+"\n"); d != "" {
				t.Errorf("-want +got (go test -update rewrites it)\n%s", d)
			}
		})
	}
}
