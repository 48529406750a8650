//go:build cgo

package libvirt

import (
	"os/exec"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

const someFacts = "\n\x01os\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n" +
	"\n\x01kernel\n6.1.0-18-amd64\n\n\x01arch\nx86_64\n\n\x01hostname\nkvm1\n\n\x01uptime\n86400.51 12.0\n" +
	"\n\x01cpu\nmodel name\t: AMD EPYC 7302\nflags\t\t: svm fpu\n\n\x01kvm\nyes\n" +
	"\n\x01meminfo\nMemTotal:  1024 kB\nMemFree: 1 kB\nMemAvailable: 512 kB\n\n\x01tool\nifupdown\n\n\x01interfaces\n" +
	`[{"ifname":"lo","flags":["LOOPBACK","UP"],"addr_info":[{"local":"127.0.0.1","prefixlen":8}]},{},` +
	`{"ifname":"eth0","flags":["UP"],"mtu":1500,"address":"52:54:00:00:00:01","addr_info":[{"local":"10.0.0.5","prefixlen":24}]},` +
	`{"ifname":"eth0.7","link":"eth0","master":"br-7","flags":["UP"],"mtu":1500,"linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":7}}},` +
	`{"ifname":"br-7","flags":[],"linkinfo":{"info_kind":"bridge","info_data":{"bridge_id":"8000.0"}}},` +
	`{"ifname":"gre0","linkinfo":{"info_kind":"gre","info_data":{"id":"odd"}}}]` + "\n\n\x01end\n"

func TestParseFacts(t *testing.T) {
	var f virt.HostFacts
	parseFacts([]byte(someFacts), &f)
	want := virt.HostFacts{
		OS:     &virt.HostOS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		Kernel: virt.Some("6.1.0-18-amd64"), Arch: virt.Some("x86_64"), Hostname: virt.Some("kvm1"), Uptime: virt.Some(int64(86400)),
		CPU:         virt.HostCPU{Model: virt.Some("AMD EPYC 7302"), KVM: virt.Some(true), Flags: []string{"fpu", "svm"}},
		Memory:      virt.HostMemory{Total: virt.MiB, Free: virt.MiB / 2},
		NetworkTool: virt.Some("ifupdown"), Bridges: []string{"br-7"},
		Interfaces: []virt.HostInterface{
			{Name: "br-7", Kind: "bridge"},
			{Name: "eth0", MAC: "52:54:00:00:00:01", MTU: 1500, Up: true, Addresses: []string{"10.0.0.5/24"}},
			{Name: "eth0.7", Kind: "vlan", MTU: 1500, Up: true, Master: "br-7", Under: "eth0", VLAN: 7},
			{Name: "lo", Kind: "loopback", Up: true, Addresses: []string{"127.0.0.1/8"}},
		},
	}
	if d := gocmp.Diff(want, f, gocmp.AllowUnexported(virt.Opt[string]{}, virt.Opt[int64]{}, virt.Opt[bool]{}, virt.Opt[int]{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A host that can say little leaves the rest out.
func TestParseFactsOfLittle(t *testing.T) {
	for _, text := range []string{"", "\x01", "\n\x01os\n\n\x01uptime\nsoon\n\n\x01meminfo\nMemTotal: x\nMemTotal: -4 kB\n\n\x01interfaces\nip: no option -j"} {
		var f virt.HostFacts
		parseFacts([]byte(text), &f)
		if f.OS != nil || f.Kernel.IsSet() || f.Uptime.IsSet() || f.Memory != (virt.HostMemory{}) || f.Interfaces != nil || f.CPU.KVM.IsSet() {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

// The script asks this machine.
func TestFactsScript(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(factsScript)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var f virt.HostFacts
	parseFacts(out, &f)
	if f.OS == nil || f.Kernel.Or("") == "" || f.Arch.Or("") == "" || f.Memory.Total == 0 || f.Uptime.Or(0) <= 0 || !f.CPU.KVM.IsSet() {
		t.Errorf("%+v", f)
	}
}

func FuzzParseFacts(f *testing.F) {
	f.Add([]byte(someFacts))
	f.Add([]byte("\x01interfaces\n[{\"ifname\":\"x\"},3]"))
	f.Fuzz(func(t *testing.T, out []byte) {
		var facts virt.HostFacts
		parseFacts(out, &facts)
		if facts.Memory.Total < 0 || facts.Memory.Free < 0 {
			t.Errorf("%+v", facts.Memory)
		}
	})
}
