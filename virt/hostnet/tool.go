package hostnet

import (
	"crypto/sha1"
	"fmt"
	"strings"
)

// Tool is what configures a host's network.
type Tool string

// The tools that VLANs can be made lasting with.
const (
	Ifupdown       Tool = "ifupdown"
	Networkd       Tool = "systemd-networkd"
	NetworkManager Tool = "networkmanager"
)

// The folders of their files.
const (
	ifupdownDir = "/etc/network/interfaces.d"
	networkdDir = "/etc/systemd/network"
	managerDir  = "/etc/NetworkManager/system-connections"
)

// File is a file that makes a VLAN last.
type File struct {
	Path    string
	Mode    string // octal
	Content string
	// late says that the tool must not read it while the change is made: it would
	// configure the NIC itself anew.
	late bool
}

// Files gives the files that make a VLAN last. nicFile is networkd's own file for
// the NIC, as /etc/systemd/network/10-lan.network.
func (v VLAN) Files(tool Tool, nicFile string) []File {
	switch tool {
	case Ifupdown:
		return []File{v.interfaces()}
	case Networkd:
		return v.networkd(nicFile)
	case NetworkManager:
		return v.connections()
	}
	return nil
}

// interfaces is a file of ifupdown. It calls ip itself: whether the packages vlan
// and bridge-utils are there makes no difference. A bond may be defined further
// down than the line that reads this file.
func (v VLAN) interfaces() File {
	var b strings.Builder
	b.WriteString(v.header())
	fmt.Fprintf(&b, "auto %s\niface %s inet manual\n", v.Bridge, v.Bridge)
	line := func(when, format string, args ...any) {
		fmt.Fprintf(&b, "\t%s "+format+"\n", append([]any{when}, args...)...)
	}
	line("pre-up", "test -d /sys/class/net/%s || ifup %s", v.NIC, v.NIC)
	line("pre-up", "test -d /sys/class/net/%s || ip link add link %s name %s type vlan id %d", v.Interface, v.NIC, v.Interface, v.ID)
	line("pre-up", "test -d /sys/class/net/%s || ip link add name %s type bridge stp_state 0 forward_delay 0", v.Bridge, v.Bridge)
	if v.MTU != 0 {
		line("pre-up", "ip link set dev %s mtu %d", v.Interface, v.MTU)
	}
	line("up", "ip link set dev %s up", v.NIC)
	line("up", "ip link set dev %s master %s up", v.Interface, v.Bridge)
	line("up", "ip link set dev %s up", v.Bridge)
	line("post-down", "ip link delete dev %s || true", v.Interface)
	line("post-down", "ip link delete dev %s || true", v.Bridge)
	// ifupdown's source-directory takes no names with dots.
	return File{Path: ifupdownDir + "/nactl-" + strings.ReplaceAll(v.Interface, ".", "-"), Mode: "0644", Content: b.String()}
}

// networkd gives files that come before those that may fit any name.
func (v VLAN) networkd(nicFile string) []File {
	file := func(name, body string) File {
		return File{Path: networkdDir + "/05-nactl-" + name, Mode: "0644", Content: v.header() + body}
	}
	mtu, linkMTU := "", ""
	if v.MTU != 0 {
		mtu, linkMTU = fmt.Sprintf("MTUBytes=%d\n", v.MTU), fmt.Sprintf("MTUBytes=%d\n", v.MTU)
	}
	const quiet = "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
	late := File{Path: networkdDir + "/" + base(nicFile) + ".d/nactl-" + v.Interface + ".conf", Mode: "0644",
		Content: v.header() + "[Network]\nVLAN=" + v.Interface + "\n", late: true}
	return []File{
		file(v.Bridge+".netdev", "[NetDev]\nName="+v.Bridge+"\nKind=bridge\n"+mtu+"\n[Bridge]\nSTP=no\nForwardDelaySec=0\n"),
		file(v.Bridge+".network", "[Match]\nName="+v.Bridge+"\n\n[Link]\nRequiredForOnline=no\n"+linkMTU+"\n[Network]\nConfigureWithoutCarrier=yes\n"+quiet),
		file(v.Interface+".netdev", "[NetDev]\nName="+v.Interface+"\nKind=vlan\n"+mtu+"\n[VLAN]\nId="+fmt.Sprint(v.ID)+"\n"),
		file(v.Interface+".network", "[Match]\nName="+v.Interface+"\n\n[Link]\nRequiredForOnline=no\n"+linkMTU+"\n[Network]\nBridge="+v.Bridge+"\n"+quiet),
		late,
	}
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// connections are files of NetworkManager. Their UUIDs follow from the names, so
// that nmcli can be told which.
func (v VLAN) connections() []File {
	file := func(name, body string) File {
		head := "[connection]\nid=nactl " + name + "\nuuid=" + uuidOf(name) + "\ninterface-name=" + name + "\nautoconnect=true\n"
		return File{Path: managerDir + "/nactl-" + name + ".nmconnection", Mode: "0600", Content: v.header() + head + body}
	}
	mtu := ""
	if v.MTU != 0 {
		mtu = fmt.Sprintf("\n[ethernet]\nmtu=%d\n", v.MTU)
	}
	return []File{
		file(v.Bridge, "type=bridge\n\n[bridge]\nstp=false\n"+mtu+"\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n"),
		file(v.Interface, "type=vlan\nmaster="+v.Bridge+"\nslave-type=bridge\n\n[vlan]\nflags=1\nid="+fmt.Sprint(v.ID)+"\nparent="+v.NIC+"\n"+mtu),
	}
}

// uuidOf gives the UUID of a connection: version 5, of a name space of nactl's own.
func uuidOf(name string) string {
	sum := sha1.Sum([]byte("nactl.example/networkmanager/" + name))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
