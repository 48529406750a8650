package hostnet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// Link is a network interface, as far as VLANs go.
type Link struct {
	Name   string `json:"ifname"`
	Under  string `json:"link"`
	Master string `json:"master"`
	MTU    int    `json:"mtu"`
	Info   struct {
		Kind string          `json:"info_kind"`
		Data json.RawMessage `json:"info_data"`
		Port string          `json:"info_slave_kind"`
	} `json:"linkinfo"`
}

// vlan gives the id of a VLAN interface; 0 of another.
func (l Link) vlan() int {
	var data struct{ ID int }
	if l.Info.Kind != "vlan" || json.Unmarshal(l.Info.Data, &data) != nil {
		return 0
	}
	return data.ID
}

// State is what a host's network is now.
type State struct {
	Links map[string]Link
	Files map[string]string // that nactl made, or that stand where it would make one
	Tool  Tool              // of the NIC that was asked about; empty: none that nactl knows
	// NICFile is networkd's file for that NIC.
	NICFile string
	// Sourced says that ifupdown reads the folder interfaces.d.
	Sourced bool
	// VLANs says that the kernel knows them.
	VLANs bool
}

// look prints the state in sections that begin with a line \001NAME. $1 is the NIC
// that is asked about, empty for none.
const look = `exec 2>/dev/null
LC_ALL=C; export LC_ALL
at() { printf '\n\001%s\n' "$1"; }
at links; ip -j -d link show
at vlans; { [ -e /proc/net/vlan ] || modprobe -n -q 8021q; } && echo yes
at sourced; grep -Eq '^[[:space:]]*source(-directory)?[[:space:]].*interfaces\.d' /etc/network/interfaces && echo yes
at tool
if [ -n "$1" ]; then
	nm=; command -v nmcli >/dev/null && [ "$(nmcli -t -f RUNNING general)" = running ] && nm=$(nmcli -g GENERAL.STATE device show "$1")
	case $nm in
	'' | 10*) ;;
	*'(externally)'*) nm= ;;
	*) echo networkmanager ;;
	esac
	if [ -z "$nm" ] || [ "${nm%% *}" = 10 ]; then
		file=; systemctl is-active --quiet systemd-networkd && file=$(networkctl status --no-pager --lines=0 -- "$1" | sed -n 's/^ *Network File: *//p')
		case $file in
		/*) echo systemd-networkd; echo "$file" ;;
		*) command -v ifup >/dev/null && [ -e /etc/network/interfaces ] && echo ifupdown ;;
		esac
	fi
fi
for f in /etc/network/interfaces.d/nactl-* /etc/systemd/network/05-nactl-* /etc/systemd/network/*.network.d/nactl-* /etc/NetworkManager/system-connections/nactl-*; do
	[ -f "$f" ] || continue
	at "file $f"; cat "$f"
done
at end
`

// maxState bounds what a host may tell, in bytes.
const maxState = 8 << 20

// Look reads the state of a host, for a NIC or for none.
func Look(ctx context.Context, host Runner, nic string) (*State, error) {
	r, err := host.Exec(ctx, ssh.Command{Argv: []string{"/bin/sh", "-s", "--", nic}, Stdin: strings.NewReader(look), Become: true, MaxOutput: maxState})
	if err != nil {
		return nil, err
	}
	return parseState(r.Stdout)
}

// parseState reads what look printed.
func parseState(out []byte) (*State, error) {
	s := &State{Links: map[string]Link{}, Files: map[string]string{}}
	ended := false
	for part := range bytes.SplitSeq(out, []byte("\n\x01")) {
		name, text, _ := strings.Cut(string(part), "\n")
		name = strings.TrimPrefix(name, "\x01")
		switch path, isFile := strings.CutPrefix(name, "file "); {
		case isFile:
			s.Files[path] = text
		case name == "links":
			var links []json.RawMessage
			if err := json.Unmarshal([]byte(text), &links); err != nil {
				return nil, errors.New("its ip lists no interfaces as JSON (ip -j -d link show): iproute2 is missing or older than 4.14")
			}
			for _, raw := range links {
				var l Link
				if json.Unmarshal(raw, &l) == nil && l.Name != "" {
					s.Links[l.Name] = l
				}
			}
		case name == "vlans":
			s.VLANs = strings.TrimSpace(text) == "yes"
		case name == "sourced":
			s.Sourced = strings.TrimSpace(text) == "yes"
		case name == "tool":
			words := strings.Fields(text)
			if len(words) > 0 {
				s.Tool = Tool(words[0])
			}
			if len(words) > 1 {
				s.NICFile = words[1]
			}
		case name == "end":
			ended = true
		}
	}
	if !ended {
		return nil, errors.New("the host's answer about its network is not whole")
	}
	return s, nil
}

// Found is a VLAN of nactl's, and how far it is made.
type Found struct {
	VLAN
	Tool       Tool
	Live       bool // interface and bridge are there, and belong together
	Persistent bool // all its files are there, as nactl makes them
}

// Made gives the VLANs that nactl made on the host, by the name of the interface.
func (s *State) Made() []Found {
	byName := map[string]*Found{}
	nicFiles := map[string]string{}
	for path, content := range s.Files {
		v, ok := parseHeader(content)
		if !ok {
			continue
		}
		if byName[v.Interface] == nil {
			byName[v.Interface] = &Found{VLAN: v, Tool: toolOf(path)}
		}
		if dir, _, ok := strings.Cut(path, ".d/nactl-"); ok && toolOf(path) == Networkd {
			nicFiles[v.Interface] = dir
		}
	}
	var out []Found
	for name, f := range byName {
		f.Live = s.live(f.VLAN)
		f.Persistent = s.has(f.VLAN.Files(f.Tool, nicFiles[name]))
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Found) int { return cmp.Compare(a.Interface, b.Interface) })
	return out
}

func toolOf(path string) Tool {
	switch {
	case strings.HasPrefix(path, ifupdownDir+"/"):
		return Ifupdown
	case strings.HasPrefix(path, networkdDir+"/"):
		return Networkd
	default:
		return NetworkManager
	}
}

// live tells whether a VLAN is in force.
func (s *State) live(v VLAN) bool {
	l, b := s.Links[v.Interface], s.Links[v.Bridge]
	return l.vlan() == v.ID && l.Under == v.NIC && l.Master == v.Bridge && b.Info.Kind == "bridge" && (v.MTU == 0 || l.MTU == v.MTU)
}

func (s *State) has(files []File) bool {
	for _, f := range files {
		if strings.TrimSpace(s.Files[f.Path]) != strings.TrimSpace(f.Content) {
			return false
		}
	}
	return len(files) > 0
}

// ours tells whether nactl made a VLAN's interface, by the files.
func (s *State) ours(v VLAN) bool {
	return slices.ContainsFunc(s.Made(), func(f Found) bool {
		return f.Interface == v.Interface && f.Bridge == v.Bridge && f.NIC == v.NIC && f.ID == v.ID
	})
}

// Obstacle gives what stands in the way of making a VLAN; nil for nothing.
func (s *State) Obstacle(ref virt.Ref, v VLAN) error {
	if err := v.Check(ref); err != nil {
		return err
	}
	fail := func(kind error, summary, found, hint string) error {
		return &virt.Error{Kind: kind, Object: ref, Summary: summary, Found: found, Hint: hint}
	}
	nic, there := s.Links[v.NIC]
	iface, hasIface := s.Links[v.Interface]
	bridge, hasBridge := s.Links[v.Bridge]
	ours := s.ours(v)
	switch {
	case !s.VLANs:
		return fail(virt.ErrUnsupported, "the host's kernel has no VLANs: its module 8021q is missing", "", "use an Open vSwitch bridge: leave nic out")
	case !there:
		return fail(virt.ErrNotFound, fmt.Sprintf("the host has no NIC %q", v.NIC), strings.Join(s.cards(), ", "), "name one of them, or a bond")
	case nic.Master != "" && nic.Info.Port != "bridge":
		return fail(virt.ErrConflict, fmt.Sprintf("NIC %q is a port of %s", v.NIC, nic.Master), cmp.Or(nic.Info.Port, "a port"), "name "+nic.Master+" itself if it is a bond; for an Open vSwitch bridge leave nic out")
	case nic.Info.Kind == "bridge":
		return fail(virt.ErrConflict, fmt.Sprintf("%q is a bridge", v.NIC), "", "name the NIC or bond that is its port")
	case hasIface && !ours:
		return fail(virt.ErrConflict, fmt.Sprintf("interface %q is there already, and nactl did not make it", v.Interface), describe(iface),
			"take it away, or make the network on its bridge with create_network: {type: bridge}")
	case hasBridge && !ours:
		return fail(virt.ErrConflict, fmt.Sprintf("interface %q is there already, and nactl did not make it", v.Bridge), describe(bridge)+s.portsOf(v.Bridge, ""),
			"give another name as bridge; for a bridge of the host's own use create_network: {type: bridge}")
	case hasBridge && bridge.Info.Kind != "bridge":
		return fail(virt.ErrConflict, fmt.Sprintf("interface %q is no bridge", v.Bridge), describe(bridge), "give another name as bridge")
	}
	for _, l := range s.Links {
		if l.Name != v.Interface && l.Under == v.NIC && l.vlan() == v.ID {
			return fail(virt.ErrConflict, fmt.Sprintf("VLAN %d on %s is there already", v.ID, v.NIC), "interface "+l.Name,
				"take that away, or make the network on its bridge with create_network: {type: bridge}")
		}
	}
	switch s.Tool {
	case "":
		return fail(virt.ErrUnsupported, fmt.Sprintf("nothing that nactl knows configures NIC %q", v.NIC), "neither ifupdown nor systemd-networkd nor NetworkManager", "configure the NIC by one of them")
	case Ifupdown:
		if !s.Sourced {
			return fail(virt.ErrUnsupported, "ifupdown on the host does not read "+ifupdownDir, "", "write this line into /etc/network/interfaces: source "+ifupdownDir+"/*")
		}
	}
	for _, f := range v.Files(s.Tool, s.NICFile) {
		content, ok := s.Files[f.Path]
		if !ok {
			continue
		}
		if owner, mine := parseHeader(content); !mine || owner.Interface != v.Interface {
			return fail(virt.ErrConflict, "file "+f.Path+" is there, and is not nactl's for this VLAN", "", "look at it, and take it away")
		}
	}
	return nil
}

// InUse gives what else is a port of a VLAN's bridge; empty for nothing.
func (s *State) InUse(v VLAN) string {
	return strings.TrimPrefix(s.portsOf(v.Bridge, v.Interface), " with ports ")
}

func (s *State) portsOf(bridge, but string) string {
	var ports []string
	for _, l := range s.Links {
		if l.Master == bridge && l.Name != but {
			ports = append(ports, l.Name)
		}
	}
	if len(ports) == 0 {
		return ""
	}
	slices.Sort(ports)
	return " with ports " + strings.Join(ports, ", ")
}

// cards lists what a VLAN can be made on.
func (s *State) cards() []string {
	var out []string
	for _, l := range s.Links {
		if l.Name != "lo" && (l.Info.Kind == "" || l.Info.Kind == "bond" || l.Info.Kind == "team" || l.Info.Kind == "veth") {
			out = append(out, l.Name)
		}
	}
	slices.Sort(out)
	return out
}

func describe(l Link) string {
	text := cmp.Or(l.Info.Kind, "a NIC")
	if id := l.vlan(); id != 0 {
		text = fmt.Sprintf("VLAN %d on %s", id, l.Under)
	}
	if l.Master != "" {
		text += ", a port of " + l.Master
	}
	return text
}
