//go:build cgo

package libvirt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// factsScript prints what a node tells of itself, in sections that begin with a
// line \001NAME. It only reads, and what it cannot find out it leaves out.
const factsScript = `exec 2>/dev/null
LC_ALL=C; export LC_ALL
at() { printf '\n\001%s\n' "$1"; }
at os; cat /etc/os-release || cat /usr/lib/os-release
at kernel; uname -r
at arch; uname -m
at hostname; uname -n
at uptime; cat /proc/uptime
at cpu; sed -n '/^model name/p;/^flags/p;/^$/q' /proc/cpuinfo
at kvm; [ -c /dev/kvm ] && echo yes || echo no
at meminfo; cat /proc/meminfo
at tool
if command -v nmcli >/dev/null && [ "$(nmcli -t -f RUNNING general)" = running ] && nmcli -t -f STATE device | grep -qvx -e unmanaged -e 'connected (externally)'; then echo networkmanager
elif systemctl is-active --quiet systemd-networkd; then echo systemd-networkd
elif command -v ifup >/dev/null && [ -e /etc/network/interfaces ]; then echo ifupdown
fi
at interfaces; ip -j -d address show
at end
`

// maxFacts bounds what a node may tell, in bytes.
const maxFacts = 4 << 20

// HostFacts asks the node and its libvirt what they are. It is libvirt's part that
// may be missing, where libvirt does not answer.
func (n *Node) HostFacts(ctx context.Context, name string) (*virt.HostFacts, error) {
	if name != n.cfg.Name {
		return nil, virt.NotFound(hostRef(name), "this target is the node "+n.cfg.Name+" alone")
	}
	f := &virt.HostFacts{Name: name, Address: n.address(), State: "up"}
	if n.cfg.Maintenance {
		f.State = "maintenance"
	}
	r, err := n.hostExec(ctx, ssh.Command{Argv: []string{"/bin/sh", "-s"}, Stdin: strings.NewReader(factsScript), MaxOutput: maxFacts})
	if err != nil {
		return nil, about(n.mapError("ask the host what it is", err), hostRef(name))
	}
	parseFacts(r.Stdout, f)
	if err := n.factsOfLibvirt(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// factsOfLibvirt adds what libvirt knows of its node.
func (n *Node) factsOfLibvirt(ctx context.Context, f *virt.HostFacts) error {
	h, err := n.Host(ctx, n.cfg.Name)
	if err != nil {
		return err
	}
	f.CPU.Count, f.Memory = h.CPUs, virt.HostMemory{Total: h.Memory, Free: h.FreeMemory}
	f.VMs, f.Hypervisor = virt.Some(h.VMs), virt.Some(h.Hypervisor)
	err = n.read(ctx, "read the versions", func(c *lv.Connect) error {
		if v, err := c.GetLibVersion(); err == nil {
			f.Libvirt = virt.Some(version(uint64(v)))
		} else if isLost(err) {
			return err
		}
		if v, err := c.GetVersion(); err == nil && v != 0 && h.Hypervisor == "qemu" {
			f.QEMU = virt.Some(version(uint64(v)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	pools, err := n.Storages(ctx)
	if err != nil {
		return err
	}
	for _, p := range pools {
		state := "inactive"
		if p.Active {
			state = "active"
		}
		f.Storage = append(f.Storage, virt.HostStorage{Name: p.Name, Kind: p.Type, State: state, Capacity: p.Capacity, Available: p.Available})
	}
	return nil
}

// version writes a version as libvirt counts it: millions, thousands and ones.
func version(v uint64) string { return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1000%1000, v%1000) }

// parseFacts reads what factsScript printed.
func parseFacts(out []byte, f *virt.HostFacts) {
	said := map[string]string{}
	for part := range bytes.SplitSeq(out, []byte("\n\x01")) {
		name, text, _ := strings.Cut(string(part), "\n")
		said[strings.TrimPrefix(name, "\x01")] = strings.TrimSpace(text)
	}
	word := func(name string) (o virt.Opt[string]) {
		if w := said[name]; w != "" && !strings.ContainsAny(w, "\n\x00") {
			o = virt.Some(w)
		}
		return o
	}
	f.OS = parseOS(said["os"])
	f.Kernel, f.Arch, f.Hostname, f.NetworkTool = word("kernel"), word("arch"), word("hostname"), word("tool")
	if seconds, _, ok := strings.Cut(said["uptime"], "."); ok {
		if s, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			f.Uptime = virt.Some(s)
		}
	}
	for line := range strings.Lines(said["cpu"]) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			f.CPU.Model = virt.Some(strings.TrimSpace(value))
		case "flags":
			f.CPU.Flags = strings.Fields(value)
			slices.Sort(f.CPU.Flags)
		}
	}
	if kvm := said["kvm"]; kvm != "" {
		f.CPU.KVM = virt.Some(kvm == "yes")
	}
	f.Memory = parseMeminfo(said["meminfo"])
	f.Interfaces = parseInterfaces([]byte(said["interfaces"]))
	for _, i := range f.Interfaces {
		if i.Kind == "bridge" {
			f.Bridges = append(f.Bridges, i.Name)
		}
	}
}

// osLine is an assignment of os-release: a shell's, of one value.
var osLine = regexp.MustCompile(`^([A-Z_]+)=["']?(.*?)["']?$`)

func parseOS(text string) *virt.HostOS {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if m := osLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			values[m[1]] = m[2]
		}
	}
	if values["ID"] == "" {
		return nil
	}
	return &virt.HostOS{ID: values["ID"], Version: values["VERSION_ID"], Name: cmp.Or(values["PRETTY_NAME"], values["NAME"])}
}

func parseMeminfo(text string) (m virt.HostMemory) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		kib, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || kib < 0 || kib > 1<<50 {
			continue
		}
		switch words[0] {
		case "MemTotal:":
			m.Total = kib * virt.KiB
		case "MemAvailable:":
			m.Free = kib * virt.KiB
		}
	}
	return m
}

// ipLink is an interface as `ip -json -details address` prints it.
type ipLink struct {
	Name   string   `json:"ifname"`
	Under  string   `json:"link"`
	Master string   `json:"master"`
	MAC    string   `json:"address"`
	MTU    int      `json:"mtu"`
	Flags  []string `json:"flags"`
	Info   struct {
		Kind string `json:"info_kind"`
		Data struct {
			ID int `json:"id"`
		} `json:"info_data"`
	} `json:"linkinfo"`
	Addresses []struct {
		Local  string `json:"local"`
		Prefix int    `json:"prefixlen"`
	} `json:"addr_info"`
}

// parseInterfaces reads what ip printed; nothing where it is not what ip prints.
func parseInterfaces(text []byte) []virt.HostInterface {
	var links []json.RawMessage
	if json.Unmarshal(text, &links) != nil {
		return nil
	}
	var out []virt.HostInterface
	for _, raw := range links {
		var l ipLink
		if json.Unmarshal(raw, &l) != nil || l.Name == "" {
			continue // of a kind whose details are others; ip also prints empty ones
		}
		i := virt.HostInterface{Name: l.Name, Kind: l.Info.Kind, MAC: l.MAC, MTU: l.MTU, Master: l.Master, Up: slices.Contains(l.Flags, "UP")}
		if slices.Contains(l.Flags, "LOOPBACK") {
			i.Kind = "loopback"
		}
		if l.Info.Kind == "vlan" {
			i.Under, i.VLAN = l.Under, l.Info.Data.ID
		}
		for _, a := range l.Addresses {
			if a.Local != "" {
				i.Addresses = append(i.Addresses, fmt.Sprintf("%s/%d", a.Local, a.Prefix))
			}
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b virt.HostInterface) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
