package hostnet

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

var update = flag.Bool("update", false, "write the golden files")

var web = VLAN{Interface: "eth0.101", NIC: "eth0", ID: 101, Bridge: "br-101", MTU: 1400, Network: "web"}

// said is what a host prints: its links, its tool, and files.
func said(links, tool string, files ...File) []byte {
	text := "\n\x01links\n" + links + "\n\x01vlans\nyes\n\n\x01sourced\nyes\n\n\x01tool\n" + tool + "\n"
	for _, f := range files {
		text += "\n\x01file " + f.Path + "\n" + f.Content
	}
	return []byte(text + "\n\x01end\n")
}

const (
	eth0   = `{"ifname":"eth0","mtu":1500}`
	vlan   = `{"ifname":"eth0.101","link":"eth0","master":"br-101","mtu":1400,"linkinfo":{"info_kind":"vlan","info_data":{"id":101},"info_slave_kind":"bridge"}}`
	bridge = `{"ifname":"br-101","mtu":1400,"linkinfo":{"info_kind":"bridge"}}`
)

func state(t *testing.T, links, tool string, files ...File) *State {
	t.Helper()
	s, err := parseState(said("["+links+"]", tool, files...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The files of each tool are as they are in testdata, and nactl knows them again.
func TestFiles(t *testing.T) {
	const nicFile = "/run/systemd/network/10-lan.network"
	for _, tool := range []Tool{Ifupdown, Networkd, NetworkManager} {
		t.Run(string(tool), func(t *testing.T) {
			files := web.Files(tool, nicFile)
			var text strings.Builder
			for _, f := range files {
				fmt.Fprintf(&text, "==> %s %s\n%s\n", f.Path, f.Mode, f.Content)
			}
			golden := filepath.Join("testdata", string(tool)+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(text.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != text.String() {
				t.Errorf("%v; got\n%s", err, text.String())
			}
			made := state(t, eth0+","+vlan+","+bridge, "", files...).Made()
			if len(made) != 1 || made[0].VLAN != web || made[0].Tool != tool || !made[0].Live || !made[0].Persistent {
				t.Errorf("read again: %+v", made)
			}
			half := state(t, eth0, "", files[0]).Made()
			if len(half) != 1 || half[0].Live || half[0].Persistent != (len(files) == 1) {
				t.Errorf("half of it: %+v", half)
			}
			other := files[0]
			other.Content += "# by somebody\n"
			if changed := state(t, eth0, "", other).Made(); len(changed) != 1 || changed[0].Persistent {
				t.Errorf("changed by somebody: %+v", changed)
			}
		})
	}
}

func TestObstacle(t *testing.T) {
	ref := virt.HostVLANRef("n1", "eth0.101")
	with := func(edit func(*VLAN)) VLAN { v := web; edit(&v); return v }
	for _, tt := range []struct {
		name  string
		links string
		tool  string
		vlan  VLAN
		kind  error
		says  string
	}{
		{"nothing", eth0, "ifupdown", web, nil, ""},
		{"id 0", eth0, "ifupdown", with(func(v *VLAN) { v.ID = 0 }), virt.ErrInvalid, "0 is no VLAN id"},
		{"id 4095", eth0, "ifupdown", with(func(v *VLAN) { v.ID = 4095 }), virt.ErrInvalid, "4095 is no VLAN id"},
		{"long name", eth0, "ifupdown", with(func(v *VLAN) { v.Bridge = "a-bridge-of-sixteen" }), virt.ErrInvalid, `no interface is called "a-bridge-of-sixteen"`},
		{"hostile name", eth0, "ifupdown", with(func(v *VLAN) { v.NIC = "$(reboot)" }), virt.ErrInvalid, "no interface is called"},
		{"an option", eth0, "ifupdown", with(func(v *VLAN) { v.NIC = "-all" }), virt.ErrInvalid, "no interface is called"},
		{"bridge is the NIC", eth0, "ifupdown", with(func(v *VLAN) { v.Bridge = "eth0" }), virt.ErrInvalid, "its bridge cannot be"},
		{"no NIC", `{"ifname":"eth7"}`, "ifupdown", web, virt.ErrNotFound, `no NIC "eth0"`},
		{"NIC of a bond", `{"ifname":"eth0","master":"bond0","linkinfo":{"info_slave_kind":"bond"}}`, "ifupdown", web, virt.ErrConflict, "is a port of bond0"},
		{"NIC of a bridge", `{"ifname":"eth0","master":"br0","linkinfo":{"info_slave_kind":"bridge"}}`, "ifupdown", web, nil, ""},
		{"NIC is a bridge", `{"ifname":"eth0","linkinfo":{"info_kind":"bridge"}}`, "ifupdown", web, virt.ErrConflict, "is a bridge"},
		{"interface of somebody else", eth0 + "," + vlan, "ifupdown", web, virt.ErrConflict, `interface "eth0.101" is there already`},
		{"bridge of somebody else", eth0 + "," + bridge + `,{"ifname":"eth1","master":"br-101"}`, "ifupdown", web, virt.ErrConflict, `interface "br-101" is there already`},
		{"VLAN under another name", eth0 + "," + strings.Replace(vlan, `"eth0.101"`, `"tagged"`, 1), "ifupdown", web, virt.ErrConflict, "VLAN 101 on eth0 is there already"},
		{"no tool", eth0, "", web, virt.ErrUnsupported, "nothing that nactl knows configures"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := state(t, tt.links, tt.tool).Obstacle(ref, tt.vlan)
			if !errors.Is(err, tt.kind) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v: %s", err, tt.kind, tt.says)
			}
		})
	}
	// A file of somebody else in the place of one of ours.
	file := File{Path: web.Files(Ifupdown, "")[0].Path, Content: "auto br-101\n"}
	if err := state(t, eth0, "ifupdown", file).Obstacle(ref, web); !errors.Is(err, virt.ErrConflict) || !strings.Contains(err.Error(), "is not nactl's") {
		t.Errorf("a file of somebody else: %v", err)
	}
	// What nactl made is completed.
	if err := state(t, eth0+","+vlan, "ifupdown", web.Files(Ifupdown, "")...).Obstacle(ref, web); err != nil {
		t.Errorf("half-made: %v", err)
	}
	unsourced := state(t, eth0, "ifupdown")
	unsourced.Sourced = false
	if err := unsourced.Obstacle(ref, web); !errors.Is(err, virt.ErrUnsupported) || !strings.Contains(err.Error(), "does not read") {
		t.Errorf("without source: %v", err)
	}
}

// The scripts are what a POSIX shell reads, whatever the values.
func TestScriptsAreShell(t *testing.T) {
	for _, tool := range []string{"ifupdown", "systemd-networkd\n/etc/systemd/network/10-it's.network", "networkmanager"} {
		s := state(t, eth0, tool)
		v := web
		v.Network = "it's $(touch /tmp/x) \n `y`"
		made := state(t, eth0+","+vlan+","+bridge, tool, v.Files(s.Tool, s.NICFile)...)
		for _, c := range []Change{Create(s, v), Delete(made, made.Made()[0])} {
			for _, text := range []string{c.text(), look} {
				cmd := exec.Command("/bin/sh", "-n")
				cmd.Stdin = strings.NewReader(text)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s\n%s", tool, err, out, text)
				}
			}
		}
	}
}

func FuzzParseState(f *testing.F) {
	f.Add(said("["+eth0+","+vlan+"]", "ifupdown", web.Files(Ifupdown, "")...))
	f.Add([]byte("\x01links\n[{\"ifname\":3}]\n\x01end\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		s, err := parseState(out)
		if err != nil {
			return
		}
		for _, v := range s.Made() {
			if err := v.Check(virt.Ref{}); err != nil {
				t.Errorf("%+v: %v", v, err)
			}
		}
	})
}
